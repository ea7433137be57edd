/** Declarations that would make a poor function or a poor reference do not build. */
import type { Declaration, Meaning, ReplyField, ReplyType } from "../../functions/runtime/declare";
import type { Schema, Schemas } from "../../functions/runtime/schema";

function* fields(type: ReplyType): Generator<ReplyField> {
  for (const item of type.items ?? []) {
    yield item;
    yield* fields(item.type);
  }
  if (type.of) yield* fields(type.of);
}

/** Whether a reply has a value that no field tells of. */
function isUntold({ kind, of, items }: ReplyType): boolean {
  return of ? isUntold(of) : items === undefined || kind === "bytes";
}

/** What generated clients would not know. */
function untold(declaration: Declaration, schemas: Schemas): string[] {
  const { positional, options, rest, reply, answer, flags, role, repeat, paging, excludes = [], causes } = declaration;
  const problems: string[] = [];
  const texts: [string, Meaning][] = [
    ...[...positional, ...options]
      .filter(({ type }) => type.kind === "json")
      .map((each) => [each.name, each] as [string, Meaning]),
    ...(rest ? [[rest.name, rest] as [string, Meaning]] : []),
    ...[...fields(reply)]
      .filter(({ type }) => type.kind === "json")
      .map((each) => [each.name, each] as [string, Meaning]),
  ];
  for (const [name, { schema }] of texts) if (schema === undefined) problems.push(`${name} is JSON without a schema`);
  if (isUntold(reply) && !answer) problems.push("answer is missing: nothing says what the reply means");
  if (answersJson(reply) && answer?.schema === undefined) problems.push("its answer is JSON without a schema");
  const isReader = flags.includes("no-writes") || role === "reader";
  if (isReader === (repeat !== undefined))
    problems.push(isReader ? "repeat is said, and it reads" : "repeat is missing");
  const named = new Set(options.map(({ name }) => name));
  for (const each of excludes.flat()) if (!named.has(each)) problems.push(`excludes names ${each}, which is no option`);
  for (const code of Object.keys(causes ?? {})) {
    if (!declaration.errors.some((each) => each === code))
      problems.push(`causes names ${code}, which is no error of it`);
  }
  if (paging === "cursor" && !named.has("CURSOR")) problems.push("paging by a cursor needs CURSOR");
  if (paging === "offset" && !(named.has("OFFSET") && named.has("COUNT")))
    problems.push("paging needs OFFSET and COUNT");
  for (const { schema } of [
    ...positional,
    ...options,
    ...fields(reply),
    ...(rest ? [rest] : []),
    ...(answer ? [answer] : []),
  ]) {
    if (schema !== undefined && !(schema in schemas)) problems.push(`there is no schema ${schema}`);
  }
  return problems;
}

function answersJson({ kind, of }: ReplyType): boolean {
  return kind === "json" || (of !== undefined && answersJson(of));
}

/** References of a schema to others that are not there. */
function* danglingIn(schema: Schema, schemas: Schemas): Generator<string> {
  if (schema.$ref !== undefined && !(schema.$ref.replace("#/schemas/", "") in schemas)) yield schema.$ref;
  const { anyOf = [], items, properties = {}, additionalProperties: more } = schema;
  const inner = [...anyOf, ...(items ? [items] : []), ...Object.values(properties)];
  for (const each of typeof more === "object" ? [...inner, more] : inner) yield* danglingIn(each, schemas);
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
export function checkDeclarations(libraries: ReadonlyMap<string, readonly Declaration[]>, schemas: Schemas): void {
  const all = [...libraries.values()].flat();
  const problems = all.flatMap((each) =>
    [...problemsOf(each), ...untold(each, schemas)].map((problem) => `${each.name}: ${problem}`),
  );
  for (const [name, schema] of Object.entries(schemas)) {
    for (const missing of danglingIn(schema, schemas))
      problems.push(`schema ${name} refers to ${missing}, which is not there`);
  }
  const seen = new Set<string>();
  for (const { name } of all) {
    if (seen.has(name)) problems.push(`${name}: declared twice`);
    seen.add(name);
  }
  if (problems.length > 0) throw new Error(`Declarations:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
}
