/**
 * What documents are found by, beside the lists by last visit: sets that a document enters when it is new and leaves when it
 * is removed. A visit writes none of them.
 *
 * Levels 1 and 2 are the directories of a section, so they are kept for sections, of which there are few; a page has sets of
 * its own for levels 3 and 4 only.
 */
import { onKey, requireType } from "../runtime/types";
import * as names from "./names";
import { directories, DIRECTORY_LEVELS, pathOf, SECTION_LEVELS } from "./url";

const NUL = string.char(0);

/** A section in the index of names. */
export function sectionMember(id: string, name: string): string {
  return name + NUL + id;
}

/** The sets of a section's own directories. */
export function sectionSets(path: string): string[] {
  const sets: string[] = [];
  const found = directories(path, SECTION_LEVELS);
  for (const level of $range(1, found.length)) sets.push(names.directory("S", level, found[level - 1]!));
  return sets;
}

/** The sets of the directories of a page below those of its section. */
export function pageSets(url: string): string[] {
  const sets: string[] = [];
  const found = directories(pathOf(url), DIRECTORY_LEVELS);
  for (const level of $range(SECTION_LEVELS + 1, found.length))
    sets.push(names.directory("P", level, found[level - 1]!));
  return sets;
}

/** CONFLICT, naming the key, if something else stands where a section is to be found. */
export function requireSection(path: string): void {
  requireType(names.sectionNames(), "zset");
  for (const set of sectionSets(path)) requireType(set, "set");
}

/** Makes a section findable. */
export function addSection(id: string, name: string, path: string): void {
  redis.call("ZADD", names.sectionNames(), "0", sectionMember(id, name));
  for (const set of sectionSets(path)) redis.call("SADD", set, id);
}

/** Takes a section out of all that `addSection` put it into. */
export function removeSection(id: string, name: string, path: string): void {
  redis.call("ZREM", names.sectionNames(), sectionMember(id, name));
  for (const set of sectionSets(path)) redis.call("SREM", set, id);
}

/** CONFLICT, naming the key, if something else stands where a page is to be found. */
export function requirePage(url: string): void {
  requireType(names.pageUrls(), "zset");
  for (const set of pageSets(url)) requireType(set, "set");
}

/** Makes a page findable. */
export function addPage(id: string, url: string): void {
  redis.call("ZADD", names.pageUrls(), "0", url);
  for (const set of pageSets(url)) redis.call("SADD", set, id);
}

/** Takes a page out of all that `addPage` put it into. */
export function removePage(id: string, url: string): void {
  redis.call("ZREM", names.pageUrls(), url);
  for (const set of pageSets(url)) redis.call("SREM", set, id);
}

const HIGHEST_BYTE = 255;

/** The end, not included, of all texts that begin with `prefix`, as BYLEX takes it. */
function afterPrefix(prefix: string): string {
  let last = prefix.length;
  while (last > 0 && string.byte(prefix, last) === HIGHEST_BYTE) last -= 1;
  if (last === 0) return "+";
  return `(${string.sub(prefix, 1, last - 1)}${string.char(string.byte(prefix, last) + 1)}`;
}

/** The members of an index in the order of bytes that begin with a prefix: how many there are. */
export function countPrefix(index: string, prefix: string): number {
  return onKey("ZLEXCOUNT", index, `[${prefix}`, afterPrefix(prefix));
}

/** The members of an index in the order of bytes that begin with a prefix, at most `count` of them. */
export function listPrefix(index: string, prefix: string, count: number): string[] {
  return onKey("ZRANGE", index, `[${prefix}`, afterPrefix(prefix), "BYLEX", "LIMIT", "0", `${count}`);
}

/** The members of an index in the order of bytes that come after `last`, at most `count` of them; all if it is empty. */
export function listAfter(index: string, last: string, count: number): string[] {
  return onKey("ZRANGE", index, last === "" ? "-" : `(${last}`, "+", "BYLEX", "LIMIT", "0", `${count}`);
}
