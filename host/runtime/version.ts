/** Which version this is. */
import { readFileSync } from "node:fs";

/** Defined by the bundler; under tsx there is no such name. */
declare const HOTPATH_VERSION: string | undefined;

/** Whether this runs as bundled in `dist/`, beside the libraries. */
export const IS_BUNDLED: boolean = typeof HOTPATH_VERSION === "string";

/** The version of the package. */
export const VERSION: string = typeof HOTPATH_VERSION === "string" ? HOTPATH_VERSION : readPackageVersion();

function readPackageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
