/*
 * track_events and ingest_events: what is counted and under which id, what is refused and kept, and that a stream is
 * counted exactly once.
 */
import { beforeEach, describe, expect, it } from "vitest";
import {
  allKeys,
  contents,
  DAY,
  digest,
  event,
  HOUR,
  MINUTE,
  NOON,
  sha1,
  useTracker,
  type Content,
} from "../support/tracker";
import type { Fields } from "../support/functions";

const tracker = useTracker();
const { record, call, refusal } = tracker;

const STREAM = "ST:TRACKER::::";
const REJECTED = "ST:REJECTED::::";
const NOW = NOON + 30_000;
const URL = "http://www.rtl.lu/meenung/carte-blanche/a/1874304.html";

beforeEach(() => tracker.server.flush());

const track = (...events: (string | Buffer)[]): Promise<Fields> => record("track_events", ...events, "NOW", NOW);
const status = (): Promise<Fields> => record("get_tracker_status", "NOW", NOW);

/** Views of one id at the time of the tests; 0 where it was never seen. */
async function viewsOf(dimension: string, id: string, nowMs = NOW): Promise<number> {
  return (await record("count_pg", dimension, id, "FROM", nowMs - 6 * DAY, "TO", nowMs + HOUR, "NOW", nowMs))[
    "value"
  ] as number;
}

async function devicesOf(dimension: string, id: string): Promise<number> {
  return (await record("count_ud", dimension, id, "FROM", NOW - 6 * DAY, "TO", NOW + HOUR, "NOW", NOW))[
    "value"
  ] as number;
}

interface Kept {
  reason: string;
  event: string;
  at: string;
}

async function rejections(stream = REJECTED): Promise<Kept[]> {
  const entries = (await tracker.client.sendCommand(["XRANGE", stream, "-", "+"])) as unknown as [string, string[]][];
  return entries.map(
    ([, flat]) =>
      Object.fromEntries(
        Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], flat[2 * at + 1]]),
      ) as unknown as Kept,
  );
}

/** Adds entries to a stream. */
async function put(stream: string, ...entries: Record<string, string | number>[]): Promise<string[]> {
  const ids = entries.map((fields) =>
    tracker.client.sendCommand(["XADD", stream, "*", ...Object.entries(fields).flat().map(String)]),
  );
  return (await Promise.all(ids)).map(String);
}

const length = (stream = STREAM): Promise<number> => tracker.client.xLen(stream);

const entry = (at: number, path = "/x"): Record<string, string | number> => ({
  url: `http://a.example${path}`,
  uui: `d${at}`,
  dt: NOON + at,
});

describe("refused, counted by reason, and kept", () => {
  const good = { url: URL, uui: "d", dt: NOON };
  const long = (bytes: number): string => `http://a.example/${"x".repeat(bytes - 17)}`;

  /** Events as JSON with the reason for which they are refused. */
  const REFUSED: [what: string, reason: string, json: string][] = [
    ["broken JSON", "json", "{"],
    ["JSON and more", "json", `${JSON.stringify(good)}x`],
    ["no url", "url", JSON.stringify({ ...good, url: undefined })],
    ["url null", "url", JSON.stringify({ ...good, url: null })],
    ["a number for url", "url", JSON.stringify({ ...good, url: 5 })],
    ["an object for url", "url", JSON.stringify({ ...good, url: { href: URL } })],
    ["an empty url", "url", JSON.stringify({ ...good, url: "" })],
    ["a relative url", "url", JSON.stringify({ ...good, url: "/meenung/a.html" })],
    ["a url without scheme", "url", JSON.stringify({ ...good, url: "//www.rtl.lu/a" })],
    ["another scheme", "url", JSON.stringify({ ...good, url: "ftp://www.rtl.lu/a" })],
    ["no host", "url", JSON.stringify({ ...good, url: "http:///a" })],
    ["an impossible port", "url", JSON.stringify({ ...good, url: "http://www.rtl.lu:65536/" })],
    ["a url of 2,049 bytes", "url", JSON.stringify({ ...good, url: long(2049) })],
    [
      "a url of 2,049 bytes in fewer characters",
      "url",
      JSON.stringify({ ...good, url: `http://a.example/${"é".repeat(1016)}` }),
    ],
    ["no uui", "uui", JSON.stringify({ ...good, uui: undefined })],
    ["uui null", "uui", JSON.stringify({ ...good, uui: null })],
    ["uui 'null'", "uui", JSON.stringify({ ...good, uui: "null" })],
    ["an empty uui", "uui", JSON.stringify({ ...good, uui: "" })],
    ["a boolean for uui", "uui", JSON.stringify({ ...good, uui: true })],
    ["a list for uui", "uui", JSON.stringify({ ...good, uui: ["d"] })],
    ["a uui of 257 bytes", "uui", JSON.stringify({ ...good, uui: "d".repeat(257) })],
    ["a uui of 257 bytes in fewer characters", "uui", JSON.stringify({ ...good, uui: `d${"é".repeat(128)}` })],
    ["no dt", "dt", JSON.stringify({ ...good, dt: undefined })],
    ["dt null", "dt", JSON.stringify({ ...good, dt: null })],
    ["an empty dt", "dt", JSON.stringify({ ...good, dt: "" })],
    ["dt in words", "dt", JSON.stringify({ ...good, dt: "yesterday" })],
    ["dt as a date", "dt", JSON.stringify({ ...good, dt: "2024-01-15T12:00:00Z" })],
    ["a negative dt", "dt", JSON.stringify({ ...good, dt: -1 })],
    ["a dt with a fraction", "dt", JSON.stringify({ ...good, dt: NOON + 0.5 })],
    ["digits with a fraction", "dt", JSON.stringify({ ...good, dt: `${NOON}.0` })],
    ["digits with a space", "dt", JSON.stringify({ ...good, dt: ` ${NOON}` })],
    ["hexadecimal digits", "dt", JSON.stringify({ ...good, dt: "0x18d0c6b5a00" })],
    ["microseconds", "dt", JSON.stringify({ ...good, dt: NOON * 1000 })],
    ["digits of microseconds", "dt", JSON.stringify({ ...good, dt: String(NOON * 1000) })],
    ["infinity", "dt", JSON.stringify(good).replace(String(NOON), "1e999")],
    ["a millisecond too far ahead", "future", JSON.stringify({ ...good, dt: NOW + 5 * MINUTE + 1 })],
    ["seconds", "old", JSON.stringify({ ...good, dt: NOON / 1000 })],
    ["a millisecond too old", "old", JSON.stringify({ ...good, dt: NOW - 7 * DAY - 1 })],
    ["a time of 0", "old", JSON.stringify({ ...good, dt: 0 })],
    ["an audio of 257 bytes", "media", JSON.stringify({ ...good, audio: "a".repeat(257) })],
    ["an object for video", "media", JSON.stringify({ ...good, video: {} })],
    ["a boolean for podcast", "media", JSON.stringify({ ...good, podcast: false })],
  ];

  it.each(REFUSED)("%s: %s", async (_, reason, json) => {
    const reply = await track(json);
    expect(reply).toEqual({
      accepted: 0,
      rejected: 1,
      late: 0,
      errors: [[0, "BADEVENT", expect.stringMatching(new RegExp(`^${reason}: .{10,}`))]],
    });
    expect(await rejections()).toEqual([{ reason, event: json, at: String(NOW) }]);
    expect((await status())["rejected"]).toEqual([[reason, 1]]);
    expect(await allKeys(tracker.client)).toEqual(["H:TRACKER::::", REJECTED]);
  });

  it("through the stream as well", async () => {
    await put(
      STREAM,
      { url: "/relative", uui: "d", dt: NOON },
      { url: URL, uui: "null", dt: NOON },
      { other: "x" },
      { url: URL, uui: "d", dt: "soon" },
    );
    expect(await record("ingest_events", "NOW", NOW)).toEqual({
      read: 4,
      accepted: 0,
      rejected: 4,
      late: 0,
      remaining: 0,
    });
    expect(
      (await rejections()).map(({ reason, event: kept, at }) => [reason, JSON.parse(kept) as unknown, at]),
    ).toEqual([
      ["url", { url: "/relative", uui: "d", dt: String(NOON) }, String(NOW)],
      ["uui", { url: URL, uui: "null", dt: String(NOON) }, String(NOW)],
      ["url", { other: "x" }, String(NOW)],
      ["dt", { url: URL, uui: "d", dt: "soon" }, String(NOW)],
    ]);
    expect((await status())["rejected"]).toEqual([
      ["url", 2],
      ["dt", 1],
      ["uui", 1],
    ]);
  });

  it("a host that belongs to no website, where those are refused", async () => {
    await call("configure_tracker", "HOSTS", '{"www.rtl.lu":"rtl"}', "UNKNOWN", "refuse");
    expect(await track(event(URL, "d", NOON), event("http://other.example/", "d", NOON))).toEqual({
      accepted: 1,
      rejected: 1,
      late: 0,
      errors: [[1, "BADEVENT", expect.stringMatching(/^website: /)]],
    });
    expect((await status())["rejected"]).toEqual([["website", 1]]);
  });

  it("the first 4 kB of an event are kept", async () => {
    const json = JSON.stringify({ url: "relative", uui: "x".repeat(5000) });
    await track(json, JSON.stringify({ url: "relative", uui: "é".repeat(4000) }));
    await put(STREAM, { url: "relative", uui: "x".repeat(5000) });
    await record("ingest_events", "NOW", NOW);
    const kept = (await tracker.client.sendCommand(["XRANGE", REJECTED, "-", "+"])) as unknown as [string, string[]][];
    expect(kept[0]![1]).toEqual(["reason", "url", "event", json.slice(0, 4096), "at", String(NOW)]);
    expect(kept[2]![1][3]).toHaveLength(4096);
  });

  it("the time of the call, by the server's clock where no NOW is given", async () => {
    const [seconds] = (await tracker.client.sendCommand(["TIME"])) as unknown as [string];
    await record("track_events", "{");
    const [{ at } = { at: "" }] = await rejections();
    expect(Number(at)).toBeGreaterThanOrEqual(Number(seconds) * 1000);
    expect(Number(at)).toBeLessThan((Number(seconds) + 60) * 1000);
  });

  it("counts by reason over many calls, most first", async () => {
    await track("{", "{", "{", event("/", "d", NOON));
    await track(event("/", "d", NOON), "{", event(URL, "", NOON));
    expect((await status())["rejected"]).toEqual([
      ["json", 4],
      ["url", 2],
      ["uui", 1],
    ]);
  });

  it("about 10,000 are kept, and all are counted", async () => {
    for (let calls = 0; calls < 12; calls += 1) await track(...Array.from({ length: 1000 }, () => "{"));
    expect((await status())["rejected"]).toEqual([["json", 12_000]]);
    const kept = await length(REJECTED);
    expect(kept).toBeGreaterThanOrEqual(10_000);
    expect(kept).toBeLessThan(11_000);
  });
});

describe("just not refused", () => {
  const ACCEPTED: [what: string, json: string][] = [
    ["five minutes ahead", event(URL, "d", NOW + 5 * MINUTE)],
    ["a millisecond less", event(URL, "d", NOW + 5 * MINUTE - 1)],
    ["seven days old", event(URL, "d", NOW - 7 * DAY)],
    ["a millisecond less old", event(URL, "d", NOW - 7 * DAY + 1)],
    ["a url of 2,048 bytes", event(`http://a.example/${"x".repeat(2031)}`, "d", NOON)],
    ["a url of 2,048 bytes, most of them a query", event(`http://a.example/?${"x".repeat(2030)}`, "d", NOON)],
    ["a uui of 256 bytes", event(URL, "d".repeat(256), NOON)],
    ["a uui of 1 byte", event(URL, "0", NOON)],
    ["a number for uui", JSON.stringify({ url: URL, uui: 12, dt: NOON })],
    ["dt as digits", event(URL, "d", String(NOON))],
    ["dt as a number with an exponent", event(URL, "d", NOON).replace(String(NOON), "1.705320e12")],
    ["an audio of 256 bytes", event(URL, "d", NOON, { audio: "a".repeat(256) })],
    ["media that are null or empty", event(URL, "d", NOON, { audio: null, video: "", podcast: null })],
    ["fields that nobody knows", event(URL, "d", NOON, { at: "x", list: [1, { two: 2 }], url2: null })],
    ["escapes", event(URL, "d", NOON).replaceAll("/", "\\/").replace("www", "\\u0077ww")],
  ];

  it.each(ACCEPTED)("%s", async (_, json) => {
    expect(await track(json)).toEqual({ accepted: 1, rejected: 0, late: 0, errors: [] });
    const [dimension, id] = ["W", sha1(json.includes("a.example") ? "a.example" : "rtl.lu")];
    const found = Object.entries(await contents(tracker.client)).filter(([key]) =>
      key.startsWith(`H:1MINUTE.OPEN:${dimension}:`),
    );
    expect(found.map(([, { value }]) => value)).toEqual([{ [id]: "1" }]);
  });

  it("five minutes and seven days are counted from the clock of the call", async () => {
    expect(await record("track_events", event(URL, "d", 5 * MINUTE), "NOW", 0)).toMatchObject({ accepted: 1 });
    expect(await record("track_events", event(URL, "d", 5 * MINUTE + 1), "NOW", 0)).toMatchObject({ rejected: 1 });
    expect(await record("track_events", event(URL, "d", 7 * DAY), "NOW", 14 * DAY)).toMatchObject({ accepted: 1 });
    expect(await record("track_events", event(URL, "d", 7 * DAY - 1), "NOW", 14 * DAY)).toMatchObject({ rejected: 1 });
  });
});

describe("good events beside bad ones", () => {
  it("count, and the bad ones are told by index, code and reason", async () => {
    const reply = await track(
      event(URL, "a", NOON),
      "{",
      event(URL, "b", NOON),
      event("/x", "b", NOON),
      event(URL, "b", NOON + 1),
    );
    expect(reply).toEqual({
      accepted: 3,
      rejected: 2,
      late: 0,
      errors: [
        [1, "BADEVENT", "json: not a JSON object"],
        [3, "BADEVENT", "url: url must be an absolute http(s) address of at most 2048 bytes"],
      ],
    });
    expect(await viewsOf("W", sha1("rtl.lu"))).toBe(3);
    expect(await devicesOf("W", sha1("rtl.lu"))).toBe(2);
    expect((await rejections()).map(({ reason }) => reason)).toEqual(["json", "url"]);
  });

  it("a list of JSON beside them is no event", async () => {
    expect(await track("{}", "[1]", event(URL, "d", NOON))).toMatchObject({
      accepted: 1,
      rejected: 2,
      errors: [
        [0, "BADEVENT", expect.stringMatching(/^url/)],
        [1, "BADEVENT", expect.stringMatching(/^json/)],
      ],
    });
  });

  it("the first 100 are told, all are counted and kept", async () => {
    const bad = Array.from({ length: 150 }, () => "{");
    const reply = await track(event(URL, "d", NOON), ...bad);
    expect(reply).toMatchObject({ accepted: 1, rejected: 150 });
    expect((reply["errors"] as unknown[][]).map(([index]) => index)).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 1),
    );
    expect(await rejections()).toHaveLength(150);
  });

  it("a thousand in one call, every one of them", async () => {
    const events = Array.from({ length: 1000 }, (_, at) => event(`http://a.example/s/${at}`, `d${at}`, NOON));
    expect(await track(...events)).toMatchObject({ accepted: 1000, rejected: 0 });
    expect(await viewsOf("W", sha1("a.example"))).toBe(1000);
    expect(await status()).toMatchObject({ websites: 1, sections: 1, pages: 1000 });
    expect(await refusal("track_events", ...events, event(URL, "d", NOON), "NOW", NOW)).toMatch(/^LIMIT .*1000.*1001/);
    expect(await viewsOf("W", sha1("a.example"))).toBe(1000);
  });
});

/** What the keys of a fresh database say was counted: dimension and id with views. */
async function counted(): Promise<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const [key, { value }] of Object.entries(await contents(tracker.client))) {
    const [type, name, dimension, partition] = key.split(":");
    if (type === "H" && name === "1MINUTE.OPEN") found[`${dimension}${partition}`] = value as Record<string, string>;
  }
  return found;
}

describe("ids", () => {
  const EXAMPLES: [url: string, website: string, section: string, page: string][] = [
    [URL, "rtl.lu", "meenung/carte-blanche", "www.rtl.lu/meenung/carte-blanche/a/1874304.html"],
    ["https://www.rtl.lu/news/national", "rtl.lu", "news", "www.rtl.lu/news/national"],
    ["https://www.rtl.lu/news/national/x", "rtl.lu", "news/national", "www.rtl.lu/news/national/x"],
    ["https://www.rtl.lu/1972529.html", "rtl.lu", "/", "www.rtl.lu/1972529.html"],
    ["https://www.rtl.lu", "rtl.lu", "/", "www.rtl.lu/"],
    ["HTTPS://user:pass@WWW.RTL.LU:443//News///a?b=c#d", "rtl.lu", "News", "www.rtl.lu/News/a"],
    [
      "http://today.rtl.lu:8080/a%20b/c%C3%A9/%41.html",
      "today.rtl.lu",
      "a b/cé",
      "today.rtl.lu:8080/a%20b/c%C3%A9/%41.html",
    ],
    ["http://[2001:DB8::1]:80/x/", "[2001:db8::1]", "x", "[2001:db8::1]/x/"],
    ["http://a.example/%zz/%ff/x", "a.example", "%zz/%ff", "a.example/%zz/%ff/x"],
  ];

  it.each(EXAMPLES)("%s", async (url, website, section, page) => {
    await track(event(url, "device", NOON));
    expect(await counted()).toEqual({
      W: { [sha1(website)]: "1" },
      S: { [sha1(`${website}/${section}`)]: "1" },
      P: { [sha1(page)]: "1" },
    });
    const keys = await allKeys(tracker.client);
    for (const [dimension, id] of [
      ["W", sha1(website)],
      ["S", sha1(`${website}/${section}`)],
      ["P", sha1(page)],
    ]) {
      expect(keys).toContain(`HLL:1MINUTE:${dimension}:${id}:${NOON}:UD`);
    }
  });

  it("of equal section names on two sites differ", async () => {
    await track(event("http://a.example/news/x", "d", NOON), event("http://b.example/news/x", "d", NOON));
    expect(Object.keys((await counted())["S"]!).sort()).toEqual(
      [sha1("a.example/news"), sha1("b.example/news")].sort(),
    );
  });

  it("of a page do not depend on scheme, query, fragment, user or spelling of the host", async () => {
    await track(
      event("http://A.example/x", "d", NOON),
      event("https://a.EXAMPLE/x?y#z", "d", NOON),
      event("https://u:p@a.example:443//x", "d", NOON),
    );
    expect((await counted())["P"]).toEqual({ [sha1("a.example/x")]: "3" });
  });

  it("of audio, video and podcast are of the website and the id given, counted like a page", async () => {
    await track(
      event(URL, "d1", NOON, { audio: "song", video: 12, podcast: "täglech" }),
      event(URL, "d2", NOON, { audio: "song" }),
    );
    expect(await counted()).toMatchObject({
      A: { [sha1("rtl.lu/song")]: "2" },
      V: { [sha1("rtl.lu/12")]: "1" },
      PC: { [sha1("rtl.lu/täglech")]: "1" },
    });
    expect(await viewsOf("A", sha1("rtl.lu/song"))).toBe(2);
    expect(await devicesOf("A", sha1("rtl.lu/song"))).toBe(2);
    expect(await devicesOf("PC", sha1("rtl.lu/täglech"))).toBe(1);
    expect(await status()).toMatchObject({ websites: 1, sections: 1, pages: 1 });
  });

  it("media come through the stream too", async () => {
    await put(STREAM, { url: URL, uui: "d", dt: NOON, audio: "song", video: "", podcast: "p" });
    await record("ingest_events", "NOW", NOW);
    const { A, V, PC } = await counted();
    expect([A, V, PC]).toEqual([{ [sha1("rtl.lu/song")]: "1" }, undefined, { [sha1("rtl.lu/p")]: "1" }]);
  });

  it("a number for uui is the device of its digits", async () => {
    await track(JSON.stringify({ url: URL, uui: 1234, dt: NOON }), event(URL, "1234", NOON), event(URL, "12345", NOON));
    expect(await devicesOf("W", sha1("rtl.lu"))).toBe(2);
  });

  it("an event counts in the minute of its dt", async () => {
    await track(
      event(URL, "d", NOON - 1),
      event(URL, "d", NOON),
      event(URL, "d", NOON + 59_999),
      event(URL, "d", NOON + MINUTE),
    );
    const hashes = Object.entries(await contents(tracker.client)).filter(([key]) =>
      key.startsWith("H:1MINUTE.OPEN:W:"),
    );
    expect(hashes.map(([key, { value }]) => [key.split(":")[4], value])).toEqual([
      [String(NOON - MINUTE), { [sha1("rtl.lu")]: "1" }],
      [String(NOON), { [sha1("rtl.lu")]: "2" }],
      [String(NOON + MINUTE), { [sha1("rtl.lu")]: "1" }],
    ]);
  });
});

describe("websites by host", () => {
  const websites = async (...urls: string[]): Promise<string[]> => {
    await track(...urls.map((each) => event(each, "d", NOON)));
    return Object.keys((await counted())["W"] ?? {}).sort();
  };

  it("the table names them, in lower case; the document's name is upper case", async () => {
    await call("configure_tracker", "HOSTS", '{"WWW.rtl.lu":"RTL","5minutes.rtl.lu":"rtl"}');
    expect(await websites("http://www.RTL.lu/a", "http://5minutes.rtl.lu/a", "http://rtl.lu/a")).toEqual(
      [sha1("rtl"), sha1("rtl.lu")].sort(),
    );
    expect(JSON.parse(String(await call("get_document", "W", sha1("rtl"))))).toMatchObject({ name: "RTL" });
    expect(Object.keys((await counted())["P"]!).sort()).toEqual(
      [sha1("www.rtl.lu/a"), sha1("5minutes.rtl.lu/a"), sha1("rtl.lu/a")].sort(),
    );
  });

  it("an entry with a port is for that port, one without for all", async () => {
    await call("configure_tracker", "HOSTS", '{"a.example":"all","a.example:8080":"test"}');
    expect(await websites("http://a.example/", "http://a.example:81/", "https://a.example:443/")).toEqual([
      sha1("all"),
    ]);
    await tracker.server.flush();
    await call("configure_tracker", "HOSTS", '{"a.example":"all","a.example:8080":"test"}');
    expect(await websites("http://a.example:8080/")).toEqual([sha1("test")]);
  });

  it("unknown hosts are named after the host, less www. and port", async () => {
    expect(await websites("http://www.a.example:8080/", "http://a.example/", "https://A.example/")).toEqual([
      sha1("a.example"),
    ]);
  });

  it("or are 'other'", async () => {
    await call("configure_tracker", "HOSTS", '{"www.rtl.lu":"rtl"}', "UNKNOWN", "other");
    expect(await websites("http://a.example/", "http://b.example/", "http://www.rtl.lu/")).toEqual(
      [sha1("other"), sha1("rtl")].sort(),
    );
  });

  it("or are refused", async () => {
    await call("configure_tracker", "UNKNOWN", "refuse");
    expect(await websites("http://a.example/")).toEqual([]);
  });

  it("options apply from the next call on, and not to what was configured before", async () => {
    const id = async (): Promise<string[]> => {
      await tracker.client.sendCommand(["DEL", `H:1MINUTE.OPEN:W::${NOON}:PG`]);
      return websites("http://www.rtl.lu/a");
    };
    expect(await id()).toEqual([sha1("rtl.lu")]);
    await call("configure_tracker", "HOSTS", '{"www.rtl.lu":"one"}');
    expect(await id()).toEqual([sha1("one")]);
    await call("configure_tracker", "HOSTS", '{"www.rtl.lu":"two"}');
    expect(await id()).toEqual([sha1("two")]);
    await call("configure_tracker", "UNKNOWN", "other");
    expect(await id()).toEqual([sha1("two")]);
    await call("configure_tracker", "HOSTS", "{}");
    expect(await id()).toEqual([sha1("other")]);
    await call("configure_tracker", "UNKNOWN", "host");
    expect(await id()).toEqual([sha1("rtl.lu")]);
  });

  it("the configuration is told, defaults included", async () => {
    const defaults = {
      unknown: "host",
      maxlen: 10_000,
      document_days: 90,
      series_fine_days: 30,
      series_coarse_days: 400,
      enrich: 0,
      refresh_days: 7,
      shared: 0,
      id_keep: 600_000,
    };
    expect(await record("get_tracker_config")).toEqual({ hosts: "{}", ...defaults });
    await call("configure_tracker", "HOSTS", '{"A.example":"X"}', "UNKNOWN", "OTHER", "MAXLEN", 5, "DOCUMENT_DAYS", 8);
    expect(await record("get_tracker_config")).toEqual({
      ...defaults,
      hosts: '{"a.example":"x"}',
      unknown: "other",
      maxlen: 5,
      document_days: 8,
    });
    await call(
      "configure_tracker",
      "SERIES_FINE_DAYS",
      8,
      "SERIES_COARSE_DAYS",
      9,
      "HOSTS",
      "{}",
      "ENRICH",
      1,
      "REFRESH_DAYS",
      2,
    );
    expect(await record("get_tracker_config")).toEqual({
      hosts: "{}",
      unknown: "other",
      maxlen: 5,
      document_days: 8,
      series_fine_days: 8,
      series_coarse_days: 9,
      enrich: 1,
      refresh_days: 2,
      shared: 0,
      id_keep: 600_000,
    });
  });

  it("ten thousand hosts fit into the table", async () => {
    const hosts = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`h${at}.example`, `w${at % 7}`]));
    expect(await call("configure_tracker", "HOSTS", JSON.stringify(hosts))).toBe(1);
    expect(JSON.parse(String((await record("get_tracker_config"))["hosts"]))).toEqual(hosts);
    expect(await websites("http://h9999.example/")).toEqual([sha1("w3")]);
  });
});

describe("one by one, in one batch, or through the stream", () => {
  interface Sent extends Fields {
    url: string;
    uui: string;
    dt: number;
  }

  /** Events of a few sites, in no order of time; minutes in common, devices in common, media now and then. */
  function someEvents(count: number, lateMs = 0): Sent[] {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    return Array.from({ length: count }, () => {
      const medium = random(10) === 0 ? { audio: `song${random(3)}` } : {};
      const page = random(12);
      return {
        url: `http://www.site${page % 3}.example/s${page % 2}/t/${page}.html?x=${random(5)}`,
        uui: `device${random(20)}`,
        dt: NOON - lateMs - random(12) * MINUTE - random(MINUTE),
        ...medium,
      };
    });
  }

  /** Everything that depends on what was counted, and nothing that depends on how: cursors, and ids of refusals. */
  async function state(): Promise<Record<string, Content>> {
    const found = await contents(tracker.client);
    delete found[STREAM];
    const tracked = found["H:TRACKER::::"]!.value as Fields;
    delete tracked[`cursor:${STREAM}`];
    delete tracked[`position:${STREAM}`];
    return found;
  }

  /** The state that each way of sending leaves behind, after the same preparation. */
  async function threeWays(
    events: Fields[],
    prepare: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<Record<string, Content>[]> {
    const states: Record<string, Content>[] = [];
    const ways = [
      async (): Promise<void> => {
        for (const each of events) await track(JSON.stringify(each));
      },
      async (): Promise<void> => void (await track(...events.map((each) => JSON.stringify(each)))),
      async (): Promise<void> => {
        await put(STREAM, ...(events as Record<string, string>[]));
        await tracker.drain("ingest_events", "LIMIT", 37, "NOW", NOW);
      },
    ];
    for (const send of ways) {
      await tracker.server.flush();
      await prepare();
      await send();
      states.push(await state());
    }
    return states;
  }

  it("count the same", async () => {
    const [oneByOne, batch, stream] = await threeWays(someEvents(300));
    expect(Object.keys(oneByOne!).length).toBeGreaterThan(100);
    expect(batch).toEqual(oneByOne);
    expect(stream).toEqual(oneByOne);
  });

  it("count the same where rotation has passed already, and every one of them is late", async () => {
    const events = someEvents(200, 30 * MINUTE);
    const prepare = async (): Promise<void> => {
      await record(
        "track_events",
        ...someEvents(50, 30 * MINUTE).map((each) => JSON.stringify(each)),
        "NOW",
        NOW - 30 * MINUTE,
      );
      await tracker.drain("rotate_pg", "NOW", NOW);
      await tracker.drain("rotate_ud", "NOW", NOW);
    };
    const [oneByOne, batch, stream] = await threeWays(events, prepare);
    expect((oneByOne!["H:TRACKER::::"]!.value as Fields)["late"]).toBe("200");
    expect(batch).toEqual(oneByOne);
    expect(stream).toEqual(oneByOne);
  });

  it("refuse the same", async () => {
    const bad = [
      { url: "x" },
      { url: URL, uui: "null", dt: String(NOON) },
      { url: URL, uui: "d", dt: "1" },
      { url: URL, uui: "d", dt: String(NOW + DAY) },
    ];
    const [oneByOne, batch, stream] = await threeWays(bad);
    const reasons = (found: Record<string, Content>): unknown =>
      (found[REJECTED]!.value as string[][]).map(([, reason]) => reason);
    expect(reasons(oneByOne!)).toEqual(["url", "uui", "old", "future"]);
    for (const other of [batch!, stream!]) {
      expect(reasons(other)).toEqual(reasons(oneByOne!));
      expect(other["H:TRACKER::::"]).toEqual(oneByOne!["H:TRACKER::::"]);
    }
  });

  it("a page that is seen again and again counts its views and devices, its section's and its website's", async () => {
    const events = Array.from({ length: 9 }, (_, at) => event(URL, `d${at % 4}`, NOON + at));
    await track(events[0]!);
    await track(events[1]!);
    await track(events[2]!);
    await track(...events.slice(3));
    const page = "www.rtl.lu/meenung/carte-blanche/a/1874304.html";
    for (const [dimension, id] of [
      ["W", sha1("rtl.lu")],
      ["S", sha1("rtl.lu/meenung/carte-blanche")],
      ["P", sha1(page)],
    ] as const) {
      expect([dimension, await viewsOf(dimension, id), await devicesOf(dimension, id)]).toEqual([dimension, 9, 4]);
    }
  });

  it("each by itself, every event counts a device of its own", async () => {
    for (const device of ["a", "b", "c"]) await track(event(URL, device, NOON));
    for (const [dimension, id] of [
      ["W", sha1("rtl.lu")],
      ["S", sha1("rtl.lu/meenung/carte-blanche")],
    ] as const) {
      expect([dimension, await viewsOf(dimension, id), await devicesOf(dimension, id)]).toEqual([dimension, 3, 3]);
    }
  });
});

describe("late", () => {
  it("counts events for a window that rotation had passed", async () => {
    await tracker.drain("rotate_pg", "NOW", NOON);
    expect(
      await track(
        event(URL, "d", NOON - 1),
        event(URL, "d", NOON - 5 * MINUTE),
        event(URL, "d", NOON),
        event(URL, "d", NOON - DAY),
      ),
    ).toMatchObject({ accepted: 4, late: 3 });
    expect(await track(event(URL, "d", NOON - 1))).toMatchObject({ accepted: 1, late: 1 });
    expect(await status()).toMatchObject({ late: 4, rotated_until: NOON });
  });

  it("counts every event of a minute, in one batch or one by one", async () => {
    await tracker.drain("rotate_pg", "NOW", NOON);
    expect(
      await track(event(URL, "d", NOON - 3), event(URL, "e", NOON - 2), event("http://b.example/", "f", NOON - 1)),
    ).toMatchObject({ late: 3 });
    expect(await track(event(URL, "d", NOON - 3), event(URL, "d", NOON - 3))).toMatchObject({ late: 2 });
    expect(await status()).toMatchObject({ late: 5 });
  });

  it("counts them from the stream too, once each whatever they play", async () => {
    await tracker.drain("rotate_ud", "NOW", NOON);
    await put(STREAM, { url: URL, uui: "d", dt: NOON - 1, audio: "a", video: "v" }, { url: URL, uui: "d", dt: NOON });
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ accepted: 2, late: 1 });
    expect(await status()).toMatchObject({ late: 1 });
  });
});

describe("a stream", () => {
  it("that is not there is read as empty, and not made", async () => {
    expect(await record("ingest_events", "NOW", NOW)).toEqual({
      read: 0,
      accepted: 0,
      rejected: 0,
      late: 0,
      remaining: 0,
    });
    expect(await allKeys(tracker.client)).toEqual([]);
  });

  it("is counted exactly once, from its own cursor", async () => {
    const ids = await put(STREAM, entry(1), entry(2), { url: "x" });
    expect(await record("ingest_events", "NOW", NOW)).toEqual({
      read: 3,
      accepted: 2,
      rejected: 1,
      late: 0,
      remaining: 0,
    });
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0, remaining: 0 });
    expect(await status()).toMatchObject({ streams: [[STREAM, ids[2], 3, 0, 0, 0, 0]] });
    await put(STREAM, entry(3));
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 1, accepted: 1 });
    expect(await viewsOf("W", sha1("a.example"))).toBe(3);
    expect(await rejections()).toHaveLength(1);
  });

  it("LIMIT bounds a call, remaining tells whether there is more", async () => {
    await put(STREAM, ...Array.from({ length: 10 }, (_, at) => entry(at)));
    expect(await record("ingest_events", "LIMIT", 4, "NOW", NOW)).toMatchObject({ read: 4, remaining: 1 });
    expect(await record("ingest_events", "LIMIT", 5, "NOW", NOW)).toMatchObject({ read: 5, remaining: 1 });
    expect(await record("ingest_events", "LIMIT", 1, "NOW", NOW)).toMatchObject({ read: 1, remaining: 0 });
    expect(await record("ingest_events", "LIMIT", 1, "NOW", NOW)).toMatchObject({ read: 0, remaining: 0 });
    expect(await viewsOf("W", sha1("a.example"))).toBe(10);
  });

  it("a limit beyond a thousand takes that many, in the order they came", async () => {
    await put(STREAM, ...Array.from({ length: 2500 }, (_, at) => entry(at % 1000, `/${at}`)));
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 250, remaining: 1 });
    expect(await record("ingest_events", "LIMIT", 2249, "NOW", NOW)).toMatchObject({
      read: 2249,
      accepted: 2249,
      remaining: 1,
    });
    expect(await viewsOf("P", sha1("a.example/2498"))).toBe(1);
    expect(await viewsOf("P", sha1("a.example/2499"))).toBe(0);
    expect(await record("ingest_events", "LIMIT", 10_000, "NOW", NOW)).toMatchObject({ read: 1, remaining: 0 });
    expect(await viewsOf("W", sha1("a.example"))).toBe(2500);
  });

  it("entries of one millisecond are told apart by their sequence", async () => {
    for (let sequence = 1; sequence <= 12; sequence += 1) {
      await tracker.client.sendCommand([
        "XADD",
        STREAM,
        `5-${sequence}`,
        "url",
        "http://a.example/x",
        "uui",
        "d",
        "dt",
        String(NOON),
      ]);
    }
    for (let calls = 0; calls < 4; calls += 1)
      expect(await record("ingest_events", "LIMIT", 3, "NOW", NOW)).toMatchObject({ read: 3 });
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0 });
    expect(await viewsOf("W", sha1("a.example"))).toBe(12);
  });

  it("entries deleted by somebody else are passed over", async () => {
    const ids = await put(STREAM, entry(1), entry(2), entry(3));
    await record("ingest_events", "LIMIT", 1, "NOW", NOW);
    await tracker.client.sendCommand(["XDEL", STREAM, ids[0]!, ids[1]!]);
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 1, accepted: 1 });
    await tracker.client.sendCommand(["XDEL", STREAM, ids[2]!]);
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0 });
    await put(STREAM, entry(4));
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 1 });
  });

  it("deleted and begun anew is read from its start, even where its ids are before the cursor", async () => {
    await tracker.client.sendCommand([
      "XADD",
      STREAM,
      "9000-5",
      "url",
      "http://a.example/x",
      "uui",
      "d",
      "dt",
      String(NOON),
    ]);
    await record("ingest_events", "NOW", NOW);
    await tracker.client.sendCommand(["DEL", STREAM]);
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0 });
    for (const id of ["8000-9", "9000-4"])
      await tracker.client.sendCommand([
        "XADD",
        STREAM,
        id,
        "url",
        "http://a.example/x",
        "uui",
        "d",
        "dt",
        String(NOON),
      ]);
    expect(await record("ingest_events", "LIMIT", 1, "NOW", NOW)).toMatchObject({ read: 1, remaining: 1 });
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 1, remaining: 0 });
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0 });
    expect(await status()).toMatchObject({ streams: [[STREAM, "9000-4", 2, 0, 0, NOW, 1]] });
    expect(await viewsOf("W", sha1("a.example"))).toBe(3);
  });

  it("emptied but not deleted is not read again", async () => {
    await put(STREAM, entry(1), entry(2));
    await record("ingest_events", "NOW", NOW);
    await tracker.client.sendCommand(["XTRIM", STREAM, "MAXLEN", "=", "1"]);
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0 });
    await tracker.client.sendCommand(["XTRIM", STREAM, "MAXLEN", "=", "0"]);
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0 });
  });

  it("several have a cursor each", async () => {
    await put("events:one", entry(1), entry(2));
    await put("events:two", entry(3));
    expect(await record("ingest_events", "STREAM", "events:one", "NOW", NOW)).toMatchObject({ read: 2 });
    expect(await record("ingest_events", "STREAM", "events:two", "NOW", NOW)).toMatchObject({ read: 1 });
    expect(await record("ingest_events", "STREAM", "events:one", "NOW", NOW)).toMatchObject({ read: 0 });
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 0 });
    const { streams } = await status();
    expect((streams as unknown[][]).map(([name, , entries]) => [name, entries])).toEqual([
      ["events:one", 2],
      ["events:two", 1],
    ]);
    expect(await viewsOf("W", sha1("a.example"))).toBe(3);
  });

  it("tells how many entries others removed before they were counted", async () => {
    await put(STREAM, entry(1), entry(2), entry(3), entry(4));
    await record("ingest_events", "LIMIT", 1, "NOW", NOW);
    await tracker.client.sendCommand(["XTRIM", STREAM, "MAXLEN", "=", "1"]);
    const { streams } = await status();
    expect((streams as unknown[][])[0]!.slice(4), "before they are passed over").toEqual([2, 0, 0]);
    expect(await record("ingest_events", "NOW", NOW)).toMatchObject({ read: 1 });
    const { streams: after } = await status();
    expect((after as unknown[][])[0]!.slice(4)).toEqual([2, NOW, 0]);
  });

  it("lag is the time between the cursor and the last entry", async () => {
    for (const id of ["1000-0", "1500-0", "4000-7"])
      await tracker.client.sendCommand([
        "XADD",
        STREAM,
        id,
        "url",
        "http://a.example/x",
        "uui",
        "d",
        "dt",
        String(NOON),
      ]);
    await record("ingest_events", "LIMIT", 1, "NOW", NOW);
    expect(await status()).toMatchObject({ streams: [[STREAM, "1000-0", 3, 3000, 0, 0, 0]] });
    await record("ingest_events", "NOW", NOW);
    expect(await status()).toMatchObject({ streams: [[STREAM, "4000-7", 3, 0, 0, 0, 0]] });
  });
});

describe("trimming", () => {
  // A node of a stream holds 100 entries; `~` trims whole nodes.
  const NODE = 100;
  const fill = (count: number): Promise<string[]> =>
    put(STREAM, ...Array.from({ length: count }, (_, at) => entry(at)));
  const first = async (): Promise<string> =>
    ((await tracker.client.sendCommand(["XRANGE", STREAM, "-", "+", "COUNT", "1"])) as unknown as [[string]])[0][0];

  it("consumed entries go, down to about MAXLEN", async () => {
    await call("configure_tracker", "MAXLEN", 300);
    await fill(1000);
    await record("ingest_events", "LIMIT", 1000, "NOW", NOW);
    expect(await length()).toBeGreaterThanOrEqual(300);
    expect(await length()).toBeLessThan(300 + NODE);
  });

  it("nothing goes while there are fewer", async () => {
    await fill(500);
    await record("ingest_events", "LIMIT", 1000, "NOW", NOW);
    expect(await length()).toBe(500);
  });

  it("unread entries never go", async () => {
    await call("configure_tracker", "MAXLEN", 0);
    const ids = await fill(1000);
    await record("ingest_events", "LIMIT", 350, "NOW", NOW);
    expect(await length()).toBeGreaterThanOrEqual(650);
    expect(await length()).toBeLessThan(650 + NODE);
    expect(ids.indexOf(await first())).toBeLessThanOrEqual(350);
    expect(await tracker.drain("ingest_events", "LIMIT", 1, "NOW", NOW)).toBe(650);
    expect(await viewsOf("W", sha1("a.example"))).toBe(1000);
    expect(await length()).toBeLessThan(NODE);
  });

  it("unread entries of a stream that was deleted and begun anew never go either", async () => {
    await call("configure_tracker", "MAXLEN", 0);
    await fill(600);
    await record("ingest_events", "LIMIT", 1000, "NOW", NOW);
    await tracker.client.sendCommand(["DEL", STREAM]);
    await fill(500);
    expect(await record("ingest_events", "LIMIT", 100, "NOW", NOW)).toMatchObject({ read: 100, remaining: 1 });
    expect(await length()).toBeGreaterThanOrEqual(400);
    await tracker.drain("ingest_events", "LIMIT", 100, "NOW", NOW);
    expect(await viewsOf("W", sha1("a.example"))).toBe(1100);
  });

  it("entries that somebody else has trimmed are not taken for unread ones", async () => {
    await call("configure_tracker", "MAXLEN", 100);
    await fill(1000);
    await tracker.client.sendCommand(["XTRIM", STREAM, "MAXLEN", "=", "400"]);
    expect(await record("ingest_events", "LIMIT", 1000, "NOW", NOW)).toMatchObject({ read: 400, remaining: 0 });
    expect(await length()).toBeLessThan(100 + NODE);
  });

  it("consumed entries stay, about MAXLEN of them, while a backlog is worked off", async () => {
    await call("configure_tracker", "MAXLEN", 300);
    const ids = await fill(1000);
    await record("ingest_events", "LIMIT", 600, "NOW", NOW);
    const consumed = 600 - ids.indexOf(await first());
    expect(consumed).toBeGreaterThanOrEqual(300);
    expect(consumed).toBeLessThan(300 + NODE);
  });
});

describe("a routing key", () => {
  const ways: [what: string, send: (key: string) => Promise<unknown>][] = [
    [
      "track_events",
      (key) => tracker.routed([key], "track_events", event(URL, "d", NOON, { audio: "a" }), "{", "NOW", NOW),
    ],
    [
      "ingest_events",
      async (key) => {
        await put("ST:TRACKER::{rtl}::", { url: URL, uui: "d", dt: NOON, audio: "a" }, { url: "x" });
        await tracker.routed([key], "ingest_events", "NOW", NOW);
      },
    ],
  ];

  it.each(ways)("puts its braces before every id: %s", async (_, send) => {
    await send("x{rtl}y");
    await tracker.routed(["{rtl}"], "configure_tracker", "HOSTS", '{"b.example":"b"}');
    const late = NOW + 4 * HOUR;
    for (const name of ["rotate_pg", "rotate_ud"]) await tracker.routed(["{rtl}"], name, "LIMIT", 10_000, "NOW", late);
    await tracker.routed(["{rtl}"], "tracker_lead", "job", NOON, "w", "NOW", NOW);
    const keys = await allKeys(tracker.client);
    expect(keys.length).toBeGreaterThan(20);
    for (const key of keys)
      expect(key).toMatch(/^[A-Z]+:[A-Z0-9.]*:(?:[WSPAV]|PC)?:\{rtl\}(?:[0-9a-f]{40}|job)?:\d*:(?:PG|UD)?$/);
  });

  it("without a tag there are no braces", async () => {
    await tracker.routed(["plain"], "track_events", event(URL, "d", NOON), "NOW", NOW);
    await call("track_events", event(URL, "d", NOON), "NOW", NOW);
    expect((await allKeys(tracker.client)).filter((key) => key.includes("{"))).toEqual([]);
    expect(await viewsOf("W", sha1("rtl.lu"))).toBe(2);
  });

  it("keeps partitions apart: counts, configuration, cursors, refusals", async () => {
    await tracker.routed(["{a}"], "configure_tracker", "UNKNOWN", "other");
    await tracker.routed(["{a}"], "track_events", event(URL, "d", NOON), "{", "NOW", NOW);
    await tracker.routed(["{b}"], "track_events", event(URL, "d", NOON), event(URL, "d", NOON), "NOW", NOW);
    await tracker.routed(["{a}"], "track_events", event(URL, "d", NOON), "NOW", NOW);
    const count = async (key: string, website: string): Promise<unknown> =>
      (
        (await tracker.routed(
          [key],
          "count_pg",
          "W",
          sha1(website),
          "FROM",
          NOON,
          "TO",
          NOON + MINUTE,
          "NOW",
          NOW,
        )) as unknown[]
      )[1];
    expect([
      await count("{a}", "other"),
      await count("{a}", "rtl.lu"),
      await count("{b}", "rtl.lu"),
      await count("{b}", "other"),
    ]).toEqual([2, 0, 2, 0]);
    expect(await rejections("ST:REJECTED::{a}::")).toHaveLength(1);
    expect(await rejections("ST:REJECTED::{b}::")).toHaveLength(0);
    expect(await status()).toMatchObject({ websites: 0, rejected: [] });
    expect(await call("get_document", "W", sha1("rtl.lu"))).toBeNull();
    expect(String(await tracker.routed(["{b}"], "get_document", "W", sha1("rtl.lu")))).toContain("RTL.LU");
  });
});

describe("a page's first view of its minute, by itself", () => {
  it("is carried on to the windows above as any other", async () => {
    const [page, other] = ["www.rtl.lu/s/1.html", "www.rtl.lu/s/2.html"];
    const one = (address: string, device: string, atMs: number): Promise<unknown> =>
      call("track_events", event(`http://${address}`, device, atMs), "NOW", atMs);
    // The page is known, and its website and section are seen in its minute: nothing else is new.
    await one(page, "d1", NOON - HOUR);
    await one(other, "d1", NOON);
    await one(page, "d2", NOON + 1);
    await tracker.drain("rotate_pg", "NOW", NOON + 10 * MINUTE);
    await tracker.drain("rotate_ud", "NOW", NOON + 10 * MINUTE);
    for (const name of ["range_pg", "range_ud"]) {
      expect(
        await tracker.read(name, "P", sha1(page), "TIER", "5MINUTES", "FROM", NOON, "TO", NOON + 5 * MINUTE),
      ).toEqual([[NOON, 1]]);
    }
    expect(JSON.parse(String(await call("get_document", "P", sha1(page))))).toMatchObject({ last_visited: NOON + 1 });
  });
});

describe("all or nothing", () => {
  it("too many events write nothing at all", async () => {
    await track(event(URL, "d", NOON));
    const before = await digest(tracker.client);
    expect(
      await refusal("track_events", ...Array.from({ length: 1001 }, () => event(URL, "d", NOON)), "NOW", NOW),
    ).toMatch(/^LIMIT /);
    expect(await digest(tracker.client)).toEqual(before);
  });
});
