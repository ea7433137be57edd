/**
 * From when to when the files of each folder are, for the folders of a first folder (for most tables, the hours of a day): so that
 * an hour is found without looking at the other files of its day.
 *
 * A span is `min max count`. Count is how many files the folder had when we last wrote to it: while `folders:` counts as many,
 * nobody else has added to it, and its span holds. Otherwise the folder may hold anything.
 */
import { onKey, requireType } from "../runtime/types";
import { earlierNs, isNs, laterNs, mayBeInRange } from "./nanoseconds";
import { filesKey, foldersKey, spansKey } from "./names";

/** Of more folders in one first folder the spans are not read: looking for them would cost more than they save. */
const MOST_READ = 256;

export interface Span {
  minNs: string;
  maxNs: string;
  count: string;
}

/** Reads a span as it is stored; undefined if there is none, or the text is no span. */
export function parseSpan(stored: string | false | undefined): Span | undefined {
  if (stored === undefined || stored === false) return undefined;
  const [minNs, maxNs, count] = string.match(stored, "^(%-?%d+) (%-?%d+) (%d+)$");
  return minNs === undefined || !isNs(minNs) || !isNs(maxNs!) ? undefined : { minNs, maxNs: maxNs!, count: count! };
}

/** To be called before the first write of a call that calls `noteSpan`. CONFLICT if the spans' key holds a foreign type. */
export function requireSpans(db: string, table: string, firstFolder: string): void {
  requireType(spansKey(db, table, firstFolder), "hash");
}

/** A span as it is stored. */
export function spanText({ minNs, maxNs, count }: Span): string {
  return `${minNs} ${maxNs} ${count}`;
}

/**
 * To be called after files of a folder were added or deleted.
 *
 * @param had how many files it had before, and `has` after
 * @param minNs the earliest time of the files added, and `maxNs` the latest; empty if none was
 */
export function noteSpan(
  db: string,
  table: string,
  firstFolder: string,
  folder: string,
  had: number,
  has: number,
  minNs: string,
  maxNs: string,
): void {
  const spans = spansKey(db, table, firstFolder);
  const known = had > 0 ? parseSpan(redis.call("HGET", spans, folder)) : undefined;
  const isKnown = had <= 0 || (known !== undefined && known.count === string.format("%.0f", had));
  if (has <= 0 || !isKnown) {
    redis.call("HDEL", spans, folder);
    return;
  }
  let from = known?.minNs ?? minNs;
  let to = known?.maxNs ?? maxNs;
  if (minNs !== "") {
    from = earlierNs(from, minNs);
    to = laterNs(to, maxNs);
  }
  if (from !== "")
    redis.call("HSET", spans, folder, spanText({ minNs: from, maxNs: to, count: string.format("%.0f", has) }));
}

/**
 * The folders of a first folder that may hold files of a time; undefined where any may, because we do not know all of them.
 */
export function foldersInTime(
  db: string,
  table: string,
  firstFolder: string,
  afterNs: string,
  beforeNs: string,
): string[] | undefined {
  const spans = spansKey(db, table, firstFolder);
  const size = onKey("HLEN", spans);
  if (size === 0 || size > MOST_READ) return undefined;
  const names = redis.call("HKEYS", spans);
  const stored = redis.call("HMGET", spans, ...names);
  const counts = onKey("HMGET", foldersKey(db, table), ...names);
  const found: string[] = [];
  let total = 0;
  for (const at of $range(1, names.length)) {
    const count = counts[at - 1]!;
    const span = parseSpan(stored[at - 1]);
    total += count === false ? 0 : (tonumber(count) ?? 0);
    const isTrusted = span !== undefined && span.count === count;
    const overlaps = !isTrusted || mayBeInRange(span.minNs, span.maxNs, afterNs, beforeNs);
    if (overlaps) found.push(names[at - 1]!);
  }
  return total === onKey("HLEN", filesKey(db, table, firstFolder)) ? found : undefined;
}
