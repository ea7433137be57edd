import { setMaxListeners } from "node:events";
import { describe, expect, it } from "vitest";
import type { IncomingHttpHeaders } from "node:http";
import { parseVendor } from "../../host/catalog/vendor-config";
import { VendorPages } from "../../host/catalog/courier/pages";
import { ManualClock } from "../support/clock";
import {
  courierFor,
  failure,
  inTurn,
  list,
  moved,
  NEVER,
  pathsOf,
  product,
  startShop,
  status,
} from "../support/vendor";
import { until } from "../support/wait";
import { html, startSite, type Handler } from "../support/web";

setMaxListeners(0, NEVER);

const NEXT = { paging: { type: "next", link: "a.next" } };
const next = (path: string): string => `<a class="next" href="${path}">next</a>`;

describe("years", () => {
  const nowMs = () => Date.UTC(2026, 0, 1);
  const years = { page: "/{year}" };

  it("are those that are configured, without an end up to the present one", () => {
    expect(courierFor({ host: "127.0.0.1" }).courier.years()).toEqual([2000, 2001, 2002, 2003, 2004, 2005]);
    expect(courierFor({ host: "127.0.0.1" }, { years: { ...years, from: 2024 } }, { nowMs }).courier.years()).toEqual([
      2024, 2025, 2026,
    ]);
    expect(courierFor({ host: "127.0.0.1" }, { years: { ...years, from: 2027 } }, { nowMs }).courier.years()).toEqual(
      [],
    );
  });

  it("have their pages at an address with the year in it", async () => {
    const site = await startShop({ "/by/2001/of-2001?view=all&x=1": list("/a", "/b") });
    const settings = { years: { from: 2000, page: "/by/{year}/of-{year}?view=some&x=1", query: { view: "all" } } };
    expect(pathsOf(await courierFor(site, settings).links(2001))).toEqual(["/a", "/b"]);
  });

  it("that are not there where their pages should be are an error, not an empty year", async () => {
    const site = await startShop({});
    expect(await failure(courierFor(site).links())).toMatchObject({ reason: "status 404", permanent: true });
  });

  const INDEX = { years: { from: 2000, index: { url: "/years", item: "li" } } };
  const index = (...entries: [string, string][]): string =>
    entries.map(([text, path]) => `<li><a href="${path}">${text}</a></li>`).join("");

  it("have their pages where an index says, one or several", async () => {
    const site = await startShop({
      "/years": index(
        ["2000 Ornaments", "/y2k"],
        ["2001", "/one"],
        ["About us", "/about"],
        ["2000 Magic", "/magic"],
        ["2000 again", "/y2k"],
      ),
      "/y2k": list("/a"),
      "/magic": list("/a", "/b"),
    });
    const { links } = courierFor(site, INDEX);
    expect(pathsOf(await links())).toEqual(["/a", "/b"]);
    // It was read, and has no such year.
    expect(await links(1999)).toEqual({});
    expect(site.requests).toEqual(["/years", "/y2k", "/magic"]);
  });

  it("have their index asked for again after a while, and after it failed", async () => {
    const clock = new ManualClock();
    const site = await startShop({
      "/years": inTurn(status(404), index(["2000", "/a"]), index(["2001", "/b"])),
      "/a": list("/1"),
      "/b": list("/2"),
    });
    const { links } = courierFor(site, INDEX, { clock });
    const asked = async (year: number): Promise<string[]> => pathsOf(await clock.during(links(year)));
    await expect(asked(2000)).rejects.toMatchObject({ reason: "status 404" });
    expect(await asked(2000)).toEqual(["/1"]);
    expect(await asked(2001)).toEqual([]);
    clock.advance(600_000);
    expect(await asked(2001)).toEqual(["/2"]);
  });

  it("have no pages that can be found if the index has changed", async () => {
    const site = await startShop({ "/years": `<ul><p>2000</p></ul>` });
    expect(await failure(courierFor(site, INDEX).links())).toMatchObject({ reason: "layout", permanent: true });
  });
});

describe("a list", () => {
  it("has the vendor's own links, made whole, each once, by its first name", async () => {
    const site = await startShop({
      "/2000": `${list("/a", "b?c=1#d", "//other.example/x", "mailto:x@y", "")}<div class="item"><p>no link</p></div>${list("/a")}`,
    });
    expect(await courierFor(site).links()).toEqual({
      [`http://${site.host}/a`]: "Name of /a",
      [`http://${site.host}/b?c=1`]: "Name of b?c=1#d",
    });
  });

  it("has links relative to the base that the page names, without parameters that are only the visit's", async () => {
    const site = await startShop({
      "/2000": `<base href="/shop/">${list("a?sid=1", "b?x=1&sid=2&ref=home", "a?sid=3")}`,
    });
    const settings = { list: { item: ".item", dropQuery: ["sid", "ref"] } };
    expect(pathsOf(await courierFor(site, settings).links())).toEqual(["/shop/a", "/shop/b?x=1"]);
  });

  it("takes link and name from where the rules say", async () => {
    const item = `<div class="item" data-to="/x"><a href="/quick">Quick view</a><h4>  The\n name </h4></div>`;
    const site = await startShop({ "/2000": item });
    const settings = { list: { item: ".item", link: { attribute: "data-to" }, name: "h4" } };
    expect(await courierFor(site, settings).links()).toEqual({ [`http://${site.host}/x`]: "The name" });
  });

  it.each([
    ["has no items", "<p>new design</p>"],
    ["has no link of the vendor in any of them", list("https://other.example/a")],
  ])("that %s is an error: its links would be removed", async (_name, page) => {
    const site = await startShop({ "/2000": page });
    expect(await failure(courierFor(site).links())).toMatchObject({ reason: "layout", permanent: true });
  });

  it("may say that it is empty", async () => {
    const site = await startShop({ "/2000": "<p class=none>Nothing yet</p>", "/2001": "<p>new design</p>" });
    const { links } = courierFor(site, { list: { item: ".item", empty: ".none" } });
    expect(await links()).toEqual({});
    expect((await failure(links(2001))).reason).toBe("layout");
  });

  it("that is larger than the limit is an error, not half a list", async () => {
    const site = await startShop({ "/2000": list("/a").padEnd(2048), "/2001": list("/a").padEnd(2049) });
    const { links } = courierFor(site, { maxBytes: 2048 });
    expect(pathsOf(await links())).toEqual(["/a"]);
    expect(await failure(links(2001))).toMatchObject({ reason: "size", permanent: true });
  });

  it("in another charset is read in it", async () => {
    const site = await startShop({
      "/2000": (_request, response) =>
        html(response, Buffer.from(list("/a").replace("Name", "Été"), "latin1"), {
          "content-type": "text/html; charset=latin1",
        }),
    });
    expect(Object.values(await courierFor(site).links())).toEqual(["Été of /a"]);
  });

  it("leads to others where it has no items, or always", async () => {
    const parts = `<a class="part" href="/s1">1</a><a class="part" href="/s2">2</a><a class="part" href="/2000">here</a>`;
    const site = await startShop({
      "/2000": parts,
      "/2001": `${list("/own")}${parts}`,
      "/s1": list("/a", "/b") + next("/s1/2"),
      // Nothing that the other list has not, and all the same not the end of this one.
      "/s2": list("/a") + next("/s2/2"),
      "/s1/2": list("/c"),
      "/s2/2": list("/b") + next("/s2/3"),
      "/s2/3": list("/d"),
    });
    const empty = { item: ".item", more: { link: "a.part" } };
    expect(pathsOf(await courierFor(site, { ...NEXT, list: empty }).links())).toEqual(["/a", "/b", "/c", "/d"]);
    expect(pathsOf(await courierFor(site, { ...NEXT, list: empty }).links(2001))).toEqual(["/own"]);
    const always = { ...empty, more: { ...empty.more, when: "always" } };
    expect(pathsOf(await courierFor(site, { ...NEXT, list: always }).links(2001)).sort()).toEqual([
      "/a",
      "/b",
      "/c",
      "/d",
      "/own",
    ]);
  });

  it("leads also to such as have nothing, if others have something", async () => {
    const parts = (...paths: string[]): string =>
      paths.map((path) => `<a class="part" href="${path}">part</a>`).join("");
    const site = await startShop({
      "/2000": parts("/none", "/some"),
      "/2001": parts("/none", "/none2"),
      "/none": "<p>sold out",
      "/none2": "",
      "/some": list("/a"),
    });
    const { links } = courierFor(site, { list: { item: ".item", more: { link: "a.part" } } });
    expect(pathsOf(await links())).toEqual(["/a"]);
    expect((await failure(links(2001))).reason).toBe("layout");
  });

  it("leads no deeper than two levels, however deep it goes on", async () => {
    const site = await startSite((request, response) =>
      html(response, `<a class="part" href="${request.url}/x">deeper</a>`),
    );
    const { links } = courierFor(site, { list: { item: ".item", more: { link: "a.part" } } });
    expect((await failure(links())).reason).toBe("layout");
    expect(site.requests).toEqual(["/2000", "/2000/x", "/2000/x/x"]);
  });
});

describe("paging", () => {
  it("follows links to the next page", async () => {
    const site = await startShop({
      "/2000": list("/a") + next("/2000?p=2"),
      "/2000?p=2": list("/b") + next("?p=3"),
      "/2000?p=3": list("/c"),
    });
    expect(pathsOf(await courierFor(site, NEXT).links())).toEqual(["/a", "/b", "/c"]);
  });

  it.each([
    ["itself", "/2000"],
    ["the first page by another name", "/2000#top"],
    ["the page before", "/2000?p=2"],
    ["another vendor", "https://other.example/"],
  ])("ends where the next page is %s", async (_name, target) => {
    const site = await startShop({ "/2000": list("/a") + next("/2000?p=2"), "/2000?p=2": list("/b") + next(target) });
    expect(pathsOf(await courierFor(site, NEXT).links())).toEqual(["/a", "/b"]);
    expect(site.requests).toEqual(["/2000", "/2000?p=2"]);
  });

  it("ends where pages go on for ever and bring nothing new", async () => {
    const site = await startSite((request, response) => {
      const page = Number(new URL(request.url!, "http://x").searchParams.get("p") ?? 1);
      html(response, list(`/${Math.min(page, 3)}`) + next(`?p=${page + 1}`));
    });
    expect(pathsOf(await courierFor(site, NEXT).links())).toEqual(["/1", "/2", "/3"]);
    expect(site.requests.length).toBe(4);
  });

  it("is given up where pages go on for ever and each has something new", async () => {
    const site = await startSite((request, response) => {
      const page = Number(new URL(request.url!, "http://x").searchParams.get("p") ?? 1);
      html(response, list(`/${page}`) + next(`?p=${page + 1}`));
    });
    expect(await failure(courierFor(site, { ...NEXT, maxPages: 10 }).links())).toMatchObject({
      reason: "paging",
      permanent: true,
    });
    expect(site.requests.length).toBe(10);
  });

  it("fails in passing where a page that is linked is not there", async () => {
    const site = await startShop({ "/2000": list("/a") + next("/gone") });
    expect(await failure(courierFor(site, NEXT).links())).toMatchObject({ reason: "paging", permanent: false });
  });

  it.each<[string, object, string[]]>([
    ["by number", { type: "page", parameter: "p" }, ["/2000?s=1", "/2000?s=1&p=2", "/2000?s=1&p=3"]],
    ["by number from 0", { type: "page", parameter: "p", first: 0 }, ["/2000?s=1", "/2000?s=1&p=1", "/2000?s=1&p=2"]],
    [
      "by number in the path",
      { type: "page", suffix: "page/{page}/" },
      ["/2000?s=1", "/2000/page/2/?s=1", "/2000/page/3/?s=1"],
    ],
    ["by offset", { type: "offset", parameter: "o", size: 12 }, ["/2000?s=1", "/2000?s=1&o=12", "/2000?s=1&o=24"]],
    [
      "by offset from 1",
      { type: "offset", parameter: "o", size: 12, first: 1 },
      ["/2000?s=1", "/2000?s=1&o=13", "/2000?s=1&o=25"],
    ],
  ])("%s goes on until a page is missing, empty, or has nothing new", async (_name, paging, addresses) => {
    const years = { from: 2000, page: "/{year}?s=1" };
    const [first, second, third] = addresses as [string, string, string];
    for (const end of [status(404), status(410), "<p>nothing", list("/b", "/a"), moved(first)]) {
      const site = await startShop({ [first]: list("/a"), [second]: list("/b"), [third]: end });
      expect(pathsOf(await courierFor(site, { years, paging }).links())).toEqual(["/a", "/b"]);
      expect(site.requests.slice(0, 3)).toEqual(addresses);
    }
  });

  it("by number asks for no more pages than the first one says there are", async () => {
    const pager = `<p class="pages"><a>1</a> <a>2</a> <a>Next</a></p>`;
    const site = await startShop({
      "/2000": list("/a") + pager,
      "/2000?p=2": list("/b") + pager,
      "/2000?p=3": list("/c"),
    });
    const paging = { type: "page", parameter: "p", last: ".pages a" };
    expect(pathsOf(await courierFor(site, { paging }).links())).toEqual(["/a", "/b"]);
  });
});

describe("a list's page that fails", () => {
  it("in passing is asked for again, and the pages before it are not", async () => {
    const site = await startShop({
      "/2000": list("/a") + next("/2"),
      "/2": inTurn(status(500), (request) => request.socket.destroy(), list("/b")),
    });
    expect(pathsOf(await courierFor(site, NEXT).links())).toEqual(["/a", "/b"]);
    expect(site.requests).toEqual(["/2000", "/2", "/2", "/2"]);
  });

  it("as often as is configured fails the whole; links that were found are not half of a list", async () => {
    const site = await startShop({ "/2000": list("/a") + next("/2"), "/2": status(503) });
    expect(await failure(courierFor(site, { ...NEXT, attempts: 2 }).links())).toMatchObject({
      reason: "status 503",
      permanent: false,
    });
    expect(site.requests).toEqual(["/2000", "/2", "/2"]);
  });

  it("for good is not asked for again", async () => {
    const site = await startShop({ "/2000": status(403) });
    expect(await failure(courierFor(site).links())).toMatchObject({ reason: "status 403", permanent: true });
    expect(site.requests).toEqual(["/2000"]);
  });
});

describe("a product", () => {
  it("is what stands on its page; of the list it has year and address, and the name where the page has none", async () => {
    const site = await startShop({
      "/p": product("Q1", "$1,299.50", "Sold out!"),
      "/q": product("Q2").replace(/<h1>.*<\/h1>/, ""),
    });
    const { product: fetch } = courierFor(site);
    const link = `http://${site.host}/p`;
    const expected = {
      sku: "Q1",
      name: "Q1 Santa",
      price: "1299.50",
      availability: "Out of Stock",
      release_year: 2000,
      link,
    };
    expect(await fetch()).toEqual({ outcome: "product", product: expected });
    expect(await fetch("/q")).toMatchObject({ product: { sku: "Q2", name: "From the list" } });
  });

  const RULES = (more: object) => ({
    product: {
      sku: "#sku",
      price: { from: "#price" },
      availability: { from: "#stock", values: [{ words: ["in stock"], value: "In" }] },
      ...more,
    },
  });

  it("may have no price or brand, and says so", async () => {
    const site = await startShop({ "/p": product("Q1").replace("$3.98", "") });
    const { product: fetch } = courierFor(site, RULES({ brand: ".brand", price: { from: "#price", optional: true } }));
    expect(await fetch()).toMatchObject({ product: { price: null, brand: null } });
  });

  it("may have a year of its own", async () => {
    const site = await startShop({
      "/p": `${product("Q1")}<i>Released in 1987</i>`,
      "/q": `${product("Q1")}<i>long ago</i>`,
    });
    const { product: fetch } = courierFor(site, RULES({ releaseYear: "i" }));
    expect(await fetch()).toMatchObject({ product: { release_year: 1987 } });
    expect(await failure(fetch("/q"))).toMatchObject({ reason: "year", permanent: true });
  });

  it.each([
    ["no sku", product("Q1").replace('id="sku"', ""), "layout", "has no sku where the configuration looks for it"],
    [
      "no price",
      product("Q1").replace('id="price"', ""),
      "layout",
      "has no price where the configuration looks for it",
    ],
    [
      "no availability",
      product("Q1").replace('id="stock"', ""),
      "layout",
      "has no availability where the configuration looks for it",
    ],
    ["two prices", product("Q1", "$3 to $5"), "price", "'$3 to $5' is no price that the configuration knows"],
    [
      "unknown words of availability",
      product("Q1", "$3", "Ask <b>Joe"),
      "availability",
      "'Ask Joe' is no availability that the configuration knows",
    ],
    ["a sku too long to be one", product("Q".repeat(200)), "layout", "is no sku that the configuration knows"],
    [
      "deeper nesting than any browser takes",
      "<b>".repeat(100_000),
      "layout",
      "the page is nested deeper than 512 elements",
    ],
  ])("with %s is an error that names it", async (_name, page, reason, message) => {
    const site = await startShop({ "/p": page });
    const error = await failure(courierFor(site).product());
    expect(error).toMatchObject({ reason, permanent: true });
    expect(error.message).toContain(message);
  });

  it("has what the rules say where words are unknown or missing", async () => {
    const availability = {
      from: "#stock",
      values: [{ words: ["in stock"], value: "In" }],
      otherwise: "Other",
      missing: "None",
    };
    const site = await startShop({ "/p": product("Q1", "$3", "soon"), "/q": product("Q1", "$3", "") });
    const { product: fetch } = courierFor(site, RULES({ availability }));
    expect(await fetch()).toMatchObject({ product: { availability: "Other" } });
    expect(await fetch("/q")).toMatchObject({ product: { availability: "None" } });
  });

  it("is gone with 404 and 410, and where the page says so", async () => {
    const site = await startShop({
      "/p": status(404),
      "/q": status(410),
      "/r": `<p class="gone">Sorry</p>${product("Q1")}`,
    });
    const { product: fetch } = courierFor(site, RULES({ gone: ".gone" }));
    expect(await fetch()).toEqual({ outcome: "gone", status: 404 });
    expect(await fetch("/q")).toEqual({ outcome: "gone", status: 410 });
    expect(await fetch("/r")).toEqual({ outcome: "gone", status: 200 });
  });

  it("on a huge page is read up to the limit: found, or too far down", async () => {
    const endless =
      (before: string): Handler =>
      (_request, response) => {
        response.writeHead(200, { "content-type": "text/html", etag: '"x"' });
        response.write(before);
        const more = (): void => {
          while (!response.destroyed && response.write(" ".repeat(10_000)));
          if (!response.destroyed) response.once("drain", more);
        };
        more();
      };
    const site = await startShop({ "/p": endless(product("Q1")), "/q": endless("<p>") });
    const { product: fetch } = courierFor(site, { maxBytes: 65_536 });
    // What was not read to its end is not called unchanged later.
    expect(await fetch()).toMatchObject({ outcome: "product", product: { sku: "Q1" } });
    expect(await fetch()).not.toHaveProperty("validators");
    expect(await failure(fetch("/q"))).toMatchObject({ reason: "size", permanent: true });
    await until(() => site.underWay === 0, { what: "the connections to be closed" });
  });

  it("is not asked for again by the courier: that is the queue's business", async () => {
    const site = await startShop({ "/p": status(500) });
    expect(await failure(courierFor(site).product())).toMatchObject({
      reason: "status 500",
      permanent: false,
      retryAfterMs: undefined,
    });
    expect(site.requests).toEqual(["/p"]);
  });

  it("that is no page fails for good", async () => {
    const site = await startShop({
      "/p": (_request, response) => void response.writeHead(200, { "content-type": "application/pdf" }).end("x"),
    });
    expect(await failure(courierFor(site).product())).toMatchObject({ reason: "type", permanent: true });
  });
});

describe("conditional requests", () => {
  const MODIFIED = "Sat, 21 Nov 2026 09:00:00 GMT";

  async function versioned(own: Record<string, string>) {
    const asked: IncomingHttpHeaders[] = [];
    const site = await startShop({
      "/p": ({ headers }, response) => {
        asked.push(headers);
        const isKnown =
          own["etag"] === undefined
            ? headers["if-modified-since"] === own["last-modified"]
            : headers["if-none-match"] === own["etag"];
        if (isKnown) response.writeHead(304).end();
        else html(response, product("Q1"), own);
      },
    });
    return { site, asked };
  }

  it.each<[Record<string, string>, IncomingHttpHeaders]>([
    [{ etag: '"v1"' }, { "if-none-match": '"v1"' }],
    [{ etag: 'W/"v 1"' }, { "if-none-match": 'W/"v 1"' }],
    [{ "last-modified": MODIFIED }, { "if-modified-since": MODIFIED }],
    [
      { etag: '"v1"', "last-modified": MODIFIED },
      { "if-none-match": '"v1"', "if-modified-since": MODIFIED },
    ],
  ])("with %j ask for what is newer", async (own, headers) => {
    const { site, asked } = await versioned(own);
    const { product: fetch } = courierFor(site);
    const first = await fetch();
    if (first.outcome !== "product") throw new Error(first.outcome);
    expect(await fetch("/p", { validators: first.validators })).toEqual({ outcome: "unchanged" });
    expect(asked[0]).not.toHaveProperty("if-none-match");
    expect(asked[0]).not.toHaveProperty("if-modified-since");
    expect(asked[1]).toMatchObject(headers);
  });

  it("are not made by other rules than those by which the page was read", async () => {
    const { site } = await versioned({ etag: '"v1"' });
    const first = await courierFor(site).product();
    if (first.outcome !== "product") throw new Error(first.outcome);
    const rules = {
      sku: "h1",
      price: { from: "#price" },
      availability: { from: "#stock", values: [{ words: ["in stock"], value: "In Stock" }] },
    };
    const other = courierFor(site, { product: rules });
    expect(await other.product("/p", { validators: first.validators })).toMatchObject({
      outcome: "product",
      product: { sku: "Q1 Santa" },
    });
    // A pattern is part of the rules too.
    const [start, end] = ["^\\S+", "\\S+$"].map((match) =>
      courierFor(site, { product: { ...rules, sku: { select: "h1", match } } }),
    );
    const second = await start!.product();
    if (second.outcome !== "product") throw new Error(second.outcome);
    expect(await end!.product("/p", { validators: second.validators })).toMatchObject({
      outcome: "product",
      product: { sku: "Santa" },
    });
    // Everything else may change.
    expect(await courierFor(site, { concurrency: 2 }).product("/p", { validators: first.validators })).toEqual({
      outcome: "unchanged",
    });
  });

  it("are not made with what is no mark of ours, or too long to keep", async () => {
    const { site, asked } = await versioned({ etag: `"${"x".repeat(300)}"` });
    const { product: fetch } = courierFor(site);
    expect(await fetch("/p", { validators: { etag: '"v1"', lastModified: MODIFIED } })).not.toHaveProperty(
      "validators",
    );
    expect(asked[0]).not.toHaveProperty("if-none-match");
    expect(asked[0]).not.toHaveProperty("if-modified-since");
  });

  it("have to be made for 304 to be an answer", async () => {
    const site = await startShop({ "/p": status(304), "/2000": status(304) });
    const { product: fetch, links } = courierFor(site);
    expect(await failure(fetch())).toMatchObject({ reason: "status 304", permanent: true });
    expect((await failure(links())).reason).toBe("status 304");
  });
});

describe("the vendor's own hosts", () => {
  it("are all that is asked: redirects elsewhere are refused before anything is sent there", async () => {
    const other = await startShop({ "/p": product("Q2") });
    const site = await startShop({
      "/p": (...request) => moved(`http://localhost:${site.port}/q`)(...request),
      "/q": product("Q1"),
      "/2000": moved(`http://${other.host}/p`),
    });
    const { product: fetch, links } = courierFor(site);
    const message = `http://localhost:${site.port} is none of shop's: ${site.host}`;
    expect(await failure(fetch())).toMatchObject({ reason: "redirects", permanent: true, message });
    expect(await failure(links())).toMatchObject({ reason: "port", permanent: true });
    expect([site.requests, other.requests]).toEqual([["/p", "/2000"], []]);
    // As one of the vendor's hosts it is asked.
    expect(await courierFor(site, { hosts: [`localhost:${site.port}`] }).product()).toMatchObject({
      product: { sku: "Q1" },
    });
  });

  it("redirect among themselves", async () => {
    const site = await startShop({ "/p": moved("/q"), "/q": product("Q2"), "/loop": moved("/loop") });
    const { product: fetch } = courierFor(site);
    // What the list calls it stays its address.
    expect(await fetch()).toMatchObject({ product: { sku: "Q2", link: `http://${site.host}/p` } });
    expect(await failure(fetch("/loop"))).toMatchObject({ reason: "redirects", permanent: true });
  });

  it("are not left for a link from elsewhere", async () => {
    const { product: fetch } = courierFor({ host: "127.0.0.1:1" });
    for (const url of [
      "http://other.example/",
      "ftp://127.0.0.1:1/",
      "http://me:secret@127.0.0.1:1/",
      "javascript:x",
    ]) {
      expect(await failure(fetch(url))).toMatchObject({ reason: "url", permanent: true });
    }
  });

  it("are public, unless others are allowed", async () => {
    const site = await startShop({ "/p": product("Q1") });
    expect(await failure(courierFor(site, { allow: [] }).product())).toMatchObject({
      reason: "address",
      permanent: true,
    });
    expect(site.requests).toEqual([]);
  });

  it("are asked by https where the site is, also by links that say http", () => {
    const settings = {
      years: { from: 2000, page: "/{year}" },
      list: { item: "a" },
      product: { sku: "a", price: { from: "a" }, availability: { from: "a", values: [{ words: ["a"], value: "a" }] } },
    };
    const addressOf = (site: string, text: string, base?: string): string | undefined =>
      new VendorPages(
        parseVendor("shop", { site, hosts: ["IMG.shop.example:8443", "old.example:443"], ...settings }),
        {},
      ).address(text, base === undefined ? undefined : new URL(base))?.href;
    expect(addressOf("https://shop.example/store/", "p/1#x")).toBe("https://shop.example/store/p/1");
    expect(addressOf("https://shop.example", "http://shop.example/p")).toBe("https://shop.example/p");
    expect(addressOf("https://shop.example", "//SHOP.example:443/p")).toBe("https://shop.example/p");
    expect(addressOf("https://shop.example", "http://shop.example:8080/p")).toBeUndefined();
    expect(addressOf("https://shop.example", "https://img.shop.example:8443/p")).toBe(
      "https://img.shop.example:8443/p",
    );
    expect(addressOf("https://shop.example", "http://img.shop.example:8443/p")).toBeUndefined();
    expect(addressOf("https://shop.example", "https://old.example/p")).toBe("https://old.example/p");
    expect(addressOf("http://shop.example", "https://shop.example/p")).toBe("https://shop.example/p");
    expect(addressOf("https://shop.example", "https://evil-shop.example/p")).toBeUndefined();
    expect(addressOf("https://shop.example", "https://shop.example.evil/p")).toBeUndefined();
    expect(addressOf("https://shop.example", "../b", "https://shop.example/c/d/e")).toBe("https://shop.example/c/b");
    expect(addressOf("https://shop.example", `/${"x".repeat(2048)}`)).toBeUndefined();
  });
});

describe("robots.txt", () => {
  it("is obeyed, for lists and products", async () => {
    const site = await startShop(
      { "/2000": list("/p"), "/p": product("Q1"), "/no/p": product("Q1") },
      "User-agent: *\nDisallow: /no",
    );
    const { product: fetch, links } = courierFor(site, { robots: true });
    expect(pathsOf(await links())).toEqual(["/p"]);
    expect(await fetch()).toMatchObject({ outcome: "product" });
    expect(await failure(fetch("/no/p"))).toMatchObject({ reason: "robots", permanent: true });
    expect(site.requests).toEqual(["/robots.txt", "/2000", "/p"]);
  });

  it("is obeyed for what a redirect leads to", async () => {
    const site = await startShop({ "/p": moved("/no/p"), "/no/p": product("Q1") }, "User-agent: *\nDisallow: /no");
    expect((await failure(courierFor(site, { robots: true }).product())).reason).toBe("robots");
    expect(site.requests).toEqual(["/robots.txt", "/p"]);
  });

  it("that cannot be had holds everything up, for a while", async () => {
    const site = await startShop({ "/p": product("Q1") }, status(500));
    expect(await failure(courierFor(site, { robots: true }).product())).toMatchObject({
      reason: "robots unreachable",
      permanent: false,
    });
    expect(site.requests).toEqual(["/robots.txt"]);
  });
});

describe("the pace", () => {
  /** Lets the clock step, and notes how many requests the shop had by then. */
  async function countBySteps(
    site: { requests: string[] },
    clock: ManualClock,
    waiting: (answered: number) => number,
    stepMs: number,
    steps: number,
  ): Promise<number[]> {
    const counts: number[] = [];
    for (let step = 0; step < steps; step += 1) {
      // All that can go has gone when everybody else waits for the clock.
      await until(() => clock.sleeping === waiting(site.requests.length), { what: `step ${step} to come to rest` });
      counts.push(site.requests.length);
      clock.advance(stepMs);
    }
    return counts;
  }

  it.each([1, 3])("is never more than the configured requests in a second, with %i at once", async (concurrency) => {
    const clock = new ManualClock();
    const site = await startSite((_request, response) => html(response, product("Q1")));
    const { product: fetch } = courierFor(site, { requestsPerSecond: 4, concurrency }, { clock });
    const fetched = Promise.all(Array.from({ length: 10 }, (_, at) => fetch(`/${at}`)));
    const counts = await countBySteps(site, clock, (answered) => Math.min(concurrency, 10 - answered), 250, 10);
    expect(counts).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await fetched;
    // In the order in which they were asked for.
    expect(site.requests).toEqual(Array.from({ length: 10 }, (_, at) => `/${at}`));
  });

  it("catches up on nothing after a pause", async () => {
    const clock = new ManualClock();
    const site = await startSite((_request, response) => html(response, product("Q1")));
    const { product: fetch } = courierFor(site, { requestsPerSecond: 4 }, { clock });
    await fetch("/0");
    clock.advance(60_000);
    const fetched = Promise.all([fetch("/1"), fetch("/2"), fetch("/3")]);
    expect(await countBySteps(site, clock, (answered) => Math.min(1, 4 - answered), 250, 3)).toEqual([2, 3, 4]);
    await fetched;
  });

  it("is a site's own, if that wants less", async () => {
    const clock = new ManualClock();
    const site = await startSite(
      (_request, response) => html(response, product("Q1")),
      "User-agent: *\nCrawl-delay: 7",
    );
    const { product: fetch } = courierFor(site, { requestsPerSecond: 1000, concurrency: 2, robots: true }, { clock });
    const fetched = Promise.all(["/1", "/2", "/3"].map((path) => fetch(path)));
    await until(() => clock.sleeping === 2);
    clock.advance(1);
    const counts = await countBySteps(site, clock, (answered) => Math.min(2, 4 - answered), 1000, 15);
    expect(counts).toEqual([2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4]);
    await fetched;
  });

  it("is a site's own also while it has not answered yet", async () => {
    const clock = new ManualClock();
    const waiting: (() => void)[] = [];
    const site = await startSite(
      (_request, response) => void waiting.push(() => html(response, product("Q1"))),
      "User-agent: *\nCrawl-delay: 7",
    );
    const { product: fetch } = courierFor(site, { requestsPerSecond: 1000, concurrency: 2, robots: true }, { clock });
    const fetched = Promise.all([fetch("/1"), fetch("/2")]);
    await until(() => clock.sleeping === 2);
    clock.advance(1);
    await until(() => waiting.length === 1 && clock.sleeping === 1);
    clock.advance(6999);
    expect(clock.sleeping).toBe(1);
    expect(site.requests).toEqual(["/robots.txt", "/1"]);
    clock.advance(1);
    await until(() => waiting.length === 2);
    for (const answer of waiting) answer();
    await fetched;
  });

  it("is each host's own", async () => {
    const clock = new ManualClock();
    const [one, two] = await Promise.all(
      [1, 2].map(() => startSite((_request, response) => html(response, product("Q1")))),
    );
    const { product: fetch } = courierFor(
      one!,
      { requestsPerSecond: 1, concurrency: 2, hosts: [two!.host] },
      { clock },
    );
    await Promise.all([fetch("/a"), fetch(`http://${two!.host}/a`)]);
    expect([one!.requests, two!.requests]).toEqual([["/a"], ["/a"]]);
  });
});

describe("a vendor that asks to be left alone", () => {
  it("is, for as long as it says: other products wait, and are not asked for", async () => {
    const site = await startShop({ "/p": status(429, { "retry-after": "600" }), "/q": product("Q2") });
    const { product: fetch, links } = courierFor(site, {}, { clock: new ManualClock() });
    expect(await failure(fetch())).toMatchObject({ reason: "status 429", permanent: false, retryAfterMs: 600_000 });
    const second = await failure(fetch("/q"));
    expect(second).toMatchObject({ reason: "resting", permanent: false, retryAfterMs: 600_000 });
    // A list is not tried again meanwhile either.
    expect((await failure(links())).reason).toBe("resting");
    expect(site.requests).toEqual(["/p"]);
  });

  it("for a year has made a mistake: a day is the most", async () => {
    const site = await startShop({ "/p": status(429, { "retry-after": "31536000" }) });
    expect(await failure(courierFor(site).product())).toMatchObject({ retryAfterMs: 24 * 3_600_000 });
  });

  it("for long is for the queue to wait for, not for the courier", async () => {
    // A pause would never end.
    const clock = new ManualClock();
    const site = await startShop({ "/2000": status(503, { "retry-after": "600" }) });
    const { links } = courierFor(site, { backoffSeconds: 0.5 }, { clock });
    expect(await failure(links())).toMatchObject({ reason: "status 503", permanent: false, retryAfterMs: 600_000 });
  });

  it("for a moment is waited for", async () => {
    const clock = new ManualClock();
    const site = await startShop({ "/2000": inTurn(status(429, { "retry-after": "4" }), list("/a")) });
    const found = courierFor(site, { requestsPerSecond: 1000, backoffSeconds: 0.5 }, { clock }).links();
    await until(() => clock.sleeping === 1);
    expect(clock.skip()).toBe(500);
    await until(() => clock.sleeping === 1);
    expect(clock.skip()).toBe(3500);
    expect(pathsOf(await found)).toEqual(["/a"]);
    expect(site.requests).toEqual(["/2000", "/2000"]);
  });
});

describe("an end", () => {
  it("comes at once, with its own reason", async () => {
    const site = await startSite(() => undefined);
    const stop = new AbortController();
    const { courier } = courierFor(site);
    const ended = [
      courier.links(2000, stop.signal),
      courier.product({ url: `http://${site.host}/p`, year: 2000, name: "" }, stop.signal),
    ];
    await until(() => site.underWay === 1);
    stop.abort(new Error("stopping"));
    for (const each of ended) await expect(each).rejects.toThrow("stopping");
    await until(() => site.underWay === 0);
  });

  it("of one is not the end of others that wait for the same", async () => {
    let hold: (() => void) | undefined;
    const slowOnce = (answer: string): Handler => {
      let isFirst = true;
      return (_request, response) => {
        if (isFirst) hold = () => void response.end();
        else html(response, answer);
        isFirst = false;
      };
    };
    const years = { from: 2000, index: { url: "/years", item: "li" } };
    const pages = { "/years": `<li><a href="/a">2000</a></li>`, "/a": list("/1") };
    const stopped = async (
      start: (stop: AbortSignal) => Promise<unknown>,
      other: () => Promise<unknown>,
    ): Promise<unknown> => {
      const stop = new AbortController();
      hold = undefined;
      const first = start(stop.signal);
      const second = other();
      await until(() => hold);
      stop.abort(new Error("stopping"));
      await expect(first).rejects.toThrow("stopping");
      return second;
    };
    const slowIndex = await startShop({ ...pages, "/years": slowOnce(pages["/years"]) });
    const one = courierFor(slowIndex, { years, concurrency: 2 });
    expect(await stopped((signal) => one.courier.links(2000, signal), one.links)).toEqual({
      [`http://${slowIndex.host}/1`]: "Name of /1",
    });

    const slowRobots = await startShop({ "/p": product("Q1") }, slowOnce("User-agent: *"));
    const two = courierFor(slowRobots, { robots: true, concurrency: 2 });
    const link = { url: `http://${slowRobots.host}/p`, year: 2000, name: "" };
    expect(await stopped((signal) => two.courier.product(link, signal), two.product)).toMatchObject({
      product: { sku: "Q1" },
    });
  });
});

describe("requests", () => {
  it("say who asks, and in which language", async () => {
    const asked: IncomingHttpHeaders[] = [];
    const site = await startSite(({ headers }, response) => {
      asked.push(headers);
      html(response, product("Q1"));
    });
    await courierFor(site).product();
    await courierFor(site, { language: "en-US, en;q=0.8", contact: "https://catalog.example/robot" }).product();
    expect(asked[0]!["user-agent"]).toMatch(/^Hotpath\/[\d.]+$/);
    expect(asked[0]).not.toHaveProperty("accept-language");
    expect(asked[1]).toMatchObject({
      "accept-language": "en-US, en;q=0.8",
      "user-agent": expect.stringContaining("(+https://catalog.example/robot)") as string,
    });
  });

  it("are reported one by one, those without an answer too", async () => {
    const site = await startShop({
      "/p": moved("/q?secret=1"),
      "/q?secret=1": product("Q1"),
      "/cut": (request) => request.socket.destroy(),
    });
    const { product: fetch, timings } = courierFor(site);
    await fetch();
    await failure(fetch("/cut"));
    expect(timings.map(({ url, status }) => [url, status])).toEqual([
      [`http://${site.host}/p`, 302],
      [`http://${site.host}/q`, 200],
      [`http://${site.host}/cut`, 0],
    ]);
    for (const { firstByteMs, totalMs } of timings) expect(totalMs).toBeGreaterThanOrEqual(firstByteMs);
    expect(timings[2]!.firstByteMs).toBe(timings[2]!.totalMs);
  });
});
