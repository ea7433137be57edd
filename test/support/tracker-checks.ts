/** What a server holds and answers, compared with the reference. */
import { expect } from "vitest";
import type { TestClient } from "./server";
import { DAY_MS, MINUTE_MS, record, type Dimension } from "./tracker-model";
import { fcall, type Argument } from "./functions";
import { DIMENSIONS, floorTo, MADE_TIERS, TIERS, type Listing, type Reference } from "./tracker-reference";

/** Devices of which no two share a register of a HyperLogLog, so that PFCOUNT is exact for any of them (see requireExactDevices). */
export const DEVICES = Array.from({ length: 24 }, (_, at) => `device-${at}`);

/** Proves that counts of DEVICES may be compared exactly: two in one register would count as one. */
export async function requireExactDevices(client: TestClient): Promise<void> {
  const key = "HLL:PROOF:D::test:UD";
  await client.sendCommand(["PFADD", key, ...DEVICES]);
  const counted = await client.sendCommand(["PFCOUNT", key]);
  await client.del(key);
  expect(counted).toBe(DEVICES.length);
}

/** Page views and devices of ids over a stretch of time: bounds and values. */
export async function expectCounts(
  client: TestClient,
  reference: Reference,
  ids: [Dimension, string][],
  [fromMs, toMs]: readonly [number, number],
  nowMs: number,
): Promise<void> {
  const bounds = reference.bounds(fromMs, toMs, nowMs);
  const options = ["FROM", fromMs, "TO", toMs, "NOW", nowMs];
  const ask = (name: string): Promise<unknown[]> =>
    Promise.all(
      ids.map(async ([dimension, id]) => [dimension, id, await record(client, name, dimension, id, ...options)]),
    );
  const expected = (value: (views: number, devices: number) => number): unknown[] =>
    ids.map(([dimension, id]) => {
      if (bounds === undefined) return [dimension, id, undefined];
      const tally = reference.count(dimension, id, bounds.from, bounds.to);
      return [dimension, id, { value: value(tally.views, tally.devices.size), ...bounds }];
    });
  const [views, devices] = await Promise.all([ask("count_pg"), ask("count_ud")]);
  expect(views, `count_pg ${options.join(" ")}`).toEqual(expected((each) => each));
  expect(devices, `count_ud ${options.join(" ")}`).toEqual(expected((_, each) => each));
}

/** The first places of a dimension, of one website if it is given. */
export async function expectRanking(
  client: TestClient,
  reference: Reference,
  dimension: Dimension,
  [fromMs, toMs]: readonly [number, number],
  nowMs: number,
  { count = 10, website }: { count?: number; website?: string } = {},
): Promise<void> {
  const filter = website === undefined ? [] : ["WEBSITE", website];
  const options = ["FROM", fromMs, "TO", toMs, "COUNT", count, ...filter, "NOW", nowMs];
  const reply = await record(client, "rank_pg", dimension, ...options);
  const bounds = reference.bounds(fromMs, toMs, nowMs);
  if (bounds === undefined) return expect(reply).toBeUndefined();
  const own = website === undefined ? undefined : membersOf(reference, dimension, website);
  const ranking = reference.ranking(dimension, bounds.from, bounds.to, own).slice(0, count);
  expect(reply, `rank_pg ${dimension} ${options.join(" ")}`).toEqual({ ...bounds, exact: 1, ranking });
}

function membersOf(reference: Reference, dimension: Dimension, website: string): string[] {
  if (dimension === "W") return [website];
  const listing = dimension === "S" ? reference.sectionsOf.get(website) : reference.pagesOf.get(website);
  return [...(listing?.keys() ?? [])];
}

async function views(client: TestClient, isMinute: boolean, key: string): Promise<Map<string, number>> {
  const command = isMinute ? ["HGETALL", key] : ["ZRANGE", key, "0", "-1", "WITHSCORES"];
  const flat = await client.sendCommand<string[]>(command);
  const found = new Map<string, number>();
  for (let at = 0; at < flat.length; at += 2) found.set(flat[at]!, Number(flat[at + 1]));
  return found;
}

/**
 * The stored windows that are over and kept, of every tier, once rotation has nothing left to do: what is merged in a window and
 * what waits for the one above are together all that it got, and its HyperLogLogs hold all devices.
 */
export async function expectKeptWindows(client: TestClient, reference: Reference, nowMs: number): Promise<void> {
  for (const [index, tier] of TIERS.entries()) {
    for (const dimension of DIMENSIONS) {
      const expected = new Map<number, Map<string, { views: number; devices: number }>>();
      for (const id of reference.ids(dimension)) {
        for (const [startMs, tally] of reference.windows(dimension, id, tier.lengthMs)) {
          if (startMs + tier.lengthMs > nowMs || !reference.isKept(tier, startMs, nowMs)) continue;
          const window = expected.get(startMs) ?? new Map<string, { views: number; devices: number }>();
          expected.set(startMs, window.set(id, { views: tally.views, devices: tally.devices.size }));
        }
      }
      for (const [startMs, window] of expected) {
        const type = index === 0 ? "H" : "SS";
        const merged = await views(client, index === 0, `${type}:${tier.name}:${dimension}::${startMs}:PG`);
        const open = await views(client, index === 0, `${type}:${tier.name}.OPEN:${dimension}::${startMs}:PG`);
        const held: Record<string, unknown> = {};
        for (const id of new Set([...merged.keys(), ...open.keys()])) {
          const devices = await client.sendCommand(["PFCOUNT", `HLL:${tier.name}:${dimension}:${id}:${startMs}:UD`]);
          held[id] = { views: (merged.get(id) ?? 0) + (open.get(id) ?? 0), devices };
        }
        expect(held, `${tier.name} ${dimension} ${startMs}`).toEqual(Object.fromEntries(window));
      }
    }
  }
}

/** range_pg takes 10,000 points of five minutes. */
const RANGE_MS = 30 * DAY_MS;

type Point = [startMs: number, value: number];

async function points(
  client: TestClient,
  name: string,
  dimension: Dimension,
  id: string,
  tier: string,
  fromMs: number,
  toMs: number,
): Promise<Point[]> {
  const found: Point[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += RANGE_MS) {
    const options = ["TIER", tier, "FROM", atMs, "TO", Math.min(atMs + RANGE_MS, toMs)];
    found.push(...((await fcall(client, name, dimension, id, ...options)) as Point[]));
  }
  return found;
}

/** The sum over the series of a dimension's ids. */
export async function seriesTotal(client: TestClient, reference: Reference, dimension: Dimension): Promise<number> {
  const span = reference.span();
  if (span === undefined) return 0;
  const fromMs = floorTo(TIERS.at(-1)!.lengthMs, span.firstMs);
  const series = await Promise.all(
    reference
      .ids(dimension)
      .map((id) => points(client, "range_pg", dimension, id, "5MINUTES", fromMs, span.lastMs + MINUTE_MS)),
  );
  return series.flat().reduce((sum, [, value]) => sum + value, 0);
}

/**
 * Series, once rotation has nothing left to do and every window is over: views at each tier exactly, and each window at its own
 * time. Devices exactly where the window is kept; elsewhere what was dropped cannot be united with what came late.
 */
export async function expectSeries(client: TestClient, reference: Reference, nowMs: number): Promise<void> {
  const span = reference.span();
  if (span === undefined) return;
  const fromMs = floorTo(TIERS.at(-1)!.lengthMs, span.firstMs);
  for (const dimension of DIMENSIONS) {
    for (const id of reference.ids(dimension)) {
      for (const name of MADE_TIERS) {
        const tier = TIERS.find((each) => each.name === name)!;
        const expected = reference.windows(dimension, id, tier.lengthMs);
        const [pg, ud] = await Promise.all(
          ["range_pg", "range_ud"].map((each) =>
            points(client, each, dimension, id, name, fromMs, span.lastMs + MINUTE_MS),
          ),
        );
        expect(pg, `range_pg ${dimension} ${id} ${name}`).toEqual(
          expected.map(([startMs, tally]) => [startMs, tally.views]),
        );
        expect(
          ud!.map(([startMs]) => startMs),
          `range_ud ${dimension} ${id} ${name}`,
        ).toEqual(expected.map(([startMs]) => startMs));
        for (const [at, [startMs, { devices }]] of expected.entries()) {
          const value = ud![at]![1];
          const label = `range_ud ${dimension} ${id} ${name} ${startMs}`;
          if (reference.isKept(tier, startMs, nowMs)) expect(value, label).toBe(devices.size);
          else expect(value > 0 && value <= devices.size, `${label}: ${value} of ${devices.size}`).toBe(true);
        }
      }
    }
  }
}

interface Named {
  key: string;
  type: string;
  tier: string;
  timestamp: number;
}

async function names(client: TestClient): Promise<Named[]> {
  const keys = await client.keys("*");
  return keys.map((key) => {
    const [type = "", tier = "", , , timestamp = ""] = key.split(":");
    return { key, type, tier, timestamp: Number(timestamp) };
  });
}

/** That no window that is over has anything left to be carried on, and that a rotation finds nothing to do. */
export async function expectNothingOpen(client: TestClient, nowMs: number): Promise<void> {
  const left: string[] = [];
  for (const { key, type, tier, timestamp } of await names(client)) {
    const [name = "", state] = tier.split(".");
    const index = TIERS.findIndex((each) => each.name === name);
    if (state === "OPEN") {
      // Views wait in their own window for the one above; ids wait in the window that is to take them over.
      const target = TIERS[type === "S" ? index : index + 1]!;
      if (floorTo(target.lengthMs, timestamp) + target.lengthMs <= nowMs) left.push(key);
    } else if (state === "PENDING") {
      const over = await client.zRangeByScore(key, "-inf", nowMs - TIERS[index]!.lengthMs);
      left.push(...over.map((start) => `${key} ${start}`));
    }
  }
  expect(left).toEqual([]);
  for (const name of ["rotate_pg", "rotate_ud"]) {
    expect(await record(client, name, "NOW", nowMs), name).toEqual({ windows: 0, merged: 0, remaining: 0 });
  }
}

/** Documents, their indexes, what is pending, options and streams: all others expire by themselves. */
const LASTING =
  /^(H:TRACKER(\.HOSTS)?|H:DOCUMENT|SS:(VISITED|SECTIONS|PAGES|NAMES|URLS)|S:LEVEL\.\d|SS:\w+\.PENDING|ST:\w+|H:TICK):/;

/** That nothing stays for ever but what should. */
export async function expectLifetimes(client: TestClient): Promise<void> {
  const keys = (await client.keys("*")).filter((key) => !LASTING.test(key));
  const lives = await Promise.all(keys.map((key) => client.pTTL(key)));
  expect(keys.filter((_, at) => lives[at] === -1)).toEqual([]);
}

interface Listed {
  id: string;
  last_visited: number;
}

/** The last visit is known to the minute: the list has some time of the minute that the reference has the last of. */
function expectListing(listed: Listed[], expected: Listing | undefined, what: string): void {
  const byId = (a: string, b: string): number => (a < b ? -1 : 1);
  expect(listed.map(({ id }) => id).sort(byId), what).toEqual([...(expected?.keys() ?? [])].sort(byId));
  const times = listed.map((each) => each.last_visited);
  expect(times, what).toEqual([...times].sort((a, b) => b - a));
  for (const { id, last_visited: time } of listed) {
    const latest = expected!.get(id)!;
    expect(floorTo(MINUTE_MS, time), `${what} ${id}`).toBe(floorTo(MINUTE_MS, latest));
    expect(time, `${what} ${id}`).toBeLessThanOrEqual(latest);
  }
}

async function document(client: TestClient, dimension: string, id: string): Promise<Record<string, unknown>> {
  return JSON.parse((await fcall(client, "get_document", dimension, id, "COUNT", 1000)) as string) as Record<
    string,
    unknown
  >;
}

/** That websites, sections and pages are there and list what was visited, and that the status counts them. */
export async function expectDocuments(client: TestClient, reference: Reference, nowMs: number): Promise<void> {
  for (const website of reference.websites.keys()) {
    const found = await document(client, "W", website);
    expect(found["id"]).toBe(website);
    expectListing(found["sections"] as Listed[], reference.sectionsOf.get(website), `sections of ${website}`);
    expectListing(found["pages"] as Listed[], reference.pagesOf.get(website), `pages of ${website}`);
  }
  for (const section of reference.ids("S")) {
    const found = await document(client, "S", section);
    expectListing(found["pages"] as Listed[], reference.pagesOf.get(section), `pages of section ${section}`);
  }
  for (const page of reference.ids("P")) expect((await document(client, "P", page))["id"]).toBe(page);
  const status = await record(client, "get_tracker_status", "NOW", nowMs);
  expect(status).toMatchObject({
    websites: reference.websites.size,
    sections: reference.ids("S").length,
    pages: reference.ids("P").length,
    late: reference.late,
  });
  const rejected = (status!["rejected"] as [string, number][]).reduce((sum, [, events]) => sum + events, 0);
  expect(rejected).toBe(reference.rejected);
}

/** Lets time pass for the lifetimes of all keys. */
export async function age(client: TestClient, ms: number): Promise<void> {
  const script = `for _, key in ipairs(redis.call("KEYS", "*")) do
    local left = redis.call("PTTL", key)
    if left > 0 then redis.call("PEXPIRE", key, string.format("%d", math.max(left - tonumber(ARGV[1]), 0))) end
  end`;
  await client.sendCommand(["EVAL", script, "0", String(ms)]);
}

/** Everything that must hold once rotation has nothing left to do. */
export async function expectSettled(client: TestClient, reference: Reference, nowMs: number): Promise<void> {
  await expectNothingOpen(client, nowMs);
  await expectKeptWindows(client, reference, nowMs);
  await expectLifetimes(client);
}

/** Everything that must hold once rotation has nothing left to do and every window is over. */
export async function expectFinished(client: TestClient, reference: Reference, nowMs: number): Promise<void> {
  await expectSettled(client, reference, nowMs);
  await expectSeries(client, reference, nowMs);
  expect(await seriesTotal(client, reference, "W")).toBe(reference.accepted);
  await expectDocuments(client, reference, nowMs);
}

/** All ids of a dimension, or of all. */
export function allIds(reference: Reference, dimensions: readonly Dimension[] = DIMENSIONS): [Dimension, string][] {
  return dimensions.flatMap((dimension) => reference.ids(dimension).map((id): [Dimension, string] => [dimension, id]));
}

/** Options as they are given to a call, without those that are undefined. */
export function options(given: Record<string, Argument | undefined>): Argument[] {
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
}
