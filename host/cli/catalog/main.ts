/** `hotpath catalog`: syncing now, and what the catalogue holds. */
import { createHash } from "node:crypto";
import type { Config } from "../../config";
import type { Connection } from "../../redis/connection";
import type { HotpathFunctions } from "../../contract";
import { UsageError, UserError } from "../../runtime/errors";
import { Host } from "../../serve/host";
import { createLogger } from "../../runtime/log";
import { formatCount, printable } from "../../terminal/format";
import { stopOnSignals } from "../../runtime/signals";
import {
  countTable,
  historyTable,
  productTable,
  queueTable,
  syncTable,
  taskTable,
  type Change,
  type Product,
} from "./tables";
import { functionsOf } from "../../deploy/client";
import { NEEDS_PARTITION } from "../../redis/partitions";
import { withLibrary } from "../access";
import type { TaskState } from "./command";
import type { ListedTask } from "../../catalog/sync";
import type { Scheduled } from "../../catalog/task-types";
import { startProgress, type Progress } from "../../terminal/progress";
import { WIDTH } from "../../terminal/output";

interface JsonOption {
  json?: boolean;
}

export interface SyncOptions extends JsonOption {
  year?: number;
  links?: boolean;
  stale?: boolean;
  enqueue?: boolean;
}

export interface RecentOptions extends JsonOption {
  vendor?: string;
  count?: number;
}

export interface HistoryOptions extends JsonOption {
  field?: string;
}

export interface TaskOptions extends JsonOption {
  state?: TaskState;
  offset?: number;
  count?: number;
}

const DEFAULT_RECENT = 5;
const DEFAULT_TASKS = 50;
const HISTORY_PAGE = 10_000;

/** Syncs vendors now; exits with 1 unless all went well. */
export async function syncCommand(names: readonly string[], options: SyncOptions): Promise<void> {
  if (options.links && options.stale) throw new UsageError("--links and --stale exclude each other");
  await withLibrary("catalogue", async (config) => {
    const signal = stopOnSignals(() => console.error("Stopping; what was enqueued stays in the queue."));
    const host = new Host(config, createLogger("silent"));
    try {
      await host.prepare();
      await sync(host, config, names, options, signal);
    } finally {
      host.close();
    }
  });
}

async function sync(
  host: Host,
  config: Config,
  names: readonly string[],
  { year, links, stale, enqueue, json }: SyncOptions,
  signal: AbortSignal,
): Promise<void> {
  // An HTTP client and an HTML parser that the other commands do without.
  const { catalogOf, enqueueSync, syncVendors } = await import("../../catalog/sync");
  const { catalog, metrics } = catalogOf(host, config.catalog);
  const what: Scheduled = links ? "links" : stale ? "refresh" : "products";
  const vendors = chosen(catalog.vendors, names);
  const request = { what, vendors, ...(year !== undefined && { year }) };
  if (enqueue) {
    const tasks = await enqueueSync(catalog, request);
    return console.log(json ? JSON.stringify({ tasks }) : tasks.join("\n"));
  }
  let progress: Progress | undefined;
  const unit = what === "links" ? "lists" : "products";
  const result = await syncVendors(
    catalog,
    metrics,
    request,
    ({ ended, total }) => (progress ??= startProgress({ label: "Syncing", total, unit })).update(ended),
    signal,
  ).finally(() => progress?.stop());
  console.log(json ? JSON.stringify(result) : syncTable(result.vendors, WIDTH).join("\n"));
  for (const { vendor, problems } of result.vendors) {
    for (const problem of problems) console.error(`hotpath: ${vendor}: ${printable(problem)}`);
  }
  if (!result.ok) process.exitCode = 1;
}

function chosen<V extends { name: string }>(vendors: readonly V[], names: readonly string[]): readonly V[] {
  const known = vendors.map(({ name }) => name);
  if (known.length === 0) throw new UsageError("catalog.vendors: there is no vendor in the configuration");
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`there is no vendor '${unknown}' in the configuration; there is ${known.join(", ")}`);
  return names.length === 0 ? vendors : vendors.filter(({ name }) => names.includes(name));
}

/** Counts distinct SKUs by vendor; of one vendor, by year. */
export async function countsCommand(vendor: string | undefined, { json }: JsonOption): Promise<void> {
  await withCatalog(async (functions) => {
    const by = vendor === undefined ? "vendor" : "year";
    const counts = (await functions.countProducts({ by, ...(vendor !== undefined && { vendor }) })).map(
      ([value, skus]) => [value ?? "", skus] as const,
    );
    console.log(json ? JSON.stringify(Object.fromEntries(counts)) : countTable(by, counts, WIDTH).join("\n"));
  });
}

/** Shows the products created last. */
export async function recentCommand({ vendor, count = DEFAULT_RECENT, json }: RecentOptions): Promise<void> {
  await withCatalog(async (functions) => {
    const found = await functions.recentProducts({ count, ...(vendor !== undefined && { vendor }) });
    if (json) return console.log(`[${found.join(",")}]`);
    console.log(
      productTable(
        found.map((each) => JSON.parse(each) as Product),
        WIDTH,
      ).join("\n"),
    );
  });
}

/** Shows what has changed in a product, given by its id or as vendor/sku. */
export async function historyCommand(what: string, { field, json }: HistoryOptions): Promise<void> {
  const id = productIdOf(what);
  await withCatalog(async (functions) => {
    const changes: string[] = [];
    for (let page = HISTORY_PAGE; page === HISTORY_PAGE;) {
      const found = await functions.getHistory({
        model: "product",
        id,
        offset: changes.length,
        count: HISTORY_PAGE,
        ...(field !== undefined && { field }),
      });
      changes.push(...found);
      page = found.length;
    }
    const product = await functions.getProduct({ id });
    if (json) return console.log(`{"product":${product},"changes":[${changes.join(",")}]}`);
    if (product === null && changes.length === 0)
      throw new UsageError(`there is no product ${what}, and nothing is on record of it`);
    const title = product === null ? "removed" : printable((JSON.parse(product) as Product).name);
    console.log(
      [
        `${id} ${title}`,
        "",
        ...historyTable(
          changes.map((each) => JSON.parse(each) as Change),
          WIDTH,
        ),
      ].join("\n"),
    );
  });
}

const PRODUCT_ID = /^[0-9a-f]{40}$/;

function productIdOf(what: string): string {
  if (PRODUCT_ID.test(what)) return what;
  if (!/^[^/]+\/./.test(what)) throw new UsageError(`'${what}' is neither the id of a product nor vendor/sku`);
  return createHash("sha1").update(what).digest("hex");
}

/** Lists all queues and how they are doing; of one queue, its tasks. */
export async function tasksCommand(queue: string | undefined, options: TaskOptions): Promise<void> {
  if (queue === undefined && options.state !== undefined)
    throw new UsageError("--state needs a queue, which has its vendor's name");
  await withCatalog(async (functions) => {
    if (queue === undefined) return showQueues(functions, options);
    const { state = "waiting", offset = 0, count = DEFAULT_TASKS, json } = options;
    const [total, ...page] = await functions.listTasks({ queue, state, offset, count });
    if (json)
      return console.log(
        `{"queue":${JSON.stringify(queue)},"state":"${state}","total":${total},"offset":${offset},"tasks":[${page.join(",")}]}`,
      );
    const summary = `${formatCount(total)} ${state} in ${printable(queue)}`;
    if (page.length === 0) return console.log(summary);
    const tasks = page.map((each) => JSON.parse(each) as ListedTask);
    console.log(
      [
        ...taskTable(tasks, WIDTH, Date.now()),
        "",
        `${formatCount(offset + 1)} to ${formatCount(offset + page.length)} of ${summary}`,
      ].join("\n"),
    );
  });
}

async function showQueues(functions: HotpathFunctions, { json }: JsonOption): Promise<void> {
  const queues = await functions.listQueues();
  const statuses = await Promise.all(queues.map((queue) => functions.getQueueStatus({ queue })));
  console.log(json ? JSON.stringify(statuses) : queueTable(statuses, WIDTH, Date.now()).join("\n"));
}

async function withCatalog(work: (functions: HotpathFunctions) => Promise<void>): Promise<void> {
  await withLibrary("catalogue", async ({ catalog: { partition } }: Config, connection: Connection) => {
    if (connection.isCluster && partition === undefined) throw new UserError(`catalog.partition: ${NEEDS_PARTITION}`);
    await work(functionsOf(connection, { partition: partition ?? null }));
  });
}
