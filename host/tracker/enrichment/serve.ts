/** The part of a host that fetches pages: courier and workers as the configuration wants them. */
import { keepRunning, type Service, type WorkerHost } from "../../jobs/service";
import type { TrackerConfig } from "../config";
import type { TrackerMetrics } from "../metrics";
import { Announcements } from "./announcements";
import { PageCourier } from "./courier";
import type { EnrichmentConfig } from "./settings";
import { EnrichmentWorker, type EnrichReport } from "./enrich";
import type { EnrichLimits, EnrichOutcome } from "./entry";

/** One courier and its workers, one for each partition: sites are the same for all of them, and so are their limits. */
class Enrichment {
  readonly #courier: PageCourier;
  readonly #workers = new Set<EnrichmentWorker>();

  constructor(
    private readonly host: WorkerHost,
    private readonly config: EnrichmentConfig,
    private readonly leaseMs: number,
  ) {
    this.#courier = new PageCourier(config, { onChange: () => this.#workers.forEach((each) => each.roomChanged()) });
  }

  /** Entries that this host works on. */
  get inHand(): number {
    return [...this.#workers].reduce((sum, { inHand }) => sum + inHand, 0);
  }

  /** Lets a worker of a partition work; to be called when the host is connected. */
  async work<T>(
    partition: string | null,
    onEnd: (report: EnrichReport) => void,
    use: (worker: EnrichmentWorker) => Promise<T>,
  ): Promise<T> {
    const announcements = new Announcements(this.host.connection, partition, this.host.worker);
    const functions = this.host.functions(partition);
    const context = { functions, announcements, courier: this.#courier, limits: this.#limits() };
    const worker = new EnrichmentWorker(context, onEnd);
    this.#workers.add(worker);
    try {
      return await use(worker);
    } finally {
      this.#workers.delete(worker);
    }
  }

  #limits(): EnrichLimits {
    const { attempts, backoffSeconds, maxBackoffSeconds } = this.config;
    const { leaseMs } = this;
    return { attempts, backoffMs: backoffSeconds * 1000, maxBackoffMs: maxBackoffSeconds * 1000, leaseMs };
  }
}

/** Fetches what is announced until the host stops; nothing where it is not configured. */
export async function serveEnrichment(service: Service, config: TrackerConfig, metrics: TrackerMetrics): Promise<void> {
  const { host, log, signal, troubles } = service;
  const { enrichment: settings, leaseSeconds } = config;
  if (!settings?.enabled) return;
  const enrichment = new Enrichment(host, settings, leaseSeconds * 1000);
  metrics.watchPagesInHand(() => enrichment.inHand);
  const serveOne = async (partition: string | null): Promise<void> => {
    const source = partition === null ? "enrich" : `enrich ${partition}`;
    const own = service.in(partition);
    await own.availability.start();
    await keepRunning(own, source, async () => {
      const reading = await host.connection.duplicate();
      const onEnd = ({ error, ...report }: EnrichReport): void => {
        metrics.pageEnded(report);
        log.debug({ job: source, ...report }, "page ended");
        // Of its own: it comes and goes with the pages, and would be told anew each time.
        if (error !== undefined) troubles.report(`${source} result`, error);
        else troubles.clear(source);
      };
      try {
        await enrichment.work(partition, onEnd, (worker) => worker.follow(reading, signal));
      } finally {
        reading.close();
      }
    });
  };
  await Promise.all(config.partitions.map(serveOne));
}

/**
 * Fetches what is due now, once.
 *
 * @returns how many pages ended how
 */
export async function drainEnrichment(
  host: WorkerHost,
  config: TrackerConfig,
  settings: EnrichmentConfig,
  signal: AbortSignal,
): Promise<Record<EnrichOutcome, number> & { finished: boolean }> {
  const total = { enriched: 0, gone: 0, twice: 0, failed: 0, abandoned: 0, postponed: 0, finished: true };
  const enrichment = new Enrichment(host, settings, config.leaseSeconds * 1000);
  for (const partition of config.partitions) {
    const onEnd = ({ outcome }: EnrichReport): void => void (total[outcome] += 1);
    total.finished = (await enrichment.work(partition, onEnd, (worker) => worker.drain(signal))) && total.finished;
  }
  return total;
}
