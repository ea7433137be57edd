/** What came of both syncs, checked against what the shops have. */
import type { Check } from "../checks";
import { createHash } from "node:crypto";
import type { CatalogMetrics, Latencies } from "../../host/catalog/metrics";
import type { ListedTask } from "../../host/catalog/sync";
import type { Change, Product } from "../../host/cli/catalog/tables";
import type { HotpathFunctions } from "../../host/contract";
import type { Shop } from "./shop";
import type { StockChange } from "./stock";
import type { Outcomes, Sync } from "./season";

/** What is asked of Redis at a time. */
const PIPELINE = 500;

export interface CatalogResult {
  server: string;
  elapsedMs: number;
  products: number;
  /** The source's three queries. */
  byVendor: [vendor: string, count: number][];
  byYear: { vendor: string; counts: [year: string, count: number][] };
  recent: Product[];
  /** The parents of the first sync, one a vendor. */
  parents: { vendor: string; links: number; finished: number; failed: number; ms: number }[];
  first: Outcomes;
  second: Outcomes;
  /** What a host had in hand when it died. */
  abandoned: number;
  failures: number;
  latencies: { vendor: string; latencies: Latencies }[];
  /** Of one product that changed. */
  history: { product: Product; changes: Change[] } | undefined;
  checks: Check[];
}

export interface Evidence {
  server: string;
  functions: HotpathFunctions;
  shops: readonly Shop[];
  metrics: CatalogMetrics;
  first: Sync;
  second: Sync;
  /** Products of the first sync. */
  items: number;
  changes: readonly (StockChange & { shop: Shop })[];
  withdrawn: number;
  abandoned: readonly string[];
  elapsedMs: number;
}

/** Asks Redis for what is to be shown, and checks it. */
export async function resultOf(evidence: Evidence): Promise<CatalogResult> {
  const { functions, shops, metrics, first, second, abandoned } = evidence;
  const [byVendor, recent] = await Promise.all([
    functions.countProducts({ by: "vendor" }),
    functions.recentProducts({ count: 5 }),
  ]);
  const [vendor = ""] = [...byVendor].sort(([, a], [, b]) => b - a)[0] ?? [];
  const byYear = await functions.countProducts({ by: "year", vendor: vendor ?? "" });
  const latencies = await Promise.all(
    shops.map(async ({ vendor: name }) => ({ vendor: name, latencies: (await metrics.latencies(name))! })),
  );
  return {
    server: evidence.server,
    elapsedMs: Math.round(evidence.elapsedMs),
    products: evidence.items,
    byVendor: named(byVendor),
    byYear: { vendor: vendor ?? "", counts: named(byYear) },
    recent: recent.map((json) => JSON.parse(json) as Product),
    parents: first.tasks.map(parentOf),
    first: first.outcomes,
    second: second.outcomes,
    abandoned: abandoned.length,
    failures: first.failures + second.failures,
    latencies,
    history: await historyOf(evidence),
    checks: await checksOf(evidence, named(byVendor)),
  };
}

function named(counts: readonly (readonly [string | null, number])[]): [string, number][] {
  return counts.map(([value, count]) => [value ?? "", count]);
}

function parentOf(task: ListedTask): CatalogResult["parents"][number] {
  return {
    vendor: task.queue,
    links: task.children_total ?? 0,
    finished: task.children_finished ?? 0,
    failed: task.children_failed ?? 0,
    ms: task.children_ms ?? 0,
  };
}

function idOf(vendor: string, sku: string): string {
  return createHash("sha1").update(`${vendor}/${sku}`).digest("hex");
}

async function readHistory(functions: HotpathFunctions, id: string): Promise<Change[]> {
  return (await functions.getHistory({ model: "product", id })).map((json) => JSON.parse(json) as Change);
}

async function historyOf({ functions, changes }: Evidence): Promise<CatalogResult["history"]> {
  const change = changes.find(({ field }) => field === "price") ?? changes[0];
  if (!change) return undefined;
  const id = idOf(change.shop.vendor, change.item.sku);
  const json = await functions.getProduct({ id });
  return json === null
    ? undefined
    : { product: JSON.parse(json) as Product, changes: await readHistory(functions, id) };
}

async function checksOf(
  { functions, shops, first, second, items, changes, withdrawn, abandoned }: Evidence,
  byVendor: [string, number][],
): Promise<Check[]> {
  const [status, differing, recorded, undone, queues] = await Promise.all([
    functions.getCatalogStatus(),
    countDiffering(functions, shops),
    countRecorded(functions, changes),
    countUndone(functions, abandoned),
    Promise.all(shops.map(({ vendor }) => functions.getQueueStatus({ queue: vendor }))),
  ]);
  const sum = (numbers: readonly number[]): number => numbers.reduce((left, right) => left + right, 0);
  const left = sum(
    queues.map(
      ({ ready, delayed, leased, held, waitingChildren, dead }) =>
        ready + delayed + leased + held + waitingChildren + dead,
    ),
  );
  const linked = sum(status.map(({ links }) => links));
  return [
    {
      name: "products in the shops, and in the catalogue",
      expected: items,
      counted: sum(byVendor.map(([, count]) => count)),
    },
    { name: "links after the first sync", expected: items, counted: first.links },
    { name: "links after some were taken out of the shops", expected: items - withdrawn, counted: linked },
    {
      name: "children of the first sync that finished",
      expected: items,
      counted: sum(first.tasks.map((task) => task.children_finished ?? 0)),
    },
    { name: "tasks of the host that died, not done by the other", expected: 0, counted: undone },
    {
      name: "products that were changed in the shops, and found changed",
      expected: changes.length,
      counted: second.outcomes.changed ?? 0,
    },
    {
      name: "products found as they were, by 304",
      expected: items - withdrawn - changes.length,
      counted: second.outcomes["not modified"] ?? 0,
    },
    { name: "changes on record, with old and new value", expected: changes.length, counted: recorded },
    { name: "products that are not as their page says", expected: 0, counted: differing },
    { name: "tasks left over", expected: 0, counted: left },
  ];
}

async function countDiffering(functions: HotpathFunctions, shops: readonly Shop[]): Promise<number> {
  const expected = shops.flatMap((shop) =>
    shop.stock.items.map((item) => ({ vendor: shop.vendor, page: shop.expected(item) })),
  );
  return countOf(expected, async ({ vendor, page }) => {
    const json = await functions.getProduct({ id: idOf(vendor, page.sku) });
    if (json === null) return true;
    const product = JSON.parse(json) as Product;
    return Object.entries(page).some(([field, value]) => product[field as keyof Product] !== value);
  });
}

async function countRecorded(functions: HotpathFunctions, changes: Evidence["changes"]): Promise<number> {
  return countOf(changes, async ({ shop, item, field, old, new: now }) => {
    const last = (await readHistory(functions, idOf(shop.vendor, item.sku))).at(-1);
    return last?.field === field && last.old === old && last.new === now;
  });
}

async function countUndone(functions: HotpathFunctions, ids: readonly string[]): Promise<number> {
  return countOf(ids, async (id) => {
    const json = await functions.getTask({ id });
    return json === null || (JSON.parse(json) as ListedTask).state !== "finished";
  });
}

async function countOf<T>(items: readonly T[], holds: (item: T) => Promise<boolean>): Promise<number> {
  let count = 0;
  for (let at = 0; at < items.length; at += PIPELINE) {
    const held = await Promise.all(items.slice(at, at + PIPELINE).map(holds));
    count += held.filter((each) => each).length;
  }
  return count;
}
