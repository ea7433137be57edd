/** Three days of data files, one every 15 seconds, as an ingester of GigAPI would write them. */
import type { NewEntry } from "../../host/metadata/entries";
import { seededRandom, type Random } from "../tracker/random";
import { DAY_MS } from "../../host/runtime/time";

const FILE_MS = 15_000;
const NS_PER_MS = 1_000_000n;
const BYTES = 1_000_000;
export const WRITER = "ingester";
export const HOT = "hot";
export const COLD = "cold";

/** A file that is written whole. */
export type DataFile = Required<NewEntry>;

/**
 * Makes the files of three days: 17,280 of a million bytes each.
 *
 * @param fromMs midnight of the first day, unix milliseconds
 * @param seed equal seeds give equal files
 * @returns in the order of time
 */
export function makeFiles(fromMs: number, seed: number): DataFile[] {
  const random = seededRandom(seed);
  return Array.from({ length: (3 * DAY_MS) / FILE_MS }, (_, at) => fileOf(fromMs + at * FILE_MS, random));
}

function fileOf(fromMs: number, random: Random): DataFile {
  const minTime = BigInt(fromMs) * NS_PER_MS;
  const maxTime = BigInt(fromMs + FILE_MS) * NS_PER_MS - 1n;
  const spans = [spanId(random), spanId(random)].sort((a, b) => (a < b ? -1 : 1));
  return {
    path: `${folderOf(fromMs)}/${uuidOf(random)}.1.parquet`,
    layer: HOT,
    writerId: WRITER,
    sizeBytes: BYTES,
    rowCount: 500 + Math.floor(random() * 1000),
    minTime,
    maxTime,
    chunkTime: maxTime,
    min: { span_id: spans[0]! },
    max: { span_id: spans[1]! },
  };
}

/** The folder of an hour. */
export function folderOf(ms: number): string {
  const [date, time] = new Date(ms).toISOString().split("T");
  return `date=${date}/hour=${time!.slice(0, 2)}`;
}

/** 63 bits: more than a number holds. */
function spanId(random: Random): bigint {
  return (BigInt(Math.floor(random() * 2 ** 31)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
}

function uuidOf(random: Random): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join("-");
}
