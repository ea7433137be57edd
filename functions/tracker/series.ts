/**
 * Series: one point a window, in hashes of 128 positions, which Redis keeps as a listpack of a few bytes a point. A hash
 * expires as a whole when its last point would.
 */
import { choice, command, integerReply, list, recordId, tuple, unixMs } from "../runtime/declare";
import { fail } from "../runtime/errors";
import { member, prefix, suffix } from "../runtime/keys";
import { DAY_MS } from "../runtime/time";
import { fields, problemOf, requirePass } from "../runtime/types";
import type { PointRetention } from "./configuration";
import type { Metric } from "./names";
import { DIMENSIONS, seriesChunk, seriesFamily } from "./names";
import { COARSEST, MADE_TIERS, tierIndex, TIERS, windowStart } from "./windows";

/** `hash-max-listpack-entries` is 128 by default: one more field, and a hash takes ten times the memory. */
const POINTS = 128;

/** Page views are kept as points of five minutes; coarser ones are their sums. */
export const VIEWS_TIER = 1;

/** The tiers whose points are kept for `series_fine_days`; the others for `series_coarse_days`. */
const COARSEST_FINE_TIER = 2;

/** The most points of a reply: 30 days of five minutes are 8,640. */
export const MAX_POINTS = 10000;

function chunkMs(tier: number): number {
  return POINTS * TIERS[tier]!.lengthMs;
}

/** Where the points of one window are, whatever the id. */
export interface PointPlace {
  family: string;
  end: string;
  position: string;
  /** As PEXPIRE takes it; undefined where the time of the points is over. */
  life: string | undefined;
}

/** What the hash of a window's point has left to live by the call's clock; zero or less where its time is over. */
function chunkLifeMs(tier: number, chunkStartMs: number, retention: PointRetention, nowMs: number): number {
  const keepDays = tier <= COARSEST_FINE_TIER ? retention.seriesFineDays : retention.seriesCoarseDays;
  return chunkStartMs + chunkMs(tier) + keepDays * DAY_MS - nowMs;
}

/** The place of the points of one window. */
export function placePoint(
  tier: number,
  dimension: string,
  windowMs: number,
  metric: Metric,
  retention: PointRetention,
  nowMs: number,
): PointPlace {
  const startMs = windowStart(chunkMs(tier), windowMs);
  const lifeMs = chunkLifeMs(tier, startMs, retention, nowMs);
  return {
    family: seriesFamily(tier, dimension),
    end: suffix(`${startMs}`, metric),
    position: `${(windowMs - startMs) / TIERS[tier]!.lengthMs}`,
    life: lifeMs > 0 ? `${lifeMs}` : undefined,
  };
}

/** The starts of all runs of points of a tier that may be kept, oldest first. */
export function chunksOf(tier: number, retention: PointRetention, nowMs: number): number[] {
  const starts: number[] = [];
  const keepDays = tier <= COARSEST_FINE_TIER ? retention.seriesFineDays : retention.seriesCoarseDays;
  const firstMs = windowStart(chunkMs(tier), nowMs - keepDays * DAY_MS);
  for (const startMs of $range(firstMs, nowMs, chunkMs(tier))) {
    if (chunkLifeMs(tier, startMs, retention, nowMs) > 0) starts.push(startMs);
  }
  return starts;
}

/** The hash that holds an id's point. */
export function pointHash(place: PointPlace, id: string): string {
  return member(place.family, id, place.end);
}

/** The value of a point, 0 for none; CONFLICT if its hash is something else. */
export function readPoint(place: PointPlace, hash: string): number {
  const value = redis.pcall("HGET", hash, place.position);
  if (value === false) return 0;
  if (type(value) === "table") requirePass("HGET", hash, value);
  return tonumber(value)!;
}

/**
 * Adds to the points of many ids; an id whose hash is something else is passed over.
 *
 * @param flat id, value, id, value
 * @param failed gets the places of the ids that were passed over, from 1
 * @returns the first CONFLICT
 */
export function addToPoints(place: PointPlace, flat: string[], failed: number[]): RedisError | undefined {
  const { position, life, end } = place;
  if (life === undefined) return undefined;
  const start = prefix(place.family);
  let problem: RedisError | undefined;
  for (const at of $range(1, flat.length, 2)) {
    const hash = start + flat[at - 1]! + end;
    const added = redis.pcall("HINCRBY", hash, position, flat[at]!);
    if (type(added) === "number") {
      redis.call("PEXPIRE", hash, life);
    } else {
      problem ??= problemOf("HINCRBY", hash, added);
      failed.push((at + 1) / 2);
    }
  }
  return problem;
}

/** Sets a point. */
export function setPoint(place: PointPlace, hash: string, value: number): void {
  if (place.life === undefined) return;
  redis.call("HSET", hash, place.position, `${value}`);
  redis.call("PEXPIRE", hash, place.life);
}

const METRICS = ["PG", "UD"] as const;

/**
 * The names of all hashes that may hold points of an id which was visited from `firstMs` to `lastMs`. Those whose time is over
 * by the clock of the call are left out: they have gone, or go, by themselves.
 */
export function chunkNames(
  dimension: string,
  id: string,
  firstMs: number,
  lastMs: number,
  retention: PointRetention,
  nowMs: number,
): string[] {
  const found: string[] = [];
  for (const tier of $range(VIEWS_TIER, COARSEST)) {
    for (const startMs of $range(windowStart(chunkMs(tier), firstMs), lastMs, chunkMs(tier))) {
      if (chunkLifeMs(tier, startMs, retention, nowMs) <= 0) continue;
      for (const metric of METRICS) {
        if (metric === "UD" || tier === VIEWS_TIER) found.push(seriesChunk(tier, dimension, id, `${startMs}`, metric));
      }
    }
  }
  return found;
}

type Point = [windowMs: number, value: number];

/** The points of windows in [fromMs, toMs), oldest first. */
function readPoints(
  tier: number,
  dimension: string,
  id: string,
  metric: Metric,
  fromMs: number,
  toMs: number,
): Point[] {
  const lengthMs = TIERS[tier]!.lengthMs;
  const points: Point[] = [];
  for (const startMs of $range(windowStart(chunkMs(tier), fromMs), toMs - 1, chunkMs(tier))) {
    const wanted: string[] = [];
    const windows: number[] = [];
    for (const windowMs of $range(Math.max(startMs, fromMs), Math.min(startMs + chunkMs(tier), toMs) - 1, lengthMs)) {
      windows.push(windowMs);
      wanted.push(`${(windowMs - startMs) / lengthMs}`);
    }
    if (wanted.length === 0) continue;
    const values = fields(seriesChunk(tier, dimension, id, `${startMs}`, metric), wanted);
    for (const position of $range(1, windows.length)) {
      const value = values[position - 1]!;
      if (value !== false) points.push([windows[position - 1]!, tonumber(value)!]);
    }
  }
  return points;
}

/** Sums points of a finer tier by the windows of a coarser one. */
function sumByWindow(points: Point[], lengthMs: number): Point[] {
  const sums: Point[] = [];
  for (const [windowMs, value] of points) {
    const startMs = windowStart(lengthMs, windowMs);
    const last = sums[sums.length - 1];
    if (last !== undefined && last[0] === startMs) last[1] += value;
    else sums.push([startMs, value]);
  }
  return sums;
}

interface RangeArguments {
  dimension: string;
  id: string;
  tier: string;
  from: number;
  to: number;
}

/** Whole windows that begin in [from, to); LIMIT where the stored points behind them are too many. */
function rangeOf(args: RangeArguments, stored: number | undefined, metric: Metric): Point[] {
  if (args.from >= args.to) fail("BADARG", `FROM must be before TO, got ${args.from} and ${args.to}`);
  const tier = tierIndex(args.tier);
  const source = stored ?? tier;
  const lengthMs = TIERS[tier]!.lengthMs;
  const firstMs = windowStart(lengthMs, args.from + lengthMs - 1);
  const endMs = windowStart(lengthMs, args.to + lengthMs - 1);
  if (firstMs >= endMs) return [];
  const count = (endMs - firstMs) / TIERS[source]!.lengthMs;
  if (count > MAX_POINTS) {
    fail("LIMIT", `FROM and TO span ${count} windows of ${TIERS[source]!.name}, at most ${MAX_POINTS} are allowed`);
  }
  const points = readPoints(source, args.dimension, args.id, metric, firstMs, endMs);
  return source === tier ? points : sumByWindow(points, lengthMs);
}

const RANGE_POSITIONAL = [
  { name: "dimension", type: choice(DIMENSIONS), doc: "website, section, page, audio, video or podcast" },
  { name: "id", type: recordId, doc: "id of the record" },
] as const;

const RANGE_OPTIONS = [
  { name: "TIER", type: choice(MADE_TIERS), required: true, doc: "length of the windows" },
  { name: "FROM", type: unixMs, required: true, doc: "windows that begin at this time or later" },
  { name: "TO", type: unixMs, required: true, doc: "windows that begin before this time" },
] as const;

const POINT_LIST = list(
  tuple([
    { name: "window", type: integerReply, unit: "unix_ms", doc: "start of the window, unix ms" },
    { name: "value", type: integerReply, doc: "page views or unique devices" },
  ]),
);

export const rangePg = command(
  {
    name: "range_pg",
    summary: "Page views window by window",
    doc:
      "Windows without traffic are left out, and so are those that rotation has not made yet. Points are stored by " +
      "five minutes; coarser windows are their sums.",
    role: "reader",
    flags: ["no-writes"],
    positional: RANGE_POSITIONAL,
    options: RANGE_OPTIONS,
    reply: POINT_LIST,
    errors: ["BADARG", "LIMIT", "CONFLICT"],
  },
  (args) => rangeOf(args, VIEWS_TIER, "PG"),
);

export const rangeUd = command(
  {
    name: "range_ud",
    summary: "Unique devices window by window",
    doc:
      "Windows without traffic are left out, and so are those that rotation has not made yet. Estimates of " +
      "HyperLogLog, standard error 0.81 % (Redis documentation of PFCOUNT).",
    role: "reader",
    flags: ["no-writes"],
    positional: RANGE_POSITIONAL,
    options: RANGE_OPTIONS,
    reply: POINT_LIST,
    errors: ["BADARG", "LIMIT", "CONFLICT"],
  },
  (args) => rangeOf(args, undefined, "UD"),
);
