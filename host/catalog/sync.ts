/** `hotpath catalog sync`: tasks are enqueued, worked off together with whoever serves, and followed to their end. */
import { CatalogMetrics, type Latencies } from "./metrics";
import { Registry } from "prom-client";
import type { WorkerHost } from "../jobs/service";
import { Catalog, type Vendor } from "./catalog";
import type { CatalogConfig } from "./config";
import { startCrew } from "./crew";
import type { Scheduled } from "./task-types";
import { pause } from "../runtime/wait";
import type { HotpathFunctions } from "../contract";

interface SyncRequest {
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
  return (await Promise.all(vendors.map((vendor) => catalog.enqueue(vendor, what, year)))).flat();
}

/**
 * Syncs.
 *
 * @param onProgress told again and again how far it is, once it is known how much there is to do: a parent hands its children out first
 * @param signal ends it; the tasks stay in their queues then
 */
export async function syncVendors(
  catalog: Catalog,
  metrics: CatalogMetrics,
  request: SyncRequest,
  onProgress: (progress: Progress) => void,
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
  let isCounted = request.what === "links";
  const following = followTasks(
    catalog.functions,
    tasks,
    (looked) => {
      isCounted ||= looked.every((task) => hasEnded(task) || task!.state === "waiting_children");
      if (isCounted) onProgress(progressOf(looked));
    },
    signal,
  ).finally(() => over.abort());
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

/** A task as the functions answer it. */
export interface ListedTask {
  id: string;
  queue: string;
  type: string;
  state: string;
  priority: number;
  attempt: number;
  at?: number;
  worker?: string;
  reason?: string;
  /** What came of it. */
  result?: Record<string, unknown>;
  children_total?: number;
  children_finished?: number;
  children_failed?: number;
  children_cancelled?: number;
  children_ms?: number | null;
}

/** Tasks that have ended, of all; children count for those that have them. */
export interface Progress {
  ended: number;
  total: number;
}

const ENDED: readonly string[] = ["finished", "dead", "cancelled"];
const EVERY_MS = 200;

/** A task that is not kept any longer has ended as well. */
function hasEnded(task: ListedTask | undefined): boolean {
  return task === undefined || ENDED.includes(task.state);
}

/** Whether a task, and all of its children, ended well. */
function isWell(task: ListedTask | undefined): boolean {
  return task === undefined || (task.state === "finished" && (task.children_failed ?? 0) === 0);
}

/** How far tasks are: children count for those that have them. */
export function progressOf(tasks: readonly (ListedTask | undefined)[]): Progress {
  let ended = 0;
  let total = 0;
  for (const task of tasks) {
    const children = task?.children_total ?? 0;
    total += Math.max(children, 1);
    if (children > 0)
      ended += (task!.children_finished ?? 0) + (task!.children_failed ?? 0) + (task!.children_cancelled ?? 0);
    else if (hasEnded(task)) ended += 1;
  }
  return { ended, total };
}

/**
 * Looks at tasks again and again until all have ended.
 *
 * @param onLook told what they are like, at each look
 * @param signal ends it
 * @returns what they are like at last, in the order of their ids; undefined for what is not kept any longer
 */
export async function followTasks(
  functions: Pick<HotpathFunctions, "getTask">,
  ids: readonly string[],
  onLook: (tasks: readonly (ListedTask | undefined)[]) => void,
  signal: AbortSignal,
): Promise<(ListedTask | undefined)[]> {
  for (;;) {
    const found = await Promise.all(ids.map((id) => functions.getTask({ id })));
    const tasks = found.map((json) => (json === null ? undefined : (JSON.parse(json) as ListedTask)));
    onLook(tasks);
    if (signal.aborted || tasks.every(hasEnded)) return tasks;
    await pause(EVERY_MS, signal);
  }
}
