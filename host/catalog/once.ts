/** `hotpath run catalog`: one round of what the schedule of a serving host does. */
import type { CatalogConfig } from "./config";
import type { WorkerHost } from "../jobs/service";
import { workOnce, type TaskReport } from "../jobs/work";
import type { Logger } from "../runtime/log";
import { Wakeup } from "../runtime/wakeup";
import { Catalog, type Vendor } from "./catalog";
import { enqueueFor } from "./enqueue";
import type { ProductOutcome } from "./metrics";
import { workingOf } from "./working";

export interface CatalogSummary {
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
    await enqueueFor(catalog.functions, vendor, what);
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
