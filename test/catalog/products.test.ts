/* Products: upserted, read, found, counted, removed; the rules that are not in a declaration. */
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, HALLMARK, HOOKED, HOUR, idOf, NOON, useCatalog, type ProductJson } from "../support/catalog";
import { allKeys, digest, sha1 } from "../support/tracker";

const catalog = useCatalog();
const { upsert, find } = catalog;

beforeEach(() => catalog.server.flush());

const FULL = {
  sku: "QXI-2094",
  name: "2014 Feliz Navidad",
  price: "$14.95",
  availability: "in_stock",
  brand: "Hallmark",
  release_year: 2014,
  link: "https://shop.example/p/QXI-2094",
};

const recent = async (...args: (string | number)[]): Promise<ProductJson[]> =>
  ((await catalog.read("recent_products", ...args)) as string[]).map((each) => JSON.parse(each) as ProductJson);

describe("upsert_product", () => {
  it("makes a product whose id is SHA-1 of vendor/sku", async () => {
    const id = sha1(`${HALLMARK}/QXI-2094`);
    expect(await upsert(HALLMARK, FULL, NOON)).toEqual({ id, outcome: "created", fields: [] });
    expect(await catalog.product(id)).toEqual({
      id,
      vendor: HALLMARK,
      ...FULL,
      price: "14.95",
      created_at: NOON,
      last_synced_at: NOON,
    });
  });

  it("answers what a reader sees as JSON with its fields in one order, text as it came", async () => {
    const name = 'Tannenbäume "1/2" \\ 😀\u0000\u001f';
    const { id } = await upsert(HALLMARK, { sku: "a/b", name, link: "https://a.example/x?y=1&z" }, NOON);
    expect(id).toBe(sha1(`${HALLMARK}/a/b`));
    const json = (await catalog.read("get_product", id)) as string;
    expect((JSON.parse(json) as ProductJson).name).toBe(name);
    expect(json).toContain('"https://a.example/x?y=1&z"');
    const fields = [
      "id",
      "vendor",
      "sku",
      "name",
      "price",
      "availability",
      "brand",
      "release_year",
      "link",
      "created_at",
      "last_synced_at",
    ];
    expect(Object.keys(JSON.parse(json) as object)).toEqual(fields);
  });

  it("answers text as it came, whatever stands for an escape in JSON", async () => {
    const names = [
      "\\/",
      "/".repeat(100),
      `${"a/".repeat(19)}b`,
      `${"a/".repeat(20)}b`,
      `${'\\/"\u0007'.repeat(30)}é`,
      "/",
      "a",
    ];
    for (const [at, name] of names.entries()) {
      await catalog.record("upsert_product", HALLMARK, JSON.stringify({ sku: `t${at}`, name }), "NOW", NOON);
      const shown = (await catalog.read("get_product", sha1(`${HALLMARK}/t${at}`))) as string;
      expect((JSON.parse(shown) as { name: string }).name).toBe(name);
      expect(shown).not.toContain(String.raw`a\/`);
    }
  });

  it("the same content again is unchanged: only last_synced_at moves", async () => {
    const { id } = await upsert(HALLMARK, FULL, NOON);
    const before = await digest(catalog.client);
    expect(await upsert(HALLMARK, FULL, NOON + HOUR)).toEqual({ id, outcome: "unchanged", fields: [] });
    expect(await catalog.product(id)).toMatchObject({ created_at: NOON, last_synced_at: NOON + HOUR });
    const after = await digest(catalog.client);
    const touched = Object.keys(after).filter((key) => after[key] !== before[key]);
    expect(touched.sort()).toEqual([`H:CATALOG.VENDOR::${HALLMARK}::`, `H:PRODUCT::${id}::`, "SS:PRODUCTS.SYNCED::::"]);
  });

  it("names the fields that changed; those not named stay, null removes one", async () => {
    const { id } = await upsert(HALLMARK, FULL, NOON);
    const change = { sku: FULL.sku, price: "12.00", availability: null, brand: "Keepsake" };
    expect(await upsert(HALLMARK, change, NOON + 1)).toEqual({
      id,
      outcome: "changed",
      fields: ["price", "availability", "brand"],
    });
    expect(await catalog.product(id)).toMatchObject({
      name: FULL.name,
      price: "12.00",
      availability: null,
      brand: "Keepsake",
      release_year: 2014,
      last_synced_at: NOON + 1,
    });
    expect(await upsert(HALLMARK, { sku: FULL.sku, availability: null }, NOON + 2)).toMatchObject({
      outcome: "unchanged",
    });
    expect(await find("AVAILABILITY", "in_stock")).toEqual({ total: 0, ids: [] });
  });

  it("an older clock changes nothing; the same one does", async () => {
    const { id } = await upsert(HALLMARK, FULL, NOON);
    const before = await digest(catalog.client);
    expect(await upsert(HALLMARK, { ...FULL, price: "1.00" }, NOON - 1)).toEqual({
      id,
      outcome: "outdated",
      fields: [],
    });
    expect(await upsert(HALLMARK, FULL, NOON - 1)).toMatchObject({ outcome: "outdated" });
    const { [`H:CATALOG.VENDOR::${HALLMARK}::`]: counters, ...after } = await digest(catalog.client);
    expect(counters).toBeDefined();
    expect(before).toMatchObject(after);
    expect(await upsert(HALLMARK, { ...FULL, price: "2.00" }, NOON)).toMatchObject({ outcome: "changed" });
  });

  it("a new product must have a name, one that is there need not be named again", async () => {
    expect(await catalog.refusal("upsert_product", HALLMARK, '{"sku":"A","price":"5"}')).toBe(
      "BADARG product: name is missing, and there is no product of sku 'A' yet",
    );
    await upsert(HALLMARK, { sku: "A", name: "a" }, NOON);
    expect(await upsert(HALLMARK, { sku: "A", price: "5" }, NOON)).toMatchObject({ outcome: "changed" });
  });

  it("takes what get_product answers", async () => {
    const { id } = await upsert(HALLMARK, FULL, NOON);
    expect(await upsert(HALLMARK, (await catalog.product(id))!, NOON + 1)).toMatchObject({ outcome: "unchanged" });
    const { id: sparse } = await upsert(HALLMARK, { sku: "S", name: "sparse" }, NOON);
    expect(await upsert(HALLMARK, (await catalog.product(sparse))!, NOON + 1)).toMatchObject({ outcome: "unchanged" });
  });

  it("text that is no UTF-8 is refused", async () => {
    const bytes = Buffer.concat([Buffer.from('{"sku":"A","name":"'), Buffer.from([0x41, 0xff]), Buffer.from('"}')]);
    expect(await catalog.refusal("upsert_product", HALLMARK, bytes)).toMatch(
      /^BADARG product: name must be text of 1 to 512 bytes of UTF-8/,
    );
  });

  it("one SKU of two vendors is two products", async () => {
    await upsert(HALLMARK, FULL, NOON);
    expect(await upsert(HOOKED, FULL, NOON)).toMatchObject({ outcome: "created", id: idOf(HOOKED, FULL.sku) });
    expect(await find()).toMatchObject({ total: 2 });
  });

  it("the server's clock is taken without NOW", async () => {
    const before = Date.now() - 1000;
    await catalog.call("upsert_product", HALLMARK, JSON.stringify(FULL));
    const { created_at: created } = (await catalog.product(idOf(HALLMARK, FULL.sku)))!;
    expect(created).toBeGreaterThan(before);
    expect(created).toBeLessThan(Date.now() + 1000);
  });

  it("the number of vendors has a limit", async () => {
    for (let at = 0; at < 500; at += 1) await upsert(`v${at}`, { sku: "A", name: "a" }, NOON);
    const before = await digest(catalog.client);
    expect(await catalog.refusal("upsert_product", "v500", '{"sku":"A","name":"a"}')).toBe(
      "LIMIT there are 500 vendors already",
    );
    expect(await catalog.refusal("sync_links", "v500", 2000, '{"https://a.example":"a"}')).toBe(
      "LIMIT there are 500 vendors already",
    );
    expect(await digest(catalog.client)).toEqual(before);
    expect(await upsert("v499", { sku: "B", name: "b" }, NOON)).toMatchObject({ outcome: "created" });
  });
});

describe("prices", () => {
  it.each([
    ["$3.98", "3.98"],
    ["1,299.00 $", "1299.00"],
    ["1.299,00 €", "1299.00"],
    ["3,98 €", "3.98"],
    ["US$ 15.95", "15.95"],
    ["1,299", "1299"],
    ["1,234,567.5", "1234567.5"],
    ["007.50", "7.50"],
    ["0", "0"],
    ["£\u00a05", "5"],
    [14.95, "14.95"],
    [15, "15"],
  ])("%s is %s", async (printed, price) => {
    const { id } = await upsert(HALLMARK, { sku: "A", name: "a", price: printed }, NOON);
    expect((await catalog.product(id))!.price).toBe(price);
  });

  it("of the same amount are the same, however printed", async () => {
    await upsert(HALLMARK, { sku: "A", name: "a", price: "$15.90" }, NOON);
    for (const price of ["15.9", 15.9, "015.900", "15,90 €"])
      expect(await upsert(HALLMARK, { sku: "A", price }, NOON + 1)).toMatchObject({ outcome: "unchanged" });
    expect(await catalog.history(idOf(HALLMARK, "A"))).toHaveLength(1);
  });
});

describe("find_products", () => {
  /** Ten products of two vendors: SKU n costs n, is of 2000 + n / 2, and every third is sold out. */
  async function shelve(): Promise<void> {
    for (let at = 0; at < 10; at += 1) {
      const product = {
        sku: `S${at}`,
        name: `n${at}`,
        price: String(at),
        release_year: 2000 + Math.floor(at / 2),
        availability: at % 3 === 0 ? "sold_out" : "in_stock",
      };
      await upsert(at % 2 === 0 ? HALLMARK : HOOKED, product, NOON + at);
    }
  }
  const ids = (...skus: number[]): string[] => skus.map((at) => idOf(at % 2 === 0 ? HALLMARK : HOOKED, `S${at}`));

  beforeEach(shelve);

  it("without filters answers all, last created first", async () => {
    expect(await find()).toEqual({ total: 10, ids: ids(9, 8, 7, 6, 5, 4, 3, 2, 1, 0) });
    expect(await find("OFFSET", 8, "COUNT", 5)).toEqual({ total: 10, ids: ids(1, 0) });
    expect(await find("OFFSET", 10)).toEqual({ total: 10, ids: [] });
  });

  it.each([
    [
      ["VENDOR", HALLMARK],
      [8, 6, 4, 2, 0],
    ],
    [["VENDOR", HALLMARK, "YEAR", 2002], [4]],
    [
      ["YEAR", 2002],
      [5, 4],
    ],
    [
      ["AVAILABILITY", "sold_out"],
      [9, 6, 3, 0],
    ],
    [
      ["AVAILABILITY", "sold_out", "VENDOR", HOOKED],
      [9, 3],
    ],
    [["AVAILABILITY", "SOLD_OUT"], []],
    [
      ["PRICE", "2", "$4.00"],
      [2, 3, 4],
    ],
    [
      ["PRICE", "2", "4", "VENDOR", HALLMARK],
      [2, 4],
    ],
    [["PRICE", "4", "2"], []],
    [
      ["SYNCED_BEFORE", NOON + 3],
      [0, 1, 2],
    ],
    [
      ["SYNCED_BEFORE", NOON + 3, "VENDOR", HALLMARK],
      [0, 2],
    ],
    [
      ["SYNCED_BEFORE", NOON + 9, "PRICE", "3", "7", "AVAILABILITY", "sold_out"],
      [3, 6],
    ],
    [["VENDOR", "nobody"], []],
  ])("%j finds %j", async (filters, skus) => {
    expect(await find(...filters)).toEqual({ total: skus.length, ids: ids(...skus) });
  });

  it("pages through what is filtered", async () => {
    expect(await find("AVAILABILITY", "in_stock", "VENDOR", HOOKED, "OFFSET", 1, "COUNT", 1)).toEqual({
      total: 3,
      ids: ids(5),
    });
    expect(await find("PRICE", "2", "8", "OFFSET", 2, "COUNT", 2)).toEqual({ total: 7, ids: ids(4, 5) });
    expect(await find("PRICE", "2", "8", "AVAILABILITY", "in_stock", "OFFSET", 4)).toEqual({ total: 5, ids: ids(8) });
  });

  it("looks at no more than LIMIT: then the total is nil, and the ids are those found by then", async () => {
    expect(await find("AVAILABILITY", "in_stock", "VENDOR", HALLMARK, "LIMIT", 2)).toEqual({
      total: null,
      ids: ids(8),
    });
    expect(await find("AVAILABILITY", "in_stock", "VENDOR", HALLMARK, "LIMIT", 5)).toEqual({
      total: 3,
      ids: ids(8, 4, 2),
    });
    expect(await find("PRICE", "0", "9", "AVAILABILITY", "sold_out", "LIMIT", 3)).toEqual({ total: null, ids: ids(0) });
  });

  it("products of one millisecond are in the reverse order of ids, with one filter and with two", async () => {
    await catalog.server.flush();
    const skus = Array.from({ length: 30 }, (_, at) => `T${at}`);
    for (const sku of skus)
      await upsert(HALLMARK, { sku, name: "t", availability: "in_stock", release_year: 2000 }, NOON);
    const sorted = skus
      .map((sku) => idOf(HALLMARK, sku))
      .sort()
      .reverse();
    expect((await find("VENDOR", HALLMARK)).ids).toEqual(sorted);
    expect((await find("VENDOR", HALLMARK, "AVAILABILITY", "in_stock")).ids).toEqual(sorted);
    await upsert(HOOKED, { sku: "other", name: "o", availability: "in_stock" }, NOON - 1);
    expect((await find("AVAILABILITY", "in_stock", "YEAR", 2000)).ids).toEqual(sorted);
  });

  it("of very many, a filter or vendor and year give the total without looking", async () => {
    await catalog.server.flush();
    const products = Array.from({ length: 3000 }, (_, at) => ({
      sku: `M${at}`,
      name: "m",
      price: String(at % 100),
      release_year: 1990,
      availability: "in_stock",
    }));
    await Promise.all(products.map((product, at) => upsert(HALLMARK, product, NOON + at)));
    for (const filters of [
      ["VENDOR", HALLMARK],
      ["YEAR", 1990],
      ["AVAILABILITY", "in_stock"],
      ["PRICE", "0", "99"],
      ["SYNCED_BEFORE", NOON + DAY],
      ["VENDOR", HALLMARK, "YEAR", 1990],
    ]) {
      expect(await find(...filters, "COUNT", 1, "OFFSET", 2900)).toMatchObject({ total: 3000 });
    }
    expect(await find("VENDOR", HALLMARK, "AVAILABILITY", "in_stock", "COUNT", 3)).toMatchObject({
      total: null,
      ids: [0, 1, 2].map((at) => idOf(HALLMARK, `M${2999 - at}`)),
    });
    expect(await find("VENDOR", HALLMARK, "AVAILABILITY", "in_stock", "LIMIT", 3000, "COUNT", 1)).toMatchObject({
      total: 3000,
    });
    expect(await find("VENDOR", HALLMARK, "PRICE", "5", "6")).toMatchObject({ total: 60 });
  });
});

describe("count_products", () => {
  const count = (...args: string[]): Promise<unknown> => catalog.read("count_products", ...args);

  it("is empty where there is nothing", async () => {
    expect(await count("BY", "vendor")).toEqual([]);
    expect(await count("BY", "year", "VENDOR", "nobody")).toEqual([]);
  });

  it("counts distinct SKUs; one that two vendors have in a year counts once for it", async () => {
    await upsert(HALLMARK, { sku: "A", name: "a", release_year: 2000 }, NOON);
    await upsert(HOOKED, { sku: "A", name: "a", release_year: 2000 }, NOON);
    await upsert(HOOKED, { sku: "B", name: "b", release_year: 999 }, NOON);
    await upsert(HOOKED, { sku: "C", name: "c" }, NOON);
    expect(await count("BY", "vendor")).toEqual([
      [HALLMARK, 1],
      [HOOKED, 3],
    ]);
    expect(await count("BY", "vendor", "VENDOR", HOOKED)).toEqual([[HOOKED, 3]]);
    expect(await count("BY", "year")).toEqual([
      ["999", 1],
      ["2000", 1],
      [null, 1],
    ]);
    expect(await count("BY", "year", "VENDOR", HOOKED)).toEqual([
      ["999", 1],
      ["2000", 1],
      [null, 1],
    ]);
    await upsert(HALLMARK, { sku: "A", release_year: 2001 }, NOON);
    expect(await count("BY", "year")).toEqual([
      ["999", 1],
      ["2000", 1],
      ["2001", 1],
      [null, 1],
    ]);
    await catalog.call("remove_product", idOf(HOOKED, "A"));
    expect(await count("BY", "year")).toEqual([
      ["999", 1],
      ["2001", 1],
      [null, 1],
    ]);
  });
});

describe("recent_products", () => {
  it("answers five, the last created first, whenever they were synced", async () => {
    for (let at = 0; at < 7; at += 1)
      await upsert(at === 6 ? HOOKED : HALLMARK, { sku: `S${at}`, name: `n${at}` }, NOON + at);
    await upsert(HALLMARK, { sku: "S0", name: "changed" }, NOON + HOUR);
    expect((await recent()).map(({ sku }) => sku)).toEqual(["S6", "S5", "S4", "S3", "S2"]);
    expect((await recent("VENDOR", HALLMARK, "COUNT", 2)).map(({ sku }) => sku)).toEqual(["S5", "S4"]);
  });
});

describe("remove_product", () => {
  it("takes it out of everything but its history", async () => {
    const { id } = await upsert(HALLMARK, FULL, NOON);
    expect(await catalog.call("remove_product", id, "NOW", NOON + 1)).toBe(1);
    expect(await catalog.product(id)).toBeNull();
    const left = (await allKeys(catalog.client)).filter(
      (key) => !key.includes("HISTORY") && !key.startsWith("ornaments:"),
    );
    expect(left).toEqual([`H:CATALOG.VENDOR::${HALLMARK}::`, "S:CATALOG.VENDORS::::"]);
    expect(await catalog.call("count_products", "BY", "vendor")).toEqual([]);
  });

  it("of one that is not there is NOTFOUND", async () => {
    const { id } = await upsert(HALLMARK, FULL, NOON);
    await catalog.call("remove_product", id);
    expect(await catalog.refusal("remove_product", id)).toBe(`NOTFOUND there is no product '${id}'`);
  });

  it("whatever call comes next makes it anew", async () => {
    const { id } = await upsert(HALLMARK, FULL, NOON);
    await catalog.call("remove_product", id, "NOW", NOON + HOUR);
    expect(await upsert(HALLMARK, FULL, NOON - HOUR)).toMatchObject({ outcome: "created" });
    expect(await catalog.product(id)).toMatchObject({ created_at: NOON - HOUR });
  });
});

describe("get_catalog_status", () => {
  it("counts outcomes and links of each vendor", async () => {
    await upsert(HALLMARK, FULL, NOON);
    await upsert(HALLMARK, FULL, NOON);
    await upsert(HALLMARK, { ...FULL, price: "1" }, NOON);
    await upsert(HALLMARK, FULL, NOON - 1);
    await upsert(HOOKED, FULL, NOON);
    await catalog.call("remove_product", idOf(HOOKED, FULL.sku));
    await catalog.call(
      "sync_links",
      HALLMARK,
      2014,
      JSON.stringify({ "https://a.example/1": "1", "https://a.example/2": "2", "https://a.example/3": "3" }),
    );
    await catalog.call("mark_link", HALLMARK, "https://a.example/1", "OUTCOME", "failed", "NOW", NOON);
    await catalog.call("mark_link", HALLMARK, "https://a.example/2", "OUTCOME", "gone", "NOW", NOON + DAY);
    const none = {
      created: 0,
      changed: 0,
      unchanged: 0,
      outdated: 0,
      removed: 0,
      gone: 0,
      failed: 0,
      links: 0,
      unscraped: 0,
      stale: 0,
    };
    expect(await catalog.status(HALLMARK, "NOW", NOON + DAY)).toEqual({
      ...none,
      vendor: HALLMARK,
      products: 1,
      created: 1,
      changed: 1,
      unchanged: 1,
      outdated: 1,
      gone: 1,
      failed: 1,
      links: 3,
      unscraped: 1,
      stale: 2,
    });
    expect(await catalog.status(HALLMARK, "NOW", NOON + DAY, "STALE", 0)).toMatchObject({ stale: 3 });
    expect(await catalog.status(HOOKED)).toEqual({ ...none, vendor: HOOKED, products: 0, created: 1, removed: 1 });
    expect(await catalog.status("nobody")).toEqual({ ...none, vendor: "nobody", products: 0 });
    expect(await catalog.read("get_catalog_status")).toHaveLength(2);
  });
});

describe("partitions", () => {
  it("with a routing key everything carries its tag", async () => {
    const routed = (name: string, ...args: string[]): Promise<unknown> => catalog.routed(["{eu}"], name, ...args);
    await routed("upsert_product", HALLMARK, JSON.stringify(FULL), "NOW", String(NOON));
    await routed("sync_links", HALLMARK, "2014", '{"https://a.example/1":"1"}');
    await routed("mark_link", HALLMARK, "https://a.example/1");
    const keys = await allKeys(catalog.client);
    expect(keys.filter((key) => !key.includes("{eu}"))).toEqual([]);
    expect(keys).toContain(`ornaments:product:{eu}${idOf(HALLMARK, FULL.sku)}:price`);
    expect(await catalog.read("count_products", "BY", "vendor")).toEqual([]);
    expect(await routed("count_products", "BY", "vendor")).toEqual([[HALLMARK, 1]]);
  });
});
