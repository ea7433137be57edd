/** The scripts of GigAPI's metadata engine, where they are on the machine: HOTPATH_GIGAPI_SCRIPTS, or .hotpath/gigapi. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER =
  process.env["HOTPATH_GIGAPI_SCRIPTS"] ?? fileURLToPath(new URL("../../.hotpath/gigapi", import.meta.url));

/** The text of a script; undefined if it is not on the machine. */
export function originalScript(name: "patch_index" | "get_merge_plan" | "end_merge"): string | undefined {
  const path = join(FOLDER, `${name}.lua`);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
