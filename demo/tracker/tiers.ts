/** The tiers' windows, as the tracker keeps them. */
import type { Tier } from "../../host/tracker/config";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export interface TierWindows {
  tier: "1MINUTE" | Tier;
  /** Length of a window. */
  lengthMs: number;
  /** How long it is kept after its end. */
  keptMs: number;
}

/** Finest first. */
export const TIER_WINDOWS: readonly TierWindows[] = [
  { tier: "1MINUTE", lengthMs: MINUTE_MS, keptMs: HOUR_MS },
  { tier: "5MINUTES", lengthMs: 5 * MINUTE_MS, keptMs: 30 * MINUTE_MS },
  { tier: "10MINUTES", lengthMs: 10 * MINUTE_MS, keptMs: HOUR_MS },
  { tier: "1HOUR", lengthMs: HOUR_MS, keptMs: 24 * HOUR_MS },
  { tier: "3HOURS", lengthMs: 3 * HOUR_MS, keptMs: 7 * 24 * HOUR_MS },
];

/** Start of the window of a length that holds a time. */
export function windowStart(lengthMs: number, timeMs: number): number {
  return timeMs - (timeMs % lengthMs);
}
