/** What compiled Lua must not contain; each rule names the failure it prevents. */
import luaparse from "luaparse";
import { HOT_LOCALS } from "./hot";

/** lualib helpers that are fast enough and stay small, and why each is there. */
const ALLOWED_LUALIB: Record<string, string> = {};

/** All that a running function may read; anything else raises "nonexistent global variable" inside Redis. */
const ALLOWED_GLOBALS = new Set([
  "redis",
  "cjson",
  "cmsgpack",
  "string",
  "table",
  "math",
  "type",
  "tonumber",
  "tostring",
  "pcall",
  "xpcall",
  "error",
  "ipairs",
  "pairs",
  "next",
  "select",
  "collectgarbage",
  "unpack",
  "assert",
  "setmetatable",
  "getmetatable",
  "rawget",
  "rawset",
]);

/** The head of an assembled library, before the chunk itself. */
const HEADER_LOCALS = ["LIBRARY_NAME", "LIBRARY_VERSION", "LIBRARY_HASH", "require"];

interface LuaNode {
  type: string;
  name?: string;
  isLocal?: boolean;
  variables?: LuaNode[];
  [property: string]: unknown;
}

function* walk(node: LuaNode): Generator<LuaNode> {
  yield node;
  for (const child of Object.values(node)) {
    for (const each of Array.isArray(child) ? (child as unknown[]) : [child]) {
      if (typeof each === "object" && each !== null && "type" in each) yield* walk(each as LuaNode);
    }
  }
}

function lualibProblems(code: string): string[] {
  const used = new Set(code.match(/__TS__\w+/g) ?? []);
  return [...used]
    .filter((helper) => !(helper in ALLOWED_LUALIB))
    .map((helper) => `uses the lualib helper ${helper}; write it with LuaTable, $range or a plain function`);
}

function globalProblems(code: string): string[] {
  const known = new Set([...ALLOWED_GLOBALS, ...HEADER_LOCALS, ...HOT_LOCALS.map(([local]) => local)]);
  const problems = new Set<string>();
  const chunk = luaparse.parse(code, { luaVersion: "5.1", scope: true, comments: false }) as unknown as LuaNode;
  for (const node of walk(chunk)) {
    if (node.type === "AssignmentStatement") {
      for (const target of node.variables ?? []) {
        if (target.type === "Identifier" && target.isLocal === false) {
          problems.add(`assigns the global ${target.name}; every file must be a module`);
        }
      }
    }
    if (node.type === "FunctionDeclaration") {
      const identifier = node["identifier"] as LuaNode | null;
      if (identifier?.type === "Identifier" && identifier.isLocal === false) {
        problems.add(`declares the global function ${identifier.name}; every file must be a module`);
      }
    }
    if (node.type === "Identifier" && node.isLocal === false && !known.has(node.name ?? "")) {
      problems.add(`reads ${node.name}, which does not exist in a function of Redis`);
    }
  }
  return [...problems];
}

/**
 * Problems of a compiled chunk, empty if there are none.
 *
 * @param budgetBytes the most that the library may measure
 */
export function checkLua(code: string, budgetBytes: number): string[] {
  const problems = [...lualibProblems(code), ...globalProblems(code)];
  if (/\berror\(\s*(__TS__New|Error\b)/.test(code)) {
    problems.push("throws an Error object, which kills the server; use fail() of runtime/errors");
  }
  const size = Buffer.byteLength(code);
  if (size > budgetBytes) problems.push(`measures ${size} bytes, over its budget of ${budgetBytes}`);
  return problems;
}
