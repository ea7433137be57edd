/** Entries of the index: what clients send, checked before anything is written. */
import { fail, quote } from "../runtime/errors";
import type { Configuration } from "./configuration";
import { isNs } from "./nanoseconds";

/** An entry of a call. */
export interface Entry {
  isDelete: boolean;
  db: string;
  table: string;
  path: string;
  /** Up to the first slash, and up to the last. */
  firstFolder: string;
  folder: string;
  /** How often the file was merged, plus one; 0 where its name does not tell. */
  iteration: number;
  /** Undefined where a DELETE leaves it to the entry that is there. */
  layer: string | undefined;
  writer: string | undefined;
  sizeBytes: number;
  minNs: string;
  maxNs: string;
  chunkNs: string | undefined;
  /** As it came. */
  text: string;
}

/** The table of a call, where it is one. */
export interface Place {
  db: string;
  table: string;
}

interface Decoded {
  cmd?: unknown;
  database?: unknown;
  table?: unknown;
  path?: unknown;
  layer?: unknown;
  writer_id?: unknown;
  size_bytes?: unknown;
  str_min_time?: unknown;
  str_max_time?: unknown;
  str_chunk_time?: unknown;
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (type(value) === "string") return quote(value as string);
  return type(value) === "table" ? "an object" : value === cjson.null ? "null" : tostring(value);
}

/** Which entry of the call is looked at, for errors. */
let index = 0;

function refuse(what: string, value: unknown): never {
  return fail("BADARG", `entry ${index}: ${what}, got ${shown(value)}`);
}

/** A name of a database or a table: that of the call, where there is one. */
function nameOf(field: string, value: unknown, ofCall: string | undefined): string {
  if (value === undefined && ofCall !== undefined) return ofCall;
  if (type(value) !== "string" || value === "") refuse(`${field} must be text that is not empty`, value);
  if (ofCall !== undefined && value !== ofCall) refuse(`${field} must be that of the call, ${quote(ofCall)}`, value);
  return value as string;
}

function textOf(field: string, value: unknown): string {
  if (value === undefined) return "";
  if (type(value) !== "string") refuse(`${field} must be text`, value);
  return value as string;
}

function timeOf(field: string, value: unknown): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (type(value) !== "string" || !isNs(value as string)) refuse(`${field} must be nanoseconds as decimal text`, value);
  return value as string;
}

function sizeOf(value: unknown): number {
  const isSize = type(value) === "number" && (value as number) >= 0 && (value as number) < math.huge;
  if (!isSize) refuse("size_bytes must be a number of 0 or more", value);
  return value as number;
}

/** Folder, first folder and iteration of a path; the last is undefined where the name does not tell it. */
export function splitPath(path: string): LuaMultiReturn<[folder: string | undefined, firstFolder: string, iteration: number | undefined]> {
  const [folder, firstFolder, iteration] = string.match(path, "^(([^/]+).*)/[^/]+%.(%d+)%.parquet$");
  if (folder !== undefined && iteration!.length <= 9) return $multi(folder, firstFolder!, tonumber(iteration));
  const [directory, first] = string.match(path, "^(([^/]+).*)/[^/]+$");
  return $multi(directory, first ?? "", undefined);
}

function layerOf(value: unknown, isDelete: boolean, { layers }: Configuration): string | undefined {
  if (value === undefined && isDelete) return undefined;
  const layer = textOf("layer", value);
  if (!layers.has(layer)) refuse("layer must be one of the configured layers", layer);
  return layer;
}

function decode(text: string): Decoded {
  const [ok, entry] = pcall(cjson.decode, text);
  if (!ok || type(entry) !== "table") refuse("an entry must be a JSON object", text);
  return entry as Decoded;
}

/**
 * Reads an entry.
 *
 * @param at its place in the call, from 0
 * @param place the table of the call, unless each entry names its own
 *
 * Errors: BADARG, naming the place, the field and its value.
 */
export function parseEntry(text: string, at: number, place: Place | undefined, configuration: Configuration): Entry {
  index = at;
  const found = decode(text);
  const { cmd, path } = found;
  if (cmd !== undefined && cmd !== "ADD" && cmd !== "DELETE") refuse("cmd must be ADD or DELETE", cmd);
  const isDelete = cmd === "DELETE";
  const db = nameOf("database", found.database, place?.db);
  const table = nameOf("table", found.table, place?.table);
  if (type(path) !== "string") refuse("path must be text", path);
  const [folder, firstFolder, iteration] = splitPath(path as string);
  if (folder === undefined) refuse("path must be <folder>/<name>", path);
  if (iteration === undefined && !isDelete) refuse("path must be <folder>/<name>.<iteration>.parquet", path);
  const layer = layerOf(found.layer, isDelete, configuration);
  const writer = found.writer_id === undefined && isDelete ? undefined : textOf("writer_id", found.writer_id);
  const entry: Entry = {
    isDelete,
    db,
    table,
    path: path as string,
    firstFolder,
    folder: folder,
    iteration: iteration ?? 0,
    layer,
    writer,
    sizeBytes: 0,
    minNs: "0",
    maxNs: "0",
    chunkNs: undefined,
    text,
  };
  if (isDelete) return entry;
  entry.sizeBytes = sizeOf(found.size_bytes);
  entry.minNs = timeOf("str_min_time", found.str_min_time) ?? "0";
  entry.maxNs = timeOf("str_max_time", found.str_max_time) ?? "0";
  entry.chunkNs = timeOf("str_chunk_time", found.str_chunk_time);
  return entry;
}

/** What of an entry that is in the index decides where its file is planned. */
export interface Stored {
  layer: string;
  writer: string;
  sizeBytes: number;
}

/** Reads an entry that is in the index. What others wrote there may lack anything. */
export function parseStored(text: string): Stored {
  const [ok, found] = pcall(cjson.decode, text);
  const { layer, writer_id: writer, size_bytes: size } = (ok && type(found) === "table" ? found : {}) as Decoded;
  return {
    layer: type(layer) === "string" ? (layer as string) : "",
    writer: type(writer) === "string" ? (writer as string) : "",
    sizeBytes: type(size) === "number" ? (size as number) : 0,
  };
}
