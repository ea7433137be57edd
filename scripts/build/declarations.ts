/** Declarations that would make a poor function or a poor reference do not build. */
import type { Declaration, ReplyField, ReplyType } from "../../functions/runtime/declare";

function* fields(type: ReplyType): Generator<ReplyField> {
  for (const item of type.items ?? []) {
    yield item;
    yield* fields(item.type);
  }
  if (type.of) yield* fields(type.of);
}

function problemsOf(declaration: Declaration): string[] {
  const problems: string[] = [];
  const documented = [
    ...declaration.positional,
    ...declaration.options,
    ...(declaration.rest ? [declaration.rest] : []),
    ...fields(declaration.reply),
    ...(declaration.keysForm ? [...declaration.keysForm.keys, ...fields(declaration.keysForm.reply)] : []),
  ];
  if (!/^[a-z][a-z_]*$/.test(declaration.name)) problems.push("name is not lower case with underscores");
  if (declaration.summary.trim() === "") problems.push("summary is missing");
  if (!declaration.role) problems.push("role is missing");
  if (declaration.keysForm && declaration.keysForm.keys.length < 2)
    problems.push("a form with keys needs two, or they would be taken for a routing key");
  if (declaration.errors.length === 0) problems.push("errors are missing; every function can answer BADARG");
  for (const each of documented) {
    if (each.doc.trim() === "") problems.push(`${each.name} has no doc`);
  }
  for (const option of declaration.options) {
    if (option.name !== option.name.toUpperCase()) problems.push(`option ${option.name} is not upper case`);
  }
  return problems;
}

/**
 * @throws Error naming each function with what its declaration lacks, and names declared twice (function names are
 *   global to a server)
 */
export function checkDeclarations(libraries: ReadonlyMap<string, readonly Declaration[]>): void {
  const all = [...libraries.values()].flat();
  const problems = all.flatMap((each) => problemsOf(each).map((problem) => `${each.name}: ${problem}`));
  const seen = new Set<string>();
  for (const { name } of all) {
    if (seen.has(name)) problems.push(`${name}: declared twice`);
    seen.add(name);
  }
  if (problems.length > 0) throw new Error(`Declarations:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
}
