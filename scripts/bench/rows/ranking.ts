/** The top ten of 24 hours: server time of a call, against unions of the same keys. */
import type { Bench } from "../bench";
import { interleave, median, ratioOf, type Samples, type Side } from "../measure";
import { encode } from "../pipeline";
import { milliseconds, type Findings, type Group, type Row } from "../row";
import { random, sha1, zipf } from "../traffic";
import { HOUR_MS, MINUTE_MS } from "../../../host/runtime/time";

const WINDOW_MS = 3 * HOUR_MS;
const HOURS = 24;
const COUNT = 10;
const ZADD_CHUNK = 1000;

interface Ranked {
  nowMs: number;
  fromMs: number;
  toMs: number;
  /** The sorted sets that hold these hours. */
  keys: string[];
}

/** One hour after a window of three hours has begun: the hours in question are in whole windows and in single hours. */
function timesOf(): Omit<Ranked, "keys"> {
  const toMs = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS + HOUR_MS;
  return { nowMs: toMs + MINUTE_MS, fromMs: toMs - HOURS * HOUR_MS, toMs };
}

/** Where rotation would have put an hour by now; the last one waits for its window of three hours to be over. */
function keyOf(hourMs: number, { fromMs, toMs }: Omit<Ranked, "keys">): string {
  const windowMs = Math.floor(hourMs / WINDOW_MS) * WINDOW_MS;
  if (windowMs + WINDOW_MS > toMs) return `SS:1HOUR.OPEN:P::${hourMs}:PG`;
  return windowMs < fromMs ? `SS:1HOUR:P::${hourMs}:PG` : `SS:3HOURS:P::${windowMs}:PG`;
}

/** Writes 24 hours as rotation leaves them. */
async function seed(bench: Bench): Promise<Ranked> {
  const { pages, rankedEvents } = bench.sizes;
  const times = timesOf();
  const pick = zipf(pages, random());
  const views = new Map<string, Map<number, number>>();
  for (let event = 0; event < rankedEvents; event += 1) {
    const hourMs = times.fromMs + Math.floor((event * HOURS) / rankedEvents) * HOUR_MS;
    const name = keyOf(hourMs, times);
    const ofKey = views.get(name) ?? new Map<number, number>();
    views.set(name, ofKey);
    const page = pick();
    ofKey.set(page, (ofKey.get(page) ?? 0) + 1);
  }
  const commands: Buffer[] = [];
  for (const [name, ofKey] of views) {
    const flat = [...ofKey].flatMap(([page, count]) => [count, sha1(`page ${page}`)]);
    for (let at = 0; at < flat.length; at += 2 * ZADD_CHUNK)
      commands.push(encode(["ZADD", name, ...flat.slice(at, at + 2 * ZADD_CHUNK)]));
  }
  const windowMs = times.toMs - HOUR_MS;
  commands.push(encode(["ZADD", "SS:3HOURS.PENDING:P:::PG", windowMs, windowMs]));
  await bench.pipeline(commands);
  return { ...times, keys: [...views.keys()] };
}

function rankCall({ fromMs, toMs, nowMs }: Ranked): (string | number)[] {
  return ["FCALL", "rank_pg", 0, "P", "FROM", fromMs, "TO", toMs, "COUNT", COUNT, "NOW", nowMs];
}

/** @throws Error unless the ranking is the one that the union shows, and exact */
async function requireEqual(bench: Bench, ranked: Ranked): Promise<void> {
  const reply = (await bench.call(...rankCall(ranked))) as unknown[];
  const union = (await bench.call("ZUNION", ranked.keys.length, ...ranked.keys, "WITHSCORES")) as string[];
  const all = Array.from({ length: union.length / 2 }, (_, at) => [union[2 * at]!, Number(union[2 * at + 1])] as const);
  all.sort(([a, viewsOfA], [b, viewsOfB]) => viewsOfB - viewsOfA || (a < b ? -1 : 1));
  const expected = JSON.stringify(all.slice(0, COUNT));
  if (reply[5] !== 1 || JSON.stringify(reply[7]) !== expected)
    throw new Error(`rank_pg answered ${JSON.stringify(reply)}, not ${expected}`);
}

function side(bench: Bench, label: string, commands: (string | number)[][]): Side {
  const encoded = commands.map(encode);
  const calls = Array.from({ length: bench.sizes.rankedCalls }, () => encoded).flat();
  return { label, prepare: () => Promise.resolve(), run: () => bench.pipeline(calls) };
}

function row(samples: Samples, calls: number, theirs: string, against: string): Row {
  const perCall = (label: string): string => milliseconds(median(samples[label]!.map((each) => each.cpuMs)) / calls);
  return {
    what: `rank_pg P, top ${COUNT} of ${HOURS} hours`,
    against,
    ours: `${perCall("rank")} of server time`,
    theirs: perCall(theirs),
    ratio: ratioOf(samples, "rank", theirs),
  };
}

async function run(bench: Bench): Promise<Findings> {
  const { rounds, rankedCalls, pages, rankedEvents } = bench.sizes;
  await bench.flush();
  const ranked = await seed(bench);
  await requireEqual(bench, ranked);
  const keys = [ranked.keys.length, ...ranked.keys];
  const sides = [
    side(bench, "rank", [rankCall(ranked)]),
    side(bench, "union", [["ZUNION", ...keys, "WITHSCORES"]]),
    side(bench, "store", [
      ["ZUNIONSTORE", "SS:BENCH::::", ...keys],
      ["ZRANGE", "SS:BENCH::::", 0, COUNT - 1, "REV", "WITHSCORES"],
    ]),
  ];
  const samples = await interleave(bench, sides, Math.min(rounds, 5));
  return {
    rows: [
      row(samples, rankedCalls, "union", "ZUNION of the same keys, everybody sent"),
      row(samples, rankedCalls, "store", "ZUNIONSTORE of the same keys and ZRANGE"),
    ],
    notes: [
      `rank_pg: ${rankedEvents} views of ${pages} pages (Zipf) in ${keys.length - 1} sorted sets; the ranking is the union's, \`exact\` 1.`,
    ],
  };
}

export const ranking: Group = { name: "ranking", run };
