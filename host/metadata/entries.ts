/** Entries of the index: data files, as programs have them and as they are stored. */
import { UserError } from "../runtime/errors";
import { parseExact, stringifyExact, type ExactValue } from "./exact-json";

/** Values by column. Integers may be bigints on the way in, and are where a number could not hold them on the way out. */
export type ColumnValues = Record<string, ExactValue>;

/** A data file to be added. */
export interface NewEntry {
  /** `<folder>/<name>.<iteration>.parquet`, as in `date=2026-11-20/hour=10/a81b….1.parquet`. */
  path: string;
  /** A layer that the table is configured with. */
  layer: string;
  /** Who wrote it, and merges it; plans are given out by writer. Default the empty one. */
  writerId?: string;
  /** Bytes. */
  sizeBytes: number;
  rowCount?: number;
  /** Time of the first and the last row, nanoseconds since 1970. Default 0: without times, which a query of any time finds. */
  minTime?: bigint;
  maxTime?: bigint;
  /** When it was made, nanoseconds: from here on its layer keeps it. Default 0. */
  chunkTime?: bigint;
  /** Least and greatest value of columns. Default none. */
  min?: ColumnValues;
  max?: ColumnValues;
}

/** A file to be removed. An {@link IndexEntry} will do. */
export type RemovedEntry = Pick<NewEntry, "path" | "layer" | "writerId">;

/** A data file of the index. */
export interface IndexEntry extends Required<NewEntry> {
  database: string;
  table: string;
  /** The entry as it is stored, to the byte. */
  json: string;
}

/** A table of a database. */
export interface TableName {
  database: string;
  table: string;
}

/** The JSON of an ADD, in the fields of GigAPI's clients: times as text, their numeric twins 0. */
export function encodeAdd({ database, table }: TableName, entry: NewEntry): string {
  return stringifyExact({
    layer: entry.layer,
    database,
    table,
    path: entry.path,
    size_bytes: entry.sizeBytes,
    row_count: entry.rowCount ?? 0,
    chunk_time: 0,
    min: entry.min ?? {},
    max: entry.max ?? {},
    min_time: 0,
    max_time: 0,
    writer_id: entry.writerId ?? "",
    str_min_time: digits(entry.minTime, "minTime"),
    str_max_time: digits(entry.maxTime, "maxTime"),
    str_chunk_time: digits(entry.chunkTime, "chunkTime"),
    cmd: "ADD",
  });
}

/** The JSON of a DELETE. */
export function encodeDelete({ database, table }: TableName, { path, layer, writerId = "" }: RemovedEntry): string {
  return JSON.stringify({ layer, database, table, path, writer_id: writerId, cmd: "DELETE" });
}

/** A number would have lost its last digits before it came here. */
function digits(ns: bigint | undefined, name: string): string {
  if (ns !== undefined && typeof ns !== "bigint")
    throw new TypeError(`${name} must be a bigint of nanoseconds, got ${String(ns)}`);
  return String(ns ?? 0n);
}

/**
 * Reads a stored entry. Fields that its writer left out have their defaults.
 *
 * @throws UserError if it is no JSON object
 */
export function decodeEntry(json: string): IndexEntry {
  const stored = parseStored(json);
  const text = (name: string): string => (typeof stored[name] === "string" ? stored[name] : "");
  const count = (name: string): number => Number(stored[name] ?? 0);
  return {
    database: text("database"),
    table: text("table"),
    path: text("path"),
    layer: text("layer"),
    writerId: text("writer_id"),
    sizeBytes: count("size_bytes"),
    rowCount: count("row_count"),
    minTime: timeOf(stored, "min_time"),
    maxTime: timeOf(stored, "max_time"),
    chunkTime: timeOf(stored, "chunk_time"),
    min: (stored["min"] ?? {}) as ColumnValues,
    max: (stored["max"] ?? {}) as ColumnValues,
    json,
  };
}

function parseStored(json: string): Record<string, ExactValue> {
  try {
    const value = parseExact(json);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new UserError(`an entry of the index is no JSON object: ${json.slice(0, 200)}`);
}

/** As GigAPI's clients have it: the text if there is one, else the number. */
function timeOf(stored: Record<string, ExactValue>, name: string): bigint {
  const text = stored[`str_${name}`];
  if (typeof text === "string" && /^-?\d+$/.test(text)) return BigInt(text);
  const number = stored[name];
  if (typeof number === "bigint") return number;
  return typeof number === "number" && Number.isInteger(number) ? BigInt(number) : 0n;
}
