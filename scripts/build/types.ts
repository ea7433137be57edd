/** Types of the package: the declarations of `host/index.ts` and of every file that they name. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/**
 * Makes the declarations, one file for each source, which is enough for `export`ed things with written types (as the linter
 * asks for), and takes no look at dependencies.
 *
 * @param entry path of the first source
 * @returns text by path: that of the source, with `.d.ts` at its end
 * @throws Error naming what has no written type, and packages that a user of this one would need as well
 */
export function declareTypes(entry: string): Map<string, string> {
  const declarations = new Map<string, string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const target = path.replace(/\.ts$/, ".d.ts");
    if (declarations.has(target)) continue;
    const text = declarationOf(path);
    const imports = ts.preProcessFile(text).importedFiles;
    const foreign = imports.filter(({ fileName }) => !/^(\.|node:)/.test(fileName));
    if (foreign.length > 0)
      throw new Error(`The types of ${path} need ${foreign.map(({ fileName }) => fileName).join(", ")}`);
    const own = imports.filter(({ fileName }) => fileName.startsWith("."));
    waiting.push(...own.map(({ fileName }) => join(dirname(path), `${fileName}.ts`)));
    declarations.set(target, withExtensions(text, own));
  }
  return declarations;
}

function declarationOf(path: string): string {
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(readFileSync(path, "utf8"), {
    fileName: path,
    reportDiagnostics: true,
    compilerOptions: { declaration: true, isolatedDeclarations: true, strict: true, target: ts.ScriptTarget.ES2023 },
  });
  const problems = diagnostics.map(({ messageText }) => `  ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
  if (problems.length > 0) throw new Error(`Types of ${path}:\n${problems.join("\n")}`);
  return outputText;
}

/** Node finds no file without its extension, and so TypeScript does not either where it resolves as Node does. */
function withExtensions(text: string, imports: readonly ts.FileReference[]): string {
  const fromTheEnd = [...imports].sort((a, b) => b.pos - a.pos);
  return fromTheEnd.reduce((whole, { fileName, pos }) => {
    const end = whole.indexOf(fileName, pos) + fileName.length;
    return `${whole.slice(0, end)}.js${whole.slice(end)}`;
  }, text);
}
