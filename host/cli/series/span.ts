/** Which points `hotpath series` asks for. Pure. */
import { UsageError } from "../../runtime/errors";
import type { Tier } from "../../tracker/config";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const TIER_LENGTHS_MS: Record<Tier, number> = {
  "5MINUTES": 5 * MINUTE_MS,
  "10MINUTES": 10 * MINUTE_MS,
  "1HOUR": HOUR_MS,
  "3HOURS": 3 * HOUR_MS,
};

const UNITS_MS: Record<string, number> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };

/** Points of coarse tiers are kept for 400 days unless configured otherwise, at most for 3,650. */
const MAX_LAST_MS = 3_650 * DAY_MS;

/** As many points as a plot in 80 columns shows at two points a column. */
const COMFORTABLE = 144;

/** `range_pg` and `range_ud` answer at most this many; page views are read by five minutes, whatever the tier. */
const MAX_POINTS = 10_000;

/**
 * Parses a length of time.
 *
 * @param text `90m`, `24h`, `7d`, `4w`
 * @returns milliseconds
 * @throws UsageError
 */
export function parseLast(text: string): number {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const ms = count === undefined ? 0 : Number(count) * UNITS_MS[unit!]!;
  if (ms < 5 * MINUTE_MS || ms > MAX_LAST_MS) {
    throw new UsageError(`--last must be a length of time from 5m to 3650d, such as 90m, 24h or 7d, got '${text}'`);
  }
  return ms;
}

/** The finest tier with no more points than a plot shows well; the coarsest where all have more. */
export function tierFor(lastMs: number): Tier {
  const tiers = Object.entries(TIER_LENGTHS_MS) as [Tier, number][];
  return tiers.find(([, lengthMs]) => lastMs / lengthMs <= COMFORTABLE)?.[0] ?? "3HOURS";
}

export interface SeriesSpan {
  tier: Tier;
  fromMs: number;
  /** Not included. */
  toMs: number;
}

/**
 * Whole windows up to the last one that rotation has made.
 *
 * @param rotatedUntilMs end of the last five-minute window that rotation has made
 */
export function seriesSpan(tier: Tier, lastMs: number, rotatedUntilMs: number): SeriesSpan {
  const lengthMs = TIER_LENGTHS_MS[tier];
  const toMs = rotatedUntilMs - (rotatedUntilMs % lengthMs);
  return { tier, fromMs: toMs - Math.max(lengthMs, lastMs - (lastMs % lengthMs)), toMs };
}

/** A span in parts that one call answers. */
export function partsOf(
  { fromMs, toMs }: Pick<SeriesSpan, "fromMs" | "toMs">,
  pointMs: number,
): { fromMs: number; toMs: number }[] {
  // Parts end where windows of every tier do.
  const stepMs = Math.floor((MAX_POINTS * pointMs) / DAY_MS) * DAY_MS;
  const parts: { fromMs: number; toMs: number }[] = [];
  let atMs = fromMs;
  while (atMs < toMs) {
    const endMs = Math.min(toMs, atMs - (atMs % DAY_MS) + stepMs);
    parts.push({ fromMs: atMs, toMs: endMs });
    atMs = endMs;
  }
  return parts;
}
