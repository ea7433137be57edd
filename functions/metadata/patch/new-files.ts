/**
 * The fast path: calls that only add files which are new. Most calls are such, and long ones always. No file need then
 * be known by itself: files are gathered by the merge queue that they go to, and written and planned a group at a
 * time.
 *
 * Where an entry turns out to be anything else, the call has done nothing yet, and `file-by-file.ts` plans it. The two
 * may not differ in what they leave in Redis.
 */
import { inChunks } from "../../runtime/chunks";
import { courseOf } from "../configuration";
import { compareNs } from "../nanoseconds";
import { mergeQueueOf } from "../queues";
import { isOfSame, type Flow, type Stretch } from "./alike-calls";
import type { Changes } from "./changes";
import { noDrops } from "./drops";
import { clockOf, newReader, parseEntry, type Call, type Entry } from "./entry";
import { folderOf, keyOf, load, nothingTouched, tableOf, widen, type Folder, type Touched } from "./files";
import type { FewFiles } from "./few-files";
import { editOf, joinAll, noEdits } from "./queue-edits";

/** New files of one folder, iteration, layer and writer: those of one merge queue. */
interface Group extends FewFiles, Stretch {
  folder: Folder;
}

/** All files of a call that may be one of new files. */
interface NewFiles {
  touched: Touched;
  groups: Group[];
  byQueue: LuaMap<string, Group>;
  count: number;
}

/**
 * The group of an entry; undefined if its path is malformed, or the file moves: moves keep the order of all that move.
 */
function groupOf({ touched, groups, byQueue }: NewFiles, { configuration }: Call, entry: Entry): Group | undefined {
  const { path, database: db, table, layer, writer_id: writer, str_min_time: minNs, str_max_time: maxNs } = entry;
  const [name, digits] = string.match(path, "^([^/].*)/[^/]+%.(%d+)%.parquet$");
  if (name === undefined || digits!.length > 9) return undefined;
  const iteration = tonumber(digits)!;
  if (courseOf(configuration, iteration, layer!) === "move") return undefined;
  const queue = mergeQueueOf(db, table, `${iteration}`, name, layer!, writer!);
  const folder = folderOf(tableOf(touched, db, table), name);
  let group = byQueue.get(queue.name);
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
    byQueue.set(queue.name, group);
    groups.push(group);
  }
  // Names with colons may give two folders one queue.
  if (group.folder !== folder) return undefined;
  group.suffix = `.${digits!}.parquet`;
  return group;
}

/**
 * Reads the entries of a call; a long call spends most of its time in here.
 *
 * @returns undefined if they are more than new files: one deletes, two have one path, or an entry is unusual
 */
export function readNewFiles(call: Call, flow: Flow | undefined): NewFiles | undefined {
  const { given } = call;
  const reader = newReader(call, flow?.series);
  const paths = new LuaSet<string>();
  const found: NewFiles = { touched: nothingTouched(), groups: [], byQueue: new LuaMap(), count: 0 };
  let last: Group | undefined;
  for (const at of $range(1, given.length)) {
    const text = given[at - 1]!;
    if (text !== "") {
      const entry = parseEntry(reader, text, at - 1);
      const { path, str_min_time: minNs, str_max_time: maxNs } = entry;
      if (entry.cmd === "DELETE" || paths.has(path)) return undefined;
      if (minNs === undefined || minNs === "" || maxNs === undefined || maxNs === "") return undefined;
      const isLikeLast = reader.isLikeLast && last !== undefined && isOfSame(last, path);
      const group = isLikeLast ? last! : groupOf(found, call, entry);
      if (group === undefined) return undefined;
      last = group;
      paths.add(path);
      const { count, fields } = group;
      group.sizes[count] = entry.size_bytes;
      fields[2 * count] = path;
      fields[2 * count + 1] = text;
      group.count = count + 1;
      if (compareNs(minNs, group.minNs) < 0) group.minNs = minNs;
      if (compareNs(maxNs, group.maxNs) > 0) group.maxNs = maxNs;
    }
  }
  for (const { count } of found.groups) found.count += count;
  if (flow !== undefined) flow.stretch = last;
  return found;
}

/** Whether none of a group's files is in the index, and whether each is, with the entry that came. */
function compareStored({ folder, count, fields }: Group): LuaMultiReturn<[areNew: boolean, areSame: boolean]> {
  const { home } = folder;
  if (home.size === 0) return $multi(true, false);
  const paths: string[] = [];
  for (const at of $range(1, count)) paths[at - 1] = fields[2 * at - 2]!;
  let areNew = true;
  let areSame = true;
  let at = 0;
  inChunks(paths, (part) => {
    for (const text of redis.call("HMGET", keyOf(home), ...part)) {
      areNew = areNew && text === false;
      areSame = areSame && text === fields[2 * at + 1];
      at += 1;
    }
  });
  return $multi(areNew, areSame);
}

/**
 * How the files stand to the index: all are new, all are in it with the same entries, as when a call is repeated, or
 * something else. Their tables must have been loaded.
 */
function standingOf(groups: Group[]): "new" | "same" | "mixed" {
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

/**
 * Plans new files group by group; changes nothing where all are in the index as they came.
 *
 * @returns undefined if some are in the index and not the same, or paths count as taken out of a queue that they join
 */
export function planNewFiles(call: Call, { touched, groups, count }: NewFiles): Changes | undefined {
  const { configuration } = call;
  const edits = noEdits();
  const changes = { touched, edits, drops: noDrops(), count };
  load(touched);
  const standing = standingOf(groups);
  if (standing === "same") return changes;
  if (standing === "mixed") return undefined;
  for (const { queue, iteration, layer } of groups) {
    if (courseOf(configuration, iteration, layer) === "merge" && editOf(edits, queue).hasGone) return undefined;
  }
  for (const { queue, folder, iteration, layer, fields, sizes, minNs, maxNs, count: added } of groups) {
    if (courseOf(configuration, iteration, layer) === "merge") {
      const { timeoutS, maxSize } = configuration.steps[iteration - 1]!;
      joinAll(editOf(edits, queue), fields, sizes, maxSize, clockOf(call) + timeoutS);
    }
    folder.home.fresh.push(fields);
    folder.gain += added;
    widen(folder, minNs, maxNs);
  }
  return changes;
}
