/* The queries of the document that the catalogue was made from, on products in the shape of its figures. */
import { beforeAll, describe, expect, it } from "vitest";
import { HALLMARK, HOOKED, useCatalog, type ProductJson } from "../support/catalog";

const catalog = useCatalog();

/** The last products of the document's table, with the times at which they were created; the latest first. */
const LATEST: [name: string, price: string, year: number, created: string][] = [
  ["2014 Felt Snowflake And Mittens Ornaments Set", "15.95", 2014, "2020-10-17T18:09:08.919Z"],
  ["2014 Felt Nature And Holiday Words Ornament Set", "9.98", 2014, "2020-10-17T18:09:08.121Z"],
  ["2014 Father Christmas African American", "38.95", 2014, "2020-10-17T18:09:08.089Z"],
  ["2014 Feliz Navidad", "14.95", 2014, "2020-10-17T18:09:08.060Z"],
  ["2014 Father Christmas #11", "28.95", 2014, "2020-10-17T18:09:06.955Z"],
];
const FIRST_YEARS: [year: string, skus: number][] = [
  ["1973", 21],
  ["1974", 19],
  ["1975", 30],
  ["1976", 49],
];
const TOTALS: [vendor: string, skus: number][] = [
  [HALLMARK, 10_270],
  [HOOKED, 6_689],
];
const LAST_YEAR = 2020;
const BEFORE_LATEST = Date.parse("2020-10-17T12:00:00Z");

/** Years of so many products: the document's first ones, the rest spread over those after. */
function yearsOf(count: number): number[] {
  const years = FIRST_YEARS.flatMap(([year, skus]) => Array.from({ length: skus }, () => Number(year)));
  const rest = LAST_YEAR - 1976;
  while (years.length < count) years.push(1977 + (years.length % rest));
  return years;
}

async function upsertAll(vendor: string, products: { product: object; nowMs: number }[]): Promise<void> {
  const calls = products.map(({ product, nowMs }) =>
    catalog.call("upsert_product", vendor, JSON.stringify(product), "NOW", nowMs),
  );
  await Promise.all(calls);
}

beforeAll(async () => {
  const expected = new Map<string, number>();
  for (const [vendor, total] of TOTALS) {
    const own = vendor === HALLMARK ? LATEST : [];
    const products = yearsOf(total - own.length).map((year, at) => ({
      product: { sku: `QX${at}`, name: `${year} Ornament ${at}`, price: `$${(at % 90) + 5}.95`, release_year: year },
      nowMs: BEFORE_LATEST + at,
    }));
    for (const [name, price, year, created] of own) {
      products.push({
        product: { sku: name, name, price: `$${price}`, release_year: year },
        nowMs: Date.parse(created),
      });
    }
    await upsertAll(vendor, products);
    // Counts are of SKUs, not of calls: some come again, as they would every hour.
    await upsertAll(
      vendor,
      products.slice(-1000).map(({ product, nowMs }) => ({ product, nowMs: nowMs + 3_600_000 })),
    );
    expected.set(vendor, products.length);
  }
  expect([...expected]).toEqual(TOTALS);
}, 60_000);

describe("the queries of the document", () => {
  it("total count by vendor: 10,270 and 6,689 distinct SKUs", async () => {
    expect(await catalog.read("count_products", "BY", "vendor")).toEqual(TOTALS);
  });

  it("count of ornaments by year for a vendor: 1973 has 21, 1974 has 19, 1975 has 30, 1976 has 49", async () => {
    const counts = (await catalog.read("count_products", "BY", "year", "VENDOR", HALLMARK)) as [string, number][];
    expect(counts.slice(0, 4)).toEqual(FIRST_YEARS);
    expect(counts.map(([year]) => year)).toEqual(
      Array.from({ length: LAST_YEAR - 1973 + 1 }, (_, at) => String(1973 + at)),
    );
    expect(counts.reduce((sum, [, skus]) => sum + skus, 0)).toBe(10_270);
  });

  it("the five most recently created products", async () => {
    const recent = ((await catalog.read("recent_products")) as string[]).map((each) => JSON.parse(each) as ProductJson);
    const shown = recent.map(({ name, price, release_year: year, created_at: created }) => [
      name,
      price,
      year,
      new Date(created).toISOString(),
    ]);
    expect(shown).toEqual(LATEST);
  });
});

describe("the same figures by other ways", () => {
  it("a SKU that both vendors have in a year counts once where no vendor is named", async () => {
    const counts = (await catalog.read("count_products", "BY", "year")) as [string, number][];
    expect(counts.slice(0, 4)).toEqual(FIRST_YEARS);
  });

  it("a search by vendor and year finds as many", async () => {
    expect(await catalog.find("VENDOR", HALLMARK, "YEAR", 1976, "COUNT", 1)).toMatchObject({ total: 49 });
    expect(await catalog.find("YEAR", 1976, "COUNT", 1)).toMatchObject({ total: 98 });
    expect(await catalog.find("VENDOR", HOOKED, "COUNT", 1)).toMatchObject({ total: 6_689 });
  });

  it("each product has its first price on record, once", async () => {
    const [id] = (await catalog.find("VENDOR", HALLMARK, "COUNT", 1)).ids;
    expect(await catalog.history(id!)).toEqual([
      { at: Date.parse(LATEST[0]![3]), field: "price", old: null, new: "15.95" },
    ]);
    const audit = await catalog.client.sendCommand([
      "ZRANGE",
      `ornaments:product:${id!}:price`,
      "0",
      "-1",
      "WITHSCORES",
    ]);
    expect(audit).toEqual(["15.95", String(Math.floor(Date.parse(LATEST[0]![3]) / 1000))]);
  });
});
