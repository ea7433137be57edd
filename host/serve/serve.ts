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
import { startHttp, type Health } from "./http";
import { Metrics } from "./metrics";

/** What all parts share; the libraries see no more of it than {@link Service}. */
interface Serving extends Service<Host> {
  /** By place. */
  availabilities: ReadonlyMap<string | null, Availability>;
  in(place: string | null): Serving;
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
  const { host } = service;
  requireWork(service);
  log.info(
    { version: VERSION, worker: host.worker, redis: parseServerUrl(config.redis.url).shown, config: config.file },
    "starting",
  );
  if (host.partitions.length === 0) log.info("tracker.partitions names none; the tracker is left alone");
  const couriers = await createCouriers(host.topics, process.env);
  const http = await serveHttp(service, couriers);
  try {
    await Promise.all([
      ...host.places.map((place) => servePlace(service, place, couriers)),
      // One for all places: a site is asked for one page at a time, wherever it is counted.
      serveEnrichment(service),
    ]);
  } finally {
    http?.close();
    await Promise.all([...couriers.values()].map((courier) => courier.close()));
    host.close();
  }
  log.info("stopped");
}

/** All that is to be done in one place, from when it can be reached on; others do not wait for it. */
async function servePlace(serving: Serving, place: string | null, couriers: Couriers): Promise<void> {
  const service = serving.in(place);
  const { config, host, metrics } = serving;
  const { tracker, notifier, catalog } = config;
  await service.availability.start();
  const isHere = ({ partition }: { partition: string | null }): boolean => partition === place;
  const works = [
    ...tracker.streams.filter(isHere).map((stream) => serveIngest(service, stream, metrics.tracker)),
    ...host.topics
      .filter(isHere)
      .map((topic) => serveTopic(service, topic, couriers.get(topic.name), notifier, metrics.notifier)),
  ];
  const group = tracker.groups.find((each) => each.includes(place));
  if (group !== undefined) {
    works.push(
      serveRotation(service, tracker, metrics.tracker, place, group.length > 1),
      serveCarry(service, tracker, group, place),
      serveUpkeep(service, tracker, metrics.tracker, place),
    );
  }
  if ((catalog.partition ?? null) === place) works.push(serveCatalog(service));
  await Promise.all(works);
}

/** In a cluster, the tracker is left alone where the configuration says nothing about it: nothing tells where it is. */
function requireWork({ config, host }: Serving): void {
  if (host.topics.length === 0 && config.catalog.vendors.length === 0) requirePartitions(config.tracker);
}

function createService(config: Config, log: Logger, signal: AbortSignal): Serving {
  const host = new Host(config, log);
  const availabilities = new Map(
    host.places.map((place) => {
      const told = host.places.length > 1 ? log.child({ partition: place }) : log;
      return [place, new Availability(() => host.preparePlace(place), told, signal)] as const;
    }),
  );
  const metrics = new Metrics({
    places: () => [...availabilities].map(([place, { isUp }]) => ({ place, isUp })),
    readLags: () => readLags(host),
    readTopics: () => readTopics(host),
  });
  const troubles = new Troubles(log, (source) => metrics.failed(source));
  const ticked: Service["ticked"] = (job, slot, outcome) => metrics.ticked(job, slot, outcome);
  const inPlace = (place: string | null): Serving => ({
    ...{ config, log, signal, host, availabilities, metrics, troubles, ticked, in: inPlace },
    availability: availabilities.get(place)!,
  });
  return inPlace(host.places[0]!);
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

/** Of those that can be reached. */
async function readLags(host: Host): Promise<Lags[]> {
  return fulfilled(
    host.partitions.map(async (partition) => ({
      partition: partition ?? "",
      ...(await within(SCRAPE_MS, "the tracker's status", host.functions(partition).getTrackerStatus())),
    })),
  );
}

/** Of those that can be reached. */
async function readTopics(host: Host): Promise<TopicStatus[]> {
  return fulfilled(
    host.topics.map(({ name, partition }) =>
      within(SCRAPE_MS, "the notifier's status", host.functions(partition).getNotifierStatus({ topic: name })),
    ),
  );
}

async function fulfilled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}

/**
 * How the host is: `live` while the process answers, whatever becomes of Redis, so that nobody restarts it for that; `healthy` while any
 * place can be reached; `ready` while all of them can.
 */
function health({ config, availabilities, host, metrics, signal }: Serving, couriers: Couriers): Health {
  const places = [...availabilities].map(([place, { isUp, since }]) => ({ place, isUp, since }));
  const isStopping = signal.aborted;
  const isAnyUp = places.some(({ isUp }) => isUp);
  const isAllUp = places.every(({ isUp }) => isUp);
  const state = isAllUp ? "ok" : isAnyUp ? "partly away" : "redis away";
  return {
    live: true,
    healthy: isAnyUp && !isStopping,
    ready: isAllUp && !isStopping,
    body: {
      status: isStopping ? "stopping" : state,
      version: VERSION,
      worker: host.worker,
      redis: { up: isAnyUp, since: new Date(Math.max(...places.map(({ since }) => since))).toISOString() },
      partitions: Object.fromEntries(
        places.flatMap(({ place, isUp, since }) =>
          place === null ? [] : [[place, { up: isUp, since: new Date(since).toISOString() }]],
        ),
      ),
      jobs: metrics.lastTicks,
      ...(host.topics.length > 0 && { topics: metrics.notifier.health(host.topics, couriers) }),
      ...(config.catalog.vendors.length > 0 && {
        vendors: metrics.catalog.health(config.catalog.vendors.map(({ vendor }) => vendor)),
      }),
    },
  };
}
