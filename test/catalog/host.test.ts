import { resolve } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Catalog } from "../../host/catalog/catalog";
import { followTasks, progressOf, type ListedTask } from "../../host/catalog/sync";
import type { Scheduled } from "../../host/catalog/task-types";
import { readLinks, storeLinks } from "../../host/catalog/links";
import type { Product } from "../../host/cli/catalog/tables";
import { workOf } from "../../host/catalog/work";
import { loadConfig } from "../../host/config";
import { VendorError, type VendorCourier } from "../../host/catalog/courier/types";
import { readClock } from "../../host/redis/clock";
import { gateOf } from "../../host/jobs/gate";
import {
  TaskFailure,
  taskQueueOf,
  workOnce,
  workUntilStopped,
  type Task,
  type TaskReport,
  type Work,
  type WorkOptions,
} from "../../host/catalog/tasks";
import { pause } from "../../host/runtime/wait";
import { Wakeup } from "../../host/runtime/wakeup";
import { openTestShop, testCatalog, testCrew, VENDOR } from "../support/catalog-host";
import { useHosts } from "../support/host";
import { sha1 } from "../support/tracker";
import { until } from "../support/wait";

const NEVER = new AbortController().signal;
const LONG = { timeoutMs: 20_000 };
const hosts = useHosts();
const { connection, functions } = hosts;

const taskOf = async (id: string): Promise<ListedTask> => JSON.parse((await functions.getTask({ id }))!) as ListedTask;
const queue = () => functions.getQueueStatus({ queue: VENDOR });

/** Enqueues, and waits for the end. */
async function done(catalog: Catalog, what: Scheduled, year?: number): Promise<ListedTask[]> {
  const ids = await catalog.enqueue(catalog.vendors[0]!, what, year);
  return (await followTasks(functions, ids, () => undefined, NEVER)).map((task) => task!);
}

describe("workers", () => {
  const now = () => readClock(connection, null);
  const gate = gateOf(connection, { topic: "vendor/q", partition: null });

  interface Working {
    reports: TaskReport[];
    stop(): Promise<void>;
    ended: Promise<void>;
  }

  function options(work: Work, more: Partial<WorkOptions> = {}): WorkOptions & { reports: TaskReport[] } {
    const reports: TaskReport[] = [];
    const own = { gate, work, concurrency: 4, maxSleepMs: 20, patienceMs: 100, signal: NEVER, wakeup: new Wakeup() };
    return {
      queue: taskQueueOf(functions, "q", "one", now),
      ...own,
      onReport: (report) => reports.push(report),
      ...more,
      reports,
    };
  }

  function start(work: Work, more: Partial<WorkOptions> = {}): Working {
    const over = new AbortController();
    const all = options(work, { ...more, signal: over.signal });
    const ended = workUntilStopped(all);
    ended.catch(() => undefined);
    const stop = async (): Promise<void> => {
      over.abort();
      await ended;
    };
    onTestFinished(() => stop().catch(() => undefined));
    return { reports: all.reports, stop, ended };
  }

  const define = (more: Partial<Parameters<typeof functions.defineTask>[0]> = {}) =>
    functions.defineTask({ type: "t", backoff: 0, ...more });
  const enqueue = (more: object = {}) =>
    functions.enqueueTask({ queue: "q", task: JSON.stringify({ type: "t", ...more }) });
  const ofQueue = () => functions.getQueueStatus({ queue: "q" });
  /** Lasts until it is told to end. */
  const untilAborted: Work = async (_task, signal) => {
    await pause(60_000, signal);
    signal.throwIfAborted();
    return {};
  };

  it("do what was enqueued, as it came, and keep what came of it", async () => {
    await define();
    const id = await enqueue({ n: 1, nested: { list: [] } });
    const seen: Task[] = [];
    const working = start(async (task) => {
      seen.push(task);
      return { came: "of it" };
    });
    await until(async () => (await ofQueue()).totalFinished === 1);
    expect(seen).toMatchObject([
      { id, type: "t", attempt: 1, leaseMs: 60_000, payload: { type: "t", n: 1, nested: { list: [] } } },
    ]);
    expect(await taskOf(id)).toMatchObject({ state: "finished", worker: "one", result: { came: "of it" } });
    await working.stop();
    expect(working.reports).toMatchObject([{ outcome: "finished", settled: "settled" }]);
  });

  it("keep a lease for as long as the work takes", async () => {
    // Work for four leases, each of them longer than a busy machine lets a host stand still.
    await define({ lease: 500 });
    const id = await enqueue();
    let ended = 0;
    const slow: Work = async () => {
      await pause(2000);
      ended += 1;
      return {};
    };
    const [one, two] = [start(slow), start(slow)];
    await until(async () => (await taskOf(id)).state === "finished", LONG);
    expect(ended).toBe(1);
    expect((await taskOf(id)).attempt).toBe(1);
    await Promise.all([one.stop(), two.stop()]);
  });

  it("give up at once what was cancelled", async () => {
    await define({ lease: 500 });
    const id = await enqueue();
    const working = start(untilAborted);
    await until(async () => (await ofQueue()).leased === 1);
    await functions.cancelTask({ id });
    await until(() => working.reports.length === 1);
    expect(working.reports).toMatchObject([{ outcome: "failed", settled: "lost" }]);
    expect((await taskOf(id)).state).toBe("cancelled");
  });

  it("that stop let short work end, and give the rest back without using an attempt", async () => {
    await define({ attempts: 1 });
    const [long, short] = [await enqueue(), await enqueue()];
    const working = start((task, signal) =>
      task.id === long ? untilAborted(task, signal) : pause(30).then(() => ({})),
    );
    await until(async () => (await ofQueue()).totalEnqueued === 2 && (await ofQueue()).ready === 0);
    await working.stop();
    expect(await ofQueue()).toMatchObject({ leased: 0, ready: 1, finished: 1, dead: 0 });
    expect(await taskOf(short)).toMatchObject({ state: "finished" });
    expect(await taskOf(long)).toMatchObject({ state: "waiting", attempt: 0 });
    expect(working.reports.map(({ outcome, settled }) => `${outcome} ${settled}`).sort()).toEqual([
      "finished settled",
      "released settled",
    ]);
    // Whoever comes next has all of its attempts.
    const next = start(async () => ({}));
    await until(async () => (await taskOf(long)).state === "finished");
    await next.stop();
  });

  it("try again what failed, and not what is of no use", async () => {
    await define({ attempts: 3 });
    const [passing, permanent] = [await enqueue({ as: "passing" }), await enqueue({ as: "permanent" })];
    const working = start(async ({ payload, attempt }) => {
      if (payload["as"] === "permanent") throw new TaskFailure("there is no such page", { permanent: true });
      if (attempt < 3) throw new Error("not\nnow");
      return {};
    });
    await until(async () => (await ofQueue()).finished === 1 && (await ofQueue()).dead === 1);
    await working.stop();
    expect(await taskOf(passing)).toMatchObject({ state: "finished", attempt: 3, reason: "not now" });
    expect(await taskOf(permanent)).toMatchObject({ state: "dead", attempt: 1, reason: "there is no such page" });
  });

  it("all leave a vendor alone that wants it, and go on after that", async () => {
    await define();
    await enqueue();
    let asked = 0;
    const work: Work = async () => {
      asked += 1;
      if (asked === 1) throw new TaskFailure("HTTP 429", { retryAfterMs: 2000 });
      return {};
    };
    const states: string[] = [];
    const onGate: WorkOptions["onGate"] = ({ state }) => states.push(state);
    const one = start(work, { onGate });
    await until(() => one.reports.length === 1);
    const pausedUntilMs = (await gate.read()) as { untilMs: number };
    // Another host, and one that does a single round, find it closed.
    await enqueue();
    expect(await workOnce(options(work))).toBe(false);
    expect(asked).toBe(1);
    await until(async () => (await ofQueue()).finished === 2, LONG);
    expect(await now()).toBeGreaterThanOrEqual(pausedUntilMs.untilMs);
    expect(states).toEqual(["paused", "open"]);
  });

  it("do one round, with what becomes due by it", async () => {
    await define({ post: "after" }).catch(() => undefined);
    await functions.defineTask({ type: "after" });
    await define({ post: "after" });
    for (let at = 0; at < 10; at += 1) await enqueue();
    const once = options(async () => ({}));
    expect(await workOnce(once)).toBe(true);
    expect(once.reports).toHaveLength(20);
    expect(await workOnce(once)).toBe(true);
  });

  it("give a task back and fail it for good only under its lease", async () => {
    await define();
    const id = await enqueue();
    await expect(functions.releaseTask({ id })).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(functions.releaseTask({ id: "nonesuch" })).rejects.toMatchObject({ code: "NOTFOUND" });
    const { token } = JSON.parse((await functions.claimTask({ queue: "q" }))!) as Task;
    await expect(functions.releaseTask({ id, token: "1-1" })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await functions.releaseTask({ id, token })).toBe(1);
    await expect(functions.releaseTask({ id, token })).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(functions.finishTask({ id, token })).rejects.toMatchObject({ code: "CONFLICT" });
    const again = JSON.parse((await functions.claimTask({ queue: "q" }))!) as Task;
    expect(again).toMatchObject({ id, attempt: 1 });
    expect(again.token).not.toBe(token);
    await functions.failTask({ id, token: again.token, final: 1, reason: "no" });
    expect(await taskOf(id)).toMatchObject({ state: "dead", attempt: 1 });
  });
});

describe("links", () => {
  const many = (from: number, to: number) =>
    Object.fromEntries(
      Array.from({ length: to - from }, (_, at) => [`https://v.example/${from + at}`, `p ${from + at}`]),
    );

  it("of a year with thousands are replaced in parts, and read whole", async () => {
    expect(await storeLinks(functions, "v", 2000, many(0, 2500))).toEqual({ added: 2500, removed: 0 });
    expect(await readLinks(functions, "v", 2000)).toHaveLength(2500);
    expect(await storeLinks(functions, "v", 2000, many(2400, 4000))).toEqual({ added: 1500, removed: 2400 });
    const urls = (await readLinks(functions, "v", 2000)).map(({ url }) => url).sort();
    expect(urls).toEqual(Object.keys(many(2400, 4000)).sort());
    expect(await storeLinks(functions, "v", 2000, {})).toEqual({ added: 0, removed: 1600 });
    expect(await readLinks(functions, "v", 2000)).toEqual([]);
  });
});

describe("a vendor", () => {
  it("is synced: links, then a parent with one child a link; and again, by 304", async () => {
    const shop = await openTestShop();
    const catalog = testCatalog(hosts, [shop], { tasks: { sync_products: { pre: [] } } });
    await catalog.apply();
    const crew = testCrew(catalog);
    const total = shop.stock.items.length;
    expect((await done(catalog, "links")).map(({ result }) => result)).toEqual(
      shop.stock.years.map((year) => ({
        years: 1,
        links: shop.stock.ofYear(year).length,
        added: shop.stock.ofYear(year).length,
        removed: 0,
      })),
    );
    const [parent] = await done(catalog, "products");
    expect(parent).toMatchObject({
      state: "finished",
      children_total: total,
      children_finished: total,
      children_failed: 0,
      result: { links: total },
    });
    expect(crew.outcomes).toEqual({ created: total });
    for (const item of shop.stock.items) {
      const product = JSON.parse((await functions.getProduct({ id: sha1(`${VENDOR}/${item.sku}`) }))!) as Product;
      expect(product).toMatchObject(shop.expected(item));
    }
    const changes = shop.stock.change(0.2, Date.now());
    const [gone] = shop.stock.withdraw(0.01);
    const changed = changes.filter(({ item }) => item !== gone).length;
    // The link is still on the list: its page is gone.
    await done(catalog, "products");
    expect(crew.outcomes).toEqual({ created: total, changed, gone: 1, "not modified": total - changed - 1 });
    expect(await done(catalog, "links")).toMatchObject(
      shop.stock.years.map((year) => ({ result: { removed: year === gone!.year ? 1 : 0 } })),
    );
    expect(await functions.getCatalogStatus()).toMatchObject([
      { products: total, links: total - 1, changed, gone: 1, failed: 0 },
    ]);
  });

  it("has its links brought up to date before its products, by a hook about the same year", async () => {
    const shop = await openTestShop();
    const catalog = testCatalog(hosts, [shop]);
    await catalog.apply();
    const crew = testCrew(catalog);
    const year = shop.stock.ofYear(1975).length;
    expect(await done(catalog, "products", 1975)).toMatchObject([
      { state: "finished", children_total: year, children_finished: year },
    ]);
    expect(crew.reports.map(({ task }) => task.type).slice(0, 2)).toEqual(["sync_links", "sync_products"]);
    expect(crew.reports[0]!.task.payload).toMatchObject({ hook: "pre", payload: { vendor: VENDOR, year: 1975 } });
    expect(await functions.getCatalogStatus()).toMatchObject([{ links: year, products: year }]);
  });

  it("is refreshed: only products at which nobody has looked for long, or ever", async () => {
    const shop = await openTestShop();
    const catalog = testCatalog(hosts, [shop], { staleHours: 1, tasks: { sync_products: { pre: [] } } });
    await catalog.apply();
    const crew = testCrew(catalog);
    await done(catalog, "links");
    await done(catalog, "products", 1974);
    const seen = crew.outcomes.created!;
    expect(seen).toBe(shop.stock.ofYear(1974).length);
    const [parent] = await done(catalog, "refresh");
    expect(parent!.children_total).toBe(shop.stock.items.length - seen);
    expect(await done(catalog, "refresh")).toMatchObject([{ state: "finished", result: { links: 0 } }]);
    const [link] = await readLinks(functions, VENDOR, 1976);
    await functions.markLink({ vendor: VENDOR, url: link!.url, outcome: "unchanged", now: Date.now() + 1 });
    await connection.send(["ZADD", `SS:LINKS.YEAR::${VENDOR}/1976::`, "1", sha1(`${VENDOR}/${link!.url}`)]);
    expect(await done(catalog, "refresh")).toMatchObject([{ result: { links: 1 } }]);
  });

  it("has each product looked at once by a parent that is begun twice", async () => {
    const shop = await openTestShop();
    const catalog = testCatalog(hosts, [shop], { tasks: { sync_products: { pre: [] } } });
    await catalog.apply();
    const [vendor] = catalog.vendors;
    for (const year of vendor!.courier.years())
      await storeLinks(functions, VENDOR, year, await vendor!.courier.links(year, NEVER));
    const [id] = await catalog.enqueue(vendor!, "products");
    const work = workOf({
      functions,
      courier: vendor!.courier,
      staleMs: 0,
      onProduct: () => undefined,
      onEnqueued: () => undefined,
    });
    const mine = catalog.queueOf(vendor!);
    const first = (await mine.claim())!;
    await work(first, NEVER);
    // It dies before it can say so; meanwhile half of the children end.
    const crew = testCrew(catalog);
    await until(() => crew.reports.length >= 5);
    await crew.stop();
    await mine.release(first);
    const again = testCrew(catalog);
    const [parent] = await followTasks(functions, [id!], () => undefined, NEVER);
    const total = shop.stock.items.length;
    expect(parent).toMatchObject({ state: "finished", children_total: total, children_finished: total });
    const finished = [...crew.reports, ...again.reports].filter(
      ({ task, outcome }) => task.type === "sync_product" && outcome === "finished",
    );
    expect(finished).toHaveLength(total);
  });

  it("is not synced twice at once: what is under way is not enqueued again", async () => {
    const shop = await openTestShop();
    const catalog = testCatalog(hosts, [shop]);
    await catalog.apply();
    const [vendor] = catalog.vendors;
    const ids = await catalog.enqueue(vendor!, "links");
    expect(await catalog.enqueue(vendor!, "links")).toEqual(ids);
    expect(ids).toEqual([1974, 1975, 1976].map((year) => `sync_links/${VENDOR}/${year}`));
    expect(await queue()).toMatchObject({ ready: 3, totalEnqueued: 3 });
    const crew = testCrew(catalog);
    await until(async () => (await queue()).finished === 3);
    await catalog.enqueue(vendor!, "links");
    await until(async () => (await queue()).totalFinished === 6);
    await crew.stop();
  });

  describe("whose pages are not what they were", () => {
    const courier = (product: VendorCourier["product"]): VendorCourier => ({
      vendor: VENDOR,
      years: () => [2000],
      links: async () => ({}),
      product,
    });
    const URL_OF_IT = "https://v.example/1";

    /** What becomes of the one product that there is. */
    async function lookAt(
      product: VendorCourier["product"],
      payload: object = { url: URL_OF_IT },
    ): Promise<{ failure: TaskFailure | undefined; link: Record<string, unknown>; outcomes: string[] }> {
      await storeLinks(functions, VENDOR, 2000, { [URL_OF_IT]: "one" });
      const outcomes: string[] = [];
      const work = workOf({
        functions,
        courier: courier(product),
        staleMs: 0,
        onProduct: (outcome) => outcomes.push(outcome),
        onEnqueued: () => undefined,
      });
      const task: Task = {
        id: "t",
        token: "",
        type: "sync_product",
        attempt: 1,
        enqueuedAtMs: 0,
        payload: { type: "sync_product", ...payload },
        leaseMs: 1000,
      };
      const failure = await work(task, NEVER).then(
        () => undefined,
        (error: unknown) => error as TaskFailure,
      );
      return {
        failure,
        outcomes,
        link: JSON.parse((await functions.getLink({ vendor: VENDOR, url: URL_OF_IT }))!) as Record<string, unknown>,
      };
    }

    it("fails for good where the rules find nothing, and says so with the link", async () => {
      const { failure, link, outcomes } = await lookAt(async () => {
        throw new VendorError("layout", "there is no sku on the page", { permanent: true });
      });
      expect(failure).toBeInstanceOf(TaskFailure);
      expect(failure).toMatchObject({ message: "layout: there is no sku on the page", options: { permanent: true } });
      expect(link).toMatchObject({
        outcome: "failed",
        failures: 1,
        reason: "layout: there is no sku on the page",
        scraped_at: null,
      });
      expect(outcomes).toEqual(["failed"]);
    });

    it("passes on how long the vendor wants to be left alone", async () => {
      const { failure } = await lookAt(async () => {
        throw new VendorError("status 429", "HTTP 429", { permanent: false, retryAfterMs: 5000 });
      });
      expect(failure).toMatchObject({ options: { permanent: false, retryAfterMs: 5000 } });
    });

    it("fails for good with a product that the catalogue does not take", async () => {
      const { failure, link } = await lookAt(async () => ({
        outcome: "product",
        product: {
          sku: "1",
          name: "one",
          price: "on request",
          availability: "In Stock",
          release_year: 2000,
          link: URL_OF_IT,
        },
      }));
      expect(failure).toMatchObject({ options: { permanent: true } });
      expect(failure!.message).toMatch(/^upsert_product: BADARG product: price must be a price .* got 'on request'$/);
      expect(link).toMatchObject({ outcome: "failed" });
    });

    it("does not blame the vendor for what is none of its doing", async () => {
      const { failure, link } = await lookAt(async () => {
        throw new Error("out of memory");
      });
      expect(failure).toMatchObject({ message: "out of memory" });
      expect(link).toMatchObject({ outcome: null, failures: null });
    });

    it("leaves out validators that are too long, and a link that has left the list", async () => {
      const page = {
        outcome: "product",
        product: { sku: "1", name: "one", price: null, availability: "In Stock", release_year: 2000, link: URL_OF_IT },
      } as const;
      const { link } = await lookAt(async () => ({
        ...page,
        validators: { etag: `"${"x".repeat(2000)}"`, lastModified: "Fri, 20 Nov 2026 12:00:00 GMT" },
      }));
      expect(link).toMatchObject({
        outcome: "scraped",
        etag: null,
        modified: "Fri, 20 Nov 2026 12:00:00 GMT",
        product: sha1(`${VENDOR}/1`),
      });
      const { failure, outcomes } = await lookAt(async () => page, { url: "https://v.example/nonesuch" });
      expect({ failure, outcomes }).toEqual({ failure: undefined, outcomes: [] });
    });

    it.each([
      [{ url: 5 }, /^sync_product: url: /],
      [{}, /^sync_product: url: /],
      [{ url: URL_OF_IT, vendor: "other" }, /the vendor is 'other', and this is the queue of 'hallmark/],
    ])("refuses the task %j", async (payload, message) => {
      const { failure } = await lookAt(async () => ({ outcome: "unchanged" }), payload);
      expect(failure).toMatchObject({
        options: { permanent: true },
        message: expect.stringMatching(message) as string,
      });
    });
  });

  it("has tasks of types that hosts do not know fail, and says what to do", async () => {
    const shop = await openTestShop();
    const catalog = testCatalog(hosts, [shop]);
    await catalog.apply();
    await functions.defineTask({ type: "report", attempts: 1 });
    const id = await functions.enqueueTask({ queue: VENDOR, task: '{"type":"report"}' });
    testCrew(catalog);
    await until(async () => (await taskOf(id)).state === "dead");
    expect((await taskOf(id)).reason).toBe("hosts do no tasks of the type 'report'; give them a queue of their own");
  });
});

describe("settings", () => {
  it("that the configuration names are applied, and no others", async () => {
    await testCatalog(hosts, []).apply();
    expect(await functions.getTaskType({ type: "sync_products" })).toMatchObject({
      pre: "sync_links",
      post: "",
      attempts: 4,
      backoff: 30_000,
      lease: 60_000,
    });
    await functions.defineTask({ type: "sync_products", attempts: 9, pre: "" });
    await functions.configureCatalog({ auditMaxlen: 7 });
    await testCatalog(hosts, [], {
      audit: { product: ["price", "name"] },
      tasks: { sync_products: { leaseSeconds: 5, post: ["refresh_products"] } },
    }).apply();
    expect(await functions.getTaskType({ type: "sync_products" })).toMatchObject({
      pre: "",
      post: "refresh_products",
      attempts: 9,
      lease: 5000,
    });
    expect(await functions.getCatalogConfig()).toMatchObject({
      audit: '{"product":["price","name"]}',
      auditMaxlen: 7,
      removedDays: 90,
    });
  });

  it("may name hooks in a circle, which do not run for each other", async () => {
    const shop = await openTestShop();
    const catalog = testCatalog(hosts, [shop], {
      tasks: { sync_links: { pre: ["refresh_products"] }, refresh_products: { post: ["sync_links"] } },
    });
    await catalog.apply();
    expect(await functions.getTaskType({ type: "sync_links" })).toMatchObject({ pre: "refresh_products" });
    expect(await functions.getTaskType({ type: "refresh_products" })).toMatchObject({ post: "sync_links" });
    await catalog.apply();
    const crew = testCrew(catalog);
    await done(catalog, "links", 1974);
    expect(crew.reports.map(({ task }) => task.type)).toEqual(["refresh_products", "sync_links"]);
  });

  it.each([
    [{ vendors: { "a b": {} } }, /catalog\.vendors\."a b": a vendor's name has letters/],
    [{ vendors: { v: { file: "nonesuch.json" } } }, /catalog\.vendors\.v: .*nonesuch\.json: there is no such file/],
    [{ vendors: { v: {} } }, /catalog\.vendors\.v\.site: /],
    [{ schedule: { links: "hourly" } }, /catalog\.schedule\.links: /],
    [{ tasks: { sync_all: {} } }, /catalog\.tasks/],
    [
      { tasks: { sync_links: { pre: ["sync_links"] } } },
      /catalog\.tasks\.sync_links\.pre: a task cannot come before or after itself/,
    ],
    [{ partition: "{a}" }, /catalog\.partition: must be text without braces/],
    [{ staleDays: 1 }, /catalog\.staleDays: unknown setting/],
  ])("refuses %j", async (catalog, message) => {
    const env = { CONFIG_PATH: await hosts.configure({ catalog }) };
    expect(() => loadConfig({ env, cwd: "/" })).toThrow(message);
  });

  it("need to say where the catalogue is in a cluster", async () => {
    const file = resolve(`config/vendors/${VENDOR}.json`);
    const load = async (catalog: object) =>
      loadConfig({
        env: {
          CONFIG_PATH: await hosts.configure({
            catalog: { vendors: { [VENDOR]: file }, ...catalog },
            tracker: { partitions: ["a"] },
          }),
          REDIS_URL: "redis+cluster://127.0.0.1:1",
        },
        cwd: "/",
      });
    await expect(load({})).rejects.toThrow("catalog.partition: a cluster needs it, to say where the keys are");
    expect((await load({ partition: "shop" })).catalog).toMatchObject({
      partition: "shop",
      vendors: [{ vendor: VENDOR }],
      schedule: { links: "7 * * * *" },
    });
  });
});

describe("progress", () => {
  it("counts children where there are any", () => {
    const task = (more: Partial<ListedTask>): ListedTask => ({
      id: "t",
      queue: "q",
      type: "t",
      state: "waiting",
      priority: 5,
      attempt: 0,
      ...more,
    });
    expect(progressOf([task({}), undefined, task({ state: "dead" })])).toEqual({ ended: 2, total: 3 });
    const parent = task({
      state: "waiting_children",
      children_total: 10,
      children_finished: 4,
      children_failed: 1,
      children_cancelled: 1,
    });
    expect(progressOf([parent, task({})])).toEqual({ ended: 6, total: 11 });
  });
});
