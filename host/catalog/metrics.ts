/** What the host counts and measures of the catalogue. */
import { Counter, Gauge, Histogram, Summary, type Registry } from "prom-client";
import { SCRAPE_MS, within } from "../runtime/deadline";
import type { RequestTiming } from "./courier/types";
import type { TaskReport } from "./tasks";

/** What became of a product page. */
export type ProductOutcome = "created" | "changed" | "unchanged" | "not modified" | "outdated" | "gone" | "failed";

/** Which share of the requests took no longer. */
export const PERCENTILES = [0.5, 0.9, 0.99] as const;

/** What requests to a vendor took, in milliseconds. */
export interface Latencies {
  requests: number;
  /** Of each of {@link PERCENTILES}: the whole request. */
  total: number[];
  /** Of each of {@link PERCENTILES}: until the first byte of the answer. */
  firstByte: number[];
}

/** A vendor, as /healthz shows it. */
interface VendorHealth {
  /** Of this host. */
  requests: number;
  /** ISO 8601, UTC. */
  lastRequest?: string;
}

/** Of the percentiles; older requests say nothing of the present. */
const WINDOW_SECONDS = 600;

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class CatalogMetrics {
  readonly #requests: Counter;
  readonly #total: Histogram;
  readonly #firstByte: Histogram;
  readonly #totalPercentiles: Summary;
  readonly #firstBytePercentiles: Summary;
  readonly #products: Counter;
  readonly #tasks: Counter;
  readonly #durations: Histogram;
  readonly #queue: Gauge;
  readonly #stock: Gauge;
  readonly #vendors = new Map<string, VendorHealth>();
  #read: () => Promise<Measured[]> = () => Promise.resolve([]);

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ["vendor"];
    this.#requests = new Counter({
      name: "hotpath_vendor_requests_total",
      help: "Requests to vendors by this host, by the status of the answer; 0 where none came",
      labelNames: ["vendor", "status"],
      registers,
    });
    this.#total = new Histogram({
      name: "hotpath_vendor_request_duration_seconds",
      help: "How long requests to vendors took, body included",
      ...{ labelNames, buckets: BUCKETS, registers },
    });
    this.#firstByte = new Histogram({
      name: "hotpath_vendor_first_byte_seconds",
      help: "How long vendors took until the first byte of their answer, connecting included",
      ...{ labelNames, buckets: BUCKETS, registers },
    });
    const percentiles = {
      labelNames,
      percentiles: [...PERCENTILES],
      maxAgeSeconds: WINDOW_SECONDS,
      ageBuckets: 5,
      registers,
    };
    this.#totalPercentiles = new Summary({
      name: "hotpath_vendor_request_percentiles_seconds",
      help: "Percentiles of requests to vendors by this host in the last ten minutes, body included",
      ...percentiles,
    });
    this.#firstBytePercentiles = new Summary({
      name: "hotpath_vendor_first_byte_percentiles_seconds",
      help: "Percentiles of the time to the first byte of vendors' answers to this host in the last ten minutes",
      ...percentiles,
    });
    this.#products = new Counter({
      name: "hotpath_catalog_products_total",
      help: "Product pages that this host has looked at, by what became of them",
      labelNames: ["vendor", "outcome"],
      registers,
    });
    this.#tasks = new Counter({
      name: "hotpath_catalog_tasks_total",
      help: "Tasks of this host by type and by how they ended",
      labelNames: ["vendor", "type", "outcome"],
      registers,
    });
    this.#durations = new Histogram({
      name: "hotpath_catalog_task_duration_seconds",
      help: "How long the tasks of this host took, the wait for the vendor's turn included",
      labelNames: ["vendor", "type"],
      buckets: [0.01, 0.05, 0.25, 1, 2.5, 5, 10, 30, 120, 600],
      registers,
    });
    this.#queue = new Gauge({
      name: "hotpath_catalog_queue_tasks",
      help: "Tasks in a vendor's queue by state",
      labelNames: ["vendor", "state"],
      registers,
    });
    this.#stock = new Gauge({
      name: "hotpath_catalog_stock",
      help: "What the catalogue holds of a vendor: products, links, and links not looked at for long",
      labelNames: ["vendor", "kind"],
      registers,
    });
  }

  /** Takes note of a request. */
  requested(vendor: string, { status, firstByteMs, totalMs }: RequestTiming): void {
    this.#requests.inc({ vendor, status: String(status) });
    for (const each of [this.#total, this.#totalPercentiles]) each.observe({ vendor }, totalMs / 1000);
    for (const each of [this.#firstByte, this.#firstBytePercentiles]) each.observe({ vendor }, firstByteMs / 1000);
    const { requests = 0 } = this.#vendors.get(vendor) ?? {};
    this.#vendors.set(vendor, { requests: requests + 1, lastRequest: new Date().toISOString() });
  }

  /** Takes note of what became of a product. */
  productEnded(vendor: string, outcome: ProductOutcome): void {
    this.#products.inc({ vendor, outcome });
  }

  /** Takes note of how a task ended. */
  taskEnded(vendor: string, { task, outcome, settled, ms }: TaskReport): void {
    this.#tasks.inc({ vendor, type: task.type, outcome: settled === "lost" ? "lost" : outcome });
    this.#durations.observe({ vendor, type: task.type }, ms / 1000);
  }

  /** What the requests to a vendor took lately; undefined if there were none. */
  async latencies(vendor: string): Promise<Latencies | undefined> {
    const seen = this.#vendors.get(vendor);
    if (!seen) return undefined;
    const [total, firstByte] = await Promise.all([
      percentilesOf(this.#totalPercentiles, vendor),
      percentilesOf(this.#firstBytePercentiles, vendor),
    ]);
    return { requests: seen.requests, total, firstByte };
  }

  /** What /healthz shows: when each vendor was last asked for something, and how often. */
  health(vendors: readonly string[]): Record<string, VendorHealth> {
    return Object.fromEntries(vendors.map((vendor) => [vendor, { requests: 0, ...this.#vendors.get(vendor) }]));
  }

  /** Shows what Redis tells of vendors; asked at each scrape. */
  watch(read: () => Promise<Measured[]>): void {
    this.#read = read;
  }

  /** Once a scrape; left out where Redis does not tell. */
  async measure(): Promise<void> {
    this.#queue.reset();
    this.#stock.reset();
    for (const { vendor, queue, stock } of await within(SCRAPE_MS, "the catalogue's status", this.#read()).catch(
      () => [],
    )) {
      for (const [state, count] of Object.entries(queue)) this.#queue.set({ vendor, state }, count);
      for (const [kind, count] of Object.entries(stock)) this.#stock.set({ vendor, kind }, count);
    }
  }
}

/** What Redis tells of a vendor. */
export interface Measured {
  vendor: string;
  /** Tasks by state. */
  queue: Record<string, number>;
  /** Products, links, stale links. */
  stock: Record<string, number>;
}

async function percentilesOf(summary: Summary, vendor: string): Promise<number[]> {
  const { values } = await summary.get();
  return PERCENTILES.map((quantile) => {
    const found = values.find(({ labels }) => labels["vendor"] === vendor && Number(labels["quantile"]) === quantile);
    return (found?.value ?? 0) * 1000;
  });
}
