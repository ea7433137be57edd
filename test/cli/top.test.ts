/* `hotpath top`, `hotpath series` and `hotpath status` as processes against a real server, on a terminal and without one. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { displayWidth } from "../../host/terminal/format";
import { HOTPATH, runHotpath, type RunningProcess } from "../support/processes";
import { describeWithOwnServer } from "../support/server";
import {
  BEGIN_FRAME,
  END_FRAME,
  HAS_TERMINAL,
  openTerminal,
  plain,
  type Terminal,
  type TerminalOptions,
} from "../support/terminal";
import { event, HOUR, MINUTE, sha1, useTracker } from "../support/tracker";
import { until } from "../support/wait";

const tracker = useTracker();

const ENTER_SCREEN = "\u001b[?1049h";
const LEAVE_SCREEN = "\u001b[?7h\u001b[?25h\u001b[?1049l";

const env = (more: Record<string, string | undefined> = {}): Record<string, string | undefined> => ({
  REDIS_URL: tracker.server.url,
  CONFIG_PATH: undefined,
  ENV: undefined,
  ...more,
});

async function run(
  args: string[],
  more: Record<string, string | undefined> = {},
): Promise<RunningProcess & { code: number | null }> {
  const handle = runHotpath(args, { env: env(more) });
  return { ...handle, code: (await handle.exit).code };
}

interface TopJson {
  now: number;
  from: number;
  to: number;
  before: { from: number; to: number };
  rotatedUntil: number | null;
  series: { from: number; to: number };
  rows: {
    rank: number;
    rankBefore: number | null;
    views: number;
    viewsBefore: number | null;
    devices: number;
    url?: string;
    name?: string;
    title?: string | null;
    series: number[];
  }[];
}

interface SeriesJson {
  from: number;
  to: number;
  devices: { value: number };
  points: { from: number; views: number; devices: number }[];
}

interface StatusJson {
  problems: { kind: string; message: string }[];
  primaries: { memory: { usedBytes: number } }[];
  tracker: { memory: { part: string }[] }[];
}

const jsonOf = <T>(handle: RunningProcess): T => JSON.parse(handle.lines.join("\n")) as T;
const topOf = async (...args: string[]): Promise<TopJson> => jsonOf(await run(["top", "--json", ...args]));
const seriesOf = async (...args: string[]): Promise<SeriesJson> => jsonOf(await run(["series", "--json", ...args]));
const statusOf = async (...args: string[]): Promise<StatusJson> => jsonOf(await run(["status", "--json", ...args]));
const sumOf = (values: number[]): number => values.reduce((sum, each) => sum + each, 0);

/** Views of a path, each by another device. */
async function visit(path: string, views: number, ago: number, host = "www.news.example"): Promise<void> {
  const dt = Date.now() - ago;
  await tracker.call(
    "track_events",
    ...Array.from({ length: views }, (_, at) => event(`https://${host}${path}`, `d${at}`, dt)),
  );
}

const LONG_PATH = `/politics/europe/${"a-very-long-title-of-an-article-".repeat(8)}/1874304.html`;

async function fill(): Promise<void> {
  await tracker.server.flush();
  await visit("/politics/europe/1.html", 30, 10 * MINUTE);
  await visit("/politics/europe/1.html", 10, 40 * MINUTE);
  await visit(LONG_PATH, 20, 10 * MINUTE);
  await visit(LONG_PATH, 25, 40 * MINUTE);
  await visit("/sport/2.html", 12, 10 * MINUTE);
  await visit("/", 5, 10 * MINUTE, "kultur.example");
  await tracker.client.sendCommand([
    "HSET",
    `H:DOCUMENT:P:${sha1("www.news.example/politics/europe/1.html")}::`,
    "title",
    "Der Gipfel 日本",
  ]);
  for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name);
}

beforeEach(fill);

describe("hotpath top --json", () => {
  it("has exact times, views, changes, places and devices", async () => {
    const top = await topOf("--window", "30m");
    expect(top.to - top.from).toBe(30 * MINUTE);
    expect(top.to % MINUTE).toBe(0);
    expect(top.now - top.to).toBeLessThan(MINUTE);
    expect(top.before).toEqual({ from: top.from - 30 * MINUTE, to: top.from });
    expect(top).toMatchObject({
      dimension: "P",
      window: "30m",
      exact: true,
      views: 67,
      website: null,
      section: null,
      ranksBefore: top.before,
    });
    expect(
      top.rows.map(({ rank, rankBefore, views, viewsBefore, devices, url, title }) => [
        rank,
        rankBefore,
        views,
        viewsBefore,
        devices,
        url,
        title,
      ]),
    ).toEqual([
      [1, 2, 30, 10, 30, "www.news.example/politics/europe/1.html", "Der Gipfel 日本"],
      [2, 1, 20, 25, 20, `www.news.example${LONG_PATH}`, null],
      [3, null, 12, 0, 12, "www.news.example/sport/2.html", null],
      [4, null, 5, 0, 5, "kultur.example/", null],
    ]);
    const sums = top.rows.map(({ series }) => sumOf(series));
    expect(sums[0]).toBe(40);
    expect(top.series.to - top.series.from).toBe(24 * 5 * MINUTE);
  });

  it("compares spans of equal length for every window", async () => {
    for (const window of ["5m", "30m", "1h", "24h", "7d"]) {
      const { from, to, before } = await topOf("--window", window);
      expect(before, window).toEqual({ from: from - (to - from), to: from });
    }
  });

  it("reads the span before from series where no windows of it are kept", async () => {
    const now = Date.now();
    const dt = now - 50 * HOUR;
    await tracker.call(
      "track_events",
      ...Array.from({ length: 7 }, (_, at) =>
        event("https://www.news.example/sport/2.html", `d${at}`, now - 30 * HOUR),
      ),
      event("https://www.news.example/sport/2.html", "x", dt),
    );
    for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name);
    const { rows } = await topOf("--window", "24h");
    expect(rows.find(({ url }) => url?.endsWith("/sport/2.html"))).toMatchObject({ views: 12, viewsBefore: 7 });
  });

  it("knows no change from series while rotation has never run", async () => {
    await tracker.server.flush();
    await visit("/a", 1, 10 * MINUTE);
    // The week before is in series alone; of shorter spans, windows may tell at some times of day what was before.
    const never = await topOf("--window", "7d");
    expect(never.rotatedUntil).toBeNull();
    expect(never.rows[0]).toMatchObject({ views: 1, viewsBefore: null, series: [] });
    for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name);
    const once = await topOf("--window", "7d");
    expect(once.rotatedUntil).not.toBeNull();
    expect(once.rows[0]).toMatchObject({ views: 1, viewsBefore: 0 });
    expect(sumOf(once.rows[0]!.series)).toBe(1);
  });

  it("is narrowed to a website or section, by name or id", async () => {
    const urls = async (...args: string[]): Promise<string[]> =>
      (await topOf(...args)).rows.map(({ url, name }) => url ?? name ?? "");
    expect(await urls("--website", "KULTUR.example")).toEqual(["kultur.example/"]);
    expect(await urls("--website", sha1("kultur.example"))).toEqual(["kultur.example/"]);
    expect(await urls("--section", "news.example/sport")).toEqual(["www.news.example/sport/2.html"]);
    expect(await urls("--section", "sport", "--website", "news.example")).toEqual(["www.news.example/sport/2.html"]);
    expect(await urls("--dimension", "S", "--website", "news.example")).toEqual(["politics/europe", "sport"]);
    expect(await urls("--dimension", "W")).toEqual(["news.example", "kultur.example"]);
    expect(await urls("--count", "1")).toHaveLength(1);
  });

  it("ranks what was played", async () => {
    await tracker.call(
      "track_events",
      event("https://news.example/x", "d", Date.now() - 2 * MINUTE, { audio: "song" }),
    );
    const { rows } = await topOf("--dimension", "A");
    expect(rows).toMatchObject([{ rank: 1, id: sha1("news.example/song"), views: 1 }]);
  });

  it("is empty, not wrong, where nothing was counted", async () => {
    await tracker.server.flush();
    expect(await topOf()).toMatchObject({ rows: [], views: 0, exact: true });
  });
});

describe("hotpath top in a pipe", () => {
  it("prints one table without colours or cursor, as with --once", async () => {
    for (const args of [["top"], ["top", "--once"]]) {
      const { lines, code } = await run(args, { FORCE_COLOR: undefined });
      expect(code).toBe(0);
      expect(lines.join("\n")).not.toContain("\u001b");
      expect(lines[0]).toBe("Pages, last 30 minutes");
      expect(lines.find((line) => line.includes("Der Gipfel 日本"))).toMatch(
        /^1 {2}▲1 {3}Der Gipfel 日本 +30 +\+20 +\+200% +30 +/,
      );
    }
  });

  it.each([
    [
      ["top", "--website", "nosuch.example"],
      1,
      /no website is known as 'nosuch\.example'; websites of the last 7 days: news\.example, kultur\.example/,
    ],
    [["top", "--section", "nosuch", "--website", "news.example"], 1, /no section is known as 'news\.example\/nosuch'/],
    [["top", "--section", "x", "--dimension", "W"], 2, /--section shows the pages of a section/],
    [["top", "--website", "x", "--dimension", "A"], 2, /audios are ranked over all websites/],
    [["top", "--window", "2h"], 2, /Allowed choices are 5m, 30m, 1h, 24h, 7d/],
    [["top", "--interval", "0"], 2, /whole number from 1 to 3600/],
    [["series", "nosuch.example"], 1, /no website, no section and no page is known as 'nosuch\.example'/],
    [["series", "ftp://x/"], 1, /no absolute http\(s\) address/],
    [["series", "news.example", "--last", "soon"], 2, /--last must be a length of time/],
    [["series", "song", "--dimension", "A"], 1, /named by its id/],
  ])("%j ends with %d", async (args, code, message) => {
    const handle = await run(args);
    expect(handle.errors.join("\n")).toMatch(message);
    expect(handle.errors).toHaveLength(1);
    expect(handle.code).toBe(code);
  });
});

describe("hotpath series", () => {
  it.each([
    ["website", "news.example", "W", 97],
    ["website by its id", sha1("news.example"), "W", 97],
    ["section", "news.example/politics/europe", "S", 85],
    ["section with a slash", "news.example/sport/", "S", 12],
    ["page as it is shown", "www.news.example/sport/2.html", "P", 12],
    ["page by its url", "HTTPS://www.news.example/sport/2.html?utm=x#y", "P", 12],
  ])("takes a %s", async (_, what, dimension, views) => {
    const series = await seriesOf(what);
    expect(series).toMatchObject({ dimension, views, tier: "10MINUTES" });
    expect(series.points).toHaveLength(144);
    expect(sumOf(series.points.map((point) => point.views))).toBe(views);
  });

  it("takes the section or website of a url", async () => {
    expect(await seriesOf("https://www.news.example/sport/2.html", "--dimension", "W")).toMatchObject({
      id: sha1("news.example"),
    });
  });

  it("takes tier, length and metric", async () => {
    const series = await seriesOf("news.example", "--tier", "1HOUR", "--last", "2d", "--metric", "pg");
    expect(series.to - series.from).toBe(48 * HOUR);
    expect(series.points).toHaveLength(48);
    expect(Object.keys(series.points[0]!)).toEqual(["from", "views"]);
  });

  it("counts devices of the whole time, not the sum of windows", async () => {
    const { devices } = await seriesOf("www.news.example/politics/europe/1.html", "--tier", "5MINUTES", "--last", "2h");
    expect(devices.value).toBe(30);
  });

  it("draws a plot", async () => {
    const { lines } = await run(["series", "www.news.example/politics/europe/1.html", "--last", "2h"]);
    expect(lines.slice(0, 3)).toEqual([
      "Der Gipfel 日本",
      "www.news.example/politics/europe/1.html",
      "of news.example",
    ]);
    expect(lines.find((line) => line.startsWith("40 page views"))).toMatch(/peak 30 from \d{4}-\d\d-\d\d \d\d:\d\d$/);
    expect(lines.join("\n")).toContain("█");
  });

  it("says that rotation makes series", async () => {
    await tracker.server.flush();
    await visit("/", 1, MINUTE);
    expect((await run(["series", "news.example"])).errors).toEqual([expect.stringMatching(/rotation has never run/)]);
  });
});

describe("hotpath status", () => {
  // All libraries, as an operator has them.
  beforeAll(async () => {
    await run(["deploy"]);
  });

  it("finds nothing wrong, and keeps the fields it had", async () => {
    const status = await statusOf("--check");
    expect(status).toMatchObject({
      inStep: true,
      problems: [],
      tracker: [{ partition: null, error: null, status: { websites: 2 } }],
    });
    expect(status.tracker[0]!.memory.map(({ part }) => part)).toEqual([
      "1MINUTE",
      "5MINUTES",
      "10MINUTES",
      "1HOUR",
      "3HOURS",
      "DOCUMENTS",
      "STREAMS",
    ]);
    expect(status.primaries[0]!.memory.usedBytes).toBeGreaterThan(100_000);
  });

  it("shows and reports what is stuck", async () => {
    await tracker.server.flush();
    // Its five minutes ended 12 to 17 minutes ago.
    await visit("/", 1, 17 * MINUTE);
    await tracker.client.sendCommand(["XADD", "ST:TRACKER::::", `${Date.now() - 2 * HOUR}-1`, "url", "x"]);
    const never = await run(["status", "--check"]);
    expect(never.code).toBe(1);
    expect(never.lines[0]).toMatch(/^✗ ST:TRACKER:::: has 1 entries and was never ingested/);
    expect(never.lines[1]).toMatch(/^✗ 5MINUTES is not rotated: .*page views \(1\d min/);
    await tracker.call("ingest_events");
    await tracker.client.sendCommand(["XADD", "ST:TRACKER::::", `${Date.now() - HOUR}-1`, "url", "x"]);
    const { problems } = await statusOf();
    expect(problems.map(({ kind }) => kind)).toEqual(["stream", "rotation"]);
    expect(problems[0]!.message).toMatch(/about 1 entries of ST:TRACKER:::: wait, the oldest for 1 h/);
  });

  it("shows memory by tier", async () => {
    const { lines } = await run(["status"]);
    expect(lines[0]).toBe("✓ nothing is wrong");
    expect(lines.find((line) => line.trimStart().startsWith("1MINUTE") && line.includes("B "))).toBeDefined();
  });
});

const inTerminal = HAS_TERMINAL ? describe : describe.skip;

function openTop(args: string[] = [], options: TerminalOptions = {}): Terminal {
  return openTerminal([HOTPATH, "top", "--interval", "1", ...args], {
    ...options,
    env: { REDIS_URL: tracker.server.url, ...options.env },
  });
}

/** The terminal as it was: normal screen, cursor, wrapping, and a line discipline that edits and echoes. */
async function expectRestored(terminal: Terminal, code: number): Promise<void> {
  const ended = await terminal.ended;
  expect(terminal.output()).toContain(ENTER_SCREEN);
  expect(terminal.output().split(ENTER_SCREEN)).toHaveLength(terminal.output().split(LEAVE_SCREEN).length);
  expect(terminal.output().split(BEGIN_FRAME)).toHaveLength(terminal.output().split(END_FRAME).length);
  expect(terminal.output().lastIndexOf(LEAVE_SCREEN)).toBeGreaterThan(terminal.output().lastIndexOf("\u001b[H"));
  expect(ended.settings).toMatch(/(^|\s)icanon/);
  expect(ended.settings).toMatch(/(^|\s)echo\s/);
  expect(ended.code).toBe(code);
}

const TITLE = HAS_TERMINAL
  ? "hotpath top on a terminal"
  : "hotpath top on a terminal (skipped: there is no `script` of util-linux to make one)";

inTerminal(TITLE, () => {
  it("shows the table, follows keys, and gives the terminal back", async () => {
    const terminal = openTop();
    await terminal.line(/› 1 {2}▲1 .*Der Gipfel 日本/);
    await terminal.line(/^q quit/);
    terminal.type("s");
    await terminal.line(/^Sections, last 30 minutes/);
    await terminal.line(/politics\/europe +news\.example +50/);
    terminal.type("w3");
    await terminal.line(/^Websites, last hour/);
    terminal.type("\u001b[B");
    await terminal.line(/› 2 .*kultur\.example/);
    terminal.type("\r");
    await terminal.line(/^Pages of kultur\.example, last hour/);
    terminal.type("\u001b");
    await terminal.line(/^Pages, last hour/);
    terminal.type("\u001b[D ");
    await terminal.line(/^Pages, last 30 minutes +paused/);
    terminal.type("q");
    await expectRestored(terminal, 0);
  });

  it("filters by a website that is typed, and says when there is none", async () => {
    const terminal = openTop();
    await terminal.line(/Der Gipfel/);
    terminal.type("fnosuch\r");
    await terminal.line(/No website is known as 'nosuch'/);
    terminal.type("fkultux\u007fr.example\r");
    await terminal.line(/^Pages of kultur\.example/);
    terminal.type("\u0003");
    await expectRestored(terminal, 0);
  });

  it("counts on while it is shown", async () => {
    const terminal = openTop(["--window", "5m"]);
    await terminal.line(/No page views in this time|Pages/);
    await visit("/breaking.html", 3, 90_000);
    await until(() => terminal.screen().some((line) => /breaking\.html +3/.test(line)), { timeoutMs: 30_000 });
    terminal.type("q");
    await terminal.ended;
  });

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("gives the terminal back on %s", async (signal) => {
    const terminal = openTop();
    await terminal.line(/Der Gipfel/);
    terminal.signal(signal);
    await expectRestored(terminal, { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 }[signal]);
  });

  it("goes to the background on Ctrl-Z with the terminal as it was, and comes back", async () => {
    const terminal = openTop();
    await terminal.line(/Der Gipfel/);
    terminal.type("\u001a");
    await until(() => terminal.output().includes(LEAVE_SCREEN), { what: "the screen to be left" });
    await until(() => terminal.state() === "T", { what: "the process to be stopped" });
    const from = terminal.output().length;
    terminal.signal("SIGCONT");
    await until(() => terminal.output().slice(from).includes(ENTER_SCREEN), { what: "the screen to be taken again" });
    await until(() => /Der Gipfel/.test(terminal.output().slice(from)), { what: "the table" });
    terminal.type("q");
    await expectRestored(terminal, 0);
  });

  it("gives the terminal back when it fails at once", async () => {
    await tracker.client.sendCommand(["SET", "H:TRACKER::::", "x"]);
    const terminal = openTop();
    const { settings, code } = await terminal.ended;
    expect(code).toBe(1);
    expect(settings).toMatch(/(^|\s)icanon/);
    expect(plain(terminal.output())).toMatch(/CONFLICT H:TRACKER:::: holds/);
    expect(terminal.output().split(ENTER_SCREEN)).toHaveLength(terminal.output().split(LEAVE_SCREEN).length);
  });

  it("follows the size, down to very small ones, and never writes beyond it", async () => {
    const terminal = openTop([], { columns: 160, rows: 30 });
    await terminal.line(/Der Gipfel/);
    for (const [columns, rows] of [
      [80, 24],
      [40, 16],
      [20, 8],
      [5, 3],
      [100, 12],
    ] as const) {
      const from = terminal.output().length;
      terminal.resize(columns, rows);
      await until(() => terminal.output().slice(from).includes("\u001b[H"), { what: `a frame of ${columns} columns` });
      await until(
        () => terminal.screen().every((line) => displayWidth(line) <= columns) && terminal.screen().length <= rows,
        { what: `a frame within ${columns} × ${rows}` },
      );
    }
    await terminal.line(/Der Gipfel/);
    terminal.type("q");
    await expectRestored(terminal, 0);
  });

  it("has no colours with NO_COLOR, and some without", async () => {
    const colourful = openTop();
    await colourful.line(/Der Gipfel/);
    expect(colourful.output()).toContain("\u001b[32m");
    const plainOne = openTop([], { env: { NO_COLOR: "1" } });
    await plainOne.line(/Der Gipfel/);

    expect(plainOne.output()).not.toMatch(/\u001b\[[0-9;]*m/);
  });

  it("prints one table on a terminal that cannot move its cursor", async () => {
    const terminal = openTop([], { env: { TERM: "dumb" } });
    expect((await terminal.ended).code).toBe(0);
    expect(terminal.output()).not.toContain(ENTER_SCREEN);
    expect(terminal.output()).toContain("Der Gipfel");
  });
});

/** How often TIME was called. */
async function clockReadings(): Promise<number> {
  return Number(/cmdstat_time:calls=(\d+)/.exec(await tracker.client.info("commandstats"))?.[1] ?? 0);
}

describeWithOwnServer("hotpath top while Redis", () => {
  // Whatever a test has done to the server, one that failed half-way included: the next finds it with its functions.
  afterEach(async () => {
    await tracker.server.restart({ signal: "SIGKILL" });
    await run(["deploy"]);
  });

  it.skipIf(!HAS_TERMINAL)("is away says so, and goes on when it is back", async () => {
    const terminal = openTop();
    await terminal.line(/Der Gipfel/);
    await tracker.server.kill();
    await terminal.line(/Redis away, trying again/);
    expect(terminal.screen().some((line) => line.includes("Der Gipfel"))).toBe(true);
    await tracker.server.restart();
    await terminal.line(/The server has no tracker, or an older one; run: hotpath deploy|Der Gipfel/);
    await run(["deploy"]);
    await fill();
    await until(
      () =>
        terminal.screen().some((line) => line.includes("Der Gipfel")) &&
        !terminal.screen().some((line) => /rying again|no tracker/.test(line)),
      { timeoutMs: 20_000 },
    );
    await tracker.server.kill();
    await terminal.line(/Redis away, trying again/);
    terminal.type("q");
    await expectRestored(terminal, 0);
  });

  it.skipIf(!HAS_TERMINAL)("does not answer says for how long, asks no more meanwhile, and can be left", async () => {
    const terminal = openTop();
    await terminal.line(/Der Gipfel/);
    const [, pid] = /process_id:(\d+)/.exec(await tracker.client.info("server"))!;
    const before = await clockReadings();
    process.kill(Number(pid), "SIGSTOP");
    try {
      await terminal.line(/no answer for [5-9]/);
      terminal.type("q");
      await expectRestored(terminal, 0);
    } finally {
      process.kill(Number(pid), "SIGCONT");
    }
    // Each refresh begins with the clock: the one that was out, and one or two of the moment before. Five seconds of them
    // would be five more.
    expect((await clockReadings()) - before).toBeLessThanOrEqual(3);
  });
});
