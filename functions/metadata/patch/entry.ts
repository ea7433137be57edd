/** Entries as clients send them, checked before anything is written. */
import { clock } from "../../runtime/clock";
import { fail, quote } from "../../runtime/errors";
import type { Configuration } from "../configuration";
import { isNs } from "../nanoseconds";
import { decodeNext, newSeries, type Series } from "./alike-entries";

/** What a call asks for. */
export interface Call {
  configuration: Configuration;
  /** The clock of the call in seconds, once it was read; see `clockOf`. */
  nowS: number | undefined;
  /** What the caller says of it, in milliseconds. */
  now: number | undefined;
  /** The entries as text; empty ones do not count. */
  given: string[];
  /** The table of the call, where it has one; otherwise entries name theirs. */
  place: { db: string; table: string } | undefined;
}

/**
 * An entry, as it is decoded: the checked fields have these types, other fields do not concern us. Decoding takes much
 * of the time of a call, so the decoded record is the entry, and no other is made of it.
 */
export interface Entry {
  cmd: "ADD" | "DELETE" | undefined;
  database: string;
  table: string;
  path: string;
  /** Undefined where a DELETE leaves it to the entry that is there, as with writer_id. */
  layer: string | undefined;
  writer_id: string | undefined;
  /** The rest is checked in an ADD only. */
  size_bytes: number;
  str_min_time: string | undefined;
  str_max_time: string | undefined;
  str_chunk_time: string | undefined;
}

/** How the entries of a call are read. */
interface Reader {
  call: Call;
  series: Series;
  /** The entry that was read last: what the next has alike needs no second look. */
  last: Entry | undefined;
  /** Whether that has all names as the one before it. */
  isLikeLast: boolean;
}

/** The clock of a call in seconds; a call that only joins open plans needs none. */
export function clockOf(call: Call): number {
  call.nowS ??= Math.floor(clock(call.now) / 1000);
  return call.nowS;
}

/**
 * Nothing read yet.
 *
 * @param series what is known of such entries, if anything is
 */
export function newReader(call: Call, series = newSeries()): Reader {
  return { call, series, last: undefined, isLikeLast: false };
}

/** Which entry of the call is looked at, for errors. */
let index = 0;

/** Times that were found sound last: a file may begin where the one before ends, and many have a chunk in common. */
let soundEnd: unknown = "0";
let soundChunk: unknown = "0";

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === cjson.null) return "null";
  if (type(value) === "table") return "an object";
  return type(value) === "string" ? quote(value as string) : tostring(value);
}

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

/** Text that may be left out; null is as good. */
function textOf(field: string, value: unknown, ifAbsent: string | undefined): string | undefined {
  if (value === undefined || value === cjson.null) return ifAbsent;
  if (type(value) !== "string") refuse(`${field} must be text`, value);
  return value as string;
}

function requireTime(field: string, value: unknown): void {
  if (value === undefined || value === "") return;
  if (type(value) !== "string" || !isNs(value as string)) refuse(`${field} must be nanoseconds as decimal text`, value);
}

/** Whether all names of two entries are the same. */
function areAlike(entry: Entry, { cmd, database, table, layer, writer_id: writer }: Entry): boolean {
  return (
    entry.database === database &&
    entry.table === table &&
    entry.layer === layer &&
    entry.writer_id === writer &&
    entry.cmd === cmd
  );
}

/** The names of an entry, in its fields. */
function requireNames(entry: Entry, { configuration, place }: Call): void {
  const { layers } = configuration;
  const { cmd } = entry;
  const isDelete = cmd === "DELETE";
  if (!isDelete && cmd !== "ADD" && cmd !== undefined) refuse("cmd must be ADD or DELETE", cmd);
  entry.database = nameOf("database", entry.database, place?.db);
  entry.table = nameOf("table", entry.table, place?.table);
  const ifAbsent = isDelete ? undefined : "";
  entry.layer = textOf("layer", entry.layer, ifAbsent);
  // What a DELETE names is found by its path: its layer may be one that the configuration had before.
  if (!isDelete && !layers.has(entry.layer!)) refuse("layer must be one of the configured layers", entry.layer);
  entry.writer_id = textOf("writer_id", entry.writer_id, ifAbsent);
}

/**
 * Reads an entry. What it answers holds until the next one is read; `keep` makes it last.
 *
 * @param at its place in the call, from 0
 *
 * Errors: BADARG, naming the place, the field and its value.
 */
export function parseEntry(reader: Reader, text: string, at: number): Entry {
  index = at;
  const decoded = decodeNext(reader.series, text);
  if (decoded === undefined) refuse("an entry must be a JSON object", text);
  const entry = decoded as unknown as Entry;
  const { last } = reader;
  if (entry === last) {
    reader.isLikeLast = true;
  } else {
    reader.isLikeLast = last !== undefined && areAlike(entry, last);
    if (!reader.isLikeLast) requireNames(entry, reader.call);
    reader.last = entry;
  }
  if (type(entry.path) !== "string") refuse("path must be text", entry.path);
  if (entry.cmd === "DELETE") return entry;
  const { size_bytes: size } = entry;
  // Not a number, which cjson takes, is neither less nor more.
  if (type(size) !== "number" || !(size >= 0) || size === math.huge)
    refuse("size_bytes must be a number of 0 or more", size);
  const { str_min_time: minNs, str_max_time: maxNs, str_chunk_time: chunkNs } = entry;
  if (minNs !== soundEnd) requireTime("str_min_time", minNs);
  if (maxNs !== soundEnd) requireTime("str_max_time", maxNs);
  if (chunkNs !== soundChunk) requireTime("str_chunk_time", chunkNs);
  soundEnd = maxNs;
  soundChunk = chunkNs;
  return entry;
}

/** An entry that was read, so that it stays what it is when others are read. */
export function keep({ series }: Reader, entry: Entry): Entry {
  if ((entry as unknown) !== series.record) return entry;
  const { cmd, database, table, path, layer, writer_id, size_bytes, str_min_time, str_max_time, str_chunk_time } =
    entry;
  return { cmd, database, table, path, layer, writer_id, size_bytes, str_min_time, str_max_time, str_chunk_time };
}

/**
 * Takes the path of the entry that was read last apart.
 *
 * @returns everything before its last slash, and the iteration that the name tells, -1 where it tells none
 *
 * Errors: BADARG, naming the place of the entry.
 */
export function splitPath({ path, cmd }: Entry): LuaMultiReturn<[folder: string, iteration: number]> {
  const [folder, iteration] = string.match(path, "^([^/].*)/[^/]+%.(%d+)%.parquet$");
  if (folder !== undefined && iteration!.length <= 9) return $multi(folder, tonumber(iteration)!);
  requireIteration(cmd, path, -1);
  const [directory] = string.match(path, "^([^/].*)/[^/]+$");
  if (directory === undefined) refuse("path must be <folder>/<name>", path);
  return $multi(directory, -1);
}

/** Fails with BADARG unless a file of this iteration can be added. */
export function requireIteration(cmd: Entry["cmd"], path: string, iteration: number): void {
  if (iteration < 0 && cmd !== "DELETE") refuse("path must be <folder>/<name>.<iteration>.parquet", path);
}
