/** What the host counts and measures, for /metrics and /healthz. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { CatalogMetrics, type Measured } from "../catalog/metrics";
import type { HotpathFunctions } from "../contract";
import type { EnrichReport } from "../tracker/enrichment/enrich";
import type { IngestSummary } from "../tracker/ingest";
import type { RotationSummary } from "../tracker/rotate";
import { NotifierMetrics, type TopicStatus } from "../notifier/metrics";
import type { TickOutcome } from "../jobs/scheduler";

/** The last tick of a job, as /healthz shows it. */
export interface LastTick {
  /** ISO 8601, UTC. */
  slot: string;
  endedAt: string;
  outcome: TickOutcome | "failed";
}

/** How far behind streams and tiers are; a part of what `get_tracker_status` answers. */
export interface Lags extends Pick<Awaited<ReturnType<HotpathFunctions["getTrackerStatus"]>>, "streams" | "tiers"> {
  /** Empty where there are none. */
  partition: string;
}

export interface HostState {
  readonly isUp: boolean;
  /** Of each partition; rejects if it cannot be told. */
  readLags(): Promise<Lags[]>;
  /** Of each topic; rejects if it cannot be told. */
  readTopics(): Promise<TopicStatus[]>;
}

export class Metrics {
  readonly lastTicks: Record<string, LastTick> = {};
  readonly #registry = new Registry();
  /** Of the notifier. */
  readonly notifier = new NotifierMetrics(this.#registry);
  /** Of the catalogue. */
  readonly catalog = new CatalogMetrics(this.#registry);
  readonly #ticks: Counter;
  readonly #lastTick: Gauge;
  readonly #durations: Histogram;
  readonly #merged: Counter;
  readonly #events: Counter;
  readonly #errors: Counter;
  readonly #ingestLag: Gauge;
  readonly #rotationLag: Gauge;
  readonly #keptUp: Counter;
  readonly #pages: Counter;
  readonly #pageDurations: Histogram;
  #readCatalog: () => Promise<Measured[]> = () => Promise.resolve([]);

  constructor(private readonly state: HostState) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#ticks = new Counter({
      name: "hotpath_ticks_total",
      help: "Ticks of scheduled jobs by outcome",
      labelNames: ["job", "outcome"],
      registers,
    });
    this.#lastTick = new Gauge({
      name: "hotpath_last_tick_timestamp_seconds",
      help: "Slot of the last tick that is known to be done or led",
      labelNames: ["job"],
      registers,
    });
    this.#durations = new Histogram({
      name: "hotpath_tick_duration_seconds",
      help: "How long ticks led by this host took",
      labelNames: ["job"],
      buckets: [0.01, 0.05, 0.25, 1, 5, 30, 120, 600],
      registers,
    });
    this.#merged = new Counter({
      name: "hotpath_rotated_records_total",
      help: "Records merged by this host",
      labelNames: ["job"],
      registers,
    });
    this.#events = new Counter({
      name: "hotpath_ingested_events_total",
      help: "Events read from streams by this host",
      labelNames: ["stream", "outcome"],
      registers,
    });
    this.#errors = new Counter({
      name: "hotpath_errors_total",
      help: "Failures by what failed",
      labelNames: ["source"],
      registers,
    });
    new Gauge({
      name: "hotpath_redis_up",
      help: "1 while Redis can be reached",
      registers,
      collect() {
        this.set(state.isUp ? 1 : 0);
      },
    });
    this.#ingestLag = new Gauge({
      name: "hotpath_ingest_lag_seconds",
      help: "Time between the last entry of a stream and the last one that was counted",
      labelNames: ["stream"],
      registers,
    });
    this.#rotationLag = new Gauge({
      name: "hotpath_rotation_lag_seconds",
      help: "How long the oldest window that waits to be merged has been over",
      labelNames: ["partition", "tier", "metric"],
      registers,
    });
    this.#keptUp = new Counter({
      name: "hotpath_upkeep_documents_total",
      help: "Pages announced again (refresh) and documents removed (expire) by this host",
      labelNames: ["job"],
      registers,
    });
    this.#pages = new Counter({
      name: "hotpath_enrichment_pages_total",
      help: "Tries to have the metadata of a page by outcome, and by reason where they failed",
      labelNames: ["outcome", "reason"],
      registers,
    });
    this.#pageDurations = new Histogram({
      name: "hotpath_enrichment_duration_seconds",
      help: "How long tries to have the metadata of a page took, the wait for the site's turn included",
      labelNames: ["outcome"],
      buckets: [0.05, 0.25, 1, 2.5, 5, 10, 30, 120, 600],
      registers,
    });
  }

  /** All metrics in Prometheus' text format. */
  async render(): Promise<string> {
    await Promise.all([
      this.#measureLags(),
      this.notifier.measure(() => this.state.readTopics()),
      this.catalog.measure(this.#readCatalog),
    ]);
    return this.#registry.metrics();
  }

  /** How {@link render} is to be labelled. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Takes note of a tick. */
  ticked(job: string, slot: number, outcome: TickOutcome | "failed"): void {
    this.lastTicks[job] = { slot: new Date(slot).toISOString(), endedAt: new Date().toISOString(), outcome };
    this.#ticks.inc({ job, outcome });
    if (outcome === "done" || outcome === "elsewhere") this.#lastTick.set({ job }, slot / 1000);
  }

  /** Takes note of what a tick led by this host has done. */
  rotated(job: string, summary: RotationSummary, durationMs: number): void {
    this.#durations.observe({ job }, durationMs / 1000);
    this.#merged.inc({ job }, summary.merged);
  }

  /** Takes note of a tick of upkeep led by this host. */
  keptUp(job: string, kind: string, documents: number, durationMs: number): void {
    this.#durations.observe({ job }, durationMs / 1000);
    this.#keptUp.inc({ job: kind }, documents);
  }

  /** Takes note of how a page ended. */
  pageEnded({ outcome, reason = "", ms }: Pick<EnrichReport, "outcome" | "reason" | "ms">): void {
    this.#pages.inc({ outcome, reason });
    this.#pageDurations.observe({ outcome }, ms / 1000);
  }

  /** Shows how many announced pages this host works on; asked at each scrape. */
  watchPagesInHand(count: () => number): void {
    new Gauge({
      name: "hotpath_enrichment_pages_in_hand",
      help: "Announced pages that this host works on, those that wait for their site's turn included",
      registers: [this.#registry],
      collect() {
        this.set(count());
      },
    });
  }

  /** Shows what Redis tells of the catalogue's vendors; asked at each scrape. */
  watchCatalog(read: () => Promise<Measured[]>): void {
    this.#readCatalog = read;
  }

  /** Takes note of a round of ingest. */
  ingested(stream: string, { accepted, rejected, late }: IngestSummary): void {
    this.#events.inc({ stream, outcome: "accepted" }, accepted);
    this.#events.inc({ stream, outcome: "rejected" }, rejected);
    this.#events.inc({ stream, outcome: "late" }, late);
  }

  /** Takes note of a failure. */
  failed(source: string): void {
    this.#errors.inc({ source });
  }

  /** Once a scrape; left out where Redis does not tell. */
  async #measureLags(): Promise<void> {
    this.#ingestLag.reset();
    this.#rotationLag.reset();
    for (const { partition, streams, tiers } of await this.state.readLags().catch(() => [])) {
      for (const [stream, , , lagMs] of streams) this.#ingestLag.set({ stream }, lagMs / 1000);
      for (const [tier, , , , pgLagMs, , udLagMs] of tiers) {
        this.#rotationLag.set({ partition, tier, metric: "pg" }, pgLagMs / 1000);
        this.#rotationLag.set({ partition, tier, metric: "ud" }, udLagMs / 1000);
      }
    }
  }
}
