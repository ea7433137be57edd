import { resolve } from "node:path";
import { expect, it } from "vitest";
import type { ListedTask } from "../../host/catalog/sync";
import { loopbackSettings } from "../../demo/catalog/vendors";
import type { Shop } from "../../demo/catalog/shop";
import { freePort } from "../../host/embedded/probe";
import { openTestShop, VENDOR } from "../support/catalog-host";
import { stopped, useHosts } from "../support/host";
import type { RunningProcess } from "../support/processes";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

const START = { timeoutMs: 30_000 };
const EVERY_SECOND = "* * * * * *";
const NEVER = { links: null, products: null, refresh: null };
/** The first byte of every page takes for ever. */
const STUCK = { error: 0, busy: 0, slow: 1, slowMs: 60_000 };

describeWithOwnServer("the catalogue of a serving host", () => {
  const { server, functions, configure, hotpath } = useHosts({ persistence: true });

  const config = (shop: Shop, settings: object = {}, more: object = {}): Promise<string> => {
    const catalog = {
      vendors: { [VENDOR]: loopbackSettings(shop) },
      schedule: NEVER,
      maxSleepSeconds: 0.1,
      patienceSeconds: 0.3,
      ...settings,
    };
    return configure({ catalog, ...more });
  };
  const serve = async (shop: Shop, settings: object = {}, more: object = {}): Promise<RunningProcess> =>
    hotpath(await config(shop, settings, more), ["serve"]);
  const queue = () => functions.getQueueStatus({ queue: VENDOR });
  const products = async () => (await functions.getCatalogStatus({ vendor: VENDOR }))[0]?.products ?? 0;
  const taskOf = async (id: string): Promise<ListedTask> =>
    JSON.parse((await functions.getTask({ id }))!) as ListedTask;
  const ready = (host: RunningProcess) => host.line(/"redis is ready"/, START);
  /** For a queue whose host has not defined its types yet. */
  const enqueue = async (task: object): Promise<string> => {
    const found = await until(
      () => functions.enqueueTask({ queue: VENDOR, task: JSON.stringify(task) }).catch(() => undefined),
      START,
    );
    return found;
  };
  const logged = (host: RunningProcess, msg: string) =>
    host.lines
      .map((line) => JSON.parse(line) as { msg: string; id: string; type: string; outcome: string })
      .filter((line) => line.msg === msg);

  it("brings links and products up to date by its schedule, and measures", async () => {
    const shop = await openTestShop();
    const total = shop.stock.items.length;
    const port = await freePort();
    const host = await serve(
      shop,
      { schedule: { links: EVERY_SECOND, products: null, refresh: EVERY_SECOND } },
      { http: { port } },
    );
    await until(async () => (await products()) === total, START);
    await until(async () => (await queue()).leased === 0, START);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toContain(`hotpath_catalog_products_total{vendor="${VENDOR}",outcome="created"} ${total}\n`);
    expect(metrics).toMatch(
      new RegExp(
        `^hotpath_catalog_tasks_total\\{vendor="${VENDOR}",type="sync_product",outcome="finished"\\} ${total}$`,
        "m",
      ),
    );
    expect(metrics).toMatch(
      new RegExp(`^hotpath_vendor_requests_total\\{vendor="${VENDOR}",status="200"\\} \\d+$`, "m"),
    );
    for (const name of ["request_duration", "first_byte"]) {
      expect(metrics).toMatch(
        new RegExp(`^hotpath_vendor_${name}_seconds_bucket\\{le="30",vendor="${VENDOR}"\\} \\d+$`, "m"),
      );
    }
    expect(metrics).toMatch(
      new RegExp(
        `^hotpath_vendor_first_byte_percentiles_seconds\\{quantile="0.99",vendor="${VENDOR}"\\} [\\d.e-]+$`,
        "m",
      ),
    );
    expect(metrics).toContain(`hotpath_catalog_stock{vendor="${VENDOR}",kind="products"} ${total}\n`);
    expect(metrics).toContain(`hotpath_catalog_queue_tasks{vendor="${VENDOR}",state="dead"} 0\n`);
    const health = (await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()) as {
      jobs: object;
      vendors: Record<string, { requests: number }>;
    };
    expect(health).toMatchObject({
      jobs: { "catalog-links": { outcome: "done" }, "catalog-refresh": { outcome: "done" } },
    });
    expect(health.vendors[VENDOR]!.requests).toBeGreaterThanOrEqual(total);
    await stopped(host);
    expect(logged(host, "task failed")).toEqual([]);
  });

  it("is the work of two hosts: each task is done by one of them", async () => {
    const shop = await openTestShop();
    const total = shop.stock.items.length;
    const hosts = await Promise.all([serve(shop), serve(shop)]);
    await Promise.all(hosts.map(ready));
    const id = await enqueue({ type: "sync_products", vendor: VENDOR });
    await until(async () => (await taskOf(id)).state === "finished", START);
    expect(await taskOf(id)).toMatchObject({ children_total: total, children_finished: total, children_failed: 0 });
    await Promise.all(hosts.map(stopped));
    const done = hosts.map((host) =>
      logged(host, "task finished")
        .filter(({ type }) => type === "sync_product")
        .map((line) => line.id),
    );
    expect(new Set(done.flat()).size).toBe(total);
    expect(done.flat()).toHaveLength(total);
    expect(await functions.getCatalogStatus()).toMatchObject([{ created: total, unchanged: 0 }]);
  });

  it("leaves no lease behind at SIGTERM, and uses no attempt", async () => {
    const shop = await openTestShop({ troubles: STUCK });
    const host = await serve(shop);
    const ids = await Promise.all(
      [1974, 1975, 1976].map((year) => enqueue({ type: "sync_links", vendor: VENDOR, year })),
    );
    await until(async () => (await queue()).leased === 3, START);
    await stopped(host);
    expect(await queue()).toMatchObject({ leased: 0, ready: 3, delayed: 0, dead: 0 });
    for (const id of ids) expect(await taskOf(id)).toMatchObject({ state: "waiting", attempt: 0 });
    expect(logged(host, "task given back")).toHaveLength(3);
    expect(host.lines.at(-1)).toContain('"stopped"');
  });

  it("is gone on with by another host when one was killed", async () => {
    // How many pages come before one that never does: the host is to die with tasks in hand.
    let pagesLeft = Infinity;
    const troubles = {
      ...STUCK,
      get slowMs() {
        return (pagesLeft -= 1) >= 0 ? 20 : STUCK.slowMs;
      },
    };
    const shop = await openTestShop({ troubles });
    const total = shop.stock.items.length;
    const settings = {
      tasks: {
        sync_product: { leaseSeconds: 1 },
        sync_products: { leaseSeconds: 1, pre: [] },
        sync_links: { leaseSeconds: 1 },
      },
    };
    const first = await serve(shop, settings);
    await enqueue({ type: "sync_links", vendor: VENDOR });
    await until(async () => (await queue()).finished === 1, START);
    pagesLeft = 5;
    const id = await enqueue({ type: "sync_products", vendor: VENDOR });
    await until(async () => (await taskOf(id)).children_finished === 5, START);
    await until(async () => (await queue()).leased > 0, START);
    first.signal("SIGKILL");
    await first.exit;
    pagesLeft = Infinity;
    const next = await serve(shop, settings);
    await until(async () => (await taskOf(id)).state === "finished", START);
    expect(await taskOf(id)).toMatchObject({ children_total: total, children_finished: total, children_failed: 0 });
    expect(await products()).toBe(total);
    expect(await queue()).toMatchObject({ leased: 0, ready: 0, delayed: 0, dead: 0, waitingChildren: 0 });
    await stopped(next);
  });

  it("waits while Redis is away, and goes on when it is back", async () => {
    const shop = await openTestShop({ troubles: { ...STUCK, slowMs: 100 } });
    const total = shop.stock.items.length;
    const host = await serve(shop, { tasks: { sync_product: { backoffSeconds: 0.1, leaseSeconds: 2 } } });
    const id = await enqueue({ type: "sync_products", vendor: VENDOR });
    await until(async () => ((await taskOf(id)).children_finished ?? 0) > 0, START);
    await server.kill();
    await host.line(/"redis is away/, START);
    await server.restart();
    await until(async () => (await taskOf(id).catch(() => undefined))?.state === "finished", START);
    expect(await taskOf(id)).toMatchObject({ children_total: total, children_finished: total });
    expect(await products()).toBe(total);
    await stopped(host);
  });

  it("reads vendors from files of their own, which the configuration changes in places", async () => {
    const shop = await openTestShop();
    const { site, years, allow } = loopbackSettings(shop) as Record<string, unknown>;
    const own = {
      file: resolve(`config/vendors/${VENDOR}.json`),
      site,
      years,
      allow,
      requestsPerSecond: 1000,
      concurrency: 4,
    };
    const host = await serve(shop, { vendors: { [VENDOR]: own } });
    const id = await enqueue({ type: "sync_products", vendor: VENDOR, year: 1974 });
    await until(async () => (await taskOf(id)).state === "finished", START);
    expect(await products()).toBe(shop.stock.ofYear(1974).length);
    await stopped(host);
  });

  it("does one round for a crontab", async () => {
    const shop = await openTestShop();
    const total = shop.stock.items.length;
    const path = await config(shop);
    const run = async (): Promise<{ code: number | null; summary: Record<string, unknown> }> => {
      const process = hotpath(path, ["run", "catalog"]);
      const { code } = await process.exit;
      return { code, summary: JSON.parse(process.lines.join("")) as Record<string, unknown> };
    };
    expect(await run()).toMatchObject({
      code: 0,
      summary: {
        job: "catalog",
        ok: true,
        vendors: 1,
        tasks: 3 + 1 + total,
        failed: 0,
        products: { created: total },
        problems: [],
      },
    });
    expect(await run()).toMatchObject({ code: 0, summary: { ok: true, tasks: 4, products: {} } });
  });
});
