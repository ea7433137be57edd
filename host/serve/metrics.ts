/** What the host counts and measures, for /metrics and /healthz. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import { CatalogMetrics } from "../catalog/metrics";
import type { TickOutcome } from "../jobs/scheduler";
import { NotifierMetrics, type TopicStatus } from "../notifier/metrics";
import { TrackerMetrics, type Lags } from "../tracker/metrics";

/** The last tick of a job, as /healthz shows it. */
interface LastTick {
  /** ISO 8601, UTC. */
  slot: string;
  endedAt: string;
  outcome: TickOutcome | "failed";
}

interface HostState {
  /** Where the host works, and whether Redis can be reached there. */
  places(): readonly { place: string | null; isUp: boolean }[];
  /** Of each partition that can be reached. */
  readLags(): Promise<Lags[]>;
  /** Of each topic that can be reached. */
  readTopics(): Promise<TopicStatus[]>;
}

export class Metrics {
  readonly lastTicks: Record<string, LastTick> = {};
  readonly #registry = new Registry();
  /** Of the tracker. */
  readonly tracker = new TrackerMetrics(this.#registry);
  /** Of the notifier. */
  readonly notifier = new NotifierMetrics(this.#registry);
  /** Of the catalogue. */
  readonly catalog = new CatalogMetrics(this.#registry);
  readonly #ticks: Counter;
  readonly #lastTick: Gauge;
  readonly #errors: Counter;

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
        this.set(state.places().some(({ isUp }) => isUp) ? 1 : 0);
      },
    });
    new Gauge({
      name: "hotpath_partition_up",
      help: "1 while the server of a partition can be reached",
      labelNames: ["partition"],
      registers,
      collect() {
        for (const { place, isUp } of state.places()) this.set({ partition: place ?? "" }, isUp ? 1 : 0);
      },
    });
  }

  /** All metrics in Prometheus' text format. */
  async render(): Promise<string> {
    await Promise.all([
      this.tracker.measure(() => this.state.readLags()),
      this.notifier.measure(() => this.state.readTopics()),
      this.catalog.measure(),
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

  /** Takes note of a failure. */
  failed(source: string): void {
    this.#errors.inc({ source });
  }
}
