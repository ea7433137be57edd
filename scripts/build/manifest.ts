/**
 * The manifest: all that a generator of clients needs to know, from the declarations. Its own form is in manifest-schema.ts.
 */
import {
  sharedOptions,
  type ArgumentType,
  type Declaration,
  type Meaning,
  type Option,
  type Repeat,
  type ReplyType,
} from "../../functions/runtime/declare";
import type { ErrorCode } from "../../functions/runtime/errors";
import type { Schemas } from "../../functions/runtime/schema";
import type {
  Manifest,
  ManifestArgument,
  ManifestFunction,
  ManifestLibrary,
  ManifestReply,
  ManifestType,
} from "./manifest-schema";

/** Counts up when a generator that knew the form before would go wrong. */
export const FORMAT = 1;

/** What each code means wherever it is answered, and whether the same call may be made again. */
export const ERRORS: Record<ErrorCode, { meaning: string; retry: "never" | "later" | "now" }> = {
  BADARG: { meaning: "an argument is missing, unknown, given twice or malformed; nothing was done", retry: "never" },
  BADEVENT: { meaning: "an event of a batch is refused, and the others count; one of `eventReasons`", retry: "never" },
  BADCONFIG: { meaning: "a setting contradicts itself or another one; nothing was done", retry: "never" },
  NOTFOUND: { meaning: "what the call names is not there; nothing was done", retry: "never" },
  CONFLICT: { meaning: "a key holds a type that is not the library's, and is named; nothing was done", retry: "never" },
  LIMIT: { meaning: "the call asks for more than a call may do; nothing was done", retry: "never" },
  TRYAGAIN: { meaning: "the slot of the routing key is being moved; nothing was done", retry: "now" },
};

/** Limits that only time, or another call, takes away. */
const RETRIED_LATER: readonly [functionName: string, code: ErrorCode][] = [
  ["import_events", "LIMIT"],
  ["rank_pg", "LIMIT"],
];

export const REPEATS: Record<Repeat, string> = {
  reads: "It changes nothing, the first time or later.",
  same: "Its work is done once, and the answer says the same.",
  next: "It does the next piece of the work, which is harmless: counts of what was done are those of this call.",
  takes: "It takes something else; what the first call took comes back when its lease ends.",
  differs:
    "Nothing more is changed, but the answer is another one: it does not say that the first call was carried out.",
  again: "It is done again, and counts twice.",
};

export const PAGINGS = {
  remaining: "The same call again, as long as the field `remaining` is 1.",
  cursor: "The same call with CURSOR from the last reply, until that is `0`.",
  offset: "The same call with OFFSET moved on by how many were answered, until fewer than COUNT are.",
};

const UNITS = {
  ms: "milliseconds",
  s: "seconds",
  unix_ms: "milliseconds since 1970, UTC",
  unix_ns: "nanoseconds since 1970, UTC, as decimal text: they do not fit into a double",
  days: "days",
  bytes: "bytes",
};

/** What a call is made of, the same for all functions. */
const CALLS = {
  routingKey: {
    form: "{partition}",
    maxBytes: 128,
    meaning:
      "One optional key. Its hash tag sends the call to the right shard of a cluster, and is written into the names of all keys " +
      "of the call; the key itself is never read or written. Without a cluster pass no key.",
  },
  order: "positional arguments, then `rest`, then options as KEYWORD value, in any order and case",
  records: "a flat array of field, value, field, value; read by name, because newer libraries may have more fields",
  missing: "nil",
};

/** Options of a function, those that all of its kind take included. */
export function optionsOf(declaration: Declaration): readonly Option[] {
  return [...declaration.options, ...sharedOptions(declaration)];
}

function meaningOf({ unit, flag, schema, words, always }: Meaning): Omit<Meaning, "doc"> {
  return {
    ...(unit !== undefined && { unit }),
    ...(flag !== undefined && { flag }),
    ...(schema !== undefined && { schema }),
    ...(words !== undefined && { words }),
    ...(always !== undefined && { always }),
  };
}

function argumentType({ kind, min, max, values, parts }: ArgumentType<unknown>): ManifestType {
  return {
    kind,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(values !== undefined && { values: [...values] }),
    ...(parts !== undefined && { parts: parts.map((part) => ({ name: part.name, type: argumentType(part.type) })) }),
  };
}

/** The unit of a time is in its type already. */
function argument(given: { name: string; type: ArgumentType<unknown> } & Meaning): ManifestArgument {
  return {
    name: given.name,
    type: argumentType(given.type),
    ...(given.type.kind === "time" && { unit: "unix_ms" as const }),
    ...meaningOf(given),
    doc: given.doc,
  };
}

/**
 * A reply. What a declaration says of its answer holds for the one value in it that no field tells of: of the whole, or of
 * those that a list or the end of a tuple is made of.
 */
function reply(type: ReplyType, meaning: Omit<Meaning, "doc"> = {}): ManifestReply {
  const inner = type.of === undefined ? undefined : reply(type.of, meaning);
  return {
    kind: type.kind,
    ...(inner && { of: inner }),
    ...(type.items && {
      items: type.items.map((item) => ({ name: item.name, type: reply(item.type, meaningOf(item)), doc: item.doc })),
    }),
    ...(!inner && !type.items && meaning),
  };
}

function functionOf(declaration: Declaration, rights: ManifestFunction["rights"]): ManifestFunction {
  const { name, summary, doc, role, flags, positional, rest, keysForm, answer, paging, excludes, causes } = declaration;
  const repeat: Repeat = flags.includes("no-writes") || role === "reader" ? "reads" : declaration.repeat!;
  return {
    name,
    summary,
    ...(doc !== undefined && { doc }),
    role,
    flags: [...flags],
    readOnly: flags.includes("no-writes"),
    positional: positional.map(argument),
    ...(rest && {
      rest: {
        name: rest.name,
        type: { kind: "json" as const },
        min: rest.optional ? 0 : 1,
        max: rest.max,
        ...meaningOf(rest),
        doc: rest.doc,
      },
    }),
    options: optionsOf(declaration).map((each) => ({
      ...argument(each),
      required: each.required ?? false,
      ...(each.default !== undefined && { default: each.default }),
    })),
    excludes: (excludes ?? []).map((each) => [...each]),
    reply: { ...reply(declaration.reply, answer && meaningOf(answer)), ...(answer && { doc: answer.doc }) },
    ...(keysForm && {
      keysForm: {
        doc: keysForm.doc,
        keys: keysForm.keys.map((each) => ({ ...each })),
        ...(keysForm.rest && { rest: { ...keysForm.rest } }),
        reply: reply(keysForm.reply),
      },
    }),
    errors: declaration.errors.map((code) => ({
      code,
      meaning: causes?.[code] ?? ERRORS[code].meaning,
      retry: RETRIED_LATER.some(([each, limit]) => each === name && limit === code) ? "later" : ERRORS[code].retry,
    })),
    repeat: { kind: repeat, meaning: REPEATS[repeat] },
    paging: paging ? { kind: paging, meaning: PAGINGS[paging] } : null,
    rights,
  };
}

/** A library as it was built, with its declarations and what their code was found to need. */
export interface BuiltLibrary extends Omit<ManifestLibrary, "functions"> {
  declarations: readonly Declaration[];
  rights: readonly ManifestFunction["rights"][];
}

/** The manifest of all libraries. */
export function makeManifest(
  version: string,
  libraries: readonly BuiltLibrary[],
  schemas: Schemas,
  eventReasons: Readonly<Record<string, string>>,
): Manifest {
  return {
    $schema: "./manifest.schema.json",
    format: FORMAT,
    version,
    calls: CALLS,
    units: UNITS,
    errors: Object.entries(ERRORS).map(([code, each]) => ({ code: code as ErrorCode, ...each })),
    eventReasons: Object.entries(eventReasons).map(([reason, meaning]) => ({ reason, meaning })),
    schemas: schemas as Manifest["schemas"],
    libraries: libraries.map(({ declarations, rights, ...library }) => ({
      ...library,
      functions: declarations.map((declaration, at) => functionOf(declaration, rights[at]!)),
    })),
  };
}
