/** A host's hands: one worker for each vendor, in a serving host, for the time of a sync, or for one round. */
import type { WorkerHost } from "../jobs/service";
import type { Logger } from "../runtime/log";
import { Wakeup } from "../runtime/wakeup";
import { Catalog, type Vendor } from "./catalog";
import type { CatalogConfig } from "./config";
import type { ProductOutcome } from "./metrics";
import { workOnce, workUntilStopped, type TaskQueue, type TaskReport, type WorkOptions } from "./tasks";
import { workOf } from "./work";

/** Milliseconds after which a product is looked at again. */
export function staleMsOf({ config }: Catalog): number {
  return Math.round(config.staleHours * 3_600_000);
}

/**
 * All of a vendor's work but who is told of it, and when it ends.
 *
 * @param wakeup woken when something was enqueued for the vendor
 */
export function workingOf(
  catalog: Catalog,
  vendor: Vendor,
  wakeup: Wakeup,
  onProduct: (outcome: ProductOutcome) => void,
): Omit<WorkOptions, "signal" | "onReport"> {
  const { maxSleepSeconds, patienceSeconds } = catalog.config;
  const work = workOf({
    functions: catalog.functions,
    courier: vendor.courier,
    staleMs: staleMsOf(catalog),
    onProduct,
    onEnqueued: () => wakeup.wake(),
  });
  return {
    queue: catalog.queueOf(vendor),
    gate: catalog.gateOf(vendor),
    concurrency: vendor.concurrency,
    maxSleepMs: maxSleepSeconds * 1000,
    patienceMs: patienceSeconds * 1000,
    wakeup,
    work,
  };
}

export interface CrewOptions {
  vendors: readonly Vendor[];
  /** Ends it; what is being done is given back after the catalogue's patience. */
  signal: AbortSignal;
  onProduct: (vendor: string, outcome: ProductOutcome) => void;
  onReport: (vendor: string, report: TaskReport) => void;
  /** What stands between the workers and the queue. */
  through?: (queue: TaskQueue) => TaskQueue;
}

interface Crew {
  /** To be called when something was enqueued. */
  wake(): void;
  /** Settles when all have stopped; rejects if Redis is away. */
  ended: Promise<void>;
}

/** Works off the queues of vendors until the signal is aborted. */
export function startCrew(
  catalog: Catalog,
  { vendors, signal, onProduct, onReport, through = (queue) => queue }: CrewOptions,
): Crew {
  const wakeup = new Wakeup();
  const workers = vendors.map((vendor) => {
    const working = workingOf(catalog, vendor, wakeup, (outcome) => onProduct(vendor.name, outcome));
    return workUntilStopped({
      ...working,
      queue: through(working.queue),
      signal,
      onReport: (report) => onReport(vendor.name, report),
    });
  });
  const ended = Promise.all(workers).then(() => undefined);
  // Whoever waits for it is told; until then, nobody is.
  ended.catch(() => undefined);
  return { wake: () => wakeup.wake(), ended };
}

interface CatalogSummary {
  vendors: number;
  /** Tasks that ended well. */
  tasks: number;
  /** Attempts that failed; most are made again later. */
  failed: number;
  /** Product pages by what became of them. */
  products: Partial<Record<ProductOutcome, number>>;
  finished: boolean;
  /** What went wrong, each once. */
  problems: string[];
}

/** Of one run; the log has all of them. */
const MAX_PROBLEMS = 20;

/**
 * Brings the lists of links up to date, looks at what is stale or new, and works off all else that is due.
 *
 * @param signal ends it; what is being done is given back
 */
export async function catalogOnce(
  host: WorkerHost,
  config: CatalogConfig,
  log: Logger,
  signal: AbortSignal,
): Promise<CatalogSummary> {
  const catalog = new Catalog(host, config, { log, onRequest: () => undefined });
  const total: CatalogSummary = {
    vendors: catalog.vendors.length,
    tasks: 0,
    failed: 0,
    products: {},
    finished: true,
    problems: [],
  };
  await catalog.apply();
  const areDone = await Promise.all(catalog.vendors.map((vendor) => vendorOnce(catalog, vendor, total, signal)));
  total.finished = areDone.every((isDone) => isDone);
  total.problems = [...new Set(total.problems)].slice(0, MAX_PROBLEMS);
  return total;
}

async function vendorOnce(
  catalog: Catalog,
  vendor: Vendor,
  total: CatalogSummary,
  signal: AbortSignal,
): Promise<boolean> {
  const onProduct = (outcome: ProductOutcome): void =>
    void (total.products[outcome] = (total.products[outcome] ?? 0) + 1);
  const working = workingOf(catalog, vendor, new Wakeup(), onProduct);
  const onReport = (report: TaskReport): void => addReport(total, vendor, report);
  for (const what of ["links", "refresh"] as const) {
    await catalog.enqueue(vendor, what);
    if (!(await workOnce({ ...working, signal, onReport }))) return false;
  }
  return true;
}

function addReport(total: CatalogSummary, { name }: Vendor, { outcome, failure }: TaskReport): void {
  if (outcome === "finished") total.tasks += 1;
  if (outcome !== "failed") return;
  total.failed += 1;
  total.problems.push(`${name}: ${failure!.reason}`);
}
