/* `hotpath import`: real files, real processes, real kill -9. */
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../host/redis/connection";
import { functionsOf } from "../../host/deploy/client";
import { ImportedFile } from "../../host/tracker/import/file";
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
  format: string | null;
  done: boolean;
  lines: number;
  events: number;
  accepted: number;
  acceptedBefore: number;
  rejected: number;
  leftOut: Record<string, number>;
  reasons: Record<string, number>;
  holes: number;
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
      const opened = (await openFiles(functions, options)).filter((each) => each instanceof ImportedFile);
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

describe("which log it is", () => {
  const later = (): string => `${line(0)}\n${lines(4, 100)}`;

  it("a short log and a longer one that begins alike: one is refused, or both count in full", async () => {
    const [one, longer] = [file(lines(1)), file(later())];
    const refused = await importing(one, longer);
    expect(refused).toMatchObject({ code: 1, accepted: 1, files: [{ accepted: 1 }, { done: false, lines: 0 }] });
    expect(refused.files[1]!.error).toContain("begins like a short log that is another file");
    expect(await importing(longer)).toMatchObject({ code: 1, accepted: 0 });
    expect(await importing("--again", longer)).toMatchObject({ code: 0, accepted: 5 });
    expect(await importing(one, longer)).toMatchObject({ code: 0, accepted: 0 });
    appendFileSync(one, lines(2, 50));
    appendFileSync(longer, lines(300, 200));
    expect(await importing(one, longer)).toMatchObject({ code: 0, files: [{ accepted: 2 }, { accepted: 300 }] });
    expect(await views()).toBe(308);
  });

  it("the same with a long one", async () => {
    const [one, long] = [file(lines(1)), file(lines(400))];
    expect(await importing(one, long)).toMatchObject({ code: 1, accepted: 1 });
    expect(await importing("--again", long)).toMatchObject({ code: 0, accepted: 400 });
  });

  it("a short log that was rotated is the same; packed after it has grown, it is if --continue says so", async () => {
    const path = file(lines(2));
    await importing(path);
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, lines(2, 2));
    expect(await importing(`${path}.1`)).toMatchObject({ accepted: 2 });
    expect(await importing(file(gzipSync(lines(4))))).toMatchObject({ code: 0, accepted: 0 });
    const packed = file(gzipSync(lines(6)));
    expect((await importing(packed)).errors).toContain("--continue");
    expect(await importing("--continue", packed)).toMatchObject({ code: 0, accepted: 2 });
    expect(await views()).toBe(6);
  });

  it("--again forgets the log that was named, and no other", async () => {
    const [one, other] = [file(lines(1)), file(later())];
    await importing(one);
    await importing("--again", other);
    await importing("--again", other);
    expect(await views()).toBe(11);
    expect(await importing(one)).toMatchObject({ code: 0, accepted: 0, first: { acceptedBefore: 1 } });
  });

  it("logs that begin with a hole are told apart by what follows it", async () => {
    const hole = Buffer.alloc(5_000_000);
    const [one, two] = [lines(20), lines(30, 20)].map((text) => file(Buffer.concat([hole, Buffer.from(text)])));
    expect(await importing(one!, two!)).toMatchObject({
      code: 0,
      files: [
        { accepted: 20, lines: 20, holes: 5_000_000, leftOut: { unparsable: 0 } },
        { accepted: 30, lines: 30, holes: 5_000_000 },
      ],
    });
    appendFileSync(two!, lines(5, 50));
    const inWords = run(one!, two!);
    expect((await inWords.exit).code).toBe(0);
    expect(await views()).toBe(55);
    const again = run("--again", one!);
    await again.exit;
    expect(again.lines.join("\n")).toContain("5,000,000 bytes of NUL were passed over");
  });

  it("a hole in the middle ends the line before it, and none after it is lost", async () => {
    const [cut, hole] = [line(5).slice(0, 60), "\0".repeat(70_000)];
    const path = file(`${lines(5)}${cut}${hole}${lines(5, 6)}\0\0${line(11)}${hole}\n${lines(2, 12)}\0`);
    expect(await importing(path)).toMatchObject({
      code: 0,
      accepted: 13,
      first: { lines: 14, leftOut: { unparsable: 1 } },
    });
    appendFileSync(path, lines(3, 20));
    expect(await importing(path)).toMatchObject({ accepted: 3 });
  });
});

describe("gzip that is not whole", () => {
  it.each([
    ["breaks off in its first lines", (packed: Buffer) => packed.subarray(0, -40), /the gzip data ends early/, 1],
    ["has rubbish behind it", (packed: Buffer) => Buffer.concat([packed, Buffer.from("junk")]), /is damaged/, 30],
    [
      "has half a member behind it",
      (packed: Buffer) => Buffer.concat([packed, gzipSync("x").subarray(0, 8)]),
      /ends early|is damaged/,
      30,
    ],
    ["has lost all but its head", (packed: Buffer) => packed.subarray(0, 12), /the gzip data ends early/, 0],
  ])("%s: what can be read of it counts, and the other files too", async (_, make, message, least) => {
    const [broken, whole] = [file(make(gzipSync(lines(30)))), file(lines(40, 100))];
    const report = await importing(broken, whole);
    expect(report.code).toBe(1);
    expect(report.files).toMatchObject([{ done: false }, { done: true, accepted: 40 }]);
    expect(report.first.error).toMatch(message);
    expect(report.first.accepted).toBeGreaterThanOrEqual(least);
    expect(await views()).toBe(report.accepted);
  });

  it("padding of NUL behind it is none of its data", async () => {
    const path = file(Buffer.concat([gzipSync(lines(30)), Buffer.alloc(512)]));
    expect(await importing(path)).toMatchObject({ code: 0, accepted: 30 });
  });
});

describe("what editors and old servers leave in a log", () => {
  it("a byte order mark is no part of the first line", async () => {
    expect(await importing(file(`\uFEFF${lines(3)}`))).toMatchObject({ accepted: 3, first: { lines: 3 } });
    const event = JSON.stringify({ url: "http://x.example/", uui: "d", dt: START });
    expect(await importing(file(`\uFEFF${event}\n${event}\n`))).toMatchObject({ accepted: 2 });
  });

  it("addresses in Latin-1 are escaped byte by byte: two pages stay two", async () => {
    const path = file(Buffer.from(`${line(0, { path: "/caf\xe9" })}\n${line(1, { path: "/caf\xe8" })}\n`, "latin1"));
    expect(await importing(path)).toMatchObject({ accepted: 2 });
    for (const page of ["caf%E9", "caf%E8"]) {
      expect(await tracker.read("get_document", "P", sha1(`access-log/${page}`))).toContain(page);
    }
  });
});

describe("the format of a log", () => {
  const at = (seconds: number): number => START / 1000 + seconds;
  const caddy = (count: number): string =>
    Array.from({ length: count }, (_, index) => {
      const headers = { "User-Agent": [AGENT] };
      const request = { remote_ip: `203.0.113.${index % 3}`, method: "GET", host: "s.example", uri: "/a", headers };
      return `${JSON.stringify({ ts: at(index), request, status: 200 })}\n`;
    }).join("");

  it("is found, named, and shown in a dry run by the first events", async () => {
    const path = file(caddy(30));
    const dry = run("--dry-run", path);
    await dry.exit;
    expect(dry.lines.join("\n")).toContain("read as Caddy");
    expect(dry.lines.filter((text) => text.includes('"url":"http://s.example/a"'))).toHaveLength(3);
    expect(await importing(path)).toMatchObject({ accepted: 30, first: { format: "Caddy" } });
    expect(await views("s.example")).toBe(30);
  });

  it("is taken from --log-format", async () => {
    const path = file(`s.example|203.0.113.5|${at(0)}|/a|200|${AGENT}\n`);
    expect((await importing(path)).errors).toContain(
      "--log-format takes the format as the server's configuration has it",
    );
    const format = "$host|$remote_addr|$msec|$request_uri|$status|$http_user_agent";
    expect(await importing("--log-format", format, path)).toMatchObject({ code: 0, accepted: 1 });
    expect((await importing("--log-format", "$host", path)).code).toBe(1);
    expect((await importing("--log-format", format, "--format", "json", path)).code).toBe(2);
  });

  it("JSON that is none of ours is refused at once, and nothing of it is stored", async () => {
    const path = file('{"srcip":"203.0.113.5","url":"/a"}\n'.repeat(50));
    for (const args of [[path], ["--format", "json", path]]) {
      const { code, errors } = await importing(...args);
      expect([code, errors]).toEqual([1, expect.stringContaining("its fields are srcip, url")]);
    }
    expect(await tracker.client.keys("*")).toEqual([]);
  });

  it("an event that is refused keeps no field that is none of an event", async () => {
    const event = { url: "nowhere", uui: "d", dt: START, client: "203.0.113.5" };
    const path = file(`${JSON.stringify(event)}\n{"client":"203.0.113.5"}\n`);
    expect(await importing(path)).toMatchObject({ first: { rejected: 1, leftOut: { unparsable: 1 } } });
    expect(JSON.stringify(await tracker.client.xRange("ST:REJECTED::::", "-", "+"))).not.toContain("203.0.113.5");
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
