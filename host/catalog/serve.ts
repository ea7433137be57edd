/** The catalogue of a serving host: what is due by the schedule is enqueued, and tasks are worked off. */
import type { GateState } from "../jobs/gate";
import { ledJob } from "../jobs/lead";
import { keepRunning, serveSchedule, type Service } from "../jobs/service";
import { Wakeup } from "../runtime/wakeup";
import { Catalog, type Vendor } from "./catalog";
import type { CatalogConfig } from "./config";
import { staleMsOf, workingOf } from "./crew";
import type { CatalogMetrics, Measured } from "./metrics";
import { SCHEDULED, type Scheduled } from "./task-types";
import { workUntilStopped, type TaskReport } from "./tasks";

/** Enqueues and works until the host stops; nothing where there are no vendors. */
export async function serveCatalog(service: Service, config: CatalogConfig, metrics: CatalogMetrics): Promise<void> {
  const { host, log } = service;
  if (config.vendors.length === 0) return;
  const catalog = new Catalog(host, config, { log, onRequest: (vendor, timing) => metrics.requested(vendor, timing) });
  metrics.watch(() => measure(catalog));
  const wakeups = new Map(catalog.vendors.map(({ name }) => [name, new Wakeup()]));
  await Promise.all([
    schedule(service, catalog, (vendor) => wakeups.get(vendor)!.wake()),
    ...catalog.vendors.map((vendor) => {
      const source = `tasks ${vendor.name}`;
      const wakeup = wakeups.get(vendor.name)!;
      return keepRunning(service, source, () => work(service, catalog, metrics, vendor, source, wakeup));
    }),
  ]);
}

async function work(
  service: Service,
  catalog: Catalog,
  metrics: CatalogMetrics,
  vendor: Vendor,
  source: string,
  wakeup: Wakeup,
): Promise<void> {
  const { signal, troubles } = service;
  // Also when Redis is back: it may have come back empty.
  await catalog.apply();
  await workUntilStopped({
    ...workingOf(catalog, vendor, wakeup, (outcome) => metrics.productEnded(vendor.name, outcome)),
    signal,
    onClaim: () => troubles.clear(source),
    onReport: (report) => {
      metrics.taskEnded(vendor.name, report);
      logReport(service, vendor, report);
    },
    onGate: (state) => logGate(service, vendor, state),
  });
}

async function schedule(service: Service, catalog: Catalog, wake: (vendor: string) => void): Promise<void> {
  const { functions, config } = catalog;
  const leaseMs = config.leaseSeconds * 1000;
  const jobs = SCHEDULED.flatMap((what) => {
    const pattern = config.schedule[what];
    const job = `catalog-${what}`;
    if (pattern === null) return [];
    return ledJob(service, {
      ...{ name: job, job, pattern, functions, leaseMs, nothing: { finished: true, vendors: 0, tasks: 0 } },
      work: (mayGoOn) => enqueueAll(catalog, what, wake, mayGoOn),
      onEnd: ({ slot, outcome, summary }) => {
        const about = { job, slot: new Date(slot).toISOString(), outcome, ...summary };
        if (summary.tasks > 0) service.log.info(about, "enqueued");
      },
    });
  });
  if (jobs.length === 0) return;
  await serveSchedule(service, "catalog schedule", jobs, { settleMs: 0, retryMs: leaseMs });
}

async function enqueueAll(
  catalog: Catalog,
  what: Scheduled,
  wake: (vendor: string) => void,
  mayGoOn: () => Promise<boolean>,
) {
  const summary = { finished: false, vendors: 0, tasks: 0 };
  await catalog.apply();
  for (const vendor of catalog.vendors) {
    if (!(await mayGoOn())) return summary;
    summary.tasks += (await catalog.enqueue(vendor, what)).length;
    summary.vendors += 1;
    wake(vendor.name);
  }
  return { ...summary, finished: true };
}

async function measure(catalog: Catalog): Promise<Measured[]> {
  const { functions, vendors } = catalog;
  const stale = staleMsOf(catalog);
  return Promise.all(
    vendors.map(async ({ name }) => {
      const [tasks, [stock]] = await Promise.all([
        functions.getQueueStatus({ queue: name }),
        functions.getCatalogStatus({ vendor: name, stale }),
      ]);
      const { ready, delayed, leased, held, waitingChildren, dead } = tasks;
      const { products = 0, links = 0, unscraped = 0, stale: old = 0 } = stock ?? {};
      return {
        vendor: name,
        queue: { ready, delayed, leased, held, waiting_children: waitingChildren, dead },
        stock: { products, links, unscraped, stale: old },
      };
    }),
  );
}

function logReport(
  { log, troubles }: Pick<Service, "log" | "troubles">,
  { name }: Vendor,
  { task, outcome, failure, result, settled, error, ms }: TaskReport,
): void {
  const { id, type, attempt } = task;
  const about = { vendor: name, id, type, attempt, ms: Math.round(ms) };
  if (error !== undefined) troubles.report(`ending tasks ${name}`, error);
  else troubles.clear(`ending tasks ${name}`);
  if (outcome === "finished") log.debug({ ...about, result }, "task finished");
  else if (outcome === "released") log.info(about, "task given back");
  else log.warn({ ...about, ...failure }, "task failed");
  if (settled === "lost")
    log.warn(
      about,
      "the lease was over before the task ended, or it was cancelled; what was done of it may be done again",
    );
  if (settled === "unknown") log.warn(about, "Redis could not be told how the task ended; it may be done again");
}

function logGate({ log }: Pick<Service, "log">, { name }: Vendor, state: GateState): void {
  if (state.state === "open") return log.info({ vendor: name }, "the vendor is asked again");
  if (state.state === "paused")
    log.warn(
      { vendor: name, reason: state.reason, until: new Date(state.untilMs).toISOString() },
      "the vendor wants to be left alone",
    );
}
