/** What is read from entries as they are stored, by clients of any kind: compact or with spaces, in any order. Pure but for cjson. */
import { isNs } from "./nanoseconds";

interface Entry {
  layer?: unknown;
  database?: unknown;
  table?: unknown;
  writer_id?: unknown;
  [field: string]: unknown;
}

/** An entry as an object; undefined if nobody can read it. 64-bit numbers in it have lost digits. */
export function decodeEntry(stored: string): Entry | undefined {
  const [isJson, decoded] = pcall(cjson.decode, stored);
  return isJson && type(decoded) === "table" ? (decoded as Entry) : undefined;
}

/**
 * A time by its name in quotes, where it is text and stands in the entry once: what a decoder would find. Undefined where
 * that is not so, as in an entry with a column of that name.
 */
function spliced(stored: string, name: string): string | undefined {
  const [from, to] = string.find(stored, name, 1, true);
  if (from === undefined) return undefined;
  const [digits] = string.match(stored, '^%s*:%s*"(%-?%d+)"', to + 1);
  if (digits === undefined || !isNs(digits)) return undefined;
  const [again] = string.find(stored, name, to + 1, true);
  return again === undefined ? digits : undefined;
}

/** A time from a decoded entry: its text, or its numeric twin where that says more, or 0, as GigAPI reads it. */
function decodedTime(entry: Entry | undefined, textName: string, numericName: string): string {
  if (entry === undefined) return "0";
  const asText = entry[textName];
  if (type(asText) === "string" && isNs(asText as string)) return asText as string;
  const numeric = entry[numericName];
  if (type(numeric) !== "number") return "0";
  const printed = string.format("%.0f", numeric);
  return isNs(printed) ? printed : "0";
}

/** The earliest and the latest time in an entry's file, in nanoseconds. */
export function timesOf(stored: string): LuaMultiReturn<[minNs: string, maxNs: string]> {
  const minNs = spliced(stored, '"str_min_time"');
  const maxNs = spliced(stored, '"str_max_time"');
  if (minNs !== undefined && maxNs !== undefined) return $multi(minNs, maxNs);
  const entry = decodeEntry(stored);
  return $multi(decodedTime(entry, "str_min_time", "min_time"), decodedTime(entry, "str_max_time", "max_time"));
}
