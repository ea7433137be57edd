/*
 * count_pg, count_ud, rank_pg, range_pg and range_ud against a plain computation over all events sent, before, in the
 * middle of, and after rotation.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { openViews } from "../../functions/tracker/names";
import { cover } from "../../functions/tracker/windows";
import { DAY, event, HOUR, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import { decodeRecord, type Argument, type Fields } from "../support/functions";

const tracker = useTracker();
const { record, call, refusal } = tracker;

beforeEach(() => tracker.server.flush());

/** What was sent: an event and the ids it counts for. */
interface Sent {
  ids: Record<string, string>;
  device: string;
  at: number;
  json: string;
}

const TIER_MS: Record<string, number> = {
  "5MINUTES": 5 * MINUTE,
  "10MINUTES": 10 * MINUTE,
  "1HOUR": HOUR,
  "3HOURS": 3 * HOUR,
};
const TIERS = Object.keys(TIER_MS);
const floor = (ms: number, lengthMs: number): number => Math.floor(ms / lengthMs) * lengthMs;

function sent(site: string, section: string, page: string, device: string, at: number, audio?: string): Sent {
  const address = `${site}/${section}/${page}`;
  const ids: Record<string, string> = { W: sha1(site), S: sha1(`${site}/${section}`), P: sha1(address) };
  if (audio !== undefined) ids["A"] = sha1(`${site}/${audio}`);
  return { ids, device, at, json: event(`http://${address}`, device, at, audio === undefined ? {} : { audio }) };
}

/** A repeatable source of whole numbers below a bound. */
function randomSource(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Traffic on a few sites, more on the first pages, over a stretch of time. */
function traffic(random: (below: number) => number, count: number, fromMs: number, toMs: number): Sent[] {
  return Array.from({ length: count }, () => {
    const page = Math.min(random(30), random(30));
    return sent(
      `site${page % 3}.example`,
      `s${page % 5}`,
      `${page}`,
      `device${random(40)}`,
      fromMs + random(toMs - fromMs),
      random(8) === 0 ? `song${random(2)}` : undefined,
    );
  });
}

async function send(events: Sent[], nowMs: number): Promise<void> {
  for (let from = 0; from < events.length; from += 1000) {
    const batch = events.slice(from, from + 1000).map(({ json }) => json);
    expect(await record("track_events", ...batch, "NOW", nowMs)).toMatchObject({ accepted: batch.length });
  }
}

const drain = async (nowMs: number, ...names: string[]): Promise<void> => {
  for (const name of names.length > 0 ? names : ["rotate_pg", "rotate_ud"])
    await tracker.drain(name, "LIMIT", 10_000, "NOW", nowMs);
};

// The plain computation.

const between = (events: Sent[], fromMs: number, toMs: number): Sent[] =>
  events.filter(({ at }) => at >= fromMs && at < toMs);
const of = (events: Sent[], dimension: string, id: string): Sent[] => events.filter(({ ids }) => ids[dimension] === id);

/** Unique devices as a HyperLogLog knows them: what it answers depends on the devices only, not on how they came in. */
async function devicesOf(events: Sent[]): Promise<number> {
  if (events.length === 0) return 0;
  await tracker.client.sendCommand(["PFADD", "reference", ...events.map(({ device }) => device)]);
  const count = Number(await tracker.client.sendCommand(["PFCOUNT", "reference"]));
  await tracker.client.sendCommand(["DEL", "reference"]);
  return count;
}

function rankingOf(events: Sent[], dimension: string): [id: string, views: number][] {
  const views = new Map<string, number>();
  for (const { ids } of events)
    if (ids[dimension] !== undefined) views.set(ids[dimension], (views.get(ids[dimension]) ?? 0) + 1);
  return [...views].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

// The questions.

async function ask(name: string, ...args: Argument[]): Promise<Fields | null> {
  const reply = await tracker.call(name, ...args);
  return reply === null ? null : decodeRecord(reply);
}

const rank = async (
  dimension: string,
  fromMs: number,
  toMs: number,
  nowMs: number,
  ...options: Argument[]
): Promise<Fields | null> => ask("rank_pg", dimension, "FROM", fromMs, "TO", toMs, "NOW", nowMs, ...options);

const range = async (
  name: string,
  dimension: string,
  id: string,
  tier: string,
  fromMs: number,
  toMs: number,
): Promise<[number, number][]> =>
  (await tracker.read(name, dimension, id, "TIER", tier, "FROM", fromMs, "TO", toMs)) as [number, number][];

/** One question asked of the counts and the ranking, held against all events. */
async function compare(
  events: Sent[],
  dimension: string,
  id: string,
  fromMs: number,
  toMs: number,
  nowMs: number,
  clockMs = nowMs,
): Promise<void> {
  const question = { dimension, id, fromMs, toMs, nowMs };
  const bounds = cover(fromMs, toMs, clockMs);
  const options = ["FROM", fromMs, "TO", toMs, "NOW", nowMs];
  const [views, devices, ranked] = [
    await ask("count_pg", dimension, id, ...options),
    await ask("count_ud", dimension, id, ...options),
    await rank(dimension, fromMs, toMs, nowMs, "COUNT", 5),
  ];
  if (bounds === undefined) {
    expect([views, devices, ranked], JSON.stringify(question)).toEqual([null, null, null]);
    return;
  }
  const { fromMs: from, toMs: to } = bounds;
  const inside = between(events, from, to);
  const own = of(inside, dimension, id);
  expect(views, JSON.stringify(question)).toEqual({ value: own.length, from, to });
  expect(devices, JSON.stringify(question)).toEqual({ value: await devicesOf(own), from, to });
  expect(ranked, JSON.stringify(question)).toEqual({
    from,
    to,
    exact: 1,
    ranking: rankingOf(inside, dimension).slice(0, 5),
  });
}

/** Questions of every kind: short and long, round and odd, of ids that were seen and one that was not. */
async function compareMany(
  events: Sent[],
  random: (below: number) => number,
  count: number,
  nowMs: number,
): Promise<void> {
  const oldest = Math.min(...events.map(({ at }) => at));
  for (let asked = 0; asked < count; asked += 1) {
    const dimension = ["W", "S", "P", "A"][random(4)]!;
    const seen = events[random(events.length)]!.ids[dimension];
    const back = [2 * HOUR, 30 * HOUR, nowMs - oldest + HOUR][random(3)]!;
    let fromMs = nowMs - random(back);
    let toMs = fromMs + 1 + random(back);
    if (random(2) === 0) [fromMs, toMs] = [floor(fromMs, MINUTE), floor(toMs, MINUTE) + MINUTE];
    await compare(events, dimension, seen ?? sha1("nobody"), fromMs, toMs, nowMs);
  }
}

describe("equal to a plain computation", () => {
  const NOW = NOON + 2 * HOUR + 17 * MINUTE + 1234;

  it.each([1, 2])("before, in the middle of, and after rotation, and with late events, data %d", async (seed) => {
    const random = randomSource(seed);
    const events = traffic(random, 1500, NOW - 26 * HOUR, NOW - HOUR).concat(
      traffic(random, 700, NOW - HOUR, NOW + 5 * MINUTE),
    );
    await send(events, NOW);
    await compareMany(events, random, 20, NOW);
    for (let step = 0; step < 12; step += 1) {
      for (const name of ["rotate_pg", "rotate_ud"]) await record(name, "LIMIT", 1 + random(250), "NOW", NOW);
      await compareMany(events, random, 4, NOW);
    }
    const late = traffic(random, 200, NOW - 20 * HOUR, NOW);
    await send(late, NOW);
    events.push(...late);
    await compareMany(events, random, 20, NOW);
    await drain(NOW, "rotate_pg");
    await compareMany(events, random, 15, NOW);
    await drain(NOW, "rotate_ud");
    await compareMany(events, random, 20, NOW);
    await compareRanges(events, random, NOW);
    const later = traffic(random, 200, NOW - 24 * HOUR, NOW);
    await send(later, NOW);
    events.push(...later);
    await compareMany(events, random, 15, NOW);
    await drain(NOW);
    await compareMany(events, random, 15, NOW);
  });

  /** All points of a few ids; after rotation, of windows that are over. */
  async function compareRanges(events: Sent[], random: (below: number) => number, nowMs: number): Promise<void> {
    for (const tier of TIERS) {
      const lengthMs = TIER_MS[tier]!;
      const dimension = ["W", "S", "P", "A"][random(4)]!;
      const id = events.find(({ ids }) => ids[dimension] !== undefined)!.ids[dimension]!;
      const [fromMs, toMs] = [nowMs - 25 * HOUR - random(HOUR), nowMs + HOUR];
      const expected: { views: [number, number][]; devices: [number, number][] } = { views: [], devices: [] };
      for (let startMs = floor(fromMs + lengthMs - 1, lengthMs); startMs < toMs; startMs += lengthMs) {
        const inside = of(between(events, startMs, startMs + lengthMs), dimension, id);
        // Page views are stored by five minutes, and a coarser point is the sum of those that are over.
        const over = inside.filter(({ at }) => floor(at, 5 * MINUTE) + 5 * MINUTE <= nowMs);
        if (over.length > 0) expected.views.push([startMs, over.length]);
        if (inside.length > 0 && startMs + lengthMs <= nowMs) expected.devices.push([startMs, await devicesOf(inside)]);
      }
      expect(expected.views.length).toBeGreaterThan(3);
      expect(await range("range_pg", dimension, id, tier, fromMs, toMs), `range_pg ${tier}`).toEqual(expected.views);
      expect(await range("range_ud", dimension, id, tier, fromMs, toMs), `range_ud ${tier}`).toEqual(expected.devices);
    }
  }

  it("after each single record that rotation moves", async () => {
    const random = randomSource(9);
    const events = traffic(random, 40, NOON, NOON + 25 * MINUTE);
    const nowMs = NOON + 40 * MINUTE;
    await send(events, nowMs);
    let isLeft = true;
    for (let steps = 0; isLeft; steps += 1) {
      expect(steps).toBeLessThan(1000);
      const replies = [
        await record("rotate_pg", "LIMIT", 1, "NOW", nowMs),
        await record("rotate_ud", "LIMIT", 1, "NOW", nowMs),
      ];
      isLeft = replies.some(({ remaining }) => remaining === 1);
      const { ids } = events[steps % events.length]!;
      await compare(events, "W", ids["W"]!, NOON, NOON + 25 * MINUTE, nowMs);
      await compare(
        events,
        "P",
        ids["P"]!,
        NOON + random(20 * MINUTE),
        NOON + 21 * MINUTE + random(10 * MINUTE),
        nowMs,
      );
    }
  });

  it("tier by tier, each by itself, in any order", async () => {
    const random = randomSource(21);
    const events = traffic(random, 300, NOON - 5 * HOUR, NOON);
    await send(events, NOON);
    for (const tier of ["1HOUR", "5MINUTES", "3HOURS", "10MINUTES", "10MINUTES", "1HOUR", "3HOURS"]) {
      for (const name of ["rotate_pg", "rotate_ud"]) {
        for (const dimension of ["P", "W", "S", "A"])
          await tracker.drain(name, "TIER", tier, "DIMENSION", dimension, "LIMIT", 50, "NOW", NOON);
      }
      await compareMany(events, random, 8, NOON);
    }
  });
});

describe("rotation of a crowded window", () => {
  it("gets to its end with small slices, and loses nobody", async () => {
    const events = Array.from({ length: 4000 }, (_, at) => sent("a.example", "s", `${at}`, "d", NOON + at));
    await send(events, NOON + MINUTE);
    const nowMs = NOON + 20 * MINUTE;
    expect(await record("rotate_pg", "DIMENSION", "P", "LIMIT", 50, "NOW", nowMs)).toEqual({
      windows: 0,
      merged: 50,
      remaining: 1,
    });
    // Each page is moved twice: into five and into ten minutes.
    expect(await tracker.drain("rotate_pg", "DIMENSION", "P", "LIMIT", 50, "NOW", nowMs)).toBeLessThan(250);
    const options = ["FROM", NOON, "TO", NOON + MINUTE, "NOW", nowMs];
    expect(await ask("count_pg", "W", sha1("a.example"), ...options)).toMatchObject({ value: 4000 });
    for (const at of [0, 1234, 3999])
      expect(await ask("count_pg", "P", events[at]!.ids["P"]!, ...options)).toMatchObject({ value: 1 });
    expect(await record("get_tracker_status", "NOW", nowMs)).toMatchObject({
      tiers: [
        ["1MINUTE", 1, 4000, 0, 0, 0, 0],
        ["5MINUTES", 1, 4000, expect.anything(), expect.anything(), expect.anything(), expect.anything()],
        expect.anything(),
        expect.anything(),
        expect.anything(),
      ],
    });
  });
});

describe("bounds", () => {
  const site = sha1("a.example");
  const at = (minutes: number): number => NOON + minutes * MINUTE;
  const NOW = at(37) + 12_345;

  const counted = async (fromMs: number, toMs: number, nowMs = NOW): Promise<unknown> => {
    const options = ["FROM", fromMs, "TO", toMs, "NOW", nowMs];
    const [views, devices, ranked] = [
      await ask("count_pg", "W", site, ...options),
      await ask("count_ud", "W", site, ...options),
      await ask("rank_pg", "W", ...options),
    ];
    if (views === null) expect([devices, ranked]).toEqual([null, null]);
    else
      expect([devices, ranked]).toMatchObject([
        { from: views["from"], to: views["to"] },
        { from: views["from"], to: views["to"], exact: 1 },
      ]);
    return views;
  };

  beforeEach(async () => {
    await send(
      [
        sent("a.example", "s", "x", "d", at(7)),
        sent("a.example", "s", "y", "e", at(8) - 1),
        sent("a.example", "s", "x", "d", at(-100)),
      ],
      NOW,
    );
  });

  it("FROM is included, TO is not", async () => {
    expect(await counted(at(7), at(8))).toEqual({ value: 2, from: at(7), to: at(8) });
    expect(await counted(at(8), at(9))).toEqual({ value: 0, from: at(8), to: at(9) });
    expect(await counted(at(6), at(7))).toEqual({ value: 0, from: at(6), to: at(7) });
  });

  it("are rounded outwards to minutes, and to whole windows where only those are kept", async () => {
    expect(await counted(at(7) + 1, at(7) + 2)).toEqual({ value: 2, from: at(7), to: at(8) });
    expect(await counted(at(-100), at(-99))).toEqual({ value: 1, from: at(-120), to: at(-60) });
    expect(await counted(at(-100), at(-99), NOW + DAY)).toEqual({ value: 1, from: at(-180), to: at(0) });
    expect(await counted(at(7), at(8), NOW + DAY)).toEqual({ value: 2, from: at(0), to: at(60) });
  });

  it("stay the same once the windows are rotated", async () => {
    await drain(NOW);
    expect(await counted(at(7), at(8))).toEqual({ value: 2, from: at(7), to: at(8) });
    expect(await counted(at(-100), at(-99))).toEqual({ value: 1, from: at(-120), to: at(-60) });
    await drain(NOW + DAY);
    expect(await counted(at(-100), at(-99), NOW + DAY)).toEqual({ value: 1, from: at(-180), to: at(0) });
  });

  it("nil where nothing is left or nothing can be yet; 0 for an id that nobody knows", async () => {
    expect(await counted(at(-100), at(-99), NOW + 8 * DAY)).toBeNull();
    expect(await counted(0, NOON - 8 * DAY)).toBeNull();
    expect(await counted(NOW + 6 * MINUTE, NOW + HOUR)).toBeNull();
    expect(await ask("count_pg", "P", sha1("nobody"), "FROM", at(7), "TO", at(8), "NOW", NOW)).toEqual({
      value: 0,
      from: at(7),
      to: at(8),
    });
    expect(await ask("count_ud", "V", sha1("nobody"), "FROM", at(7), "TO", at(8), "NOW", NOW)).toEqual({
      value: 0,
      from: at(7),
      to: at(8),
    });
    expect(await ask("rank_pg", "V", "FROM", at(7), "TO", at(8), "NOW", NOW)).toEqual({
      from: at(7),
      to: at(8),
      exact: 1,
      ranking: [],
    });
  });

  it("are cut to what can be: seven days back, five minutes ahead", async () => {
    expect(await counted(0, 99_999_999_999_999)).toEqual({ value: 3, from: NOON - 7 * DAY, to: at(43) });
  });

  it("a clock that runs backwards brings nothing back", async () => {
    await drain(NOW + DAY);
    expect(await counted(at(7), at(8))).toEqual({ value: 2, from: at(0), to: at(60) });
  });

  it("without NOW it is the server's clock", async () => {
    const [seconds] = (await tracker.client.sendCommand(["TIME"])) as unknown as [string];
    const nowMs = Number(seconds) * 1000;
    await record("track_events", event("http://a.example/x", "d", nowMs));
    const counts = await ask("count_pg", "W", site, "FROM", nowMs - 10 * MINUTE, "TO", nowMs + MINUTE);
    expect(counts).toMatchObject({ value: 1, from: floor(nowMs, MINUTE) - 10 * MINUTE });
    expect(await ask("count_pg", "W", site, "FROM", NOON, "TO", NOON + HOUR)).toBeNull();
  });
});

describe("malformed stretches of time", () => {
  const id = sha1("x");
  const QUESTIONS: [name: string, args: Argument[]][] = [
    ["count_pg", ["W", id]],
    ["count_ud", ["W", id]],
    ["rank_pg", ["W"]],
    ["range_pg", ["W", id, "TIER", "1HOUR"]],
    ["range_ud", ["W", id, "TIER", "1HOUR"]],
  ];

  it.each(QUESTIONS)("%s: FROM must be before TO", async (name, args) => {
    for (const [from, to] of [
      [NOON, NOON],
      [NOON + 1, NOON],
      [1, 0],
    ]) {
      expect(await refusal(name, ...args, "FROM", from!, "TO", to!)).toBe(
        `BADARG FROM must be before TO, got ${from} and ${to}`,
      );
    }
    expect(await refusal(name, ...args, "FROM", NOON, "TO", NOON + 1)).toBeUndefined();
  });
});

describe("devices of many windows that are not merged", () => {
  it("are refused beyond 4,000 keys, and told once rotation has come by", async () => {
    const nowMs = NOON + 3 * DAY;
    const events = Array.from({ length: 850 }, (_, at) =>
      sent("a.example", "s", "x", `d${at % 50}`, NOON + at * 5 * MINUTE),
    );
    await send(events, nowMs);
    const question = ["W", sha1("a.example"), "FROM", NOON, "TO", nowMs, "NOW", nowMs];
    expect(await refusal("count_ud", ...question)).toMatch(/^LIMIT .*4000.*rotate_ud/);
    expect(await ask("count_pg", ...question)).toMatchObject({ value: 850 });
    expect(await refusal("rank_pg", "W", "FROM", NOON, "TO", nowMs, "NOW", nowMs)).toMatch(/^LIMIT .*2000.*rotate_pg/);
    const shorter = ["W", sha1("a.example"), "FROM", NOON, "TO", NOON + 2 * DAY, "NOW", nowMs];
    expect(await ask("count_ud", ...shorter)).toMatchObject({ value: await devicesOf(events) });
    await drain(nowMs);
    expect(await ask("count_ud", ...question)).toMatchObject({ value: await devicesOf(events) });
    expect(await ask("count_pg", ...question)).toMatchObject({ value: 850 });
    expect(await rank("W", NOON, nowMs, nowMs)).toMatchObject({ exact: 1, ranking: [[sha1("a.example"), 850]] });
  });
});

describe("devices of many large windows that are not merged", () => {
  const nowMs = NOON + 14 * HOUR;
  const minutes = Array.from({ length: 14 * 60 }, (_, at) => NOON + at * MINUTE);
  const question = ["W", sha1("a.example"), "FROM", NOON, "TO", nowMs, "NOW", nowMs];

  it("are counted up to 10 MB, and refused beyond", async () => {
    const events = minutes.map((at) => sent("a.example", "s", "x", "d", at));
    await send(events, nowMs);
    expect(await ask("count_ud", ...question)).toMatchObject({ value: 1 });
    const { client } = tracker;
    await client.sendCommand(["PFADD", "dense", ...Array.from({ length: 5000 }, (_, at) => `device ${at}`)]);
    const bytes = Number(await client.sendCommand(["STRLEN", "dense"]));
    const fill = (from: number, to: number) =>
      Promise.all(
        minutes
          .slice(from, to)
          .map((at) => client.sendCommand(["COPY", "dense", `HLL:1MINUTE:W:${sha1("a.example")}:${at}:UD`, "REPLACE"])),
      );
    const fitting = Math.floor(9_900_000 / bytes);
    await fill(0, fitting);
    expect(((await ask("count_ud", ...question)) as { value: number }).value).toBeGreaterThan(4000);
    await fill(fitting, minutes.length);
    expect(await refusal("count_ud", ...question)).toMatch(/^LIMIT .*10000000 bytes; call rotate_ud/);
  });
});

describe("rank_pg", () => {
  const nowMs = NOON + HOUR;
  const repeat = (times: number, ...args: Parameters<typeof sent>): Sent[] =>
    Array.from({ length: times }, () => sent(...args));
  const page = (name: string, at: number, times = 1): Sent[] => repeat(times, "a.example", "s", name, "d", at);

  it("lists most first, COUNT of them, ten where none is given", async () => {
    const events = Array.from({ length: 15 }, (_, at) => page(`${at}`, NOON, at + 1)).flat();
    await send(events, nowMs);
    const expected = rankingOf(events, "P");
    expect((await rank("P", NOON, nowMs, nowMs))!["ranking"]).toEqual(expected.slice(0, 10));
    for (const count of [1, 3, 15, 16, 1000])
      expect((await rank("P", NOON, nowMs, nowMs, "COUNT", count))!["ranking"]).toEqual(expected.slice(0, count));
  });

  it("a page that leads nowhere may lead overall", async () => {
    const events: Sent[] = [];
    for (let window = 0; window < 5; window += 1) {
      const at = NOON + window * 10 * MINUTE;
      for (let other = 0; other < 110; other += 1) events.push(...page(`${window}-${other}`, at, 3));
      events.push(...page("everywhere", at, 2));
    }
    await send(events, nowMs);
    const expected = rankingOf(events, "P").slice(0, 3);
    expect(expected[0]).toEqual([sha1("a.example/s/everywhere"), 10]);
    expect(await rank("P", NOON, NOON + 50 * MINUTE, nowMs, "COUNT", 1)).toMatchObject({
      exact: 1,
      ranking: expected.slice(0, 1),
    });
    await drain(nowMs, "rotate_pg");
    expect(await rank("P", NOON, NOON + 50 * MINUTE, nowMs, "COUNT", 1)).toMatchObject({
      exact: 1,
      ranking: expected.slice(0, 1),
    });
    expect(await rank("P", NOON, NOON + 50 * MINUTE, nowMs, "COUNT", 3)).toMatchObject({ exact: 1, ranking: expected });
  });

  it("equal views are ranked by id, before and after rotation", async () => {
    const events = Array.from({ length: 300 }, (_, at) => page(`${at}`, NOON))
      .flat()
      .concat(page("first", NOON, 2));
    await send(events, nowMs);
    const expected = rankingOf(events, "P").slice(0, 12);
    expect((await rank("P", NOON, nowMs, nowMs, "COUNT", 12))!["ranking"]).toEqual(expected);
    await drain(nowMs, "rotate_pg");
    expect((await rank("P", NOON, nowMs, nowMs, "COUNT", 12))!["ranking"]).toEqual(expected);
  });

  it("WEBSITE lists only its own, before and after rotation", async () => {
    const random = randomSource(4);
    const events = traffic(random, 400, NOON, NOON + 50 * MINUTE);
    await send(events, nowMs);
    for (const prepare of [(): Promise<void> => Promise.resolve(), (): Promise<void> => drain(nowMs, "rotate_pg")]) {
      await prepare();
      for (const site of ["site0.example", "site1.example", "nobody.example"]) {
        const own = events.filter(({ ids }) => ids["W"] === sha1(site));
        for (const dimension of ["W", "S", "P"]) {
          expect(
            (await rank(dimension, NOON, nowMs, nowMs, "WEBSITE", sha1(site), "COUNT", 1000))!["ranking"],
            `${dimension} of ${site}`,
          ).toEqual(rankingOf(own, dimension));
        }
      }
    }
  });

  it.each(["A", "V", "PC"])("WEBSITE does not go with %s", async (dimension) => {
    expect(await refusal("rank_pg", dimension, "FROM", NOON, "TO", nowMs, "WEBSITE", sha1("x"))).toMatch(
      new RegExp(`^BADARG WEBSITE .*'${dimension}'`),
    );
  });

  describe("exact", () => {
    const WINDOWS = 30;
    const lateMs = NOON + 4 * DAY;
    const question = ["P", "FROM", NOON, "TO", NOON + WINDOWS * 3 * HOUR, "NOW", lateMs] as const;

    /** Windows of three hours without a page in common, rotated; one page has a few more views, one is of another site. */
    async function fill(perWindow: number): Promise<Sent[]> {
      const events = Array.from({ length: WINDOWS * perWindow }, (_, at) =>
        page(`${at}`, NOON + (at % WINDOWS) * 3 * HOUR),
      ).flat();
      events.push(...page("most", NOON, 5), ...repeat(2, "b.example", "s", "small", "d", NOON));
      await send(events, lateMs);
      await drain(lateMs, "rotate_pg");
      return events;
    }

    it("is 1 where the windows are read to their ends", async () => {
      const events = await fill(20);
      expect(await ask("rank_pg", ...question, "COUNT", 3)).toMatchObject({
        exact: 1,
        ranking: rankingOf(events, "P").slice(0, 3),
      });
    });

    it("is 0 where the search was cut off; the leaders of each window are listed", async () => {
      await fill(120);
      expect(await ask("rank_pg", ...question, "COUNT", 2)).toMatchObject({
        exact: 0,
        ranking: [
          [sha1("a.example/s/most"), 5],
          [sha1("b.example/s/small"), 2],
        ],
      });
    });

    it("is 1 for a small website, however much the others have", async () => {
      await fill(120);
      expect(await ask("rank_pg", ...question, "WEBSITE", sha1("b.example"))).toMatchObject({
        exact: 1,
        ranking: [[sha1("b.example/s/small"), 2]],
      });
      expect(await ask("rank_pg", ...question, "WEBSITE", sha1("a.example"), "COUNT", 1)).toMatchObject({
        exact: 0,
        ranking: [[sha1("a.example/s/most"), 5]],
      });
    });

    it("is 0 where more than 3,500 records of minutes wait for rotation; who leads a minute is found all the same", async () => {
      const most = page("most", NOON, 9);
      await send(most, nowMs);
      const others = (count: number): string[] =>
        Array.from({ length: count }, (_, at) => [at.toString(16).padStart(40, "0"), "1"]).flat();
      const minute = openViews(0, "P", String(NOON));
      await tracker.client.sendCommand(["HSET", minute, ...others(3_499)]);
      const leading = { ranking: [[most[0]!.ids["P"], 9]] };
      expect(await rank("P", NOON, NOON + MINUTE, nowMs, "COUNT", 1)).toMatchObject({ exact: 1, ...leading });
      await tracker.client.sendCommand(["HSET", minute, ...others(3_500)]);
      const [found] = (await rank("P", NOON, NOON + MINUTE, nowMs, "COUNT", 1))!["ranking"] as [string, number][];
      // A part of so large a minute is read: whoever is listed has the views that are said.
      const views = await tracker.client.sendCommand(["HGET", minute, found![0]]);
      expect(await rank("P", NOON, NOON + MINUTE, nowMs, "COUNT", 1)).toMatchObject({ exact: 0 });
      expect(found![1]).toBe(Number(views));
    });

    it("is 1 for minutes that rotation has carried on, however much they hold", async () => {
      const events = Array.from({ length: 4_000 }, (_, at) => page(`${at}`, NOON + (at % 2) * MINUTE))
        .flat()
        .concat(page("first", NOON, 9), page("second", NOON + MINUTE, 8), page("third", NOON + 2 * MINUTE, 20));
      await send(events, nowMs);
      const question = ["P", NOON, NOON + 2 * MINUTE, NOON + 10 * MINUTE, "COUNT", 2] as const;
      expect(await rank(...question)).toMatchObject({ exact: 0 });
      await drain(NOON + 10 * MINUTE, "rotate_pg");
      const leading = [
        [sha1("a.example/s/first"), 9],
        [sha1("a.example/s/second"), 8],
      ];
      expect(await rank(...question)).toMatchObject({ exact: 1, ranking: leading });
      // A late event is in its minute alone, till rotation carries it on.
      await send(page("late", NOON + MINUTE, 10), NOON + 10 * MINUTE);
      const late = [sha1("a.example/s/late"), 10];
      expect(await rank(...question)).toMatchObject({ exact: 1, ranking: [late, leading[0]] });
      await drain(NOON + 10 * MINUTE, "rotate_pg");
      expect(await rank(...question)).toMatchObject({ exact: 1, ranking: [late, leading[0]] });
      // When windows of five minutes are not kept any more, those of ten tell.
      const laterMs = NOON + 45 * MINUTE;
      await drain(laterMs, "rotate_pg");
      expect(await rank("P", NOON, NOON + 2 * MINUTE, laterMs, "COUNT", 2)).toMatchObject({
        exact: 1,
        ranking: [late, leading[0]],
      });
    });

    it("SECTION and WEBSITE are told as surely where minutes hold much", async () => {
      const events = Array.from({ length: 4_000 }, (_, at) => page(`${at}`, NOON, 1 + (at % 2))).flat();
      events.push(...repeat(3, "b.example", "s", "own", "d", NOON), ...repeat(2, "b.example", "t", "other", "d", NOON));
      await send(events, nowMs);
      const own = [sha1("b.example/s/own"), 3];
      expect(await rank("P", NOON, NOON + MINUTE, nowMs, "WEBSITE", sha1("b.example"), "COUNT", 2)).toMatchObject({
        exact: 1,
        ranking: [own, [sha1("b.example/t/other"), 2]],
      });
      expect(await rank("P", NOON, NOON + MINUTE, nowMs, "SECTION", sha1("b.example/s"))).toMatchObject({
        exact: 1,
        ranking: [own],
      });
      expect(await rank("W", NOON, NOON + MINUTE, nowMs, "WEBSITE", sha1("b.example"))).toMatchObject({
        exact: 1,
        ranking: [[sha1("b.example"), 5]],
      });
    });

    it("LIMIT where more than 2,000 windows are not merged", async () => {
      const events = Array.from({ length: 401 }, (_, at) => page("page", NOON - at * 5 * MINUTE)).flat();
      await send(events, NOON + MINUTE);
      expect(await refusal("rank_pg", "P", "FROM", NOON - 2 * DAY, "TO", NOON, "NOW", NOON + MINUTE)).toMatch(
        /^LIMIT more than 2000 windows .* call rotate_pg/,
      );
    });
  });
});

describe("ranges", () => {
  const site = sha1("a.example");
  const nowMs = NOON + 4 * HOUR;
  const at = (minutes: number): number => NOON + minutes * MINUTE;

  beforeEach(async () => {
    const events = [0, 1, 4, 5, 61, 62, 125, 179, 180].map((minutes) =>
      sent("a.example", "s", "x", `d${minutes % 2}`, at(minutes)),
    );
    await send(events, nowMs);
    await drain(nowMs);
  });

  const VIEWS: Record<string, [number, number][]> = {
    "5MINUTES": [
      [at(0), 3],
      [at(5), 1],
      [at(60), 2],
      [at(125), 1],
      [at(175), 1],
      [at(180), 1],
    ],
    "10MINUTES": [
      [at(0), 4],
      [at(60), 2],
      [at(120), 1],
      [at(170), 1],
      [at(180), 1],
    ],
    "1HOUR": [
      [at(0), 4],
      [at(60), 2],
      [at(120), 2],
      [at(180), 1],
    ],
    "3HOURS": [
      [at(0), 8],
      [at(180), 1],
    ],
  };

  it.each(TIERS)("page views by %s", async (tier) => {
    expect(await range("range_pg", "W", site, tier, NOON, nowMs)).toEqual(VIEWS[tier]);
  });

  it("devices by window", async () => {
    expect(await range("range_ud", "W", site, "5MINUTES", NOON, nowMs)).toEqual([
      [at(0), 2],
      [at(5), 1],
      [at(60), 2],
      [at(125), 1],
      [at(175), 1],
      [at(180), 1],
    ]);
    expect(await range("range_ud", "W", site, "1HOUR", NOON, nowMs)).toEqual([
      [at(0), 2],
      [at(60), 2],
      [at(120), 1],
      [at(180), 1],
    ]);
    // The window of three hours that holds the last event is not over.
    expect(await range("range_ud", "W", site, "3HOURS", NOON, nowMs)).toEqual([[at(0), 2]]);
  });

  it("hold the windows that begin at FROM or later, and before TO", async () => {
    expect(await range("range_pg", "W", site, "5MINUTES", at(5), at(60))).toEqual([[at(5), 1]]);
    expect(await range("range_pg", "W", site, "5MINUTES", at(5), at(60) + 1)).toEqual([
      [at(5), 1],
      [at(60), 2],
    ]);
    expect(await range("range_pg", "W", site, "5MINUTES", at(5) + 1, at(60))).toEqual([]);
    expect(await range("range_pg", "W", site, "1HOUR", at(0) + 1, at(121))).toEqual([
      [at(60), 2],
      [at(120), 2],
    ]);
    expect(await range("range_ud", "W", site, "1HOUR", at(0), at(60))).toEqual([[at(0), 2]]);
  });

  it.each(TIERS)("are empty where no window of %s begins", async (tier) => {
    for (const [from, to] of [
      [1, 2],
      [at(1), at(2)],
      [at(1), at(4)],
      [at(121), at(122)],
    ]) {
      for (const name of ["range_pg", "range_ud"])
        expect(await tracker.call(name, "W", site, "TIER", tier, "FROM", from!, "TO", to!)).toEqual([]);
    }
  });

  it("are empty for ids that nobody knows, and before anything was rotated", async () => {
    expect(await range("range_pg", "P", sha1("nobody"), "5MINUTES", NOON, nowMs)).toEqual([]);
    expect(await range("range_ud", "A", site, "3HOURS", NOON, nowMs)).toEqual([]);
    await tracker.server.flush();
    await send([sent("a.example", "s", "x", "d", NOON)], nowMs);
    expect(await range("range_pg", "W", site, "5MINUTES", NOON, nowMs)).toEqual([]);
  });

  it("go over many stored runs of points", async () => {
    const days = [1, 2, 3, 5].map((day) => NOON - day * DAY);
    await send(
      days.map((each) => sent("a.example", "s", "x", "d", each)),
      nowMs,
    );
    await drain(nowMs);
    const expected = [...days].reverse().map((each) => [each, 1]);
    expect(await range("range_pg", "W", site, "5MINUTES", NOON - 6 * DAY, NOON)).toEqual(expected);
    expect(await range("range_ud", "W", site, "10MINUTES", NOON - 6 * DAY, NOON)).toEqual(expected);
    expect(await range("range_ud", "W", site, "3HOURS", NOON - 6 * DAY, NOON)).toEqual(expected);
  });

  it("span at most 10,000 stored points", async () => {
    const limits: [name: string, tier: string, lengthMs: number][] = [
      ["range_pg", "5MINUTES", 5 * MINUTE],
      // Sums of five minutes: 10,000 of those.
      ["range_pg", "10MINUTES", 5 * MINUTE],
      ["range_ud", "5MINUTES", 5 * MINUTE],
      ["range_ud", "10MINUTES", 10 * MINUTE],
      ["range_ud", "1HOUR", HOUR],
      ["range_ud", "3HOURS", 3 * HOUR],
    ];
    for (const [name, tier, lengthMs] of limits) {
      const from = floor(NOON, 3 * HOUR);
      const to = from + 10_000 * lengthMs;
      expect(await refusal(name, "W", site, "TIER", tier, "FROM", from, "TO", to), `${name} ${tier}`).toBeUndefined();
      expect(await refusal(name, "W", site, "TIER", tier, "FROM", from, "TO", to + 1), `${name} ${tier}`).toMatch(
        /^LIMIT FROM and TO span 1000[12] windows of \w+, at most 10000/,
      );
    }
    expect(await refusal("range_ud", "W", site, "TIER", "5MINUTES", "FROM", 0, "TO", 99_999_999_999_999)).toMatch(
      /^LIMIT /,
    );
  });

  it("sums of page views by window are what count_pg says", async () => {
    const points = await range("range_pg", "W", site, "3HOURS", NOON, nowMs);
    for (const [start, value] of points.slice(0, 1)) {
      expect(await ask("count_pg", "W", site, "FROM", start, "TO", start + 3 * HOUR, "NOW", nowMs)).toMatchObject({
        value,
      });
    }
    expect(await call("range_pg", "W", site.toUpperCase(), "TIER", "3hours", "FROM", NOON, "TO", nowMs)).toEqual(
      points,
    );
  });
});
