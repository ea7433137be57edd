/**
 * Files that a call touches: the entry that is stored of each, the entry that will be, and how many files a folder
 * has.
 */
import { inChunks } from "../../runtime/chunks";
import { fail, quote } from "../../runtime/errors";
import { onKey } from "../../runtime/types";
import { noteFiles, noteGone, requireFolders } from "../folders";
import { filesKey, foldersKey } from "../names";
import { compareNs, earlierNs, laterNs } from "../nanoseconds";
import { noteSpan, requireSpans } from "../spans";
import { decodeEntry, timesOf } from "../stored";
import { requireIteration, splitPath, type Entry } from "./entry";
import type { QueuedFile, QueueEdit } from "./queue-edits";

/** A file that a call touches. */
export interface File extends QueuedFile {
  folder: Folder;
  /** As its name tells; -1 where it does not. */
  iteration: number;
  /** Whether it was in the index before the call. */
  wasStored: boolean;
  /** The entry that is there now, as text; undefined for none. */
  text: string | undefined;
  /** The same, decoded when it is needed. */
  entry: Entry | undefined;
}

/** A folder that a call touches. */
export interface Folder {
  home: FirstFolder;
  name: string;
  /** How many files it had, and how many it gains. */
  had: number;
  gain: number;
  /** From when to when the files are that were added; empty if none was. */
  minNs: string;
  maxNs: string;
  /** The merge queue that the last of its files was looked up in, and the iteration of that: most files go into one. */
  lastMerge: QueueEdit | undefined;
  lastIteration: number;
}

/** A first folder of a table, and the files in it that a call touches. */
interface FirstFolder {
  table: Table;
  name: string;
  /** How many files are stored in it. */
  size: number;
  files: File[];
  /** Lists of path and entry in turn, of files that are known to be new. */
  fresh: string[][];
  folders: Folder[];
}

/** A table that a call touches. */
interface Table {
  db: string;
  table: string;
  firstFolders: FirstFolder[];
  folders: Folder[];
  firstByName: LuaMap<string, FirstFolder>;
  folderByName: LuaMap<string, Folder>;
  fileByPath: LuaMap<string, File>;
}

/** All tables that a call touches. */
export interface Touched {
  tables: Table[];
  byKey: LuaMap<string, Table>;
  /** Most calls are of one table. */
  last: Table | undefined;
}

/** Nothing touched yet. */
export function nothingTouched(): Touched {
  return { tables: [], byKey: new LuaMap(), last: undefined };
}

/** A table that the call touches, or begins to touch. */
export function tableOf(touched: Touched, db: string, table: string): Table {
  const { last } = touched;
  if (last !== undefined && last.db === db && last.table === table) return last;
  const name = foldersKey(db, table);
  let found = touched.byKey.get(name);
  if (found === undefined) {
    found = {
      db,
      table,
      firstFolders: [],
      folders: [],
      firstByName: new LuaMap(),
      folderByName: new LuaMap(),
      fileByPath: new LuaMap(),
    };
    touched.byKey.set(name, found);
    touched.tables.push(found);
  }
  touched.last = found;
  return found;
}

/** A folder that the call touches, or begins to touch. */
export function folderOf(table: Table, name: string): Folder {
  const known = table.folderByName.get(name);
  if (known !== undefined) return known;
  const [first] = string.match(name, "^[^/]+");
  let home = table.firstByName.get(first!);
  if (home === undefined) {
    home = { table, name: first!, size: 0, files: [], fresh: [], folders: [] };
    table.firstByName.set(first!, home);
    table.firstFolders.push(home);
  }
  const folder = { home, name, had: 0, gain: 0, minNs: "", maxNs: "", lastMerge: undefined, lastIteration: 0 };
  table.folderByName.set(name, folder);
  table.folders.push(folder);
  home.folders.push(folder);
  return folder;
}

/** Notes that a call touches the file of the entry that was read last. BADARG if its path is malformed. */
export function touch(touched: Touched, entry: Entry): File {
  const { path } = entry;
  const table = tableOf(touched, entry.database, entry.table);
  const known = table.fileByPath.get(path);
  if (known !== undefined) {
    requireIteration(entry.cmd, path, known.iteration);
    return known;
  }
  const [name, iteration] = splitPath(entry);
  const folder = folderOf(table, name);
  const file: File = {
    path,
    folder,
    iteration,
    wasStored: false,
    text: undefined,
    entry: undefined,
    plan: undefined,
    at: 0,
  };
  table.fileByPath.set(path, file);
  const { files } = folder.home;
  files[files.length] = file;
  return file;
}

/**
 * Reads what decides where a file is planned from an entry that is in the index. What others wrote there may lack
 * anything.
 */
function parseStored(text: string): Entry {
  const entry = (decodeEntry(text) ?? {}) as unknown as Entry;
  if (type(entry.layer) !== "string") entry.layer = "";
  if (type(entry.writer_id) !== "string") entry.writer_id = "";
  const { size_bytes: size } = entry;
  if (type(size) !== "number" || size !== size) entry.size_bytes = 0;
  return entry;
}

/** The entry that a file has now; only for one that has. */
export function entryOf(file: File): Entry {
  file.entry ??= parseStored(file.text!);
  return file.entry;
}

/** The key of a first folder's files. */
export function keyOf({ table, name }: FirstFolder): string {
  return filesKey(table.db, table.table, name);
}

function loadFiles(home: FirstFolder, name: string): void {
  const { table, files } = home;
  home.size = onKey("HLEN", name);
  // Nothing is there of a day that begins.
  if (home.size === 0) return;
  const paths: string[] = [];
  for (const at of $range(1, files.length)) paths[at - 1] = files[at - 1]!.path;
  inChunks(paths, (part) => {
    const stored = redis.call("HMGET", name, ...part);
    for (const at of $range(1, part.length)) {
      const text = stored[at - 1]!;
      if (text !== false) {
        const file = table.fileByPath.get(part[at - 1]!)!;
        file.wasStored = true;
        file.text = text;
      }
    }
  });
}

function loadCounts({ db, table, folders, folderByName }: Table): void {
  const name = foldersKey(db, table);
  const wanted: string[] = [];
  for (const each of folders) wanted.push(each.name);
  inChunks(wanted, (part) => {
    const stored = onKey("HMGET", name, ...part);
    for (const at of $range(1, part.length)) {
      const folder = part[at - 1]!;
      const text = stored[at - 1]!;
      const count = text === false ? 0 : tonumber(text);
      if (count === undefined)
        fail("CONFLICT", `${name} has ${quote(`${text}`)} for how many files are in ${quote(folder)}`);
      folderByName.get(folder)!.had = count;
    }
  });
}

/** Reads what is stored of all files that are touched. CONFLICT, naming the key, if one holds a foreign type. */
export function load({ tables }: Touched): void {
  for (const each of tables) {
    requireFolders(each.db, each.table);
    loadCounts(each);
    for (const first of each.firstFolders) {
      requireSpans(each.db, each.table, first.name);
      loadFiles(first, keyOf(first));
    }
  }
}

/** Widens the times of what was added to a folder. */
export function widen(folder: Folder, minNs: string, maxNs: string): void {
  if (folder.minNs === "" || compareNs(minNs, folder.minNs) < 0) folder.minNs = minNs;
  if (folder.maxNs === "" || compareNs(maxNs, folder.maxNs) > 0) folder.maxNs = maxNs;
}

/** Gives a file the entry of an ADD. */
export function put(file: File, entry: Entry, text: string): void {
  file.text = text;
  file.entry = entry;
  let minNs = entry.str_min_time;
  let maxNs = entry.str_max_time;
  if (minNs === undefined || minNs === "" || maxNs === undefined || maxNs === "") [minNs, maxNs] = timesOf(text);
  widen(file.folder, minNs, maxNs);
}

/** Writes the entries of a first folder. */
function writeEntries({ files, fresh }: FirstFolder, name: string): LuaMultiReturn<[added: number, removed: number]> {
  const changed: string[] = [];
  const gone: string[] = [];
  let size = 0;
  let added = 0;
  for (const { path, text, entry, wasStored } of files) {
    if (text === undefined) {
      if (wasStored) gone.push(path);
    } else if (entry !== undefined) {
      changed[size] = path;
      changed[size + 1] = text;
      size += 2;
      if (!wasStored) added += 1;
    }
  }
  for (const each of fresh) {
    inChunks(each, (part) => redis.call("HSET", name, ...part));
    added += each.length / 2;
  }
  inChunks(changed, (part) => redis.call("HSET", name, ...part));
  inChunks(gone, (part) => redis.call("HDEL", name, ...part));
  return $multi(added, gone.length);
}

function writeCounts({ db, table, folders }: Table): void {
  const key = foldersKey(db, table);
  const changed: string[] = [];
  const gone: string[] = [];
  for (const { name, had, gain } of folders) {
    if (gain !== 0 && had + gain > 0) {
      changed.push(name);
      changed.push(string.format("%.0f", had + gain));
    } else if (gain !== 0) {
      gone.push(name);
    }
  }
  inChunks(changed, (part) => redis.call("HSET", key, ...part));
  inChunks(gone, (part) => redis.call("HDEL", key, ...part));
}

/** Notes the times of what was added to a first folder, and that files are gone from it. */
function writeTimes({ table, name, folders }: FirstFolder, added: number, removed: number): void {
  let minNs = "";
  let maxNs = "";
  for (const folder of folders) {
    if (folder.minNs !== "") {
      minNs = minNs === "" ? folder.minNs : earlierNs(minNs, folder.minNs);
      maxNs = maxNs === "" ? folder.maxNs : laterNs(maxNs, folder.maxNs);
    }
    if (folder.minNs !== "" || folder.gain !== 0) {
      noteSpan(
        table.db,
        table.table,
        name,
        folder.name,
        folder.had,
        folder.had + folder.gain,
        folder.minNs,
        folder.maxNs,
      );
    }
  }
  if (minNs !== "") noteFiles(table.db, table.table, name, minNs, maxNs, added);
  if (removed > 0) noteGone(table.db, table.table, name);
}

/** Writes all files that are touched, how many there are, and the registries of folders. */
export function writeFiles({ tables }: Touched): void {
  for (const each of tables) {
    writeCounts(each);
    for (const first of each.firstFolders) {
      const [added, removed] = writeEntries(first, keyOf(first));
      writeTimes(first, added, removed);
    }
  }
}
