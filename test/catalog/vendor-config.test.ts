import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parseVendor, vendorsSchema } from "../../host/catalog/vendor-config";
import { inlineVendorFiles } from "../../host/catalog/vendor-files";
import { rules as rulesSchema } from "../../host/catalog/vendor-rules";
import { availabilityOf } from "../../host/catalog/courier/availability";
import { Page } from "../../host/catalog/courier/dom";
import { parsePrice } from "../../host/catalog/courier/price";
import { findText, findTexts, yearOf } from "../../host/catalog/courier/rules";

/** The least that a vendor needs. */
const LEAST = {
  site: "https://shop.example",
  years: { from: 1973, page: "/ornaments/{year}.html" },
  list: { item: ".item" },
  product: {
    sku: "#sku",
    price: { from: "#price" },
    availability: { from: "#stock", values: [{ words: ["in stock"], value: "In Stock" }] },
  },
};

type Settings = Record<string, unknown>;

/** A deep copy with one value in another place; undefined takes it out. */
function changed(path: string, value: unknown): Settings {
  const copy = structuredClone(LEAST) as Settings;
  const names = path.split(".");
  const last = names.pop()!;
  const parent = names.reduce<Settings>((at, name) => (at[name] ??= {}) as Settings, copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

function problems(raw: unknown): string[] {
  try {
    parseVendor("shop", raw);
  } catch (error) {
    const { message } = error as Error;
    expect(message).toMatch(/^vendor shop: [^\n]*$/);
    return message.slice("vendor shop: ".length).split("; ");
  }
  return [];
}

describe("a vendor's settings", () => {
  it("have defaults for all that need not be said", () => {
    expect(parseVendor("shop", LEAST)).toMatchObject({
      vendor: "shop",
      hosts: [],
      requestsPerSecond: 1,
      concurrency: 1,
      robots: true,
      maxBytes: 4_194_304,
      maxPages: 500,
      attempts: 3,
      allow: [],
      years: { from: 1973, page: "/ornaments/{year}.html", query: {} },
      product: { sku: [{ select: "#sku" }], price: { decimal: ".", optional: false } },
    });
  });

  it.each(["hallmark_ornaments_com", "hookedonhallmark_com", "ornament_shop_com"])("of %s are right", (name) => {
    const raw = JSON.parse(
      readFileSync(new URL(`../../config/vendors/${name}.json`, import.meta.url), "utf8"),
    ) as unknown;
    expect(parseVendor(name, raw)).toMatchObject({ vendor: name, years: { from: 1973 } });
  });

  it("of the example in the documentation are right", () => {
    const text = readFileSync(new URL("../../docs/catalog.md", import.meta.url), "utf8");
    const example = JSON.parse(/```json\n(.*?)```/s.exec(text)![1]!) as { catalog: { vendors: unknown } };
    const directory = new URL("../../config", import.meta.url).pathname;
    const vendors = vendorsSchema.parse(inlineVendorFiles(example.catalog.vendors, directory));
    expect(vendors.map(({ vendor, site, requestsPerSecond }) => [vendor, site, requestsPerSecond])).toEqual([
      ["hookedonhallmark_com", "https://www.hookedonhallmark.com", 1],
      ["ornament_shop_com", "https://www.ornament-shop.com", 0.5],
      ["shop_example", "https://shop.example", 1],
    ]);
  });

  it("take a rule as a selector, as an object, or as a list of either", () => {
    const { product } = parseVendor(
      "shop",
      changed("product.name", [
        "h1",
        { linkedData: "name" },
        { select: "meta", attribute: "CONTENT", match: "(.*) \\|" },
      ]),
    );
    expect(product.name).toEqual([
      { select: "h1" },
      { linkedData: "name" },
      { select: "meta", attribute: "content", match: /(.*) \|/is },
    ]);
  });

  it("look for addresses in href unless they name another attribute", () => {
    const { list } = parseVendor(
      "shop",
      changed("list.link", ["a", { select: "div", attribute: "data-url" }, { value: "/all" }, {}]),
    );
    expect(list.link).toEqual([
      { select: "a", attribute: "href" },
      { select: "div", attribute: "data-url" },
      { value: "/all" },
      { attribute: "href" },
    ]);
  });

  it.each<[string, unknown, string]>([
    ["site", "shop.example", "site: must be an http or https address without user, query and fragment"],
    ["site", "ftp://shop.example", "site: must be an http or https address without user, query and fragment"],
    [
      "site",
      "https://me:secret@shop.example",
      "site: must be an http or https address without user, query and fragment",
    ],
    ["hosts", ["a.example", "https://b.example"], "hosts[1]: must be a host, or host:port"],
    ["hosts", ["a.example:99999"], "hosts[0]: must be a host, or host:port"],
    ["hosts", ["me@a.example"], "hosts[0]: must be a host, or host:port"],
    [
      "years.page",
      "https://other.example/{year}",
      "years.page: other.example is neither the site's host nor one of hosts",
    ],
    [
      "years",
      { from: 1973, index: { url: "//other.example/", item: "a" } },
      "years.index.url: other.example is neither the site's host nor one of hosts",
    ],
    ["years.to", 1972, "years.to: 1972 is before from, which is 1973"],
    ["years.from", "1973", "years.from: Invalid input: expected number, received string"],
    ["years.page", "/ornaments.html", "years.page: must have {year} in it"],
    ["years.page", undefined, "years.page: needed: page or index say where a year's products are"],
    ["years.index", { url: "/x", item: "a" }, "years.index: there is one of page and index, not both"],
    ["list.item", "a[", "list.item: is no CSS selector: Expected name, found "],
    ["list.item", "a:visited-often", "list.item: is no CSS selector: Unknown pseudo-class :visited-often"],
    [
      "list.link",
      [{ select: "a" }, { select: "b", linkedData: "url" }],
      "list.link[1].linkedData: a rule has one source, and select is one already",
    ],
    ["list.link", [], "list.link: must be 1 to 10 rules"],
    ["list.name", 5, "list.name: must be a selector, a rule, or a list of these"],
    ["list.name", ["a", null], "list.name[1]: must be a selector, a rule, or a list of these"],
    ["list.name", ["a", "b["], "list.name[1]: is no CSS selector: Expected name, found "],
    ["list.name", { select: "a", regex: "x" }, "list.name.regex: unknown setting"],
    ["list.more", { link: "a", when: "never" }, 'list.more.when: Invalid option: expected one of "empty"|"always"'],
    ["paging", { type: "scroll" }, "paging.type: must have a type: next, page or offset"],
    ["paging", { type: "page" }, "paging.parameter: there must be one of parameter and suffix"],
    [
      "paging",
      { type: "page", parameter: "p", suffix: "page/{page}" },
      "paging.parameter: there must be one of parameter and suffix",
    ],
    ["paging", { type: "page", suffix: "page/" }, "paging.suffix: must have {page} in it"],
    ["paging", { type: "offset", parameter: "o" }, "paging.size: Invalid input: expected number, received undefined"],
    ["product.sku", undefined, "product.sku: must be a selector, a rule, or a list of these"],
    [
      "product.sku",
      { select: "#a", match: "(" },
      "product.sku.match: is no regular expression: Invalid regular expression: /(/is: Unterminated group",
    ],
    ["product.sku", { value: "x", json: "id" }, "product.sku.json: a value is taken as it is"],
    ["product.sku", { linkedData: "sku", attribute: "x" }, "product.sku.attribute: linkedData has no attributes"],
    ["product.sku", { linkedData: "a..b" }, "product.sku.linkedData: must be property names with dots between them"],
    ["product.price.decimal", ";", 'product.price.decimal: Invalid option: expected one of "."|","'],
    [
      "product.availability.values",
      [{ words: ["!"], value: "x" }],
      "product.availability.values[0].words[0]: must have a letter or a digit",
    ],
    ["product.availability.values", [], "product.availability.values: Too small: expected array to have >=1 items"],
    ["requestsPerSecond", 0, "requestsPerSecond: Too small: expected number to be >=0.001"],
    ["allow", ["10.0.0.0/99"], "allow[0]: '10.0.0.0/99' is no address range such as 10.1.0.0/16"],
    ["cookies", {}, "cookies: unknown setting"],
  ])("with %s %j are refused", (path, value, problem) => expect(problems(changed(path, value))).toEqual([problem]));

  it("are refused for all that is wrong at once", () => {
    const wrong = { ...changed("product.sku", "a["), site: "x", paging: { type: "next" } };
    expect(problems(wrong).map((text) => text.split(":")[0])).toEqual(["site", "paging.link", "product.sku"]);
  });

  it("belong to a name that keys can have", () => {
    expect(() => parseVendor("a:b", LEAST)).toThrow(
      "vendor 'a:b': a vendor's name has letters, digits, _ . and -, 64 at most",
    );
    const parsed = vendorsSchema.safeParse({ "a b": LEAST });
    expect(parsed.error?.issues[0]?.path).toEqual(["a b"]);
    expect(vendorsSchema.parse(undefined)).toEqual([]);
    expect(vendorsSchema.parse({ one: LEAST, two: LEAST }).map(({ vendor }) => vendor)).toEqual(["one", "two"]);
  });
});

describe("vendors in files", () => {
  function directory(files: Record<string, string>): string {
    const path = mkdtempSync(join(tmpdir(), "hotpath-test-"));
    onTestFinished(() => rmSync(path, { recursive: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    return path;
  }

  it("are put in, with what the configuration says itself in place of theirs", () => {
    const path = directory({ "shop.json": JSON.stringify(LEAST) });
    const inlined = inlineVendorFiles(
      { a: "shop.json", b: { file: "./shop.json", requestsPerSecond: 0.5 }, c: LEAST },
      path,
    );
    expect(inlined).toEqual({ a: LEAST, b: { ...LEAST, requestsPerSecond: 0.5 }, c: LEAST });
  });

  it("that are not there, or no JSON, are named", () => {
    const path = directory({ "broken.json": "{" });
    expect(() => inlineVendorFiles({ a: "none.json" }, path)).toThrow(
      `catalog.vendors.a: ${join(path, "none.json")}: there is no such file`,
    );
    expect(() => inlineVendorFiles({ a: { file: "broken.json" } }, path)).toThrow(
      /^catalog\.vendors\.a: .*broken\.json: .*JSON/,
    );
  });

  it.each([undefined, null, 5, [LEAST], { a: 5 }, { a: { file: 5 } }])("leave %j to the schema", (raw) => {
    expect(inlineVendorFiles(raw, "/")).toEqual(raw);
    if (raw !== undefined) expect(vendorsSchema.safeParse(raw).success).toBe(false);
  });
});

describe("a price", () => {
  it.each<[string, "." | ",", string | undefined]>([
    ["$3.98", ".", "3.98"],
    ["3.98 $", ".", "3.98"],
    ["USD 12", ".", "12.00"],
    ["$3.5", ".", "3.50"],
    ["Price: $15.95 each", ".", "15.95"],
    ["$1,299.00", ".", "1299.00"],
    ["$12,345,678.90", ".", "12345678.90"],
    ["CHF 1'299.00", ".", "1299.00"],
    ["$.50", ".", "0.50"],
    ["$007.10", ".", "7.10"],
    ["$0.00", ".", "0.00"],
    ["1.299,00 €", ",", "1299.00"],
    ["1 299,00 €", ",", "1299.00"],
    ["15,- €", ",", "15.00"],
    ["3,98", ",", "3.98"],
    ["3,98", ".", undefined],
    ["1,2999", ".", undefined],
    ["3.98", ",", undefined],
    ["1.2.3", ".", undefined],
    ["$3.98 - $5.98", ".", undefined],
    ["was $5, now $3", ".", undefined],
    ["2 x $3.98", ".", undefined],
    ["-$3.98", ".", undefined],
    ["$-3.98", ".", undefined],
    ["call us", ".", undefined],
    ["", ".", undefined],
  ])("%j with %j is %j", (text, decimal, price) => expect(parsePrice(text, decimal)).toBe(price));
});

describe("availability", () => {
  const rules = {
    from: [],
    values: [
      { words: ["not in stock", "sold out", "OutOfStock"], value: "Out" },
      { words: ["In Stock", "InStock", "1"], value: "In" },
    ],
  };
  it.each<[string, string | undefined]>([
    ["In stock.", "In"],
    ["currently NOT  in-stock!", "Out"],
    ["https://schema.org/InStock", "In"],
    ["http://schema.org/OutOfStock", "Out"],
    ["1", "In"],
    ["10", undefined],
    ["in stockholm", undefined],
    ["", undefined],
  ])("of %j is %j", (text, value) => expect(availabilityOf(text, rules)).toBe(value));

  it("of other words is what the rules say for these", () =>
    expect(availabilityOf("soon", { ...rules, otherwise: "Later" })).toBe("Later"));
});

describe("a rule", () => {
  const html = `<div class="item"><a href="/a"><img></a><p>One &amp;<br>two&nbsp; three</p><ul><li>x</li><li>y</li></ul><span></span><span data-n="7">n</span></div>
<script>var cart = {"id": "wrong"}; var item = {"id": "Q1", "tags": [{"t": 1}, {"u": "second"}], "n": 3.5, "ok": false};</script>
<script type="application/ld+json">{"@graph": [{"@type": "WebPage", "name": "page"}, {"@type": ["Product", "Thing"], "name": "Teddy &amp; Co", "offers": [{"price": 3.5}]}]}</script>`;
  const page = Page.parse(html, new URL("https://shop.example/"), false);
  const find = (...rules: object[]): string | undefined => findText(rulesSchema.parse(rules), page.document, page);

  it("finds texts as they are shown, attributes, and parts of either", () => {
    expect(find({ select: "p" })).toBe("One & two three");
    expect(find({ select: "ul" })).toBe("x y");
    expect(find({ select: "span" })).toBe("n");
    expect(find({ select: "span", attribute: "data-n" })).toBe("7");
    expect(find({ select: "p", match: "T\\w+" })).toBe("two");
    expect(find({ select: "p", match: "& (two) (three)" })).toBe("two");
    expect(find({ value: "Hallmark" })).toBe("Hallmark");
    expect(find({ select: ".item", attribute: "href" })).toBeUndefined();
    expect(find({ select: "em" }, { select: "li" })).toBe("x");
    expect(findTexts([{ select: "em" }, { select: "li" }], page.document, page)).toEqual(["x", "y"]);
  });

  it("reads JSON in a script, and JSON-LD", () => {
    const item = { select: "script", match: "var item = (\\{.*?\\});" };
    expect(find({ ...item, json: "id" })).toBe("Q1");
    expect(find({ ...item, json: "tags.u" })).toBe("second");
    expect(find({ ...item, json: "tags.0.t" })).toBe("1");
    expect(find({ ...item, json: "n" })).toBe("3.5");
    expect(find({ ...item, json: "ok" })).toBe("false");
    expect(find({ ...item, json: "tags" })).toBeUndefined();
    expect(find({ ...item, json: "constructor.name" })).toBeUndefined();
    expect(find({ select: "p", json: "id" })).toBeUndefined();
    expect(find({ linkedData: "name" })).toBe("Teddy & Co");
    expect(find({ linkedData: "offers.price" })).toBe("3.5");
    expect(find({ linkedData: "brand.name" })).toBeUndefined();
  });

  it("looks within its element, not around it", () => {
    const [first, second] = ["1", "2"].map((name) => `<div class="item"><a href="/${name}">${name}</a></div>`);
    const list = Page.parse(`${first}${second}`, page.url, false);
    const items = list.document.children as Parameters<typeof findText>[1][];
    expect(items.map((item) => findText([{ select: "a" }], item, list))).toEqual(["1", "2"]);
    expect(items.map((item) => findText([{ select: "> a", attribute: "href" }], item, list))).toEqual(["/1", "/2"]);
  });

  it("finds a year", () => {
    expect(yearOf("1973 Hallmark Ornaments")).toBe(1973);
    expect(yearOf("/2014-ornaments_c_200.html")).toBe(2014);
    expect(yearOf("c_20145 and 123")).toBeUndefined();
  });
});

describe("a page", () => {
  it("that is nested deeper than any browser would is refused at once", () => {
    const url = new URL("https://shop.example/");
    const nested = (depth: number): Page => Page.parse("<b>".repeat(depth), url, false);
    expect(findText([{ select: "b b" }], nested(500).document, nested(500))).toBeUndefined();
    expect(() => nested(1_000_000)).toThrow("the page is nested deeper than 512 elements");
  });
});
