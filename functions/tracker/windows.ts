/**
 * Tiers and their windows: clock-aligned in UTC, of fixed length. Pure, so that it runs inside Redis and in Node.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../runtime/time";

interface Tier {
  name: "1MINUTE" | "5MINUTES" | "10MINUTES" | "1HOUR" | "3HOURS";
  /** Length of a window. */
  lengthMs: number;
  /** How long a window is kept after its end. */
  keepMs: number;
}

/** Finest first; each is merged from the one before it. */
export const TIERS: readonly Tier[] = [
  { name: "1MINUTE", lengthMs: MINUTE_MS, keepMs: 60 * MINUTE_MS },
  { name: "5MINUTES", lengthMs: 5 * MINUTE_MS, keepMs: 30 * MINUTE_MS },
  { name: "10MINUTES", lengthMs: 10 * MINUTE_MS, keepMs: 60 * MINUTE_MS },
  { name: "1HOUR", lengthMs: HOUR_MS, keepMs: 24 * HOUR_MS },
  { name: "3HOURS", lengthMs: 3 * HOUR_MS, keepMs: 7 * DAY_MS },
];

/** The tiers that rotation makes, by name. */
export const MADE_TIERS = ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"] as const;

/** The index of the tier that all others come from, and of the one that nothing is made of. */
export const FINEST = 0;
export const COARSEST = 4;

/**
 * What is not merged yet is not removed, however long the host is down; this limit only keeps a server whose rotation
 * never runs from filling up. Events older than 7 days are refused, so 8 days hold everything that may still come.
 */
export const UNMERGED_KEEP_MS = 8 * DAY_MS;

/** An event older than this is refused. */
export const MAX_AGE_MS = 7 * DAY_MS;

/** An event further ahead of the clock than this is refused. */
export const MAX_AHEAD_MS = 5 * MINUTE_MS;

/** Start of the window that holds a time. */
export function windowStart(lengthMs: number, timeMs: number): number {
  return timeMs - (timeMs % lengthMs);
}

/** Position of a tier in `TIERS`; -1 for a name that is none. */
export function tierIndex(name: string): number {
  for (const index of $range(0, TIERS.length - 1)) {
    if (TIERS[index]!.name === name) return index;
  }
  return -1;
}

/**
 * Keys outlive their windows by this: a count that finds a window kept by its clock must find the key, though the server
 * took the time a moment earlier or the clock was set a little.
 */
export const KEEP_SLACK_MS = MINUTE_MS;

/** What a window has left to live by the call's clock, once it is merged; zero or less where its time is over. */
export function remainingMs(tier: Tier, startMs: number, nowMs: number): number {
  return startMs + tier.lengthMs + tier.keepMs - nowMs;
}

/**
 * The windows of a made tier that have to wait for a back-fill, by their starts: those that may still get events from it, and
 * whose sources would not outlive the merge. Both bounds are included; the first is after the last where there are none.
 *
 * @param backfillMs the clock of the back-fill: up to here it has come
 */
export function heldWindows(
  tier: number,
  backfillMs: number,
  nowMs: number,
): LuaMultiReturn<[firstMs: number, lastMs: number]> {
  const source = TIERS[tier - 1]!;
  // Complete is what the source's own time to live would have ended for, had it been counted in its own time.
  const completeMs = backfillMs - source.keepMs - TIERS[tier]!.lengthMs;
  return $multi(completeMs + 1, nowMs - source.keepMs - source.lengthMs);
}

/**
 * The clock that points of a window live by. What is older than any event that live counting takes comes from a back-fill:
 * its points live as long as if their window had ended just now, or a log of last year would leave nothing.
 */
export function pointClock(endMs: number, nowMs: number): number {
  return nowMs - endMs > MAX_AGE_MS ? endMs : nowMs;
}

/** A window of a tier. */
export interface Window {
  tier: number;
  startMs: number;
}

export interface Cover {
  fromMs: number;
  toMs: number;
  /** The clock by which these windows are kept. */
  nowMs: number;
  windows: Window[];
}

/** The coarsest kept window that starts at `atMs` and ends by `toMs`. */
function widestInside(atMs: number, toMs: number, nowMs: number): Window | undefined {
  for (const index of $range(COARSEST, FINEST, -1)) {
    const tier = TIERS[index]!;
    const aligned = atMs % tier.lengthMs === 0;
    if (aligned && atMs + tier.lengthMs <= toMs && remainingMs(tier, atMs, nowMs) > 0) {
      return { tier: index, startMs: atMs };
    }
  }
  return undefined;
}

/** The finest kept window that holds `atMs`: what to answer where nothing kept fits inside. */
function narrowestAround(atMs: number, nowMs: number): Window | undefined {
  for (const index of $range(FINEST, COARSEST)) {
    const startMs = windowStart(TIERS[index]!.lengthMs, atMs);
    if (remainingMs(TIERS[index]!, startMs, nowMs) > 0) return { tier: index, startMs };
  }
  return undefined;
}

/** The start of the oldest window that is kept at all. */
function oldestKept(nowMs: number): number {
  const coarsest = TIERS[COARSEST]!;
  const last = windowStart(coarsest.lengthMs, nowMs - coarsest.keepMs);
  return last;
}

/**
 * The windows that answer a question about [fromMs, toMs), disjoint and in order, each as coarse as fits, with the bounds
 * that they cover: rounded outwards where only coarser windows are kept. Undefined where nothing is left.
 */
export function cover(fromMs: number, toMs: number, nowMs: number): Cover | undefined {
  const latestMs = windowStart(MINUTE_MS, nowMs + MAX_AHEAD_MS) + MINUTE_MS;
  const endMs = Math.min(toMs, latestMs);
  let atMs = Math.max(fromMs, oldestKept(nowMs));
  const windows: Window[] = [];
  let firstMs: number | undefined;
  while (atMs < endMs) {
    const window = widestInside(atMs, endMs, nowMs) ?? narrowestAround(atMs, nowMs);
    if (window === undefined) return undefined;
    firstMs = firstMs ?? window.startMs;
    windows.push(window);
    atMs = window.startMs + TIERS[window.tier]!.lengthMs;
  }
  return firstMs === undefined ? undefined : { fromMs: firstMs, toMs: atMs, nowMs, windows };
}
