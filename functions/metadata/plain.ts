/**
 * Batches that only add files which are new: most are such, and long ones always. Then no file need be known by itself. Files
 * are gathered by the queue that they go to, and written and planned group by group, as fast as that goes. Where an
 * entry turns out to be anything else, nothing was done yet, and the batch is applied file by file; where all of them are in the
 * index already, as they are when a call is repeated, there is nothing to do.
 */
import { inChunks } from "../runtime/chunks";
import { courseOf, type Configuration } from "./configuration";
import type { Entry, Reader } from "./entry";
import { folderOf, keyOf, tableOf, type Folder, type Touched } from "./files";
import { compareNs } from "./nanoseconds";
import { mergeQueueOf, type Queue } from "./queues";

/** New files of one folder, iteration, layer and writer: those of one merge queue. */
export interface Group {
  queue: Queue;
  folder: Folder;
  /** What their paths begin with, up to the last slash, and what the last of them ends with, from the dot before its iteration. */
  prefix: string;
  suffix: string;
  iteration: number;
  layer: string;
  count: number;
  sizes: number[];
  /** Path and entry of each in turn, as they are stored. */
  fields: string[];
  /** From when to when they are. */
  minNs: string;
  maxNs: string;
}

/** A batch as far as it was read. */
export interface Plain {
  groups: Group[];
  byQueue: LuaMap<string, Group>;
  paths: LuaSet<string>;
  /** The group of the entry before. */
  last: Group | undefined;
}

/** Nothing read yet. */
export function newPlain(): Plain {
  return { groups: [], byQueue: new LuaMap(), paths: new LuaSet(), last: undefined };
}

/** The group of an entry; undefined if it has none, because its path is malformed, or it moves on, in the order of all that do. */
function findGroup(plain: Plain, touched: Touched, configuration: Configuration, entry: Entry): Group | undefined {
  const { path, database: db, table, layer, writer_id: writer, str_min_time: minNs, str_max_time: maxNs } = entry;
  const [name, digits] = string.match(path, "^([^/].*)/[^/]+%.(%d+)%.parquet$");
  if (name === undefined || digits!.length > 9) return undefined;
  const iteration = tonumber(digits)!;
  if (courseOf(configuration, iteration, layer!) === "move") return undefined;
  const queue = mergeQueueOf(db, table, `${iteration}`, name, layer!, writer!);
  const folder = folderOf(tableOf(touched, db, table), name);
  let group = plain.byQueue.get(queue.name);
  if (group === undefined) {
    group = {
      queue,
      folder,
      prefix: `${name}/`,
      suffix: "",
      iteration,
      layer: layer!,
      count: 0,
      sizes: [],
      fields: [],
      minNs: minNs!,
      maxNs: maxNs!,
    };
    plain.byQueue.set(queue.name, group);
    plain.groups.push(group);
  }
  // Names with colons may give two folders one queue.
  if (group.folder !== folder) return undefined;
  group.suffix = `.${digits!}.parquet`;
  plain.last = group;
  return group;
}

/**
 * Adds an entry that was read to its group; a long batch is in here most of the time.
 *
 * @returns whether that could be done: it adds a file, none before was of its path, and nothing is unusual about it
 */
export function gather(
  plain: Plain,
  touched: Touched,
  { configuration, isLikeLast }: Reader,
  entry: Entry,
  text: string,
): boolean {
  const { path, str_min_time: minNs, str_max_time: maxNs } = entry;
  const { paths, last } = plain;
  if (
    entry.cmd === "DELETE" ||
    paths.has(path) ||
    minNs === undefined ||
    minNs === "" ||
    maxNs === undefined ||
    maxNs === ""
  )
    return false;
  let group: Group | undefined;
  if (isLikeLast && last !== undefined) {
    const { prefix, suffix } = last;
    // Cheaper than to take the path apart, and the same: what is between the two must be a name.
    const [, slash] = string.find(path, prefix, 1, true);
    const [dot] = string.find(path, suffix, -suffix.length, true);
    if (slash === prefix.length && dot !== undefined && dot > slash + 1) {
      const [another] = string.find(path, "/", slash + 1, true);
      if (another === undefined) group = last;
    }
  }
  group ??= findGroup(plain, touched, configuration, entry);
  if (group === undefined) return false;
  paths.add(path);
  const { count, fields } = group;
  group.sizes[count] = entry.size_bytes;
  fields[2 * count] = path;
  fields[2 * count + 1] = text;
  group.count = count + 1;
  if (compareNs(minNs, group.minNs) < 0) group.minNs = minNs;
  if (compareNs(maxNs, group.maxNs) > 0) group.maxNs = maxNs;
  return true;
}

/** How many files the batch adds. */
export function countOf({ groups }: Plain): number {
  let count = 0;
  for (const group of groups) count += group.count;
  return count;
}

function pathsOf({ count, fields }: Group): string[] {
  const paths: string[] = [];
  for (const at of $range(1, count)) paths[at - 1] = fields[2 * at - 2]!;
  return paths;
}

/** Whether none of a group's files is in the index, and whether each is, with the entry that came. */
function compareStored(group: Group): LuaMultiReturn<[areNew: boolean, areSame: boolean]> {
  const {
    fields,
    folder: { home },
  } = group;
  if (home.size === 0) return $multi(true, false);
  let areNew = true;
  let areSame = true;
  let at = 0;
  inChunks(pathsOf(group), (part) => {
    for (const text of redis.call("HMGET", keyOf(home), ...part)) {
      areNew = areNew && text === false;
      areSame = areSame && text === fields[2 * at + 1];
      at += 1;
    }
  });
  return $multi(areNew, areSame);
}

/**
 * How the batch stands to the index: all of its files are new, all are in it with the same entries, as when a call is repeated, or
 * something else. Their tables must have been loaded.
 */
export function standingOf({ groups }: Plain): "new" | "same" | "mixed" {
  let areNew = true;
  let areSame = true;
  for (const group of groups) {
    const [isNew, isSame] = compareStored(group);
    areNew = areNew && isNew;
    areSame = areSame && isSame;
    if (!areNew && !areSame) return "mixed";
  }
  return areNew ? "new" : "same";
}

/** Has all files written when their tables are. */
export function putAll({ groups }: Plain): void {
  for (const { folder, count, fields, minNs, maxNs } of groups) {
    folder.home.fresh.push(fields);
    folder.gain += count;
    if (folder.minNs === "" || compareNs(minNs, folder.minNs) < 0) folder.minNs = minNs;
    if (folder.maxNs === "" || compareNs(maxNs, folder.maxNs) > 0) folder.maxNs = maxNs;
  }
}
