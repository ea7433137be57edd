/** The catalogue of a serving host: what is due by the schedule is enqueued, and tasks are worked off. */
import { leadTick } from "../jobs/lead";
import { workUntilStopped, type TaskReport } from "../jobs/work";
import type { GateState } from "../jobs/gate";
import { runSchedule, Schedule, type ScheduledJob } from "../jobs/scheduler";
import { keepRunning, type Service } from "../serve/service";
import { parsePattern } from "../jobs/slots";
import { Wakeup } from "../runtime/wakeup";
import { Catalog, type Vendor } from "./catalog";
import { enqueueFor, SCHEDULED, type Scheduled } from "./enqueue";
import type { Measured } from "./metrics";
import { staleMsOf, workingOf } from "./working";

/** Enqueues and works until the host stops; nothing where there are no vendors. */
export async function serveCatalog(service: Service): Promise<void> {
  const { config, host, log, metrics } = service;
  if (config.catalog.vendors.length === 0) return;
  const catalog = new Catalog(host, config.catalog, {
    log,
    onRequest: (vendor, timing) => metrics.catalog.requested(vendor, timing),
  });
  metrics.watchCatalog(() => measure(catalog));
  const wakeups = new Map(catalog.vendors.map(({ name }) => [name, new Wakeup()]));
  await Promise.all([
    serveSchedule(service, catalog, (vendor) => wakeups.get(vendor)!.wake()),
    ...catalog.vendors.map((vendor) => {
      const source = `tasks ${vendor.name}`;
      return keepRunning(service, source, () => work(service, catalog, vendor, source, wakeups.get(vendor.name)!));
    }),
  ]);
}

async function work(service: Service, catalog: Catalog, vendor: Vendor, source: string, wakeup: Wakeup): Promise<void> {
  const { signal, metrics, troubles } = service;
  // Also when Redis is back: it may have come back empty.
  await catalog.apply();
  await workUntilStopped({
    ...workingOf(catalog, vendor, wakeup, (outcome) => metrics.catalog.productEnded(vendor.name, outcome)),
    signal,
    onClaim: () => troubles.clear(source),
    onReport: (report) => {
      metrics.catalog.taskEnded(vendor.name, report);
      logReport(service, vendor, report);
    },
    onGate: (state) => logGate(service, vendor, state),
  });
}

async function serveSchedule(service: Service, catalog: Catalog, wake: (vendor: string) => void): Promise<void> {
  const { signal, metrics, troubles } = service;
  const jobs = SCHEDULED.flatMap((what) => scheduledJob(service, catalog, what, wake));
  if (jobs.length === 0) return;
  const schedule = new Schedule(jobs, { settleMs: 0, retryMs: catalog.config.leaseSeconds * 1000 });
  await keepRunning(service, "catalog schedule", () =>
    runSchedule(schedule, signal, (job, slot, outcome, error) => {
      metrics.ticked(job.name, slot, outcome);
      if (outcome === "failed") troubles.report(job.name, error);
      else troubles.clear(job.name);
    }),
  );
}

function scheduledJob(
  { host, log, signal }: Service,
  catalog: Catalog,
  what: Scheduled,
  wake: (vendor: string) => void,
): ScheduledJob[] {
  const { schedule, leaseSeconds } = catalog.config;
  const pattern = schedule[what];
  if (pattern === null) return [];
  const job = `catalog-${what}`;
  const run: ScheduledJob["run"] = async (slot) => {
    const leading = { job, slot, worker: host.worker, leaseMs: leaseSeconds * 1000 };
    const nothing = { finished: true, vendors: 0, tasks: 0 };
    const { outcome, summary } = await leadTick(catalog.functions, leading, signal, nothing, (mayGoOn) =>
      enqueueAll(catalog, what, wake, mayGoOn),
    );
    if (summary.tasks > 0) log.info({ job, slot: new Date(slot).toISOString(), outcome, ...summary }, "enqueued");
    return outcome;
  };
  return [{ name: job, pattern: parsePattern(pattern), run }];
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
    summary.tasks += (await enqueueFor(catalog.functions, vendor, what)).length;
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
  { log, troubles }: Service,
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

function logGate({ log }: Service, { name }: Vendor, state: GateState): void {
  if (state.state === "open") return log.info({ vendor: name }, "the vendor is asked again");
  if (state.state === "paused")
    log.warn(
      { vendor: name, reason: state.reason, until: new Date(state.untilMs).toISOString() },
      "the vendor wants to be left alone",
    );
}
