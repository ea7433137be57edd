/* Keys that somebody else has put where the catalogue keeps something: CONFLICT, naming the key, and nothing is written. */
import { beforeEach, describe, expect, it } from "vitest";
import { HALLMARK, idOf, NOON, useCatalog } from "../support/catalog";
import { digest, sha1 } from "../support/tracker";
import { refusalOf } from "../support/functions";

const catalog = useCatalog();

const ID = idOf(HALLMARK, "A");
const URL = "https://a.example/1";
const LINK = sha1(`${HALLMARK}/${URL}`);
const PRODUCT = { sku: "A", name: "a", price: "5", availability: "in_stock", release_year: 2014, link: URL };
const CHANGED = { ...PRODUCT, name: "b", price: "6", availability: "sold_out", release_year: 2015 };
const LINKS = JSON.stringify({ [URL]: "one" });

/** Every key of a product, of one that is changed, and of a link. */
const PRODUCT_KEYS = [
  `H:PRODUCT::${ID}::`,
  `H:CATALOG.VENDOR::${HALLMARK}::`,
  "S:CATALOG.VENDORS::::",
  "SS:PRODUCTS::::",
  `SS:PRODUCTS.VENDOR::${HALLMARK}::`,
  "SS:PRODUCTS.SYNCED::::",
  "SS:PRODUCTS.PRICE::::",
  `SS:PRODUCTS.AVAILABILITY::${sha1("in_stock")}::`,
  "SS:PRODUCTS.YEAR::/2014::",
  `SS:PRODUCTS.YEAR::${HALLMARK}/2014::`,
  "H:CATALOG.YEARS::::",
  `H:CATALOG.YEARS::${HALLMARK}::`,
  "H:CATALOG.SKUS::2014::",
  `L:CATALOG.HISTORY::product/${ID}::`,
  `ornaments:product:${ID}:price`,
  `ornaments:product:${ID}:availability`,
  "H:CATALOG::::",
];
const CHANGED_KEYS = [
  `SS:PRODUCTS.AVAILABILITY::${sha1("sold_out")}::`,
  "SS:PRODUCTS.YEAR::/2015::",
  `SS:PRODUCTS.YEAR::${HALLMARK}/2015::`,
  "H:CATALOG.SKUS::2015::",
];
const LINK_KEYS = [
  `H:LINK::${LINK}::`,
  `SS:LINKS::${HALLMARK}::`,
  `SS:LINKS.YEAR::${HALLMARK}/2014::`,
  `SS:LINKS.LISTED::${HALLMARK}/2014::`,
  `H:LINKS.RUNS::${HALLMARK}::`,
  `H:CATALOG.VENDOR::${HALLMARK}::`,
  "S:CATALOG.VENDORS::::",
];

/** Something of another type than any key here. */
const spoil = (key: string): Promise<unknown> => catalog.client.sendCommand(["SET", key, "somebody's text"]);

/** The call says CONFLICT with the key, and leaves everything as it was. */
async function requireConflict(key: string, name: string, ...args: (string | number)[]): Promise<void> {
  await spoil(key);
  const before = await digest(catalog.client);
  const message = (await catalog.refusal(name, ...args)) ?? "no error";
  expect.soft(message, `${name} with ${key}`).toMatch(/^CONFLICT /);
  expect.soft(message, `${name} with ${key}`).toContain(key);
  expect.soft(await digest(catalog.client), `${name} with ${key}: something was written`).toEqual(before);
}

beforeEach(() => catalog.server.flush());

describe("upsert_product", () => {
  it.each(PRODUCT_KEYS)("of a new product, %s", (key) =>
    requireConflict(key, "upsert_product", HALLMARK, JSON.stringify(PRODUCT), "NOW", NOON),
  );

  it.each(
    [...PRODUCT_KEYS, ...CHANGED_KEYS].filter(
      (key) => !["S:CATALOG.VENDORS::::", "SS:PRODUCTS::::", `SS:PRODUCTS.VENDOR::${HALLMARK}::`].includes(key),
    ),
  )("of one that changes, %s", async (key) => {
    await catalog.upsert(HALLMARK, PRODUCT, NOON);
    await requireConflict(key, "upsert_product", HALLMARK, JSON.stringify(CHANGED), "NOW", NOON + 1);
  });

  it.each([`H:PRODUCT::${ID}::`, "SS:PRODUCTS.SYNCED::::", `H:CATALOG.VENDOR::${HALLMARK}::`])(
    "of one that does not, %s",
    async (key) => {
      await catalog.upsert(HALLMARK, PRODUCT, NOON);
      await requireConflict(key, "upsert_product", HALLMARK, JSON.stringify(PRODUCT), "NOW", NOON + 1);
    },
  );

  it("of one that comes late, the vendor's counters", async () => {
    await catalog.upsert(HALLMARK, PRODUCT, NOON);
    await requireConflict(
      `H:CATALOG.VENDOR::${HALLMARK}::`,
      "upsert_product",
      HALLMARK,
      JSON.stringify(PRODUCT),
      "NOW",
      NOON - 1,
    );
  });
});

describe("remove_product", () => {
  const keys = [
    ...PRODUCT_KEYS.filter((key) => key !== "S:CATALOG.VENDORS::::"),
    `ornaments:product:${ID}:name`,
    `ornaments:product:${ID}:link`,
  ];

  it.each(keys)("%s", async (key) => {
    await catalog.upsert(HALLMARK, PRODUCT, NOON);
    await requireConflict(key, "remove_product", ID, "NOW", NOON);
  });
});

describe("links", () => {
  it.each(LINK_KEYS)("sync_links of new ones, %s", (key) =>
    requireConflict(key, "sync_links", HALLMARK, 2014, LINKS, "NOW", NOON),
  );

  it.each(LINK_KEYS)("sync_links that removes, %s", async (key) => {
    await catalog.call("sync_links", HALLMARK, 2014, LINKS, "NOW", NOON);
    await requireConflict(key, "sync_links", HALLMARK, 2014, "{}", "NOW", NOON + 1);
  });

  it.each([`SS:LINKS.YEAR::${HALLMARK}/2013::`, `SS:LINKS.LISTED::${HALLMARK}/2013::`])(
    "sync_links of one that moves, %s",
    async (key) => {
      await catalog.call("sync_links", HALLMARK, 2013, LINKS, "NOW", NOON);
      await requireConflict(key, "sync_links", HALLMARK, 2014, LINKS, "NOW", NOON + 1);
    },
  );

  it.each([
    `H:LINK::${LINK}::`,
    `SS:LINKS::${HALLMARK}::`,
    `SS:LINKS.YEAR::${HALLMARK}/2014::`,
    `H:CATALOG.VENDOR::${HALLMARK}::`,
    `H:PRODUCT::${ID}::`,
    "SS:PRODUCTS.SYNCED::::",
  ])("mark_link, %s", async (key) => {
    await catalog.upsert(HALLMARK, PRODUCT, NOON);
    await catalog.call("sync_links", HALLMARK, 2014, LINKS, "NOW", NOON);
    await requireConflict(key, "mark_link", HALLMARK, URL, "OUTCOME", "unchanged", "PRODUCT", ID, "NOW", NOON + 1);
  });
});

it("configure_catalog, H:CATALOG::::", () => requireConflict("H:CATALOG::::", "configure_catalog", "AUDIT_MAXLEN", 5));

/** What each function reads. */
const READS: [name: string, args: string[], keys: string[]][] = [
  ["get_product", [ID], [`H:PRODUCT::${ID}::`]],
  ["find_products", [], ["SS:PRODUCTS::::"]],
  [
    "find_products",
    ["VENDOR", HALLMARK, "AVAILABILITY", "in_stock"],
    [`SS:PRODUCTS.VENDOR::${HALLMARK}::`, `SS:PRODUCTS.AVAILABILITY::${sha1("in_stock")}::`],
  ],
  ["find_products", ["YEAR", "2014", "VENDOR", HALLMARK], [`SS:PRODUCTS.YEAR::${HALLMARK}/2014::`]],
  [
    "find_products",
    ["PRICE", "0", "9", "SYNCED_BEFORE", String(NOON + 1)],
    ["SS:PRODUCTS.PRICE::::", "SS:PRODUCTS.SYNCED::::"],
  ],
  ["count_products", ["BY", "vendor"], ["S:CATALOG.VENDORS::::", `SS:PRODUCTS.VENDOR::${HALLMARK}::`]],
  ["count_products", ["BY", "year"], ["H:CATALOG.YEARS::::"]],
  ["recent_products", [], ["SS:PRODUCTS::::", `H:PRODUCT::${ID}::`]],
  ["get_history", ["product", ID], [`L:CATALOG.HISTORY::product/${ID}::`]],
  ["get_link", [HALLMARK, URL], [`H:LINK::${LINK}::`]],
  ["list_links", [HALLMARK], [`SS:LINKS::${HALLMARK}::`, `H:LINK::${LINK}::`]],
  ["get_catalog_config", [], ["H:CATALOG::::"]],
  [
    "get_catalog_status",
    [],
    [
      "S:CATALOG.VENDORS::::",
      `H:CATALOG.VENDOR::${HALLMARK}::`,
      `SS:PRODUCTS.VENDOR::${HALLMARK}::`,
      `SS:LINKS::${HALLMARK}::`,
    ],
  ],
];

describe("functions that read", () => {
  it.each(READS.flatMap(([name, args, keys]) => keys.map((key) => [name, args.join(" "), key, args] as const)))(
    "%s %s, %s",
    async (name, _shown, key, args) => {
      await catalog.upsert(HALLMARK, PRODUCT, NOON);
      await catalog.call("sync_links", HALLMARK, 2014, LINKS, "NOW", NOON);
      await spoil(key);
      const message = (await refusalOf(catalog.read(name, ...args))) ?? "no error";
      expect(message).toMatch(/^CONFLICT /);
      expect(message).toContain(key);
    },
  );
});
