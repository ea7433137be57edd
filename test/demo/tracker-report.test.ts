import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import {
  displayWidth,
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  formatSpan,
  formatTime,
  pad,
  printable,
  shareBar,
  sparkline,
  truncate,
} from "../../host/terminal/format";
import { startProgress } from "../../host/terminal/progress";
import { styleOf } from "../../demo/paper";
import { renderReport, type ReportData } from "../../demo/tracker/report";
import { renderTable } from "../../host/terminal/table";

const HOUR_MS = 3_600_000;
const TO_MS = Date.UTC(2026, 10, 20, 10, 5);

describe("format", () => {
  test.each([
    [0, "0"],
    [999, "999"],
    [1_000, "1,000"],
    [1_234_567.6, "1,234,568"],
  ])("formatCount(%d)", (count, text) => expect(formatCount(count)).toBe(text));

  test.each([
    [0, "0.0%"],
    [0.4207, "42.1%"],
    [1, "100.0%"],
    [Number.NaN, "0.0%"],
  ])("formatShare(%d)", (share, text) => expect(formatShare(share)).toBe(text));

  test.each([
    [0, "0 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [2_340, "2.3 s"],
    [59_940, "59.9 s"],
    [59_960, "1 min"],
    [65_000, "1 min 5 s"],
    [59 * 60_000 + 59_600, "1 h"],
    [26 * HOUR_MS, "26 h"],
    [26.5 * HOUR_MS, "26 h 30 min"],
    [76 * HOUR_MS, "3 d 4 h"],
    [7 * 24 * HOUR_MS, "7 d"],
  ])("formatDuration(%d)", (ms, text) => expect(formatDuration(ms)).toBe(text));

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [225_906, "225.9 kB"],
    [999_960, "1.0 MB"],
    [1.2e9, "1.2 GB"],
    [5e15, "5000.0 TB"],
  ])("formatBytes(%d)", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test("times and spans are UTC", () => {
    expect(formatTime(TO_MS)).toBe("2026-11-20 10:05");
    expect(formatSpan(TO_MS - HOUR_MS, TO_MS)).toBe("2026-11-20 09:05 – 10:05");
    expect(formatSpan(TO_MS - 24 * HOUR_MS, TO_MS)).toBe("2026-11-19 10:05 – 2026-11-20 10:05");
  });

  test.each([
    [[], undefined, ""],
    [[0, 0], undefined, "▁▁"],
    [[5], undefined, "█"],
    [[0, 1, 2, 3, 4, 5, 6, 7], undefined, "▁▂▃▄▅▆▇█"],
    [[0, 1, 1_000_000], undefined, "▁▂█"],
    [[9, 1, 2], 2, "▅█"],
    [[9, 1, 2], 0, ""],
  ])("sparkline(%j, %j)", (values, width, line) => expect(sparkline(values, width)).toBe(line));

  test.each([
    [0, ""],
    [0.0001, "▏"],
    [0.5, "████"],
    [0.55, "████▍"],
    [1, "████████"],
    [1.5, "████████"],
  ])("shareBar(%d, 8)", (share, bar) => expect(shareBar(share, 8)).toBe(bar));

  test.each([
    ["", 0],
    ["abc", 3],
    ["bühne", 5],
    ["bu\u0308hne", 5],
    ["日本", 4],
    ["한국", 4],
    ["ｆｕｌｌ", 8],
    ["🎉", 2],
    ["👩‍👩‍👧", 2],
    ["🇱🇺", 2],
    ["❤️", 2],
    ["▁█…–·", 5],
  ])("displayWidth(%j)", (text, width) => expect(displayWidth(text)).toBe(width));

  test.each([
    ["abcdef", 6, "end", "abcdef"],
    ["abcdef", 5, "end", "abcd…"],
    ["abcdef", 1, "end", "…"],
    ["abcdef", 0, "end", ""],
    ["abcdefghij", 7, "middle", "abc…hij"],
    ["abcdefghij", 6, "middle", "abc…ij"],
    ["日本語", 6, "end", "日本語"],
    ["日本語", 5, "end", "日本…"],
    ["日本語", 4, "end", "日…"],
    ["日本語日本語", 8, "middle", "日本…語"],
    ["👩‍👩‍👧abc", 3, "end", "👩‍👩‍👧…"],
  ] as const)("truncate(%j, %d, %s)", (text, width, where, short) => {
    expect(truncate(text, width, where)).toBe(short);
    expect(displayWidth(short)).toBeLessThanOrEqual(width);
  });

  test("pad counts columns", () => {
    expect(pad("日本", 6)).toBe("日本  ");
    expect(pad("7", 3, "right")).toBe("  7");
    expect(pad("long", 2)).toBe("long");
  });

  test("printable leaves no character that moves the cursor or turns the text", () => {
    expect(printable("a\u001b[2Jb\nc\u009bd\u202ee\u2066f")).toBe("a�[2Jb�c�d�e�f");
    expect(printable("/b\u00fchne/日本 👩‍👧")).toBe("/b\u00fchne/日本 👩‍👧");
  });
});

describe("renderTable", () => {
  const columns = [
    { title: "page", flexible: "middle" },
    { title: "site", dropRank: 1 },
    { title: "views", align: "right" },
  ] as const;
  const rows = [
    ["a.example/日本", "a", "1,234"],
    ["a.example/news/national/a/1874304.html", "bb", "5"],
  ];

  test("aligns by columns on the screen", () => {
    expect(renderTable(columns, rows, 80)).toEqual([
      "page                                    site  views",
      "a.example/日本                          a     1,234",
      "a.example/news/national/a/1874304.html  bb        5",
    ]);
  });

  test("shortens the flexible column as far as it can be read, then leaves out what may be", () => {
    expect(renderTable(columns, rows, 33)[2]).toBe("a.example/…4304.html  bb        5");
    expect(renderTable(columns, rows, 32)).toEqual([
      "page                       views",
      "a.example/日本             1,234",
      "a.example/ne…1874304.html      5",
    ]);
    expect(renderTable(columns, rows, 10)).toEqual(["p…e  views", "a…   1,234", "a…l      5"]);
    expect(renderTable(columns, rows, 4)).toEqual(["…  …", "…  …", "…  …"]);
  });
});

const DATA: ReportData = {
  source: "generated traffic",
  server: { name: "Redis", version: "7.0.15" },
  fromMs: TO_MS - 26 * HOUR_MS,
  toMs: TO_MS,
  total: { pageViews: 4_000, uniqueDevices: 1_200 },
  sites: [
    { name: "daily.example", pageViews: 3_000, uniqueDevices: 1_000 },
    { name: "kultur.example", pageViews: 1_000 },
  ],
  pages: [
    { url: "www.daily.example/news/national/a/1874304.html", pageViews: 1_500, uniqueDevices: 700 },
    { url: "kultur.example/x", title: "Große Bühne", pageViews: 20, uniqueDevices: 5 },
  ],
  sections: [{ website: "kultur.example", name: "bühne/日本", pageViews: 900, uniqueDevices: 80 }],
  devices: [
    { span: "last hour", pageViews: 300, uniqueDevices: 120 },
    { span: "last 24 hours", pageViews: 0, uniqueDevices: 0 },
  ],
  hours: [0, 700, 1_400, 350].map((pageViews, index) => ({
    startMs: TO_MS - 5 * 60_000 - (3 - index) * HOUR_MS,
    pageViews,
  })),
  tiers: [
    { tier: "5MINUTES", windows: 6, records: 1_812, fromMs: TO_MS - HOUR_MS / 2, toMs: TO_MS },
    { tier: "3HOURS", windows: 0, records: 0 },
  ],
  rejected: [
    { name: "relative url", count: 12 },
    { name: "null uui", count: 0 },
  ],
  late: 131,
  leftOut: [{ name: "bot", count: 2_352 }],
  speed: { events: 4_012, elapsedMs: 50 },
  checks: [
    { name: "page views of daily.example", expected: 3_000, counted: 3_000 },
    { name: "rejected", expected: 12, counted: 11 },
  ],
};

describe("renderReport", () => {
  test("on 80 columns", () => {
    expect(renderReport(DATA, { width: 80 })).toBe(`\
Hotpath · generated traffic                                         Redis 7.0.15
2026-11-19 08:05 – 2026-11-20 10:05 UTC, 26 h

4,000 page views   1,200 unique devices   80,240 events/s

Last 4 hours, page views an hour
▁▁▅▅██▃▃
11-20 07:00
peak 1,400 from 11-20 09:00 UTC

Sites
site            page views  devices  share
daily.example        3,000    1,000  75.0%  ████████████
kultur.example       1,000        –  25.0%  ████

Top pages
page                                            page views  devices
www.daily.example/news/national/a/1874304.html       1,500      700
Große Bühne · kultur.example/x                          20        5

Top sections
section     site            page views  devices
bühne/日本  kultur.example         900       80

Devices
span           page views  devices  views a device
last hour             300      120             2.5
last 24 hours           0        0               –

What each tier holds
tier      windows  records  from – to (UTC)
5MINUTES        6    1,812  11-20 09:35 – 11-20 10:05
3HOURS          0        0  –

Events
4,012 events in 50 ms, 131 late, counted all the same, 12 rejected

Rejected: 12
reason        count
relative url     12

Left out of the log: 2,352
reason  count
bot     2,352

Checked against what was sent
count                        expected  counted
page views of daily.example     3,000    3,000  ✓
rejected                           12       11  ✗ differs
`);
  });

  test.each([120, 80, 64, 56, 50, 44, 40])("keeps to %i columns, without spaces at line ends", (width) => {
    const wide: ReportData = {
      ...DATA,
      source: "/var/log/日本/".repeat(20),
      pages: [{ url: `a.example/${"日本".repeat(100)}.html`, pageViews: 1e9, uniqueDevices: 1e8 }],
      sections: [{ website: "w".repeat(200), name: "s".repeat(200), pageViews: 1e9, uniqueDevices: 1e8 }],
      sites: [{ name: "x".repeat(200), pageViews: 1e9, uniqueDevices: 1e8 }],
      hours: Array.from({ length: 200 }, (_, index) => ({ startMs: TO_MS + index * HOUR_MS, pageViews: index })),
      rejected: [{ name: "r".repeat(200), count: 1e9 }],
      checks: [{ name: "c".repeat(200), expected: 1, counted: 2 }],
    };
    for (const line of renderReport(wide, { width }).split("\n")) {
      expect(displayWidth(line), line).toBeLessThanOrEqual(width);
      expect(line).toBe(line.trimEnd());
    }
  });

  test("takes fewer than 40 columns as 40", () => {
    expect(renderReport(DATA, { width: 5 })).toBe(renderReport(DATA, { width: 40 }));
  });

  test("leaves out what is empty", () => {
    const empty: ReportData = {
      ...DATA,
      total: { pageViews: 0 },
      sites: [],
      pages: [],
      sections: [],
      devices: [],
      hours: [{ startMs: 0, pageViews: 0 }],
      tiers: [],
      rejected: [],
      late: 0,
      leftOut: [],
      speed: { events: 0, elapsedMs: 0 },
      checks: [],
    };
    expect(renderReport(empty)).toBe(`\
Hotpath · generated traffic                                         Redis 7.0.15
2026-11-19 08:05 – 2026-11-20 10:05 UTC, 26 h

0 page views   0 events/s

Events
0 events in 0 ms, 0 rejected
`);
  });

  test("colours change nothing but the colours, and are off unless asked for", () => {
    const coloured = renderReport(DATA, { colors: true });
    expect(coloured).toContain("\u001b[1m");
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(renderReport(DATA));
    expect(renderReport(DATA)).not.toContain("\u001b");
  });

  test("lets nothing from outside write to the terminal", () => {
    const evil = "\u001b[2J\r\n\u202e";
    const text = renderReport({
      ...DATA,
      source: evil,
      server: { name: evil, version: evil },
      sites: [{ name: evil, pageViews: 1 }],
      pages: [{ url: evil, title: evil, pageViews: 1 }],
      sections: [{ website: evil, name: evil, pageViews: 1 }],
      devices: [{ span: evil, pageViews: 1 }],
      tiers: [{ tier: evil, windows: 1, records: 1 }],
      rejected: [{ name: evil, count: 1 }],
      leftOut: [{ name: evil, count: 1 }],
      checks: [{ name: evil, expected: 1, counted: 1 }],
    });
    expect(text).not.toMatch(/[\u001b\r\u202e]/);
  });
});

describe("styleOf", () => {
  test.each([
    [{ isTTY: true, columns: 100 }, {}, { width: 100, colors: true }],
    [{ isTTY: true, columns: 300 }, {}, { width: 120, colors: true }],
    [{ isTTY: true, columns: 0 }, {}, { width: 80, colors: true }],
    [{ isTTY: true, columns: 50 }, { NO_COLOR: "1" }, { width: 50, colors: false }],
    [{ isTTY: true, columns: 50 }, { NO_COLOR: "" }, { width: 50, colors: true }],
    [{ isTTY: true, columns: 50 }, { TERM: "dumb" }, { width: 50, colors: false }],
    [{ columns: 50 }, {}, { width: 80, colors: false }],
    [{}, { FORCE_COLOR: "1" }, { width: 80, colors: false }],
  ])("of %j and %j", (output, env, style) => expect(styleOf(output, env)).toEqual(style));
});

describe("startProgress", () => {
  class Recorder extends Writable {
    text = "";
    isTTY = false;
    columns = 80;
    override _write(chunk: Buffer, _encoding: string, done: () => void) {
      this.text += chunk.toString();
      done();
    }
  }

  function clock() {
    let ms = 500;
    return { nowMs: () => ms, pass: (by: number) => (ms += by) };
  }

  test("writes a line every few seconds where there is no terminal, and one at the end", () => {
    const stream = new Recorder();
    const { nowMs, pass } = clock();
    const progress = startProgress({ label: "Counting", total: 200_000, stream, nowMs });
    for (const [passed, value] of [
      [1_000, 10_000],
      [4_000, 50_000],
      [1_000, 60_000],
      [4_000, 100_000],
    ] as const) {
      pass(passed);
      progress.update(value);
    }
    pass(10_000);
    progress.update(200_000);
    progress.stop();
    progress.stop();
    expect(stream.text).toBe(
      [
        "Counting: 25.0%, 50,000 events, 10,000/s, 15.0 s left",
        "Counting: 50.0%, 100,000 events, 10,000/s, 10.0 s left",
        "Counting: 100.0%, 200,000 events, 10,000/s, 0 ms left",
        "Counting: 200,000 events in 20.0 s, 10,000/s",
        "",
      ].join("\n"),
    );
  });

  test("knows bytes, totals that nobody knows, and silence", () => {
    const stream = new Recorder();
    const { nowMs, pass } = clock();
    const reading = startProgress({ label: "Reading", unit: "bytes", stream, nowMs, everyMs: 1_000 });
    pass(2_000);
    reading.update(5_000_000);
    const silent = startProgress({ label: "Silent", unit: "lines", stream, nowMs, everyMs: 0 });
    pass(60_000);
    silent.update(60);
    silent.stop();
    expect(stream.text).toBe("Reading: 5.0 MB, 2.5 MB/s\nSilent: 60 lines in 1 min, 1/s\n");
  });

  test("draws a bar on a terminal that fits it, and ends with the result", () => {
    for (const [columns, bar] of [
      [100, `${"█".repeat(12)}${"░".repeat(12)} `],
      [60, ""],
    ] as const) {
      const stream = Object.assign(new Recorder(), { isTTY: true, columns });
      const { nowMs, pass } = clock();
      const progress = startProgress({ label: "Counting", total: 1_000, stream, nowMs });
      pass(1_000);
      progress.update(500);
      progress.stop();
      const drawings = stream.text.split("\u001b").filter((part) => part.includes("Counting"));
      expect(drawings.at(-1)).toBe(`[1GCounting ${bar}500 events in 1.0 s, 500/s`);
    }
  });
});
