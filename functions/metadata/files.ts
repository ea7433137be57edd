/** Files that a call touches: what is stored of each, what will be, and how many there are in a folder. */
import { inChunks } from "../runtime/chunks";
import { fail, quote } from "../runtime/errors";
import { onKey } from "../runtime/types";
import { parseStored, type Entry } from "./entry";
import type { Spot } from "./drafts";
import { noteFiles, noteGone, requireFolders } from "./folders";
import { filesKey, foldersKey } from "./names";
import { earlierNs, laterNs } from "./nanoseconds";

/** A file that a call touches. */
export interface File {
  home: FirstFolder;
  path: string;
  folder: string;
  /** As its name tells, from 1; 0 where it does not. */
  iteration: number;
  /** The entry that was there before the call. */
  stored: string | false;
  /** The entry that is there now; undefined for none. What follows is that entry's. */
  text: string | undefined;
  layer: string;
  writer: string;
  sizeBytes: number;
  /** Where it stands in a plan that was not given out, if that is known. */
  spot: Spot | undefined;
}

/** A first folder of a table, and the files in it that a call touches. */
interface FirstFolder {
  table: Table;
  name: string;
  paths: string[];
  files: LuaMap<string, File>;
  /** From when to when the files are that were added. */
  minNs: string;
  maxNs: string;
}

/** A table that a call touches. */
export interface Table {
  db: string;
  table: string;
  firstFolders: FirstFolder[];
  byName: LuaMap<string, FirstFolder>;
  /** Folders in the order in which they were met, with how many files they gain. */
  folders: string[];
  gains: LuaMap<string, number>;
  /** How many files they had. */
  counts: LuaMap<string, number>;
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

function tableOf(touched: Touched, { db, table }: Entry): Table {
  const { last } = touched;
  if (last !== undefined && last.db === db && last.table === table) return last;
  const name = foldersKey(db, table);
  let found = touched.byKey.get(name);
  if (found === undefined) {
    found = { db, table, firstFolders: [], byName: new LuaMap(), folders: [], gains: new LuaMap(), counts: new LuaMap() };
    touched.byKey.set(name, found);
    touched.tables.push(found);
  }
  touched.last = found;
  return found;
}

function firstFolderOf(table: Table, name: string): FirstFolder {
  let found = table.byName.get(name);
  if (found === undefined) {
    found = { table, name, paths: [], files: new LuaMap(), minNs: "", maxNs: "" };
    table.byName.set(name, found);
    table.firstFolders.push(found);
  }
  return found;
}

/** Notes that a call touches the file of an entry. */
export function touch(touched: Touched, entry: Entry): File {
  const table = tableOf(touched, entry);
  const home = firstFolderOf(table, entry.firstFolder);
  const { path, folder, iteration } = entry;
  const known = home.files.get(path);
  if (known !== undefined) return known;
  if (!table.gains.has(folder)) {
    table.gains.set(folder, 0);
    table.folders.push(folder);
  }
  const file: File = { home, path, folder, iteration, stored: false, text: undefined, layer: "", writer: "", sizeBytes: 0, spot: undefined };
  home.files.set(path, file);
  home.paths.push(path);
  return file;
}

function keyOf({ table, name }: FirstFolder): string {
  return filesKey(table.db, table.table, name);
}

function loadFiles({ paths, files }: FirstFolder, name: string): void {
  inChunks(paths, (part) => {
    const stored = onKey("HMGET", name, ...part);
    for (const at of $range(1, part.length)) {
      const text = stored[at - 1]!;
      if (text !== false) {
        const file = files.get(part[at - 1]!)!;
        const { layer, writer, sizeBytes } = parseStored(text);
        file.stored = text;
        file.text = text;
        file.layer = layer;
        file.writer = writer;
        file.sizeBytes = sizeBytes;
      }
    }
  });
}

function loadCounts({ db, table, folders, counts }: Table): void {
  const name = foldersKey(db, table);
  inChunks(folders, (part) => {
    const stored = onKey("HMGET", name, ...part);
    for (const at of $range(1, part.length)) {
      const count = stored[at - 1]!;
      const counted = count === false ? 0 : tonumber(count);
      if (counted === undefined) fail("CONFLICT", `${name} has ${quote(`${count}`)} for how many files are in ${quote(part[at - 1]!)}`);
      counts.set(part[at - 1]!, counted);
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

/** Counts a file more or less in its folder. */
export function count({ home, folder }: File, by: number): void {
  const { gains } = home.table;
  gains.set(folder, gains.get(folder)! + by);
}

/** Gives a file the entry of an ADD. */
export function put(file: File, { text, sizeBytes, minNs, maxNs }: Entry, layer: string, writer: string): void {
  const { home } = file;
  file.text = text;
  file.layer = layer;
  file.writer = writer;
  file.sizeBytes = sizeBytes;
  home.minNs = home.minNs === "" ? minNs : earlierNs(home.minNs, minNs);
  home.maxNs = home.maxNs === "" ? maxNs : laterNs(home.maxNs, maxNs);
}

/** Writes the files of a first folder; how many are new, how many changed, and how many are gone. */
function writeFiles({ paths, files }: FirstFolder, name: string): LuaMultiReturn<[added: number, written: number, removed: number]> {
  const changed: string[] = [];
  const gone: string[] = [];
  let added = 0;
  for (const path of paths) {
    const { stored, text } = files.get(path)!;
    if (text === undefined) {
      if (stored !== false) gone.push(path);
    } else if (text !== stored) {
      changed.push(path);
      changed.push(text);
      if (stored === false) added += 1;
    }
  }
  inChunks(changed, (part) => redis.call("HSET", name, ...part));
  inChunks(gone, (part) => redis.call("HDEL", name, ...part));
  return $multi(added, changed.length / 2, gone.length);
}

function writeCounts({ db, table, folders, gains, counts }: Table): void {
  const name = foldersKey(db, table);
  const changed: string[] = [];
  const gone: string[] = [];
  for (const folder of folders) {
    const gain = gains.get(folder)!;
    const after = counts.get(folder)! + gain;
    if (gain !== 0 && after > 0) {
      changed.push(folder);
      changed.push(string.format("%.0f", after));
    } else if (gain !== 0) {
      gone.push(folder);
    }
  }
  inChunks(changed, (part) => redis.call("HSET", name, ...part));
  inChunks(gone, (part) => redis.call("HDEL", name, ...part));
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
