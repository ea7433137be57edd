/** Everything that can be asked about products, against what the model says. */
import { expect } from "vitest";
import { HALLMARK, HOOKED, type ProductJson, type TestCatalog } from "./catalog";
import type { CatalogModel, Filters } from "./catalog-model";

const VENDORS = [HALLMARK, HOOKED];
const OUTCOMES = ["created", "changed", "unchanged", "outdated", "removed"];
const AUDITED = ["name", "price", "availability", "release_year"];

/** Counts, outcomes, histories, audits, lists and searches. */
export async function checkCatalog(catalog: TestCatalog, model: CatalogModel, nowMs: number): Promise<void> {
  await checkCounts(catalog, model);
  await checkHistories(catalog, model);
  for (const filters of questions(nowMs)) await checkFind(catalog, model, filters);
  const recent = ((await catalog.read("recent_products")) as string[]).map((each) => JSON.parse(each) as ProductJson);
  expect(recent).toEqual(
    model
      .find({})
      .slice(0, 5)
      .map((id) => model.products.get(id)),
  );
}

function questions(nowMs: number): Filters[] {
  return [
    ...VENDORS.flatMap((vendor) => [{ vendor }, { vendor, year: 2014 }, { vendor, availability: "in_stock" }]),
    ...[{}, { year: 1973 }, { availability: "sold_out" }, { availability: 'odd "one" /', year: 2014 }],
    { price: [3.98, 15] },
    { syncedBefore: nowMs },
    { syncedBefore: nowMs, price: [5, 1299] },
    { price: [0, 5], year: 2014, vendor: HOOKED },
  ];
}

async function checkCounts(catalog: TestCatalog, model: CatalogModel): Promise<void> {
  expect(await catalog.read("count_products", "BY", "vendor")).toEqual(model.countByVendor());
  expect(await catalog.read("count_products", "BY", "year")).toEqual(model.countByYear());
  for (const vendor of VENDORS) {
    expect(await catalog.read("count_products", "BY", "year", "VENDOR", vendor)).toEqual(model.countByYear(vendor));
    const status = await catalog.status(vendor);
    for (const outcome of OUTCOMES)
      expect(status[outcome], outcome).toBe(model.outcomes.get(`${vendor} ${outcome}`) ?? 0);
  }
}

async function checkHistories(catalog: TestCatalog, model: CatalogModel): Promise<void> {
  for (const id of new Set([...model.products.keys(), ...model.history.keys()])) {
    expect(await catalog.history(id)).toEqual(model.history.get(id) ?? []);
    for (const field of AUDITED) {
      const flat = (await catalog.client.sendCommand([
        "ZRANGE",
        `ornaments:product:${id}:${field}`,
        "0",
        "-1",
        "WITHSCORES",
      ])) as unknown as string[];
      const values = new Map<string, number>();
      for (let at = 0; at < flat.length; at += 2) values.set(flat[at]!, Number(flat[at + 1]));
      expect(values, field).toEqual(model.auditOf(id, field));
    }
  }
}

async function checkFind(catalog: TestCatalog, model: CatalogModel, filters: Filters): Promise<void> {
  const { vendor, year, availability, price, syncedBefore } = filters;
  const args = [
    ...(vendor === undefined ? [] : ["VENDOR", vendor]),
    ...(year === undefined ? [] : ["YEAR", year]),
    ...(availability === undefined ? [] : ["AVAILABILITY", availability]),
    ...(price === undefined ? [] : ["PRICE", ...price]),
    ...(syncedBefore === undefined ? [] : ["SYNCED_BEFORE", syncedBefore]),
  ];
  const expected = model.find(filters);
  const { total, ids } = await catalog.find(...args);
  expect([total, ...ids], args.join(" ")).toEqual([expected.length, ...expected.slice(0, 100)]);
}
