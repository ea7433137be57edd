/* expire_documents: what goes and what stays, in slices, in any company, and that nothing is left of what goes. */
import { beforeEach, describe, expect, it } from "vitest";
import { allKeys, DAY, digest, event, HOUR, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import type { Argument, Fields } from "../support/functions";

const tracker = useTracker();
const { record, call } = tracker;
const DAYS = 10;

const visit = (page: string, atMs: number, media: Fields = {}): string => event(`http://${page}`, "d", atMs, media);
const track = (nowMs: number, ...events: string[]): Promise<Fields> => record("track_events", ...events, "NOW", nowMs);
const expire = (nowMs: number, ...options: Argument[]): Promise<Fields> =>
  record("expire_documents", ...options, "NOW", nowMs);
const enrich = (page: string, title: string): Promise<unknown> =>
  call("enrich_document", "P", sha1(page), JSON.stringify({ title }), "NOW", NOON);
const exists = async (dimension: string, name: string): Promise<boolean> =>
  (await call("get_document", dimension, sha1(name))) !== null;
const documentCounts = async (): Promise<unknown[]> => {
  const {
    websites,
    sections,
    pages,
    enrich_waiting: waiting,
    enriched,
    enrich_abandoned: abandoned,
  } = await record("get_tracker_status", "NOW", NOON);
  return [websites, sections, pages, waiting, enriched, abandoned];
};

/** Keys of documents, of what they are found by, and of their series. */
const DOCUMENT_KEYS =
  /^(H:DOCUMENT|SS:VISITED|SS:SECTIONS|SS:PAGES|SS:NAMES|SS:URLS|S:LEVEL|S:TITLE|H:ABANDONED)|\.SERIES:[WSP]:/;
const documentKeys = async (): Promise<string[]> =>
  (await allKeys(tracker.client)).filter((key) => DOCUMENT_KEYS.test(key));

beforeEach(async () => {
  await tracker.server.flush();
  await call("configure_tracker", "DOCUMENT_DAYS", DAYS, "ENRICH", 1);
});

const PAGES = ["a.example/news/national/x/y/1.html", "a.example/news/2.html", "a.example/", "b.example/sport/x/3.html"];

async function live(): Promise<void> {
  await track(NOON, ...PAGES.flatMap((page) => [visit(page, NOON - 3 * DAY), visit(page, NOON)]));
  await enrich(PAGES[0]!, "A title with words");
  await call("abandon_enrichment", "P", sha1(PAGES[1]!), "REASON", "timeout", "NOW", NOON);
  // A reader of announcements removes those that are done.
  const entries = (await tracker.client.sendCommand(["XRANGE", "ST:ENRICH:P:::", "-", "+"])) as unknown as [
    string,
    string[],
  ][];
  const done = entries.filter(([, fields]) => [PAGES[0], PAGES[1]].includes(fields[3])).map(([id]) => id);
  await tracker.client.sendCommand(["XDEL", "ST:ENRICH:P:::", ...done]);
  await tracker.drain("rotate_pg", "LIMIT", 10_000, "NOW", NOON + 4 * HOUR);
  await tracker.drain("rotate_ud", "LIMIT", 10_000, "NOW", NOON + 4 * HOUR);
}

describe("after expiry of everything", () => {
  it.each([1, 3, 10_000])(
    "nothing of documents, indexes, series and announcements is left, with LIMIT %d",
    async (limit) => {
      await live();
      expect((await documentKeys()).filter((key) => key.includes(".SERIES:P:")).length).toBeGreaterThanOrEqual(
        5 * PAGES.length,
      );
      const nowMs = NOON + DAYS * DAY + HOUR;
      let removed = 0;
      let calls = 0;
      for (let remaining: unknown = 1; remaining === 1; calls += 1) {
        const reply = await expire(nowMs, "LIMIT", limit);
        expect(reply["removed"] as number).toBeLessThanOrEqual(limit);
        removed += reply["removed"] as number;
        remaining = reply["remaining"];
      }
      expect(removed).toBe(PAGES.length + 4 + 2);
      expect(calls).toBeLessThanOrEqual(Math.ceil(removed / limit) + 1);
      expect(await documentKeys()).toEqual([]);
      expect(await tracker.client.xLen("ST:ENRICH:P:::")).toBe(0);
      expect(await documentCounts()).toEqual([0, 0, 0, 0, 0, []]);
      const before = await digest(tracker.client);
      expect(await expire(nowMs)).toEqual({ removed: 0, remaining: 0 });
      expect(await digest(tracker.client)).toEqual(before);
    },
  );

  it("a page that comes again is new, and is announced", async () => {
    await live();
    await tracker.drain("expire_documents", "NOW", NOON + 11 * DAY);
    await track(NOON + 11 * DAY, visit(PAGES[0]!, NOON + 11 * DAY));
    expect(await documentCounts()).toEqual([1, 1, 1, 1, 0, []]);
    expect(await call("find_documents", "P", "LEVEL", 3, "x")).toEqual([1, sha1(PAGES[0]!)]);
    expect(await call("find_documents", "P", "TITLE", "title")).toEqual([0]);
  });
});

describe("what is due", () => {
  it("is what was not visited for DOCUMENT_DAYS, to the millisecond", async () => {
    await track(NOON, visit("a.example/x", NOON));
    expect(await expire(NOON + DAYS * DAY)).toEqual({ removed: 0, remaining: 0 });
    expect(await exists("P", "a.example/x")).toBe(true);
    expect(await expire(NOON + DAYS * DAY + 1)).toEqual({ removed: 1, remaining: 0 });
    expect([
      await exists("P", "a.example/x"),
      await exists("S", "a.example//"),
      await exists("W", "a.example"),
    ]).toEqual([false, true, true]);
    // Sections and websites note the first event of a minute, which may be of another page: they go a little later.
    expect(await expire(NOON + DAYS * DAY + MINUTE + 1)).toEqual({ removed: 1, remaining: 0 });
    expect(await expire(NOON + DAYS * DAY + 2 * MINUTE + 1)).toEqual({ removed: 1, remaining: 0 });
    expect(await documentKeys()).toEqual([]);
  });

  it("goes oldest first, and leaves section and website while they have pages", async () => {
    await track(NOON, visit("a.example/s/1", NOON - 3000), visit("a.example/s/2", NOON - 2000));
    await track(NOON + 5 * DAY, visit("a.example/s/3", NOON + 5 * DAY));
    expect(await expire(NOON + 11 * DAY, "LIMIT", 1)).toEqual({ removed: 1, remaining: 1 });
    expect([await exists("P", "a.example/s/1"), await exists("P", "a.example/s/2")]).toEqual([false, true]);
    expect(await expire(NOON + 11 * DAY)).toEqual({ removed: 1, remaining: 0 });
    expect(await documentCounts()).toEqual([1, 1, 1, 1, 0, []]);
    expect(await call("find_documents", "P", "SECTION", "s")).toEqual([1, sha1("a.example/s/3")]);
  });

  it("a page that is visited between two calls stays, with all that is known of it", async () => {
    await live();
    const nowMs = NOON + 11 * DAY;
    await expire(nowMs, "LIMIT", 1);
    const left = (await Promise.all(PAGES.map(async (page) => [page, await exists("P", page)] as const)))
      .filter(([, isLeft]) => isLeft)
      .map(([page]) => page);
    expect(left).toHaveLength(PAGES.length - 1);
    for (const page of left) await track(nowMs, visit(page, nowMs));
    await tracker.drain("expire_documents", "NOW", nowMs);
    for (const page of left) expect(await exists("P", page)).toBe(true);
    expect((await call("find_documents", "P")) as unknown[]).toHaveLength(PAGES.length);
  });

  it("a late event brings a page no further life than it has", async () => {
    await track(NOON, visit("a.example/x", NOON));
    await track(NOON + 5 * DAY, visit("a.example/x", NOON - DAY));
    await tracker.drain("expire_documents", "NOW", NOON + 10 * DAY + HOUR);
    expect(await documentKeys()).toEqual([]);
  });

  it("takes the series of what came late, before the first event known, as well", async () => {
    await track(NOON, visit("a.example/x", NOON));
    await track(NOON, visit("a.example/x", NOON - 6 * DAY));
    for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name, "LIMIT", 10_000, "NOW", NOON + 4 * HOUR);
    const seriesOfPage = async (): Promise<string[]> =>
      (await documentKeys()).filter((key) => key.includes(`.SERIES:P:${sha1("a.example/x")}`));
    expect((await seriesOfPage()).length).toBeGreaterThan(7);
    await tracker.drain("expire_documents", "NOW", NOON + 11 * DAY);
    expect(await seriesOfPage()).toEqual([]);
  });

  it("does not touch audio, video and podcasts, which have no documents", async () => {
    await track(NOON, visit("a.example/x", NOON, { audio: "a", video: "v", podcast: "p" }));
    for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name, "LIMIT", 10_000, "NOW", NOON + 4 * HOUR);
    const ofMedia = async (): Promise<string[]> =>
      (await allKeys(tracker.client)).filter((key) => /\.SERIES:(A|V|PC):/.test(key));
    const before = await ofMedia();
    expect(before).toHaveLength(15);
    await tracker.drain("expire_documents", "NOW", NOON + 11 * DAY);
    expect(await ofMedia()).toEqual(before);
    for (const key of before) expect(await tracker.client.pTTL(key)).toBeGreaterThan(0);
  });

  it("in a partition, what is of the partition", async () => {
    await tracker.routed(["{a}"], "configure_tracker", "DOCUMENT_DAYS", String(DAYS));
    for (const keys of [["{a}"], []])
      await tracker.routed(keys, "track_events", visit("a.example/x", NOON), "NOW", NOON);
    expect(await tracker.routed(["{a}"], "expire_documents", "NOW", NOON + 11 * DAY)).toEqual([
      "removed",
      3,
      "remaining",
      0,
    ]);
    expect((await documentKeys()).filter((key) => key.includes("{a}"))).toEqual([]);
    expect(await documentCounts()).toEqual([1, 1, 1, 1, 0, []]);
  });
});

describe("what was imported of long ago", () => {
  const LONG_AGO = Date.now() - 300 * DAY;
  const imported = (from: string, to: string, ...pages: string[]): Promise<unknown> =>
    call(
      "import_events",
      "log",
      from,
      to,
      ...pages.map((page) => visit(page, LONG_AGO)),
      "HOLD",
      0,
      "NOW",
      LONG_AGO + MINUTE,
    );
  const pagesLeft = async (): Promise<unknown> => (await documentCounts())[2];

  it("stays, with its series, until DOCUMENT_DAYS after the import", async () => {
    await imported("-", "1", PAGES[0]!);
    await track(Date.now(), visit(PAGES[3]!, Date.now() - 20 * DAY), visit(PAGES[2]!, Date.now()));
    await tracker.drain("rotate_pg", "LIMIT", 10_000);
    const series = (await documentKeys()).filter((key) => key.includes(sha1(PAGES[0]!)) && key.includes(".SERIES:"));
    expect(series.length).toBeGreaterThan(0);
    expect(await record("expire_documents")).toEqual({ removed: 0, remaining: 0 });
    expect(await tracker.client.exists(series)).toBe(series.length);
    await tracker.drain("expire_documents", "NOW", Date.now() + (DAYS + 1) * DAY);
    expect(await pagesLeft()).toBe(0);
  });

  it("hides nothing behind it that is due, however much it is", async () => {
    const many = Array.from({ length: 450 }, (_, at) => `a.example/old/${at}.html`);
    await imported("-", "1", ...many);
    const due = LONG_AGO + 100 * DAY;
    await track(due, visit("a.example/due.html", due));
    const replies: Fields[] = [];
    do replies.push(await record("expire_documents", "LIMIT", 5));
    while (replies.at(-1)!["remaining"] === 1);
    expect(replies.reduce((sum, reply) => sum + Number(reply["removed"]), 0)).toBeGreaterThanOrEqual(1);
    expect(replies.length).toBeGreaterThan(3);
    expect(await exists("P", "a.example/due.html")).toBe(false);
    expect(await pagesLeft()).toBe(many.length);
    // The round is over: the next one begins with the oldest again.
    await tracker.drain("expire_documents", "NOW", Date.now() + (DAYS + 1) * DAY, "LIMIT", 1000);
    expect(await documentKeys()).toEqual([]);
  });
});

describe("foreign keys", () => {
  it("hold up their own record only; a call that gets nothing else done answers the error", async () => {
    await track(NOON, visit("a.example/s/1", NOON - 2000), visit("a.example/t/2", NOON - 1000));
    const key = `SS:PAGES:S:${sha1("a.example/s")}::`;
    await tracker.client.del(key);
    await tracker.client.set(key, "foreign");
    expect(await expire(NOON + 11 * DAY)).toEqual({ removed: 2, remaining: 0 });
    const before = await digest(tracker.client);
    expect(await tracker.refusal("expire_documents", "NOW", NOON + 11 * DAY)).toContain(`CONFLICT ${key} holds`);
    expect(await digest(tracker.client)).toEqual(before);
    await tracker.client.del(key);
    await tracker.drain("expire_documents", "NOW", NOON + 11 * DAY);
    expect(await documentKeys()).toEqual([]);
  });
});
