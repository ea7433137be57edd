/* What commands for looking show, as pure functions on tables of cases. */
import { describe, expect, it } from "vitest";
import { displayWidth, shortCount } from "../../host/terminal/format";
import { drawPlot, niceTop } from "../../host/terminal/plot";
import { renderSeries } from "../../host/cli/series/render";
import { parseLast, partsOf, seriesSpan, tierFor } from "../../host/cli/series/span";
import type { Status } from "../../host/cli/status/read";
import { findProblems } from "../../host/cli/status/problems";
import { renderStatus } from "../../host/cli/status/render";
import { decodeKeys } from "../../host/terminal/keys";
import { colorsOf, isInteractive } from "../../host/terminal/output";
import type { TopData, TopRow } from "../../host/cli/top/data";
import { movement, shortChange, shortRatio } from "../../host/cli/top/figures";
import { Memo } from "../../host/cli/top/memo";
import { placesSpanOf, runningMinute, spanBefore, spanOf, WINDOWS, type Query } from "../../host/cli/top/query";
import { renderTop, visibleRows, type TopScreen } from "../../host/cli/top/render";
import { inSight, pressed, type TopState } from "../../host/cli/top/state";
import { plain } from "../support/terminal";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.UTC(2026, 10, 20, 12, 8, 31);
const at = (hour: number, minute = 0, day = 20): number => Date.UTC(2026, 10, day, hour, minute);

describe("the span of a window", () => {
  it.each([
    ["5m", at(12, 3), at(12, 8)],
    ["30m", at(11, 38), at(12, 8)],
    ["1h", at(11, 5), at(12, 5)],
    ["24h", at(12, 5, 19), at(12, 5)],
    ["7d", at(12, 5, 13), at(12, 5)],
  ] as const)("%s ends with the last whole minute, or five", (window, fromMs, toMs) => {
    expect(spanOf(window, NOW)).toEqual({ fromMs, toMs });
  });

  it("begins and ends a window on the minute itself", () => {
    expect(spanOf("5m", at(12, 8))).toEqual({ fromMs: at(12, 3), toMs: at(12, 8) });
    expect(spanOf("5m", at(12, 8) - 1)).toEqual({ fromMs: at(12, 2), toMs: at(12, 7) });
    expect(runningMinute(at(12, 8))).toEqual({ fromMs: at(12, 8), toMs: at(12, 9) });
  });

  it("before it is as long", () => {
    expect(spanBefore({ fromMs: at(11), toMs: at(12, 5) })).toEqual({ fromMs: at(9, 55), toMs: at(11) });
  });

  it("that places are from is just before, or whole hours that end before", () => {
    expect(placesSpanOf("30m", { fromMs: at(11, 38), toMs: at(12, 8) })).toEqual({
      fromMs: at(11, 8),
      toMs: at(11, 38),
    });
    expect(placesSpanOf("1h", { fromMs: at(11, 20), toMs: at(12, 25) })).toEqual({ fromMs: at(10), toMs: at(11) });
    expect(placesSpanOf("24h", { fromMs: at(13, 0, 19), toMs: at(13, 5) })).toEqual({
      fromMs: at(12, 0, 18),
      toMs: at(12, 0, 19),
    });
    expect(placesSpanOf("7d", { fromMs: at(0, 0, 13), toMs: at(0) })).toBeUndefined();
  });
});

describe("short figures", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [99_999, "99,999"],
    [100_000, "100k"],
    [999_499, "999k"],
    [999_500, "1.0M"],
    [1_234_567, "1.2M"],
    [9_949_999, "9.9M"],
    [9_950_000, "10M"],
    [4_500_000_000, "4.5G"],
    [Number.MAX_SAFE_INTEGER, "9.0P"],
  ])("%d is %s", (count, text) => {
    expect(shortCount(count)).toBe(text);
    expect(text.length).toBeLessThanOrEqual(6);
  });

  it.each([
    [0, 0, "0", ""],
    [5, 0, "+5", "new"],
    [0, 5, "−5", "−100%"],
    [11, 10, "+1", "+10%"],
    [10, 10, "0", "0%"],
    [99, 10, "+89", "+890%"],
    [100, 10, "+90", "×10"],
    [3_000_000, 1, "+3.0M", "×3.0M"],
    [999, 1000, "−1", "0%"],
  ])("from %d views, %d before", (views, before, change, ratio) => {
    expect([shortChange(views, before), shortRatio(views, before)]).toEqual([change, ratio]);
  });

  it.each([
    [1, undefined, ""],
    [1, null, "new"],
    [3, 3, "="],
    [2, 5, "▲3"],
    [5, 2, "▼3"],
  ])("place %d after %s", (rank, before, text) => {
    expect(movement(rank, before)).toBe(text);
  });
});

const row = (rank: number, change: Partial<TopRow> = {}): TopRow => ({
  isRead: true,
  rank,
  rankBefore: rank + 1,
  id: "0".repeat(40),
  partition: null,
  title: null,
  name: `www.rtl.lu/news/national/a/${rank}.html`,
  website: "rtl.lu",
  websiteId: "f".repeat(40),
  views: 100 - rank,
  viewsBefore: 50,
  devices: 40,
  series: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  ...change,
});

const QUERY: Query = { dimension: "P", window: "30m", count: 100 };

const data = (rows: TopRow[], change: Partial<TopData> = {}): TopData => ({
  query: QUERY,
  nowMs: NOW,
  span: spanOf("30m", NOW),
  before: spanBefore(spanOf("30m", NOW)),
  rankedBefore: spanBefore(spanOf("30m", NOW)),
  exact: true,
  totalViews: 1234,
  runningViews: 5,
  seriesSpan: { fromMs: at(10, 5), toMs: at(12, 5) },
  away: [],
  rotatedUntilMs: at(12, 5),
  rows,
  ...change,
});

const screen = (shown: TopData | undefined, change: Partial<TopScreen> = {}): TopScreen => ({
  query: shown?.query ?? QUERY,
  data: shown,
  selected: 0,
  first: 0,
  paused: false,
  prompt: undefined,
  problem: undefined,
  waitingMs: undefined,
  ...change,
});

const ROWS = [
  row(1, {
    title: "Ein sehr langer Titel über die große Lage der Nation und die 日本の首相、ルクセンブルクを訪問 🎉🎉🎉",
  }),
  row(2, { name: `www.rtl.lu/${"very-long-".repeat(50)}end.html`, rankBefore: null, viewsBefore: 0 }),
  row(3, { title: "a\u001b[2Jb\u202ec\u0007" }),
  row(4, { views: Number.MAX_SAFE_INTEGER, viewsBefore: Number.MAX_SAFE_INTEGER - 1, devices: 12_345_678_901 }),
  row(5, { views: 0, viewsBefore: 12, devices: null, series: [] }),
  row(7, { isRead: false, name: "0".repeat(40), viewsBefore: null, devices: null, series: [] }),
  row(6, { viewsBefore: null, rankBefore: undefined, name: "e\u0301".repeat(80) }),
];

describe("the screen of hotpath top", () => {
  const widths = [1, 2, 5, 20, 39, 40, 80, 109, 110, 160];
  const screens: [string, TopScreen][] = [
    ["full", screen(data(ROWS))],
    ["empty", screen(data([]))],
    ["before the first answer", screen(undefined)],
    ["away", screen(data(ROWS), { problem: "Redis away, trying again (127.0.0.1:6379: connect ECONNREFUSED)" })],
    ["typing", screen(data(ROWS), { prompt: `rtl${"x".repeat(150)}` })],
    [
      "with all notes",
      screen(
        data(ROWS, {
          exact: false,
          rotatedUntilMs: null,
          rankedBefore: { fromMs: at(10), toMs: at(11) },
          totalViews: null,
        }),
        { waitingMs: 90_000 },
      ),
    ],
    ["sections", screen(data(ROWS, { query: { ...QUERY, dimension: "S" } }))],
    [
      "filtered",
      screen(
        data(ROWS, {
          query: {
            ...QUERY,
            filter: {
              partition: null,
              websiteId: "",
              website: "x".repeat(120),
              sectionId: "",
              section: "news\u001b[2J",
            },
          },
        }),
      ),
    ],
  ];

  it.each(screens)("%s: is never wider or higher than the terminal, and holds no control characters", (_, shown) => {
    for (const width of widths) {
      for (const height of [1, 3, 8, 24]) {
        for (const colors of [false, true]) {
          const lines = renderTop(shown, { width, height, colors });
          expect(lines.length, `${width} × ${height}`).toBeLessThanOrEqual(height);
          for (const line of lines) {
            expect(displayWidth(plain(line)), `${width} × ${height}: ${line}`).toBeLessThanOrEqual(width);

            expect(plain(line)).not.toMatch(/[\u0000-\u001f\u007f\u202e]/);
            if (!colors) expect(plain(line)).toBe(line);
          }
        }
      }
    }
  });

  it("says the same in colours as without", () => {
    for (const [, shown] of screens) {
      for (const width of widths) {
        const trimmed = (colors: boolean): string[] =>
          renderTop(shown, { width, height: 24, colors }).map((line) => plain(line).trimEnd());
        expect(trimmed(true)).toEqual(trimmed(false));
      }
    }
  });

  it("keeps rank, name and views down to 40 columns, and cuts a url in its middle", () => {
    const lines = renderTop(screen(data(ROWS)), { width: 40, height: 24, colors: false });
    expect(lines.find((line) => line.includes(" 2 "))).toMatch(/^ {2}2 .*www\.rtl.*….*html +98/);
  });

  it("shows rows, the cursor, times and keys at 80 columns", () => {
    expect(
      renderTop(screen(data(ROWS.slice(0, 2)), { selected: 1 }), { width: 80, height: 11, colors: false }),
    ).toEqual([
      "Pages, last 30 minutes                                        live  12:08:31 UTC",
      "2026-11-20 11:38 – 12:08 UTC (30 min), change against 2026-11-20 11:08 – 11:38",
      "1,234 page views of all websites; 5 in the running minute since 12:08",
      "",
      "  #       page                        views  change     %  devices  11:05–12:05",
      "  1  ▲1   Ein sehr langer Titel übe…     99     +49  +98%       40  ▂▃▃▄▄▅▆▆▇▇██",
      "› 2  new  www.rtl.lu/ve…ong-end.html     98     +98   new       40  ▂▃▃▄▄▅▆▆▇▇██",
      "",
      "",
      "",
      "q quit  p s w what  1-5 window  ↑↓ move  enter into  f website  esc all      2/2",
    ]);
  });

  it("says what cannot be told", () => {
    const text = (change: Partial<TopData>): string =>
      renderTop(screen(data(ROWS, change)), { width: 160, colors: false }).join("\n");
    expect(text({})).not.toMatch(/Moves|Rotation|More records|Nothing is kept/);
    expect(text({ exact: false })).toMatch(/More records than can be searched/);
    expect(text({ rotatedUntilMs: null })).toMatch(/Rotation has never run/);
    expect(text({ rotatedUntilMs: NOW - 15 * MINUTE })).not.toMatch(/Rotation/);
    expect(text({ rotatedUntilMs: NOW - 15 * MINUTE - 1 })).toMatch(/Rotation has not run since 2026-11-20 11:53/);
    expect(text({ rankedBefore: { fromMs: at(10), toMs: at(11) } })).toMatch(
      /Moves \(▲▼\) against the places of 2026-11-20 10:00 – 11:00/,
    );
    expect(text({ rankedBefore: undefined })).toMatch(/Nothing is kept of the places before/);
  });

  it("is one table without height: no cursor, no keys, all rows", () => {
    const lines = renderTop(screen(data(Array.from({ length: 300 }, (_, index) => row(index + 1)))), {
      width: 120,
      colors: false,
    });
    expect(lines).toHaveLength(4 + 1 + 300);
    expect(lines.join("\n")).not.toMatch(/›|quit|live/);
  });

  it("knows how many rows are visible", () => {
    const shown = screen(data(Array.from({ length: 300 }, (_, index) => row(index + 1))));
    for (const height of [10, 24, 50]) {
      const style = { width: 80, height, colors: false };
      expect(renderTop(shown, style).filter((line) => line.includes(".html"))).toHaveLength(visibleRows(shown, style));
    }
  });
});

describe("keys", () => {
  it.each([
    ["q", [{ text: "q" }]],
    ["\u001b[A\u001b[B\u001bOC\u001bOD", ["up", "down", "right", "left"]],
    ["\u001b[5~\u001b[6~\u001b[H\u001b[F\u001b[1~\u001b[4~", ["page up", "page down", "home", "end", "home", "end"]],
    ["\u001b", ["escape"]],
    ["\r\t\u007f\u0003\u001a", ["enter", "tab", "backspace", "interrupt", "suspend"]],
    ["\u001b[1;5A\u001b[20~\u001b[<0;1;1M", []],
    ["é日🎉", [{ text: "é" }, { text: "日" }, { text: "🎉" }]],
    ["\u0001\u0002", []],
    ["", []],
  ])("%j", (input, keys) => expect(decodeKeys(input)).toEqual(keys));
});

describe("what keys do", () => {
  const rows = Array.from({ length: 30 }, (_, index) => row(index + 1));
  const visible = { rows, fit: 10 };
  const start: TopState = { query: QUERY, selected: 0, first: 0, paused: false, ended: false };
  const after = (keys: string, from = start, seen = visible): TopState =>
    decodeKeys(keys).reduce((state, key) => pressed(state, key, seen), from);

  it.each([["q"], ["Q"], ["\u0003"]])("%j ends", (keys) => expect(after(keys).ended).toBe(true));

  it("moves, and scrolls to what is selected, at both ends", () => {
    const DOWN = "\u001b[B";
    expect(after("\u001b[A")).toMatchObject({ selected: 0, first: 0 });
    expect(after(DOWN.repeat(9))).toMatchObject({ selected: 9, first: 0 });
    expect(after(DOWN.repeat(10))).toMatchObject({ selected: 10, first: 1 });
    expect(after("\u001b[6~")).toMatchObject({ selected: 10, first: 1 });
    expect(after("\u001b[F")).toMatchObject({ selected: 29, first: 20 });
    expect(after("\u001b[F\u001b[5~")).toMatchObject({ selected: 19, first: 19 });
    expect(after("\u001b[F\u001b[H")).toMatchObject({ selected: 0, first: 0 });
    expect(after(DOWN, start, { rows: [], fit: 10 })).toMatchObject({ selected: 0, first: 0 });
  });

  it("keeps the cursor on a row when the list gets shorter", () => {
    expect(inSight({ ...start, selected: 29, first: 20 }, { rows: rows.slice(0, 3), fit: 10 })).toMatchObject({
      selected: 2,
      first: 0,
    });
    expect(inSight({ ...start, selected: 2 }, { rows: [], fit: 10 })).toMatchObject({ selected: 0, first: 0 });
  });

  it("chooses dimension and window", () => {
    expect(["p", "s", "w", "a", "v", "c"].map((key) => after(key).query.dimension)).toEqual([
      "P",
      "S",
      "W",
      "A",
      "V",
      "PC",
    ]);
    expect(["1", "2", "3", "4", "5"].map((key) => after(key).query.window)).toEqual([...WINDOWS]);
    expect(after("\t").query.dimension).toBe("S");
    expect(after("\u001b[C").query.window).toBe("1h");
    expect(after("\u001b[D\u001b[D\u001b[D").query.window).toBe("5m");
    expect(after("6").query).toBe(start.query);
  });

  it("asks nothing anew for a key that changes nothing", () => {
    for (const keys of ["p", "2", "x", "\u001b"]) expect(after(keys).query, keys).toBe(start.query);
  });

  it("looks into a website and a section, and back", () => {
    const websites = { ...start, query: { ...QUERY, dimension: "W" as const } };
    const into = after("\r", websites, { rows: [row(1, { id: "a".repeat(40), name: "rtl.lu" })], fit: 10 });
    expect(into.query).toMatchObject({ dimension: "P", filter: { websiteId: "a".repeat(40), website: "rtl.lu" } });
    const sections = { ...start, query: { ...QUERY, dimension: "S" as const } };
    const section = after("\r", sections, { rows: [row(1, { id: "b".repeat(40), name: "news" })], fit: 10 });
    expect(section.query.filter).toMatchObject({
      sectionId: "b".repeat(40),
      section: "news",
      website: "rtl.lu",
      websiteId: "f".repeat(40),
    });
    expect(after("\u001b", section).query.filter).toBeUndefined();
    expect(after("\r")).toBe(start);
    expect(after("\r", websites, { rows: [row(1, { isRead: false })], fit: 10 })).toBe(websites);
  });

  it("lets go of a filter that media cannot have", () => {
    const filtered = { ...start, query: { ...QUERY, filter: { partition: null, websiteId: "", website: "rtl.lu" } } };
    expect(after("s", filtered).query.filter).toBeDefined();
    expect(after("a", filtered).query.filter).toBeUndefined();
  });

  it("reads a website", () => {
    expect(after("frtl.lx\u007fu\r")).toMatchObject({ sought: "rtl.lu", prompt: undefined });
    expect(after("fq")).toMatchObject({ prompt: "q", ended: false });
    expect(after("fx\u001b")).toMatchObject({ prompt: undefined });
    expect(after("f \r")).toMatchObject({ prompt: undefined });
    expect(after("f \r").sought).toBeUndefined();
    expect(after("f\u0003").ended).toBe(true);
    expect(after(`f${"x".repeat(300)}`).prompt).toHaveLength(200);
  });

  it("pauses and goes on", () => {
    expect(after(" ").paused).toBe(true);
    expect(after("  ").paused).toBe(false);
  });
});

describe("a plot", () => {
  it("has values and times at its axes, and a thin bar for what is not nothing", () => {
    const { lines, windowsPerColumn } = drawPlot(
      { values: [0, 1, 50, 100, null, 0], startMs: at(10), stepMs: HOUR / 6 },
      { width: 30, height: 4 },
    );
    expect(windowsPerColumn).toBe(0.25);
    expect(lines).toEqual([
      "100 ┤            ████",
      "    │            ████",
      " 50 ┤        ████████",
      "    │    ▁▁▁▁████████????",
      "    └────────────────────────",
      "     10:00   10:20   10:40",
    ]);
  });

  it.each([1, 3, 10, 40, 80, 160])("fits into %d columns, with no value, one, and very many", (width) => {
    for (const values of [[], [0], [7], Array.from({ length: 5000 }, (_, index) => index * 1e9)]) {
      for (const line of drawPlot({ values, startMs: at(0), stepMs: HOUR }, { width, height: 6 }).lines) {
        if (width >= 10) expect(displayWidth(line), line).toBeLessThanOrEqual(width);
      }
    }
  });

  it("shows the highest of the windows that share a column", () => {
    const values = new Array<number>(200).fill(1);
    values[57] = 100;
    const { lines, windowsPerColumn } = drawPlot({ values, startMs: at(0), stepMs: HOUR }, { width: 55, height: 2 });
    expect(windowsPerColumn).toBe(4);
    expect(lines[0]!.indexOf("█") - "100 ┤".length).toBe(14);
  });

  it.each([
    [0, 4],
    [4, 4],
    [5, 5],
    [9, 10],
    [10, 10],
    [11, 12],
    [101, 120],
    [999, 1000],
    [650, 800],
  ])("%d is drawn up to %d", (highest, top) => {
    expect(niceTop(highest)).toBe(top);
  });
});

describe("the span of a series", () => {
  it.each([
    ["5m", 5 * MINUTE],
    ["90m", 90 * MINUTE],
    ["24h", 24 * HOUR],
    ["7d", 168 * HOUR],
    ["2w", 336 * HOUR],
    ["3650d", 87_600 * HOUR],
  ])("%s", (text, ms) => {
    expect(parseLast(text)).toBe(ms);
  });

  it.each(["", "4m", "0h", "24", "1.5h", "-1h", "h", "24 h", "3651d", "9999999h"])("refuses %j", (text) => {
    expect(() => parseLast(text)).toThrow(/--last must be a length of time/);
  });

  it("has the finest tier that a plot shows well", () => {
    expect([12 * HOUR, 12 * HOUR + 1, 24 * HOUR, 144 * HOUR, 145 * HOUR, 8760 * HOUR].map(tierFor)).toEqual([
      "5MINUTES",
      "10MINUTES",
      "10MINUTES",
      "1HOUR",
      "3HOURS",
      "3HOURS",
    ]);
  });

  it("ends where whole windows are made", () => {
    expect(seriesSpan("1HOUR", 24 * HOUR, at(12, 55))).toEqual({ tier: "1HOUR", fromMs: at(12, 0, 19), toMs: at(12) });
    expect(seriesSpan("3HOURS", HOUR, at(12, 55))).toEqual({ tier: "3HOURS", fromMs: at(9), toMs: at(12) });
  });

  it("is asked for in parts that one call answers, none twice and none left out", () => {
    const parts = partsOf({ fromMs: at(5, 5, 1), toMs: at(5, 5, 1) + 100 * 24 * HOUR }, 5 * MINUTE);
    expect(parts[0]!.fromMs).toBe(at(5, 5, 1));
    expect(parts.at(-1)!.toMs).toBe(at(5, 5, 1) + 100 * 24 * HOUR);
    for (const [index, { fromMs, toMs }] of parts.entries()) {
      expect((toMs - fromMs) / (5 * MINUTE)).toBeLessThanOrEqual(10_000);
      if (index > 0) expect(fromMs).toBe(parts[index - 1]!.toMs);
    }
  });

  it("is rendered within its width, in colours as without", () => {
    const target = {
      source: undefined as never,
      dimension: "P" as const,
      id: "0".repeat(40),
      name: "www.rtl.lu/".repeat(30),
      title: "日本".repeat(60),
      website: { id: "", name: "rtl.lu" },
    };
    const series = {
      target,
      span: seriesSpan("10MINUTES", 24 * HOUR, NOW - (NOW % (5 * MINUTE))),
      views: new Array<number>(144).fill(3),
      devices: [...new Array<number>(143).fill(2), null],
      devicesInAll: null,
    };
    for (const width of [20, 40, 80, 160]) {
      const lines = renderSeries(series, "both", { width, colors: false });
      for (const line of lines) expect(displayWidth(line), line).toBeLessThanOrEqual(width);
      expect(renderSeries(series, "both", { width, colors: true }).map((line) => plain(line).trimEnd())).toEqual(
        lines.map((line) => line.trimEnd()),
      );
    }
  });
});

describe("what is wrong", () => {
  const status = (
    change: Partial<Status["tracker"][number]> = {},
    primary: Partial<Status["primaries"][number]> = {},
  ): Status => ({
    primaries: [
      {
        address: "127.0.0.1:7000",
        problem: null,
        server: "redis 7.0.15",
        libraries: [{ library: "tracker", state: "in step", version: "1", hash: "a".repeat(40), functions: 3 }],
        memory: { usedBytes: 90, maxBytes: 0, policy: "noeviction" },
        ...primary,
      },
    ],
    replicas: [],
    tracker: [
      {
        partition: null,
        status: {
          streams: [],
          tiers: [],
          rejected: [],
          late: 0,
          websites: 0,
          sections: 0,
          pages: 0,
          rotatedUntil: null,
          enrichWaiting: 0,
          enriched: 0,
          enrichAbandoned: [],
          carryWaiting: 0,
          carryLagMs: 0,
        },
        delays: { streams: [], tiers: [] },
        memory: [],
        memoryError: null,
        unread: [],
        error: null,
        ...change,
      },
    ],
    topics: [],
  });
  const kinds = (of: Status): string[] => findProblems(of).map(({ kind }) => kind);
  const tiers = (tier: string, pg: number, ud: number) => status({ delays: { streams: [], tiers: [[tier, pg, ud]] } });

  it("is nothing where nothing is", () => expect(findProblems(status())).toEqual([]));

  it.each([
    ["5MINUTES", 10 * MINUTE],
    ["10MINUTES", 20 * MINUTE],
    ["1HOUR", 2 * HOUR],
    ["3HOURS", 6 * HOUR],
  ])("is a %s that is not rotated for more than two lengths", (tier, lateMs) => {
    expect(kinds(tiers(tier, lateMs, lateMs))).toEqual([]);
    expect(kinds(tiers(tier, lateMs + 1, 0))).toEqual(["rotation"]);
    expect(kinds(tiers(tier, 0, lateMs + 1))).toEqual(["rotation"]);
  });

  it.each([
    [
      "an entry that waits for more than a minute",
      status({ delays: { streams: [["ST", 5, MINUTE + 1]], tiers: [] } }),
      ["stream"],
    ],
    ["no entry that waits for a minute", status({ delays: { streams: [["ST", 5, MINUTE]], tiers: [] } }), []],
    ["a stream that nobody reads", status({ unread: [{ stream: "ST", entries: 3 }] }), ["stream"]],
    ["a tracker that does not answer", status({ status: null, delays: null, memory: null, error: "x" }), ["tracker"]],
    [
      "a library that differs",
      status({}, { libraries: [{ library: "tracker", state: "differs", version: "1", hash: "b", functions: 3 }] }),
      ["library"],
    ],
    [
      "a library that is missing",
      status({}, { libraries: [{ library: "tracker", state: "missing", version: null, hash: null, functions: 0 }] }),
      ["library"],
    ],
    [
      "no library of somebody else",
      status({}, { libraries: [{ library: "theirs", state: "foreign", version: null, hash: null, functions: 1 }] }),
      [],
    ],
    [
      "memory that is almost full",
      status({}, { memory: { usedBytes: 91, maxBytes: 100, policy: "noeviction" } }),
      ["memory"],
    ],
    ["no memory that is not", status({}, { memory: { usedBytes: 90, maxBytes: 100, policy: "noeviction" } }), []],
    [
      "a policy that drops keys",
      status({}, { memory: { usedBytes: 1, maxBytes: 100, policy: "allkeys-lru" } }),
      ["memory"],
    ],
  ])("is %s", (_, of, expected) => expect(kinds(of)).toEqual(expected));

  it("is what went missing of a stream, for a day", () => {
    const lostMs = Date.UTC(2024, 0, 15, 12);
    const nowMs = lostMs + 24 * HOUR;
    const topic = {
      topic: "packages",
      partition: null,
      stream: "packages",
      missing: 3,
      missingAt: lostMs,
      begunAnew: 0,
    };
    const [found] = findProblems({ ...status(), topics: [topic] }, nowMs);
    expect(found?.kind).toBe("stream");
    expect(found?.message).toMatch(/^3 entries of packages were removed/);
    expect(findProblems({ ...status(), topics: [topic] }, nowMs + 1)).toEqual([]);
    expect(findProblems({ ...status(), topics: [{ ...topic, missing: 0 }] }, nowMs)).toEqual([]);
    const anew = { ...topic, missing: 0, begunAnew: 1 };
    expect(findProblems({ ...status(), topics: [anew] }, nowMs)).toMatchObject([{ kind: "stream" }]);
    const shown = status();
    shown.tracker[0]!.status!.streams = [["ST", "1-0", 5, 0, 2, lostMs, 0]];
    expect(findProblems(shown, nowMs)[0]?.message).toMatch(/^2 entries of ST /);
  });

  it("comes first, and fits into any width", () => {
    const shown = status({
      delays: { streams: [["ST:TRACKER::::", 5, 2 * HOUR]], tiers: [["1HOUR", 5 * HOUR, 5 * HOUR]] },
      memory: null,
      memoryError: "NOPERM",
    });
    for (const width of [20, 40, 80, 160]) {
      const lines = renderStatus(shown, findProblems(shown), { width, colors: false });
      expect(lines[0]).toMatch(/^✗ about 5/);
      for (const line of lines) expect(displayWidth(line), line).toBeLessThanOrEqual(width);
    }
  });
});

describe("answers that are kept", () => {
  it("are asked for once in their time, and again after it", async () => {
    let now = 0;
    let asked = 0;
    const memo = new Memo(() => now);
    const ask = (): Promise<number> => Promise.resolve((asked += 1));
    expect([await memo.get("a", 10, ask), await memo.get("a", 10, ask), await memo.get("b", 10, ask)]).toEqual([
      1, 1, 2,
    ]);
    now = 10;
    expect(await memo.get("a", 10, ask)).toBe(3);
  });

  it("are not kept where they failed, and not more than there may be", async () => {
    const memo = new Memo(() => 0, 2);
    await expect(memo.get("a", 10, () => Promise.reject(new Error("away")))).rejects.toThrow("away");
    expect(await memo.get("a", 10, () => Promise.resolve(1))).toBe(1);
    await memo.get("b", 10, () => Promise.resolve(1));
    await memo.get("c", 10, () => Promise.resolve(1));
    expect(await memo.get("a", 10, () => Promise.resolve(2))).toBe(2);
  });
});

describe("a terminal", () => {
  it.each([
    [{ isTTY: true }, {}, true, true],
    [{ isTTY: true }, { NO_COLOR: "1" }, true, false],
    [{ isTTY: true }, { NO_COLOR: "" }, true, true],
    [{ isTTY: true }, { TERM: "dumb" }, false, false],
    [{ isTTY: false }, {}, false, false],
    [{}, {}, false, false],
  ])("%j with %j", (output, environment, interactive, colors) => {
    expect([isInteractive(output, environment), colorsOf(output, environment)]).toEqual([interactive, colors]);
  });
});
