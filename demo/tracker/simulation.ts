/** Simulated time: when which windows are over. */
import { MADE_TIERS, TIERS } from "../../host/contract";
import type { Arrival } from "../../host/tracker/import/event";

/** Rotation makes all tiers but the finest; a host looks for work whenever a window of the first of them is over. */
const MADE_LENGTHS_MS = MADE_TIERS.map((tier) => TIERS[tier].lengthMs);
export const STEP_MS = Math.min(...MADE_LENGTHS_MS);

/** Start of the window of a length that holds a time. */
export function windowStart(lengthMs: number, timeMs: number): number {
  return timeMs - (timeMs % lengthMs);
}

/**
 * When rotation has something to do because of what arrived at `fromMs`: at the end of each window that holds it. Late
 * events are no exception, since windows that were over before are carried on at the first of these times.
 *
 * A host rotates every five minutes; here, all times at which it would find nothing are left out, which lets a night
 * without a visitor pass in no time.
 *
 * @param fromMs time of the last arrival
 * @param untilMs up to and including
 * @returns ascending
 */
export function dueTimes(fromMs: number, untilMs: number): number[] {
  const ends = new Set(MADE_LENGTHS_MS.map((lengthMs) => windowStart(lengthMs, fromMs) + lengthMs));
  return [...ends].filter((endMs) => endMs <= untilMs).sort((a, b) => a - b);
}

/**
 * Cuts a batch where a step ends.
 *
 * @param batch in order of arrival
 * @returns parts, none empty, each of arrivals of one step
 */
export function splitBySteps(batch: readonly Arrival[]): Arrival[][] {
  const parts: Arrival[][] = [];
  let start: number | undefined;
  for (const arrival of batch) {
    const own = windowStart(STEP_MS, arrival.arrivalMs);
    if (own !== start) parts.push([]);
    start = own;
    parts.at(-1)!.push(arrival);
  }
  return parts;
}
