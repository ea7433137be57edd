import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { HotpathFunctions, MadeTier } from "../../host/contract";
import { functionsOf } from "../../host/deploy/client";
import { connect, type Connection } from "../../host/redis/connection";
import { carry } from "../../host/tracker/carry";
import { rotate } from "../../host/tracker/rotate";
import { unitedReads, type TrackerReads } from "../../host/tracker/shared";
import { homeOfRecord, partitionOfPage } from "../../host/tracker/spread";
import { sharedTracker } from "../../host/tracker/website";
import { loadLibrary } from "../support/functions";
import { useServer } from "../support/server";
import { EPOCH_MS, HOUR_MS, idOf, MINUTE_MS, type SentEvent } from "../support/tracker-model";

const redis = useServer();
const NAMES = ["news-0", "news-1", "news-2", "news-3"];
const HOME = homeOfRecord(idOf("news.example"), NAMES);
const AWAY = NAMES.filter((name) => name !== HOME);
const TIERS: MadeTier[] = ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"];
const always = (): boolean => true;

let connection: Connection;
let parts: Map<string, HotpathFunctions>;
/** The same events in one partition: what all answers are held against. */
let whole: HotpathFunctions;
let united: TrackerReads;

beforeAll(async () => {
  await loadLibrary(redis.client, "tracker");
  connection = await connect(redis.url);
  return () => connection.close();
});

beforeEach(async () => {
  await redis.flush();
  parts = new Map(NAMES.map((partition) => [partition, functionsOf(connection, { partition, once: false })]));
  whole = functionsOf(connection, { partition: "whole", once: false });
  // It keeps HyperLogLogs for as long as those do.
  await whole.configureTracker({ shared: 1 });
  united = unitedReads([...parts.values()]);
  for (const functions of parts.values()) await functions.configureTracker({ shared: 1, unknown: "host" });
});

/** Repeats itself, and is as good as chance for this. */
function randomly(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** A busy website with sections, many pages that have few views, and a small website; devices look at several pages. */
function makeEvents(count: number, fromMs: number, spanMs: number, seed = 7): SentEvent[] {
  const random = randomly(seed);
  return Array.from({ length: count }, (_, at) => {
    const page = Math.floor(400 * random() ** 3);
    const site = random() < 0.9 ? "news.example" : "small.example";
    return {
      url: `https://${site}/s${page % 7}/t${page % 3}/a/${page}.html`,
      uui: `device ${Math.floor(random() * (count / 3))}`,
      dt: Math.floor(fromMs + (at * spanMs) / count),
      ...(page % 5 === 0 && { audio: `audio-${page % 11}` }),
    };
  });
}

type Spread = (event: SentEvent, at: number) => string;

async function count(events: readonly SentEvent[], nowMs: number, spread: Spread = byPage): Promise<void> {
  for (let at = 0; at < events.length; at += 500) {
    const some = events.slice(at, at + 500);
    const json = some.map((each) => JSON.stringify(each));
    expect((await whole.trackEvents({ events: json, now: nowMs })).accepted).toBe(json.length);
    for (const [name, functions] of parts) {
      const own = json.filter((_, index) => spread(some[index]!, at + index) === name);
      if (own.length > 0) expect((await functions.trackEvents({ events: own, now: nowMs })).accepted).toBe(own.length);
    }
  }
}

const byPage: Spread = ({ url }) => partitionOfPage(url, NAMES);
/** A page in every partition, as with no rule at all. */
const inTurn: Spread = (_, at) => NAMES[at % NAMES.length]!;

async function rotateAll(nowMs: number): Promise<void> {
  for (const functions of [...parts.values(), whole]) {
    const at = {
      rotatePg: (args: object = {}) => functions.rotatePg({ ...args, now: nowMs, limit: 5000 }),
      rotateUd: (args: object = {}) => functions.rotateUd({ ...args, now: nowMs, limit: 5000 }),
    };
    for (const metric of ["pg", "ud"] as const) await rotate(at, metric, undefined, {}, always);
  }
}

async function carryAll(nowMs: number): Promise<number> {
  const group = new Map(
    [...parts].map(([name, functions]) => [
      name,
      {
        getCarry: (args?: object) => functions.getCarry(args),
        endCarry: (args: { serial: string }) => functions.endCarry(args),
        putCarry: (args: Parameters<HotpathFunctions["putCarry"]>[0]) => functions.putCarry({ ...args, now: nowMs }),
      },
    ]),
  );
  let carried = 0;
  for (const name of NAMES) carried += (await carry(name, group, always)).carried;
  return carried;
}

const RECORDS = [
  ["W", idOf("news.example")],
  ["W", idOf("small.example")],
] as const;

async function sectionsOf(id: string): Promise<string[]> {
  const json = await whole.getDocument({ dimension: "W", id, count: 1000 });
  return (JSON.parse(json!) as { sections: { id: string }[] }).sections.map((each) => each.id);
}

type Ranking = Awaited<ReturnType<TrackerReads["rankPg"]>>;
const viewsOf = (answer: Ranking): number[] => answer!.ranking.map(([, views]) => views);

/** Holds every read of the united partitions against those of the one. */
async function expectAlike(fromMs: number, toMs: number, nowMs: number): Promise<void> {
  const span = { from: fromMs, to: toMs, now: nowMs };
  for (const dimension of ["W", "S", "P", "A"] as const) {
    for (const many of [3, 20, 100]) {
      const expected = await whole.rankPg({ dimension, count: many, ...span });
      const got = await united.rankPg({ dimension, count: many, ...span });
      // The one partition holds more records of minutes that wait than it reads whole; four hold a quarter each.
      if (expected!.exact === 1) {
        expect([got!.from, got!.to, got!.exact]).toEqual([expected!.from, expected!.to, 1]);
        expect(viewsOf(got)).toEqual(viewsOf(expected));
      }
      for (const [id, views] of got!.ranking)
        expect(await whole.countPg({ dimension, id, ...span })).toMatchObject({ value: views });
    }
  }
  const sections = await sectionsOf(RECORDS[0][1]);
  for (const [dimension, id] of [...RECORDS, ...sections.map((section) => ["S", section] as const)]) {
    const of = { dimension, id, ...span };
    expect(await united.countPg(of)).toEqual(await whole.countPg(of));
    expect(await united.countUd(of)).toEqual(await whole.countUd(of));
  }
  const filtered = { dimension: "P", website: RECORDS[1][1], count: 30, ...span } as const;
  const small = await whole.rankPg(filtered);
  if (small!.exact === 1) expect(viewsOf(await united.rankPg(filtered))).toEqual(viewsOf(small));
}

async function expectSeriesAlike(fromMs: number, toMs: number): Promise<void> {
  const sections = await sectionsOf(RECORDS[0][1]);
  for (const [dimension, id] of [...RECORDS, ...sections.map((section) => ["S", section] as const)]) {
    for (const tier of TIERS) {
      const of = { dimension, id, tier, from: fromMs, to: toMs };
      expect(await united.rangePg(of)).toEqual(await whole.rangePg(of));
      expect(await united.rangeUd(of), `${dimension} ${id} ${tier}`).toEqual(await whole.rangeUd(of));
    }
  }
}

describe("a website in four partitions answers as if it were in one", () => {
  it.each([
    { rule: "each page in one of them", spread: byPage },
    { rule: "every page in all of them", spread: inTurn },
  ])("live, merged and in the middle of a merge: $rule", async ({ spread }) => {
    const lastMs = EPOCH_MS + 40 * MINUTE_MS;
    await count(makeEvents(6000, EPOCH_MS, 40 * MINUTE_MS), lastMs, spread);
    await expectAlike(EPOCH_MS, lastMs, lastMs);
    await rotateAll(EPOCH_MS + 20 * MINUTE_MS);
    await expectAlike(EPOCH_MS, lastMs, lastMs);
    await rotateAll(lastMs);
    await expectAlike(EPOCH_MS, lastMs, lastMs);
    await expectAlike(EPOCH_MS + 10 * MINUTE_MS, lastMs, lastMs);
  });

  it("over time, once devices were brought home", async () => {
    const endMs = EPOCH_MS + 3 * HOUR_MS;
    await count(makeEvents(8000, EPOCH_MS, 3 * HOUR_MS), endMs);
    await rotateAll(endMs + MINUTE_MS);
    expect(await carryAll(endMs + MINUTE_MS)).toBeGreaterThan(0);
    await rotateAll(endMs + 2 * MINUTE_MS);
    await expectSeriesAlike(EPOCH_MS, endMs);
    await expectAlike(EPOCH_MS, endMs, endMs + 2 * MINUTE_MS);
    expect(await carryAll(endMs + 2 * MINUTE_MS)).toBe(0);
  });

  it("when events come late, after all was merged and brought home", async () => {
    const endMs = EPOCH_MS + HOUR_MS;
    const nowMs = endMs + 10 * MINUTE_MS;
    const events = makeEvents(4000, EPOCH_MS, HOUR_MS);
    const late = events.filter((_, at) => at % 3 === 0);
    await count(
      events.filter((_, at) => at % 3 !== 0),
      endMs,
    );
    await rotateAll(nowMs);
    await carryAll(nowMs);
    await rotateAll(nowMs);
    await count(late, nowMs);
    await rotateAll(nowMs + 5 * MINUTE_MS);
    await carryAll(nowMs + 5 * MINUTE_MS);
    await rotateAll(nowMs + 6 * MINUTE_MS);
    await expectSeriesAlike(EPOCH_MS, endMs);
    await expectAlike(EPOCH_MS, endMs, nowMs + 6 * MINUTE_MS);
  });

  it("when home was away for two hours, in which the others went on", async () => {
    const endMs = EPOCH_MS + 2 * HOUR_MS;
    for (let hour = 0; hour < 2; hour += 1) {
      const fromMs = EPOCH_MS + hour * HOUR_MS;
      await count(makeEvents(2000, fromMs, HOUR_MS, hour + 1), fromMs + HOUR_MS);
      await rotateAll(fromMs + HOUR_MS);
    }
    await carryAll(endMs);
    await rotateAll(endMs + 5 * MINUTE_MS);
    await expectSeriesAlike(EPOCH_MS, endMs);
  });
});

describe("documents of a website in four partitions", () => {
  it("list what all of them have, by last visit", async () => {
    await count(makeEvents(3000, EPOCH_MS, 30 * MINUTE_MS), EPOCH_MS + 30 * MINUTE_MS);
    for (const [dimension, id] of RECORDS) {
      for (const many of [5, 1000]) {
        const expected = JSON.parse((await whole.getDocument({ dimension, id, count: many }))!) as Listing;
        const got = JSON.parse((await united.getDocument({ dimension, id, count: many }))!) as Listing;
        // To the minute: the first view of a minute counts, and each partition has its own.
        expect(timeOf(got)).toBe(timeOf(expected));
        expect(got.pages.map(timeOf)).toEqual(expected.pages.map(timeOf));
        expect(got.sections.map(timeOf)).toEqual(expected.sections.map(timeOf));
        if (many === 1000)
          expect(new Set(got.pages.map((each) => each.id))).toEqual(new Set(expected.pages.map((each) => each.id)));
      }
    }
    expect(await united.getDocument({ dimension: "P", id: idOf("none") })).toBeNull();
  });
});

interface Listing {
  last_visited: number;
  pages: { id: string; last_visited: number }[];
  sections: { id: string; last_visited: number }[];
}
const timeOf = (each: { last_visited: number }): number => Math.floor(each.last_visited / MINUTE_MS);

describe("bringing devices home", () => {
  const site = { dimension: "W", id: idOf("news.example") } as const;
  const view = (uui: string, dt: number): string => JSON.stringify({ url: "https://news.example/s/a.html", uui, dt });

  async function seen(partition: string, devices: string[], dt: number, nowMs: number): Promise<void> {
    await parts.get(partition)!.trackEvents({ events: devices.map((each) => view(each, dt)), now: nowMs });
  }
  const rotateOne = (partition: string, now: number) => parts.get(partition)!.rotateUd({ now, limit: 5000 });
  const pointsAtHome = async (): Promise<[number, number][]> =>
    parts.get(HOME)!.rangeUd({ ...site, tier: "5MINUTES", from: EPOCH_MS, to: EPOCH_MS + HOUR_MS });

  it("may be repeated, and broken off between any two calls", async () => {
    const nowMs = EPOCH_MS + 10 * MINUTE_MS;
    const away = parts.get(AWAY[0]!)!;
    const home = parts.get(HOME)!;
    await seen(AWAY[0]!, ["a", "b"], EPOCH_MS, nowMs);
    await seen(HOME, ["b", "c"], EPOCH_MS, nowMs);
    await rotateOne(AWAY[0]!, nowMs);
    await rotateOne(HOME, nowMs);
    const [first] = (await away.getCarry()).filter(([, dimension]) => dimension === "W");
    const [, , id, , window, devices] = first!;
    const put = { dimension: "W", id, tier: "5MINUTES", window, devices: devices!, now: nowMs } as const;
    await home.putCarry(put);
    expect(await pointsAtHome()).toEqual([[EPOCH_MS, 3]]);
    // The host died before it could say so, and another one begins anew.
    await carryAll(nowMs);
    await home.putCarry(put);
    expect(await pointsAtHome()).toEqual([[EPOCH_MS, 3]]);
    expect(await away.getCarry()).toEqual([]);
  });

  it("loses nothing that was merged again between taking and ending", async () => {
    const nowMs = EPOCH_MS + 10 * MINUTE_MS;
    const away = parts.get(AWAY[0]!)!;
    await seen(AWAY[0]!, ["a"], EPOCH_MS, nowMs);
    await rotateOne(AWAY[0]!, nowMs);
    const taken = await away.getCarry();
    await seen(AWAY[0]!, ["late"], EPOCH_MS, nowMs);
    await rotateOne(AWAY[0]!, nowMs);
    await away.endCarry({ serial: taken.at(-1)![0] });
    expect((await away.getCarry()).map(([, dimension]) => dimension).sort()).toEqual(["S", "W"]);
    await carryAll(nowMs);
    expect(await pointsAtHome()).toEqual([[EPOCH_MS, 2]]);
  });

  it("takes the narrowest window that is left where one has ended", async () => {
    const nowMs = EPOCH_MS + 10 * MINUTE_MS;
    const away = parts.get(AWAY[0]!)!;
    await seen(AWAY[0]!, ["a"], EPOCH_MS, nowMs);
    await rotateOne(AWAY[0]!, nowMs);
    await redis.client.del(`HLL:5MINUTES:W:{${AWAY[0]!}}${site.id}:${EPOCH_MS}:UD`);
    const [, , , tier, window] = (await away.getCarry()).find(([, dimension]) => dimension === "W")!;
    expect([tier, window]).toEqual(["10MINUTES", EPOCH_MS]);
    await carryAll(nowMs);
    expect(await parts.get(HOME)!.countUd({ ...site, from: EPOCH_MS, to: nowMs, now: nowMs })).toMatchObject({
      value: 1,
    });
    await redis.client.del(`HLL:10MINUTES:S:{${AWAY[0]!}}${site.id}:${EPOCH_MS}:UD`);
  });

  it("passes over what is left of nothing", async () => {
    const nowMs = EPOCH_MS + 5 * MINUTE_MS;
    const away = parts.get(AWAY[0]!)!;
    await seen(AWAY[0]!, ["a"], EPOCH_MS, nowMs);
    await rotateOne(AWAY[0]!, nowMs);
    for (const key of await redis.client.keys(`HLL:*{${AWAY[0]!}}*`)) await redis.client.del(key);
    expect((await away.getCarry()).map((each) => each[5])).toEqual([null, null]);
    await carryAll(nowMs);
    expect(await away.getCarry()).toEqual([]);
    expect(await pointsAtHome()).toEqual([]);
  });

  it("gives no serial number again after the list was empty, whatever the clock says", async () => {
    const away = parts.get(AWAY[0]!)!;
    await redis.client.hSet(`H:TRACKER::{${AWAY[0]!}}::`, "carried", "9000000000000000");
    await seen(AWAY[0]!, ["a"], EPOCH_MS, EPOCH_MS);
    await rotateOne(AWAY[0]!, EPOCH_MS + 5 * MINUTE_MS);
    const serials = (await away.getCarry()).map(([serial]) => Number(serial));
    expect(Math.min(...serials)).toBeGreaterThan(9e15);
  });

  it("tells what waits, and for how long", async () => {
    const away = parts.get(AWAY[0]!)!;
    expect(await away.getTrackerStatus()).toMatchObject({ carryWaiting: 0, carryLagMs: 0 });
    await seen(AWAY[0]!, ["a"], EPOCH_MS, EPOCH_MS);
    await rotateOne(AWAY[0]!, EPOCH_MS + 5 * MINUTE_MS);
    const key = `SS:CARRY::{${AWAY[0]!}}::UD`;
    const [first] = await redis.client.zRange(key, 0, 0);
    await redis.client.zIncrBy(key, -3_600e6, first!);
    const { carryWaiting, carryLagMs } = await away.getTrackerStatus();
    expect(carryWaiting).toBe(2);
    expect(carryLagMs).toBeGreaterThanOrEqual(3_600e3);
  });

  it("notes nothing in a partition that shares nothing", async () => {
    await whole.trackEvents({ events: [view("a", EPOCH_MS)], now: EPOCH_MS });
    await whole.configureTracker({ shared: 0 });
    await whole.rotateUd({ now: EPOCH_MS + 5 * MINUTE_MS });
    expect(await whole.getCarry()).toEqual([]);
  });

  it("stops at a foreign key in the place of its list, and rotates all when it is gone", async () => {
    const nowMs = EPOCH_MS + 5 * MINUTE_MS;
    const key = `SS:CARRY::{${AWAY[0]!}}::UD`;
    await seen(AWAY[0]!, ["a"], EPOCH_MS, nowMs);
    await redis.client.set(key, "x");
    // Pages are none of the list's.
    while ((await rotateOne(AWAY[0]!, nowMs).catch(() => ({ merged: 0 }))).merged > 0);
    await expect(rotateOne(AWAY[0]!, nowMs)).rejects.toThrow(`${key} holds a string`);
    await expect(parts.get(AWAY[0]!)!.getCarry()).rejects.toThrow(`${key} holds another type`);
    await redis.client.del(key);
    await rotateOne(AWAY[0]!, nowMs);
    await carryAll(nowMs);
    expect(await pointsAtHome()).toEqual([[EPOCH_MS, 1]]);
  });

  it.each([
    "SS:10MINUTES.PENDING:W:*:UD",
    "S:10MINUTES.OPEN:W:*:UD",
    "HLL:5MINUTES:W:*:UD",
    "H:5MINUTES.SERIES:W:*:UD",
  ])("writes nothing at home where a foreign key is in the way: %s", async (pattern) => {
    const nowMs = EPOCH_MS + 5 * MINUTE_MS;
    await seen(AWAY[0]!, ["a"], EPOCH_MS, nowMs);
    await rotateOne(AWAY[0]!, nowMs);
    await seen(HOME, ["b"], EPOCH_MS, nowMs);
    await rotateOne(HOME, nowMs);
    const [key] = await redis.client.keys(pattern.replace("*", `*{${HOME}}*`));
    await redis.client.set(key!, "x");
    const keys = async () => (await redis.client.keys("*")).filter((each) => !each.startsWith("SS:CARRY:")).sort();
    const before = await keys();
    await expect(carryAll(nowMs)).rejects.toThrow(key!);
    expect(await keys()).toEqual(before);
    expect(await redis.client.get(key!)).toBe("x");
    await redis.client.del(key!);
    await carryAll(nowMs);
    expect(await parts.get(HOME)!.countUd({ ...site, from: EPOCH_MS, to: nowMs, now: nowMs })).not.toBeNull();
  });

  it("refuses what is no HyperLogLog, and windows that are none", async () => {
    const header = Buffer.from("HYLL\x01\0\0\0\0\0\0\0\0\0\0\0", "latin1");
    const put = { dimension: "W", id: site.id, tier: "5MINUTES", window: EPOCH_MS, now: EPOCH_MS } as const;
    const home = parts.get(HOME)!;
    for (const devices of [Buffer.from("no HyperLogLog"), header, Buffer.from([...header, 0x7f])])
      await expect(home.putCarry({ ...put, devices })).rejects.toThrow(/^devices must be a HyperLogLog/);
    expect(await redis.client.keys("HLL:*")).toEqual([]);
    await expect(home.putCarry({ ...put, window: EPOCH_MS + 1, devices: header })).rejects.toThrow(
      /^window must be the start/,
    );
    expect(await home.putCarry({ ...put, devices: Buffer.concat([header, Buffer.from([0x7f, 0xff])]) })).toBe(1);
  });
});

describe("the typed client of a shared website", () => {
  it("counts each event in the partition of its page, and tells errors by their place", async () => {
    const client = sharedTracker(connection, NAMES);
    const events = makeEvents(300, EPOCH_MS, MINUTE_MS).map((each) => JSON.stringify(each));
    events[7] = "{}";
    events[250] = '{"url":"no address"}';
    const { accepted, rejected, errors } = await client.trackEvents({ events, now: EPOCH_MS + MINUTE_MS });
    expect([accepted, rejected, errors.map(([at]) => at)]).toEqual([298, 2, [7, 250]]);
    const span = { from: EPOCH_MS, to: EPOCH_MS + MINUTE_MS, now: EPOCH_MS + MINUTE_MS };
    const sites = await client.rankPg({ dimension: "W", ...span });
    expect(sites!.ranking.reduce((sum, [, views]) => sum + views, 0)).toBe(298);
    for (const { url } of makeEvents(20, EPOCH_MS, MINUTE_MS)) {
      const { pageId: id } = await client.identifyUrl({ url });
      for (const [name, functions] of parts)
        expect((await functions.getDocument({ dimension: "P", id })) !== null).toBe(
          name === partitionOfPage(url, NAMES),
        );
    }
  });
});

describe("spreading pages", () => {
  const pages = Array.from({ length: 4000 }, (_, page) => `https://news.example/a/${page}.html`);

  it("gives each partition its share, and a further one takes from all others alone", () => {
    const before = pages.map((url) => partitionOfPage(url, NAMES));
    for (const name of NAMES) expect(before.filter((each) => each === name).length).toBeGreaterThan(850);
    const after = pages.map((url) => partitionOfPage(url, [...NAMES, "news-4"]));
    const moved = after.filter((name, at) => name !== before[at]);
    expect(new Set(moved)).toEqual(new Set(["news-4"]));
    expect(moved.length).toBeGreaterThan(600);
  });

  it("does not depend on what does not tell pages apart", () => {
    const [one, ...others] = ["https://News.example/a", "http://news.example/a?b=c", "//NEWS.EXAMPLE/a#d"].map((url) =>
      partitionOfPage(url, NAMES),
    );
    expect(others).toEqual([one, one]);
    expect(partitionOfPage("https://news.example", NAMES)).toBe(
      partitionOfPage("https://news.example/", [...NAMES].reverse()),
    );
    expect(NAMES).toContain(partitionOfPage("no address", NAMES));
  });
});
