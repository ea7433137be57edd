/**
 * Plans as text. A plan of 8,000 paths is half a megabyte: it is spliced, never decoded, where only its size, its time or the end
 * of its paths change, and what stays keeps the form in which it came, because clients end a plan by its exact text.
 *
 * The form spliced here is that of cjson, keys in any order: no white space. Inside a string every quote stands after a
 * backslash, so `"size":` is that key wherever it is found, and a path, which ends in `.parquet`, ends at the first quote after
 * that; a `]` behind it ends the list. Text in another form is decoded and encoded once. Calls nothing of Redis.
 */

const SIZE = '"size":';
const TIME = '"time_s":';
const TIMED = '"time_s":%-?[%d.eE+-]+';
const PATHS = '"paths":["';
const LAST_PATH = '.parquet"]';

/** How 17 digits print a number: bytes and seconds stay whole. Whole ones, as nearly all are, print faster by themselves. */
function digits(value: number): string {
  if (value % 1 === 0 && value < 1e15 && value >= 0) return string.format("%d", value);
  return string.format("%.17g", value);
}

/** Paths as they stand in a plan, between the brackets. */
function encoded(paths: string[]): string {
  return string.sub(cjson.encode(paths), 2, -2);
}

/** Where the digits after a key stand; nothing if there is no such key with a number. */
function numberSpan(
  text: string,
  jsonKey: string,
): LuaMultiReturn<[from: number, to: number] | [undefined, undefined]> {
  const [, end] = string.find(text, jsonKey, 1, true);
  if (end === undefined) return $multi(undefined, undefined);
  const [from, to] = string.find(text, "^%-?[%d.eE+-]+", end + 1);
  if (from === undefined) return $multi(undefined, undefined);
  return $multi(from, to);
}

/** From the first quote of the paths to the last one; nothing if they are in no form that is known here. */
function pathsSpan(text: string): LuaMultiReturn<[from: number, to: number] | [undefined, undefined]> {
  const [start, from] = string.find(text, PATHS, 1, true);
  if (start === undefined) return $multi(undefined, undefined);
  // Where the paths come last, as we write them, their end need not be looked for.
  if (string.sub(text, -1 - LAST_PATH.length) === `${LAST_PATH}}`) return $multi(from, text.length - 2);
  const [, end] = string.find(text, LAST_PATH, from, true);
  if (end === undefined) return $multi(undefined, undefined);
  return $multi(from, end - 1);
}

function decoded(text: string): Record<string, unknown> | undefined {
  const [ok, plan] = pcall(cjson.decode, text);
  return ok && type(plan) === "table" ? (plan as Record<string, unknown>) : undefined;
}

/** A plan as text; undefined if cjson does not print it, as where a number is none, which it reads. */
function printed(plan: Record<string, unknown>): string | undefined {
  const [ok, text] = pcall(cjson.encode, plan);
  return ok ? text : undefined;
}

/** A merge plan of our own, with one path at least. */
export function newMergePlan(id: string, timeS: number, size: number, paths: string[]): string {
  return `{"id":"${id}","time_s":${digits(timeS)},"size":${digits(size)},"paths":${cjson.encode(paths)}}`;
}

/** Id and time of a merge plan that begins and ends as we write it; nothing of any other. */
export function ownHead(text: string): LuaMultiReturn<[id: string, timeS: number] | [undefined, undefined]> {
  const [id, time] = string.match(text, '^{"id":"([^"\\]+)","time_s":(%d+),"size":%d+,"paths":%["');
  if (id === undefined || string.sub(text, -1 - LAST_PATH.length) !== `${LAST_PATH}}`)
    return $multi(undefined, undefined);
  return $multi(id, tonumber(time)!);
}

/** The id of a plan; undefined if it has none. */
export function idOf(text: string): string | undefined {
  const [, end] = string.find(text, '"id":"', 1, true);
  if (end !== undefined) {
    const [id, quote] = string.match(text, '^([^"\\]*)(["\\])', end + 1);
    if (quote === '"') return id;
  }
  const plan = decoded(text);
  return plan !== undefined && type(plan["id"]) === "string" ? (plan["id"] as string) : undefined;
}

/** When a plan is ripe, or its lease ends, in seconds; 0 for one without a time, or that cannot be read. */
export function timeOf(text: string): number {
  const [from, to] = numberSpan(text, TIME);
  if (from !== undefined) return tonumber(string.sub(text, from, to)) ?? 0;
  const plan = decoded(text);
  return plan !== undefined && type(plan["time_s"]) === "number" ? (plan["time_s"] as number) : 0;
}

/** The plan with another time. */
export function withTime(text: string, timeS: number): string {
  // Of a long text, each part that is cut out costs as much as all of it.
  const [timed, times] = string.gsub(text, TIMED, `${TIME}${digits(timeS)}`, 1);
  if (times === 1) return timed;
  const plan = decoded(text);
  if (plan === undefined) return text;
  plan["time_s"] = timeS;
  return printed(plan) ?? text;
}

/**
 * A merge plan in a form that can be spliced: as it is, or encoded anew if another wrote it in a form of its own. Undefined if it
 * cannot be read.
 */
export function splicable(text: string): string | undefined {
  const [paths] = pathsSpan(text);
  const [size] = numberSpan(text, SIZE);
  if (paths !== undefined && size !== undefined) return text;
  const plan = decoded(text);
  if (plan === undefined || type(plan["paths"]) !== "table" || type(plan["size"]) !== "number") return undefined;
  const known = printed(plan);
  if (known === undefined) return undefined;
  const [isKnown] = pathsSpan(known);
  return isKnown === undefined ? undefined : known;
}

/** The size of a plan that can be spliced, in bytes. */
export function sizeOf(text: string): number {
  const [from, to] = numberSpan(text, SIZE);
  return tonumber(string.sub(text, from!, to)) ?? 0;
}

/** The paths of a plan that can be spliced; none if they cannot be read. */
export function pathsOf(text: string): string[] {
  const [from, to] = pathsSpan(text);
  const [ok, paths] = pcall(cjson.decode, `[${string.sub(text, from!, to)}]`);
  return ok ? (paths as string[]) : [];
}

/** The text with another size, and with `content` in place of what stands after `keepTo` and before `goOn`. */
function spliced(text: string, keepTo: number, goOn: number, content: string, size: number): string {
  const [from, to] = numberSpan(text, SIZE);
  if (from! > keepTo)
    return (
      string.sub(text, 1, keepTo) +
      content +
      string.sub(text, goOn, from! - 1) +
      digits(size) +
      string.sub(text, to! + 1)
    );
  return (
    string.sub(text, 1, from! - 1) + digits(size) + string.sub(text, to! + 1, keepTo) + content + string.sub(text, goOn)
  );
}

/** A plan that can be spliced with more paths after its own. */
export function withMore(text: string, paths: string[], size: number): string {
  const [, to] = pathsSpan(text);
  return spliced(text, to!, to! + 1, paths.length === 0 ? "" : `,${encoded(paths)}`, size);
}

/**
 * A plan of our own form with more files, if all of them fit into it; undefined if not, or the plan has another form. In one
 * pass, for calls of a few files: the same as `withMore`.
 *
 * @param fields path of each file and what belongs to it, in turn
 * @param sizes of the files in bytes
 */
export function appended(text: string, fields: string[], sizes: number[], maxSize: number): string | undefined {
  if (string.sub(text, -1 - LAST_PATH.length) !== `${LAST_PATH}}`) return undefined;
  const [from, known, end] = string.match(text, '^{"id":"[^"\\]*","time_s":%d+,"size":()(%d+)(),"paths":%["');
  if (from === undefined) return undefined;
  let size = tonumber(known)!;
  let more = "";
  for (const at of $range(1, sizes.length)) {
    size += sizes[at - 1]!;
    more += `,${cjson.encode(fields[2 * at - 2])}`;
  }
  if (size > maxSize) return undefined;
  const [head, rest] = [
    string.sub(text, 1, (from as unknown as number) - 1),
    string.sub(text, end as unknown as number, -3),
  ];
  return `${head}${digits(size)}${rest}${more}]}`;
}

/** A plan that can be spliced with these paths in place of its own; at least one. */
export function withPaths(text: string, paths: string[], size: number): string {
  const [from, to] = pathsSpan(text);
  return spliced(text, from! - 1, to! + 1, encoded(paths), size);
}

/** A merge plan less some of its paths, as it is if it cannot be read; its size stays as it was. */
export function withoutPaths(text: string, paths: string[]): string {
  const known = splicable(text);
  if (known === undefined) return text;
  const gone = new LuaSet<string>();
  for (const path of paths) gone.add(path);
  const left: string[] = [];
  for (const path of pathsOf(known)) {
    if (!gone.has(path)) left.push(path);
  }
  return withPaths(known, left, sizeOf(known));
}

/** The path that a move plan is of; undefined if it cannot be read. */
export function movedPath(text: string): string | undefined {
  const plan = decoded(text);
  return plan !== undefined && type(plan["path_from"]) === "string" ? (plan["path_from"] as string) : undefined;
}
