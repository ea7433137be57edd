/** What a record is asked for beside its place in lists by last visit: a word of its title, a directory, an address, a name. */
import { onKey } from "../runtime/types";
import { countPrefix, listPrefix, sectionMember } from "./document-index";
import * as names from "./names";

/** Lua passes at most some thousand arguments. */
const MAX_ARGUMENTS = 1000;

/** Length of an id in hexadecimal digits. */
export const ID_LENGTH = 40;

export interface Condition {
  /** How many records meet it; more than do where it is not exact. */
  size: number;
  isExact: boolean;
  /** Whether a field of each document has to be read. */
  isSlow?: boolean;
  /** The set or sorted set of all that meet it, where there is one. */
  key?: string;
  /** All that meet it. */
  list: (this: void) => string[];
  /** Those of the ids that meet it, in their order. */
  keep: (this: void, ids: string[]) => string[];
}

/** The ids from a position on that go into one command. */
function slice(ids: string[], from: number): string[] {
  if (from === 0 && ids.length <= MAX_ARGUMENTS) return ids;
  const part: string[] = [];
  for (const at of $range(from, Math.min(from + MAX_ARGUMENTS, ids.length) - 1)) part.push(ids[at]!);
  return part;
}

/** Asks about ids in commands of a bearable length; visits each with its answer. */
function ask<T>(
  ids: string[],
  command: (this: void, part: string[]) => T[],
  visit: (this: void, id: string, answer: T) => void,
): void {
  for (const from of $range(0, ids.length - 1, MAX_ARGUMENTS)) {
    const part = slice(ids, from);
    const answers = command(part);
    for (const position of $range(1, part.length)) visit(part[position - 1]!, answers[position - 1]!);
  }
}

/** Visits ids that are in a sorted set with their scores. */
export function forEachScore(
  list: string,
  ids: string[],
  visit: (this: void, id: string, score: number) => void,
): void {
  ask(
    ids,
    (part) => onKey("ZMSCORE", list, ...part),
    (id, score) => {
      if (score !== false) visit(id, tonumber(score)!);
    },
  );
}

function filter(ids: string[], test: (this: void, id: string) => boolean): string[] {
  const kept: string[] = [];
  for (const id of ids) if (test(id)) kept.push(id);
  return kept;
}

/** Being in a set. */
export function inSet(set: string): Condition {
  return {
    size: onKey("SCARD", set),
    isExact: true,
    key: set,
    list: () => onKey("SMEMBERS", set),
    keep: (ids) => {
      const kept: string[] = [];
      ask(
        ids,
        (part) => onKey("SMISMEMBER", set, ...part),
        (id, isIn) => {
          if (isIn === 1) kept.push(id);
        },
      );
      return kept;
    },
  };
}

/** Being in a list by last visit. */
export function inList(list: string): Condition {
  return {
    size: onKey("ZCARD", list),
    isExact: true,
    list: () => onKey("ZRANGE", list, "0", "-1"),
    keep: (ids) => {
      const kept: string[] = [];
      forEachScore(list, ids, (id) => kept.push(id));
      return kept;
    },
  };
}

/** Being one of those named. */
export function amongIds(wanted: string[]): Condition {
  const known = new LuaSet<string>();
  for (const id of wanted) known.add(id);
  return { size: wanted.length, isExact: false, list: () => wanted, keep: (ids) => filter(ids, (id) => known.has(id)) };
}

function fieldBeginsWith(dimension: "S" | "P", field: string, prefix: string): (this: void, id: string) => boolean {
  return (id) => {
    const value = onKey("HGET", names.document(dimension, id), field);
    return value !== false && string.sub(value, 1, prefix.length) === prefix;
  };
}

/** A page whose address begins so. */
export function urlBeginsWith(prefix: string): Condition {
  const size = countPrefix(names.pageUrls(), prefix);
  return {
    size,
    isExact: true,
    list: () => {
      const ids: string[] = [];
      for (const url of listPrefix(names.pageUrls(), prefix, size)) ids.push(redis.sha1hex(url));
      return ids;
    },
    isSlow: true,
    keep: (ids) => filter(ids, fieldBeginsWith("P", "url", prefix)),
  };
}

function idsOf(members: string[]): string[] {
  const ids: string[] = [];
  for (const each of members) ids.push(string.sub(each, -ID_LENGTH));
  return ids;
}

/** A section whose name begins so. */
export function nameBeginsWith(prefix: string): Condition {
  const size = countPrefix(names.sectionNames(), prefix);
  return {
    size,
    isExact: true,
    list: () => idsOf(listPrefix(names.sectionNames(), prefix, size)),
    isSlow: true,
    keep: (ids) => filter(ids, fieldBeginsWith("S", "name", prefix)),
  };
}

/** A section of this name, of which there may be one on each website. */
export function nameIs(name: string): Condition {
  const prefix = sectionMember("", name);
  const size = countPrefix(names.sectionNames(), prefix);
  return {
    size,
    isExact: false,
    // A name may hold what stands between name and id.
    list: () => {
      const members = listPrefix(names.sectionNames(), prefix, size);
      return idsOf(filter(members, (each) => each.length === prefix.length + ID_LENGTH));
    },
    isSlow: true,
    keep: (ids) => filter(ids, (id) => onKey("HGET", names.document("S", id), "name") === name),
  };
}

/** The condition that the fewest meet. */
export function narrowest(conditions: Condition[]): Condition | undefined {
  let found: Condition | undefined;
  for (const each of conditions) if (found === undefined || each.size < found.size) found = each;
  return found;
}

/** Those of the ids that meet all conditions but one. */
export function keepAll(conditions: Condition[], except: Condition | undefined, ids: string[]): string[] {
  let kept = ids;
  for (const each of conditions) if (each !== except && kept.length > 0) kept = each.keep(kept);
  return kept;
}

/** Whether testing takes long. */
export function isAnySlow(conditions: Condition[]): boolean {
  for (const each of conditions) if (each.isSlow === true) return true;
  return false;
}
