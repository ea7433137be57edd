/**
 * Which databases, tables and first folders there are, and from when to when the files of a first folder are: secondary
 * to `files:` and `folders:`, which clients of GigAPI write without us. What they wrote is missing here until
 * rebuild_index has passed, so a reader first asks `inStep`.
 *
 * The times of a first folder are `min max`, decimal nanoseconds, and only ever widened; `~min max` while files are known
 * to be there whose times were not yet looked at.
 */
import { requireType } from "../runtime/types";
import * as names from "./names";
import { earlierNs, isNs, laterNs } from "./nanoseconds";

/** Times of the files of a first folder, in nanoseconds. */
interface Bounds {
  minNs: string;
  maxNs: string;
  /** Whether all files that we have seen there lie within. */
  isComplete: boolean;
}

/** Field of a table's state: how many folders there were when all of their first folders were last known. */
export const KNOWN_FOLDERS = "known_folders";

const PARTIAL = "~";

/** Whether a table was in step when this call began, by the key of its folders; set before anything is written. */
const wasInStep = new LuaMap<string, boolean>();

/** The first part of a path, up to its first slash. */
export function firstFolderOf(path: string): string {
  const [slash] = string.find(path, "/", 1, true);
  return slash === undefined ? path : string.sub(path, 1, slash - 1);
}

/** Whether all first folders of a table are known: as many folders are counted as when that was last so. */
export function inStep(db: string, table: string): boolean {
  const folders = redis.call("HLEN", names.foldersKey(db, table));
  const known = redis.call("HGET", names.tableKey(db, table), KNOWN_FOLDERS);
  return folders === (known === false ? 0 : tonumber(known));
}

/**
 * Looks at a table before a call writes to it; to be called before the first write of every call that calls `noteFiles`
 * or `noteGone`.
 *
 * Errors: CONFLICT if a key of the registries holds a foreign type.
 */
export function requireFolders(db: string, table: string): void {
  const folders = names.foldersKey(db, table);
  requireType(folders, "hash");
  requireType(names.databasesKey(), "zset");
  requireType(names.tablesKey(db), "zset");
  requireType(names.firstFoldersKey(db, table), "zset");
  requireType(names.boundsKey(db, table), "hash");
  requireType(names.tableKey(db, table), "hash");
  wasInStep.set(folders, inStep(db, table));
}

/** Keeps how many folders there are now, if none was unknown before. */
function keepStep(db: string, table: string): void {
  const folders = names.foldersKey(db, table);
  if (wasInStep.get(folders) !== true) return;
  redis.call("HSET", names.tableKey(db, table), KNOWN_FOLDERS, `${redis.call("HLEN", folders)}`);
}

/** Reads bounds as they are stored; undefined if there are none, or the text is no bounds. */
export function parseBounds(stored: string | false | undefined): Bounds | undefined {
  if (stored === undefined || stored === false) return undefined;
  const [partial, minNs, maxNs] = string.match(stored, "^(~?)(%-?%d+) (%-?%d+)$");
  if (minNs === undefined || !isNs(minNs) || !isNs(maxNs!)) return undefined;
  return { minNs, maxNs: maxNs!, isComplete: partial === "" };
}

/** Stores bounds. */
export function keepBounds(db: string, table: string, firstFolder: string, { minNs, maxNs, isComplete }: Bounds): void {
  redis.call("HSET", names.boundsKey(db, table), firstFolder, `${isComplete ? "" : PARTIAL}${minNs} ${maxNs}`);
}

/** Widens the bounds of a first folder, if it has any; answers whether it has. */
export function widenBounds(db: string, table: string, firstFolder: string, minNs: string, maxNs: string): boolean {
  const found = parseBounds(redis.call("HGET", names.boundsKey(db, table), firstFolder));
  if (found === undefined) return false;
  const widened = {
    minNs: earlierNs(found.minNs, minNs),
    maxNs: laterNs(found.maxNs, maxNs),
    isComplete: found.isComplete,
  };
  if (widened.minNs !== found.minNs || widened.maxNs !== found.maxNs) keepBounds(db, table, firstFolder, widened);
  return true;
}

/** Enters a database, a table and a first folder in the registries. */
export function register(db: string, table: string, firstFolder: string): void {
  if (redis.call("ZADD", names.firstFoldersKey(db, table), "0", firstFolder) === 0) return;
  redis.call("ZADD", names.tablesKey(db), "0", table);
  redis.call("ZADD", names.databasesKey(), "0", db);
}

/**
 * To be called after files were added to a first folder: enters it in the registries and widens its bounds. Files that
 * were there before and whose times nobody has looked at leave it without bounds, until rebuild_index.
 *
 * @param minNs the earliest time of the files added
 * @param maxNs the latest
 * @param added how many of them were not there before, as HSET answers
 */
export function noteFiles(
  db: string,
  table: string,
  firstFolder: string,
  minNs: string,
  maxNs: string,
  added: number,
): void {
  register(db, table, firstFolder);
  keepStep(db, table);
  if (widenBounds(db, table, firstFolder, minNs, maxNs)) return;
  if (redis.call("HLEN", names.filesKey(db, table, firstFolder)) !== added) return;
  keepBounds(db, table, firstFolder, { minNs, maxNs, isComplete: true });
}

/** To be called after files were deleted from a first folder: forgets it, its table and its database once they are empty. */
export function noteGone(db: string, table: string, firstFolder: string): void {
  if (redis.call("EXISTS", names.filesKey(db, table, firstFolder)) === 0) forget(db, table, firstFolder);
  keepStep(db, table);
  if (redis.call("EXISTS", names.foldersKey(db, table)) === 0) forgetTable(db, table);
}

/** Takes a first folder out of the registries. */
export function forget(db: string, table: string, firstFolder: string): void {
  redis.call("ZREM", names.firstFoldersKey(db, table), firstFolder);
  redis.call("HDEL", names.boundsKey(db, table), firstFolder);
  redis.call("UNLINK", names.spansKey(db, table, firstFolder));
}

/** Takes a table that has no folders out of the registries, and its database if that was its last. */
export function forgetTable(db: string, table: string): void {
  redis.call("UNLINK", names.firstFoldersKey(db, table), names.boundsKey(db, table));
  redis.call("HDEL", names.tableKey(db, table), KNOWN_FOLDERS);
  redis.call("ZREM", names.tablesKey(db), table);
  if (redis.call("EXISTS", names.tablesKey(db)) === 0) redis.call("ZREM", names.databasesKey(), db);
}
