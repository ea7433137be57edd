/** `hotpath run <job>`: a job once, for crontab or a Kubernetes CronJob. */
import { performance } from "node:perf_hooks";
import type { Config } from "../config";
import { describeError, UserError } from "../runtime/errors";
import { Host } from "./host";
import type { Job } from "./jobs";
import { carry, functionsByName } from "../tracker/carry";
import { drain } from "../tracker/ingest";
import { notifyOnce } from "../notifier/once";
import { addSummaries, METRICS, NOTHING_ROTATED, rotate, type Metric } from "../tracker/rotate";
import { requirePartitions } from "../tracker/config";
import { keepUp, type UpkeepJob } from "../tracker/upkeep";
import type { Logger } from "../runtime/log";
import { createCouriers } from "../notifier/serve";

/** The line that `hotpath run` prints. */
interface RunSummary {
  job: Job;
  /** Whether all there was to do is done. */
  ok: boolean;
  ms: number;
  error?: string;
  [count: string]: unknown;
}

type RotationJob = Extract<Job, `rotate${string}`>;

const METRICS_OF: Record<RotationJob, readonly Metric[]> = {
  rotate: METRICS,
  "rotate-pg": ["pg"],
  "rotate-ud": ["ud"],
};

/**
 * Does everything that is due. Nobody has to lead: the functions may be called by several hosts at once.
 *
 * @param signal ends it between two calls
 * @returns what was done; `error` if it failed, it does not throw then
 */
export async function runJob(config: Config, job: Job, log: Logger, signal: AbortSignal): Promise<RunSummary> {
  const startedAt = performance.now();
  const elapsed = (): number => Math.round(performance.now() - startedAt);
  const host = new Host(config, log);
  try {
    await host.prepare();
    const { finished, ...counts } = await doAll(host, config, job, log, signal);
    return { job, ok: finished, ms: elapsed(), ...counts };
  } catch (error) {
    return { job, ok: false, ms: elapsed(), error: describeError(error) };
  } finally {
    host.close();
  }
}

async function doAll(
  host: Host,
  config: Config,
  job: Job,
  log: Logger,
  signal: AbortSignal,
): Promise<{ finished: boolean }> {
  switch (job) {
    case "ingest":
      return ingestAll(host, config, signal);
    case "enrich":
      return enrichAll(host, config, signal);
    case "refresh":
    case "expire":
      return keepUpAll(host, config, job, signal);
    case "notify":
      return notifyAll(host, config, signal);
    case "catalog":
      return catalogAll(host, config, log, signal);
    default:
      return rotateAll(host, config, job, signal);
  }
}

async function enrichAll(host: Host, config: Config, signal: AbortSignal) {
  const { enrichment } = config.tracker;
  if (!enrichment?.enabled)
    throw new UserError("tracker.enrichment: is not configured, so that no page may be fetched");
  // An HTTP client and an HTML parser that the other jobs do without.
  const { drainEnrichment } = await import("../tracker/enrichment/serve");
  return drainEnrichment(host, config.tracker, enrichment, signal);
}

async function keepUpAll(host: Host, config: Config, job: UpkeepJob, signal: AbortSignal) {
  const total = { done: 0, slices: 0, finished: true };
  for (const partition of requirePartitions(config.tracker)) {
    const { done, slices, finished } = await keepUp(host.functions(partition), job, () => !signal.aborted);
    total.done += done;
    total.slices += slices;
    total.finished &&= finished;
  }
  return total;
}

async function notifyAll(host: Host, config: Config, signal: AbortSignal) {
  if (host.topics.length === 0) throw new UserError("notifier.topics: there is no topic in the configuration");
  const couriers = await createCouriers(host.topics, process.env);
  try {
    return await notifyOnce(host, couriers, config.notifier.maxSleepSeconds * 1000, signal);
  } finally {
    await Promise.all([...couriers.values()].map((courier) => courier.close()));
  }
}

async function catalogAll(host: Host, config: Config, log: Logger, signal: AbortSignal) {
  if (config.catalog.vendors.length === 0)
    throw new UserError("catalog.vendors: there is no vendor in the configuration");
  // An HTTP client and an HTML parser that the other jobs do without.
  const { catalogOnce } = await import("../catalog/crew");
  return catalogOnce(host, config.catalog, log, signal);
}

async function ingestAll(host: Host, config: Config, signal: AbortSignal) {
  requirePartitions(config.tracker);
  const total = { read: 0, accepted: 0, rejected: 0, late: 0, slices: 0, finished: true };
  for (const stream of config.tracker.streams) {
    const summary = await drain(host.functions(stream.partition), stream, signal);
    total.read += summary.read;
    total.accepted += summary.accepted;
    total.rejected += summary.rejected;
    total.late += summary.late;
    total.slices += summary.slices;
    total.finished &&= summary.finished;
  }
  return total;
}

async function rotateAll(host: Host, config: Config, job: RotationJob, signal: AbortSignal) {
  let total = { ...NOTHING_ROTATED };
  for (const partition of requirePartitions(config.tracker)) {
    for (const metric of METRICS_OF[job]) {
      const functions = host.functions(partition);
      total = addSummaries(
        total,
        await rotate(functions, metric, undefined, config.tracker.rotation, () => !signal.aborted),
      );
    }
  }
  if (METRICS_OF[job].includes("ud")) total.finished &&= await carryAll(host, config, signal);
  return total;
}

/** Brings devices that rotation has merged to their records' homes; whether it came to an end. */
async function carryAll(host: Host, config: Config, signal: AbortSignal): Promise<boolean> {
  for (const partitions of config.tracker.groups.filter(({ length }) => length > 1)) {
    const group = functionsByName(host, partitions);
    for (const partition of group.keys()) {
      const { finished } = await carry(partition, group, () => !signal.aborted);
      if (!finished) return false;
    }
  }
  return true;
}
