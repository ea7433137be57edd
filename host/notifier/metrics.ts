/** What the host counts and measures of notifications. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { HotpathFunctions } from "../contract";
import type { Courier } from "./couriers/courier";
import type { DeliveryReport } from "./deliver";
import type { GateState } from "../jobs/gate";
import type { ScanSummary } from "./scans";

export type TopicStatus = Awaited<ReturnType<HotpathFunctions["getNotifierStatus"]>>;

/** A topic, as /healthz shows it. */
interface TopicHealth {
  /** Where it delivers; null where others do. */
  courier: string | null;
  /** Whether the receiver wants anything now. */
  gate: GateState["state"];
  /** What it said, where it does not. */
  gateReason?: string;
  /** ISO 8601, UTC. */
  lastDelivered?: string;
  lastFailed?: string;
  lastReason?: string;
}

type Measured = "collecting" | "due" | "waiting" | "leased" | "dead" | "unread";
const MEASURED: readonly Measured[] = ["collecting", "due", "waiting", "leased", "dead", "unread"];

export class NotifierMetrics {
  readonly #health = new Map<string, Omit<TopicHealth, "courier">>();
  readonly #scans: Counter;
  readonly #deliveries: Counter;
  readonly #failures: Counter;
  readonly #dead: Counter;
  readonly #durations: Histogram;
  readonly #counts: Gauge;
  readonly #ingestLag: Gauge;
  readonly #missing: Gauge;
  readonly #overdue: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = (name: string, help: string, labelNames: string[]): Counter =>
      new Counter({ name, help, labelNames, registers });
    const gauge = (name: string, help: string, labelNames: string[]): Gauge =>
      new Gauge({ name, help, labelNames, registers });
    this.#scans = counter("hotpath_ingested_scans_total", "Scans read from streams by this host", ["topic", "outcome"]);
    this.#deliveries = counter("hotpath_deliveries_total", "Deliveries of this host by outcome", ["topic", "outcome"]);
    this.#failures = counter("hotpath_delivery_failures_total", "Deliveries of this host that failed, by reason", [
      "topic",
      "reason",
    ]);
    this.#dead = counter(
      "hotpath_notifications_died_total",
      "Notifications that failed for the last time on this host",
      ["topic"],
    );
    this.#durations = new Histogram({
      name: "hotpath_delivery_duration_seconds",
      help: "How long receivers took",
      labelNames: ["topic"],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    });
    this.#counts = gauge("hotpath_notifications", "Subjects, notifications and entries of a topic by state", [
      "topic",
      "state",
    ]);
    this.#ingestLag = gauge(
      "hotpath_scan_lag_seconds",
      "Age of the first entry of a topic's stream that is not yet read",
      ["topic"],
    );
    this.#missing = gauge(
      "hotpath_scan_missing_entries",
      "Entries of a topic's stream that others removed before they were read",
      ["topic"],
    );
    this.#overdue = gauge("hotpath_notification_lag_seconds", "How long the first notification has been due", [
      "topic",
    ]);
  }

  /** Takes note of a round of ingest. */
  ingested(topic: string, { accepted, rejected }: ScanSummary): void {
    this.#scans.inc({ topic, outcome: "accepted" }, accepted);
    this.#scans.inc({ topic, outcome: "rejected" }, rejected);
  }

  /**
   * Takes note of a delivery.
   *
   * @param isDead whether the notification will not be given out again
   */
  reported(topic: string, { delivery, settled, ms }: DeliveryReport, isDead: boolean): void {
    this.#durations.observe({ topic }, ms / 1000);
    this.#deliveries.inc({ topic, outcome: settled === "lost" ? "lost" : delivery.outcome });
    const now = new Date().toISOString();
    if (delivery.outcome === "delivered") return this.#note(topic, { lastDelivered: now });
    this.#failures.inc({ topic, reason: delivery.code });
    if (isDead) this.#dead.inc({ topic });
    this.#note(topic, { lastFailed: now, lastReason: delivery.reason });
  }

  /** Takes note of whether the receiver wants anything. */
  gate(topic: string, state: GateState): void {
    const { gateReason: _, ...rest } = this.#health.get(topic) ?? { gate: "open" as const };
    this.#health.set(topic, {
      ...rest,
      gate: state.state,
      ...(state.state !== "open" && { gateReason: state.reason }),
    });
  }

  /** What /healthz shows. */
  health(topics: readonly { name: string }[], couriers: ReadonlyMap<string, Courier>): Record<string, TopicHealth> {
    const one = (name: string): TopicHealth => ({
      courier: couriers.get(name)?.shown ?? null,
      gate: "open",
      ...this.#health.get(name),
    });
    return Object.fromEntries(topics.map(({ name }) => [name, one(name)]));
  }

  /** Once a scrape; left out where Redis does not tell. */
  async measure(readTopics: () => Promise<TopicStatus[]>): Promise<void> {
    for (const each of [this.#counts, this.#ingestLag, this.#missing, this.#overdue]) each.reset();
    const now = Date.now();
    for (const status of await readTopics().catch(() => [])) {
      const { topic, lagMs, missing, next } = status;
      for (const state of MEASURED) this.#counts.set({ topic, state }, status[state]);
      this.#ingestLag.set({ topic }, lagMs / 1000);
      this.#missing.set({ topic }, missing);
      this.#overdue.set({ topic }, next === null ? 0 : Math.max(0, now - next) / 1000);
    }
  }

  #note(topic: string, news: Partial<TopicHealth>): void {
    this.#health.set(topic, { gate: "open", ...this.#health.get(topic), ...news });
  }
}
