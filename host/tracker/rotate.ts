/** Rotation: merging what is over into the next tier, in bounded calls. */
import { MADE_TIERS, type MadeTier } from "../contract";
import type { HotpathFunctions } from "../contract";
import type { TickOutcome } from "../jobs/scheduler";
import { leadTick, type LeadFunctions, type LeadOptions } from "../jobs/lead";

/** `pg` page views, `ud` unique devices. */
export type Metric = "pg" | "ud";
export const METRICS: readonly Metric[] = ["pg", "ud"];

export type RotateFunctions = Pick<HotpathFunctions, "rotatePg" | "rotateUd">;

/** Records a call; the function's own default if undefined. */
export interface RotationLimits {
  pageViewsLimit?: number | undefined;
  uniqueDevicesLimit?: number | undefined;
}

export interface RotationSummary {
  windows: number;
  merged: number;
  /** Calls that it took. */
  slices: number;
  /** False if it was ended before everything was merged. */
  finished: boolean;
}

/** A function that answers `remaining` and does nothing would be called for ever. */
const MAX_IDLE_SLICES = 1000;

/**
 * Calls `rotate_pg` or `rotate_ud` until nothing remains.
 *
 * @param tier the tier to make; everything that is due if undefined
 * @param mayGoOn asked before each call; false ends it
 * @throws Error if the function makes no progress, and what the call throws
 */
export async function rotate(
  functions: RotateFunctions,
  metric: Metric,
  tier: MadeTier | undefined,
  limits: RotationLimits,
  mayGoOn: () => boolean | Promise<boolean>,
): Promise<RotationSummary> {
  const summary: RotationSummary = { windows: 0, merged: 0, slices: 0, finished: false };
  const limit = metric === "pg" ? limits.pageViewsLimit : limits.uniqueDevicesLimit;
  const args = { ...(tier && { tier }), ...(limit !== undefined && { limit }) };
  for (let idle = 0; idle < MAX_IDLE_SLICES;) {
    if (!(await mayGoOn())) return summary;
    const { windows, merged, remaining } = await (metric === "pg"
      ? functions.rotatePg(args)
      : functions.rotateUd(args));
    summary.windows += windows;
    summary.merged += merged;
    summary.slices += 1;
    if (remaining === 0) return { ...summary, finished: true };
    idle = windows + merged > 0 ? 0 : idle + 1;
  }
  throw new Error(
    `rotate_${metric} has answered ${MAX_IDLE_SLICES} times in a row that something remains, and has merged nothing`,
  );
}

/** The sum of two summaries. */
export function addSummaries(a: RotationSummary, b: RotationSummary): RotationSummary {
  return {
    windows: a.windows + b.windows,
    merged: a.merged + b.merged,
    slices: a.slices + b.slices,
    finished: a.finished && b.finished,
  };
}

export const NOTHING_ROTATED: RotationSummary = { windows: 0, merged: 0, slices: 0, finished: true };

/**
 * Makes a tier and all finer ones, finest first.
 *
 * The finer tiers too, because ticks of several tiers fall on the same time and may be led by different hosts: a window whose
 * sources are just being made would wait for the next tick of its tier, which may be three hours away.
 */
export async function rotateUpTo(
  functions: RotateFunctions,
  tier: MadeTier,
  limits: RotationLimits,
  mayGoOn: () => boolean | Promise<boolean>,
): Promise<RotationSummary> {
  let summary = NOTHING_ROTATED;
  for (const each of MADE_TIERS.slice(0, MADE_TIERS.indexOf(tier) + 1)) {
    for (const metric of METRICS) {
      summary = addSummaries(summary, await rotate(functions, metric, each, limits, mayGoOn));
      if (!summary.finished) return summary;
    }
  }
  return summary;
}

/**
 * One tick of a tier, if this host leads it: the lease is renewed between the calls, and the tick ended when all is done.
 *
 * @param signal ends it between two calls; the tick is then left to the next host that asks
 * @returns how it ended, and what was rotated by this host
 */
export async function rotationTick(
  functions: RotateFunctions & LeadFunctions,
  tier: MadeTier,
  leading: LeadOptions,
  limits: RotationLimits,
  signal: AbortSignal,
): Promise<{ outcome: TickOutcome; summary: RotationSummary }> {
  return leadTick(functions, leading, signal, NOTHING_ROTATED, (mayGoOn) =>
    rotateUpTo(functions, tier, limits, mayGoOn),
  );
}
