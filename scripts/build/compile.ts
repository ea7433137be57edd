/** TypeScript to one Lua chunk a library, by TypeScriptToLua. */
import { resolve } from "node:path";
import ts from "typescript";
import * as tstl from "typescript-to-lua";
import { hotpathPlugin } from "./lua-plugin";

/**
 * Compiles `functions/<library>/library.ts` and what it imports into one chunk that returns the module's exports.
 *
 * @throws Error with the compiler's diagnostics
 */
export function compileLibrary(root: string, library: string): string {
  const configFile = resolve(root, "tstl.json");
  const entry = `functions/${library}/library.ts`;
  const parsed = tstl.parseConfigFileWithSystem(configFile, {
    luaBundle: `${library}.lua`,
    luaBundleEntry: entry,
    luaLibImport: tstl.LuaLibImportKind.RequireMinimal,
  });
  const ambient = parsed.fileNames.filter((file) => file.endsWith(".d.ts"));
  const program = ts.createProgram({
    rootNames: [resolve(root, entry), ...ambient],
    options: parsed.options,
  });
  let code: string | undefined;
  const { diagnostics } = new tstl.Transpiler().emit({
    program,
    plugins: [hotpathPlugin],
    writeFile: (_, text) => (code = text),
  });
  const problems = [...parsed.errors, ...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (problems.length > 0 || code === undefined) {
    const host: ts.FormatDiagnosticsHost = {
      getCanonicalFileName: (path) => path,
      getCurrentDirectory: () => root,
      getNewLine: () => "\n",
    };
    throw new Error(`${library} does not compile:\n${ts.formatDiagnostics(problems, host)}`);
  }
  return code;
}
