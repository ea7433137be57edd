/** What came of the three days, checked against what was written. */
import type { Check } from "../checks";
import type { IndexEntry } from "../../host/metadata/entries";
import type { TableStatus } from "../../host/metadata/status";
import type { TableIndex } from "../../host/metadata/table-index";
import type { DaysSummary, Sample } from "./days";
import { HOT, type DataFile } from "./files";
import { greatest, KINDS, least, type Kind, type PlanCounts } from "./workers";
import { DAY_MS, HOUR_MS } from "../../host/runtime/time";

const NS_PER_MS = 1_000_000n;
/** The hour that is asked for: noon of the second day. */
const ASKED_AT_MS = DAY_MS + 12 * HOUR_MS;

/** Files of a layer that were merged equally often. */
export interface Place {
  layer: string;
  iteration: number;
  files: number;
  bytes: number;
}

/** A file of the answer; times are nanoseconds in digits. */
export interface Found {
  path: string;
  layer: string;
  bytes: number;
  rows: number;
  minTime: string;
  maxTime: string;
}

export interface ThreeDaysResult {
  server: string;
  fromMs: number;
  toMs: number;
  files: number;
  /** As they were written, and where they are in the end. */
  before: Place[];
  after: Place[];
  samples: Sample[];
  plans: ({ kind: Kind } & PlanCounts)[];
  /** Workers that died with a plan in their hands. */
  deaths: number;
  /** Most files that the storage held at once. */
  mostStored: number;
  question: { fromMs: number; toMs: number; writtenFiles: number; answer: Found[] };
  checks: Check[];
  elapsedMs: number;
}

export interface Evidence {
  server: string;
  index: TableIndex;
  files: readonly DataFile[];
  summary: DaysSummary;
  fromMs: number;
  nowMs: number;
}

/** Asks the index for what it has, and sums up. */
export async function resultOf(evidence: Evidence): Promise<ThreeDaysResult> {
  const { server, index, files, summary, fromMs } = evidence;
  const { workers, storage, samples } = summary;
  const indexed = await collect(index.query());
  const askedMs = fromMs + ASKED_AT_MS;
  const hour = { after: BigInt(askedMs) * NS_PER_MS, before: BigInt(askedMs + HOUR_MS) * NS_PER_MS - 1n };
  const answer = await collect(index.query(hour));
  const writtenFiles = files.filter(({ minTime, maxTime }) => maxTime >= hour.after && minTime <= hour.before);
  return {
    server,
    fromMs,
    toMs: fromMs + 3 * DAY_MS,
    files: files.length,
    before: placesOf(files),
    after: placesOf(indexed),
    samples,
    plans: KINDS.map((kind) => ({ kind, ...workers.counts[kind] })),
    deaths: workers.deaths,
    mostStored: storage.most,
    question: {
      fromMs: askedMs,
      toMs: askedMs + HOUR_MS,
      writtenFiles: writtenFiles.length,
      answer: answer.map(foundOf),
    },
    checks: [
      ...checkFiles(evidence, indexed),
      ...checkPlans(evidence, indexed, await index.status()),
      ...checkAnswer(writtenFiles, answer),
    ],
    elapsedMs: Math.round(summary.elapsedMs),
  };
}

async function collect(entries: AsyncIterable<IndexEntry>): Promise<IndexEntry[]> {
  const collected: IndexEntry[] = [];
  for await (const entry of entries) collected.push(entry);
  return collected;
}

function placesOf(files: readonly DataFile[]): Place[] {
  const places = new Map<string, Place>();
  for (const { layer, path, sizeBytes } of files) {
    const iteration = Number(/\.(\d+)\.parquet$/.exec(path)?.[1]);
    const place = places.get(`${layer} ${iteration}`) ?? { layer, iteration, files: 0, bytes: 0 };
    place.files += 1;
    place.bytes += sizeBytes;
    places.set(`${layer} ${iteration}`, place);
  }
  return [...places.values()].sort((a, b) =>
    a.layer === b.layer ? a.iteration - b.iteration : a.layer > b.layer ? -1 : 1,
  );
}

function foundOf({ path, layer, sizeBytes, rowCount, minTime, maxTime }: IndexEntry): Found {
  return { path, layer, bytes: sizeBytes, rows: rowCount, minTime: String(minTime), maxTime: String(maxTime) };
}

const rowsOf = (files: readonly DataFile[]): number => files.reduce((sum, { rowCount }) => sum + rowCount, 0);
const bytesOf = (files: readonly DataFile[]): number => files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

function checkFiles({ files, summary, nowMs }: Evidence, indexed: readonly IndexEntry[]): Check[] {
  const { storage, workers } = summary;
  const dayAgo = BigInt(nowMs - DAY_MS) * NS_PER_MS;
  const stored = indexed.filter(({ layer, path }) => storage.get(layer, path) !== undefined);
  return [
    { name: "rows written, and in the index", expected: rowsOf(files), counted: rowsOf(indexed) },
    { name: "bytes written, and in the index", expected: bytesOf(files), counted: bytesOf(indexed) },
    {
      name: "files merged once",
      expected: files.length,
      counted: files.filter(({ path }) => workers.merged.get(path) === 1).length,
    },
    {
      name: "files left to be merged",
      expected: 0,
      counted: indexed.filter(({ path }) => !path.endsWith(".3.parquet")).length,
    },
    {
      name: "files a day old, and not cold",
      expected: 0,
      counted: indexed.filter(({ layer, chunkTime }) => layer === HOT && chunkTime <= dayAgo).length,
    },
    { name: "files of the index in the storage", expected: indexed.length, counted: stored.length },
    { name: "files in the storage for nothing", expected: 0, counted: storage.size - stored.length },
  ];
}

function checkPlans(
  { summary: { workers } }: Evidence,
  indexed: readonly IndexEntry[],
  { plans }: TableStatus,
): Check[] {
  const counts = Object.values(workers.counts);
  const sum = (of: (count: PlanCounts) => number): number => counts.reduce((total, count) => total + of(count), 0);
  const left = (isMove: boolean): number =>
    plans
      .filter(({ kind }) => (kind === "move") === isMove)
      .reduce((total, { waiting, out }) => total + (waiting ?? 0) + (out ?? 0), 0);
  return [
    {
      name: "plans of the dead that came back",
      expected: workers.deaths - sum(({ leftDone }) => leftDone),
      counted: sum(({ cameBack }) => cameBack),
    },
    {
      name: "plans taken, and ended",
      expected: sum(({ taken, cameBack, leftDone }) => taken - cameBack - leftDone),
      counted: sum(({ ended }) => ended),
    },
    {
      name: "moves that wait, for hot files",
      expected: indexed.filter(({ layer }) => layer === HOT).length,
      counted: left(true),
    },
    { name: "merges and drops left over", expected: 0, counted: left(false) },
  ];
}

/** Least and greatest span of some files, in digits: of a single integer, it depends on its size whether it is read as a bigint. */
function spansOf(files: readonly DataFile[]): string {
  const values = (of: "min" | "max"): bigint[] => files.map((file) => file[of]["span_id"] as bigint);
  return `${least(values("min"))} ${greatest(values("max"))}`;
}

function checkAnswer(written: readonly DataFile[], answer: readonly IndexEntry[]): Check[] {
  const isExact = answer.length > 0 && spansOf(answer) === spansOf(written);
  return [
    { name: "rows of the hour asked for", expected: rowsOf(written), counted: rowsOf(answer) },
    { name: "its 63-bit bounds, to the digit", expected: 1, counted: isExact ? 1 : 0 },
  ];
}
