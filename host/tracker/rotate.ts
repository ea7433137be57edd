/** Rotation: merging what is over into the next tier, in bounded calls. */
import { MADE_TIERS, type MadeTier } from "../contract";
import type { HotpathFunctions } from "../contract";
import { ledJob } from "../jobs/lead";
import { serveSchedule, type Service } from "../jobs/service";
import { addSlices, type SliceSums } from "../jobs/slices";
import type { TrackerConfig } from "./config";
import type { TrackerMetrics } from "./metrics";

/** `pg` page views, `ud` unique devices. */
export type Metric = "pg" | "ud";
export const METRICS: readonly Metric[] = ["pg", "ud"];

export type RotateFunctions = Pick<HotpathFunctions, "rotatePg" | "rotateUd">;

/** Records a call; the function's own default if undefined. */
interface RotationLimits {
  pageViewsLimit?: number | undefined;
  uniqueDevicesLimit?: number | undefined;
}

type RotationSummary = SliceSums<{ windows: number; merged: number }>;

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
  const limit = metric === "pg" ? limits.pageViewsLimit : limits.uniqueDevicesLimit;
  const args = { ...(tier && { tier }), ...(limit !== undefined && { limit }) };
  let idle = 0;
  const slice = async () => {
    if (idle === MAX_IDLE_SLICES) {
      throw new Error(
        `rotate_${metric} has answered ${MAX_IDLE_SLICES} times in a row that something remains, and has merged nothing`,
      );
    }
    const { windows, merged, remaining } = await (metric === "pg"
      ? functions.rotatePg(args)
      : functions.rotateUd(args));
    idle = windows + merged > 0 ? 0 : idle + 1;
    return { windows, merged, remaining };
  };
  return addSlices({ windows: 0, merged: 0 }, slice, mayGoOn);
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
async function rotateUpTo(
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

/** In which devices that other partitions have seen are brought together: coarser windows are made once, and not again for them. */
const CARRY_MS = 90_000;

/**
 * Rotates until the host stops: each tier on its own schedule, each tick led by one of all hosts.
 *
 * @param partition of a cluster; null without one
 * @param isShared whether its websites are counted in other partitions as well
 */
export async function serveRotation(
  service: Service,
  config: TrackerConfig,
  metrics: TrackerMetrics,
  partition: string | null,
  isShared: boolean,
): Promise<void> {
  const { log } = service;
  const { settleSeconds, leaseSeconds } = config;
  const functions = service.host.functions(partition);
  const jobs = MADE_TIERS.map((tier) => {
    const job = `rotate-${tier}`;
    const name = partition === null ? job : `${job} ${partition}`;
    return ledJob(service, {
      name,
      job,
      functions,
      pattern: config.schedule[tier],
      delayMs: isShared && tier !== MADE_TIERS[0] ? CARRY_MS : 0,
      leaseMs: leaseSeconds * 1000,
      nothing: NOTHING_ROTATED,
      work: (mayGoOn) => rotateUpTo(functions, tier, config.rotation, mayGoOn),
      onEnd: ({ slot, outcome, summary, ms }) => {
        const about = { job: name, slot: new Date(slot).toISOString(), outcome };
        if (summary.slices > 0) {
          metrics.rotated(name, summary, ms);
          log.info({ ...about, ...summary, ms }, "rotated");
        }
        log.debug(about, "tick ended");
      },
    });
  });
  await serveSchedule(service, "schedule", jobs, { settleMs: settleSeconds * 1000, retryMs: leaseSeconds * 1000 });
}
