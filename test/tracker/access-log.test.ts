import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AccessLogError,
  deviceId,
  judgeLine,
  openAccessLog,
  type AccessLogOptions,
  type AccessLogProgress,
} from "../../host/tracker/import/access-log";
import type { Arrival } from "../../host/tracker/import/event";
import { parseLogLine, parseLogTime, parseRequestLine, pathOfTarget } from "../../host/tracker/import/log-line";
import { MAX_LINE_LENGTH } from "../../host/tracker/import/log-source";

const CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
const TIME = "17/May/2015:10:05:03 +0000";
const TIME_MS = Date.UTC(2015, 4, 17, 10, 5, 3);

/** A combined line, good unless told otherwise. */
function lineOf(parts: { client?: string; time?: string; request?: string; status?: number; userAgent?: string } = {}) {
  const { client = "192.0.2.7", time = TIME, request = "GET /a/b HTTP/1.1", status = 200, userAgent = CHROME } = parts;
  return `${client} - - [${time}] "${request}" ${status} 512 "https://other.example/" "${userAgent}"`;
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hotpath-test-"));
});
afterAll(() => rm(directory, { recursive: true }));

let files = 0;
async function fileOf(content: string | Uint8Array): Promise<string> {
  const path = join(directory, `log-${files++}`);
  await writeFile(path, content);
  return path;
}

async function readAll(source: string, options?: AccessLogOptions) {
  const log = await openAccessLog(source, options);
  try {
    const batches: Arrival[][] = [];
    for await (const batch of log.batches()) {
      batches.push(batch);
    }
    return { arrivals: batches.flat(), batches, summary: log.summary, span: log.span };
  } finally {
    await log.close();
  }
}

async function* chunksOf(content: Uint8Array, size: number) {
  for (let start = 0; start < content.length; start += size) {
    yield content.subarray(start, start + size);
  }
}

describe("parseLogLine", () => {
  test("takes a combined line apart", () => {
    expect(parseLogLine(lineOf())).toEqual({
      vhost: undefined,
      client: "192.0.2.7",
      timeMs: TIME_MS,
      request: "GET /a/b HTTP/1.1",
      status: 200,
      userAgent: CHROME,
    });
  });

  test("takes a common line apart, which has no user agent", () => {
    expect(parseLogLine(`192.0.2.7 - frank [${TIME}] "GET / HTTP/1.0" 304 -`)).toEqual({
      vhost: undefined,
      client: "192.0.2.7",
      timeMs: TIME_MS,
      request: "GET / HTTP/1.0",
      status: 304,
      userAgent: undefined,
    });
  });

  test.each([
    ["www.a.example:8080 ", { name: "www.a.example", port: 8080 }],
    ["www.a.example ", { name: "www.a.example", port: undefined }],
    ["", undefined],
  ])("finds the virtual host in %j", (prefix, vhost) => {
    expect(parseLogLine(prefix + lineOf())).toMatchObject({ vhost, client: "192.0.2.7" });
    expect(parseLogLine(prefix + lineOf({ client: "2001:db8::7" }))).toMatchObject({ vhost, client: "2001:db8::7" });
  });

  test.each(["::1", "2001:db8:0:0:1::7", "192.0.2.7", "client.example.net"])("takes %s for the client", (client) => {
    expect(parseLogLine(lineOf({ client }))).toMatchObject({ client, vhost: undefined });
  });

  test("keeps escaped quotes within their field", () => {
    const userAgent = String.raw`Dalvik (Alba 10\" \\) \x22q\x22`;
    expect(parseLogLine(lineOf({ userAgent }))?.userAgent).toBe(userAgent);
    const request = String.raw`GET /?q=\"a b\" HTTP/1.1`;
    expect(parseLogLine(lineOf({ request }))?.request).toBe(request);
  });

  test("allows spaces in the user name and further fields at the end", () => {
    const common = `192.0.2.7 - John Smith [${TIME}] "GET / HTTP/1.0" 200 5`;
    expect(parseLogLine(common)?.client).toBe("192.0.2.7");
    expect(parseLogLine(`${common} 1234 0.003`)?.userAgent).toBeUndefined();
    expect(parseLogLine(`${lineOf()} "203.0.113.9" 0.003`)?.userAgent).toBe(CHROME);
  });

  test.each([
    ["an empty line", ""],
    ["text", "Segmentation fault"],
    ["a user agent that is cut off", lineOf().slice(0, -1)],
    ["a referer that is cut off", lineOf().slice(0, lineOf().indexOf("other"))],
    ["a line that ends after the time", lineOf().slice(0, lineOf().indexOf('"'))],
    ["two lines run into one", `192.0.2.7 - - [17/May/${lineOf()}`.replace("] ", " ")],
    ["no status", `192.0.2.7 - - [${TIME}] "GET / HTTP/1.0" - 5`],
    ["quotes within quotes", lineOf({ userAgent: '"echocrawl"' })],
    ["a day that does not exist", lineOf({ time: "31/Feb/2015:10:05:03 +0000" })],
    ["JSON", JSON.stringify({ time: TIME, request: "GET / HTTP/1.1" })],
  ])("refuses %s", (_, line) => {
    expect(parseLogLine(line)).toBeUndefined();
  });

  test("is not slowed down by a line made to do so", () => {
    // Where each character were looked at once for each other one, lines of this length would take hours; the limit ends them.
    const parse = (line: string): unknown =>
      runInNewContext("parseLogLine(line)", { parseLogLine, line }, { timeout: 30_000 });
    for (const part of [" [", '"\\', `[${TIME}] "`, "a ", "1:"]) {
      expect(parse(`x - ${part.repeat((64 * MAX_LINE_LENGTH) / part.length)}`)).toBeUndefined();
    }
  });
});

describe("parseLogTime", () => {
  test.each([
    ["17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z"],
    ["17/May/2015:00:05:03 +0200", "2015-05-16T22:05:03Z"],
    ["31/Dec/2015:23:30:00 -0330", "2016-01-01T03:00:00Z"],
    ["29/Feb/2016:12:00:00 +0545", "2016-02-29T06:15:00Z"],
    ["31/Dec/2016:23:59:60 +0000", "2017-01-01T00:00:00Z"],
  ])("reads %s", (text, iso) => {
    expect(parseLogTime(text)).toBe(Date.parse(iso));
  });

  test.each([
    "29/Feb/2015:12:00:00 +0000",
    "00/May/2015:12:00:00 +0000",
    "17/Mai/2015:12:00:00 +0000",
    "17/May/2015:24:00:00 +0000",
    "17/May/2015:12:60:00 +0000",
    "17/May/2015:12:00:61 +0000",
    "17/May/2015:12:00:00 +0060",
    "17/May/2015:12:00:00",
    "2015-05-17T12:00:00Z",
    "",
  ])("refuses %j", (text) => {
    expect(parseLogTime(text)).toBeUndefined();
  });
});

describe("requests", () => {
  test.each([
    ["GET / HTTP/1.1", { method: "GET", target: "/" }],
    ["GET /a b c HTTP/2.0", { method: "GET", target: "/a b c" }],
    ["GET /a HTTP/3", { method: "GET", target: "/a" }],
    ["GET /old", { method: "GET", target: "/old" }],
    ["VERSION-CONTROL / HTTP/1.1", { method: "VERSION-CONTROL", target: "/" }],
    ["-", undefined],
    ["", undefined],
    ["GET", undefined],
    [String.raw`\x16\x03\x01\x02\x00\x01`, undefined],
  ])("parseRequestLine(%j)", (request, expected) => {
    expect(parseRequestLine(request)).toEqual(expected);
  });

  test.each([
    ["/a/b?c=d", "/a/b?c=d"],
    ["//a", "//a"],
    ["/a b", "/a%20b"],
    [String.raw`/b\xc3\xbchne`, "/b%C3%BChne"],
    ["/b%C3%BChne", "/b%C3%BChne"],
    [String.raw`/\"x\"\\y\t`, "/%22x%22%5Cy%09"],
    [String.raw`/\\x41`, "/%5Cx41"],
    ["http://evil.example/a?b", "/a?b"],
    ["HTTPS://evil.example", "/"],
    ["https://evil.example?q", "/?q"],
    ["*", undefined],
    ["evil.example:443", undefined],
  ])("pathOfTarget(%j)", (target, expected) => {
    expect(pathOfTarget(target)).toBe(expected);
  });
});

describe("judgeLine", () => {
  test.each([
    ["unparsable", "garbage"],
    ["unparsable", lineOf({ request: "-", status: 408 })],
    ["unparsable", lineOf({ request: String.raw`\x16\x03\x01`, status: 400 })],
    ["unparsable", lineOf({ request: "GET * HTTP/1.1" })],
    ["method", lineOf({ request: "POST / HTTP/1.1" })],
    ["method", lineOf({ request: "OPTIONS * HTTP/1.1" })],
    ["method", lineOf({ request: "HEAD /x.css HTTP/1.1", status: 404 })],
    ["failed", lineOf({ status: 301 })],
    ["failed", lineOf({ status: 404, request: "GET /x.css HTTP/1.1" })],
    ["failed", lineOf({ status: 500 })],
    ["failed", lineOf({ status: 100 })],
    ["static", lineOf({ request: "GET /x/y.CSS?v=3 HTTP/1.1" })],
    ["static", lineOf({ request: "GET /robots.txt HTTP/1.1", userAgent: "Googlebot/2.1" })],
    ["bot", lineOf({ userAgent: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)" })],
    ["bot", lineOf({ userAgent: "curl/8.5.0" })],
    ["bot", lineOf({ userAgent: "-" })],
  ])("leaves out as %s: %s", (leftOut, line) => {
    expect(judgeLine(line)).toEqual({ leftOut });
  });

  test.each([
    ["/a/b", lineOf()],
    ["/a/b", lineOf({ status: 304 })],
    ["/a/b", lineOf({ status: 206 })],
    ["/a?file=x.css", lineOf({ request: "GET /a?file=x.css HTTP/1.1" })],
    ["/css", lineOf({ request: "GET /css HTTP/1.1" })],
    ["/x.css/", lineOf({ request: "GET /x.css/ HTTP/1.1" })],
    ["/a.html", lineOf({ request: "GET /a.html HTTP/1.1" })],
    ["/", `192.0.2.7 - - [${TIME}] "GET / HTTP/1.0" 200 5`],
  ])("keeps %s of %s", (path, line) => {
    expect(judgeLine(line)).toMatchObject({ path });
  });
});

describe("deviceId", () => {
  test("tells addresses, user agents and salts apart and shows none of them", () => {
    const ids = [
      deviceId("192.0.2.7", "ua"),
      deviceId("192.0.2.8", "ua"),
      deviceId("192.0.2.7", "other"),
      deviceId("192.0.2.7", "ua", "salt"),
      deviceId("192.0.2.7u", "a"),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toMatch(/^[\da-f]{32}$/);
    expect(deviceId("192.0.2.7", "ua")).toBe(ids[0]);
  });
});

describe("openAccessLog", () => {
  const views = [
    lineOf({ request: "GET /one?x=1 HTTP/1.1", time: "17/May/2015:10:00:05 +0000" }),
    "broken",
    lineOf({ request: "GET /two HTTP/1.1", time: "17/May/2015:12:00:02 +0200" }),
    lineOf({ request: "GET /style.css HTTP/1.1" }),
    lineOf({ request: "GET /three HTTP/1.1", time: "17/May/2015:10:01:00 +0000", client: "2001:db8::7" }),
  ].join("\n");
  const at = (iso: string) => Date.parse(`2015-05-17T${iso}Z`);
  const counted = {
    lines: 5,
    kept: 3,
    leftOut: { unparsable: 1, method: 0, failed: 0, static: 1, bot: 0 },
  };

  test("yields the page views in the order of the log, and counts the rest", async () => {
    const { arrivals, summary, span } = await readAll(await fileOf(views));
    const uui = deviceId("192.0.2.7", CHROME);
    expect(arrivals).toEqual([
      { arrivalMs: at("10:00:05"), event: { url: "http://access-log/one?x=1", uui, dt: at("10:00:05") } },
      // Its own time, but it arrives after the one before it.
      { arrivalMs: at("10:00:05"), event: { url: "http://access-log/two", uui, dt: at("10:00:02") } },
      {
        arrivalMs: at("10:01:00"),
        event: { url: "http://access-log/three", uui: deviceId("2001:db8::7", CHROME), dt: at("10:01:00") },
      },
    ]);
    expect(summary).toEqual(counted);
    expect(span).toBeUndefined();
  });

  test("reads a log again from its beginning", async () => {
    const log = await openAccessLog(await fileOf(views));
    for (let round = 0; round < 2; round++) {
      let arrivals = 0;
      for await (const batch of log.batches()) {
        arrivals += batch.length;
      }
      expect(arrivals).toBe(3);
      expect(log.summary).toEqual(counted);
    }
  });

  test.each([
    [{}, "", "http://access-log"],
    [{ defaultHost: "www.d.example" }, "", "http://www.d.example"],
    [{ defaultHost: "www.d.example" }, "V.example:443 ", "https://V.example"],
    [{}, "v.example:80 ", "http://v.example"],
    [{}, "v.example:8080 ", "http://v.example:8080"],
    [{}, "v.example ", "http://v.example"],
    [{ website: "www.w.example" }, "v.example:80 ", "http://www.w.example"],
    [{ website: "https://w.example:8443/" }, "v.example:80 ", "https://w.example:8443"],
  ])("%j and a line that begins with %j give %s", async (options, prefix, origin) => {
    const { arrivals } = await readAll(await fileOf(prefix + lineOf()), options);
    expect(arrivals[0]?.event.url).toBe(`${origin}/a/b`);
  });

  test.each(["", "a b", "w.example/path", "user@w.example", "https://w.example?x"])(
    "refuses the website %j",
    async (website) => {
      await expect(openAccessLog(await fileOf(""), { website })).rejects.toThrow(
        new AccessLogError(`website must be a host name such as www.example.org, got '${website}'`),
      );
    },
  );

  test("shifts all times by the same amount, so that the last line is at the time asked for", async () => {
    const endMs = Date.UTC(2026, 10, 20);
    const log = `${lineOf({ time: "17/May/2015:10:02:00 +0000", request: "GET /x.css HTTP/1.1" })}\n${views}`;
    const { arrivals, span } = await readAll(await fileOf(log), { shiftToEndAt: endMs });
    // 10:05:03 is the time of style.css, the last in the log, though not on its last line.
    const shiftMs = endMs - TIME_MS;
    expect(span).toEqual({ firstMs: at("10:00:02") + shiftMs, lastMs: endMs });
    expect(arrivals.map(({ event }) => event.dt)).toEqual(
      ["10:00:05", "10:00:02", "10:01:00"].map((iso) => at(iso) + shiftMs),
    );
    expect(arrivals.map(({ arrivalMs }) => arrivalMs)).toEqual(
      ["10:00:05", "10:00:05", "10:01:00"].map((iso) => at(iso) + shiftMs),
    );
  });

  test.each([
    ["empty", ""],
    ["empty gzip", gzipSync("")],
    ["one byte", "\n"],
    ["no readable line", "broken\n"],
  ])("a log that is %s has no views", async (_, content) => {
    const { arrivals, summary, span } = await readAll(await fileOf(content), { shiftToEndAt: TIME_MS });
    expect(arrivals).toEqual([]);
    expect(summary.kept).toBe(0);
    expect(summary.lines).toBe(summary.leftOut.unparsable);
    expect(span).toBeUndefined();
  });

  test("finds gzip by its content, several members too, and CR LF at line ends", async () => {
    const packed = Buffer.concat([gzipSync(`${lineOf()}\r\n`), gzipSync(`${lineOf()}\r\n`)]);
    const { summary } = await readAll(await fileOf(packed));
    expect(summary).toMatchObject({ lines: 2, kept: 2 });
  });

  test("puts lines and characters together again wherever a chunk ends", async () => {
    const content = Buffer.from(`${lineOf({ request: "GET /日本 HTTP/1.1" })}\n`.repeat(3));
    for (const bytes of [content, gzipSync(content)]) {
      const { arrivals } = await readAll("-", { stdin: chunksOf(bytes, 1) });
      expect(arrivals.map(({ event }) => event.url)).toEqual(Array(3).fill("http://access-log/日本"));
    }
  });

  test("a line without end does not fill the memory, and is one unparsable line", async () => {
    async function* endless() {
      // More than the longest string there is (512 MB), so that holding it all would fail.
      const junk = Buffer.alloc(1 << 20, "x");
      for (let megabyte = 0; megabyte < 520; megabyte++) {
        yield junk;
      }
      yield Buffer.from(`\n${lineOf()}\n`);
    }
    const { summary } = await readAll("-", { stdin: endless() });
    expect(summary).toMatchObject({ lines: 2, kept: 1, leftOut: { unparsable: 1 } });
  });

  test("binary rubbish is unparsable, line by line", async () => {
    const { summary } = await readAll(await fileOf(Buffer.from([0xff, 0xfe, 0, 10, 0xc3, 10, 0x80])));
    expect(summary).toMatchObject({ lines: 3, kept: 0, leftOut: { unparsable: 3 } });
  });

  test("cuts into batches", async () => {
    const path = await fileOf(`${lineOf()}\n`.repeat(5));
    const { batches } = await readAll(path, { batchSize: 2 });
    expect(batches.map((batch) => batch.length)).toEqual([2, 2, 1]);
  });

  test("tells lines and bytes, of the file as it lies there, in both readings", async () => {
    const packed = gzipSync(`${lineOf()}\n`.repeat(5));
    const told: AccessLogProgress[] = [];
    await readAll(await fileOf(packed), { shiftToEndAt: TIME_MS, onProgress: (progress) => told.push(progress) });
    const end = { lines: 5, bytesRead: packed.length, totalBytes: packed.length };
    expect(told.filter(({ phase }) => phase === "scan").at(-1)).toEqual({ phase: "scan", ...end });
    expect(told.at(-1)).toEqual({ phase: "read", ...end });
  });

  test("standard input has no size; with a shift it is copied, and the copy is removed", async () => {
    const before = await spools();
    const told: AccessLogProgress[] = [];
    const content = Buffer.from(views);
    const stdin = () => chunksOf(content, 7);
    const plain = await readAll("-", { stdin: stdin(), onProgress: (progress) => told.push(progress) });
    expect(plain.summary).toEqual(counted);
    expect(told.at(-1)).toEqual({ phase: "read", lines: 5, bytesRead: content.length, totalBytes: undefined });

    const log = await openAccessLog("-", { stdin: stdin(), shiftToEndAt: TIME_MS });
    const copies = (await spools()).filter((name) => !before.includes(name));
    expect(copies.length).toBeGreaterThan(0);
    await log.close();
    expect((await spools()).filter((name) => copies.includes(name))).toEqual([]);
  });

  async function spools(): Promise<string[]> {
    return (await readdir(tmpdir())).filter((name) => name.startsWith("hotpath-log-"));
  }

  test("a reader who stops early leaves the file closed and the rest unread", async () => {
    const log = await openAccessLog(await fileOf(gzipSync(`${lineOf()}\n`.repeat(50_000))), { batchSize: 10 });
    for await (const batch of log.batches()) {
      expect(batch.length).toBe(10);
      break;
    }
    expect(log.summary.lines).toBe(10);
  });

  test("names a file that is missing, and a directory", async () => {
    const missing = join(directory, "missing.log");
    await expect(openAccessLog(missing)).rejects.toThrow(new AccessLogError(`cannot read ${missing}: no such file`));
    await expect(openAccessLog(directory)).rejects.toThrow(
      new AccessLogError(`cannot read ${directory}: it is a directory`),
    );
  });

  test("says that a gzip file is cut off, and keeps what came before", async () => {
    const text = Array.from({ length: 20_000 }, (_, index) => lineOf({ request: `GET /${index} HTTP/1.1` })).join("\n");
    const packed = gzipSync(text);
    const path = await fileOf(packed.subarray(0, packed.length - 1_000));
    const log = await openAccessLog(path);
    let views = 0;
    const reading = (async () => {
      for await (const batch of log.batches()) {
        views += batch.length;
      }
    })();
    await expect(reading).rejects.toThrow(AccessLogError);
    await expect(reading).rejects.toThrow(
      /^cannot read .* after [\d,]+ lines: the gzip data ends early; the file is cut off, or still being written$/,
    );
    expect(views).toBeGreaterThan(0);
    expect(log.summary.kept).toBe(views);
    // With a shift the scan finds out, before anything has been counted.
    await expect(openAccessLog(path, { shiftToEndAt: TIME_MS })).rejects.toThrow(/the gzip data ends early/);
  });

  test("says that a gzip file is damaged", async () => {
    const packed = gzipSync(lineOf().repeat(100));
    packed.fill(0xff, 20, 40);
    await expect(readAll(await fileOf(packed))).rejects.toThrow(/^cannot read .*: the gzip data is damaged$/);
  });
});
