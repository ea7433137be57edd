/** The part of a serving host that announces old pages and removes old documents, each tick led by one host. */
import { performance } from "node:perf_hooks";
import { leadTick } from "../jobs/lead";
import { keepUp, NOTHING_KEPT_UP, type UpkeepJob } from "./upkeep";
import { runSchedule, Schedule, type ScheduledJob } from "../jobs/scheduler";
import { keepRunning, type Service } from "../serve/service";
import { parsePattern } from "../jobs/slots";

/**
 * Keeps up until the host stops. On a schedule of its own: a removal of many documents must not hold up rotation.
 *
 * @param partition of a cluster; null without one
 */
export async function serveUpkeep(service: Service, partition: string | null): Promise<void> {
  const { config, signal, metrics, troubles } = service;
  const { settleSeconds, leaseSeconds, enrichment } = config.tracker;
  const names: UpkeepJob[] = enrichment?.enabled ? ["refresh", "expire"] : ["expire"];
  const jobs = names.map((job) => upkeepJob(service, job, partition));
  const schedule = new Schedule(jobs, { settleMs: settleSeconds * 1000, retryMs: leaseSeconds * 1000 });
  await keepRunning(service, "upkeep", () =>
    runSchedule(schedule, signal, (job, slot, outcome, error) => {
      metrics.ticked(job.name, slot, outcome);
      if (outcome === "failed") troubles.report(job.name, error);
      else troubles.clear(job.name);
    }),
  );
}

function upkeepJob(
  { config, host, log, signal, metrics }: Service,
  job: UpkeepJob,
  partition: string | null,
): ScheduledJob {
  const { schedule, leaseSeconds } = config.tracker;
  const name = partition === null ? job : `${job} ${partition}`;
  const functions = host.functions(partition);
  return {
    name,
    pattern: parsePattern(schedule[job]),
    run: async (slot) => {
      const startedAt = performance.now();
      const leading = { job, slot, worker: host.worker, leaseMs: leaseSeconds * 1000 };
      const { outcome, summary } = await leadTick(functions, leading, signal, NOTHING_KEPT_UP, (mayGoOn) =>
        keepUp(functions, job, mayGoOn),
      );
      if (summary.slices > 0) {
        const ms = Math.round(performance.now() - startedAt);
        metrics.keptUp(name, job, summary.done, ms);
        log.info({ job: name, slot: new Date(slot).toISOString(), outcome, ...summary, ms }, "kept up");
      }
      return outcome;
    },
  };
}
