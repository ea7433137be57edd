/* The list of a vendor's links, and what is noted of each. */
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, HALLMARK, HOOKED, HOUR, NOON, useCatalog, type LinkJson } from "../support/catalog";
import { allKeys, digest } from "../support/tracker";

const catalog = useCatalog();
const { links } = catalog;

beforeEach(() => catalog.server.flush());

const url = (at: number | string): string => `https://shop.example/p/${at}`;
const listOf = (...names: (number | string)[]): string =>
  JSON.stringify(Object.fromEntries(names.map((each) => [url(each), `Ornament ${each}`])));
const sync = (year: number, list: string, ...args: (string | number)[]): Promise<Record<string, unknown>> =>
  catalog.record("sync_links", HALLMARK, year, list, ...args);
const mark = (at: number | string, ...args: (string | number)[]): Promise<unknown> =>
  catalog.call("mark_link", HALLMARK, url(at), ...args);
const urls = async (...args: (string | number)[]): Promise<string[]> =>
  (await links(HALLMARK, ...args)).links.map((each) => each.url);
const linkOf = async (at: number | string): Promise<LinkJson> =>
  JSON.parse((await catalog.read("get_link", HALLMARK, url(at))) as string) as LinkJson;

describe("sync_links", () => {
  it("adds what is new and removes what is gone", async () => {
    const first = await sync(2014, listOf(1, 2, 3), "NOW", NOON);
    expect(first).toEqual({ added: 3, removed: 0, run: expect.any(Number) as number, remaining: 0 });
    const second = await sync(2014, listOf(2, 3, 4), "NOW", NOON + HOUR);
    expect(second).toEqual({ added: 1, removed: 1, run: expect.any(Number) as number, remaining: 0 });
    expect(Number(second["run"])).toBeGreaterThan(Number(first["run"]));
    expect((await urls()).sort()).toEqual([2, 3, 4].map(url));
    expect(await catalog.read("get_link", HALLMARK, url(1))).toBeNull();
    expect(await sync(2014, "{}", "NOW", NOON + HOUR)).toMatchObject({ added: 0, removed: 3, remaining: 0 });
    const left = (await allKeys(catalog.client)).filter((key) => key.includes("LINK"));
    expect(left).toEqual([`H:LINKS.RUNS::${HALLMARK}::`]);
  });

  it("the same again, in the same millisecond too, changes nothing", async () => {
    await sync(2014, listOf(1, 2), "NOW", NOON);
    await mark(1, "NOW", NOON, "ETAG", "x");
    const before = (await links(HALLMARK)).links;
    for (let call = 0; call < 3; call += 1)
      expect(await sync(2014, listOf(1, 2), "NOW", NOON)).toMatchObject({ added: 0, removed: 0 });
    expect((await links(HALLMARK)).links).toEqual(before);
  });

  it("years and vendors are apart", async () => {
    await sync(2014, listOf(1, 2), "NOW", NOON);
    await sync(2015, listOf(3), "NOW", NOON);
    await catalog.call("sync_links", HOOKED, 2014, listOf(1), "NOW", NOON);
    expect(await sync(2015, listOf(4), "NOW", NOON)).toMatchObject({ added: 1, removed: 1 });
    expect(await links(HALLMARK, "YEAR", 2014)).toMatchObject({ total: 2 });
    expect(await links(HALLMARK)).toMatchObject({ total: 3 });
    expect(await links(HOOKED)).toMatchObject({ total: 1 });
    expect(await links("nobody")).toEqual({ total: 0, links: [] });
  });

  it("a link that another year lists moves there, with all that is known of it", async () => {
    await sync(2014, listOf(1, 2), "NOW", NOON);
    await mark(1, "NOW", NOON + 1, "ETAG", "x");
    expect(await sync(2015, listOf(1), "NOW", NOON + 2)).toMatchObject({ added: 1 });
    expect(await linkOf(1)).toMatchObject({ year: 2015, etag: "x", checked_at: NOON + 1 });
    expect(await urls("YEAR", 2014)).toEqual([url(2)]);
    expect(await sync(2014, listOf(2), "NOW", NOON + 3)).toMatchObject({ removed: 0 });
    expect(await urls("YEAR", 2015)).toEqual([url(1)]);
    expect(await links(HALLMARK)).toMatchObject({ total: 2 });
  });

  it("a name that changes is taken over", async () => {
    await sync(2014, listOf(1), "NOW", NOON);
    await sync(2014, JSON.stringify({ [url(1)]: "Renamed/é" }), "NOW", NOON);
    expect(await linkOf(1)).toMatchObject({ name: "Renamed/é" });
  });

  it("a call that comes late changes nothing", async () => {
    const { run } = await sync(2014, listOf(1, 2), "NOW", NOON);
    const before = await digest(catalog.client);
    expect(await sync(2014, listOf(3), "NOW", NOON - 1)).toEqual({ added: 0, removed: 0, run, remaining: 0 });
    expect(await digest(catalog.client)).toEqual(before);
    expect(await sync(2013, listOf(3), "NOW", NOON - 1)).toMatchObject({ added: 1 });
  });

  it("comes in parts: only the last removes", async () => {
    await sync(2014, listOf(1, 2, 3, 4), "NOW", NOON);
    const begun = await sync(2014, listOf(1, 5), "MORE", 1, "NOW", NOON + 1);
    const run = Number(begun["run"]);
    expect(begun).toEqual({ added: 1, removed: 0, run, remaining: 0 });
    expect(await sync(2014, listOf(2), "MORE", 1, "RUN", run, "NOW", NOON + 2)).toEqual({
      added: 0,
      removed: 0,
      run,
      remaining: 0,
    });
    expect(await sync(2014, listOf(6), "RUN", run, "NOW", NOON + 3)).toEqual({
      added: 1,
      removed: 2,
      run,
      remaining: 0,
    });
    expect((await urls()).sort()).toEqual([1, 2, 5, 6].map(url));
  });

  it("a run that is overtaken by another removes nothing", async () => {
    await sync(2014, listOf(1, 2), "NOW", NOON);
    const { run } = await sync(2014, listOf(1), "MORE", 1, "NOW", NOON + 1);
    await sync(2014, listOf(1, 2, 3), "NOW", NOON + 2);
    expect(await sync(2014, listOf(9), "RUN", Number(run), "NOW", NOON + 3)).toMatchObject({ removed: 0 });
    expect((await urls()).sort()).toEqual([1, 2, 3, 9].map(url));
    // What it had listed stays marked as listed by the later run; the next run tidies up.
    expect(await sync(2014, listOf(1, 2, 3), "NOW", NOON + 4)).toMatchObject({ removed: 1 });
  });

  it("a part of a run that was overtaken takes nothing from the run that goes on", async () => {
    await sync(2014, listOf(1, 2, 3), "NOW", NOON);
    const overtaken = await sync(2014, listOf(9), "MORE", 1, "NOW", NOON + 1);
    const present = await sync(2014, listOf(1), "MORE", 1, "NOW", NOON + 2);
    await sync(2014, listOf(1, 2), "RUN", Number(overtaken["run"]), "NOW", NOON + 3);
    expect(await sync(2014, listOf(2), "RUN", Number(present["run"]), "NOW", NOON + 4)).toMatchObject({ removed: 2 });
    expect((await urls()).sort()).toEqual([1, 2].map(url));
  });

  it("a run that has not begun is CONFLICT", async () => {
    const last = Number((await sync(2014, listOf(1), "NOW", NOON))["run"]);
    expect(await catalog.refusal("sync_links", HALLMARK, 2014, listOf(1), "RUN", last + 1)).toBe(
      `CONFLICT RUN ${last + 1} has not begun; the last of year 2014 is ${last}`,
    );
  });

  it("takes 1,000 links, and removes 1,000 a call; the same call goes on", async () => {
    const thousand = (from: number): string => listOf(...Array.from({ length: 1000 }, (_, at) => from + at));
    const { run } = await sync(2014, thousand(0), "MORE", 1, "NOW", NOON);
    await sync(2014, thousand(1000), "MORE", 1, "RUN", Number(run), "NOW", NOON);
    expect(await sync(2014, thousand(2000), "RUN", Number(run), "NOW", NOON)).toMatchObject({
      added: 1000,
      removed: 0,
    });
    expect(await sync(2014, listOf(0, 2500), "NOW", NOON)).toMatchObject({ removed: 1000, remaining: 1 });
    expect(await sync(2014, listOf(0, 2500), "NOW", NOON)).toMatchObject({ removed: 1000, remaining: 1 });
    expect(await sync(2014, listOf(0, 2500), "NOW", NOON)).toMatchObject({ removed: 998, remaining: 0 });
    expect((await urls()).sort()).toEqual([0, 2500].map(url));
  });
});

describe("mark_link", () => {
  beforeEach(() => sync(2014, listOf(1, 2, 3), "NOW", NOON));

  it("scraped: validators, status and product take the place of those before", async () => {
    const product = "0123456789abcdef".repeat(3).slice(0, 40);
    expect(
      await mark(
        1,
        "STATUS",
        200,
        "ETAG",
        '"a/b"',
        "MODIFIED",
        "Sat, 17 Oct 2020",
        "PRODUCT",
        product,
        "NOW",
        NOON + 1,
      ),
    ).toBe(1);
    expect(await linkOf(1)).toEqual({
      url: url(1),
      name: "Ornament 1",
      year: 2014,
      checked_at: NOON + 1,
      scraped_at: NOON + 1,
      status: 200,
      failures: 0,
      outcome: "scraped",
      etag: '"a/b"',
      modified: "Sat, 17 Oct 2020",
      product,
      reason: null,
    });
    await mark(1, "ETAG", "c", "NOW", NOON + 2);
    expect(await linkOf(1)).toMatchObject({
      etag: "c",
      modified: null,
      product: null,
      status: null,
      scraped_at: NOON + 2,
    });
  });

  it("unchanged: validators stay, and the product has been synced", async () => {
    const { id } = await catalog.upsert(HALLMARK, { sku: "A", name: "a" }, NOON);
    await mark(1, "ETAG", "c", "PRODUCT", id, "NOW", NOON);
    await mark(1, "OUTCOME", "unchanged", "STATUS", 304, "NOW", NOON + HOUR);
    expect(await linkOf(1)).toMatchObject({
      etag: "c",
      product: id,
      status: 304,
      scraped_at: NOON + HOUR,
      outcome: "unchanged",
    });
    expect(await catalog.product(id)).toMatchObject({ last_synced_at: NOON + HOUR });
    expect(await catalog.find("SYNCED_BEFORE", NOON + HOUR)).toMatchObject({ total: 0 });
    expect(await catalog.status(HALLMARK)).toMatchObject({ created: 1, unchanged: 1 });
  });

  it("unchanged: a product that was synced later is left alone", async () => {
    const { id } = await catalog.upsert(HALLMARK, { sku: "A", name: "a" }, NOON + DAY);
    await mark(1, "PRODUCT", id, "NOW", NOON);
    await mark(1, "OUTCOME", "unchanged", "NOW", NOON + 1);
    expect(await catalog.product(id)).toMatchObject({ last_synced_at: NOON + DAY });
  });

  it("unchanged: of a product that was removed the validators go, so that the next look brings the page again", async () => {
    const { id } = await catalog.upsert(HALLMARK, { sku: "A", name: "a" }, NOON);
    await mark(1, "PRODUCT", id, "ETAG", "c", "MODIFIED", "m", "NOW", NOON);
    await catalog.call("remove_product", id);
    expect(await mark(1, "OUTCOME", "unchanged", "STATUS", 304, "NOW", NOON + 2)).toBe(1);
    expect(await catalog.product(id)).toBeNull();
    expect(await linkOf(1)).toMatchObject({ etag: null, modified: null, product: id, outcome: "unchanged" });
  });

  it("failed: failures count until a look succeeds; what was known stays", async () => {
    await mark(1, "ETAG", "c", "NOW", NOON);
    await mark(1, "OUTCOME", "failed", "STATUS", 500, "REASON", "no answer", "NOW", NOON + 1);
    await mark(1, "OUTCOME", "failed", "NOW", NOON + 2);
    expect(await linkOf(1)).toMatchObject({
      outcome: "failed",
      failures: 2,
      reason: "failed",
      status: null,
      etag: "c",
      scraped_at: NOON,
      checked_at: NOON + 2,
    });
    expect(await catalog.status(HALLMARK)).toMatchObject({ failed: 2 });
    await mark(1, "OUTCOME", "gone", "STATUS", 404, "NOW", NOON + 3);
    expect(await linkOf(1)).toMatchObject({ outcome: "gone", failures: 0, reason: null, status: 404 });
    expect(await catalog.status(HALLMARK)).toMatchObject({ gone: 1 });
  });

  it("an older clock notes nothing", async () => {
    await mark(1, "NOW", NOON + 5);
    const before = await digest(catalog.client);
    expect(await mark(1, "OUTCOME", "failed", "NOW", NOON + 4)).toBe(0);
    expect(await digest(catalog.client)).toEqual(before);
  });

  it("of a link that is not listed is NOTFOUND", async () => {
    expect(await catalog.refusal("mark_link", HALLMARK, url(9))).toBe(
      `NOTFOUND vendor '${HALLMARK}' has no link '${url(9)}'`,
    );
    expect(await catalog.refusal("mark_link", HOOKED, url(1))).toMatch(/^NOTFOUND /);
  });
});

describe("list_links", () => {
  beforeEach(async () => {
    await sync(2014, listOf(1, 2, 3), "NOW", NOON);
    await sync(2015, listOf(4, 5), "NOW", NOON);
    await mark(2, "NOW", NOON + 2 * HOUR);
    await mark(4, "NOW", NOON + HOUR);
    await mark(1, "OUTCOME", "failed", "NOW", NOON + 3 * HOUR);
  });

  it("lists those never looked at first, then the longest ago", async () => {
    const all = await urls();
    expect(all.slice(0, 2).sort()).toEqual([3, 5].map(url));
    expect(all.slice(2)).toEqual([4, 2, 1].map(url));
    expect(await urls("YEAR", 2014)).toEqual([3, 2, 1].map(url));
  });

  it("STALE: those at which nobody has looked for so long, a failed one too", async () => {
    const at = ["NOW", NOON + 3 * HOUR];
    expect(await links(HALLMARK, "STALE", HOUR, ...at)).toMatchObject({ total: 4 });
    expect((await urls("STALE", HOUR, ...at)).slice(2)).toEqual([4, 2].map(url));
    expect(await urls("STALE", HOUR, "YEAR", 2014, ...at)).toEqual([3, 2].map(url));
    expect((await urls("STALE", DAY, ...at)).sort()).toEqual([3, 5].map(url));
    expect(await links(HALLMARK, "STALE", 0, ...at)).toMatchObject({ total: 5 });
    expect(await links(HALLMARK, "STALE", NOON + DAY, ...at)).toMatchObject({ total: 2 });
  });

  it("pages", async () => {
    expect(await links(HALLMARK, "OFFSET", 2, "COUNT", 2)).toMatchObject({
      total: 5,
      links: [{ url: url(4) }, { url: url(2) }],
    });
    expect(await links(HALLMARK, "OFFSET", 5)).toEqual({ total: 5, links: [] });
    expect(await links(HALLMARK, "STALE", HOUR, "OFFSET", 3, "NOW", NOON + 3 * HOUR)).toMatchObject({
      total: 4,
      links: [{ url: url(2) }],
    });
  });
});
