/** The simulated days: files are written every five minutes, and the workers do what is due, by a clock that runs in such steps. */
import type { TableIndex } from "../../host/metadata/table-index";
import { requireRunning } from "../interruption";
import { COLD, HOT, type DataFile } from "./files";
import { Storage } from "./storage";
import { Workers, type Death, type Site } from "./workers";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../host/runtime/time";

const STEP_MS = 5 * MINUTE_MS;
/** The second day at noon and in the evening; from the first such moment on, as soon as there is something to merge. */
const DEATHS: readonly [atMs: number, death: Death][] = [
  [DAY_MS + 12 * HOUR_MS, "before writing"],
  [DAY_MS + 18 * HOUR_MS, "before ending"],
];
/** Until plans of the last hour are ripe, and files that were merged are dropped. */
const AFTERWARDS_MS = 2 * HOUR_MS;
const MB = 1_000_000;

export interface Clock {
  nowMs: number;
}

export interface Days {
  index: TableIndex;
  clock: Clock;
  /** Midnight of the first day. */
  fromMs: number;
  signal: AbortSignal;
  onProgress: (files: number) => void;
}

/** What was seen at the end of an hour. */
export interface Sample {
  written: number;
  indexed: number;
}

export interface DaysSummary {
  workers: Workers;
  storage: Storage;
  /** Hour by hour. */
  samples: Sample[];
  elapsedMs: number;
}

/** Lives through the days, until nothing is left to be done. */
export async function liveThrough(days: Days, files: readonly DataFile[]): Promise<DaysSummary> {
  const { index, clock, fromMs, signal } = days;
  const startedAt = performance.now();
  await index.configure({
    // Ten minutes become a file, and six of these an hour.
    merge: [
      { timeoutSeconds: 600, maxBytes: 40 * MB },
      { timeoutSeconds: 3600, maxBytes: 240 * MB },
    ],
    layers: [
      { name: HOT, url: "file:///var/lib/data", type: "fs", ttlSeconds: DAY_MS / 1000 },
      { name: COLD, url: "s3://archive/data", type: "s3" },
    ],
  });
  const site: Site = { index, storage: new Storage(), death: undefined };
  const workers = new Workers(site);
  const deaths = [...DEATHS];
  const samples: Sample[] = [];
  let written = 0;
  while (clock.nowMs < fromMs + 3 * DAY_MS + AFTERWARDS_MS) {
    requireRunning(signal);
    clock.nowMs += STEP_MS;
    written += await write(site, filesUntil(files, written, clock.nowMs));
    if (deaths[0] !== undefined && clock.nowMs >= fromMs + deaths[0][0]) site.death = deaths.shift()![1];
    await workers.work();
    if ((clock.nowMs - fromMs) % HOUR_MS === 0) samples.push({ written, indexed: (await index.status()).files ?? 0 });
    days.onProgress(written);
  }
  return { workers, storage: site.storage, samples, elapsedMs: performance.now() - startedAt };
}

function filesUntil(files: readonly DataFile[], from: number, nowMs: number): DataFile[] {
  let end = from;
  while (end < files.length && files[end]!.maxTime < BigInt(nowMs) * 1_000_000n) end += 1;
  return files.slice(from, end);
}

/** A file is written first, and entered in the index once it is whole. */
async function write({ index, storage }: Site, files: readonly DataFile[]): Promise<number> {
  if (files.length === 0) return 0;
  for (const file of files) storage.put(file);
  return index.batch(files);
}
