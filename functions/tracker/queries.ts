/**
 * Counts over a stretch of time: from the fewest kept windows that cover it, together with what rotation has not carried
 * into them yet, so that an answer is right in the middle of a merge too.
 */
import { clock } from "../runtime/clock";
import {
  bytesReply,
  choice,
  command,
  integerReply,
  list,
  NOW,
  nullable,
  record,
  recordId,
  unixMs,
} from "../runtime/declare";
import { fail } from "../runtime/errors";
import { onKey, requireHyperLogLog } from "../runtime/types";
import { readState } from "./configuration";
import type { Metric } from "./names";
import * as names from "./names";
import { COARSEST, cover, FINEST, TIERS, type Cover, type Window } from "./windows";

/** Keys behind one answer: minutes of eight days without rotation, and the tiers above. To look each up takes 18 ms. */
const MAX_VIEWS_KEYS = 12000;

/** PFCOUNT takes them all at once, and reads every one that exists. */
const MAX_DEVICES_KEYS = 4000;

/** What PFCOUNT reads in 15 ms: 800 of 12 KB, as of thirteen hours of a large website's minutes. */
const MAX_COUNTED_BYTES = 10000000;

/** So many take no more than that, however large each is. */
const SURELY_COUNTED = 800;

/** A key of page views; minutes are hashes, all others sorted sets. */
export interface ViewsKey {
  name: string;
  isHash: boolean;
  /** Start of the minute, only of minutes that rotation has carried on. */
  mergedMs: number | undefined;
}

/** Visits what a window's finer tiers have not handed on yet. */
function forEachUnmerged(
  window: Window,
  dimension: string,
  metric: Metric,
  visit: (this: void, tier: number, start: string) => void,
): void {
  const endMs = window.startMs + TIERS[window.tier]!.lengthMs;
  for (const tier of $range(window.tier, FINEST + 1, -1)) {
    const pending = names.pendingWindows(tier, dimension, metric);
    const sourceMs = TIERS[tier - 1]!.lengthMs;
    for (const start of onKey("ZRANGE", pending, `${window.startMs}`, `(${endMs}`, "BYSCORE")) {
      const startMs = tonumber(start)!;
      for (const at of $range(startMs, startMs + TIERS[tier]!.lengthMs - sourceMs, sourceMs)) visit(tier - 1, `${at}`);
    }
  }
}

function requireFew(count: number, max: number, functionName: string): void {
  if (count >= max) {
    fail(
      "LIMIT",
      `more than ${max} windows between FROM and TO are not merged yet; call ${functionName}, or ask for less time`,
    );
  }
}

/** The keys of page views behind the windows of a cover; LIMIT beyond `max`. */
export function viewsKeys(covered: Cover, dimension: string, max = MAX_VIEWS_KEYS): ViewsKey[] {
  const keys: ViewsKey[] = [];
  const addOpen = (tier: number, start: string): void => {
    requireFew(keys.length, max, "rotate_pg");
    keys.push({ name: names.openViews(tier, dimension, start), isHash: tier === FINEST, mergedMs: undefined });
  };
  for (const window of covered.windows) {
    const start = `${window.startMs}`;
    const isHash = window.tier === FINEST;
    const mergedMs = isHash ? window.startMs : undefined;
    keys.push({ name: names.mergedViews(window.tier, dimension, start), isHash, mergedMs });
    if (window.tier !== COARSEST) addOpen(window.tier, start);
    forEachUnmerged(window, dimension, "PG", addOpen);
  }
  return keys;
}

function devicesKeys(covered: Cover, dimension: string, id: string): string[] {
  const keys: string[] = [];
  const add = (tier: number, start: string): void => {
    requireFew(keys.length, MAX_DEVICES_KEYS, "rotate_ud");
    keys.push(names.devices(tier, dimension, id, start));
  };
  for (const window of covered.windows) {
    add(window.tier, `${window.startMs}`);
    forEachUnmerged(window, dimension, "UD", add);
  }
  return keys;
}

/** LIMIT where HyperLogLogs take longer to read than a call may. */
function requireCountable(keys: string[]): void {
  if (keys.length <= SURELY_COUNTED) return;
  let size = 0;
  for (const name of keys) size += onKey("STRLEN", name);
  if (size > MAX_COUNTED_BYTES) {
    fail(
      "LIMIT",
      `the devices between FROM and TO take more than ${MAX_COUNTED_BYTES} bytes; call rotate_ud, or ask for less time`,
    );
  }
}

/** PFCOUNT of all keys; it does not say which of them is something else, so that is looked for when one is. */
function countDevices(keys: string[]): number {
  requireCountable(keys);
  const counted = redis.pcall("PFCOUNT", ...keys);
  if (type(counted) === "number") return counted as number;
  for (const name of keys) requireHyperLogLog(name);
  return error(counted as RedisError);
}

function viewsOf(key: ViewsKey, id: string): number {
  const views = key.isHash ? onKey("HGET", key.name, id) : onKey("ZSCORE", key.name, id);
  return views === false ? 0 : tonumber(views)!;
}

/**
 * The cover of FROM and TO; undefined where nothing is left. What is kept is told by the later of two clocks, the call's and
 * the one that rotation has gone by: a clock set back brings nothing back.
 */
export function coverOf(args: { from: number; to: number; now: number | undefined }): Cover | undefined {
  if (args.from >= args.to) fail("BADARG", `FROM must be before TO, got ${args.from} and ${args.to}`);
  return cover(args.from, args.to, Math.max(clock(args.now), readState().clockMs));
}

/** The options of all questions about a stretch of time. */
export const FROM = {
  name: "FROM",
  type: unixMs,
  required: true,
  doc: "start of the time in question, included",
} as const;
export const TO = {
  name: "TO",
  type: unixMs,
  required: true,
  doc: "end of the time in question, not included",
} as const;

const COUNT_POSITIONAL = [
  { name: "dimension", type: choice(names.DIMENSIONS), doc: "website, section, page, audio, video or podcast" },
  { name: "id", type: recordId, doc: "id of the record" },
] as const;

const BOUNDS_DOC =
  "`from` and `to` are the bounds covered: whole minutes for the last hour, rounded outwards to whole windows " +
  "where only coarser ones are kept, cut where nothing is kept (7 days) or nothing can be yet.";

const COUNT_REPLY = nullable(
  record([
    { name: "value", type: integerReply, doc: "page views or unique devices" },
    { name: "from", type: integerReply, unit: "unix_ms", doc: "start of the time covered" },
    { name: "to", type: integerReply, unit: "unix_ms", doc: "end of the time covered" },
  ]),
);

export const countPg = command(
  {
    name: "count_pg",
    summary: "Page views of a stretch of time, exact",
    doc: `${BOUNDS_DOC} Nil where nothing is left.`,
    role: "reader",
    flags: ["no-writes"],
    positional: COUNT_POSITIONAL,
    options: [FROM, TO, NOW],
    reply: COUNT_REPLY,
    errors: ["BADARG", "LIMIT", "CONFLICT"],
  },
  (args) => {
    const covered = coverOf(args);
    if (covered === undefined) return undefined;
    let value = 0;
    for (const key of viewsKeys(covered, args.dimension)) value += viewsOf(key, args.id);
    return { value, from: covered.fromMs, to: covered.toMs };
  },
);

export const countUd = command(
  {
    name: "count_ud",
    summary: "Unique devices of a stretch of time",
    doc:
      `An estimate of HyperLogLog, standard error 0.81 % (Redis documentation of PFCOUNT). ${BOUNDS_DOC} Nil where ` +
      "nothing is left. LIMIT where more than 10 MB of HyperLogLogs would have to be read, as after half a day " +
      "without rotation of a large website. Not callable with FCALL_RO, and so on no replica: Redis counts PFCOUNT as " +
      "a write.",
    role: "reader",
    flags: [],
    positional: COUNT_POSITIONAL,
    options: [FROM, TO, NOW],
    reply: COUNT_REPLY,
    errors: ["BADARG", "LIMIT", "CONFLICT"],
  },
  (args) => {
    const covered = coverOf(args);
    if (covered === undefined) return undefined;
    const value = countDevices(devicesKeys(covered, args.dimension, args.id));
    return { value, from: covered.fromMs, to: covered.toMs };
  },
);

/** What a reply may hold: a website's seven days are 60 to 120 HyperLogLogs of at most 12 KB. */
const MAX_REPLY_BYTES = 4194304;

export const getDevices = command(
  {
    name: "get_devices",
    summary: "Unique devices of a stretch of time as HyperLogLogs",
    doc:
      "Their union is what `count_ud` estimates: for a record that is counted in several partitions, where devices do " +
      "not add up, and for a replica, which cannot call count_ud. As GET answers them, one for each key behind " +
      `the answer. ${BOUNDS_DOC} Nil where nothing is left. LIMIT beyond 4 MB, as after days without rotation.`,
    role: "reader",
    flags: ["no-writes"],
    positional: COUNT_POSITIONAL,
    options: [FROM, TO, NOW],
    reply: nullable(
      record([
        { name: "from", type: integerReply, unit: "unix_ms", doc: "start of the time covered" },
        { name: "to", type: integerReply, unit: "unix_ms", doc: "end of the time covered" },
        { name: "devices", type: list(bytesReply), doc: "HyperLogLogs; none where no devices were seen" },
      ]),
    ),
    errors: ["BADARG", "LIMIT", "CONFLICT"],
    causes: { LIMIT: "the devices take more than 4 MB: ask for less time" },
  },
  (args) => {
    const covered = coverOf(args);
    if (covered === undefined) return undefined;
    const devices: string[] = [];
    let size = 0;
    for (const name of devicesKeys(covered, args.dimension, args.id)) {
      const found = onKey("GET", name);
      if (found === false) continue;
      if (string.sub(found, 1, 4) !== "HYLL") fail("CONFLICT", `${name} holds something that is no HyperLogLog`);
      size += found.length;
      if (size > MAX_REPLY_BYTES) {
        fail("LIMIT", `the devices between FROM and TO take more than ${MAX_REPLY_BYTES} bytes; ask for less time`);
      }
      devices.push(found);
    }
    return { from: covered.fromMs, to: covered.toMs, devices };
  },
);
