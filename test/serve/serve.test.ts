import { describe, expect, it, onTestFinished } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { freePort } from "../../host/embedded/probe";
import { followStream, type IngestSummary } from "../../host/tracker/ingest";
import { readBundle } from "../../host/deploy/libraries";
import { stopped, useHosts } from "../support/host";
import { startProxy } from "../support/proxy";
import { runHotpath, type RunningProcess } from "../support/processes";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

const STREAM = "ST:TRACKER::::";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const START_TIMEOUT = { timeoutMs: 20_000 };

const ready = (host: RunningProcess) => host.line(/"redis is ready"/, START_TIMEOUT);
const count = (host: RunningProcess, pattern: RegExp) => host.lines.filter((line) => pattern.test(line)).length;

interface LogLine {
  msg: string;
  job?: string;
  slot?: string;
  outcome?: string;
  merged?: number;
  accepted?: number;
}
const log = (host: RunningProcess) => host.lines.map((line) => JSON.parse(line) as LogLine);

describeWithOwnServer("serving", () => {
  const { server, connection, functions, configure, hotpath } = useHosts({ persistence: true });

  /** Starts a host with a configuration of its own. */
  const startHost = async (config: object = {}, command = ["serve"]): Promise<RunningProcess> =>
    hotpath(await configure(config), command);

  const add = (uui: string, dt = Date.now()) =>
    server.client.sendCommand([
      "XADD",
      STREAM,
      "*",
      "url",
      "https://www.rtl.lu/news/1.html",
      "uui",
      uui,
      "dt",
      String(dt),
    ]);
  const countedBy = (host: RunningProcess) =>
    log(host).reduce((sum, { msg, accepted = 0 }) => sum + (msg === "ingested" ? accepted : 0), 0);
  const counted = (host: RunningProcess, events: number) =>
    until(() => countedBy(host) === events, { what: `${events} events to be counted`, timeoutMs: 15_000 });

  /** Views of many pages in a window that is long over, so that there is much to rotate. */
  async function seedPages(pages: number): Promise<void> {
    const dt = Date.now() - 15 * MINUTE_MS;
    for (let from = 0; from < pages; from += 1000) {
      const events = Array.from({ length: Math.min(1000, pages - from) }, (_, at) =>
        JSON.stringify({ url: `https://www.rtl.lu/news/a/${from + at}.html`, uui: `d${at % 7}`, dt }),
      );
      await connection.send(["FCALL", "track_events", "0", ...events]);
    }
  }

  /** Everything that rotation still has to do for the finest tier. */
  const left = async () => {
    const [pg, ud] = await Promise.all([
      functions.rotatePg({ tier: "5MINUTES" }),
      functions.rotateUd({ tier: "5MINUTES" }),
    ]);
    return { merged: pg.merged + ud.merged, remaining: pg.remaining + ud.remaining };
  };

  const leader = () => server.client.hGetAll("H:TICK::rotate-5MINUTES::");

  it("counts what is on the stream at the start, and what comes later as soon as it comes", async () => {
    await add("a");
    const host = await startHost();
    await counted(host, 1);
    // Each wakes the host: at the end of a blocking read, which takes five seconds, twenty of them would outlast the test.
    for (let events = 2; events <= 21; events += 1) {
      await add("b");
      await counted(host, events);
    }
    await stopped(host);
    expect(log(host).at(-1)?.msg).toBe("stopped");
  });

  it("is woken by an entry that comes between the last call and the blocking read", async () => {
    const stop = new AbortController();
    const reading = await connect(server.url);
    let added: Promise<unknown> | undefined;
    const drained: IngestSummary[] = [];
    const ends: unknown[] = [];
    const delayed: Connection = {
      ...reading,
      // The read waits until the entry is there: the worst moment.
      send: async (args, options) => {
        if (args[0] !== "XREAD") return reading.send(args, options);
        await (added ??= add("between"));
        const end = await reading.send(args, options);
        ends.push(end);
        return end;
      },
      close: () => reading.close(),
    };
    await followStream(functions, { key: STREAM, partition: null }, delayed, stop.signal, (summary) => {
      drained.push(summary);
      if (summary.read > 0) stop.abort();
    });
    expect(drained.map(({ read }) => read)).toEqual([0, 1]);
    // The only read ended with the entry: one that ends with its time answers null.
    expect(ends).toEqual([expect.anything()]);
  });

  it("runs what is due at the start, each tick on one of two hosts", async () => {
    await seedPages(50);
    const hosts = await Promise.all([startHost(), startHost()]);
    await until(() => hosts.every((host) => count(host, /"tick ended"/) >= 4), {
      timeoutMs: 30_000,
      what: "four ticks to end on both",
    });
    for (const job of ["rotate-5MINUTES", "rotate-10MINUTES", "rotate-1HOUR", "rotate-3HOURS"]) {
      // Two lines of it, if a slot began between the starts; but never two for one slot.
      const slots = hosts
        .flatMap(log)
        .flatMap((line) => (line.msg === "rotated" && line.job === job ? [line.slot] : []));
      expect(slots.length, job).toBeGreaterThanOrEqual(1);
      expect(new Set(slots).size, job).toBe(slots.length);
    }
    expect(await left()).toEqual({ merged: 0, remaining: 0 });
    await Promise.all(hosts.map(stopped));
  });

  it("finishes its slice on SIGTERM, exits with 0, and leaves the tick to the next host", async () => {
    await seedPages(3000);
    const slow = { tracker: { rotation: { uniqueDevicesLimit: 1, pageViewsLimit: 1 } } };
    const host = await startHost(slow);
    await until(async () => (await leader())["done"] === "0", START_TIMEOUT);
    host.signal("SIGTERM");
    expect(await host.exit).toEqual({ code: 0, signal: null });
    const ended = log(host).find((line) => line.msg === "rotated");
    expect(ended).toMatchObject({ job: "rotate-5MINUTES", outcome: "stopped", finished: false });
    // The lead is given up: it ends within a second, and not after half a minute.
    const { until: leaseEnd = "0" } = await leader();
    expect(Number(leaseEnd) - Date.now()).toBeLessThanOrEqual(1000);
    const next = await startHost({ tracker: { leaseSeconds: 1 } });
    await next.line(/"rotate-5MINUTES".*"outcome":"done"/, { timeoutMs: 30_000 });
    expect(await left()).toEqual({ merged: 0, remaining: 0 });
    await stopped(next);
  });

  it("takes over from a leader that was killed", async () => {
    await seedPages(3000);
    const leading = await startHost({
      tracker: { leaseSeconds: 3, rotation: { uniqueDevicesLimit: 1, pageViewsLimit: 1 } },
    });
    await until(async () => (await leader())["done"] === "0", START_TIMEOUT);
    const { worker } = await leader();
    const other = await startHost({ tracker: { leaseSeconds: 3 } });
    await ready(other);
    await other.line(/"rotate-5MINUTES".*"outcome":"elsewhere"/, START_TIMEOUT);
    expect((await leader())["worker"]).toBe(worker);
    expect(log(other).filter(({ msg }) => msg === "rotated")).toEqual([]);
    leading.signal("SIGKILL");
    await other.line(/"rotate-5MINUTES".*"outcome":"done"/, { timeoutMs: 30_000 });
    expect((await leader())["worker"]).not.toBe(worker);
    expect(await left()).toEqual({ merged: 0, remaining: 0 });
    await stopped(other);
  });

  it("waits while Redis is away, goes on when it is back, and says each once", async () => {
    const host = await startHost();
    await add("a");
    await counted(host, 1);
    await server.kill();
    await host.line(/"redis is away, trying again"/);
    await server.restart();
    await until(() => count(host, /"redis is ready"/) === 2, { ...START_TIMEOUT, what: "the host to be back" });
    await add("b");
    await counted(host, 2);
    expect(count(host, /"redis is away/)).toBe(1);
    expect(log(host).filter(({ msg }) => msg.includes("failed"))).toEqual([]);
    await stopped(host);
  });

  it("stops at once while Redis is away", async () => {
    const host = await startHost();
    await ready(host);
    await server.kill();
    await host.line(/"redis is away/);
    await stopped(host);
    await server.restart();
  });

  it("starts before Redis does", async () => {
    await server.kill();
    const host = await startHost();
    await host.line(/"redis is away/, START_TIMEOUT);
    await server.restart();
    await ready(host);
    await stopped(host);
  });

  it("loads libraries that are missing, and says so; uses another version as it is, with a warning", async () => {
    await server.client.sendCommand(["FUNCTION", "FLUSH"]);
    const healing = await startHost();
    await healing.line(/"tracker".*"library was missing and has been loaded"/, START_TIMEOUT);
    await ready(healing);
    // Lost while it serves, as after a failover to a replica that had none.
    await server.client.sendCommand(["FUNCTION", "FLUSH"]);
    await add("a");
    await counted(healing, 1);
    await stopped(healing);

    const [tracker] = readBundle();
    const altered = `${tracker!.code}\n-- altered`;
    await server.client.sendCommand(["FUNCTION", "LOAD", "REPLACE", altered]);
    const warning = await startHost();
    await warning.line(/"another version of the library/, START_TIMEOUT);
    await ready(warning);
    await stopped(warning);
    expect(String(await server.client.sendCommand(["FUNCTION", "LIST", "WITHCODE"]))).toContain("-- altered");
  });

  it("applies the settings that the configuration names, and no others", async () => {
    await functions.configureTracker({ documentDays: 33 });
    const host = await startHost({
      tracker: { hosts: { "www.rtl.lu": "rtl" }, unknown: "refuse", maxlen: 77 },
    });
    await ready(host);
    const config = await functions.getTrackerConfig();
    expect(config).toMatchObject({ unknown: "refuse", maxlen: 77, documentDays: 33 });
    expect(JSON.parse(config.hosts)).toEqual({ "www.rtl.lu": "rtl" });
    await stopped(host);
  });

  it("exits at the second signal, whatever it is doing", async () => {
    const host = await startHost();
    await ready(host);
    process.kill(Number((await server.client.info("server")).match(/process_id:(\d+)/)![1]), "SIGSTOP");
    try {
      // The slice cannot end: its server stands still.
      host.signal("SIGTERM");
      await host.line(/"stopping"/);
      host.signal("SIGTERM");
      expect((await host.exit).code).not.toBeNull();
    } finally {
      await server.restart({ signal: "SIGKILL" });
    }
  });

  it("ends with one line and 1 on a mistake", async () => {
    await server.client.sendCommand(["CONFIG", "SET", "requirepass", "right"]);
    try {
      const host = runHotpath(["serve"], { env: { REDIS_URL: server.url.replace("//", "//:wrong@") } });
      expect((await host.exit).code).toBe(1);
      expect(host.errors).toEqual([expect.stringMatching(/^hotpath: WRONGPASS/)]);
      expect([...host.lines, ...host.errors].join()).not.toContain(":wrong@");
    } finally {
      await server.client.sendCommand(["CONFIG", "SET", "requirepass", ""]);
    }
  });

  it("tells its health and its metrics", async () => {
    const port = await freePort();
    const host = await startHost({ http: { port } });
    await ready(host);
    await add("a");
    await counted(host, 1);
    await until(() => count(host, /"tick ended"/) >= 4, START_TIMEOUT);
    const url = `http://127.0.0.1:${port}`;
    const health = await fetch(`${url}/healthz`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({
      status: "ok",
      redis: { up: true },
      jobs: { "rotate-3HOURS": { outcome: "done" } },
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^hotpath_redis_up 1$/m);
    expect(metrics).toMatch(/^hotpath_ingested_events_total\{stream="ST:TRACKER::::",outcome="accepted"\} 1$/m);
    expect(metrics).toMatch(/^hotpath_last_tick_timestamp_seconds\{job="rotate-5MINUTES"\} \d+$/m);
    expect(metrics).toMatch(/^hotpath_ingest_lag_seconds\{stream="ST:TRACKER::::"\} 0$/m);
    expect(metrics).toMatch(/^hotpath_stream_missing_entries\{stream="ST:TRACKER::::"\} 0$/m);
    expect((await fetch(`${url}/nonesuch`)).status).toBe(404);
    await server.kill();
    await host.line(/"redis is away/);
    expect((await fetch(`${url}/healthz`)).status).toBe(503);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^hotpath_redis_up 0$/m);
    await stopped(host);
    await server.restart();
  });

  it("behind a proxy that falls silent: scrapes are answered, the connection is made again, SIGTERM ends the host", async () => {
    const proxy = await startProxy(server.port);
    const port = await freePort();
    const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    const host = hotpath(await configure({ http: { port } }), ["serve"], env);
    await ready(host);
    proxy.silence();
    const url = `http://127.0.0.1:${port}`;
    const scrape = setInterval(() => void fetch(`${url}/metrics`).catch(() => undefined), 1000);
    onTestFinished(() => clearInterval(scrape));
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    await host.line(/"redis is away/, { timeoutMs: 60_000 });
    proxy.recover();
    await until(() => count(host, /"redis is ready"/) > 1, { timeoutMs: 60_000 });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    proxy.silence();
    await fetch(`${url}/metrics`);
    host.signal("SIGTERM");
    clearInterval(scrape);
    expect(await host.exit).toEqual({ code: 0, signal: null });
  }, 180_000);

  describe("running a job once", () => {
    const run = async (job: string, config: object = {}) => {
      const host = await startHost(config, ["run", job]);
      const { code } = await host.exit;
      expect(host.lines).toHaveLength(1);
      return { code, errors: host.errors, summary: JSON.parse(host.lines[0]!) as Record<string, unknown> };
    };

    it("does everything that is due, in as many calls as it takes", async () => {
      // Windows of every length are over: if one ended between the last two runs, there would be something to do again.
      const now = Date.now();
      const dt = now - (now % (3 * HOUR_MS)) - MINUTE_MS;
      for (const uui of ["a", "b", "c"]) await add(uui, dt);
      await add("");
      const ingest = await run("ingest", { tracker: { streams: [{ key: STREAM, limit: 2 }] } });
      expect(ingest).toMatchObject({
        code: 0,
        summary: { job: "ingest", ok: true, read: 4, accepted: 3, rejected: 1, slices: 2 },
      });
      const pg = await run("rotate-pg");
      expect(pg).toMatchObject({ code: 0, summary: { job: "rotate-pg", ok: true } });
      expect(pg.summary["merged"]).toBeGreaterThan(0);
      const all = await run("rotate");
      expect(all.summary["merged"]).toBeGreaterThan(0);
      expect(await run("rotate")).toMatchObject({ code: 0, summary: { ok: true, windows: 0, merged: 0 } });
    });

    it("fails with 1, a summary and one line", async () => {
      await server.client.set(STREAM, "not a stream");
      const { code, summary, errors } = await run("ingest");
      expect(code).toBe(1);
      expect(summary).toMatchObject({
        job: "ingest",
        ok: false,
        error: expect.stringMatching(/^ingest_events: CONFLICT .*ST:TRACKER/) as string,
      });
      expect(errors).toHaveLength(1);
    });
  });

  it("goes on with rotation while a stream cannot be read, and says so once", async () => {
    await server.client.set(STREAM, "not a stream");
    const host = await startHost();
    await host.line(/"ingest ST:TRACKER::::".*CONFLICT|WRONGTYPE/, START_TIMEOUT);
    await host.line(/"rotate-3HOURS".*"done"/, START_TIMEOUT);
    await server.client.del(STREAM);
    await add("a");
    await counted(host, 1);
    await host.line(/"ingest ST:TRACKER::::".*"works again"/);
    expect(count(host, /"failed, trying again"/)).toBe(1);
    await stopped(host);
  });
});
