/** `hotpath serve`: ingest, rotation, page metadata, upkeep, notifications and the catalogue, for as long as the process lives. */
import type { Config } from "../config";
import { Availability } from "../jobs/availability";
import type { Service } from "../jobs/service";
import type { TopicStatus } from "../notifier/metrics";
import { createCouriers, serveTopic, type Couriers } from "../notifier/serve";
import { parseServerUrl } from "../redis/url";
import type { Logger } from "../runtime/log";
import { SCRAPE_MS, within } from "../runtime/deadline";
import { Troubles } from "../runtime/troubles";
import { VERSION } from "../runtime/version";
import { requirePartitions } from "../tracker/config";
import { serveCarry } from "../tracker/carry";
import { serveIngest } from "../tracker/ingest";
import type { Lags } from "../tracker/metrics";
import { serveRotation } from "../tracker/rotate";
import { serveUpkeep } from "../tracker/upkeep";
import { Host } from "./host";
import { startHttp } from "./http";
import { Metrics } from "./metrics";

/** What all parts share; the libraries see no more of it than {@link Service}. */
interface Serving extends Service<Host> {
  config: Config;
  metrics: Metrics;
}

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
  const { host, availability, metrics } = service;
  const { tracker } = config;
  requireWork(service);
  log.info(
    { version: VERSION, worker: host.worker, redis: parseServerUrl(config.redis.url).shown, config: config.file },
    "starting",
  );
  if (host.partitions.length === 0) log.info("tracker.partitions names none; the tracker is left alone");
  const couriers = await createCouriers(host.topics, process.env);
  const http = await serveHttp(service, couriers);
  try {
    await availability.start();
    await Promise.all([
      ...tracker.streams.map((stream) => serveIngest(service, stream, metrics.tracker)),
      ...tracker.groups.flatMap((group) =>
        group.map((partition) => serveRotation(service, tracker, metrics.tracker, partition, group.length > 1)),
      ),
      ...tracker.groups.map((group) => serveCarry(service, tracker, group)),
      ...host.partitions.map((partition) => serveUpkeep(service, tracker, metrics.tracker, partition)),
      serveEnrichment(service),
      serveCatalog(service),
      ...host.topics.map((topic) =>
        serveTopic(service, topic, couriers.get(topic.name), config.notifier, metrics.notifier),
      ),
    ]);
  } finally {
    http?.close();
    await Promise.all([...couriers.values()].map((courier) => courier.close()));
    host.close();
  }
  log.info("stopped");
}

/** In a cluster, the tracker is left alone where the configuration says nothing about it: nothing tells where it is. */
function requireWork({ config, host }: Serving): void {
  if (host.topics.length === 0 && config.catalog.vendors.length === 0) requirePartitions(config.tracker);
}

function createService(config: Config, log: Logger, signal: AbortSignal): Serving {
  const host = new Host(config, log);
  const availability = new Availability(() => host.prepare(), log, signal);
  const metrics = new Metrics({
    get isUp() {
      return availability.isUp;
    },
    readLags: () => within(SCRAPE_MS, "the tracker's status", readLags(host)),
    readTopics: () => within(SCRAPE_MS, "the notifier's status", readTopics(host)),
  });
  const troubles = new Troubles(log, (source) => metrics.failed(source));
  const ticked: Service["ticked"] = (job, slot, outcome) => metrics.ticked(job, slot, outcome);
  return { config, log, signal, host, availability, metrics, troubles, ticked };
}

/** Loaded only where it is wanted: it brings an HTTP client and an HTML parser along. */
async function serveEnrichment(service: Serving): Promise<void> {
  const { config, metrics } = service;
  if (!config.tracker.enrichment?.enabled) return;
  const enrichment = await import("../tracker/enrichment/serve");
  await enrichment.serveEnrichment(service, config.tracker, metrics.tracker);
}

/** Loaded only where it is wanted, for the same reason. */
async function serveCatalog(service: Serving): Promise<void> {
  const { config, metrics } = service;
  if (config.catalog.vendors.length === 0) return;
  const catalog = await import("../catalog/serve");
  await catalog.serveCatalog(service, config.catalog, metrics.catalog);
}

async function serveHttp(service: Serving, couriers: Couriers): Promise<{ close(): void } | undefined> {
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
  { config, availability, host, metrics, signal }: Serving,
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
