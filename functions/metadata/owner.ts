/**
 * Whose a key is. Names of databases, tables, layers and writers may have colons, so a key that others wrote cannot
 * simply be taken apart: what it holds names its owner, and our own registries know the tables that we have seen.
 */
import { currentPartition } from "../runtime/keys";
import { firstFolderOf } from "./folders";
import { dropQueue, filesKey, foldersKey, IDLE, mergeQueue, moveQueue, PROCESSING, tablesKey } from "./names";
import { fileQueueOf, mergeQueueOf, type PlanKind, type Queue } from "./queues";
import { decodeEntry } from "./stored";

/** Of a list, so many plans are tried until one tells whose it is. */
const MOST_TRIED = 10;

/** A table, by its parts. */
interface Owner {
  db: string;
  table: string;
}

function textOf(value: unknown): string | undefined {
  return type(value) === "string" ? (value as string) : undefined;
}

/** Every way to take a text with colons apart in two. */
function splits(joined: string): [string, string][] {
  const found: [string, string][] = [];
  let [colon] = string.find(joined, ":", 1, true);
  while (colon !== undefined) {
    found.push([string.sub(joined, 1, colon - 1), string.sub(joined, colon + 1)]);
    [colon] = string.find(joined, ":", colon + 1, true);
  }
  return found;
}

/** A table's name without the hash tag that we put before it in a partition. */
function withoutTag(table: string): string {
  const tag = currentPartition();
  return tag !== "" && string.sub(table, 1, tag.length) === tag ? string.sub(table, tag.length + 1) : table;
}

/** Whether a place, `db:table` as it stands in GigAPI's keys, is that of a table in the partition of the call. */
function isAt(place: string, { db, table }: Owner): boolean {
  return db !== "" && table !== "" && foldersKey(db, table) === `folders:${place}`;
}

/** What an object says of its table; undefined unless that is at the place. */
function ownerSaid(place: string, said: { database?: unknown; table?: unknown } | undefined): Owner | undefined {
  const db = textOf(said?.database);
  const table = textOf(said?.table);
  if (db === undefined || table === undefined) return undefined;
  return isAt(place, { db, table }) ? { db, table } : undefined;
}

/**
 * The table at a place: as an object of it says, or the registry, or the only one there can be; undefined if that cannot
 * be told, or it is in another partition.
 */
function ownerOf(place: string, said: { database?: unknown; table?: unknown } | undefined): Owner | undefined {
  const named = ownerSaid(place, said);
  if (named !== undefined) return named;
  const possible: Owner[] = [];
  for (const [db, rest] of splits(place)) {
    const owner = { db, table: withoutTag(rest) };
    if (isAt(place, owner)) {
      if (redis.call("ZSCORE", tablesKey(owner.db), owner.table) !== false) return owner;
      possible.push(owner);
    }
  }
  return possible.length === 1 ? possible[0] : undefined;
}

/** A field of a hash and its value; nothing if it is empty or no hash. */
function anyOf(name: string): string[] {
  return redis.call("TYPE", name).ok === "hash" ? redis.call("HRANDFIELD", name, "1", "WITHVALUES") : [];
}

/** The table whose folders a key counts. */
export function ownerOfFolders(name: string): Owner | undefined {
  const place = string.sub(name, "folders:".length + 1);
  const [folder] = anyOf(name);
  if (folder === undefined) return undefined;
  const [, stored] = anyOf(`files:${place}:${firstFolderOf(folder)}`);
  return ownerOf(place, stored === undefined ? undefined : decodeEntry(stored));
}

/** The table and the first folder whose files a key holds, by one of them. */
export function ownerOfFiles(name: string): (Owner & { first: string }) | undefined {
  const [path, stored] = anyOf(name);
  if (path === undefined || stored === undefined) return undefined;
  const first = firstFolderOf(path);
  const place = string.sub(name, "files:".length + 1, -first.length - 2);
  const owner = ownerOf(place, decodeEntry(stored));
  if (owner === undefined || filesKey(owner.db, owner.table, first) !== name) return undefined;
  return { db: owner.db, table: owner.table, first };
}

/** Layer and writer, joined as in a key: as the entry of a file says, or as they can only be. */
function layerAndWriter(joined: string, stored: string | false): [string, string] | undefined {
  const entry = stored === false ? undefined : decodeEntry(stored);
  const layer = textOf(entry?.layer) ?? "";
  const writer = textOf(entry?.writer_id) ?? "";
  if (`${layer}:${writer}` === joined) return [layer, writer];
  const possible = splits(joined);
  return possible.length === 1 ? possible[0] : undefined;
}

/** The merge queue of a name, by a path in one of its plans. */
function mergeQueueBy(name: string, path: string): Queue | undefined {
  const [folder, iteration] = string.match(path, "^(.+)/[^/]+%.(%d+)%.parquet$");
  if (folder === undefined) return undefined;
  const middle = `:${iteration}:${folder}:`;
  const [from, to] = string.find(name, middle, 1, true);
  if (from === undefined) return undefined;
  const place = string.sub(name, "merge:".length + 1, from - 1);
  const stored = redis.pcall("HGET", `files:${place}:${firstFolderOf(path)}`, path);
  const entry = type(stored) === "string" ? (stored as string) : false;
  const owner = ownerOf(place, entry === false ? undefined : decodeEntry(entry));
  const names = layerAndWriter(string.sub(name, to + 1), entry);
  if (owner === undefined || names === undefined) return undefined;
  const [layer, writer] = names;
  if (mergeQueue(owner.db, owner.table, iteration!, folder, layer, writer) !== name) return undefined;
  return mergeQueueOf(owner.db, owner.table, iteration!, folder, layer, writer);
}

/** The move or drop queue of a name, by one of its plans, or as it can only be. */
function fileQueueBy(kind: "move" | "drop", name: string, plan: Record<string, unknown>): Queue | undefined {
  const db = textOf(plan["database"]) ?? "";
  const table = textOf(plan["table"]) ?? "";
  const layer = textOf(plan[kind === "move" ? "layer_from" : "layer"]) ?? "";
  const writer = textOf(plan["writer_id"]) ?? "";
  const named = kind === "move" ? moveQueue(db, table, layer, writer) : dropQueue(db, table, layer, writer);
  if (named === name) return fileQueueOf(kind, db, table, layer, writer);
  const [onlyDb, onlyTable, onlyLayer, onlyWriter] = string.match(name, "^%a+:([^:]+):([^:]+):([^:]*):([^:]*)$");
  if (onlyDb === undefined || ownerOf(`${onlyDb}:${onlyTable}`, undefined) === undefined) return undefined;
  return fileQueueOf(kind, onlyDb, withoutTag(onlyTable!), onlyLayer!, onlyWriter!);
}

/** The queue that a list of plans belongs to; undefined if none of its first plans tells. */
export function ownerOfPlans(kind: PlanKind, list: string): Queue | undefined {
  const isIdle = string.sub(list, -IDLE.length) === IDLE;
  const name = string.sub(list, 1, -(isIdle ? IDLE : PROCESSING).length - 1);
  for (const text of redis.call("LRANGE", list, "0", `${MOST_TRIED - 1}`)) {
    const plan = decodeEntry(text);
    let found: Queue | undefined;
    if (plan !== undefined && kind !== "merge") found = fileQueueBy(kind, name, plan);
    const paths = plan?.["paths"];
    if (kind === "merge" && type(paths) === "table") {
      const path = textOf((paths as unknown[])[0]);
      if (path !== undefined) found = mergeQueueBy(name, path);
    }
    if (found !== undefined) return found;
  }
  return undefined;
}
