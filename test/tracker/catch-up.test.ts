import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useServer } from "../support/server";
import {
  age,
  allIds,
  DEVICES,
  expectCounts,
  expectFinished,
  expectRanking,
  expectSeries,
  expectSettled,
  requireExactDevices,
} from "../support/tracker-checks";
import {
  DAY_MS,
  drainRotations,
  EPOCH_MS,
  HOUR_MS,
  idOf,
  MINUTE_MS,
  record,
  track,
  type SentEvent,
} from "../support/tracker-model";
import { fcall, loadLibrary, type Fields } from "../support/functions";
import { floorTo, Reference, TIERS } from "../support/tracker-reference";
import { until } from "../support/wait";

const redis = useServer();
const WEBSITE = idOf("a.example");
const view = (dt: number, page = "x", uui = "device"): SentEvent => ({ url: `https://a.example/s/${page}`, uui, dt });

beforeAll(async () => {
  await loadLibrary(redis.client, "tracker");
  await requireExactDevices(redis.client);
});
beforeEach(() => redis.flush());

describe("slices of a large window", () => {
  // More pages than a hash keeps as a listpack, and so many that slices empty the front of its table.
  it.each([
    { pages: 6000, limit: 200 },
    { pages: 600, limit: 10 },
    { pages: 600, limit: 1 },
  ])("carries $pages pages of a minute by $limit", async ({ pages, limit }) => {
    const events = Array.from({ length: pages }, (_, page) => view(EPOCH_MS, String(page)));
    await track(redis.client, events, EPOCH_MS);
    await drainRotations(redis.client, EPOCH_MS + 5 * MINUTE_MS, "TIER", "5MINUTES", "LIMIT", limit, "DIMENSION", "P");
    expect(await redis.client.hLen(`H:1MINUTE:P::${EPOCH_MS}:PG`)).toBe(pages);
    expect(await redis.client.zCard(`SS:5MINUTES.OPEN:P::${EPOCH_MS}:PG`)).toBe(pages);
    expect(await redis.client.exists(`H:1MINUTE.OPEN:P::${EPOCH_MS}:PG`)).toBe(0);
  });

  it.each(["rotate_pg", "rotate_ud"])("%s merges no more records than LIMIT", async (name) => {
    await track(
      redis.client,
      Array.from({ length: 100 }, (_, page) => view(EPOCH_MS, String(page))),
      EPOCH_MS,
    );
    const reply = await record(redis.client, name, "DIMENSION", "P", "LIMIT", 7, "NOW", EPOCH_MS + 5 * MINUTE_MS);
    expect(reply).toEqual({ windows: 0, merged: 7, remaining: 1 });
  });
});

describe("many windows that wait", () => {
  it.each(["rotate_pg", "rotate_ud"])("%s gets to the ready ones behind them", async (name) => {
    const windows = Array.from({ length: 203 }, (_, at) => EPOCH_MS + at * 10 * MINUTE_MS);
    const nowMs = EPOCH_MS + 203 * 10 * MINUTE_MS;
    await track(
      redis.client,
      windows.map((at) => view(at)),
      nowMs,
    );
    await drainRotations(redis.client, nowMs, "TIER", "5MINUTES", "LIMIT", 10_000);
    await track(
      redis.client,
      windows.slice(0, 201).map((at) => view(at)),
      nowMs,
    );
    let finished = 0;
    for (let remaining: unknown = 1; remaining === 1;) {
      const reply = await record(
        redis.client,
        name,
        "TIER",
        "10MINUTES",
        "DIMENSION",
        "P",
        "LIMIT",
        10_000,
        "NOW",
        nowMs,
      );
      finished += reply?.["windows"] as number;
      remaining = reply?.["remaining"];
    }
    expect(finished).toBe(2);
  });
});

describe("a clock that jumps forward a day and back", () => {
  const before = [view(EPOCH_MS + HOUR_MS, "x", "d1"), view(EPOCH_MS + HOUR_MS, "x", "d2")];

  beforeEach(async () => {
    await track(redis.client, before, EPOCH_MS + HOUR_MS);
    await drainRotations(redis.client, EPOCH_MS + DAY_MS + 90 * MINUTE_MS);
    await until(async () => (await redis.client.exists(`HLL:1MINUTE:W:${WEBSITE}:${EPOCH_MS + HOUR_MS}:UD`)) === 0);
    await until(async () => (await redis.client.exists(`HLL:5MINUTES:W:${WEBSITE}:${EPOCH_MS + HOUR_MS}:UD`)) === 0);
  });

  it.each(["count_pg", "count_ud"])("%s answers what it says it covers", async (name) => {
    const bounds = ["FROM", EPOCH_MS + HOUR_MS, "TO", EPOCH_MS + HOUR_MS + 5 * MINUTE_MS];
    const reply = await record(redis.client, name, "W", WEBSITE, ...bounds, "NOW", EPOCH_MS + HOUR_MS + 6 * MINUTE_MS);
    // Wider bounds or nil would be right as well: minutes are gone by the clock that jumped.
    if (reply !== undefined) expect(reply).toMatchObject({ value: 2 });
  });

  it("takes nothing away from a point of devices", async () => {
    await track(redis.client, [view(EPOCH_MS + HOUR_MS + MINUTE_MS, "x", "d3")], EPOCH_MS + HOUR_MS + 2 * MINUTE_MS);
    await drainRotations(redis.client, EPOCH_MS + HOUR_MS + 6 * MINUTE_MS);
    const range = ["TIER", "5MINUTES", "FROM", EPOCH_MS, "TO", EPOCH_MS + 3 * HOUR_MS];
    const points = (await fcall(redis.client, "range_ud", "W", WEBSITE, ...range)) as [number, number][];
    expect(points).toHaveLength(1);
    expect(points[0]![1]).toBeGreaterThanOrEqual(2);
  });
});

const PAGES = ["one", "two", "three"];

/** Traffic of a stretch of time: a view of each page every so often, devices in turn. */
function traffic(fromMs: number, toMs: number, everyMs: number): SentEvent[] {
  const events: SentEvent[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += everyMs) {
    events.push(...PAGES.map((page, at) => view(atMs + at, page, DEVICES[events.length % DEVICES.length])));
  }
  return events;
}

/** Sends events by the clock of each, and notes them. */
async function live(reference: Reference, events: SentEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += 1000) {
    const part = events.slice(at, at + 1000);
    const nowMs = part.at(-1)!.dt;
    await track(redis.client, part, nowMs);
    for (const each of part) reference.add(each, nowMs);
  }
}

async function drain(reference: Reference, nowMs: number, limit: number): Promise<void> {
  await drainRotations(redis.client, nowMs, "LIMIT", limit);
  reference.rotated(nowMs, undefined);
}

/** Calls both rotations in turn until neither has anything left, and tells after each pair. */
async function catchUp(
  reference: Reference,
  nowMs: number,
  limit: number,
  after: (calls: number) => Promise<void>,
): Promise<void> {
  for (let calls = 1; ; calls += 1) {
    const replies = [];
    for (const name of ["rotate_pg", "rotate_ud"])
      replies.push(await record(redis.client, name, "LIMIT", limit, "NOW", nowMs));
    reference.rotated(nowMs, undefined);
    await after(calls);
    if (replies.every((reply) => reply!["remaining"] === 0)) return;
  }
}

describe("a host that was down", () => {
  it.each([
    { what: "5 hours", downMs: 5 * HOUR_MS, everyMs: MINUTE_MS, limit: 3, lookEvery: 60 },
    { what: "5 hours", downMs: 5 * HOUR_MS, everyMs: MINUTE_MS, limit: 10_000, lookEvery: 1 },
    { what: "6 days", downMs: 6 * DAY_MS, everyMs: 20 * MINUTE_MS, limit: 50, lookEvery: 20 },
    { what: "6 days", downMs: 6 * DAY_MS, everyMs: 20 * MINUTE_MS, limit: 10_000, lookEvery: 1 },
  ])(
    "for $what loses nothing, and counts are right throughout, by slices of $limit",
    async ({ downMs, everyMs, limit, lookEvery }) => {
      const reference = new Reference();
      const nowMs = EPOCH_MS + downMs;
      await live(reference, traffic(EPOCH_MS, nowMs, everyMs));
      // As much time has passed for the keys, less what the test itself took.
      await age(redis.client, downMs);
      const ids = allIds(reference, ["W", "P"]);
      const look = async (): Promise<void> => {
        await expectCounts(redis.client, reference, ids, [nowMs - 7 * DAY_MS, nowMs + 1], nowMs);
        await expectCounts(redis.client, reference, ids, [nowMs - 2 * HOUR_MS, nowMs - HOUR_MS], nowMs);
        await expectRanking(redis.client, reference, "P", [nowMs - 7 * DAY_MS, nowMs + 1], nowMs).catch(passLimit);
      };
      /** A ranking goes through 2,000 windows that are not merged, and no more; counts of single pages go through all. */
      const passLimit = (error: Error): void => {
        if (isCaughtUp || downMs < DAY_MS || !/^LIMIT more than 2000 windows/.test(error.message)) throw error;
      };
      let isCaughtUp = false;
      await look();
      await catchUp(reference, nowMs, limit, async (calls) => {
        if (calls % lookEvery === 0) await look();
      });
      isCaughtUp = true;
      await look();
      await expectSettled(redis.client, reference, nowMs);
      await drain(reference, nowMs + 3 * HOUR_MS, limit);
      await expectFinished(redis.client, reference, nowMs + 3 * HOUR_MS);
    },
  );

  it("leaves no windows of finer tiers behind that are not kept", async () => {
    const reference = new Reference();
    const nowMs = EPOCH_MS + 2 * DAY_MS;
    await live(reference, traffic(EPOCH_MS, EPOCH_MS + DAY_MS, 20 * MINUTE_MS));
    await drain(reference, nowMs, 1000);
    const finer = /^(H|SS|HLL|S):(1MINUTE|5MINUTES|10MINUTES|1HOUR)(\.OPEN)?:/;
    const left = async (): Promise<string[]> =>
      (await redis.client.keys("*")).filter((key) => finer.test(key) && key.split(":")[4] !== "");
    await until(async () => (await left()).length === 0, { what: "all windows of finer tiers to be gone" });
    expect(await redis.client.keys("SS:3HOURS:P::*:PG")).toHaveLength(8);
  });

  it("answers LIMIT for devices while more than 4,000 windows are not merged, and then the value", async () => {
    const reference = new Reference();
    const nowMs = EPOCH_MS + 5 * DAY_MS;
    const events: SentEvent[] = [];
    // One view in every other minute: each window of five minutes waits, and stands for five keys.
    for (let atMs = EPOCH_MS; atMs < nowMs; atMs += 4 * MINUTE_MS)
      events.push(view(atMs, "x", DEVICES[events.length % DEVICES.length]));
    await live(reference, events);
    const ask = (): Promise<Fields | undefined> =>
      record(redis.client, "count_ud", "W", WEBSITE, "FROM", EPOCH_MS, "TO", nowMs, "NOW", nowMs);
    await expect(ask()).rejects.toThrow(/^LIMIT more than 4000 windows .*rotate_ud/);
    expect(
      await record(redis.client, "count_pg", "W", WEBSITE, "FROM", EPOCH_MS, "TO", nowMs, "NOW", nowMs),
    ).toMatchObject({ value: events.length });
    await drain(reference, nowMs, 1000);
    expect(await ask()).toEqual({ value: DEVICES.length, from: EPOCH_MS, to: nowMs });
  });
});

describe("windows without traffic", () => {
  it("cost nothing and shift nothing", async () => {
    const reference = new Reference();
    const nowMs = EPOCH_MS + 6 * DAY_MS;
    await live(reference, [view(EPOCH_MS), view(nowMs - 3 * HOUR_MS)]);
    // Two windows in each of three dimensions and four tiers, whatever lies between them.
    for (const name of ["rotate_pg", "rotate_ud"]) {
      expect(await record(redis.client, name, "LIMIT", 10_000, "NOW", nowMs)).toEqual({
        windows: 24,
        merged: 24,
        remaining: 0,
      });
    }
    reference.rotated(nowMs, undefined);
    await expectFinished(redis.client, reference, nowMs);
  });
});

describe("a back-fill while live traffic goes on", () => {
  it.each([
    { what: "yesterday's log", behindMs: DAY_MS },
    { what: "a log of 20 days ago", behindMs: 20 * DAY_MS },
  ])("of $what loses nothing of either", async ({ behindMs }) => {
    const reference = new Reference();
    let liveMs = EPOCH_MS;
    let oldMs = EPOCH_MS - behindMs;
    for (let round = 0; round < 40; round += 1) {
      await live(reference, traffic(liveMs, liveMs + 3 * MINUTE_MS, MINUTE_MS));
      liveMs += 3 * MINUTE_MS;
      await live(reference, traffic(oldMs, oldMs + 17 * MINUTE_MS, 2 * MINUTE_MS));
      oldMs += 17 * MINUTE_MS;
      const nowMs = round % 3 === 0 ? oldMs : liveMs;
      const name = round % 2 === 0 ? "rotate_pg" : "rotate_ud";
      await record(redis.client, name, "LIMIT", 40, "NOW", nowMs);
      reference.rotated(nowMs, undefined);
      await expectCounts(redis.client, reference, allIds(reference), [liveMs - 7 * DAY_MS, liveMs], liveMs);
    }
    const endMs = liveMs + 3 * HOUR_MS;
    await drain(reference, endMs, 1000);
    await expectFinished(redis.client, reference, endMs);
  });

  it("changes nothing of today's windows", async () => {
    const reference = new Reference();
    await live(reference, traffic(EPOCH_MS, EPOCH_MS + HOUR_MS, MINUTE_MS));
    const nowMs = EPOCH_MS + HOUR_MS;
    const today = (): Promise<unknown> =>
      Promise.all(
        ["count_pg", "count_ud"].map((name) =>
          record(redis.client, name, "W", WEBSITE, "FROM", EPOCH_MS, "TO", nowMs, "NOW", nowMs),
        ),
      );
    const before = await today();
    await live(reference, traffic(EPOCH_MS - 20 * DAY_MS, EPOCH_MS - 20 * DAY_MS + HOUR_MS, MINUTE_MS));
    await drain(reference, EPOCH_MS - 20 * DAY_MS + 3 * HOUR_MS, 1000);
    expect(await today()).toEqual(before);
  });
});

describe("the lives of keys", () => {
  const SLACK_MS = MINUTE_MS;
  /** The test itself takes a moment; lives differ by more. */
  const TAKEN_MS = 20_000;
  const SONG = idOf("a.example/song");
  const start = EPOCH_MS + HOUR_MS;

  async function expectLife(key: string, lifeMs: number): Promise<void> {
    const left = await redis.client.pTTL(key);
    expect(left, `life of ${key}`).toBeLessThanOrEqual(lifeMs);
    expect(left, `life of ${key}`).toBeGreaterThan(lifeMs - TAKEN_MS);
  }

  it("are 8 days for what is not merged", async () => {
    await track(redis.client, [{ ...view(start), audio: "song" }], start);
    for (const [dimension, id] of [
      ["W", WEBSITE],
      ["A", SONG],
    ] as const) {
      await expectLife(`H:1MINUTE.OPEN:${dimension}::${start}:PG`, 8 * DAY_MS);
      await expectLife(`HLL:1MINUTE:${dimension}:${id}:${start}:UD`, 8 * DAY_MS);
      await expectLife(`S:5MINUTES.OPEN:${dimension}::${start}:UD`, 8 * DAY_MS);
    }
    const tiers = ["5MINUTES", "10MINUTES", "1HOUR"];
    for (const [at, tier] of tiers.entries()) {
      // Late, so that what is merged before would be over soon.
      await drainRotations(redis.client, start + 5 * HOUR_MS, "TIER", tier);
      await expectLife(`SS:${tier}.OPEN:W::${start}:PG`, 8 * DAY_MS + SLACK_MS);
      await expectLife(`HLL:${tier}:W:${WEBSITE}:${start}:UD`, 8 * DAY_MS + SLACK_MS);
      const above = [...tiers, "3HOURS"][at + 1]!;
      await expectLife(`S:${above}.OPEN:W::${above === "3HOURS" ? EPOCH_MS : start}:UD`, 8 * DAY_MS);
    }
  });

  it.each(TIERS.map((tier, at) => ({ tier, at })))(
    "are what is left by the clock for merged windows of $tier.name",
    async ({ tier, at }) => {
      await track(redis.client, [view(start)], start);
      const windowMs = floorTo(tier.lengthMs, start);
      // As soon as the window above is over, so that this one is merged and still kept.
      const above = TIERS[Math.min(at + 1, TIERS.length - 1)]!;
      const nowMs = floorTo(above.lengthMs, start) + above.lengthMs + 7 * MINUTE_MS;
      await drainRotations(redis.client, nowMs);
      const lifeMs = windowMs + tier.lengthMs + tier.keepMs - nowMs + SLACK_MS;
      const views = at === 0 ? `H:${tier.name}:W::${windowMs}:PG` : `SS:${tier.name}:W::${windowMs}:PG`;
      const devices = `HLL:${tier.name}:W:${WEBSITE}:${windowMs}:UD`;
      await expectLife(views, lifeMs);
      await expectLife(devices, lifeMs);
    },
  );

  it("are those of the last point of a series", async () => {
    await track(redis.client, [view(start)], start);
    const nowMs = start + 5 * HOUR_MS;
    await drainRotations(redis.client, nowMs);
    for (const tier of TIERS.slice(1)) {
      const chunkMs = 128 * tier.lengthMs;
      const days = tier.lengthMs < HOUR_MS ? 30 : 400;
      const lifeMs = floorTo(chunkMs, start) + chunkMs + days * DAY_MS - nowMs;
      const metrics = tier.name === "5MINUTES" ? ["PG", "UD"] : ["UD"];
      for (const metric of metrics)
        await expectLife(`H:${tier.name}.SERIES:W:${WEBSITE}:${floorTo(chunkMs, start)}:${metric}`, lifeMs);
    }
  });

  it("end for what no rotation came for in 8 days, and rotation goes on after it", async () => {
    const reference = new Reference();
    await live(reference, traffic(start, start + HOUR_MS, 10 * MINUTE_MS));
    await age(redis.client, 8 * DAY_MS - MINUTE_MS);
    expect(await redis.client.exists(`H:1MINUTE.OPEN:P::${start}:PG`)).toBe(1);
    await age(redis.client, MINUTE_MS);
    const kept = (await redis.client.keys("*")).filter((key) => /^(H:1MINUTE|HLL|S:\d+[A-Z]+\.OPEN):/.test(key));
    expect(kept).toEqual([]);
    const nowMs = start + 8 * DAY_MS + 4 * HOUR_MS;
    await drainRotations(redis.client, nowMs);
    const after = new Reference();
    after.rotated(nowMs, undefined);
    await live(after, traffic(nowMs, nowMs + HOUR_MS, 10 * MINUTE_MS));
    await drain(after, nowMs + 4 * HOUR_MS, 1000);
    await expectSettled(redis.client, after, nowMs + 4 * HOUR_MS);
    await expectSeries(redis.client, after, nowMs + 4 * HOUR_MS);
  });
});
