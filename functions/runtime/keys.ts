/**
 * Key names: `TYPE:NAME:DIMENSION:ID:TIMESTAMP:METRIC`, six fields, five colons, empty fields stay empty.
 *
 * The only place that builds a name. Pure, so that it runs inside Redis and in Node.
 */

export type KeyType = "ST" | "H" | "J" | "I" | "TS" | "B" | "SS" | "S" | "L" | "C" | "CMS" | "HLL" | "STR";

/** The braces put before every id while a call runs: empty, or `{partition}`. */
let partition = "";

/**
 * The hash tag of a routing key, braces included, by the rule of the Redis Cluster specification ("Hash tags"): what
 * stands between the first `{` and the first `}` after it, unless that is empty. `""` where there is none.
 */
export function hashTag(routingKey: string): string {
  const [open] = string.find(routingKey, "{", 1, true);
  if (open === undefined) return "";
  const [close] = string.find(routingKey, "}", open + 1, true);
  if (close === undefined || close === open + 1) return "";
  return string.sub(routingKey, open, close);
}

/** Sets the partition of all names built from here on; called once at the start of each call. */
export function usePartition(tag: string): void {
  partition = tag;
}

/** The partition of the running call, braces included. */
export function currentPartition(): string {
  return partition;
}

/** The first three fields with their colons: `HLL:1MINUTE:P:`. Constant, so a hot path builds it once. */
export function family(keyType: KeyType, name: string, dimension: string): string {
  return `${keyType}:${name}:${dimension}:`;
}

/**
 * The last two fields with their colons: `:1700000000000:UD`.
 *
 * @param timestamp start of the window in unix milliseconds, as text, or `""`
 */
export function suffix(timestamp: string, metric: string): string {
  return `:${timestamp}:${metric}`;
}

/** A family in the partition of the running call: what stands before the id in all names of it. */
export function prefix(familyOfKey: string): string {
  return familyOfKey + partition;
}

/** A whole name from its parts, in the partition of the running call. */
export function member(familyOfKey: string, id: string, suffixOfKey: string): string {
  return `${familyOfKey}${partition}${id}${suffixOfKey}`;
}

/** The names of one id, one for each suffix. */
export function members(familyOfKey: string, id: string, suffixes: readonly string[]): string[] {
  const start = familyOfKey + partition + id;
  const all: string[] = [];
  for (const each of suffixes) all.push(start + each);
  return all;
}

/** A whole name from its fields, in the partition of the running call. */
export function key(
  keyType: KeyType,
  name: string,
  dimension: string,
  id: string,
  timestamp: string,
  metric: string,
): string {
  return `${keyType}:${name}:${dimension}:${partition}${id}:${timestamp}:${metric}`;
}
