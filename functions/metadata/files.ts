/** Files that a call touches: what is stored of each, what will be, and how many there are in a folder. */
import { inChunks } from "../runtime/chunks";
import { fail, quote } from "../runtime/errors";
import { onKey } from "../runtime/types";
import type { Draft, Plan } from "./drafts";
import { parseStored, requireIteration, splitPath, type Entry } from "./entry";
import { noteFiles, noteGone, requireFolders } from "./folders";
import { filesKey, foldersKey } from "./names";
import { earlierNs, laterNs } from "./nanoseconds";

/** A file that a call touches. */
export interface File {
  path: string;
  folder: Folder;
  /** As its name tells; -1 where it does not. */
  iteration: number;
  /** Whether it was in the index before the call. */
  wasStored: boolean;
  /** The entry that is there now, as text; undefined for none. */
  text: string | undefined;
  /** The same, decoded when it is needed. */
  entry: Entry | undefined;
  /** The plan that it waits in, as far as that is known, and its place among the plan's paths, from 1. */
  plan: Plan | undefined;
  at: number;
}

/** A folder that a call touches. */
export interface Folder {
  home: FirstFolder;
  name: string;
  /** How many files it had, and how many it gains. */
  had: number;
  gain: number;
  /** The queue into which the last of its files went: most go into one. */
  queue: Draft | undefined;
}

/** A first folder of a table, and the files in it that a call touches. */
interface FirstFolder {
  table: Table;
  name: string;
  files: File[];
  /** From when to when the files are that were added. */
  minNs: string;
  maxNs: string;
}

/** A table that a call touches. */
export interface Table {
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

function tableOf(touched: Touched, db: string, table: string): Table {
  const { last } = touched;
  if (last !== undefined && last.db === db && last.table === table) return last;
  const name = foldersKey(db, table);
  let found = touched.byKey.get(name);
  if (found === undefined) {
    found = { db, table, firstFolders: [], folders: [], firstByName: new LuaMap(), folderByName: new LuaMap(), fileByPath: new LuaMap() };
    touched.byKey.set(name, found);
    touched.tables.push(found);
  }
  touched.last = found;
  return found;
}

function homeOf(table: Table, folder: string): FirstFolder {
  const [name] = string.match(folder, "^[^/]+");
  let found = table.firstByName.get(name!);
  if (found === undefined) {
    found = { table, name: name!, files: [], minNs: "", maxNs: "" };
    table.firstByName.set(name!, found);
    table.firstFolders.push(found);
  }
  return found;
}

function folderOf(table: Table, name: string): Folder {
  let found = table.folderByName.get(name);
  if (found === undefined) {
    found = { home: homeOf(table, name), name, had: 0, gain: 0, queue: undefined };
    table.folderByName.set(name, found);
    table.folders.push(found);
  }
  return found;
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
  const file: File = { path, folder, iteration, wasStored: false, text: undefined, entry: undefined, plan: undefined, at: 0 };
  table.fileByPath.set(path, file);
  const { files } = folder.home;
  files[files.length] = file;
  return file;
}

/** The entry that a file has now; only for one that has. */
export function entryOf(file: File): Entry {
  file.entry ??= parseStored(file.text!);
  return file.entry;
}

function keyOf({ table, name }: FirstFolder): string {
  return filesKey(table.db, table.table, name);
}

function loadFiles({ table, files }: FirstFolder, name: string): void {
  // Nothing is there of a day that begins.
  if (onKey("HLEN", name) === 0) return;
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
      if (count === undefined) fail("CONFLICT", `${name} has ${quote(`${text}`)} for how many files are in ${quote(folder)}`);
      folderByName.get(folder)!.had = count;
    }
  });
}

/** Reads what is stored of all files that are touched. CONFLICT, naming the key, if one holds a foreign type. */
export function load({ tables }: Touched): void {
  for (const each of tables) {
    requireFolders(each.db, each.table);
    loadCounts(each);
    for (const first of each.firstFolders) loadFiles(first, keyOf(first));
  }
}

/** Gives a file the entry of an ADD. */
export function put(file: File, entry: Entry, text: string): void {
  const { home } = file.folder;
  file.text = text;
  file.entry = entry;
  const minNs = timeOf(entry.str_min_time);
  const maxNs = timeOf(entry.str_max_time);
  home.minNs = home.minNs === "" ? minNs : earlierNs(home.minNs, minNs);
  home.maxNs = home.maxNs === "" ? maxNs : laterNs(home.maxNs, maxNs);
}

/** GigAPI's clients read a time that is not there as 0. */
function timeOf(ns: string | undefined): string {
  return ns === undefined || ns === "" ? "0" : ns;
}

/** Writes the files of a first folder. */
function writeFiles({ files }: FirstFolder, name: string): LuaMultiReturn<[added: number, written: number, removed: number]> {
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
  inChunks(changed, (part) => redis.call("HSET", name, ...part));
  inChunks(gone, (part) => redis.call("HDEL", name, ...part));
  return $multi(added, size / 2, gone.length);
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

/** Writes all files that are touched, how many there are, and the registries of folders. */
export function write({ tables }: Touched): void {
  for (const each of tables) {
    writeCounts(each);
    for (const first of each.firstFolders) {
      const [added, written, removed] = writeFiles(first, keyOf(first));
      if (written > 0) noteFiles(each.db, each.table, first.name, first.minNs, first.maxNs, added);
      if (removed > 0) noteGone(each.db, each.table, first.name);
    }
  }
}
