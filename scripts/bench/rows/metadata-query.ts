/** One hour of a month of files: what it costs the server, and what goes over the wire. */
import type { Bench, Reply } from "../bench";
import { interleave, median, ratioOf, type Side } from "../measure";
import { bytes, milliseconds, type Findings, type Group, type Row } from "../row";
import { DAY_MS, HOUR_MS } from "../../../host/runtime/time";

const DAYS = 30;
const FILE_MS = 15_000;
const START = Date.UTC(2024, 0, 1);
const ENTRIES_PER_CALL = 2000;
const LAYERS = JSON.stringify({ l: { url: "", name: "l", type: "fs", ttl_sec: 0, layer_to: "" } });

/** How the Go client asks for the files of a day. */
const HSCAN_COUNT = 10_000;

/** The hour asked for: of the middle of the month, its last nanosecond included. */
const FROM_MS = START + 15 * DAY_MS + 14 * HOUR_MS;
const AFTER = `${FROM_MS}000000`;
const BEFORE = `${FROM_MS + HOUR_MS - 1}999999`;

interface Transfer {
  paths: string[];
  calls: number;
  bytes: number;
}

function entryAt(at: number, files: number): string {
  const ms = START + Math.floor((at * DAYS * DAY_MS) / files);
  const iso = new Date(ms).toISOString();
  const name = `${String(at).padStart(8, "0")}-0000-4000-8000-000000000000`;
  return JSON.stringify({
    layer: "l",
    database: "d",
    table: "t",
    path: `date=${iso.slice(0, 10)}/hour=${iso.slice(11, 13)}/${name}.1.parquet`,
    size_bytes: 1_000_000,
    row_count: 10_000,
    chunk_time: 0,
    min: { host: "a" },
    max: { host: "z" },
    min_time: 0,
    max_time: 0,
    writer_id: "w",
    str_min_time: `${ms}000000`,
    str_max_time: `${ms + FILE_MS}000000`,
    str_chunk_time: `${ms}000000`,
    cmd: "ADD",
  });
}

async function fill(bench: Bench, files: number): Promise<void> {
  for (let from = 0; from < files; from += ENTRIES_PER_CALL) {
    const entries = Array.from({ length: Math.min(ENTRIES_PER_CALL, files - from) }, (_, at) =>
      entryAt(from + at, files),
    );
    await bench.call("FCALL", "patch_index", 2, "[]", LAYERS, ...entries);
  }
}

function sizeOf(reply: Reply): number {
  if (Array.isArray(reply)) return reply.reduce<number>((sum, each) => sum + sizeOf(each), 0);
  return typeof reply === "string" ? Buffer.byteLength(reply) : 0;
}

async function ours(bench: Bench): Promise<Transfer> {
  const transfer: Transfer = { paths: [], calls: 0, bytes: 0 };
  let cursor = "0";
  do {
    const reply = (await bench.call(
      "FCALL",
      "query_index",
      0,
      "d",
      "t",
      "AFTER",
      AFTER,
      "BEFORE",
      BEFORE,
      "CURSOR",
      cursor,
    )) as string[];
    transfer.calls += 1;
    transfer.bytes += sizeOf(reply);
    for (const json of reply.slice(1)) transfer.paths.push((JSON.parse(json) as { path: string }).path);
    cursor = reply[0]!;
  } while (cursor !== "0");
  return transfer;
}

/** As the Go client does: the days by name, all files of each, those of the hour's folder, and of these the ones in time. */
async function theirs(bench: Bench): Promise<Transfer> {
  const transfer: Transfer = { paths: [], calls: 1, bytes: 0 };
  const iso = new Date(FROM_MS).toISOString();
  const key = `files:d:t:date=${iso.slice(0, 10)}`;
  await bench.call("EXISTS", key);
  let cursor = "0";
  do {
    const reply = (await bench.call("HSCAN", key, cursor, "MATCH", "*", "COUNT", HSCAN_COUNT)) as [string, string[]];
    transfer.calls += 1;
    transfer.bytes += sizeOf(reply);
    const [next, found] = reply;
    for (let at = 0; at < found.length; at += 2) {
      if (!found[at]!.includes(`/hour=${iso.slice(11, 13)}/`)) continue;
      const entry = JSON.parse(found[at + 1]!) as { str_min_time: string; str_max_time: string };
      if (BigInt(entry.str_min_time) <= BigInt(BEFORE) && BigInt(entry.str_max_time) >= BigInt(AFTER))
        transfer.paths.push(found[at]!);
    }
    cursor = next;
  } while (cursor !== "0");
  return transfer;
}

function timed(
  bench: Bench,
  label: string,
  run: (bench: Bench) => Promise<Transfer>,
  kept: Record<string, Transfer>,
): Side {
  return {
    label,
    prepare: () => Promise.resolve(),
    run: async () => {
      const start = performance.now();
      kept[label] = await run(bench);
      return performance.now() - start;
    },
  };
}

/** @throws Error unless everything that the other way finds was found */
function requireAll(found: Transfer, other: Transfer): void {
  const paths = new Set(found.paths);
  const missing = other.paths.filter((path) => !paths.has(path));
  if (other.paths.length === 0 || missing.length > 0)
    throw new Error(`query_index missed ${missing.length} of ${other.paths.length} files`);
}

async function run(bench: Bench): Promise<Findings> {
  const { queriedFiles: files } = bench.sizes;
  await fill(bench, files);
  const kept: Record<string, Transfer> = {};
  const samples = await interleave(bench, [timed(bench, "ours", ours, kept), timed(bench, "hscan", theirs, kept)], 5);
  requireAll(kept["ours"]!, kept["hscan"]!);
  const shown = (label: string): string => {
    const { calls, bytes: sent } = kept[label]!;
    const cpuMs = median(samples[label]!.map((each) => each.cpuMs));
    return `${milliseconds(cpuMs)} of the server, ${calls} calls, ${bytes(sent)}`;
  };
  const row: Row = {
    what: `query_index: one hour of ${files.toLocaleString("en-US")} files in ${DAYS} days`,
    against: "HSCAN of the day and a filter in the client, as the Go client does",
    ours: shown("ours"),
    theirs: shown("hscan"),
    ratio: ratioOf(samples, "ours", "hscan"),
  };
  const found = kept["ours"]!.paths.length;
  const missed = found - kept["hscan"]!.paths.length;
  return {
    rows: [row],
    notes: [
      `query_index: ${found} files found, read one page after another; ${missed} of them lie in the folder of the hour before and reach ` +
        "into this one, which the Go client does not look for. Times by the clock include the client's decoding.",
    ],
  };
}

export const metadataQuery: Group = { name: "metadata-query", run };
