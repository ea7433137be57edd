/* What is kept of changes: the audit as its users know it, and the history. */
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, HALLMARK, HOUR, idOf, NOON, useCatalog, type ChangeJson } from "../support/catalog";
import { allKeys } from "../support/tracker";

const catalog = useCatalog();
const { upsert, history } = catalog;

beforeEach(() => catalog.server.flush());

const ID = idOf(HALLMARK, "A");
const PRODUCT = { sku: "A", name: "a", price: "$3.98", availability: "in_stock", release_year: 2014 };
const seconds = (ms: number): string => String(Math.floor(ms / 1000));
const auditOf = (field: string): Promise<unknown> =>
  catalog.client.sendCommand(["ZRANGE", `ornaments:product:${ID}:${field}`, "0", "-1", "WITHSCORES"]);
const ttlOf = async (key: string): Promise<number> => Number(await catalog.client.sendCommand(["PTTL", key]));

/** Sets the price again and again, an hour apart. */
async function reprice(...prices: (string | null)[]): Promise<void> {
  for (const [at, price] of prices.entries())
    await upsert(HALLMARK, at === 0 ? { ...PRODUCT, price } : { sku: "A", price }, NOON + at * HOUR);
}

const prices = (changes: ChangeJson[]): unknown[] =>
  changes.filter(({ field }) => field === "price").map((each) => each.new);

describe("by default price and availability are audited", () => {
  it("each value with the second from which it was, under the name its users know", async () => {
    await reprice("$3.98", "4.98", "4.98", "2.50");
    expect(await auditOf("price")).toEqual([
      "3.98",
      seconds(NOON),
      "4.98",
      seconds(NOON + HOUR),
      "2.50",
      seconds(NOON + 3 * HOUR),
    ]);
    expect(await auditOf("availability")).toEqual(["in_stock", seconds(NOON)]);
    expect(await auditOf("name")).toEqual([]);
  });

  it("a value that comes back has its latest time; the history has both", async () => {
    await reprice("3.98", "4.98", "3.98");
    expect(await auditOf("price")).toEqual(["4.98", seconds(NOON + HOUR), "3.98", seconds(NOON + 2 * HOUR)]);
    expect(await history(ID, "FIELD", "price")).toEqual([
      { at: NOON, field: "price", old: null, new: "3.98" },
      { at: NOON + HOUR, field: "price", old: "3.98", new: "4.98" },
      { at: NOON + 2 * HOUR, field: "price", old: "4.98", new: "3.98" },
    ]);
  });

  it("a value that goes away is a change to null", async () => {
    await reprice("3.98", null, "4.98");
    expect(prices(await history(ID))).toEqual(["3.98", null, "4.98"]);
    expect(await auditOf("price")).toEqual(["3.98", seconds(NOON), "4.98", seconds(NOON + 2 * HOUR)]);
  });

  it("calls that change nothing, come twice or come late leave no trace", async () => {
    await reprice("3.98", "4.98");
    await upsert(HALLMARK, { sku: "A", price: "4.980" }, NOON + 2 * HOUR);
    await upsert(HALLMARK, { sku: "A", price: "1.00" }, NOON);
    expect(prices(await history(ID))).toEqual(["3.98", "4.98"]);
  });

  it("changes of one call are in the order of fields, those of one millisecond in that of calls", async () => {
    await upsert(HALLMARK, PRODUCT, NOON);
    await upsert(HALLMARK, { sku: "A", availability: "sold_out", price: "5" }, NOON);
    await upsert(HALLMARK, { sku: "A", price: "6" }, NOON);
    expect((await history(ID)).map(({ field, new: after }) => [field, after])).toEqual([
      ["price", "3.98"],
      ["availability", "in_stock"],
      ["price", "5"],
      ["availability", "sold_out"],
      ["price", "6"],
    ]);
  });
});

describe("get_history", () => {
  it("filters by field and time, FROM included and TO not, and pages", async () => {
    await reprice("1", "2", "3", "4", "5");
    const found = async (...args: (string | number)[]): Promise<unknown[]> =>
      prices(await history(ID, "FIELD", "price", ...args));
    expect(await found("FROM", NOON + HOUR, "TO", NOON + 3 * HOUR)).toEqual(["2", "3"]);
    expect(await found("OFFSET", 1, "COUNT", 2)).toEqual(["2", "3"]);
    expect(await found("FROM", NOON + 2 * HOUR, "OFFSET", 1)).toEqual(["4", "5"]);
    expect(await history(ID, "FIELD", "name")).toEqual([]);
    expect(await history(idOf(HALLMARK, "B"))).toEqual([]);
  });

  it("text comes back as it went in, whatever is in it", async () => {
    const odd = '"field":"price"} \\ é 😀';
    await upsert(HALLMARK, { ...PRODUCT, availability: odd }, NOON);
    expect(await history(ID, "FIELD", "availability")).toEqual([
      { at: NOON, field: "availability", old: null, new: odd },
    ]);
  });
});

describe("configure_catalog", () => {
  it("says which fields are audited from then on; what is there stays", async () => {
    await upsert(HALLMARK, PRODUCT, NOON);
    await catalog.call("configure_catalog", "AUDIT", "product", "name, release_year");
    await upsert(HALLMARK, { ...PRODUCT, name: "b", price: "9", release_year: 2015 }, NOON + 1);
    expect((await history(ID)).map(({ field, new: after }) => [field, after])).toEqual([
      ["price", "3.98"],
      ["availability", "in_stock"],
      ["name", "b"],
      ["release_year", 2015],
    ]);
    expect(await auditOf("release_year")).toEqual(["2015", seconds(NOON)]);
  });

  it("no field at all is audited where none is named", async () => {
    await catalog.call("configure_catalog", "AUDIT", "product", "");
    await upsert(HALLMARK, PRODUCT, NOON);
    await upsert(HALLMARK, { ...PRODUCT, price: "9" }, NOON + 1);
    expect((await allKeys(catalog.client)).filter((key) => /HISTORY|^ornaments:/.test(key))).toEqual([]);
  });

  it("answers what is in force, and leaves what is not named", async () => {
    expect(await catalog.record("get_catalog_config")).toEqual({
      audit: '{"product":["price","availability"]}',
      audit_maxlen: 1000,
      audit_days: 0,
      removed_days: 90,
    });
    await catalog.call("configure_catalog", "AUDIT_MAXLEN", 5, "AUDIT_DAYS", 7);
    await catalog.call("configure_catalog", "AUDIT", "product", "link", "REMOVED_DAYS", 0);
    expect(await catalog.record("get_catalog_config")).toEqual({
      audit: '{"product":["link"]}',
      audit_maxlen: 5,
      audit_days: 7,
      removed_days: 0,
    });
    await catalog.call("configure_catalog", "AUDIT", "product", "");
    expect(await catalog.record("get_catalog_config")).toMatchObject({ audit: '{"product":[]}' });
  });

  it("AUDIT_MAXLEN bounds history and values, the latest stay", async () => {
    await catalog.call("configure_catalog", "AUDIT_MAXLEN", 3);
    await reprice("1", "2", "3", "4", "5");
    expect(prices(await history(ID))).toEqual(["3", "4", "5"]);
    expect(await auditOf("price")).toEqual(
      ["3", "4", "5"].flatMap((price, at) => [price, seconds(NOON + (at + 2) * HOUR)]),
    );
  });

  it("AUDIT_DAYS drops what is older at the next change", async () => {
    await catalog.call("configure_catalog", "AUDIT_DAYS", 1);
    await reprice("1", "2", "3");
    await upsert(HALLMARK, { sku: "A", price: "4" }, NOON + DAY + HOUR);
    expect(prices(await history(ID))).toEqual(["2", "3", "4"]);
    expect(await auditOf("price")).toEqual([
      "2",
      seconds(NOON + HOUR),
      "3",
      seconds(NOON + 2 * HOUR),
      "4",
      seconds(NOON + DAY + HOUR),
    ]);
  });
});

describe("a removed product", () => {
  const removedAt = NOON + DAY;
  const remove = (): Promise<unknown> => catalog.call("remove_product", ID, "NOW", removedAt);

  it("has a last change to null, and goes from the record after REMOVED_DAYS", async () => {
    await catalog.call("configure_catalog", "AUDIT", "product", "price,name");
    await upsert(HALLMARK, PRODUCT, NOON);
    await catalog.call("configure_catalog", "AUDIT", "product", "price", "REMOVED_DAYS", 2);
    await remove();
    expect((await history(ID)).at(-1)).toEqual({ at: removedAt, field: "price", old: "3.98", new: null });
    // What was audited once goes too.
    for (const key of [
      `L:CATALOG.HISTORY::product/${ID}::`,
      `ornaments:product:${ID}:price`,
      `ornaments:product:${ID}:name`,
    ]) {
      expect(await ttlOf(key), key).toBeGreaterThan(2 * DAY - HOUR);
      expect(await ttlOf(key), key).toBeLessThanOrEqual(2 * DAY);
    }
  });

  it("that comes back goes on with it, for as long as it is there", async () => {
    await upsert(HALLMARK, PRODUCT, NOON);
    await remove();
    await upsert(HALLMARK, { ...PRODUCT, price: "5" }, removedAt + 1);
    expect(prices(await history(ID))).toEqual(["3.98", null, "5"]);
    for (const key of (await allKeys(catalog.client)).filter((each) => /HISTORY|^ornaments:/.test(each)))
      expect(await ttlOf(key), key).toBe(-1);
  });

  it("leaves nothing where REMOVED_DAYS is 0", async () => {
    await catalog.call("configure_catalog", "REMOVED_DAYS", 0);
    await upsert(HALLMARK, PRODUCT, NOON);
    await remove();
    expect((await allKeys(catalog.client)).filter((key) => /HISTORY|^ornaments:/.test(key))).toEqual([]);
  });

  it("is not removed before it was last synced, by whatever clock", async () => {
    await upsert(HALLMARK, PRODUCT, NOON);
    await catalog.call("remove_product", ID, "NOW", NOON - DAY);
    expect((await history(ID)).at(-1)!.at).toBe(NOON);
  });
});
