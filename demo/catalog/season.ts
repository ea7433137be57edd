/** What happens in the demo: a first sync in which a host dies, changes in the shops, and a second sync. */
import type { Catalog, Vendor } from "../../host/catalog/catalog";
import { startCrew } from "../../host/catalog/crew";
import type { CatalogMetrics, ProductOutcome } from "../../host/catalog/metrics";
import { followTasks, progressOf, type ListedTask } from "../../host/catalog/sync";
import type { Scheduled } from "../../host/catalog/task-types";
import { startProgress } from "../../host/terminal/progress";
import { requireRunning } from "../interruption";
import type { Mortal } from "./mortal";

/** Page by page, what became of the products of a sync. */
export type Outcomes = Partial<Record<ProductOutcome, number>>;

export interface Sync {
  /** Of each vendor, in their order. */
  tasks: ListedTask[];
  outcomes: Outcomes;
  links: number;
  /** Attempts that failed, and were made again. */
  failures: number;
  linksMs: number;
  productsMs: number;
}

export interface Season {
  /** The hosts; the tasks are enqueued by the first. */
  hosts: readonly Catalog[];
  metrics: CatalogMetrics;
  signal: AbortSignal;
}

/**
 * Brings the links up to date, and then the products, with all hosts.
 *
 * @param mortal through which the last of the hosts talks to Redis
 */
export async function syncAll({ hosts, metrics, signal }: Season, label: string, mortal?: Mortal): Promise<Sync> {
  const [first] = hosts;
  const { vendors } = first!;
  const outcomes: Outcomes = {};
  let failures = 0;
  const over = new AbortController();
  const stopping = AbortSignal.any([signal, over.signal]);
  const crews = hosts.map((catalog, at) =>
    startCrew(catalog, {
      vendors: catalog.vendors,
      signal: stopping,
      onProduct: (vendor, outcome) => {
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        metrics.productEnded(vendor, outcome);
      },
      onReport: (_vendor, { outcome }) => void (failures += outcome === "failed" ? 1 : 0),
      ...(mortal && at === hosts.length - 1 && { through: mortal.through }),
    }),
  );
  const phase = async (what: Scheduled, name: string, unit: string): Promise<{ tasks: ListedTask[]; ms: number }> => {
    const startedAt = performance.now();
    const ids = await Promise.all(vendors.map((vendor: Vendor) => first!.enqueue(vendor, what)));
    for (const crew of crews) crew.wake();
    const tasks = await followPhase(first!, ids.flat(), `${label}: ${name}`, unit, signal);
    requireRunning(signal);
    return { tasks, ms: performance.now() - startedAt };
  };
  try {
    const links = await phase("links", "links", "years");
    const products = await phase("products", "products", "products");
    const seen = links.tasks.reduce(
      (sum, { result }) => sum + ((result as { links?: number } | undefined)?.links ?? 0),
      0,
    );
    return { tasks: products.tasks, outcomes, links: seen, failures, linksMs: links.ms, productsMs: products.ms };
  } finally {
    over.abort();
    // One that has died ends with an error.
    const ended = await Promise.allSettled(crews.map(({ ended }) => ended));
    const failed = ended.find((each, at) => each.status === "rejected" && !(mortal && at === hosts.length - 1));
    if (failed?.status === "rejected" && !signal.aborted) throw failed.reason;
  }
}

async function followPhase(
  { functions }: Catalog,
  ids: readonly string[],
  label: string,
  unit: string,
  signal: AbortSignal,
): Promise<ListedTask[]> {
  let progress: ReturnType<typeof startProgress> | undefined;
  try {
    const tasks = await followTasks(
      functions,
      ids,
      (looked) => {
        // How many there are is known once each has handed its children out.
        const isCounted = looked.every(
          (task) => task?.state !== "waiting" && task?.state !== "leased" && task?.state !== "held",
        );
        const { ended, total } = progressOf(looked);
        if (unit === "years" || isCounted) progress ??= startProgress({ label, total, unit });
        progress?.update(ended);
      },
      signal,
    );
    return tasks.filter((task) => task !== undefined);
  } finally {
    progress?.stop();
  }
}
