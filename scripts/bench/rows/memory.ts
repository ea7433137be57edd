/** What a page with all its windows and points takes in memory, and a point of a series. */
import type { Bench } from "../bench";
import { bytes, type Findings, type Group, type Row } from "../row";
import { makePages, type Page } from "../traffic";
import { rotateInSequence } from "./rotation-data";
import { DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS } from "../../../host/runtime/time";

const DEVICES_A_VISIT = 3;
const DEVICES = 40;
/** How long windows of a tier are kept after their end, and how many the tracker this was made after kept. */
const TIERS: Record<string, { lengthMs: number; keepMs: number; theirs: number }> = {
  "1MINUTE": { lengthMs: MINUTE_MS, keepMs: HOUR_MS, theirs: 5 },
  "5MINUTES": { lengthMs: 5 * MINUTE_MS, keepMs: 30 * MINUTE_MS, theirs: 6 },
  "10MINUTES": { lengthMs: 10 * MINUTE_MS, keepMs: HOUR_MS, theirs: 6 },
  "1HOUR": { lengthMs: HOUR_MS, keepMs: DAY_MS, theirs: 24 },
  "3HOURS": { lengthMs: 3 * HOUR_MS, keepMs: WEEK_MS, theirs: 56 },
};
const POINTS = 128;
const POINT_MS = 5 * MINUTE_MS;

/** Times of visits, so that every kept window of every tier has some: by the hour, then by ten minutes, then by minute. */
function visitTimes(endMs: number): number[] {
  const times: number[] = [];
  for (let at = endMs - WEEK_MS; at < endMs;) {
    times.push(at);
    const leftMs = endMs - at;
    at += leftMs > DAY_MS ? HOUR_MS : leftMs > HOUR_MS ? 10 * MINUTE_MS : MINUTE_MS;
  }
  return times;
}

async function visitAll(bench: Bench, pages: readonly Page[], timeMs: number, turn: number): Promise<void> {
  const events = pages.flatMap((page, index) =>
    Array.from({ length: DEVICES_A_VISIT }, (_, visit) =>
      JSON.stringify({ url: page.url, uui: `device-${(turn * 7 + index + visit * 13) % DEVICES}`, dt: timeMs }),
    ),
  );
  await bench.call("FCALL", "track_events", 0, ...events, "NOW", timeMs);
}

/** A week of visits, rotated as they come. */
async function liveAWeek(bench: Bench, pages: readonly Page[], endMs: number): Promise<void> {
  for (const [turn, timeMs] of visitTimes(endMs).entries()) {
    await rotateInSequence(bench, "rotate_pg", "DIMENSION", "P", "LIMIT", 1000, "NOW", timeMs);
    await rotateInSequence(bench, "rotate_ud", "DIMENSION", "P", "LIMIT", 1000, "NOW", timeMs);
    await visitAll(bench, pages, timeMs, turn);
  }
  await rotateInSequence(bench, "rotate_pg", "DIMENSION", "P", "LIMIT", 1000, "NOW", endMs);
  await rotateInSequence(bench, "rotate_ud", "DIMENSION", "P", "LIMIT", 1000, "NOW", endMs);
}

interface Key {
  name: string;
  type: string;
  tier: string;
  id: string;
  startMs: number;
}

function parse(name: string): Key & { dimension: string } {
  const [type, purpose, dimension, id, start] = name.split(":") as [string, string, string, string, string];
  return { name, type, dimension, tier: purpose, id, startMs: Number(start) };
}

/** Simulated time has passed faster than the server's: what would have expired is left out. */
function isKept({ tier, startMs }: Key, endMs: number): boolean {
  const rule = TIERS[tier.replace(/\.OPEN$/, "")];
  return rule === undefined || startMs + rule.lengthMs + rule.keepMs > endMs;
}

async function keptKeys(bench: Bench, endMs: number): Promise<Key[]> {
  const names = (await bench.call("KEYS", "*")) as string[];
  return names
    .map(parse)
    .filter(({ dimension, tier }) => dimension === "P" || tier === "PAGES")
    .filter((key) => isKept(key, endMs));
}

async function usage(bench: Bench, name: string): Promise<number> {
  return (await bench.call("MEMORY", "USAGE", name, "SAMPLES", 0)) as number;
}

async function sumOf(bench: Bench, keys: readonly Key[]): Promise<number> {
  let sum = 0;
  for (const { name } of keys) sum += await usage(bench, name);
  return sum;
}

interface Share {
  what: string;
  keys: number;
  bytes: number;
}

/** The parts of one page: keys of its own, and its share of keys that all pages share. */
async function sharesOf(bench: Bench, keys: readonly Key[], pageIds: readonly string[]): Promise<Share[]> {
  const ids = new Set(pageIds);
  const pages = pageIds.length;
  const part = async (what: string, isPart: (key: Key) => boolean): Promise<Share> => {
    const found = keys.filter(isPart);
    return { what, keys: found.length / pages, bytes: (await sumOf(bench, found)) / pages };
  };
  const isOwn = (key: Key): boolean => ids.has(key.id);
  return [
    await part("HyperLogLogs", (key) => key.type === "HLL"),
    await part("series", (key) => isOwn(key) && key.tier.endsWith(".SERIES")),
    await part("document", (key) => isOwn(key) && key.tier === "DOCUMENT"),
    await part("shares of page views and registries", (key) => !isOwn(key)),
  ];
}

interface Keys {
  keys: number;
  bytes: number;
}

/** The same windows and points the way of the tracker this was made after: every window and every series a key. */
async function theirBytes(
  bench: Bench,
  keys: readonly Key[],
  pageId: string,
): Promise<{ windows: Keys; series: Keys }> {
  const own = keys.filter((key) => key.id === pageId);
  let sum = 0;
  let count = 0;
  for (const [tier, { theirs }] of Object.entries(TIERS)) {
    const logs = own.filter((key) => key.type === "HLL" && key.tier === tier).sort((a, b) => b.startMs - a.startMs);
    for (const { name, startMs } of logs.slice(0, theirs)) {
      const counter = `PG:${tier}:P:${pageId}:${startMs}`;
      await bench.call("SET", counter, 3);
      sum += (await usage(bench, name)) + (await usage(bench, counter));
      count += 1;
    }
  }
  return { windows: { keys: count, bytes: sum }, series: await theirSeries(bench, own, pageId) };
}

/** All chunks of a series as one sorted set. */
async function theirSeries(bench: Bench, own: readonly Key[], pageId: string): Promise<Keys> {
  const names = new Set<string>();
  for (const { name, tier, startMs } of own.filter((key) => key.tier.endsWith(".SERIES"))) {
    const lengthMs = TIERS[tier.replace(".SERIES", "")]!.lengthMs;
    const metric = name.slice(name.lastIndexOf(":") + 1);
    const target = `BENCH:${tier}:P:${pageId}:${metric}`;
    names.add(target);
    const flat = (await bench.call("HGETALL", name)) as string[];
    for (let at = 0; at < flat.length; at += 2) {
      const windowMs = startMs + Number(flat[at]) * lengthMs;
      await bench.call("ZADD", target, windowMs, `${windowMs}:${flat[at + 1]}`);
    }
  }
  let sum = 0;
  for (const name of names) sum += await usage(bench, name);
  return { keys: names.size, bytes: sum };
}

async function pageRow(bench: Bench): Promise<{ row: Row; note: string }> {
  const pages = makePages(bench.sizes.memoryPages, 1);
  const endMs = Math.floor(Date.now() / (3 * HOUR_MS)) * 3 * HOUR_MS;
  await liveAWeek(bench, pages, endMs);
  const keys = await keptKeys(bench, endMs);
  const shares = await sharesOf(
    bench,
    keys,
    pages.map((page) => page.pageId),
  );
  const ours = shares.reduce((sum, share) => sum + share.bytes, 0);
  const theirs = await theirBytes(bench, keys, pages[0]!.pageId);
  const theirSum = theirs.windows.bytes + theirs.series.bytes;
  const parts = shares.map((share) => `${share.what} ${bytes(share.bytes)} (${share.keys.toFixed(1)} keys)`);
  return {
    row: {
      what: "memory of one page with all its windows and points",
      against: `${theirs.windows.keys + theirs.series.keys} windows and series, each its own HyperLogLog, counter or sorted set`,
      ours: bytes(ours),
      theirs: bytes(theirSum),
      ratio: { wall: theirSum / ours, cpu: Number.NaN },
    },
    note:
      `Memory of one page: ${parts.join(", ")}. ${pages.length} pages with ${DEVICES_A_VISIT} devices a visit out of ${DEVICES}, visited in every kept window; ` +
      `ours keeps 60 windows of a minute, the other 5. The other: windows ${bytes(theirs.windows.bytes)}, series ${bytes(theirs.series.bytes)}.`,
  };
}

async function pointRow(bench: Bench): Promise<Row> {
  const id = "0".repeat(40);
  const startMs = 1_700_000_000_000;
  const hash = `H:5MINUTES.SERIES:P:${id}:${startMs}:UD`;
  const sorted = `TS:5MINUTES:P:${id}::UD`;
  const days = 30;
  const points = (days * DAY_MS) / TIERS["5MINUTES"]!.lengthMs;
  for (let at = 0; at < POINTS; at += 1) await bench.call("HSET", hash, at, 100 + at);
  for (let at = 0; at < points; at += 1)
    await bench.call("ZADD", sorted, startMs + at * POINT_MS, `${startMs + at * POINT_MS}:${100 + (at % POINTS)}`);
  const ours = (await usage(bench, hash)) / POINTS;
  const theirs = (await usage(bench, sorted)) / points;
  return {
    what: `memory of a series point: hashes of ${POINTS} points`,
    against: `one sorted set of ${points} points`,
    ours: `${ours.toFixed(1)} B`,
    theirs: `${theirs.toFixed(1)} B`,
    ratio: { wall: theirs / ours, cpu: Number.NaN },
  };
}

async function run(bench: Bench): Promise<Findings> {
  await bench.flush();
  const { row, note } = await pageRow(bench);
  return { rows: [row, await pointRow(bench)], notes: [note] };
}

export const memory: Group = { name: "memory", run };
