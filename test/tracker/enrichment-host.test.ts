import type { ServerResponse } from "node:http";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../host/redis/connection";
import { Announcements, announcementStreamOf, GROUP } from "../../host/tracker/enrichment/announcements";
import type { PageAddress } from "../../host/tracker/enrichment/courier";
import { PageFailure } from "../../host/fetch/failure";
import type { Metadata } from "../../host/tracker/enrichment/metadata";
import { freePort } from "../../host/embedded/probe";
import { EnrichmentWorker, type EnrichReport } from "../../host/tracker/enrichment/enrich";
import { restMs, type Courier, type EnrichLimits } from "../../host/tracker/enrichment/entry";
import { useHosts } from "../support/host";
import { describeWithOwnServer } from "../support/server";
import { sha1 } from "../support/tracker";
import { until } from "../support/wait";
import { html, page, startSite, type Handler, type TestSite } from "../support/web";

const STREAM = "ST:ENRICH:P:::";
const LONG = { timeoutMs: 20_000 };
/** Longer than a busy machine lets a worker stand still. */
const LEASE_MS = 300;
const FOUND: Metadata = { title: "Found", kicker: undefined, displayDate: undefined };

describe("when a try is due", () => {
  const limits = { backoffMs: 1000, maxBackoffMs: 10_000, leaseMs: 1500 };
  it.each([
    [0, 1500],
    [1, 1500],
    [2, 2000],
    [3, 4000],
    [4, 8000],
    [5, 10_000],
    [1000, 10_000],
  ])("after %i tries it is after %i ms, and never before the lease is over", (deliveries, ms) => {
    expect(restMs(deliveries, limits)).toBe(ms);
  });
});

describeWithOwnServer("enrichment", () => {
  const { server, connection, functions, configure, hotpath } = useHosts({ persistence: true });

  beforeEach(async () => {
    await functions.configureTracker({ enrich: 1 });
  });

  /** Counts a view of each page, so that it is announced. */
  async function visit(...pages: string[]): Promise<void> {
    const events = pages.map((url) => JSON.stringify({ url: `https://${url}`, uui: "d", dt: Date.now() }));
    expect(await functions.trackEvents({ events })).toMatchObject({ accepted: pages.length });
  }

  /** What is known of a page. */
  async function metadataOf(url: string): Promise<{ title: string | null } | null> {
    const document = await functions.getDocument({ dimension: "P", id: sha1(url) });
    return (JSON.parse(document!) as { metadata: { title: string } | null }).metadata;
  }

  const waiting = async () => Number(await connection.send(["XLEN", STREAM]));
  /** [entry, consumer, idle, deliveries] of each. */
  const pending = async () =>
    (await connection.send(["XPENDING", STREAM, GROUP, "-", "+", "10000"])) as [string, string, number, number][];
  const nothingIsLeft = async () => {
    expect(await waiting()).toBe(0);
    expect(await pending()).toEqual([]);
  };

  describe("a worker", () => {
    type Collect = (address: PageAddress, signal: AbortSignal) => Promise<Metadata>;
    interface TestWorker {
      worker: EnrichmentWorker;
      reports: EnrichReport[];
      /** Addresses that were asked for. */
      asked: string[];
      start(): { stop(): Promise<void>; ended: Promise<void> };
    }

    /** A worker whose pages are had by `collect`. */
    function makeWorker(
      name: string,
      collect: Collect,
      limits: Partial<EnrichLimits> = {},
      room = 8,
      announcements = new Announcements(connection, null, name),
    ): TestWorker {
      const reports: EnrichReport[] = [];
      const asked: string[] = [];
      let collecting = 0;
      const courier: Courier = {
        get room() {
          return room - collecting;
        },
        collect: async (address, signal) => {
          asked.push(address.url);
          collecting += 1;
          try {
            return await collect(address, signal);
          } finally {
            collecting -= 1;
          }
        },
      };
      const worker = new EnrichmentWorker(
        {
          functions,
          announcements,
          courier,
          limits: { attempts: 3, backoffMs: 20, maxBackoffMs: 100, leaseMs: LEASE_MS, ...limits },
        },
        (report) => reports.push(report),
      );
      const start = () => {
        const controller = new AbortController();
        const ended = connect(server.url).then((reading) =>
          worker.follow(reading, controller.signal).finally(() => reading.close()),
        );
        ended.catch(() => undefined);
        const stop = async (): Promise<void> => {
          controller.abort();
          await ended;
        };
        onTestFinished(() => stop().catch(() => undefined));
        return { stop, ended };
      };
      return { worker, reports, asked, start };
    }

    const drain = (each: TestWorker) => each.worker.drain(new AbortController().signal);
    const outcomes = ({ reports }: TestWorker) => reports.map(({ outcome }) => outcome);
    const never: Collect = (_address, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    const fails =
      (failure: PageFailure): Collect =>
      () =>
        Promise.reject(failure);
    const passing = new PageFailure("timeout", "too slow", { passing: true });

    it("finds what was announced before it came, and what comes later, and leaves nothing behind", async () => {
      await visit("a.example/1.html");
      const one = makeWorker("one", async ({ url, articleId }) => ({
        title: `${url} ${articleId}`,
        kicker: "K",
        displayDate: 1e12,
      }));
      const { stop } = one.start();
      await until(() => one.reports.length === 1, LONG);
      await visit("a.example/2.html");
      await until(() => one.reports.length === 2, LONG);
      await stop();
      expect(await metadataOf("a.example/1.html")).toEqual({
        title: "a.example/1.html 1",
        kicker: "K",
        display_date: 1e12,
      });
      expect(await metadataOf("a.example/2.html")).toMatchObject({ title: "a.example/2.html 2" });
      expect(outcomes(one)).toEqual(["enriched", "enriched"]);
      await nothingIsLeft();
    });

    it("drops a page that was removed meanwhile", async () => {
      await visit("a.example/1", "a.example/2");
      const one = makeWorker("one", async ({ url }) => {
        await connection.send(["DEL", `H:DOCUMENT:P:${sha1(url)}::`]);
        if (url.endsWith("2")) throw new PageFailure("status 404", "gone");
        return FOUND;
      });
      await drain(one);
      expect(outcomes(one)).toEqual(["gone", "gone"]);
      await nothingIsLeft();
    });

    it("gives a page up at once where no other try would help", async () => {
      await visit("a.example/1");
      const one = makeWorker("one", fails(new PageFailure("status 404", "not there")));
      expect(await drain(one)).toBe(true);
      expect(one.reports).toMatchObject([{ outcome: "abandoned", reason: "status 404", url: "a.example/1" }]);
      expect(await functions.getTrackerStatus()).toMatchObject({
        enrichWaiting: 0,
        enrichAbandoned: [["status 404", 1]],
      });
      await nothingIsLeft();
    });

    it("tries again, and gives up after so many tries", async () => {
      await visit("a.example/1");
      const one = makeWorker("one", fails(passing));
      one.start();
      await until(async () => (await waiting()) === 0, LONG);
      await until(() => one.reports.length === 3);
      expect(outcomes(one)).toEqual(["failed", "failed", "abandoned"]);
      expect(await functions.getTrackerStatus()).toMatchObject({ enrichAbandoned: [["timeout", 1]] });
      await nothingIsLeft();
    });

    it("succeeds at the last try", async () => {
      await visit("a.example/1");
      let tries = 0;
      const one = makeWorker("one", async () => {
        tries += 1;
        if (tries < 3) throw passing;
        return FOUND;
      });
      one.start();
      await until(() => one.reports.length === 3, LONG);
      expect(outcomes(one)).toEqual(["failed", "failed", "enriched"]);
    });

    it("counts tries where they outlive it", async () => {
      await visit("a.example/1");
      for (const name of ["one", "two", "three"]) {
        const one = makeWorker(name, fails(passing));
        await drain(one);
        expect(outcomes(one)).toEqual([name === "three" ? "abandoned" : "failed"]);
        await until(async () => (await pending()).every(([, , idle]) => idle >= LEASE_MS));
      }
      expect(await functions.getTrackerStatus()).toMatchObject({ enrichAbandoned: [["timeout", 1]] });
      await nothingIsLeft();
    });

    it("does not try before the back-off is over", async () => {
      await visit("a.example/1");
      const one = makeWorker("one", fails(passing), { backoffMs: 3_600_000, maxBackoffMs: 3_600_000 });
      await drain(one);
      await drain(one);
      expect(one.asked).toEqual(["a.example/1"]);
      expect((await pending()).map(([, , , deliveries]) => deliveries)).toEqual([1]);
    });

    it("takes over what a dead host had, and not before its lease is over", async () => {
      await visit("a.example/1");
      await new Announcements(connection, null, "dead").prepare();
      expect(await new Announcements(connection, null, "dead").readNew(10)).toHaveLength(1);
      const early = makeWorker("early", async () => FOUND, { leaseMs: 3_600_000 });
      await drain(early);
      expect(early.asked).toEqual([]);
      const other = makeWorker("other", async () => FOUND);
      other.start();
      await until(() => other.reports.length === 1, LONG);
      expect(outcomes(other)).toEqual(["enriched"]);
      await nothingIsLeft();
    });

    it("takes nothing over that another host was faster to take", async () => {
      await visit("a.example/1");
      const rival = new Announcements(connection, null, "rival");
      await rival.prepare();
      const [entry] = await rival.readNew(1);
      await rival.putBack(entry!.entryId, 1, 3_600_000);
      /** Between the look and the claim, the rival claims: the worst moment. */
      class Late extends Announcements {
        override async pending(afterId: string | undefined, count: number) {
          const seen = await super.pending(afterId, count);
          await rival.hold([entry!.entryId]);
          return seen;
        }
      }
      const late = makeWorker("late", async () => FOUND, { leaseMs: 60_000 }, 8, new Late(connection, null, "late"));
      await drain(late);
      expect(late.asked).toEqual([]);
      expect((await pending())[0]![1]).toBe("rival");
    });

    it("does not try to claim what is not due", async () => {
      await visit("a.example/1");
      const claims: string[] = [];
      class Watched extends Announcements {
        override claim(entryId: string, minIdleMs: number) {
          claims.push(entryId);
          return super.claim(entryId, minIdleMs);
        }
      }
      const limits = { leaseMs: 60_000 };
      const one = makeWorker("one", fails(passing), limits, 8, new Watched(connection, null, "one"));
      await drain(one);
      await drain(makeWorker("two", fails(passing), limits, 8, new Watched(connection, null, "two")));
      expect(claims).toEqual([]);
      expect(one.asked).toHaveLength(1);
    });

    it("does not fetch a page that its hosts have died of", async () => {
      await visit("a.example/1");
      const announcements = new Announcements(connection, null, "dead");
      await announcements.prepare();
      const [entry] = await announcements.readNew(10);
      await announcements.putBack(entry!.entryId, 3, 3_600_000);
      const one = makeWorker("one", async () => FOUND);
      await drain(one);
      expect(one.asked).toEqual([]);
      expect(one.reports).toMatchObject([{ outcome: "abandoned", reason: "attempts" }]);
      await nothingIsLeft();
    });

    it("keeps a page for longer than its lease as long as it lives", async () => {
      await visit("a.example/1");
      const limits = { leaseMs: 2 * LEASE_MS };
      const slow = makeWorker("slow", never, limits);
      slow.start();
      await until(() => slow.asked.length === 1, LONG);
      const other = makeWorker("other", async () => FOUND, limits);
      other.start();
      // Four leases, told by its own signs of life.
      let signs = 0;
      let lastIdle = 0;
      await until(async () => {
        const idle = (await pending())[0]![2];
        if (idle < lastIdle) signs += 1;
        lastIdle = idle;
        return signs >= 12;
      }, LONG);
      expect(other.asked).toEqual([]);
      expect((await pending()).map(([, consumer, , deliveries]) => [consumer, deliveries])).toEqual([["slow", 1]]);
    });

    it("gives up what it has in hand when it stood still", async () => {
      await visit("a.example/1");
      const one = makeWorker("one", async (address, signal) => {
        const end = performance.now() + 2 * LEASE_MS;
        while (performance.now() < end);
        return never(address, signal);
      });
      await expect(one.start().ended).rejects.toThrow(/stood still for longer than its lease/);
      expect(one.reports).toEqual([]);
      // Not put back: somebody else may have it by now.
      expect((await pending())[0]![3]).toBe(1);
    });

    it("leaves what it has in hand to others when it stops, and no try is counted", async () => {
      await visit("a.example/1", "a.example/2");
      const one = makeWorker("one", never, { leaseMs: 3_600_000 });
      const { stop } = one.start();
      await until(() => one.asked.length === 2, LONG);
      await stop();
      expect((await pending()).map(([, , , deliveries]) => deliveries)).toEqual([0, 0]);
      const other = makeWorker("other", async () => FOUND, { leaseMs: 3_600_000 });
      await drain(other);
      expect(outcomes(other)).toEqual(["enriched", "enriched"]);
      await nothingIsLeft();
    });

    it("does not count what was no try, and asks again when the site's rest is over", async () => {
      await visit("a.example/1");
      let rests = true;
      const one = makeWorker("one", async () => {
        if (rests) throw new PageFailure("resting", "rests", { passing: true, untried: true, retryAfterMs: 150 });
        return FOUND;
      });
      for (let time = 0; time < 5; time += 1) {
        await until(async () => {
          await drain(one);
          return one.asked.length === time + 1;
        }, LONG);
        expect((await pending()).map(([, , , deliveries]) => deliveries)).toEqual([0]);
      }
      rests = false;
      await until(async () => (await drain(one)) && one.reports.length === 6, LONG);
      expect(outcomes(one)).toEqual([...Array<string>(5).fill("postponed"), "enriched"]);
      await nothingIsLeft();
    });

    it("does not come back while the site rests, even where the back-off is shorter", async () => {
      await visit("a.example/1");
      const busy = new PageFailure("status 429", "busy", { passing: true, retryAfterMs: 3_600_000 });
      const one = makeWorker("one", fails(busy));
      await drain(one);
      await until(async () => (await pending())[0]![2] > LEASE_MS + 50);
      await drain(one);
      expect(one.asked).toHaveLength(1);
    });

    it("fetches a page once that was announced twice", async () => {
      await visit("a.example/1");
      const [[, fields]] = (await connection.send(["XRANGE", STREAM, "-", "+"])) as [[string, string[]]];
      await connection.send(["XADD", STREAM, "*", ...fields]);
      const one = makeWorker("one", async () => {
        await until(() => one.reports.length === 1);
        return FOUND;
      });
      await drain(one);
      expect(outcomes(one)).toEqual(["twice", "enriched"]);
      expect(one.asked).toHaveLength(1);
      await nothingIsLeft();
    });

    it("drops an entry that announces no page", async () => {
      await connection.send(["XADD", STREAM, "*", "x", "y"]);
      await connection.send(["XADD", STREAM, "*", "id", "nonsense", "url", "a.example/"]);
      const one = makeWorker("one", async () => FOUND);
      await drain(one);
      expect(outcomes(one)).toEqual(["gone", "gone"]);
      expect(one.asked).toEqual([]);
      await nothingIsLeft();
    });

    it("goes on with the others when Redis refuses one", async () => {
      await visit("a.example/1", "a.example/2");
      const one = makeWorker("one", async ({ url }) => {
        // More than enrich_document takes.
        return { ...FOUND, title: url.endsWith("1") ? "x".repeat(513) : "Found" };
      });
      await drain(one);
      expect(one.reports.map(({ outcome, reason, error }) => [outcome, reason, error?.code])).toEqual([
        ["failed", "BADARG", "BADARG"],
        ["enriched", undefined, undefined],
      ]);
      expect(await pending()).toHaveLength(1);
    });

    it("tries again after a defect of its own", async () => {
      await visit("a.example/1");
      const one = makeWorker("one", () => Promise.reject(new TypeError("x is not a function")));
      await drain(one);
      expect(one.reports).toMatchObject([{ outcome: "failed", reason: "internal", message: "x is not a function" }]);
    });

    it("reads no more than it has room for", async () => {
      await visit(...Array.from({ length: 20 }, (_, at) => `a.example/${at}`));
      const narrow = makeWorker("narrow", never, { leaseMs: 60_000 }, 3);
      const { stop } = narrow.start();
      await until(() => narrow.asked.length === 3, LONG);
      await stop();
      expect(await pending()).toHaveLength(3);
    });

    it("has no more than 1000 pages in hand, however many sites wait", async () => {
      await visit(...Array.from({ length: 1000 }, (_, at) => `a.example/${at}`));
      await visit(...Array.from({ length: 20 }, (_, at) => `b.example/${at}`));
      const wide = makeWorker("wide", never, { leaseMs: 60_000 }, Infinity);
      const { stop: stopWide } = wide.start();
      await until(() => wide.worker.inHand === 1000, LONG);
      expect(await pending()).toHaveLength(1000);
      await stopWide();
      expect(wide.asked).toHaveLength(1000);
    });

    it("goes through everything that is pending, in slices", async () => {
      await visit(...Array.from({ length: 501 }, (_, at) => `a.example/${at}`));
      const dead = new Announcements(connection, null, "dead");
      await dead.prepare();
      const entries = await dead.readNew(2000);
      for (const { entryId } of entries) await dead.putBack(entryId, 1, 3_600_000);
      const one = makeWorker("one", async () => FOUND, { leaseMs: 60_000 }, 50);
      await drain(one);
      expect(one.asked).toHaveLength(501);
      await nothingIsLeft();
    });

    it("ends when its group is gone, and makes it anew", async () => {
      await visit("a.example/1");
      const one = makeWorker("one", async () => FOUND);
      const { ended } = one.start();
      await until(() => one.reports.length === 1, LONG);
      await connection.send(["DEL", STREAM]);
      await expect(ended).rejects.toThrow(/NOGROUP|UNBLOCKED/);
      await visit("a.example/2");
      await drain(one);
      expect(outcomes(one)).toEqual(["enriched", "enriched"]);
    });

    it("forgets announcements that were deleted while they were pending", async () => {
      await visit("a.example/1");
      const dead = new Announcements(connection, null, "dead");
      await dead.prepare();
      const [entry] = await dead.readNew(1);
      await dead.putBack(entry!.entryId, 1, 3_600_000);
      await connection.send(["XDEL", STREAM, entry!.entryId]);
      const one = makeWorker("one", async () => FOUND);
      await drain(one);
      expect(one.asked).toEqual([]);
      await nothingIsLeft();
    });
  });

  describe("the group", () => {
    const consumers = async () =>
      ((await connection.send(["XINFO", "CONSUMERS", STREAM, GROUP])) as string[][]).map((flat) => flat[1]).sort();

    it("loses the names of hosts that are gone, but not those that hold something", async () => {
      await visit("a.example/1");
      const one = new Announcements(connection, null, "one");
      await one.prepare();
      await one.readNew(1);
      await new Announcements(connection, null, "two").readNew(1);
      await one.prepare();
      expect(await consumers()).toContain("one");
      await one.prepare(-1);
      expect(await consumers()).toEqual(["one"]);
    });

    it("is on the stream of the partition", async () => {
      const event = JSON.stringify({ url: "https://a.example/1", uui: "d", dt: Date.now() });
      await connection.send(["FCALL", "configure_tracker", "1", "{rtl}", "ENRICH", "1"]);
      await connection.send(["FCALL", "track_events", "1", "{rtl}", event]);
      expect(announcementStreamOf("rtl")).toBe("ST:ENRICH:P:{rtl}::");
      expect(announcementStreamOf(null)).toBe(STREAM);
      const announcements = new Announcements(connection, "rtl", "one");
      await announcements.prepare();
      expect(await announcements.readNew(10)).toMatchObject([
        { pageId: sha1("a.example/1"), url: "a.example/1", articleId: "1" },
      ]);
    });
  });

  describe("a host", () => {
    async function configFile(sites: TestSite[], enrichment: object = {}, more: object = {}): Promise<string> {
      const own = {
        allow: ["127.0.0.0/8"],
        ports: sites.map(({ port }) => port),
        robots: false,
        backoffSeconds: 0.1,
        ...enrichment,
      };
      return configure({ tracker: { leaseSeconds: 1, enrichment: own }, ...more });
    }
    async function run(config: string, job: string): Promise<Record<string, unknown>> {
      const process = hotpath(config, ["run", job]);
      await process.exit;
      expect(process.errors).toEqual([]);
      return JSON.parse(process.lines.join("")) as Record<string, unknown>;
    }
    const titled: Handler = (request, response) => html(response, page(`Title of ${request.url}`));
    const title = async (url: string) => (await metadataOf(url))?.title;

    it("shows the title of a page that was just visited", async () => {
      await functions.configureTracker({ enrich: 0 });
      const site = await startSite(titled);
      const port = await freePort();
      const host = hotpath(await configFile([site], { refreshDays: 7 }, { http: { port } }), ["serve"]);
      await host.line(/"redis is ready"/, LONG);
      expect(await functions.getTrackerConfig()).toMatchObject({ enrich: 1, refreshDays: 7 });
      await connection.send([
        "XADD",
        "ST:TRACKER::::",
        "*",
        "url",
        `http://${site.host}/news/1.html?x=1`,
        "uui",
        "d",
        "dt",
        String(Date.now()),
      ]);
      await until(() => title(`${site.host}/news/1.html`), LONG);
      expect(await metadataOf(`${site.host}/news/1.html`)).toEqual({
        title: "Title of /news/1.html",
        kicker: null,
        display_date: Date.UTC(2026, 10, 20, 12),
      });
      const scrape = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      await until(
        async () => /hotpath_enrichment_pages_total\{outcome="enriched",reason=""\} 1/.test(await scrape()),
        LONG,
      );
      expect(await scrape()).toMatch(/hotpath_enrichment_duration_seconds_count\{outcome="enriched"\} 1/);
      expect(await scrape()).toMatch(/hotpath_enrichment_pages_in_hand 0/);
      host.signal("SIGTERM");
      expect(await host.exit, host.errors.join("\n")).toEqual({ code: 0, signal: null });
      await nothingIsLeft();
    });

    it("shares the work with another, and no page is fetched twice", async () => {
      const held: ServerResponse[] = [];
      const sites = await Promise.all(
        [1, 2, 3, 4, 5, 6].map(() => startSite((_request, response) => void held.push(response))),
      );
      const config = await configFile(sites, { concurrency: 2 });
      const hosts = [hotpath(config, ["serve"]), hotpath(config, ["serve"])];
      await Promise.all(hosts.map((host) => host.line(/"redis is ready"/, LONG)));
      await visit(...sites.map(({ host }) => `${host}/`));
      // Two each: nobody gets further before the pages are there.
      await until(() => held.length === 4, { ...LONG, what: "four pages to be fetched at once" });
      expect(new Set((await pending()).map(([, consumer]) => consumer)).size).toBe(2);
      for (let answered = 0; answered < 6; answered += 1) {
        await until(() => held.length > 0, LONG);
        html(held.shift()!, page("x"));
      }
      await until(async () => (await waiting()) === 0, LONG);
      expect(sites.map(({ requests }) => requests)).toEqual(Array(6).fill(["/"]));
      for (const { host } of sites) expect(await title(`${host}/`)).toBe("x");
    });

    it("takes over from one that was killed", async () => {
      let tries = 0;
      const site = await startSite((_request, response) => {
        tries += 1;
        if (tries > 1) html(response, page("second"));
      });
      const config = await configFile([site]);
      await visit(`${site.host}/`);
      const first = hotpath(config, ["serve"]);
      await until(() => tries === 1, LONG);
      const second = hotpath(config, ["serve"]);
      await second.line(/"redis is ready"/, LONG);
      first.signal("SIGKILL");
      await first.exit;
      await until(() => title(`${site.host}/`), LONG);
      expect(tries).toBe(2);
      await second.line(/"outcome":"enriched"/);
      await nothingIsLeft();
    });

    it("leaves at once what it fetches on SIGTERM", async () => {
      const site = await startSite(() => undefined);
      await visit(`${site.host}/`);
      const host = hotpath(await configFile([site]), ["serve"]);
      await until(() => site.underWay === 1, LONG);
      host.signal("SIGTERM");
      expect(await host.exit, host.errors.join("\n")).toEqual({ code: 0, signal: null });
      const [[, , idle, deliveries]] = (await pending()) as [[string, string, number, number]];
      expect(deliveries).toBe(0);
      // Due: the next host need not wait for the lease.
      expect(idle).toBeGreaterThanOrEqual(1000);
    });

    it("waits while Redis is away, and goes on", async () => {
      const site = await startSite(titled);
      const host = hotpath(await configFile([site]), ["serve"]);
      await host.line(/"redis is ready"/, LONG);
      await server.restart({ signal: "SIGKILL" });
      await until(() => connection.send(["PING"]).catch(() => undefined), LONG);
      await visit(`${site.host}/after`);
      await until(() => title(`${site.host}/after`), LONG);
    });

    it("runs once, and tells how pages ended; those given up are in the status", async () => {
      const site = await startSite((request, response) => {
        if (request.url === "/gone") response.writeHead(404).end();
        else if (request.url === "/down") response.writeHead(503).end();
        else titled(request, response);
      });
      const config = await configFile([site], { attempts: 1 });
      await visit(...["a", "b", "gone", "down"].map((path) => `${site.host}/${path}`));
      expect(await run(config, "enrich")).toMatchObject({
        job: "enrich",
        ok: true,
        enriched: 2,
        abandoned: 2,
        failed: 0,
      });
      const { enrichWaiting, enriched, enrichAbandoned } = await functions.getTrackerStatus();
      expect({ enrichWaiting, enriched, abandoned: enrichAbandoned.sort() }).toEqual({
        enrichWaiting: 0,
        enriched: 2,
        abandoned: [
          ["status 404", 1],
          ["status 503", 1],
        ],
      });
      expect(await run(config, "enrich")).toMatchObject({ ok: true, enriched: 0, abandoned: 0 });
    });

    it("refreshes pages that came before it was configured", async () => {
      await functions.configureTracker({ enrich: 0 });
      const site = await startSite(titled);
      await visit(`${site.host}/early`);
      expect(await waiting()).toBe(0);
      const config = await configFile([site]);
      expect(await run(config, "refresh")).toMatchObject({ job: "refresh", ok: true, done: 1 });
      expect(await run(config, "refresh")).toMatchObject({ ok: true, done: 0 });
      expect(await run(config, "enrich")).toMatchObject({ enriched: 1 });
      expect(await title(`${site.host}/early`)).toBe("Title of /early");
    });

    it("removes what nobody has visited for long", async () => {
      await functions.configureTracker({ documentDays: 8 });
      const now = Date.now() - 9 * 86_400_000;
      const old = JSON.stringify({ url: "https://a.example/old", uui: "d", dt: now });
      await functions.trackEvents({ events: [old], now });
      await visit("b.example/new");
      // A page, its section and its website.
      expect(await run(await configFile([], { ports: [80] }), "expire")).toMatchObject({
        job: "expire",
        ok: true,
        done: 3,
      });
      expect(await functions.getDocument({ dimension: "P", id: sha1("a.example/old") })).toBeNull();
      expect(await functions.getDocument({ dimension: "P", id: sha1("b.example/new") })).not.toBeNull();
    });

    it("refreshes and expires when it is due, one of several hosts each time", async () => {
      await functions.configureTracker({ enrich: 0 });
      const site = await startSite(titled);
      await visit(`${site.host}/early`);
      const config = await configFile([site]);
      const hosts = [hotpath(config, ["serve"]), hotpath(config, ["serve"])];
      await Promise.all(hosts.map((host) => host.line(/"redis is ready"/, LONG)));
      await until(() => title(`${site.host}/early`), LONG);
      const slots = (job: string) =>
        hosts
          .flatMap(({ lines }) => lines.map((line) => JSON.parse(line) as { msg: string; job?: string; slot?: string }))
          .flatMap((line) => (line.msg === "kept up" && line.job === job ? [line.slot] : []));
      for (const job of ["refresh", "expire"]) {
        await until(() => slots(job).length > 0, LONG);
        // More than one, if a slot began meanwhile; but never two for one slot.
        expect(new Set(slots(job)).size, job).toBe(slots(job).length);
      }
      for (const host of hosts) {
        host.signal("SIGTERM");
        expect(await host.exit, host.errors.join("\n")).toEqual({ code: 0, signal: null });
      }
      expect(site.requests).toEqual(["/early"]);
    });

    it("switches announcements off where that is configured, and fetches nothing", async () => {
      const config = await configFile([], { enabled: false, ports: [80] });
      const process = hotpath(config, ["run", "enrich"]);
      expect(await process.exit).toEqual({ code: 1, signal: null });
      expect(process.errors.join("\n")).toMatch(/tracker\.enrichment: is not configured/);
      expect(await functions.getTrackerConfig()).toMatchObject({ enrich: 0 });
    });
  });
});
