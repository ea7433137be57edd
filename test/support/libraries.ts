import { createHash } from "node:crypto";
import type { BundledLibrary } from "../../host/deploy/libraries";

export interface TestLibraryOptions {
  version?: string;
  /** Names of more functions; each answers the version. */
  functions?: string[];
  /** Lua run while the library loads. */
  body?: string;
}

/** A small library as the build makes them: one that can be asked what it is. */
export function testLibrary(
  name: string,
  { version = "1.0.0", functions = [], body = "" }: TestLibraryOptions = {},
): BundledLibrary {
  const hash = createHash("sha1")
    .update(JSON.stringify([name, version, functions, body]))
    .digest("hex");
  const identity = `redis.register_function{function_name="${name}_library", flags={"no-writes"}, callback=function()
  return {"library", "${name}", "version", "${version}", "hash", "${hash}"} end}`;
  const others = functions.map((each) => `redis.register_function("${each}", function() return "${version}" end)`);
  return {
    name,
    version,
    hash,
    code: [`#!lua name=${name}`, identity, ...others, body].join("\n"),
    functions: [`${name}_library`, ...functions],
    rated: [],
  };
}
