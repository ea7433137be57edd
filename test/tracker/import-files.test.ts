/* `hotpath import`: real files, real processes, real kill -9. */
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../host/redis/connection";
import { functionsOf } from "../../host/deploy/client";
import { Importer, openFiles } from "../../host/tracker/import/import";
import { runHotpath, type RunningProcess } from "../support/processes";
import { sha1, useTracker } from "../support/tracker";
import { until } from "../support/wait";

const tracker = useTracker();
const folder = mkdtempSync(join(tmpdir(), "hotpath-import-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => tracker.server.flush());

const START = Date.UTC(2025, 4, 17, 10);
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36";

function logTime(ms: number): string {
  const date = new Date(ms);
  return `${String(date.getUTCDate()).padStart(2, "0")}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${date.toISOString().slice(11, 19)} +0000`;
}

const line = (at: number, { path = `/news/${at % 7}.html`, stepMs = 1000, client = at % 40 } = {}): string =>
  `10.0.0.${client} - - [${logTime(START + at * stepMs)}] "GET ${path} HTTP/1.1" 200 12 "-" "${AGENT}"`;
const lines = (count: number, from = 0, options = {}): string =>
  Array.from({ length: count }, (_, at) => `${line(from + at, options)}\n`).join("");

/** A file of its own, so that no other test knows it. */
function file(content: string | Uint8Array, name = `${randomUUID()}.log`): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** All page views of a website, as the series has them. */
async function views(website = "access-log"): Promise<number> {
  const points: [number, number][] = [];
  for (let day = -1; day < 3; day += 1) {
    const fromMs = START + day * 86_400_000;
    points.push(
      ...((await tracker.read(
        "range_pg",
        "W",
        sha1(website),
        "TIER",
        "5MINUTES",
        "FROM",
        fromMs,
        "TO",
        fromMs + 86_400_000,
      )) as [number, number][]),
    );
  }
  return points.reduce((sum, [, value]) => sum + value, 0);
}

const run = (...args: string[]): RunningProcess =>
  runHotpath(["import", ...args], {
    cwd: folder,
    env: { REDIS_URL: tracker.server.url, ENV: undefined, CONFIG_PATH: undefined },
  });

interface FileReport {
  done: boolean;
  lines: number;
  events: number;
  accepted: number;
  acceptedBefore: number;
  rejected: number;
  leftOut: Record<string, number>;
  reasons: Record<string, number>;
  unfinishedLine: boolean;
  error?: string;
  firstMs: number;
  lastMs: number;
}

interface Report {
  code: number | null;
  accepted: number;
  files: FileReport[];
  errors: string;
}

/** Imports to the end and answers the report of the first file. */
async function importing(...args: string[]): Promise<Report & { first: FileReport }> {
  const process = run("--json", ...args);
  const { code } = await process.exit;
  const errors = process.errors.filter((each) => !/^(Importing|Reading):/.test(each)).join("\n");
  if (process.lines.length === 0) return { code, accepted: 0, files: [], errors, first: undefined as never };
  const report = JSON.parse(process.lines.join("\n")) as Report;
  return { ...report, code, errors, first: report.files[0]! };
}

describe("an import", () => {
  it("counts a log once, says so the second time, and again if asked to", async () => {
    const path = file(lines(600));
    expect(await importing(path)).toMatchObject({
      code: 0,
      accepted: 600,
      first: { done: true, lines: 600, firstMs: START, lastMs: START + 599_000 },
    });
    expect(await importing(path)).toMatchObject({ code: 0, accepted: 0, first: { lines: 0, acceptedBefore: 600 } });
    expect(await views()).toBe(600);
    const inWords = run(path);
    await inWords.exit;
    expect(inWords.lines.join("\n")).toContain("imported to its end already, 600 events; --again counts it anew");
    expect(await importing("--again", path)).toMatchObject({ accepted: 600 });
    expect(await views()).toBe(1200);
  });

  it("knows a log that was rotated, packed or piped, and goes on where it ended", async () => {
    const path = file(lines(300));
    await importing(path);
    appendFileSync(path, lines(200, 300));
    expect(await importing(path)).toMatchObject({ accepted: 200, first: { lines: 200, acceptedBefore: 300 } });
    const packed = file(gzipSync(lines(500)), "access.log.1.gz");
    expect(await importing(packed)).toMatchObject({ accepted: 0, first: { done: true, acceptedBefore: 500 } });
    expect(await views()).toBe(500);
  });

  it("takes standard input, and knows it when it is piped again", async () => {
    const connection = await connect(tracker.server.url);
    onTestFinished(() => connection.close());
    const functions = functionsOf(connection);
    const pipe = async (content: string): Promise<number> => {
      const chunks = (content.match(/[^]{1,777}/g) ?? []).map((part) => Buffer.from(part));
      const options = {
        files: ["-"],
        rotates: true,
        say: () => undefined,
        onBytes: () => undefined,
        signal: new AbortController().signal,
        stdin: Readable.from(chunks),
      };
      const opened = (await openFiles(functions, options)).filter((each) => each !== null);
      await new Importer(opened, functions, options).run();
      for (const each of opened) await each.close();
      return opened.reduce((sum, { counted }) => sum + counted.accepted, 0);
    };
    expect(await pipe(lines(300))).toBe(300);
    expect(await pipe(lines(300))).toBe(0);
    expect(await pipe(lines(350))).toBe(50);
    expect(await importing(file(lines(360)))).toMatchObject({ accepted: 10 });
    expect(await pipe("")).toBe(0);
    expect(await views()).toBe(360);
  });

  it("knows a short log that has grown", async () => {
    const path = file(lines(2));
    expect(await importing(path)).toMatchObject({ accepted: 2 });
    appendFileSync(path, lines(498, 2));
    expect(await importing(path)).toMatchObject({ accepted: 498 });
    appendFileSync(path, lines(10, 500));
    expect(await importing(path)).toMatchObject({ accepted: 10 });
    expect(await views()).toBe(510);
  });

  it("does not take a file that was rewritten for the one it knows", async () => {
    const path = file(lines(300));
    await importing(path);
    truncateSync(path, lines(100).length);
    const cut = await importing(path);
    expect(cut.code).toBe(1);
    expect(cut.first.error).toContain("cut off or rewritten");
    writeFileSync(path, lines(100) + lines(300, 100, { path: "/other" }));
    expect((await importing(path)).first.error).toContain("--again");
    expect(await views()).toBe(300);
  });

  it("takes several logs by their times, whatever their order", async () => {
    const one = file(lines(300));
    const two = file(lines(300, 300));
    const report = await importing(two, one);
    expect(report.files.map(({ accepted }) => accepted)).toEqual([300, 300]);
    expect(await views()).toBe(600);
    expect(await tracker.client.exists("H:BACKFILL::::")).toBe(0);
  });

  it("unites the devices of two servers of the same time", async () => {
    const one = file(lines(4000, 0, { stepMs: 5000, client: 1 }));
    const two = file(lines(4000, 0, { stepMs: 5000, client: 2 }));
    await importing(one, two);
    const points = (await tracker.read(
      "range_ud",
      "W",
      sha1("access-log"),
      "TIER",
      "5MINUTES",
      "FROM",
      START,
      "TO",
      START + 4000 * 5000,
    )) as [number, number][];
    expect(points.length).toBeGreaterThan(60);
    expect(new Set(points.map(([, devices]) => devices))).toEqual(new Set([2]));
  });

  it("counts JSON lines, with website and shift", async () => {
    const events = Array.from({ length: 20 }, (_, at) =>
      JSON.stringify({ url: `http://x.example/${at % 3}`, uui: `d${at}`, dt: at % 2 ? START : String(START + 1000) }),
    );
    const path = file(`${events.join("\n")}\n\n{"url": 5}\n{"broken\n`);
    expect(await importing(path)).toMatchObject({
      accepted: 20,
      first: { rejected: 1, reasons: { url: 1 }, leftOut: { unparsable: 2 } },
    });
    expect(await views("x.example")).toBe(20);
    const before = Date.now();
    expect(await importing("--again", "--website", "y.example", "--shift-to-now", path)).toMatchObject({
      accepted: 20,
    });
    const today = (
      await tracker.record("count_pg", "W", sha1("y.example"), "FROM", before - 120_000, "TO", Date.now() + 1000)
    )["value"];
    expect(today).toBe(20);
  });

  it("goes on with the shift that it began with", async () => {
    const path = file(lines(100));
    const first = await importing("--shift-to-now", path);
    appendFileSync(path, lines(100, 100));
    const second = await importing("--shift-to-now", path);
    expect(second.first.firstMs - first.first.lastMs).toBe(1000);
  });

  it("says in a dry run what would be counted, and writes nothing", async () => {
    const content = `${lines(50)}nonsense\n${line(50).replace("GET", "POST")}\n${line(51).replace(" 200 ", " 404 ")}\n${line(52, { path: "/a.css" })}\n`;
    const path = file(content);
    const keys = await tracker.client.dbSize();
    expect(await importing("--dry-run", path)).toMatchObject({
      code: 0,
      accepted: 0,
      first: { events: 50, leftOut: { unparsable: 1, method: 1, failed: 1, static: 1, bot: 0 } },
    });
    expect(await tracker.client.dbSize()).toBe(keys);
    await importing(path);
    expect(await importing("--dry-run", path)).toMatchObject({ first: { events: 0, acceptedBefore: 50 } });
  });
});

describe("a file that is not as it should be", () => {
  it.each([
    ["that is missing", () => "missing.log", /cannot read missing\.log: no such file/],
    [
      "that is a folder",
      () => (mkdirSync(join(folder, "folder"), { recursive: true }), "folder"),
      /cannot read folder: it is a directory/,
    ],
    [
      "of binary junk",
      () => file(Buffer.from(Array.from({ length: 9000 }, (_, at) => (at * 7919) % 251))),
      /neither an access log nor JSON lines/,
    ],
    [
      "that gzip has lost",
      () => file(gzipSync(lines(2000)).subarray(0, 40)),
      /the gzip data ends early|neither an access log/,
    ],
  ])("%s: one line, exit code 1", async (_, make, message) => {
    const { code, errors } = await importing(make());
    expect(code).toBe(1);
    expect(errors).toMatch(message);
    expect(errors.split("\n")).toHaveLength(1);
  });

  it("that is empty: nothing to count", async () => {
    expect(await importing(file(""))).toMatchObject({ code: 0, accepted: 0, first: { done: true, lines: 0 } });
  });

  it("of junk, if asked to: every line is left out", async () => {
    expect(await importing("--format", "log", file("a\nb\nc\n"))).toMatchObject({
      code: 0,
      first: { leftOut: { unparsable: 3 } },
    });
  });

  it("gzip that breaks off: what could be read counts once, and the rest once it is there", async () => {
    const whole = gzipSync(lines(5000, 0, { path: `/${"x".repeat(60)}` }), { level: 1 });
    const path = file(whole.subarray(0, Math.floor(whole.length / 2)));
    const broken = await importing(path);
    expect(broken.code).toBe(1);
    expect(broken.first.error).toContain("the gzip data ends early");
    expect(broken.accepted).toBeGreaterThan(500);
    writeFileSync(path, whole);
    expect(await importing(path)).toMatchObject({ code: 0, accepted: 5000 - broken.accepted });
    expect(await views()).toBe(5000);
  });

  it("whose last line is being written: it is left until it is whole", async () => {
    const last = line(10);
    const path = file(lines(10) + last.slice(0, -20));
    expect(await importing(path)).toMatchObject({
      accepted: 10,
      first: { unfinishedLine: true, leftOut: { unparsable: 0 } },
    });
    appendFileSync(path, `${last.slice(-20)}\n${lines(1, 11)}`);
    expect(await importing(path)).toMatchObject({ accepted: 2, first: { unfinishedLine: false } });
  });

  it("whose last line is whole but for its end: it counts, once", async () => {
    const path = file(lines(10) + line(10));
    expect(await importing(path)).toMatchObject({ accepted: 11 });
    appendFileSync(path, `\n${lines(1, 11)}`);
    expect(await importing(path)).toMatchObject({ accepted: 1 });
    expect(await views()).toBe(12);
  });

  it("with a line far too long: it is left out, and the others count", async () => {
    const path = file(`${lines(5)}${"x".repeat(300_000)}\n${lines(5, 5)}`);
    expect(await importing(path)).toMatchObject({ accepted: 10, first: { leftOut: { unparsable: 1 } } });
    appendFileSync(path, lines(3, 10));
    expect(await importing(path)).toMatchObject({ accepted: 3 });
  });

  it("with times far apart: none is too old", async () => {
    const far = [0, 100, 3, 90, 1].map((days) => line(days * 86_400)).join("\n");
    expect(await importing(file(`${far}\n`))).toMatchObject({ accepted: 5 });
  });

  it("options that make no sense: one line, exit code 2", async () => {
    const path = file(lines(1));
    for (const args of [["-", "-"], ["--again", "--dry-run", path], ["--format", "xml", path], []]) {
      expect((await importing(...args)).code, args.join(" ")).toBe(2);
    }
    expect(await importing("--website", "no host/at all", path)).toMatchObject({ code: 1, accepted: 0 });
  });
});

describe("killed", () => {
  const counted = async (): Promise<number> =>
    Number(await tracker.client.hGet((await tracker.client.keys("H:IMPORT::*"))[0] ?? "none", "accepted"));

  it("with -9 again and again, each line counts exactly once", async () => {
    const total = 40_000;
    for (const content of [lines(total), gzipSync(lines(total))]) {
      await tracker.server.flush();
      const path = file(content);
      for (const share of [0.02, 0.1, 0.25, 0.4]) {
        const process = run(path);
        // Wherever it is then: between two calls, with eight under way, or at the end.
        await until(async () => (await counted()) >= share * total, { timeoutMs: 60_000, intervalMs: 1 });
        process.signal("SIGKILL");
        await process.exit;
      }
      expect(await counted()).toBeLessThan(total);
      expect(await importing(path)).toMatchObject({ code: 0, first: { done: true } });
      expect(await views()).toBe(total);
      expect(await counted()).toBe(total);
    }
  }, 120_000);

  it("with SIGTERM, it ends what is under way and says how to go on", async () => {
    const path = file(lines(40_000));
    const process = run(path);
    await until(async () => (await counted()) > 0, { timeoutMs: 60_000, intervalMs: 1 });
    process.signal("SIGTERM");
    expect((await process.exit).signal).toBeNull();
    expect(process.lines.join("\n")).toContain("not to its end, the same command goes on");
    await importing(path);
    expect(await views()).toBe(40_000);
  }, 60_000);

  it("two imports of the same log at once: each line counts once", async () => {
    const path = file(lines(20_000));
    const both = await Promise.all([importing(path), importing(path)]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both[0].accepted + both[1].accepted).toBe(20_000);
    expect(await views()).toBe(20_000);
  }, 60_000);
});
