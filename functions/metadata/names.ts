/**
 * The keys of the index. Those that GigAPI's clients know keep their names, with database and table as they came; our own
 * beside them are built by the key module, and a database is never told from a table by parsing one.
 */
import { currentPartition, hashTag, key } from "../runtime/keys";

/** After the name of a queue: the list of plans that wait, and the list of those that were given out. */
export const IDLE = ":idle";
export const PROCESSING = ":processing";

/** A part of an id, so that parts joined by slashes cannot be taken for others. */
function escaped(part: string): string {
  // Two plain searches take a tenth of the time of a pattern.
  if (string.find(part, "/", 1, true)[0] === undefined && string.find(part, "%", 1, true)[0] === undefined) return part;
  const [percent] = string.gsub(part, "%%", "%%25");
  const [slash] = string.gsub(percent, "/", "%%2F");
  return slash;
}

/** The table whose names were built last, and what they have in common: most calls are of one table. */
let lastDb: string | undefined;
let lastTable: string | undefined;
let lastPartition: string | undefined;
let lastPlace = "";
let lastId = "";

function remember(db: string, table: string): void {
  const partition = currentPartition();
  if (db === lastDb && table === lastTable && partition === lastPartition) return;
  lastDb = db;
  lastTable = table;
  lastPartition = partition;
  lastPlace = hashTag(table) === partition ? `${db}:${table}` : `${db}:${partition}${table}`;
  lastId = `${escaped(db)}/${escaped(table)}`;
}

/** Database and table as they stand in GigAPI's keys, in the partition of the call: its hash tag is put before the table, unless it is there. */
function place(db: string, table: string): string {
  remember(db, table);
  return lastPlace;
}

/** The files of a first folder (for most tables, of a day): path → entry. */
export function filesKey(db: string, table: string, firstFolder: string): string {
  return `files:${place(db, table)}:${firstFolder}`;
}

/** All folders of a table: folder → how many files are in it. */
export function foldersKey(db: string, table: string): string {
  return `folders:${place(db, table)}`;
}

/** A queue of merge plans, one for each folder, iteration, layer and writer; IDLE or PROCESSING follows. */
export function mergeQueue(
  db: string,
  table: string,
  iteration: string,
  folder: string,
  layer: string,
  writer: string,
): string {
  return `merge:${place(db, table)}:${iteration}:${folder}:${layer}:${writer}`;
}

/** The queue of files that move to the next layer; IDLE or PROCESSING follows. */
export function moveQueue(db: string, table: string, layer: string, writer: string): string {
  return `move:${place(db, table)}:${layer}:${writer}`;
}

/** The queue of files to be removed from their layer; IDLE or PROCESSING follows. */
export function dropQueue(db: string, table: string, layer: string, writer: string): string {
  return `drop:${place(db, table)}:${layer}:${writer}`;
}

/** The id of a table in our own keys. */
function idOf(db: string, table: string): string {
  remember(db, table);
  return lastId;
}

/** Configuration, counter of ids and marks of a table. */
export function tableKey(db: string, table: string): string {
  return key("H", "METADATA.TABLE", "", idOf(db, table), "", "");
}

/** Merge queues of an iteration, layer and writer: folder → the time (s) from which the queue may have a plan to give out. */
export function queuesKey(db: string, table: string, iteration: string, layer: string, writer: string): string {
  const id = `${idOf(db, table)}/${escaped(iteration)}/${escaped(layer)}/${escaped(writer)}`;
  return key("SS", "METADATA.QUEUES", "", id, "", "");
}

/** Where a plan that was given out is found: its queue and its text, as JSON. Clients' ids are unique in a table at best. */
export function leaseKey(db: string, table: string, planId: string): string {
  return key("J", "METADATA.LEASE", "", `${idOf(db, table)}/${escaped(planId)}`, "", "");
}

/** Who plans in a table: kind, iteration, layer and writer of each queue or group of queues. */
export function plannersKey(db: string, table: string): string {
  return key("SS", "METADATA.PLANNERS", "", idOf(db, table), "", "");
}

/** Plans that nobody can read, with their queues. */
export function unreadableKey(db: string, table: string): string {
  return key("L", "METADATA.UNREADABLE", "", idOf(db, table), "", "");
}

/** How far the rebuilding of our own keys has come. */
export function rebuildKey(): string {
  return key("H", "METADATA.REBUILD", "", "", "", "");
}

/**
 * Paths that are to be taken as if they were in no plan that waits in a queue: they stand too far from its end to be
 * looked for when their file was deleted.
 *
 * @param queue its name, without IDLE
 */
export function goneKey(queue: string): string {
  return key("S", "METADATA.GONE", "", redis.sha1hex(queue), "", "");
}

/** Names of all databases. */
export function databasesKey(): string {
  return key("SS", "METADATA.DATABASES", "", "", "", "");
}

/** Names of the tables of a database. */
export function tablesKey(db: string): string {
  return key("SS", "METADATA.TABLES", "", escaped(db), "", "");
}

/** First folders of a table. */
export function firstFoldersKey(db: string, table: string): string {
  return key("SS", "METADATA.FOLDERS", "", idOf(db, table), "", "");
}

/** First folder → earliest and latest time of its files. */
export function boundsKey(db: string, table: string): string {
  return key("H", "METADATA.BOUNDS", "", idOf(db, table), "", "");
}

/** Folder → earliest and latest time of its files, and how many there were, for the folders of a first folder. */
export function spansKey(db: string, table: string, firstFolder: string): string {
  return key("H", "METADATA.SPANS", "", `${idOf(db, table)}/${escaped(firstFolder)}`, "", "");
}
