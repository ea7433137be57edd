/* Metadata of pages: what is announced and when, what comes of an announcement, and what is announced again. */
import { beforeEach, describe, expect, it } from "vitest";
import { allKeys, DAY, digest, event, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import type { Argument, Fields } from "../support/functions";

const tracker = useTracker();
const { record, call } = tracker;
const NOW = NOON + 10 * MINUTE;
const STREAM = "ST:ENRICH:P:::";
const PAGE = "a.example/news/1874304.html";
const OTHER = "a.example/about/";

const visit = (page: string, atMs = NOON): string => event(`http://${page}`, "d", atMs);
const track = (nowMs: number, ...events: string[]): Promise<Fields> => record("track_events", ...events, "NOW", nowMs);
const enrich = (page: string, metadata: unknown, nowMs = NOW): Promise<unknown> =>
  call("enrich_document", "P", sha1(page), JSON.stringify(metadata), "NOW", nowMs);
const abandon = (page: string, reason: string, nowMs = NOW): Promise<unknown> =>
  call("abandon_enrichment", "P", sha1(page), "REASON", reason, "NOW", nowMs);
const refresh = (nowMs: number, ...options: Argument[]): Promise<Fields> =>
  record("refresh_documents", ...options, "NOW", nowMs);
const entries = async (stream = STREAM): Promise<[id: string, fields: string[]][]> =>
  (await tracker.client.sendCommand(["XRANGE", stream, "-", "+"])) as unknown as [string, string[]][];
const announced = async (): Promise<string[]> => (await entries()).map(([, fields]) => fields[3]!);
const counts = async (): Promise<unknown[]> => {
  const {
    enrich_waiting: waiting,
    enriched,
    enrich_abandoned: abandoned,
  } = await record("get_tracker_status", "NOW", NOW);
  return [waiting, enriched, abandoned];
};
const metadataOf = async (page: string): Promise<unknown> =>
  (JSON.parse((await call("get_document", "P", sha1(page))) as string) as Fields)["metadata"];
/** What a reader of the stream does with an entry that is done. */
const remove = async (): Promise<void> => {
  for (const [id] of await entries()) await tracker.client.sendCommand(["XDEL", STREAM, id]);
};

beforeEach(async () => {
  await tracker.server.flush();
  await call("configure_tracker", "ENRICH", 1);
});

describe("announcements", () => {
  it("are made once for each new page, with its id, its address and its article", async () => {
    await track(NOW, visit(PAGE), visit(OTHER), visit(PAGE, NOON + MINUTE));
    await track(NOW, visit(PAGE, NOON + 2 * MINUTE));
    expect((await entries()).map(([, fields]) => fields).sort()).toEqual(
      [
        ["id", sha1(PAGE), "url", PAGE, "article_id", "1874304"],
        ["id", sha1(OTHER), "url", OTHER],
      ].sort(),
    );
    expect(await counts()).toEqual([2, 0, []]);
  });

  it("are not made unless they are asked for", async () => {
    await call("configure_tracker", "ENRICH", 0);
    await track(NOW, visit(PAGE));
    expect(await refresh(NOW)).toEqual({ announced: 0, remaining: 0 });
    expect(await tracker.client.exists(STREAM)).toBe(0);
    expect(await counts()).toEqual([0, 0, []]);
    // What came while nobody asked is announced once somebody does.
    await call("configure_tracker", "ENRICH", 1);
    expect(await refresh(NOW)).toEqual({ announced: 1, remaining: 0 });
    expect(await announced()).toEqual([PAGE]);
  });

  it("are made for pages from the stream of events too, and not for what is refused", async () => {
    await tracker.client.sendCommand([
      "XADD",
      "ST:TRACKER::::",
      "*",
      "url",
      `http://${PAGE}`,
      "uui",
      "d",
      "dt",
      String(NOON),
    ]);
    await tracker.client.sendCommand([
      "XADD",
      "ST:TRACKER::::",
      "*",
      "url",
      "/relative",
      "uui",
      "d",
      "dt",
      String(NOON),
    ]);
    await record("ingest_events", "NOW", NOW);
    expect(await announced()).toEqual([PAGE]);
  });

  it("go to the stream of their partition", async () => {
    await tracker.routed(["{rtl}"], "configure_tracker", "ENRICH", "1");
    await tracker.routed(["{rtl}"], "track_events", visit(PAGE), "NOW", NOW);
    expect((await entries("ST:ENRICH:P:{rtl}::")).map(([, fields]) => fields[3])).toEqual([PAGE]);
    expect(await announced()).toEqual([]);
    expect(await tracker.routed(["{rtl}"], "enrich_document", "P", sha1(PAGE), '{"title":"x"}', "NOW", NOW)).toBe(1);
    expect((await allKeys(tracker.client)).filter((key) => key.includes(sha1(PAGE)) && !key.includes("{rtl}"))).toEqual(
      [],
    );
    expect(await tracker.client.sMembers("S:TITLE:P:{rtl}x::")).toEqual([sha1(PAGE)]);
  });

  it("of a page that the table of hosts moves are not made again", async () => {
    await track(NOW, visit(PAGE));
    await call("configure_tracker", "HOSTS", '{"a.example":"b"}');
    await track(NOW, visit(PAGE, NOON + MINUTE));
    expect(await announced()).toEqual([PAGE]);
  });
});

describe("enrich_document", () => {
  beforeEach(() => track(NOW, visit(PAGE)));

  it("sets metadata, ends the wait, may be repeated, and replaces what was there", async () => {
    const full = { title: 'A "title" / ä', kicker: "Kick", display_date: 1_700_000_000_000 };
    for (let turn = 0; turn < 2; turn += 1) {
      expect(await enrich(PAGE, full)).toBe(1);
      expect(await metadataOf(PAGE)).toEqual(full);
      expect(await counts()).toEqual([0, 1, []]);
    }
    expect(await enrich(PAGE, { title: "Other", kicker: null })).toBe(1);
    expect(await metadataOf(PAGE)).toEqual({ title: "Other", kicker: null, display_date: null });
    expect(await enrich(PAGE, { title: "" })).toBe(1);
    expect(await metadataOf(PAGE)).toEqual({ title: null, kicker: null, display_date: null });
    expect(await counts()).toEqual([0, 1, []]);
    expect((await allKeys(tracker.client)).filter((key) => key.startsWith("S:TITLE:"))).toEqual([]);
  });

  it.each<[unknown]>([
    [{ title: "x".repeat(512) }],
    [{ kicker: "é".repeat(256) }],
    [{ display_date: 0 }],
    [{ display_date: 99_999_999_999_999 }],
    [{}],
    [{ title: "\0\n" }],
  ])("takes %j", async (metadata) => {
    expect(await enrich(PAGE, metadata)).toBe(1);
  });

  it.each<[string, RegExp]>([
    ['{"title":5}', /^BADARG metadata: title must be .* got '5'/],
    [`{"title":"${"x".repeat(513)}"}`, /^BADARG metadata: title must be null or text of at most 512 bytes/],
    ['{"kicker":["x"]}', /^BADARG metadata: kicker must be/],
    ['{"kicker":true}', /^BADARG metadata: kicker must be .* 'true'/],
    ['{"display_date":"yesterday"}', /^BADARG metadata: display_date must be .* 'yesterday'/],
    ['{"display_date":1.5}', /^BADARG metadata: display_date must be .* '1.5'/],
    ['{"display_date":-1}', /^BADARG metadata: display_date must be .* '-1'/],
    ['{"display_date":100000000000000}', /^BADARG metadata: display_date must be/],
    ['{"titel":"x"}', /^BADARG metadata: 'titel' is none of title, kicker, display_date/],
    ['{"title":}', /^BADARG metadata must be a JSON object, got '{"title":}'/],
  ])("refuses %s and writes nothing", async (metadata, message) => {
    const before = await digest(tracker.client);
    expect(await tracker.refusal("enrich_document", "P", sha1(PAGE), metadata, "NOW", NOW)).toMatch(message);
    expect(await digest(tracker.client)).toEqual(before);
  });

  it("refuses text that is no UTF-8", async () => {
    const metadata = Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(await tracker.refusal("enrich_document", "P", sha1(PAGE), metadata)).toMatch(
      /^BADARG metadata: title must be .* UTF-8/,
    );
  });

  it("and abandon_enrichment answer NOTFOUND for a page that is not there", async () => {
    const before = await digest(tracker.client);
    for (const id of [sha1("nobody"), sha1("a.example")]) {
      expect(await tracker.refusal("enrich_document", "P", id, "{}")).toBe(`NOTFOUND no page has the id ${id}`);
      expect(await tracker.refusal("abandon_enrichment", "P", id, "REASON", "x")).toBe(
        `NOTFOUND no page has the id ${id}`,
      );
    }
    expect(await digest(tracker.client)).toEqual(before);
  });
});

describe("abandon_enrichment", () => {
  it("counts pages by their last reason, and leaves what is known of them", async () => {
    await track(NOW, visit(PAGE), visit(OTHER));
    await enrich(OTHER, { title: "Known" });
    expect(await abandon(PAGE, "timeout")).toBe(1);
    expect(await abandon(PAGE, "timeout")).toBe(1);
    expect(await abandon(OTHER, "http_404")).toBe(1);
    expect(await counts()).toEqual([
      0,
      0,
      [
        ["http_404", 1],
        ["timeout", 1],
      ],
    ]);
    expect(await abandon(PAGE, "http_404")).toBe(1);
    expect(await counts()).toEqual([0, 0, [["http_404", 2]]]);
    expect(await metadataOf(OTHER)).toMatchObject({ title: "Known" });
    expect(await enrich(PAGE, {})).toBe(1);
    expect(await counts()).toEqual([0, 1, [["http_404", 1]]]);
    await enrich(OTHER, {});
    expect(await tracker.client.exists("H:ABANDONED:P:::")).toBe(0);
  });

  it("counts a hundred reasons, and all others as one", async () => {
    const pages = Array.from({ length: 103 }, (_, at) => `a.example/${at}`);
    await track(NOW, ...pages.map((page) => visit(page)));
    for (const [at, page] of pages.entries()) await abandon(page, `reason-${at}`);
    const [, , reasons] = await counts();
    expect(reasons).toHaveLength(101);
    expect((reasons as [string, number][])[0]).toEqual(["other", 3]);
    await enrich(pages[102]!, {});
    expect(((await counts())[2] as [string, number][])[0]).toEqual(["other", 2]);
  });
});

describe("refresh_documents", () => {
  const later = (days: number): number => NOW + days * DAY;

  it("announces nothing that waits, and again what was lost from the stream", async () => {
    await track(NOW, visit(PAGE), visit(OTHER));
    expect(await refresh(NOW)).toEqual({ announced: 0, remaining: 0 });
    const [first] = await entries();
    await tracker.client.sendCommand(["XDEL", STREAM, first![0]]);
    expect(await refresh(NOW)).toEqual({ announced: 1, remaining: 0 });
    expect((await announced()).sort()).toEqual([OTHER, PAGE].sort());
    await tracker.client.sendCommand(["XTRIM", STREAM, "MAXLEN", "0"]);
    expect(await refresh(NOW)).toEqual({ announced: 2, remaining: 0 });
    expect(await counts()).toEqual([2, 0, []]);
  });

  it.each([
    ["enriched", (): Promise<unknown> => enrich(PAGE, { title: "x" })],
    ["given up", (): Promise<unknown> => abandon(PAGE, "timeout")],
  ])("announces a page that was %s again after REFRESH_DAYS, if it was visited since", async (_, end) => {
    await track(NOW, visit(PAGE));
    await end();
    await remove();
    expect(await refresh(later(30))).toEqual({ announced: 0, remaining: 0 });
    await track(later(7), visit(PAGE, later(6)));
    expect(await refresh(later(7) - 1)).toEqual({ announced: 0, remaining: 0 });
    expect(await refresh(later(7))).toEqual({ announced: 1, remaining: 0 });
    expect(await refresh(later(7))).toEqual({ announced: 0, remaining: 0 });
    expect((await counts())[0]).toBe(1);
    await enrich(PAGE, { title: "new" }, later(7));
    expect(await counts()).toEqual([0, 1, []]);
  });

  it("after as many days as configured", async () => {
    await call("configure_tracker", "REFRESH_DAYS", 1);
    await track(NOW, visit(PAGE));
    await enrich(PAGE, {});
    await track(later(1), visit(PAGE, NOW + MINUTE));
    expect(await refresh(later(1) - 1)).toMatchObject({ announced: 0 });
    expect(await refresh(later(1))).toMatchObject({ announced: 1 });
  });

  it("goes through all pages in slices, whatever comes and goes meanwhile", async () => {
    await call("configure_tracker", "ENRICH", 0);
    const pages = Array.from({ length: 10 }, (_, at) => `a.example/${at}`);
    await track(NOW, ...pages.map((page) => visit(page)));
    await call("configure_tracker", "ENRICH", 1);
    expect(await refresh(NOW, "LIMIT", 4)).toEqual({ announced: 4, remaining: 1 });
    // The page that the cursor stands on may be gone.
    await tracker.client.sendCommand(["ZREM", "SS:URLS:P:::", pages[3]!]);
    expect(await refresh(NOW, "LIMIT", 4)).toEqual({ announced: 4, remaining: 1 });
    expect(await refresh(NOW, "LIMIT", 4)).toEqual({ announced: 2, remaining: 0 });
    expect((await announced()).sort()).toEqual(pages);
    expect(await refresh(NOW, "LIMIT", 4)).toEqual({ announced: 0, remaining: 1 });
    expect(await tracker.drain("refresh_documents", "LIMIT", 1, "NOW", NOW)).toBeLessThan(10);
  });

  it("announces no more than the stream holds, and goes on where it stopped", async () => {
    await call("configure_tracker", "ENRICH", 0);
    await track(NOW, visit("a.example/1"), visit("a.example/2"), visit("a.example/3"));
    await call("configure_tracker", "ENRICH", 1);
    const fill = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'id', 'x') end";
    await tracker.client.sendCommand(["EVAL", fill, "1", STREAM, "99999"]);
    expect(await refresh(NOW)).toEqual({ announced: 1, remaining: 0 });
    expect(await refresh(NOW)).toEqual({ announced: 0, remaining: 0 });
    await tracker.client.sendCommand(["XTRIM", STREAM, "MAXLEN", "=", "1"]);
    expect(await refresh(NOW)).toEqual({ announced: 2, remaining: 0 });
    expect(await announced()).toEqual(["a.example/1", "a.example/2", "a.example/3"]);
  });
});

it("a consumer group shares the work, and what is done is gone", async () => {
  await track(NOW, visit(PAGE), visit(OTHER));
  await tracker.client.sendCommand(["XGROUP", "CREATE", STREAM, "enrich", "0"]);
  for (const worker of ["one", "two"]) {
    const reply = (await tracker.client.sendCommand([
      "XREADGROUP",
      "GROUP",
      "enrich",
      worker,
      "COUNT",
      "1",
      "STREAMS",
      STREAM,
      ">",
    ])) as unknown as [string, [string, string[]][]][];
    const [id, fields] = reply[0]![1][0]!;
    await enrich(fields[3]!, { title: worker });
    await tracker.client.sendCommand(["XACK", STREAM, "enrich", id]);
    await tracker.client.sendCommand(["XDEL", STREAM, id]);
  }
  expect(await counts()).toEqual([0, 2, []]);
  expect(await entries()).toEqual([]);
  expect(await refresh(NOW)).toEqual({ announced: 0, remaining: 0 });
});
