/** Binds the arguments of a call to its declaration: every check happens here, before anything is written. */
import { sharedOptions, type ArgumentType, type Declaration, type Option, type Part, type Rest } from "./declare";
import { fail, quote } from "./errors";

/** Whole numbers are exact in a double up to 15 digits. */
const MAX_DIGITS = 15;

function describe(expected: ArgumentType<unknown>): string {
  switch (expected.kind) {
    case "text":
      return `text of ${expected.min} to ${expected.max} bytes`;
    case "bytes":
      return `${expected.min} to ${expected.max} bytes`;
    case "integer":
      return `an integer from ${expected.min} to ${expected.max}`;
    case "time":
      return "a unix time in milliseconds";
    case "choice":
      return `one of ${expected.values!.join(", ")}`;
    case "id":
      return "an id of 40 hex digits";
    default:
      return `a JSON object of at most ${expected.max} bytes`;
  }
}

function parseInteger(value: string, min: number, max: number): number | undefined {
  const [whole] = string.find(value, "^%-?%d+$");
  if (whole === undefined || value.length > MAX_DIGITS) return undefined;
  const parsed = tonumber(value)!;
  return parsed >= min && parsed <= max ? parsed : undefined;
}

function parseChoice(value: string, values: readonly string[]): string | undefined {
  for (const candidate of values) {
    if (candidate === value) return candidate;
  }
  const wanted = string.upper(value);
  for (const candidate of values) {
    if (string.upper(candidate) === wanted) return candidate;
  }
  return undefined;
}

function parseId(value: string): string | undefined {
  const [hex] = string.match(value, "^%x+$");
  return hex !== undefined && hex.length === 40 ? string.lower(hex) : undefined;
}

function parseJson(value: string, max: number): string | undefined {
  const [brace] = string.find(value, "^%s*{");
  return brace !== undefined && value.length <= max ? value : undefined;
}

/** The value as it is bound; undefined if it is none of its kind. */
type Parser = (this: void, value: string, expected: ArgumentType<unknown>) => unknown;

const parseLength: Parser = (value, { min, max }) => (value.length >= min! && value.length <= max! ? value : undefined);

const parseNumber: Parser = (value, { min, max }) => parseInteger(value, min!, max!);

/** By kind: a table is one look-up, where a switch compares with one kind after the other. */
const PARSERS: Record<string, Parser> = {
  integer: parseNumber,
  time: parseNumber,
  choice: (value, { values }) => parseChoice(value, values!),
  id: parseId,
  json: (value, { max }) => parseJson(value, max!),
  text: parseLength,
  bytes: parseLength,
};

function bindValue(name: string, value: string, expected: ArgumentType<unknown>): unknown {
  const parsed = PARSERS[expected.kind]!(value, expected);
  if (parsed === undefined) fail("BADARG", `${name} must be ${describe(expected)}, got ${quote(value)}`);
  return parsed;
}

function placeholder(option: Option): string {
  switch (option.type.kind) {
    case "choice":
      return option.type.values!.join("|");
    case "time":
      return "ms";
    case "integer":
      return "n";
    case "pair":
      return `${option.type.parts![0]!.name} ${option.type.parts![1]!.name}`;
    default:
      return option.type.kind;
  }
}

function restUsage({ name, optional }: Rest): string {
  return optional === true ? `[${name} ...]` : `${name} [${name} ...]`;
}

/** How the function is called, as it is shown in errors: `count_pg dimension id FROM ms TO ms [NOW ms]`. */
function usage(declaration: Declaration): string {
  const words = [declaration.name];
  for (const parameter of declaration.positional) words.push(parameter.name);
  if (declaration.rest !== undefined) words.push(restUsage(declaration.rest));
  for (const options of [declaration.options, sharedOptions(declaration)]) {
    for (const option of options) {
      const shown = `${option.name} ${placeholder(option)}`;
      words.push(option.required === true ? shown : `[${shown}]`);
    }
  }
  return words.join(" ");
}

/** An option with the name under which it is bound. */
interface Keyword {
  option: Option;
  field: string;
}

/** A declaration made ready once, so that a call only looks up. */
export interface Binder {
  declaration: Declaration;
  keywords: LuaMap<string, Keyword>;
  /** Options that are required or have a default. */
  assured: Keyword[];
  /** Whether a call may be JSON objects and nothing else. */
  takesOnlyRest: boolean;
}

/** Makes a declaration ready for `bind`. */
export function newBinder(declaration: Declaration): Binder {
  const binder: Binder = { declaration, keywords: new LuaMap(), assured: [], takesOnlyRest: false };
  for (const options of [declaration.options, sharedOptions(declaration)]) {
    for (const option of options) {
      const keyword = { option, field: string.lower(option.name) };
      binder.keywords.set(option.name, keyword);
      if (option.required === true || option.default !== undefined) binder.assured.push(keyword);
    }
  }
  binder.takesOnlyRest =
    declaration.rest !== undefined && declaration.positional.length === 0 && binder.assured.length === 0;
  return binder;
}

const BRACE = 123;

/** Where the JSON objects end: the last argument after the first `from` that starts with a brace. */
function restEnd(args: string[], from: number): number {
  for (const position of $range(args.length, from + 1, -1)) {
    if (string.byte(args[position - 1]!) === BRACE) return position;
  }
  return from;
}

/** Binds the JSON objects that begin at `from`; where the options begin. */
function bindRest(
  rest: Rest,
  declaration: Declaration,
  args: string[],
  from: number,
  bound: Record<string, unknown>,
): number {
  const end = restEnd(args, from);
  const count = end - from;
  if (count === 0 && rest.optional !== true) {
    const first = args[from];
    const got = first === undefined ? "nothing" : quote(first);
    fail("BADARG", `${rest.name} must be a JSON object, got ${got}; usage: ${usage(declaration)}`);
  }
  if (count > rest.max) fail("LIMIT", `at most ${rest.max} of ${rest.name} a call, got ${count}`);
  const values: string[] = [];
  for (const position of $range(1, count)) values[position - 1] = args[from + position - 1]!;
  bound["rest"] = values;
  return end;
}

function bindPart(option: string, { name, type: expected }: Part, value: string | undefined): unknown {
  if (value === undefined) fail("BADARG", `${option} has no value for ${name}; it must be ${describe(expected)}`);
  return bindValue(`${option} ${name}`, value, expected);
}

/** The value of an option, or its two; `at` is where they begin. */
function bindOption({ name, type: expected }: Option, args: string[], at: number): unknown {
  const { parts } = expected;
  if (parts !== undefined) return [bindPart(name, parts[0]!, args[at]), bindPart(name, parts[1]!, args[at + 1])];
  const value = args[at];
  if (value === undefined) fail("BADARG", `${name} has no value; it must be ${describe(expected)}`);
  return bindValue(name, value, expected);
}

function bindOptions(binder: Binder, args: string[], from: number, bound: Record<string, unknown>): void {
  let at = from;
  while (at < args.length) {
    const name = args[at]!;
    const keyword = binder.keywords.get(name) ?? binder.keywords.get(string.upper(name));
    if (keyword === undefined) {
      fail("BADARG", `unknown option ${quote(name)}; usage: ${usage(binder.declaration)}`);
    }
    const { option, field } = keyword;
    if (bound[field] !== undefined) fail("BADARG", `${option.name} is given twice`);
    bound[field] = bindOption(option, args, at + 1);
    at += option.type.parts === undefined ? 2 : 3;
  }
  const { assured } = binder;
  for (const position of $range(1, assured.length)) {
    const { option, field } = assured[position - 1]!;
    if (bound[field] === undefined) {
      if (option.required === true) fail("BADARG", `${option.name} is missing; usage: ${usage(binder.declaration)}`);
      bound[field] = option.default;
    }
  }
}

/**
 * Converts the arguments of a call by its declaration.
 *
 * Errors: BADARG names the argument and the offending value; LIMIT where there are too many of a list.
 */
export function bind(binder: Binder, args: string[]): Record<string, unknown> {
  const { declaration } = binder;
  const { positional, rest } = declaration;
  if (binder.takesOnlyRest) {
    const last = args[args.length - 1];
    // All are JSON objects, as in most calls of such a function.
    if (last !== undefined && string.byte(last) === BRACE && args.length <= rest!.max) return { rest: args };
  }
  const bound: Record<string, unknown> = {};
  let at = positional.length;
  for (const position of $range(1, at)) {
    const { name, type: expected } = positional[position - 1]!;
    const value = args[position - 1];
    if (value === undefined) fail("BADARG", `${name} is missing; usage: ${usage(declaration)}`);
    bound[name] = bindValue(name, value, expected);
  }
  if (rest !== undefined) at = bindRest(rest, declaration, args, at, bound);
  if (at < args.length || binder.assured.length > 0) bindOptions(binder, args, at, bound);
  return bound;
}
