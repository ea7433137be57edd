import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { createClient } from "@redis/client";
import { afterAll, describe, expect, inject, it } from "vitest";
import type { Times } from "../../demo/tracker/times";
import { dueTimes, splitBySteps, windowStart } from "../../demo/tracker/simulation";
import { MADE_TIERS, TIERS } from "../../host/contract";
import type { ReportData } from "../../demo/tracker/report";
import { seededRandom } from "../../demo/tracker/random";
import { useCluster } from "../support/cluster";
import { HOTPATH, runHotpath, type RunningProcess } from "../support/processes";
import { describeWithOwnServer, useServer } from "../support/server";
import { until } from "../support/wait";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type DemoJson = ReportData & { lines: number | null; times: Times; port: number | null };

const dirs: string[] = [];
afterAll(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

/** A folder of its own: the demo's data is in the working directory. */
function newFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "hotpath-demo-"));
  dirs.push(dir);
  return dir;
}

/** The server program is known: in a folder of its own, the demo might have to fetch one. */
function environment(url: string | undefined): Record<string, string | undefined> {
  const redis = inject("redis");
  const program = redis.mode === "own" && redis.program.kind === "binary" ? redis.program.path : undefined;
  return { REDIS_URL: url, HOTPATH_SERVER: program, HOTPATH_DEBUG: undefined };
}

function start(args: string[], { cwd = newFolder(), url }: { cwd?: string; url?: string } = {}): RunningProcess {
  return runHotpath(["demo", ...args], { cwd, env: environment(url) });
}

async function run(
  args: string[],
  options: { cwd?: string; url?: string } = {},
): Promise<{ code: number | null; out: string; errors: string }> {
  const demo = start(args, options);
  const { code } = await demo.exit;
  return { code, out: demo.lines.join("\n"), errors: demo.errors.join("\n") };
}

async function runJson(args: string[], options: { cwd?: string; url?: string } = {}): Promise<DemoJson> {
  const { code, out, errors } = await run([...args, "--json"], options);
  expect({ code, errors }).toEqual({ code: 0, errors: expect.not.stringContaining("hotpath:") as string });
  return JSON.parse(out) as DemoJson;
}

function expectSound(data: DemoJson): void {
  expect(data.checks?.filter(({ expected, counted }) => expected !== counted)).toEqual([]);
  // By hours from windows and series, by sites from a ranking: two ways to the same sum.
  expect(sum(data.hours)).toBe(data.total.pageViews);
  expect(sum(data.sites)).toBe(data.total.pageViews);
}

function sum(list: readonly { pageViews: number }[]): number {
  return list.reduce((total, { pageViews }) => total + pageViews, 0);
}

const LOG_BEGIN_MS = Date.UTC(2015, 4, 17, 10, 5, 3);
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/** A line of a combined log; a view unless told otherwise. */
function viewLine(afterMs: number, client: number, request: string, status = 200, agent = BROWSER): string {
  return `10.0.0.${client} - - [${logTime(LOG_BEGIN_MS + afterMs)}] "${request}" ${status} 512 "-" "${agent}"`;
}

/** A log of 60 hours with a view an hour, a second one each third hour, and lines that are none. */
function accessLog(): string {
  const line = (hour: number, target: string, status?: number): string =>
    viewLine(hour * HOUR_MS, hour % 2, `GET ${target} HTTP/1.1`, status);
  const views = Array.from({ length: 60 }, (_, hour) => [
    line(hour, "/news/today.html?from=front"),
    ...(hour % 3 === 0 ? [line(hour, "/about/", 304)] : []),
  ]).flat();
  const others = [
    "not a line at all",
    viewLine(59 * HOUR_MS, 1, "POST /news/today.html HTTP/1.1"),
    line(59, "/gone.html", 404),
    line(59, "/logo.png"),
    viewLine(59 * HOUR_MS, 1, "GET /news/today.html HTTP/1.1", 200, "Googlebot/2.1 (+http://www.google.com/bot.html)"),
  ];
  return `${[...views, ...others].join("\n")}\n`;
}

/** `17/May/2015:10:05:03 +0000` */
function logTime(ms: number): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(ms).toUTCString())!;
  return `${day}/${month}/${year}:${time} +0000`;
}

describe("simulated time", () => {
  const lengths = MADE_TIERS.map((tier) => TIERS[tier].lengthMs);

  it("rotates at the end of every window that holds an arrival, and at no other time", () => {
    const random = seededRandom(7);
    let timeMs = Date.UTC(2026, 10, 20);
    const arrivals = Array.from({ length: 400 }, () => (timeMs += Math.floor(random() ** 6 * 9 * HOUR_MS)));
    const untilMs = timeMs + 4 * HOUR_MS;

    const rotated = new Set<number>();
    for (const [at, arrivalMs] of arrivals.entries()) {
      for (const dueMs of dueTimes(arrivalMs, arrivals[at + 1] ?? untilMs)) rotated.add(dueMs);
    }
    const expected = new Set(
      arrivals.flatMap((arrivalMs) => lengths.map((lengthMs) => windowStart(lengthMs, arrivalMs) + lengthMs)),
    );
    expect([...rotated].sort()).toEqual([...expected].filter((endMs) => endMs <= untilMs).sort());
  });

  it("passes a silent week in at most four rotations", () => {
    const lastMs = Date.UTC(2026, 10, 20, 10, 7);
    const clock = dueTimes(lastMs, lastMs + 7 * 24 * HOUR_MS).map((dueMs) =>
      new Date(dueMs).toISOString().slice(11, 16),
    );
    expect(clock).toEqual(["10:10", "11:00", "12:00"]);
    expect(dueTimes(lastMs, lastMs + MINUTE_MS)).toEqual([]);
  });

  it("cuts batches where five minutes end", () => {
    const times = [0, 1, 299_999, 300_000, 900_000, 900_000];
    const parts = splitBySteps(times.map((arrivalMs) => ({ arrivalMs, event: { url: "", uui: "", dt: 0 } })));
    expect(parts.map((part) => part.map(({ arrivalMs }) => arrivalMs))).toEqual([
      [0, 1, 299_999],
      [300_000],
      [900_000, 900_000],
    ]);
  });
});

describe("the command line", () => {
  it.each([
    [["--log", "no-such.log"], 1, "hotpath: cannot read no-such.log: no such file"],
    [
      ["--events", "0"],
      2,
      "hotpath: option '--events <n>' argument '0' is invalid. It must be a whole number from 1 to 100000000.",
    ],
    [["--website", "a.example"], 2, "hotpath: --website names the site of a log; it needs --log"],
    [["--log", "x", "--seed", "3"], 2, "hotpath: --seed is for generated traffic; a log is as it is"],
  ])("refuses %j before it starts anything", async (args, code, message) => {
    const cwd = newFolder();
    expect(await run(args, { cwd })).toEqual({ code, out: "", errors: message });
    expect(existsSync(join(cwd, ".hotpath"))).toBe(false);
  });

  it("refuses a file that is no access log", async () => {
    const cwd = newFolder();
    writeFileSync(join(cwd, "poem.log"), "Roses are red\nviolets are blue\n");
    const { code, errors } = await run(["--log", "poem.log"], { cwd });
    expect({ code, errors }).toEqual({
      code: 1,
      errors: expect.stringMatching(
        /^hotpath: poem\.log has no line of an access log .*\(2 lines were read\)$/,
      ) as string,
    });
  });

  it("says that nobody answers at REDIS_URL", async () => {
    expect(await run(["--events", "100"], { url: "redis://127.0.0.1:1" })).toMatchObject({
      code: 1,
      errors: expect.stringContaining("hotpath: cannot connect to 127.0.0.1:1") as string,
    });
  });
});

describeWithOwnServer("on a server of its own", () => {
  it("counts exactly what was sent, and empties its database before the next time", async () => {
    const cwd = newFolder();
    const first = await runJson(["--events", "3000"], { cwd });
    expectSound(first);
    expect(first).toMatchObject({
      source: "generated traffic",
      total: { pageViews: 2985 },
      lines: null,
      port: null,
      leftOut: [],
    });
    expect(first.rejected.reduce((total, { count }) => total + count, 0)).toBe(15);
    expect(first.tiers.map(({ tier }) => tier)).toEqual(["1MINUTE", "5MINUTES", "10MINUTES", "1HOUR", "3HOURS"]);
    expect(first.tiers.every(({ records }) => records > 0)).toBe(true);
    expect(first.times.laps.map(({ name }) => name)).toEqual(["XADD", "ingest_events", "rotate_pg", "rotate_ud"]);
    expect(existsSync(join(cwd, ".hotpath/demo/server.json"))).toBe(false);

    const { code, out, errors } = await run(["--events", "200", "--seed", "2"], { cwd });
    expect({ code, errors }).toEqual({
      code: 0,
      errors: expect.stringContaining("Emptied its database of the previous demo.") as string,
    });
    expect(out).toMatch(/^Hotpath · generated traffic .*\n.*\n\n199 page views/);
    expect(out).not.toContain("✗");
    // Not on a terminal: 80 columns, no colours.
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(out).not.toContain("\u001b");
  });

  it("keeps the server when told to, with the last rotation left to do, until a signal ends it", async () => {
    const cwd = newFolder();
    // A view a minute: whatever the clock says, there is one in the last five minutes that are over.
    writeFileSync(
      join(cwd, "minutes.log"),
      Array.from({ length: 15 }, (_, minute) => viewLine(minute * MINUTE_MS, 1, "GET / HTTP/1.1")).join("\n"),
    );
    const demo = start(["--log", "minutes.log", "--keep", "--json"], { cwd });
    const { port, total } = JSON.parse((await demo.line(/^\{.*\}$/))[0]) as DemoJson;
    expect(total.pageViews).toBe(15);
    const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 2 });
    await client.connect();
    const [, windows, , merged] = (await client.sendCommand(["FCALL", "rotate_pg", "0"])) as unknown as unknown[];
    client.destroy();
    expect(Math.min(Number(windows), Number(merged))).toBeGreaterThan(0);

    expect(await run(["--events", "10"], { cwd })).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^hotpath: a demo is running here already \(process \d+, port \d+\)/) as string,
    });
    demo.signal("SIGINT");
    expect(await demo.exit).toEqual({ code: 0, signal: null });
    expect(existsSync(join(cwd, ".hotpath/demo/server.json"))).toBe(false);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends cleanly when %s comes in between", async (signal, code) => {
    const cwd = newFolder();
    const demo = start(["--events", "200000"], { cwd });
    await until(() => demo.errors.some((line) => line.startsWith("Deployed")), { timeoutMs: 15_000 });
    demo.signal(signal);
    expect(await demo.exit).toEqual({ code, signal: null });
    expect(demo.errors.at(-1)).toBe("Interrupted; the server is stopped.");
    expect(demo.lines).toEqual([]);
    expect(existsSync(join(cwd, ".hotpath/demo/server.json"))).toBe(false);
  });
});

describeWithOwnServer("a log", () => {
  const known = {
    lines: 85,
    total: { pageViews: 80 },
    sites: [{ name: "paper.example", pageViews: 80, uniqueDevices: 2 }],
    pages: [
      { url: "www.paper.example/news/today.html", pageViews: 60, uniqueDevices: 2 },
      { url: "www.paper.example/about/", pageViews: 20, uniqueDevices: 2 },
    ],
    leftOut: ["unparsable", "method", "failed", "static", "bot"].map((name) => ({ name, count: 1 })),
    rejected: [],
    late: 0,
  };

  it.each(["access.log", "access.log.gz"])("is counted as if it had ended just now: %s", async (name) => {
    const cwd = newFolder();
    writeFileSync(join(cwd, name), name.endsWith(".gz") ? gzipSync(accessLog()) : accessLog());
    const before = Date.now();
    const data = await runJson(["--log", name, "--website", "www.paper.example"], { cwd });
    expectSound(data);
    expect(data).toMatchObject({ source: name, ...known });
    expect(data.hours).toHaveLength(60);
    expect(data.toMs).toBeGreaterThanOrEqual(before);
    expect(data.toMs - data.fromMs).toBe(59 * HOUR_MS);
  });

  it("may come by standard input", async () => {
    const child = spawn(process.execPath, [HOTPATH, "demo", "--log", "-", "--json", "--website", "www.paper.example"], {
      cwd: newFolder(),
      env: { ...process.env, ...environment("") },
      stdio: ["pipe", "pipe", "ignore"],
    });
    child.stdin.end(gzipSync(accessLog()));
    let out = "";
    for await (const chunk of child.stdout) out += String(chunk);
    expect(JSON.parse(out)).toMatchObject({ source: "standard input", ...known });
  });

  it("that is longer than windows are kept is reported for the week that is", async () => {
    const cwd = newFolder();
    const early = accessLog().replaceAll("17/May/2015", "02/May/2015").split("\n").slice(0, 12);
    writeFileSync(join(cwd, "long.log"), [...early, accessLog()].join("\n"));
    const data = await runJson(["--log", "long.log"], { cwd });
    expectSound(data);
    expect(data).toMatchObject({
      total: { pageViews: 80 },
      source: expect.stringMatching(/^long\.log \(its last 7 d.* of 17 d/) as string,
    });
    expect(data.checks).toEqual([{ name: "events sent", expected: 92, counted: 92 }]);
  });
});

describe("on the server of REDIS_URL", () => {
  const server = useServer();

  it("keeps out of a database that the tracker uses, unless it is forced", async () => {
    await server.client.set("others", "data");
    const first = await runJson(["--events", "300"], { url: server.url });
    expectSound(first);
    const size = await server.client.dbSize();

    const refused = await run(["--events", "300"], { url: server.url });
    expect(refused).toMatchObject({
      code: 1,
      out: "",
      errors: expect.stringMatching(
        /^hotpath: the database of redis:.* is in use by the tracker \(5 websites, .* say --force$/,
      ) as string,
    });
    expect(await server.client.dbSize()).toBe(size);

    const { code, out } = await run(["--events", "300", "--force"], { url: server.url });
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringContaining('redis-cli -u "$REDIS_URL" FCALL rotate_pg 0') as string,
    });
    expect(out).not.toContain("✗");
    expect(out).toContain(`${2 * first.total.pageViews} page views`);
    expect(await server.client.get("others")).toBe("data");
  });

  it("exits with 1 where the server has counted anything else than what was sent", async () => {
    await server.flush();
    await server.client.sendCommand(["FCALL", "configure_tracker", "0", "UNKNOWN", "refuse"]);
    const { code, out } = await run(["--events", "100"], { url: server.url });
    expect({ code, out }).toEqual({
      code: 1,
      out: expect.stringMatching(/^page views of all sites +100 +0 +✗ differs$/m) as string,
    });
    expect(out).toMatch(/^website: of no configured website +100$/m);
  });

  it("keeps out where events wait that nobody has counted yet", async () => {
    await server.flush();
    await server.client.xAdd("ST:TRACKER::::", "*", { url: "https://a.example/", uui: "d", dt: String(Date.now()) });
    expect(await run(["--events", "10"], { url: server.url })).toMatchObject({
      code: 1,
      errors: expect.stringContaining("(1 entries in ST:TRACKER::::)") as string,
    });
    expect(await server.client.dbSize()).toBe(1);
  });
});

describeWithOwnServer("in a cluster", () => {
  const cluster = useCluster(2);

  it("counts in one slot", async () => {
    const data = await runJson(["--events", "300"], { url: cluster.url });
    expectSound(data);
    const sizes = await Promise.all(cluster.nodes.map(({ client }) => client.sendCommand(["DBSIZE"])));
    expect(sizes.filter((size) => Number(size) > 0)).toHaveLength(1);
  });
});
