/**
 * How a function is declared: once, next to its code. From the declaration come the registration in Redis, the checks of
 * arguments, the typed client, the manifest and the reference.
 *
 * The build evaluates declarations in Node and compiles them to Lua. What only readers and generated clients need is left out
 * of the Lua: `doc` and all of `Meaning`, and the properties of `Told` with summary, role, flags and errors, but for one that says
 * that the function does not write.
 */
import type { ErrorCode } from "./errors";
import { KEEP_MS, MAX_KEEP_MS, MAX_TEXT_BYTES, MIN_KEEP_MS } from "./kept";

/** What a value on the wire is; `T` is its type once bound. */
export interface ArgumentType<T> {
  kind: "text" | "bytes" | "integer" | "time" | "choice" | "id" | "json" | "pair";
  /** Bytes for text and bytes, value for integers; both included. */
  min?: number;
  max?: number;
  values?: readonly string[];
  /** The two values of a pair. */
  parts?: readonly Part[];
  /** Carries `T` for the compiler; never set. */
  typed?: T;
}

/** One value of an option that takes two. */
export interface Part {
  /** As it is shown: `VISITED from to`. */
  name: string;
  type: ArgumentType<unknown>;
}

/** Text of `min` to `max` bytes. */
export function text(min: number, max: number): ArgumentType<string> {
  return { kind: "text", min, max };
}

/** Any bytes, `min` to `max` of them: what is no text, and must not be decoded on the way. */
export function bytes(min: number, max: number): ArgumentType<string> {
  return { kind: "bytes", min, max };
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): ArgumentType<number> {
  return { kind: "integer", min, max };
}

/** One of the words, in any case; bound in the spelling given here. */
export function choice<const V extends readonly string[]>(values: V): ArgumentType<V[number]> {
  return { kind: "choice", values };
}

/** The year 5138 in unix milliseconds: far off, and still exact in every number Lua prints. */
export const MAX_TIME_MS = 99999999999999;

/** A unix time in milliseconds. */
export const unixMs: ArgumentType<number> = { kind: "time", min: 0, max: MAX_TIME_MS };

/** A record's id: 40 lower-case hex digits. */
export const recordId: ArgumentType<string> = { kind: "id" };

/** A JSON object, kept as text, of at most `max` bytes. */
export function json(max: number): ArgumentType<string> {
  return { kind: "json", min: 2, max };
}

/** Two values after one keyword, for options only; bound as an array. */
export function pair<A, B>(
  first: { name: string; type: ArgumentType<A> },
  second: { name: string; type: ArgumentType<B> },
): ArgumentType<[A, B]> {
  return { kind: "pair", parts: [first, second] };
}

/** In what a number or a text of digits is counted: a length of time in ms, or a point in time. */
export type Unit = "ms" | "unix_ms" | "unix_ns" | "days" | "bytes" | "s";

/** What a value means, for readers and for generated clients; the functions themselves do not look at it. */
export interface Meaning {
  doc: string;
  unit?: Unit;
  /** An integer that is 0 for no and 1 for yes. */
  flag?: true;
  /** Of a JSON text: the name of its schema, in `schemas.ts` of its library. */
  schema?: string;
  /** All words that a text reply may be. */
  words?: readonly string[];
  /** A reply that is always the same, and says nothing but that the call was carried out. */
  always?: 1;
}

export interface Parameter extends Meaning {
  /** Lower case for a positional argument, upper case for a keyword. */
  name: string;
  type: ArgumentType<unknown>;
}

export interface Option extends Parameter {
  required?: boolean;
  default?: number | string;
}

/** JSON objects after the positional arguments: options follow the last argument that starts with a brace. */
export interface Rest extends Meaning {
  name: string;
  max: number;
  /** There may be none. */
  optional?: boolean;
}

/** What a reply holds. A record is a flat array of field, value, field, value. */
export interface ReplyType {
  kind: "integer" | "text" | "bytes" | "json" | "nullable" | "list" | "tuple" | "record";
  /** What is nullable, what a list holds, or what comes after the places of a tuple. */
  of?: ReplyType | undefined;
  items?: readonly ReplyField[];
  doc?: string;
}

export interface ReplyField extends Meaning {
  name: string;
  type: ReplyType;
}

export const integerReply: ReplyType = { kind: "integer" };
export const textReply: ReplyType = { kind: "text" };
export const bytesReply: ReplyType = { kind: "bytes" };
export const jsonReply: ReplyType = { kind: "json" };

/** `of`, or nil where there is nothing. */
export function nullable(of: ReplyType): ReplyType {
  return { kind: "nullable", of };
}

/** An array of any length. */
export function list(of: ReplyType): ReplyType {
  return { kind: "list", of };
}

/** An array with one value a place; with `rest`, any number of those after them. */
export function tuple(items: readonly ReplyField[], rest?: ReplyType): ReplyType {
  return { kind: "tuple", items, of: rest };
}

/** A flat array of field, value, field, value, in this order. */
export function record(items: readonly ReplyField[]): ReplyType {
  return { kind: "record", items };
}

/**
 * Who may call it: `ingest` writes events, `worker` claims and finishes, `scheduler` rotates and ingests streams,
 * `reader` changes no data, `admin` configures.
 */
export const ROLES = ["ingest", "worker", "scheduler", "reader", "admin"] as const;
export type Role = (typeof ROLES)[number];

/**
 * A second form of a function, for clients that once called a script: everything that names something is passed as a key,
 * so many that it cannot be taken for a routing key. Neither its keys nor its arguments are bound: its code reads them.
 */
export interface KeysForm {
  /** Two or more. */
  keys: readonly { name: string; doc: string }[];
  rest?: { name: string; doc: string };
  reply: ReplyType;
  doc: string;
}

/**
 * What a call does that is made a second time, word for word, because the reply to the first one was lost:
 *
 * - `reads`: it changes nothing, the first time or later;
 * - `same`: its work is done once, and the answer says the same;
 * - `next`: it does the next piece of the work, which is harmless: counts of what was done are those of this call;
 * - `takes`: it takes something else; what the first one took comes back when its lease ends;
 * - `differs`: its work is done once, but the answer is another one, NOTFOUND or CONFLICT perhaps: it does not say that the first
 *   call was carried out;
 * - `again`: it is done again, and counts twice.
 */
export type Repeat = "reads" | "same" | "next" | "takes" | "differs" | "again";

/** How to get the rest, where one reply does not hold all. */
export type Paging =
  /** The same call again, as long as the field `remaining` is 1. */
  | "remaining"
  /** The same call with CURSOR from the last reply, until it is `0`. */
  | "cursor"
  /** OFFSET and COUNT. */
  | "offset";

/** What a declaration says to readers and to generated clients alone. */
interface Told {
  /** What a reply of one value means, or one that ends in any number of JSON texts: what those are. */
  answer?: Meaning;
  /** Left out where the function has the flag `no-writes`, which reads. */
  repeat?: Repeat;
  paging?: Paging;
  /** Options of which a call takes one at most. */
  excludes?: readonly (readonly string[])[];
  /** What an error means here, where that is more than it means everywhere. */
  causes?: Partial<Record<ErrorCode, string>>;
}

export interface Declaration extends Told {
  name: string;
  /** One line, shown by FUNCTION LIST. */
  summary: string;
  /** The rest of what a caller must know. */
  doc?: string;
  role: Role;
  /** Flags of FUNCTION LOAD; `no-writes` makes it callable with FCALL_RO. */
  flags: readonly ("no-writes" | "allow-stale" | "allow-oom")[];
  positional: readonly Parameter[];
  rest?: Rest;
  options: readonly Option[];
  keysForm?: KeysForm;
  reply: ReplyType;
  errors: readonly ErrorCode[];
}

type Bound<P extends Parameter> = P["type"] extends ArgumentType<infer T> ? T : never;

type BoundOption<O extends Option> = O extends { required: true } | { default: number | string }
  ? Bound<O>
  : Bound<O> | undefined;

/** What a handler gets: positional arguments and options by name, in lower case. */
export type Arguments<D extends Declaration> = {
  [P in D["positional"][number] as P["name"]]: Bound<P>;
} & {
  [O in D["options"][number] as Lowercase<O["name"]>]: BoundOption<O>;
} & (D["rest"] extends Rest ? { rest: string[] } : unknown);

/** A record is answered as an object by its handler; everything else as it goes on the wire. */
type Handler<D extends Declaration> = (this: void, args: Arguments<D>) => unknown;

/** The code of a second form; see `KeysForm`. */
type KeysHandler = (this: void, keys: string[], args: string[]) => unknown;

export interface Command {
  declaration: Declaration;
  run: (this: void, args: never) => unknown;
  runKeys?: KeysHandler | undefined;
}

/** Ties a declaration to its code. */
export function command<const D extends Declaration>(declaration: D, run: Handler<D>, runKeys?: KeysHandler): Command {
  return { declaration, run, runKeys };
}

/** The clock of the call, for every function whose result depends on it. */
export const NOW = {
  name: "NOW",
  type: unixMs,
  doc: "clock of the call instead of the server's",
} as const satisfies Option;

/** How a repeated call is known; see once.ts. Every function that writes takes it. */
const ONCE_OPTIONS: readonly Option[] = [
  {
    name: "ONCE",
    type: text(1, MAX_TEXT_BYTES),
    doc: "names this call: a repeat of it is answered as it was, and does nothing",
  },
  {
    name: "ONCE_FOR",
    type: integer(MIN_KEEP_MS, MAX_KEEP_MS),
    unit: "ms",
    doc: `how long the reply is kept for repeats, ms (default ${KEEP_MS})`,
  },
];

const NO_OPTIONS: readonly Option[] = [];

/**
 * Whether a function writes, so that a repeated call has to be known. In the server one proof that it does not is left in its
 * declaration, and `flags` only as that.
 */
export function takesOnce({ role, flags }: Declaration): boolean {
  return role !== "reader" && (flags as typeof flags | undefined)?.[0] !== "no-writes";
}

/** The options that a function takes beside those that it declares. */
export function sharedOptions(declaration: Declaration): readonly Option[] {
  return takesOnce(declaration) ? ONCE_OPTIONS : NO_OPTIONS;
}
