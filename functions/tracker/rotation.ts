/**
 * Rotation: what a finished window's sources hold is carried into it, slice by slice.
 *
 * Nothing about a merge in progress is remembered, because a slice *moves*: views leave the open set of the source for
 * the merged one, and are added to the open set of the window above in the same call; ids leave the set of those
 * whose devices are still to be taken over. What a crash, a repeated call or a late event leaves behind is simply more to
 * move. A window is pending while its sources have anything open.
 */
import { clock, serialAfter } from "../runtime/clock";
import { choice, command, integer, integerReply, NOW, record } from "../runtime/declare";
import { asRaised, fail } from "../runtime/errors";
import { member, members } from "../runtime/keys";
import { HOUR_MS } from "../runtime/time";
import { onKey, requireHyperLogLog, requireType } from "../runtime/types";
import { backfillClock } from "./backfill";
import { noteRotation, readRotation, type PointRetention } from "./configuration";
import type { Dimension, Metric } from "./names";
import * as names from "./names";
import { addToPoints, placePoint, pointHash, readPoint, setPoint, VIEWS_TIER, type PointPlace } from "./series";
import {
  COARSEST,
  FINEST,
  heldWindows,
  KEEP_SLACK_MS,
  MADE_TIERS,
  pointClock,
  remainingMs,
  tierIndex,
  TIERS,
  UNMERGED_KEEP_MS,
  windowStart,
} from "./windows";

/** Windows looked at in one call without finding anything to do: they are gone after it, so the next call gets further. */
const MAX_WINDOWS = 200;

/** Windows of a tier that may wait for a finer one: more than 8 days hold. */
const MAX_EXAMINED = 1200;

const UNMERGED_KEEP = `${UNMERGED_KEEP_MS}`;

/** What a call may still do, and what it has done. */
interface Work {
  nowMs: number;
  retention: PointRetention;
  /** Up to where the slowest back-fill in progress has come; undefined where there is none, and for page views. */
  backfillMs: number | undefined;
  left: number;
  windowsLeft: number;
  windows: number;
  merged: number;
  /** Whether websites of this partition are counted in others as well. */
  isShared: boolean;
  /** The first error that a foreign key raised. */
  problem: unknown;
}

/** A window that is made from the windows of the tier before. */
interface Target {
  tier: number;
  dimension: Dimension;
  startMs: number;
}

/** Carries up to `work.left` records into a window; true when nothing is left to carry. */
type Merge = (this: void, target: Target, work: Work) => boolean;

/**
 * Runs what may meet a foreign key before it writes anything. One foreign key stops nothing but its own record; a call that
 * gets nothing done answers the error, and has written nothing.
 */
function attempted(work: Work, run: (this: void) => void): boolean {
  const [ok, raised] = xpcall(run, asRaised);
  if (!ok && work.problem === undefined) work.problem = raised;
  return ok;
}

/**
 * Runs what may meet a foreign key for each of some ids: under one guard until it meets one.
 *
 * @returns the places of those that met one, from 1
 */
function attemptEach<P>(work: Work, ids: string[], plan: P, run: (this: void, plan: P, id: string) => void): number[] {
  const failed: number[] = [];
  const count = ids.length;
  let position = 0;
  const rest = (): void => {
    for (const next of $range(position + 1, count)) {
      position = next;
      run(plan, ids[next - 1]!);
    }
  };
  while (position < count) {
    if (!attempted(work, rest)) failed.push(position);
  }
  return failed;
}

/** What is left of a flat list of so many values a record, without the records that failed. */
function without(failed: number[], flat: string[], size: number): string[] {
  if (failed.length === 0) return flat;
  const isFailed = new LuaSet<number>();
  for (const position of failed) isFailed.add(position);
  const kept: string[] = [];
  for (const at of $range(0, flat.length - 1)) {
    if (!isFailed.has(Math.floor(at / size) + 1)) kept.push(flat[at]!);
  }
  return kept;
}

function pointOf(
  { tier, dimension, startMs }: Target,
  metric: Metric,
  work: Pick<Work, "nowMs" | "retention">,
): PointPlace {
  const clockMs = pointClock(startMs + TIERS[tier]!.lengthMs, work.nowMs);
  return placePoint(tier, dimension, startMs, metric, work.retention, clockMs);
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
  if (tier === FINEST) {
    for (const at of $range(1, flat.length, 2)) redis.call("HINCRBY", merged, flat[at - 1]!, flat[at]!);
  } else {
    for (const at of $range(1, flat.length, 2)) redis.call("ZINCRBY", merged, flat[at]!, flat[at - 1]!);
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

/** What carrying any id's views into one window has in common. */
interface ViewsPlan {
  target: Target;
  above: string;
  /** Zero or less where the window above is not kept any more. */
  aboveLifeMs: number;
  /** Only where points are made of the window. */
  point: PointPlace | undefined;
}

function planViews(target: Target, work: Work): ViewsPlan {
  const { tier, dimension, startMs } = target;
  const start = `${startMs}`;
  const isTop = tier === COARSEST;
  return {
    target,
    above: isTop ? names.mergedViews(tier, dimension, start) : names.openViews(tier, dimension, start),
    aboveLifeMs: isTop ? remainingMs(TIERS[tier]!, startMs, work.nowMs) : UNMERGED_KEEP_MS,
    point: tier === VIEWS_TIER ? pointOf(target, "PG", work) : undefined,
  };
}

/** The keys of one source. */
interface ViewsSource {
  tier: number;
  open: string;
  merged: string;
  lifeMs: number;
}

function checkViews(plan: ViewsPlan, source: ViewsSource): void {
  const sourceType = source.tier === FINEST ? "hash" : "zset";
  requireType(source.open, sourceType);
  requireType(source.merged, sourceType);
  requireType(plan.above, "zset");
}

/** Adds a slice to the series and to the window above; an id whose point cannot be written stays as it was. What of it was added. */
function addSlice({ point, above, aboveLifeMs }: ViewsPlan, flat: string[], work: Work): string[] {
  const failed: number[] = [];
  const problem = point === undefined ? undefined : addToPoints(point, flat, failed);
  work.problem ??= problem;
  const added = without(failed, flat, 2);
  if (aboveLifeMs > 0) {
    for (const at of $range(1, added.length, 2)) redis.call("ZINCRBY", above, added[at]!, added[at - 1]!);
  }
  return added;
}

/** Carries some of a source's open views on; false where a foreign key leaves some. */
function carrySlice(plan: ViewsPlan, source: ViewsSource, work: Work): boolean {
  if (!attempted(work, () => checkViews(plan, source))) return false;
  const [flat, isAll] = openSlice(source.tier, source.open, Math.min(work.left, MAX_SLICE));
  const added = addSlice(plan, flat, work);
  if (added.length === 0) return false;
  const isWhole = added.length === flat.length;
  if (plan.aboveLifeMs > 0) redis.call("PEXPIRE", plan.above, `${plan.aboveLifeMs + KEEP_SLACK_MS}`);
  announceWindow(plan.target, "PG");
  settleSlice(source.tier, source.open, source.merged, added, isAll && isWhole, source.lifeMs);
  work.left -= added.length / 2;
  work.merged += added.length / 2;
  return isWhole;
}

/** Carries the open views of a window's sources. */
const mergeViews: Merge = (target, work) => {
  const plan = planViews(target, work);
  const tier = target.tier - 1;
  const { lengthMs } = TIERS[tier]!;
  const lastMs = target.startMs + TIERS[target.tier]!.lengthMs - lengthMs;
  for (const startMs of $range(target.startMs, lastMs, lengthMs)) {
    const source = {
      tier,
      open: names.openViews(tier, target.dimension, `${startMs}`),
      merged: names.mergedViews(tier, target.dimension, `${startMs}`),
      lifeMs: remainingMs(TIERS[tier]!, startMs, work.nowMs),
    };
    while (redis.call("EXISTS", source.open) === 1) {
      if (work.left <= 0 || !carrySlice(plan, source, work)) return false;
    }
  }
  return true;
};

// Unique devices

/** What merging any id into one window has in common: ends of names, and lives as PEXPIRE takes them. */
interface DevicesPlan {
  target: Target;
  family: string;
  end: string;
  life: string;
  sourceFamily: string;
  sourceEnds: string[];
  sourceLives: string[];
  point: PointPlace;
}

/** In which what another partition has seen arrives, and unites with what was merged here. */
const SHARED_KEEP_MS = 3 * HOUR_MS;

/** A life as PEXPIRE takes it: a key whose window is not kept any more goes with the end of the call. */
function lifeOf(lifeMs: number, waitsForOthers: boolean): string {
  const leastMs = waitsForOthers ? Math.max(lifeMs, SHARED_KEEP_MS) : lifeMs;
  return leastMs > 0 ? `${leastMs + KEEP_SLACK_MS}` : "1";
}

function planDevices(target: Target, work: Pick<Work, "nowMs" | "retention" | "isShared">): DevicesPlan {
  const { tier, dimension, startMs } = target;
  const sourceTier = TIERS[tier - 1]!;
  // What others have seen comes by windows of five minutes, and of pages they have seen nothing.
  const waits = work.isShared && dimension !== "P";
  const plan: DevicesPlan = {
    target,
    family: names.devicesFamily(tier, dimension),
    end: names.devicesSuffix(`${startMs}`),
    life: lifeOf(tier === COARSEST ? remainingMs(TIERS[tier]!, startMs, work.nowMs) : UNMERGED_KEEP_MS, waits),
    sourceFamily: names.devicesFamily(tier - 1, dimension),
    sourceEnds: [],
    sourceLives: [],
    point: pointOf(target, "UD", work),
  };
  const lastMs = startMs + TIERS[tier]!.lengthMs - sourceTier.lengthMs;
  for (const sourceMs of $range(startMs, lastMs, sourceTier.lengthMs)) {
    plan.sourceEnds.push(names.devicesSuffix(`${sourceMs}`));
    plan.sourceLives.push(lifeOf(remainingMs(sourceTier, sourceMs, work.nowMs), waits && tier - 1 > FINEST));
  }
  return plan;
}

/** The only key of `sources` that exists. */
function onlyOf(sources: string[]): string {
  for (const name of sources) if (requireHyperLogLog(name)) return name;
  return sources[0]!;
}

/** Unites sources in `name`; CONFLICT, naming the key, where one of them is no HyperLogLog. */
function unite(name: string, sources: string[], existing: number): void {
  // A copy costs a tenth of a merge, and most ids of a long tail have a single source.
  if (existing === 1 && redis.call("COPY", onlyOf(sources), name) === 1) return;
  const united = redis.pcall("PFMERGE", name, ...sources);
  if ((united as RedisError).err === undefined) return;
  for (const source of sources) requireHyperLogLog(source);
  requireHyperLogLog(name);
  error(united as RedisError);
}

/**
 * Merges one id's devices into a window and notes the point of its series; an error leaves the id as it was. A point never
 * goes down: where it would, the window was dropped and what came late is all that is left of it.
 */
function mergeId(plan: DevicesPlan, id: string): void {
  const sources = members(plan.sourceFamily, id, plan.sourceEnds);
  const existing = redis.call("EXISTS", ...sources);
  if (existing === 0) return;
  const name = member(plan.family, id, plan.end);
  const { point, sourceLives } = plan;
  const hash = pointHash(point, id);
  const before = readPoint(point, hash);
  unite(name, sources, existing);
  for (const position of $range(1, sources.length)) {
    redis.call("PEXPIRE", sources[position - 1]!, sourceLives[position - 1]!);
  }
  notePoint(plan, name, hash, before);
}

/** Notes how many devices a window has by now. */
function notePoint({ point, life }: DevicesPlan, name: string, hash: string, before: number): void {
  const devices = redis.call("PFCOUNT", name);
  if (devices > before) setPoint(point, hash, devices);
  redis.call("PEXPIRE", name, life);
}

/** Notes devices that another partition may have to learn; each id has a serial number of its own, by which it is taken. */
function noteCarried({ tier, dimension, startMs }: Target, ids: string[]): void {
  const carried = names.carriedDevices();
  const [, last] = redis.call("ZRANGE", carried, "-1", "-1", "WITHSCORES");
  const taken = redis.call("HGET", names.state(), "carried");
  let serial = serialAfter(laterOf(last ?? false, taken));
  const noted: string[] = [];
  for (const id of ids) {
    noted.push(serial);
    noted.push(`${dimension} ${tier} ${startMs} ${id}`);
    serial = serialAfter(serial);
  }
  redis.call("ZADD", carried, ...noted);
  redis.call("PEXPIRE", carried, UNMERGED_KEEP);
}

function laterOf(a: string | false, b: string | false): string | false {
  if (a === false || b === false) return a === false ? b : a;
  return tonumber(a)! > tonumber(b)! ? a : b;
}

/** Announces ids to the window above. */
function announceAbove(target: Target, openDevices: string | undefined, ids: string[]): void {
  if (openDevices === undefined) return;
  redis.call("SADD", openDevices, ...ids);
  redis.call("PEXPIRE", openDevices, UNMERGED_KEEP);
  announceWindow(target, "UD");
}

/** The set of ids that the window above has to take over; undefined at the top. */
function openAbove(target: Target): string | undefined {
  const parent = target.tier + 1;
  if (parent > COARSEST) return undefined;
  const parentMs = windowStart(TIERS[parent]!.lengthMs, target.startMs);
  return names.openDevices(parent, target.dimension, `${parentMs}`);
}

/** Takes over the devices of some announced ids; false where a foreign key leaves some. */
function mergeSlice(plan: DevicesPlan, open: string, above: string | undefined, work: Work): boolean {
  const ids = redis.call("SRANDMEMBER", open, `${Math.min(work.left, MAX_SLICE)}`);
  const failed = attemptEach(work, ids, plan, mergeId);
  const finished = without(failed, ids, 1);
  if (finished.length === 0) return false;
  announceAbove(plan.target, above, finished);
  if (work.isShared && isCarried(plan.target)) noteCarried(plan.target, finished);
  redis.call("SREM", open, ...finished);
  work.left -= finished.length;
  work.merged += finished.length;
  return finished.length === ids.length;
}

/** A page belongs to one partition; all else may be seen in several. The tiers above follow by themselves. */
function isCarried({ tier, dimension }: Target): boolean {
  return tier === FINEST + 1 && dimension !== "P";
}

function checkDevices(open: string, above: string | undefined, isNoted: boolean): void {
  if (isNoted) requireType(names.carriedDevices(), "zset");
  requireType(open, "set");
  if (above !== undefined) requireType(above, "set");
}

/** Takes over the devices of announced ids. */
const mergeDevices: Merge = (target, work) => {
  const open = names.openDevices(target.tier, target.dimension, `${target.startMs}`);
  const above = openAbove(target);
  const isNoted = work.isShared && isCarried(target);
  if (!attempted(work, () => checkDevices(open, above, isNoted))) return false;
  const plan = planDevices(target, work);
  while (redis.call("EXISTS", open) === 1) {
    if (work.left <= 0 || !mergeSlice(plan, open, above, work)) return false;
  }
  return true;
};

/**
 * Unites what another partition has seen of an id with a window here, as if late events had come; the windows above follow by
 * rotation. CONFLICT, and nothing written, where a key is something else.
 */
export function uniteWithWindow(target: Target, id: string, devices: string, now: number | undefined): void {
  const state = readRotation();
  const work = { nowMs: clock(now), retention: state, isShared: true };
  const plan = planDevices(target, work);
  const name = member(plan.family, id, plan.end);
  const hash = pointHash(plan.point, id);
  const before = readPoint(plan.point, hash);
  const above = openAbove(target);
  if (above !== undefined) {
    requireType(above, "set");
    requireType(names.pendingWindows(target.tier + 1, target.dimension, "UD"), "zset");
  }
  requireHyperLogLog(name);
  const lent = names.lentDevices();
  redis.call("SET", lent, devices, "PX", "1000");
  const united = redis.pcall("PFMERGE", name, lent);
  redis.call("DEL", lent);
  if ((united as RedisError).err !== undefined) fail("BADARG", "devices must be a HyperLogLog, got a malformed one");
  notePoint(plan, name, hash, before);
  announceAbove(target, above, [id]);
}

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

/** Windows that start from `first` to `last`, oldest first; nothing waits in the first tier, so a few are enough there. */
function pendingBetween(tier: number, pending: string, first: string, last: string): string[] {
  const count = tier - 1 === FINEST ? MAX_WINDOWS : MAX_EXAMINED;
  return redis.call("ZRANGE", pending, first, last, "BYSCORE", "LIMIT", "0", `${count}`);
}

/**
 * Pending windows of a tier that are over, oldest first. While a back-fill is in progress, those that it may still add to
 * are left out, and what is of today comes before what is old: a back-fill holds up nobody.
 */
function dueWindows(tier: number, dimension: Dimension, metric: Metric, work: Work): string[] {
  const lastMs = work.nowMs - TIERS[tier]!.lengthMs;
  const pending = names.pendingWindows(tier, dimension, metric);
  if (work.backfillMs === undefined) return pendingBetween(tier, pending, "-inf", `${lastMs}`);
  const [heldFromMs, heldToMs] = heldWindows(tier, work.backfillMs, work.nowMs);
  if (heldFromMs > heldToMs) return pendingBetween(tier, pending, "-inf", `${lastMs}`);
  const due = pendingBetween(tier, pending, `(${heldToMs}`, `${lastMs}`);
  const complete = pendingBetween(tier, pending, "-inf", `(${heldFromMs}`);
  for (const start of complete) due.push(start);
  return due;
}

/** Makes the due windows of one tier and dimension; true if something that could be done now is left. */
function rotateDimension(tier: number, dimension: Dimension, metric: Metric, merge: Merge, work: Work): boolean {
  const due = dueWindows(tier, dimension, metric, work);
  const before = work.windowsLeft;
  let isLeft = false;
  for (const start of due) {
    const target = { tier, dimension, startMs: tonumber(start)! };
    if (isWaiting(target, metric)) continue;
    if (work.windowsLeft <= 0) return true;
    work.windowsLeft -= 1;
    if (merge(target, work)) {
      redis.call("ZREM", names.pendingWindows(tier, dimension, metric), start);
      work.windows += 1;
    } else {
      isLeft = true;
      if (work.left <= 0) break;
    }
  }
  return isLeft || (due.length >= MAX_WINDOWS && work.windowsLeft < before);
}

interface RotateArguments {
  tier: string | undefined;
  dimension: Dimension | undefined;
  limit: number;
  now: number | undefined;
}

/** What a call looks at. */
interface Lane {
  tier: number;
  dimension: Dimension;
}

/**
 * The tiers and dimensions in which there may be something to do, finest tier first: those with pending windows, and those
 * that a finer one brings some. CONFLICT if a set of pending windows that the call would read or write is something else.
 */
function lanesOf(tiers: readonly string[], dimensions: readonly Dimension[], metric: Metric): Lane[] {
  const lanes: Lane[] = [];
  const isBusy = new LuaSet<Dimension>();
  for (const name of tiers) {
    const tier = tierIndex(name);
    for (const dimension of dimensions) {
      const pending = onKey("ZCARD", names.pendingWindows(tier, dimension, metric));
      if (pending > 0 || isBusy.has(dimension)) {
        isBusy.add(dimension);
        lanes.push({ tier, dimension });
        if (tier < COARSEST) requireType(names.pendingWindows(tier + 1, dimension, metric), "zset");
      }
    }
  }
  return lanes;
}

function rotate(args: RotateArguments, metric: Metric, merge: Merge): unknown[] {
  const nowMs = clock(args.now);
  const state = readRotation();
  const work: Work = {
    nowMs,
    retention: state,
    // Views move, so it does not matter when. Devices are united, and what they were united from goes.
    backfillMs: metric === "UD" ? backfillClock() : undefined,
    left: args.limit,
    windowsLeft: MAX_WINDOWS,
    windows: 0,
    merged: 0,
    isShared: state.isShared,
    problem: undefined,
  };
  const tiers: readonly string[] = args.tier === undefined ? MADE_TIERS : [args.tier];
  const dimensions: readonly Dimension[] = args.dimension === undefined ? names.DIMENSIONS : [args.dimension];
  let isLeft = false;
  for (const { tier, dimension } of lanesOf(tiers, dimensions, metric)) {
    if (rotateDimension(tier, dimension, metric, merge, work)) isLeft = true;
  }
  if (work.problem !== undefined && work.merged === 0 && work.windows === 0) error(work.problem as RedisError);
  noteRotation(state, nowMs, tiers[0] === MADE_TIERS[0]);
  // As it goes on the wire: slices are short, and what each of them costs beside its records counts.
  return ["windows", work.windows, "merged", work.merged, "remaining", isLeft ? 1 : 0];
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
  { name: "remaining", type: integerReply, flag: true, doc: "1 if the same call, made again, gets further" },
]);

export const rotatePg = command(
  {
    name: "rotate_pg",
    summary: "Carries page views of finished windows into the next tier and the series",
    doc:
      "Call it until `remaining` is 0. Without options everything due is made. Windows that wait for a finer tier " +
      "are not `remaining`. May be called at any time, by several at once, and be cut off anywhere.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: ROTATE_OPTIONS(50),
    reply: ROTATE_REPLY,
    errors: ["BADARG", "CONFLICT"],
    repeat: "next",
    paging: "remaining",
  },
  (args) => rotate(args, "PG", mergeViews),
);

export const rotateUd = command(
  {
    name: "rotate_ud",
    summary: "Merges unique devices of finished windows into the next tier and the series",
    doc:
      "Call it until `remaining` is 0. Without options everything due is made. Windows that wait for a finer tier " +
      "are not `remaining`. May be called at any time, by several at once, and be cut off anywhere.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: ROTATE_OPTIONS(20),
    reply: ROTATE_REPLY,
    errors: ["BADARG", "CONFLICT"],
    repeat: "next",
    paging: "remaining",
  },
  (args) => rotate(args, "UD", mergeDevices),
);
