/**
 * Rotation: what a finished window's sources hold is carried into it, slice by slice.
 *
 * Nothing about a merge in progress is remembered, because a slice *moves*: views leave the open set of the source for
 * the merged one, and are added to the open set of the window above in the same call; ids leave the set of those
 * whose devices are still to be taken over. What a crash, a repeated call or a late event leaves behind is simply more to
 * move. A window is pending while its sources have anything open.
 */
import { clock } from "../runtime/clock";
import { choice, command, integer, integerReply, NOW, record } from "../runtime/declare";
import { requireHyperLogLog, requireType } from "../runtime/types";
import { noteRotation, readRetention, readState, type Retention } from "./configuration";
import type { Dimension, Metric } from "./names";
import * as names from "./names";
import { addToPoint, chunkLifeMs, readPoint, setPoint, VIEWS_TIER } from "./series";
import { COARSEST, FINEST, KEEP_SLACK_MS, MADE_TIERS, remainingMs, tierIndex, TIERS, UNMERGED_KEEP_MS, windowStart } from "./windows";

/** Windows looked at in one call without finding anything to do: they are gone after it, so the next call gets further. */
const MAX_WINDOWS = 200;

/** Windows of a tier that may wait for a finer one: more than 8 days hold. */
const MAX_EXAMINED = 1200;

const UNMERGED_KEEP = `${UNMERGED_KEEP_MS}`;

/** What a call may still do, and what it has done. */
interface Work {
  nowMs: number;
  retention: Retention;
  left: number;
  windowsLeft: number;
  windows: number;
  merged: number;
  /** A foreign key stands in the way of what is next. */
  isBlocked: boolean;
}

/** A window that is made from the windows of the tier before. */
interface Target {
  tier: number;
  dimension: Dimension;
  startMs: number;
}

/** Carries up to `work.left` records into a window; true when nothing is left to carry. */
type Merge = (this: void, target: Target, work: Work) => boolean;

/** Keeps a merged key as long as its window is kept, or lets it go with the end of the call. */
function keepOrExpire(name: string, lifeMs: number): void {
  redis.call("PEXPIRE", name, lifeMs > 0 ? `${lifeMs + KEEP_SLACK_MS}` : "1");
}

/**
 * What a slice needs, read and checked; undefined where a foreign key stops it after something was done. The call then
 * ends with what it has done, and the next one answers the error: a call that answers an error has written nothing.
 */
function prepared<T>(work: Work, prepare: (this: void) => T): T | undefined {
  if (work.merged === 0 && work.windows === 0) return prepare();
  const [ok, slice] = pcall(prepare);
  if (ok) return slice;
  work.isBlocked = true;
  return undefined;
}

// Page views

/** The most records taken from a window at once: what is taken is also one command's arguments. */
const MAX_SLICE = 1000;

/** Id, views, id, views: all that is open in a source, or `count` of it. */
function openSlice(tier: number, name: string, count: number): LuaMultiReturn<[flat: string[], isAll: boolean]> {
  if (tier === FINEST) {
    if (redis.call("HLEN", name) <= count) return $multi(redis.call("HGETALL", name), true);
    // HSCAN would keep no limit, and from cursor 0 it finds less and less of a table that is being emptied.
    return $multi(redis.call("HRANDFIELD", name, `${count}`, "WITHVALUES"), false);
  }
  const isAll = redis.call("ZCARD", name) <= count;
  return $multi(redis.call("ZRANGE", name, "0", `${count - 1}`, "WITHSCORES"), isAll);
}

function addToMerged(tier: number, merged: string, flat: string[]): void {
  for (const at of $range(1, flat.length, 2)) {
    if (tier === FINEST) redis.call("HINCRBY", merged, flat[at - 1]!, flat[at]!);
    else redis.call("ZINCRBY", merged, flat[at]!, flat[at - 1]!);
  }
}

function removeSlice(tier: number, open: string, flat: string[]): void {
  const ids: string[] = [];
  for (const at of $range(1, flat.length, 2)) ids.push(flat[at - 1]!);
  if (tier === FINEST) redis.call("HDEL", open, ...ids);
  else redis.call("ZREM", open, ...ids);
}

/** Takes a slice out of the open views of a source, into its merged ones if it is still kept. */
function settleSlice(tier: number, open: string, merged: string, flat: string[], isAll: boolean, lifeMs: number): void {
  if (isAll && lifeMs > 0 && redis.call("EXISTS", merged) === 0) {
    redis.call("RENAME", open, merged);
  } else {
    if (lifeMs > 0) addToMerged(tier, merged, flat);
    if (isAll) redis.call("UNLINK", open);
    else removeSlice(tier, open, flat);
  }
  if (lifeMs > 0) redis.call("PEXPIRE", merged, `${lifeMs + KEEP_SLACK_MS}`);
}

/** Adds a slice to the window above and, where points are made of it, to the series. */
function addViews(target: Target, above: string, flat: string[], work: Work): void {
  const { tier, dimension, startMs } = target;
  const lifeMs = tier === COARSEST ? remainingMs(TIERS[tier]!, startMs, work.nowMs) : UNMERGED_KEEP_MS;
  const pointLifeMs = tier === VIEWS_TIER ? chunkLifeMs(tier, startMs, work.retention, work.nowMs) : 0;
  for (const at of $range(1, flat.length, 2)) {
    const id = flat[at - 1]!;
    const views = flat[at]!;
    if (lifeMs > 0) redis.call("ZINCRBY", above, views, id);
    if (pointLifeMs > 0) addToPoint(tier, dimension, id, startMs, "PG", views, pointLifeMs);
  }
  if (lifeMs > 0) redis.call("PEXPIRE", above, `${lifeMs + KEEP_SLACK_MS}`);
}

/** A slice of open views with everything that carrying it on will write checked. */
interface ViewsSlice {
  flat: string[];
  isAll: boolean;
}

function prepareViews(target: Target, above: string, open: string, merged: string, work: Work): ViewsSlice {
  const sourceType = target.tier - 1 === FINEST ? "hash" : "zset";
  requireType(open, sourceType);
  requireType(merged, sourceType);
  requireType(above, "zset");
  const [flat, isAll] = openSlice(target.tier - 1, open, Math.min(work.left, MAX_SLICE));
  if (target.tier === VIEWS_TIER) {
    for (const at of $range(1, flat.length, 2)) readPoint(target.tier, target.dimension, flat[at - 1]!, target.startMs, "PG");
  }
  return { flat, isAll };
}

/** Carries the open views of a window's sources. */
const mergeViews: Merge = (target, work) => {
  const { tier, dimension } = target;
  const source = tier - 1;
  const sourceMs = TIERS[source]!.lengthMs;
  const start = `${target.startMs}`;
  const above = tier === COARSEST ? names.mergedViews(tier, dimension, start) : names.openViews(tier, dimension, start);
  const lastMs = target.startMs + TIERS[tier]!.lengthMs - sourceMs;
  for (const startMs of $range(target.startMs, lastMs, sourceMs)) {
    const open = names.openViews(source, dimension, `${startMs}`);
    const merged = names.mergedViews(source, dimension, `${startMs}`);
    while (redis.call("EXISTS", open) === 1) {
      if (work.left <= 0) return false;
      const slice = prepared(work, () => prepareViews(target, above, open, merged, work));
      if (slice === undefined) return false;
      const { flat, isAll } = slice;
      announceWindow(target, "PG");
      addViews(target, above, flat, work);
      settleSlice(source, open, merged, flat, isAll, remainingMs(TIERS[source]!, startMs, work.nowMs));
      work.left -= flat.length / 2;
      work.merged += flat.length / 2;
    }
  }
  return true;
};

// Unique devices

/** One id to merge, with those of its sources that exist. */
interface IdMerge {
  id: string;
  name: string;
  sources: string[];
  livesMs: number[];
  /** The value of the point before. */
  before: number;
}

/** Reads and checks all that merging an id will touch. */
function prepareId(target: Target, id: string, nowMs: number): IdMerge {
  const { tier, dimension } = target;
  const source = tier - 1;
  const sourceTier = TIERS[source]!;
  const merge: IdMerge = { id, name: names.devices(tier, dimension, id, `${target.startMs}`), sources: [], livesMs: [], before: 0 };
  const lastMs = target.startMs + TIERS[tier]!.lengthMs - sourceTier.lengthMs;
  for (const startMs of $range(target.startMs, lastMs, sourceTier.lengthMs)) {
    const name = names.devices(source, dimension, id, `${startMs}`);
    if (requireHyperLogLog(name)) {
      merge.sources.push(name);
      merge.livesMs.push(remainingMs(sourceTier, startMs, nowMs));
    }
  }
  requireHyperLogLog(merge.name);
  merge.before = readPoint(tier, dimension, id, target.startMs, "UD");
  return merge;
}

/**
 * Merges one id's devices into a window and notes the point of its series. A point never goes down: where it would, the
 * window was dropped and what came late is all that is left of it.
 */
function mergeId(target: Target, merge: IdMerge, lifeMs: number, pointLifeMs: number): void {
  const { name, sources, livesMs } = merge;
  const [only] = sources;
  if (only === undefined) return;
  // A copy costs a tenth of a merge, and most ids of a long tail have a single source.
  if (sources.length > 1 || redis.call("COPY", only, name) === 0) redis.call("PFMERGE", name, ...sources);
  for (const position of $range(1, sources.length)) {
    keepOrExpire(sources[position - 1]!, livesMs[position - 1]!);
  }
  if (pointLifeMs > 0) {
    const devices = redis.call("PFCOUNT", name);
    const { tier, dimension, startMs } = target;
    if (devices > merge.before) setPoint(tier, dimension, merge.id, startMs, "UD", devices, pointLifeMs);
  }
  keepOrExpire(name, lifeMs);
}

/** Announces ids to the window above. */
function announceAbove(target: Target, ids: string[]): void {
  const parent = target.tier + 1;
  if (parent > COARSEST) return;
  const parentMs = windowStart(TIERS[parent]!.lengthMs, target.startMs);
  const openDevices = names.openDevices(parent, target.dimension, `${parentMs}`);
  redis.call("SADD", openDevices, ...ids);
  redis.call("PEXPIRE", openDevices, UNMERGED_KEEP);
}

/** A slice of ids with everything that merging them will touch checked. */
interface DevicesSlice {
  ids: string[];
  merges: IdMerge[];
}

function prepareDevices(target: Target, open: string, work: Work): DevicesSlice {
  requireType(open, "set");
  const ids = redis.call("SRANDMEMBER", open, `${Math.min(work.left, MAX_SLICE)}`);
  const merges: IdMerge[] = [];
  for (const id of ids) merges.push(prepareId(target, id, work.nowMs));
  const parent = target.tier + 1;
  if (parent <= COARSEST) {
    const parentMs = windowStart(TIERS[parent]!.lengthMs, target.startMs);
    requireType(names.openDevices(parent, target.dimension, `${parentMs}`), "set");
  }
  return { ids, merges };
}

function mergeSlice(target: Target, { ids, merges }: DevicesSlice, work: Work): void {
  const { tier, startMs } = target;
  const lifeMs = tier === COARSEST ? remainingMs(TIERS[tier]!, startMs, work.nowMs) : UNMERGED_KEEP_MS;
  const pointLifeMs = chunkLifeMs(tier, startMs, work.retention, work.nowMs);
  for (const merge of merges) mergeId(target, merge, lifeMs, pointLifeMs);
  announceAbove(target, ids);
}

/** Takes over the devices of announced ids. */
const mergeDevices: Merge = (target, work) => {
  const open = names.openDevices(target.tier, target.dimension, `${target.startMs}`);
  while (redis.call("EXISTS", open) === 1) {
    if (work.left <= 0) return false;
    const slice = prepared(work, () => prepareDevices(target, open, work));
    if (slice === undefined) return false;
    announceWindow(target, "UD");
    mergeSlice(target, slice, work);
    redis.call("SREM", open, ...slice.ids);
    work.left -= slice.ids.length;
    work.merged += slice.ids.length;
  }
  return true;
};

// Windows

/** Whether the finer tier still has something to bring into a window of the tier before: then this one waits. */
function isWaiting(target: Target, metric: Metric): boolean {
  if (target.tier - 1 === FINEST) return false;
  const finer = names.pendingWindows(target.tier - 1, target.dimension, metric);
  const endMs = target.startMs + TIERS[target.tier]!.lengthMs;
  return redis.call("ZCOUNT", finer, `${target.startMs}`, `(${endMs}`) > 0;
}

function announceWindow(target: Target, metric: Metric): void {
  const parent = target.tier + 1;
  if (parent > COARSEST) return;
  const parentMs = windowStart(TIERS[parent]!.lengthMs, target.startMs);
  redis.call("ZADD", names.pendingWindows(parent, target.dimension, metric), `${parentMs}`, `${parentMs}`);
}

/** Pending windows of a tier that are over, oldest first; nothing waits in the first tier, so a few are enough there. */
function dueWindows(tier: number, dimension: Dimension, metric: Metric, work: Work): string[] {
  const lastMs = work.nowMs - TIERS[tier]!.lengthMs;
  const pending = names.pendingWindows(tier, dimension, metric);
  const count = tier - 1 === FINEST ? MAX_WINDOWS : MAX_EXAMINED;
  return redis.call("ZRANGE", pending, "-inf", `${lastMs}`, "BYSCORE", "LIMIT", "0", `${count}`);
}

/** Makes the due windows of one tier and dimension; true if something that could be done now is left. */
function rotateDimension(tier: number, dimension: Dimension, metric: Metric, merge: Merge, work: Work): boolean {
  const due = dueWindows(tier, dimension, metric, work);
  const before = work.windowsLeft;
  for (const start of due) {
    const target = { tier, dimension, startMs: tonumber(start)! };
    if (isWaiting(target, metric)) continue;
    if (work.windowsLeft <= 0) return true;
    work.windowsLeft -= 1;
    if (!merge(target, work)) return true;
    redis.call("ZREM", names.pendingWindows(tier, dimension, metric), start);
    work.windows += 1;
  }
  return due.length >= MAX_WINDOWS && work.windowsLeft < before;
}

interface RotateArguments {
  tier: string | undefined;
  dimension: Dimension | undefined;
  limit: number;
  now: number | undefined;
}

/** The sets of pending windows that a call reads, and those above that it writes. */
function checkPending(tiers: readonly string[], dimensions: readonly Dimension[], metric: Metric): void {
  for (const name of tiers) {
    const tier = tierIndex(name);
    for (const dimension of dimensions) {
      requireType(names.pendingWindows(tier, dimension, metric), "zset");
      if (tier < COARSEST) requireType(names.pendingWindows(tier + 1, dimension, metric), "zset");
    }
  }
}

function rotate(args: RotateArguments, metric: Metric, merge: Merge): { windows: number; merged: number; remaining: number } {
  const nowMs = clock(args.now);
  const state = readState();
  const work: Work = {
    nowMs,
    retention: readRetention(),
    left: args.limit,
    windowsLeft: MAX_WINDOWS,
    windows: 0,
    merged: 0,
    isBlocked: false,
  };
  const tiers: readonly string[] = args.tier === undefined ? MADE_TIERS : [args.tier];
  const dimensions: readonly Dimension[] = args.dimension === undefined ? names.DIMENSIONS : [args.dimension];
  checkPending(tiers, dimensions, metric);
  let isLeft = false;
  for (const tierName of tiers) {
    for (const dimension of dimensions) {
      if (!work.isBlocked && rotateDimension(tierIndex(tierName), dimension, metric, merge, work)) isLeft = true;
    }
  }
  noteRotation(state, nowMs, tiers[0] === MADE_TIERS[0]);
  return { windows: work.windows, merged: work.merged, remaining: isLeft ? 1 : 0 };
}

const ROTATE_OPTIONS = (defaultLimit: number) =>
  [
    { name: "TIER", type: choice(MADE_TIERS), doc: "the tier to make; all tiers, finest first, if it is left out" },
    { name: "DIMENSION", type: choice(names.DIMENSIONS), doc: "one dimension; all if it is left out" },
    { name: "LIMIT", type: integer(1, 10000), default: defaultLimit, doc: "most records (id and window) to merge" },
    NOW,
  ] as const;

const ROTATE_REPLY = record([
  { name: "windows", type: integerReply, doc: "windows finished by this call, one for each tier and dimension" },
  { name: "merged", type: integerReply, doc: "records merged: ids times windows" },
  { name: "remaining", type: integerReply, doc: "1 if the same call, made again, gets further" },
]);

export const rotatePg = command(
  {
    name: "rotate_pg",
    summary: "Carries page views of finished windows into the next tier and the series",
    doc: "Call it until `remaining` is 0. Without options everything due is made. Windows that wait for a finer tier are not `remaining`. May be called at any time, by several at once, and be cut off anywhere.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: ROTATE_OPTIONS(200),
    reply: ROTATE_REPLY,
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => rotate(args, "PG", mergeViews),
);

export const rotateUd = command(
  {
    name: "rotate_ud",
    summary: "Merges unique devices of finished windows into the next tier and the series",
    doc: "Call it until `remaining` is 0. Without options everything due is made. Windows that wait for a finer tier are not `remaining`. May be called at any time, by several at once, and be cut off anywhere.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: ROTATE_OPTIONS(50),
    reply: ROTATE_REPLY,
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => rotate(args, "UD", mergeDevices),
);
