/** From a compiled chunk to what FUNCTION LOAD takes. */
import { createHash } from "node:crypto";
import type { Declaration } from "../../functions/runtime/declare";
import { HOT_GLOBALS, HOT_LOCALS } from "./hot";

export interface AssembledLibrary {
  name: string;
  version: string;
  /** SHA-1 of everything that decides how the library behaves. */
  hash: string;
  code: string;
}

/** The hot locals of the chunk's closure. */
const HOT = [
  `local ${HOT_GLOBALS.join(", ")} = ${HOT_GLOBALS.join(", ")}`,
  `local ${HOT_LOCALS.map(([local]) => local).join(", ")} = ${HOT_LOCALS.map(([, owner, member]) => `${owner}.${member}`).join(", ")}`,
].join("\n");

/** A Lua string literal: JSON's escapes are a subset of Lua's for the text that we print. */
function luaString(text: string): string {
  return JSON.stringify(text);
}

function registration(declaration: Declaration): string {
  const fields = [
    `function_name = ${luaString(declaration.name)}`,
    `description = ${luaString(declaration.summary)}`,
    `callback = stub(${luaString(declaration.name)})`,
  ];
  if (declaration.flags.length > 0) fields.push(`flags = {${declaration.flags.map(luaString).join(", ")}}`);
  return `redis.register_function{${fields.join(", ")}}`;
}

/**
 * The library's text. While a library loads, `redis` is the only global, so the compiled chunk runs inside a closure at the
 * first call, and only stubs are registered. `require` is shadowed because the chunk's preamble reads it.
 */
export function assemble(
  name: string,
  version: string,
  chunk: string,
  declarations: readonly Declaration[],
): AssembledLibrary {
  const body = `local require
local function load(...)
${HOT}
${chunk.trim()}
end
local callbacks
local function stub(name)
  return function(keys, args)
    callbacks = callbacks or load().callbacks
    return callbacks[name](keys, args)
  end
end
${declarations.map(registration).join("\n")}
`;
  const hash = createHash("sha1").update(`${name}\n${version}\n${body}`).digest("hex");
  const head = `#!lua name=${name}
local LIBRARY_NAME, LIBRARY_VERSION, LIBRARY_HASH = ${[name, version, hash].map(luaString).join(", ")}
`;
  return { name, version, hash, code: head + body };
}
