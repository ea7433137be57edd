/** `hotpath serve`: ingest, rotation, page metadata, upkeep, notifications and the catalogue, for as long as the process lives. */
import { performance } from "node:perf_hooks";
import { Availability } from "../jobs/availability";
import type { Config, StreamConfig } from "../config";
import { MADE_TIERS, type MadeTier } from "../contract";
import { Host } from "./host";
import { startHttp } from "./http";
import { followStream } from "../tracker/ingest";
import { rotationTick } from "../tracker/rotate";
import type { Logger } from "../runtime/log";
import { Metrics, type Lags } from "./metrics";
import type { TopicStatus } from "../notifier/metrics";
import { runSchedule, Schedule, type ScheduledJob } from "../jobs/scheduler";
import { keepRunning, type Service } from "./service";
import { createCouriers, serveTopic, type Couriers } from "../notifier/serve";
import { parsePattern } from "../jobs/slots";
import { Troubles } from "../runtime/troubles";
import { serveUpkeep } from "../tracker/upkeep-serve";
import { parseServerUrl } from "../redis/url";
import { VERSION } from "../runtime/version";

/**
 * Serves until the signal is aborted; then finishes the calls under way and returns.
 *
 * While Redis is away it waits, from the start on; mistakes (a wrong password, a server that is too old, a port that is taken)
 * end it at the start.
 *
 * @throws UserError for such a mistake
 */
export async function serve(config: Config, log: Logger, signal: AbortSignal): Promise<void> {
  const service = createService(config, log, signal);
  const { host, availability } = service;
  log.info(
    { version: VERSION, worker: host.worker, redis: parseServerUrl(config.redis.url).shown, config: config.file },
    "starting",
  );
  const couriers = await createCouriers(host.topics, process.env);
  const http = await serveHttp(service, couriers);
  try {
    await availability.start();
    await Promise.all([
      ...config.tracker.streams.map((stream) =>
        keepRunning(service, `ingest ${stream.key}`, () => ingest(service, stream)),
      ),
      ...host.partitions.map((partition) => rotation(service, partition)),
      ...host.partitions.map((partition) => serveUpkeep(service, partition)),
      enrichment(service),
      catalog(service),
      ...host.topics.map((topic) => serveTopic(service, topic, couriers.get(topic.name))),
    ]);
  } finally {
    http?.close();
    await Promise.all([...couriers.values()].map((courier) => courier.close()));
    host.close();
  }
  log.info("stopped");
}

function createService(config: Config, log: Logger, signal: AbortSignal): Service {
  const host = new Host(config, log);
  const availability = new Availability(() => host.prepare(), log, signal);
  const metrics = new Metrics({
    get isUp() {
      return availability.isUp;
    },
    readLags: () => readLags(host),
    readTopics: () => readTopics(host),
  });
  const troubles = new Troubles(log, (source) => metrics.failed(source));
  return { config, log, signal, host, availability, metrics, troubles };
}

async function ingest({ host, log, signal, metrics, troubles }: Service, stream: StreamConfig): Promise<void> {
  const reading = await host.connection.duplicate();
  try {
    await followStream(host.functions(stream.partition), stream, reading, signal, (summary) => {
      troubles.clear(`ingest ${stream.key}`);
      metrics.ingested(stream.key, summary);
      if (summary.read > 0) log.debug({ job: "ingest", stream: stream.key, ...summary }, "ingested");
    });
  } finally {
    reading.close();
  }
}

/** Loaded only where it is wanted: it brings an HTTP client and an HTML parser along. */
async function enrichment(service: Service): Promise<void> {
  if (!service.config.tracker.enrichment?.enabled) return;
  const { serveEnrichment } = await import("../tracker/enrichment/serve");
  await serveEnrichment(service);
}

/** Loaded only where it is wanted, for the same reason. */
async function catalog(service: Service): Promise<void> {
  if (service.config.catalog.vendors.length === 0) return;
  const { serveCatalog } = await import("../catalog/serve");
  await serveCatalog(service);
}

async function rotation(service: Service, partition: string | null): Promise<void> {
  const { config, signal, metrics, troubles, log } = service;
  const { settleSeconds, leaseSeconds } = config.tracker;
  const jobs = MADE_TIERS.map((tier) => rotationJob(service, tier, partition));
  const schedule = new Schedule(jobs, { settleMs: settleSeconds * 1000, retryMs: leaseSeconds * 1000 });
  await keepRunning(service, "schedule", () =>
    runSchedule(schedule, signal, (job, slot, outcome, error) => {
      metrics.ticked(job.name, slot, outcome);
      if (outcome === "failed") return troubles.report(job.name, error);
      troubles.clear(job.name);
      log.debug({ job: job.name, slot: new Date(slot).toISOString(), outcome }, "tick ended");
    }),
  );
}

function rotationJob(service: Service, tier: MadeTier, partition: string | null): ScheduledJob {
  const { config, host, log, signal, metrics } = service;
  const { schedule, rotation: limits, leaseSeconds } = config.tracker;
  const job = `rotate-${tier}`;
  const name = partition === null ? job : `${job} ${partition}`;
  const functions = host.functions(partition);
  return {
    name,
    pattern: parsePattern(schedule[tier]),
    run: async (slot) => {
      const startedAt = performance.now();
      const leading = { job, slot, worker: host.worker, leaseMs: leaseSeconds * 1000 };
      const { outcome, summary } = await rotationTick(functions, tier, leading, limits, signal);
      if (summary.slices > 0) {
        const ms = Math.round(performance.now() - startedAt);
        metrics.rotated(name, summary, ms);
        log.info({ job: name, slot: new Date(slot).toISOString(), outcome, ...summary, ms }, "rotated");
      }
      return outcome;
    },
  };
}

async function serveHttp(service: Service, couriers: Couriers): Promise<{ close(): void } | undefined> {
  const { config, log, metrics } = service;
  if (config.http.port === undefined) return undefined;
  const http = await startHttp(config.http.host, config.http.port, {
    health: () => health(service, couriers),
    metrics: async () => ({ text: await metrics.render(), contentType: metrics.contentType }),
  });
  log.info({ host: config.http.host, port: http.port }, "listening");
  return http;
}

async function readLags(host: Host): Promise<Lags[]> {
  return Promise.all(
    host.partitions.map(async (partition) => ({
      partition: partition ?? "",
      ...(await host.functions(partition).getTrackerStatus()),
    })),
  );
}

async function readTopics(host: Host): Promise<TopicStatus[]> {
  return Promise.all(
    host.topics.map(({ name, partition }) => host.functions(partition).getNotifierStatus({ topic: name })),
  );
}

function health(
  { config, availability, host, metrics, signal }: Service,
  couriers: Couriers,
): { healthy: boolean; body: unknown } {
  const healthy = availability.isUp && !signal.aborted;
  return {
    healthy,
    body: {
      status: healthy ? "ok" : signal.aborted ? "stopping" : "redis away",
      version: VERSION,
      worker: host.worker,
      redis: { up: availability.isUp, since: new Date(availability.since).toISOString() },
      jobs: metrics.lastTicks,
      ...(host.topics.length > 0 && { topics: metrics.notifier.health(host.topics, couriers) }),
      ...(config.catalog.vendors.length > 0 && {
        vendors: metrics.catalog.health(config.catalog.vendors.map(({ vendor }) => vendor)),
      }),
    },
  };
}
