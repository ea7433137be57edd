/* Every function of the catalogue's products and links driven through malformed calls made from its declaration. */
import { beforeEach, describe, expect, it } from "vitest";
import { HALLMARK, NOON, useCatalog } from "../support/catalog";
import { readDeclarations, refusalOf } from "../support/functions";
import { Calls, flat, itRefusesMalformedCalls, itTakesBothEnds, type Malformed } from "../support/malformed";
import { digest, sha1 } from "../support/tracker";

const catalog = useCatalog();

/** Tasks have a file of their own. */
const FUNCTIONS = readDeclarations("catalog").filter(({ name }) => !/task|queue/.test(name));

const URL = "https://a.example/1";
const PRODUCT = { sku: "A", name: "a", price: "$1.00", availability: "in_stock", release_year: 1999 };

/** What is wrong with a product, and what the sentence must hold. */
const BAD_PRODUCTS: [product: string, ...names: string[]][] = [
  ["{", "product", "'{'"],
  ["{}", "sku"],
  ['{"sku":"x"}', "name"],
  ['{"sku":"","name":"a"}', "sku", "''"],
  ['{"sku":5,"name":"a"}', "sku", "5"],
  ['{"sku":null,"name":"a"}', "sku", "null"],
  [JSON.stringify({ sku: "x".repeat(129), name: "a" }), "sku", "128"],
  ['{"sku":"A","name":null}', "name", "null"],
  ['{"sku":"A","name":["a"]}', "name", "array"],
  [JSON.stringify({ sku: "A", name: "x".repeat(513) }), "name", "512"],
  ['{"sku":"A","name":"a","prise":"5"}', "'prise'"],
  ['{"sku":"A","availability":""}', "availability"],
  ['{"sku":"A","availability":true}', "availability", "true"],
  [JSON.stringify({ sku: "A", brand: "x".repeat(129) }), "brand"],
  ['{"sku":"A","link":"/a/b"}', "link", "'/a/b'"],
  ['{"sku":"A","link":"ftp://a.example"}', "link"],
  ['{"sku":"A","link":"https://"}', "link"],
  ['{"sku":"A","vendor":"other"}', "vendor", "'other'"],
  ['{"sku":"A","id":"other"}', "id", "'other'"],
  ...["", "free", "-1", "1.2.3,4", "$", "1,2345", "5 for 4", "1e5", "(3.98)", "50%", "1234567890123456", "3."].map(
    (price): [string, ...string[]] => [JSON.stringify({ sku: "A", price }), "price", `'${price}'`],
  ),
  ['{"sku":"A","price":-5}', "price", "-5"],
  ['{"sku":"A","price":1e20}', "price"],
  ['{"sku":"A","price":{}}', "price"],
  ...["0", "10000", "-5", '"19x9"', "1999.5", '""', "false"].map((year): [string, ...string[]] => [
    `{"sku":"A","release_year":${year}}`,
    "release_year",
  ]),
];

const BAD_LINKS: [links: string, ...names: string[]][] = [
  ["{", "links", "'{'"],
  ['{"/a":"a"}', "'/a'"],
  ['{"https://a.example/ok":"a","ftp://b.example":"b"}', "'ftp://b.example'"],
  [`{"https://a.example/${"x".repeat(2048)}":"a"}`, "2048"],
  ['{"https://a.example":5}', "'https://a.example'"],
  ['{"https://a.example":null}', "name"],
  [`{"https://a.example":"${"x".repeat(513)}"}`, "512"],
];

const bad = (what: string, args: string[], code: Malformed["code"], names: string[]): Malformed => ({
  what,
  args,
  code,
  names,
});

const calls = new Calls({
  good: {
    vendor: HALLMARK,
    VENDOR: HALLMARK,
    product: JSON.stringify(PRODUCT),
    url: URL,
    year: "1999",
    links: JSON.stringify({ [URL]: "one" }),
    PRICE: ["0.5", "$2"],
    AUDIT: ["product", "price,name"],
    RUN: "1",
  },
  id: sha1(`${HALLMARK}/A`),
  timeMs: NOON,
  more: (declaration, made) => {
    const good = made.goodCall(declaration);
    const found: Malformed[] = [];
    const at = declaration.positional.findIndex(({ name }) => name === "vendor");
    for (const vendor of ["a b", "a/b", "{a}", "a:b", "ä"]) {
      if (at >= 0)
        found.push(
          bad(`vendor ${vendor}`, flat({ ...good, positional: good.positional.with(at, vendor) }), "BADARG", [
            "vendor",
            vendor,
          ]),
        );
      if (declaration.options.some(({ name }) => name === "VENDOR"))
        found.push(
          bad(`VENDOR ${vendor}`, made.withOption(declaration, "VENDOR", "VENDOR", vendor), "BADARG", [vendor]),
        );
    }
    if (declaration.name === "upsert_product") {
      for (const [product, ...names] of BAD_PRODUCTS)
        found.push(bad(product.slice(0, 60), [HALLMARK, product], "BADARG", names));
    }
    if (declaration.name === "sync_links") {
      for (const [links, ...names] of BAD_LINKS)
        found.push(bad(links.slice(0, 60), [HALLMARK, "1999", links], "BADARG", names));
      const many = Object.fromEntries(Array.from({ length: 1001 }, (_, each) => [`https://a.example/${each}`, "x"]));
      found.push(bad("too many links", [HALLMARK, "1999", JSON.stringify(many)], "LIMIT", ["1001", "1000"]));
    }
    if (declaration.name === "find_products") {
      for (const price of [
        ["x", "5"],
        ["-1", "5"],
      ])
        found.push(bad(`PRICE from ${price[0]!}`, ["PRICE", ...price], "BADARG", ["PRICE from", `'${price[0]!}'`]));
      found.push(bad("PRICE to", ["PRICE", "5", "much"], "BADARG", ["PRICE to", "'much'"]));
    }
    if (declaration.name === "configure_catalog") {
      found.push(
        bad("AUDIT of an unknown field", ["AUDIT", "product", "price,cost"], "BADCONFIG", ["'cost'", "availability"]),
      );
      found.push(bad("AUDIT of sku", ["AUDIT", "product", "sku"], "BADCONFIG", ["'sku'"]));
    }
    return found;
  },
});

/** A database with a little of everything in it. */
async function seed(): Promise<void> {
  await catalog.server.flush();
  await catalog.upsert(HALLMARK, PRODUCT, NOON);
  await catalog.upsert(HALLMARK, { ...PRODUCT, price: "2.00" }, NOON + 1);
  await catalog.call(
    "sync_links",
    HALLMARK,
    1999,
    JSON.stringify({ [URL]: "one", "https://a.example/2": "two" }),
    "NOW",
    NOON,
  );
  await catalog.call("mark_link", HALLMARK, URL, "ETAG", "x", "NOW", NOON);
}

it("the manifest has functions", () => expect(FUNCTIONS.map(({ name }) => name)).toContain("upsert_product"));

describe.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s", (name, declaration) => {
  const good = flat(calls.goodCall(declaration));

  itRefusesMalformedCalls(catalog, calls, declaration, seed);
  itTakesBothEnds(catalog, calls, declaration);

  it("is callable with FCALL_RO if and only if it is no-writes", async () => {
    const message = (await refusalOf(catalog.read(name, ...good))) ?? "";
    if (declaration.flags.includes("no-writes")) expect(message).not.toMatch(/script|write/);
    else expect(message).toMatch(/write/);
  });

  it("leaves nothing behind if it only reads, and answers declared codes", async () => {
    const before = await digest(catalog.client);
    const message = await catalog.refusal(name, ...good);
    if (declaration.role === "reader") expect(await digest(catalog.client)).toEqual(before);
    if (message !== undefined) expect(declaration.errors as readonly string[]).toContain(message.split(" ")[0]);
  });
});

describe("routing keys", () => {
  beforeEach(seed);

  it.each(["{eu}", "any{eu}thing", "plain", ""])("'%s' is taken and never written", async (key) => {
    for (const declaration of FUNCTIONS)
      await refusalOf(catalog.routed([key], declaration.name, ...flat(calls.goodCall(declaration))));
    expect(await catalog.client.exists(key)).toBe(0);
  });
});

it("roles are those of who calls", () => {
  expect(Object.fromEntries(FUNCTIONS.map(({ name, role }) => [name, role]))).toEqual({
    upsert_product: "ingest",
    get_product: "reader",
    remove_product: "admin",
    find_products: "reader",
    count_products: "reader",
    recent_products: "reader",
    get_history: "reader",
    sync_links: "ingest",
    mark_link: "worker",
    get_link: "reader",
    list_links: "reader",
    configure_catalog: "admin",
    get_catalog_config: "reader",
    get_catalog_status: "reader",
    catalog_library: "reader",
  });
});
