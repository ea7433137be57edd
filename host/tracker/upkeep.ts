/** Upkeep: announcing pages whose metadata are old, and removing documents that nobody has visited for long. */
import type { HotpathFunctions } from "../contract";

export type UpkeepFunctions = Pick<HotpathFunctions, "refreshDocuments" | "expireDocuments">;

/** The scheduled jobs of upkeep. */
export const UPKEEP_JOBS = ["refresh", "expire"] as const;
export type UpkeepJob = (typeof UPKEEP_JOBS)[number];

export interface UpkeepSummary {
  /** Pages announced, or documents removed. */
  done: number;
  /** Calls that it took. */
  slices: number;
  /** False if it was ended before all was looked at. */
  finished: boolean;
}

export const NOTHING_KEPT_UP: UpkeepSummary = { done: 0, slices: 0, finished: true };

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
  const summary: UpkeepSummary = { done: 0, slices: 0, finished: false };
  while (summary.slices < MAX_SLICES) {
    if (!(await mayGoOn())) return summary;
    const { done, remaining } = await CALLS[job](functions);
    summary.done += done;
    summary.slices += 1;
    if (remaining === 0) return { ...summary, finished: true };
  }
  throw new Error(`${job}_documents has answered ${MAX_SLICES} times in a row that something remains`);
}
