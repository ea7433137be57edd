/** `hotpath catalog sync`: tasks are enqueued, worked off together with whoever serves, and followed to their end. */
import { CatalogMetrics, type Latencies } from "./metrics";
import { Registry } from "prom-client";
import type { WorkerHost } from "../jobs/service";
import { startProgress, type Progress } from "../terminal/progress";
import { Catalog, type Vendor } from "./catalog";
import type { CatalogConfig } from "./config";
import { startCrew } from "./crew";
import { enqueueFor, type Scheduled } from "./enqueue";
import { followTasks, hasEnded, isWell, progressOf } from "./follow";
import type { ListedTask } from "../cli/catalog-tables";

export interface SyncRequest {
  what: Scheduled;
  /** Names; all of the configuration if there are none. */
  vendors: readonly Vendor[];
  year?: number;
}

/** What came of a vendor; products are counted whoever has looked at them. */
export interface SyncedVendor {
  vendor: string;
  /** Links on its list. */
  links: number;
  products: number;
  created: number;
  changed: number;
  unchanged: number;
  gone: number;
  failed: number;
  /** Whether all of its tasks ended well. */
  ok: boolean;
  /** Why not, each once. */
  problems: string[];
  /** Requests of this process; null if there were none. */
  latencies: Latencies | null;
}

export interface SyncResult {
  ok: boolean;
  /** Ids of the tasks. */
  tasks: string[];
  vendors: SyncedVendor[];
  ms: number;
}

/** Of a vendor. */
const MAX_PROBLEMS = 5;

/** Makes the catalogue of a command; its requests are measured. */
export function catalogOf(host: WorkerHost, config: CatalogConfig): { catalog: Catalog; metrics: CatalogMetrics } {
  const metrics = new CatalogMetrics(new Registry());
  const log = { debug: () => undefined };
  return {
    catalog: new Catalog(host, config, { log, onRequest: (vendor, timing) => metrics.requested(vendor, timing) }),
    metrics,
  };
}

/** Enqueues the tasks of a sync; answers their ids. */
export async function enqueueSync(catalog: Catalog, { what, vendors, year }: SyncRequest): Promise<string[]> {
  await catalog.apply();
  return (await Promise.all(vendors.map((vendor) => enqueueFor(catalog.functions, vendor, what, year)))).flat();
}

/**
 * Syncs, with progress on standard error.
 *
 * @param signal ends it; the tasks stay in their queues then
 */
export async function syncVendors(
  catalog: Catalog,
  metrics: CatalogMetrics,
  request: SyncRequest,
  signal: AbortSignal,
): Promise<SyncResult> {
  const startedAt = performance.now();
  const { vendors } = request;
  const before = await readCounts(catalog, vendors);
  const problems = new Map<string, Set<string>>(vendors.map(({ name }) => [name, new Set()]));
  const over = new AbortController();
  const tasks = await enqueueSync(catalog, request);
  const crew = startCrew(catalog, {
    vendors,
    signal: AbortSignal.any([signal, over.signal]),
    onProduct: (vendor, outcome) => metrics.productEnded(vendor, outcome),
    onReport: (vendor, { failure }) => void (failure && problems.get(vendor)!.add(failure.reason)),
  });
  const progress = new SyncProgress(request.what);
  const following = followTasks(catalog.functions, tasks, (looked) => progress.show(looked), signal).finally(() => {
    progress.stop();
    over.abort();
  });
  // A crew that ends before all is followed has failed.
  await Promise.all([following, crew.ended]);
  const ended = await following;
  const after = await readCounts(catalog, vendors);
  const synced = await Promise.all(
    vendors.map(async ({ name }, at) => ({
      ...difference(name, before[at]!, after[at]!),
      ok: ended.every((task) => task?.queue !== name || (hasEnded(task) && isWell(task))),
      problems: [...problems.get(name)!].slice(0, MAX_PROBLEMS),
      latencies: (await metrics.latencies(name)) ?? null,
    })),
  );
  return { ok: synced.every(({ ok }) => ok), tasks, vendors: synced, ms: Math.round(performance.now() - startedAt) };
}

type Counts = Pick<SyncedVendor, "links" | "products" | "created" | "changed" | "unchanged" | "gone" | "failed">;

const NOTHING: Counts = { links: 0, products: 0, created: 0, changed: 0, unchanged: 0, gone: 0, failed: 0 };

async function readCounts({ functions }: Catalog, vendors: readonly Vendor[]): Promise<Counts[]> {
  return Promise.all(
    vendors.map(async ({ name }) => (await functions.getCatalogStatus({ vendor: name }))[0] ?? NOTHING),
  );
}

function difference(vendor: string, before: Counts, after: Counts): Counts & { vendor: string } {
  const grown = (name: keyof Counts): number => after[name] - before[name];
  const { links, products } = after;
  return {
    ...{ vendor, links, products, created: grown("created"), changed: grown("changed"), unchanged: grown("unchanged") },
    ...{ gone: grown("gone"), failed: grown("failed") },
  };
}

/** Begins when it is known how much there is to do: a parent hands its children out first. */
class SyncProgress {
  #progress: Progress | undefined;

  constructor(private readonly what: Scheduled) {}

  show(tasks: readonly (ListedTask | undefined)[]): void {
    const isCounted =
      this.what === "links" || tasks.every((task) => hasEnded(task) || task!.state === "waiting_children");
    const { ended, total } = progressOf(tasks);
    if (isCounted)
      this.#progress ??= startProgress({ label: "Syncing", total, unit: this.what === "links" ? "lists" : "products" });
    this.#progress?.update(ended);
  }

  stop(): void {
    this.#progress?.stop();
  }
}
