import { beforeEach, expect, it } from "vitest";
import type { ListedTask } from "../../host/catalog/sync";
import type { Change, Product } from "../../host/cli/catalog/tables";
import type { SyncResult } from "../../host/catalog/sync";
import { loopbackSettings } from "../../demo/catalog/vendors";
import type { Shop } from "../../demo/catalog/shop";
import { openTestShop, VENDOR } from "../support/catalog-host";
import { useHosts } from "../support/host";
import { sha1 } from "../support/tracker";

const { server, functions, configure, hotpath } = useHosts();
const OTHER = "ornament_shop_com";

let path = "";
beforeEach(async () => {
  path = await configure({});
});

const withShops = async (shops: readonly Shop[], settings: object = {}): Promise<void> => {
  const vendors = Object.fromEntries(shops.map((shop) => [shop.vendor, loopbackSettings(shop)]));
  path = await configure({ catalog: { vendors, maxSleepSeconds: 0.1, ...settings } });
};

async function catalog(...args: string[]): Promise<{ code: number | null; out: string; errors: string }> {
  const run = hotpath(path, ["catalog", ...args]);
  const { code } = await run.exit;
  return { code, out: run.lines.join("\n"), errors: run.errors.join("\n") };
}

const AT = Date.UTC(2026, 9, 17, 18, 9, 8);
const upsert = (sku: string, more: object = {}, at = AT, vendor = VENDOR) =>
  functions.upsertProduct({
    vendor,
    product: JSON.stringify({ sku, name: `Name of ${sku}`, price: "3.98", release_year: 2014, ...more }),
    now: at,
  });

it("syncs vendors now, links and products, and says what has changed", async () => {
  const shops = [await openTestShop(), await openTestShop({}, OTHER)];
  await withShops(shops);
  const totals = shops.map(({ stock }) => stock.items.length);
  const first = await catalog("sync");
  expect(first.code, first.errors).toBe(0);
  expect(first.out).toMatch(/^vendor +links +products +created +changed +unchanged +gone +failed$/m);
  expect(first.out).toMatch(new RegExp(`^${VENDOR} +${totals[0]} +${totals[0]} +${totals[0]} +0 +0 +0 +0 +✓$`, "m"));
  expect(first.out).toMatch(new RegExp(`^${OTHER} +${totals[1]} +${totals[1]} +${totals[1]} +0 +0 +0 +0 +✓$`, "m"));
  expect(first.errors).toMatch(/^Syncing: \d+ products in /m);
  const changed = shops[1]!.stock.change(0.1, Date.now()).length;
  const second = await catalog("sync", OTHER, "--json");
  const result = JSON.parse(second.out) as SyncResult;
  expect(result).toMatchObject({ ok: true, tasks: [`sync_products/${OTHER}`] });
  expect(result.vendors).toMatchObject([
    { vendor: OTHER, created: 0, changed, unchanged: totals[1]! - changed, ok: true, problems: [] },
  ]);
  expect(result.vendors[0]!.latencies).toMatchObject({
    total: [expect.any(Number), expect.any(Number), expect.any(Number)],
  });
});

it("syncs only links, one year, or what is stale; or leaves the work to those who serve", async () => {
  const shop = await openTestShop();
  await withShops([shop]);
  const ofYear = shop.stock.ofYear(1975).length;
  expect(await catalog("sync", "--links", "--year", "1975")).toMatchObject({
    code: 0,
    errors: expect.stringMatching(/^Syncing: 1 lists in /m) as string,
  });
  expect(await functions.getCatalogStatus()).toMatchObject([{ links: ofYear, products: 0 }]);
  await catalog("sync", "--stale");
  expect(await functions.getCatalogStatus()).toMatchObject([{ links: ofYear, products: ofYear, created: ofYear }]);
  expect((await catalog("sync", "--enqueue")).out).toBe(`sync_products/${VENDOR}`);
  expect(JSON.parse((await catalog("sync", "--enqueue", "--links", "--json")).out)).toEqual({
    tasks: [1974, 1975, 1976].map((year) => `sync_links/${VENDOR}/${year}`),
  });
  expect(await functions.getQueueStatus({ queue: VENDOR })).toMatchObject({ held: 1, ready: 4 });
});

it("exits with 1 and the reasons where a product cannot be had", async () => {
  const shop = await openTestShop();
  await withShops([shop]);
  const vendors = {
    [VENDOR]: loopbackSettings(shop, {
      product: {
        sku: "#nonesuch",
        price: { from: ".price" },
        availability: { from: ".stock", values: [{ words: ["1"], value: "In Stock" }] },
      },
    }),
  };
  path = await configure({ catalog: { vendors, maxSleepSeconds: 0.1 } });
  const { code, out, errors } = await catalog("sync", "--year", "1974");
  const failed = shop.stock.ofYear(1974).length;
  expect(code).toBe(1);
  expect(out).toMatch(new RegExp(`^${VENDOR} +${failed} +0 +0 +0 +0 +0 +${failed} +✗$`, "m"));
  expect(errors).toMatch(new RegExp(`^hotpath: ${VENDOR}: .*sku`, "m"));
});

it("counts by vendor, and by year of a vendor", async () => {
  for (const [sku, year] of [
    ["a", 1973],
    ["b", 1973],
    ["c", 1974],
  ] as const)
    await upsert(sku, { release_year: year });
  await upsert("a", {}, AT, OTHER);
  expect((await catalog("counts")).out).toBe(`vendor                  count\n${VENDOR}      3\n${OTHER}           1`);
  expect((await catalog("counts", VENDOR)).out).toBe("release_year  count\n1973              2\n1974              1");
  expect(JSON.parse((await catalog("counts", "--json")).out)).toEqual({ [VENDOR]: 3, [OTHER]: 1 });
});

it("shows what was created last, safely", async () => {
  for (let at = 0; at < 7; at += 1)
    await upsert(`s${at}`, at === 6 ? { name: "2014 \u001b[31mFelt", price: null } : {}, AT + at * 1000);
  await upsert("other", {}, AT, OTHER);
  const { out } = await catalog("recent");
  expect(out.split("\n")).toHaveLength(6);
  expect(out).toMatch(/^name +price +release_year +created_at +vendor$/m);
  expect(out.split("\n")[1]).toMatch(/^2014 �\[31mFelt +– +2014 +2026-10-17 18:09:14 +hallmark/);
  expect((await catalog("recent", "--vendor", OTHER, "--count", "2")).out.split("\n")).toHaveLength(2);
  const json = JSON.parse((await catalog("recent", "--json", "--count", "1")).out) as Product[];
  expect(json).toMatchObject([{ sku: "s6", price: null, created_at: AT + 6000 }]);
});

it("shows what has changed in a product, by id or by vendor and sku", async () => {
  const { id } = await upsert("QX1", { availability: "In Stock" });
  await upsert("QX1", { price: "4.98" }, AT + 60_000);
  const { out } = await catalog("history", `${VENDOR}/QX1`);
  expect(out).toBe(
    [
      `${sha1(`${VENDOR}/QX1`)} Name of QX1`,
      "",
      "at                   field         old   new",
      "2026-10-17 18:09:08  price         –     3.98",
      "2026-10-17 18:09:08  availability  –     In Stock",
      "2026-10-17 18:10:08  price         3.98  4.98",
    ].join("\n"),
  );
  const json = JSON.parse((await catalog("history", id, "--field", "price", "--json")).out) as {
    product: Product;
    changes: Change[];
  };
  expect(json.product).toMatchObject({ id, price: "4.98" });
  expect(json.changes).toEqual([
    { at: AT, field: "price", old: null, new: "3.98" },
    { at: AT + 60_000, field: "price", old: "3.98", new: "4.98" },
  ]);
  await functions.removeProduct({ id, now: AT + 120_000 });
  expect((await catalog("history", id)).out).toContain(`${id} removed`);
});

it("lists queues, and the tasks of one by state", async () => {
  await functions.defineTask({ type: "t" });
  const parent = await functions.enqueueTask({ queue: "q", task: '{"type":"t"}', priority: 1 });
  await functions.enqueueTask({ queue: "q", task: '{"type":"t"}', parent });
  const { token } = JSON.parse((await functions.claimTask({ queue: "q", worker: "me" }))!) as { token: string };
  const queues = await catalog("tasks");
  expect(queues.out).toMatch(/^queue +ready +delayed +leased +held +with children +dead +finished +next$/m);
  expect(queues.out).toMatch(/^q +1 +0 +1 +0 +0 +0 +0 +[\d.]+ .*ago$/m);
  expect((await catalog("tasks", "q", "--state", "leased")).out).toMatch(
    new RegExp(`^${parent} +t +leased +1 +1 +in .* +0 of 1 +me$`, "m"),
  );
  await functions.failTask({ id: parent, token, final: 1, reason: "broken \u001b[31m" });
  expect((await catalog("tasks", "q", "--state", "dead")).out).toMatch(/broken �\[31m\n\n1 to 1 of 1 dead in q$/);
  expect((await catalog("tasks", "q")).out).toMatch(/\n\n1 to 1 of 1 waiting in q$/);
  expect((await catalog("tasks", "q", "--state", "finished")).out).toBe("0 finished in q");
  const json = JSON.parse((await catalog("tasks", "q", "--state", "dead", "--json")).out) as {
    total: number;
    tasks: ListedTask[];
  };
  expect(json).toMatchObject({ total: 1, tasks: [{ id: parent, state: "dead" }] });
});

it.each([
  [["sync"], 2, /^hotpath: catalog\.vendors: there is no vendor in the configuration$/],
  [["sync", "--links", "--stale"], 2, /--links and --stale exclude each other/],
  [["sync", "--year", "soon"], 2, /whole number from 1 to 9999/],
  [["history", "nonesuch"], 2, /'nonesuch' is neither the id of a product nor vendor\/sku/],
  [["history", `${VENDOR}/nonesuch`], 2, /there is no product .*nonesuch, and nothing is on record of it/],
  [["recent", "--count", "0"], 2, /whole number from 1 to 1000/],
  [["tasks", "--state", "dead"], 2, /--state needs a queue/],
  [["tasks", "q", "--state", "lost"], 2, /Allowed choices are held, waiting/],
])("refuses %j", async (args, code, message) => {
  expect(await catalog(...args)).toEqual({ code, out: "", errors: expect.stringMatching(message) as string });
});

it("refuses a vendor that is not configured, and says when the library is not loaded", async () => {
  await withShops([await openTestShop()]);
  expect(await catalog("sync", "nonesuch")).toMatchObject({
    code: 2,
    errors: `hotpath: there is no vendor 'nonesuch' in the configuration; there is ${VENDOR}`,
  });
  await server.client.sendCommand(["FUNCTION", "DELETE", "catalog"]);
  expect(await catalog("counts")).toMatchObject({
    code: 1,
    errors: expect.stringMatching(/^hotpath: the catalogue is not loaded on redis:.*; run: hotpath deploy$/) as string,
  });
});
