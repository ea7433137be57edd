/** Upkeep: announcing pages whose metadata are old, and removing documents that nobody has visited for long. */
import type { HotpathFunctions } from "../contract";
import { ledJob } from "../jobs/lead";
import { serveSchedule, type Service } from "../jobs/service";
import { addSlices, type SliceSums } from "../jobs/slices";
import type { TrackerConfig } from "./config";
import type { TrackerMetrics } from "./metrics";

export type UpkeepFunctions = Pick<HotpathFunctions, "refreshDocuments" | "expireDocuments">;

export type UpkeepJob = "refresh" | "expire";

/** `done`: pages announced, or documents removed. */
type UpkeepSummary = SliceSums<{ done: number }>;

/** Slices may find nothing to do, so that their number alone tells a function that does not get further. */
const MAX_SLICES = 1_000_000;

const CALLS: Record<UpkeepJob, (functions: UpkeepFunctions) => Promise<{ done: number; remaining: number }>> = {
  refresh: async (functions) => {
    const { announced, remaining } = await functions.refreshDocuments();
    return { done: announced, remaining };
  },
  expire: async (functions) => {
    const { removed, remaining } = await functions.expireDocuments();
    return { done: removed, remaining };
  },
};

/**
 * Calls `refresh_documents` or `expire_documents` until nothing remains.
 *
 * @param mayGoOn asked before each call; false ends it
 * @throws Error if there is no end, and what the call throws
 */
export async function keepUp(
  functions: UpkeepFunctions,
  job: UpkeepJob,
  mayGoOn: () => boolean | Promise<boolean>,
): Promise<UpkeepSummary> {
  let slices = 0;
  const slice = async () => {
    if ((slices += 1) > MAX_SLICES)
      throw new Error(`${job}_documents has answered ${MAX_SLICES} times in a row that something remains`);
    return CALLS[job](functions);
  };
  return addSlices({ done: 0 }, slice, mayGoOn);
}

/**
 * Keeps up until the host stops, each tick led by one of all hosts. On a schedule of its own: a removal of many documents must not hold up
 * rotation.
 *
 * @param partition of a cluster; null without one
 */
export async function serveUpkeep(
  service: Service,
  config: TrackerConfig,
  metrics: TrackerMetrics,
  partition: string | null,
): Promise<void> {
  const { settleSeconds, leaseSeconds, enrichment } = config;
  const functions = service.host.functions(partition);
  const names: UpkeepJob[] = enrichment?.enabled ? ["refresh", "expire"] : ["expire"];
  const jobs = names.map((job) => {
    const name = partition === null ? job : `${job} ${partition}`;
    return ledJob<UpkeepSummary>(service, {
      ...{ name, job, functions, pattern: config.schedule[job], leaseMs: leaseSeconds * 1000 },
      nothing: { done: 0, slices: 0, finished: true },
      work: (mayGoOn) => keepUp(functions, job, mayGoOn),
      onEnd: ({ slot, outcome, summary, ms }) => {
        if (summary.slices === 0) return;
        metrics.keptUp(name, job, summary.done, ms);
        service.log.info({ job: name, slot: new Date(slot).toISOString(), outcome, ...summary, ms }, "kept up");
      },
    });
  });
  await serveSchedule(service, "upkeep", jobs, { settleMs: settleSeconds * 1000, retryMs: leaseSeconds * 1000 });
}
