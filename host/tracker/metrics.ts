/** What the host counts and measures of the tracker. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { HotpathFunctions } from "../contract";
import type { EnrichReport } from "./enrichment/enrich";

/** How far behind streams and tiers are; a part of what `get_tracker_status` answers. */
export interface Lags extends Pick<
  Awaited<ReturnType<HotpathFunctions["getTrackerStatus"]>>,
  "streams" | "tiers" | "carryLagMs"
> {
  /** Empty where there are none. */
  partition: string;
}

export class TrackerMetrics {
  readonly #durations: Histogram;
  readonly #merged: Counter;
  readonly #events: Counter;
  readonly #ingestLag: Gauge;
  readonly #missing: Gauge;
  readonly #rotationLag: Gauge;
  readonly #carryLag: Gauge;
  readonly #keptUp: Counter;
  readonly #pages: Counter;
  readonly #pageDurations: Histogram;

  constructor(private readonly registry: Registry) {
    const registers = [registry];
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
    this.#ingestLag = new Gauge({
      name: "hotpath_ingest_lag_seconds",
      help: "Time between the last entry of a stream and the last one that was counted",
      labelNames: ["stream"],
      registers,
    });
    this.#missing = new Gauge({
      name: "hotpath_stream_missing_entries",
      help: "Entries of a stream that others removed before they were counted",
      labelNames: ["stream"],
      registers,
    });
    this.#rotationLag = new Gauge({
      name: "hotpath_rotation_lag_seconds",
      help: "How long the oldest window that waits to be merged has been over",
      labelNames: ["partition", "tier", "metric"],
      registers,
    });
    this.#carryLag = new Gauge({
      name: "hotpath_carry_lag_seconds",
      help: "How long devices that rotation has merged wait to be brought to the partitions that they belong to",
      labelNames: ["partition"],
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

  /** Takes note of a round of ingest. */
  ingested(stream: string, { accepted, rejected, late }: Record<"accepted" | "rejected" | "late", number>): void {
    this.#events.inc({ stream, outcome: "accepted" }, accepted);
    this.#events.inc({ stream, outcome: "rejected" }, rejected);
    this.#events.inc({ stream, outcome: "late" }, late);
  }

  /** Takes note of what a tick led by this host has done. */
  rotated(job: string, { merged }: { merged: number }, durationMs: number): void {
    this.#durations.observe({ job }, durationMs / 1000);
    this.#merged.inc({ job }, merged);
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
      registers: [this.registry],
      collect() {
        this.set(count());
      },
    });
  }

  /** Once a scrape; left out where Redis does not tell. */
  async measure(readLags: () => Promise<Lags[]>): Promise<void> {
    this.#ingestLag.reset();
    this.#missing.reset();
    this.#rotationLag.reset();
    this.#carryLag.reset();
    for (const { partition, streams, tiers, carryLagMs } of await readLags().catch(() => [])) {
      for (const [stream, , , lagMs, missing] of streams) {
        this.#ingestLag.set({ stream }, lagMs / 1000);
        this.#missing.set({ stream }, missing);
      }
      this.#carryLag.set({ partition }, carryLagMs / 1000);
      for (const [tier, , , , pgLagMs, , udLagMs] of tiers) {
        this.#rotationLag.set({ partition, tier, metric: "pg" }, pgLagMs / 1000);
        this.#rotationLag.set({ partition, tier, metric: "ud" }, udLagMs / 1000);
      }
    }
  }
}
