/** What the generators of clients have in common: names, and which schemas are taken and which are answered. */
import type { Schema, Schemas } from "../../../functions/runtime/schema";
import type { Manifest, ManifestFunction, ManifestReply } from "../manifest-schema";

export const schemasOf = ({ schemas }: Manifest): Schemas => schemas;
export const functionsOf = ({ libraries }: Manifest): ManifestFunction[] => libraries.flatMap((each) => each.functions);
export const nameOf = ({ $ref }: Schema): string => $ref!.replace("#/schemas/", "");

/** Whether the pages of a function are told from what they hold: a list is what it holds. */
export const holdsItems = ({ paging, reply }: ManifestFunction): boolean =>
  (paging?.kind === "cursor" || paging?.kind === "offset") && reply.kind !== "list";

/** A field of many, as the name of one: `errors` as `error`. */
export const singular = (name: string): string => name.replace(/ies$/, "y").replace(/s$/, "");

/** Schemas that a schema refers to, itself included, each before those that refer to it. */
export function closure(schemas: Schemas, names: Iterable<string>): string[] {
  const found = new Set<string>();
  const visit = (schema: Schema): void => {
    if (schema.$ref !== undefined) return add(nameOf(schema));
    for (const each of schema.anyOf ?? []) visit(each);
    for (const each of Object.values(schema.properties ?? {})) visit(each);
    if (schema.items) visit(schema.items);
    if (typeof schema.additionalProperties === "object") visit(schema.additionalProperties);
  };
  const add = (name: string): void => {
    if (found.has(name)) return;
    visit(schemas[name]!);
    found.add(name);
  };
  for (const name of names) add(name);
  return [...found];
}

function* repliedSchemas({ schema, of, items }: ManifestReply): Generator<string> {
  if (schema !== undefined) yield schema;
  if (of) yield* repliedSchemas(of);
  for (const item of items ?? []) yield* repliedSchemas(item.type);
}

/** Schemas of arguments. */
export function takenSchemas(manifest: Manifest): string[] {
  const named = functionsOf(manifest).flatMap(({ positional, options, rest }) =>
    [...positional, ...options, ...(rest ? [rest] : [])].map(({ schema }) => schema),
  );
  return closure(
    schemasOf(manifest),
    named.filter((name) => name !== undefined),
  );
}

/** Schemas of replies alone. */
export function answeredSchemas(manifest: Manifest): string[] {
  const taken = new Set(takenSchemas(manifest));
  const named = functionsOf(manifest).flatMap(({ reply }) => [...repliedSchemas(reply)]);
  return closure(schemasOf(manifest), named).filter((name) => !taken.has(name));
}

/** Whether a schema is an object of which not enough is known to give it a type of its own. */
export const isLoose = ({ properties, required = [], additionalProperties }: Schema): boolean =>
  properties !== undefined && additionalProperties === true && Object.keys(properties).length === required.length;

/** Lines of at most so many characters. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
