/** `hotpath demo catalog`: three shops on loopback are synced, one of two hosts dies, prices change, and all of it is on record. */
import { Registry } from "prom-client";
import { Catalog } from "../../host/catalog/catalog";
import type { WorkerHost } from "../../host/jobs/service";
import { catalogSchema, type CatalogConfig } from "../../host/catalog/config";
import { CatalogMetrics } from "../../host/catalog/metrics";
import { isMissingFunction } from "../../host/redis/functions";
import { UserError } from "../../host/runtime/errors";
import { formatCount } from "../../host/terminal/format";
import { mortalHost } from "./mortal";
import { renderCatalog } from "./report";
import { resultOf, type CatalogResult } from "./result";
import { syncAll, type Season } from "./season";
import { openShops, USUAL_TROUBLES, type Shop } from "./shop";
import { loopbackVendor } from "./vendors";
import { runSimulation, say } from "../frame";
import type { DemoOptions } from "../options";
import type { DemoServer } from "../server";
import type { DemoClient } from "../client";

/** Six products in a hundred of what the vendors have. */
const STOCK = { scale: 0.06, from: 1973, to: 2020, troubles: USUAL_TROUBLES };
/** Shares of the products that change, and that are taken out of the shops, between the syncs. */
const CHANGED = 0.03;
const WITHDRAWN = 0.005;

/** A host that dies is to be missed within seconds, in place of a minute. */
const LEASE_SECONDS = 2;
const TYPE = { leaseSeconds: LEASE_SECONDS, backoffSeconds: 0.2 };
const SETTINGS = {
  tasks: { sync_links: TYPE, sync_products: { ...TYPE, pre: [] }, sync_product: TYPE },
  maxSleepSeconds: 0.2,
  patienceSeconds: 1,
};

/**
 * Runs the demo. Messages and progress go to standard error, the report to standard output; exits with 1 if the catalogue is not
 * what the shops have, or if a change is not on record.
 *
 * @throws UsageError, UserError and others whose message is for the person who asked
 */
export async function runCatalogDemo(options: DemoOptions): Promise<void> {
  await runSimulation({ what: "catalogue", refuse: refuseIfInUse, live: withShops, render: renderCatalog }, options);
}

async function withShops(server: DemoServer, seed: number, signal: AbortSignal): Promise<CatalogResult> {
  const shops = await openShops({ ...STOCK, seed });
  try {
    return await live(server, shops, signal);
  } finally {
    for (const shop of shops) shop.close();
  }
}

async function live(
  { client, program }: DemoServer,
  shops: readonly Shop[],
  signal: AbortSignal,
): Promise<CatalogResult> {
  const startedAt = performance.now();
  const metrics = new CatalogMetrics(new Registry());
  const items = shops.reduce((sum, { stock }) => sum + stock.items.length, 0);
  const hosts = ["first", "second"].map((name) => hostOf(client, shops, name, metrics));
  await hosts[0]!.apply();
  const season: Season = { hosts, metrics, signal };
  const mortal = mortalHost(Math.round(items / 8));
  const first = await syncAll(season, "First sync", mortal);
  const changes = shops.flatMap((shop) =>
    shop.stock.change(CHANGED, Date.now()).map((change) => ({ ...change, shop })),
  );
  const withdrawn = shops.reduce((sum, { stock }) => sum + stock.withdraw(WITHDRAWN).length, 0);
  say(`In the shops, ${formatCount(changes.length)} products change and ${formatCount(withdrawn)} are taken out.`);
  const second = await syncAll({ ...season, hosts: hosts.slice(0, 1) }, "Second sync");
  return resultOf({
    ...{ functions: client.functions, server: program, shops, metrics, first, second, items, withdrawn },
    changes: changes.filter(({ shop, item }) => shop.stock.find(item.number)),
    abandoned: mortal.inHand,
    elapsedMs: performance.now() - startedAt,
  });
}

function hostOf(
  { connection, functions, partition }: DemoClient,
  shops: readonly Shop[],
  name: string,
  metrics: CatalogMetrics,
): Catalog {
  const host: WorkerHost = { worker: `demo:${name}`, connection, functions: () => functions };
  const config: CatalogConfig = {
    ...catalogSchema.parse({ ...SETTINGS, ...(partition !== null && { partition }) }),
    vendors: shops.map((shop) => loopbackVendor(shop)),
  };
  return new Catalog(host, config, {
    log: { debug: () => undefined },
    onRequest: (vendor, timing) => metrics.requested(vendor, timing),
  });
}

/** The demo would mix its products with those of others, and work off their tasks. */
async function refuseIfInUse({ connection, functions }: DemoClient): Promise<void> {
  const found = await dataOf(functions);
  if (found.length === 0) return;
  throw new UserError(
    `the database of ${connection.shown} is in use by the catalogue (${found.join(", ")}), and the demo would mix its products with what is there; ` +
      "choose an empty database, such as redis://host:port/1",
  );
}

async function dataOf(functions: DemoClient["functions"]): Promise<string[]> {
  try {
    const [vendors, queues] = await Promise.all([functions.getCatalogStatus(), functions.listQueues()]);
    const products = vendors.reduce((sum, each) => sum + each.products, 0);
    return [
      ...(vendors.length > 0 ? [`${formatCount(products)} products of ${formatCount(vendors.length)} vendors`] : []),
      ...(queues.length > 0 ? [`tasks of ${formatCount(queues.length)} queues`] : []),
    ];
  } catch (error) {
    if (isMissingFunction(error)) return [];
    throw error;
  }
}
