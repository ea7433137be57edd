/* What the tracker takes in memory, and what is stuck. */
import { beforeEach, describe, expect, it } from "vitest";
import { allKeys, event, HOUR, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import type { Argument } from "../support/functions";

const tracker = useTracker();

beforeEach(() => tracker.server.flush());

const PARTS = ["1MINUTE", "5MINUTES", "10MINUTES", "1HOUR", "3HOURS", "DOCUMENTS"];

type Row = [what: string, dimension: string, keys: number, bytes: number, samples: number];

const memory = async (part: string, ...options: Argument[]): Promise<Row[]> =>
  (await tracker.read("get_tracker_memory", part, ...options)) as Row[];

/** Bytes of all keys that match, by Redis' own measure. */
async function exactBytes(pattern: RegExp): Promise<{ keys: number; bytes: number }> {
  const keys = (await allKeys(tracker.client)).filter((key) => pattern.test(key));
  const sizes = await Promise.all(keys.map((key) => tracker.client.sendCommand(["MEMORY", "USAGE", key])));
  return { keys: keys.length, bytes: sizes.reduce<number>((sum, size) => sum + Number(size), 0) };
}

async function count(pages: number, now: number, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    const events = Array.from({ length: pages }, (_, at) =>
      event(`http://a.example/s${at % 3}/${at}.html`, `d${at}-${minute}`, now - minute * MINUTE),
    );
    await tracker.call("track_events", ...events, "NOW", now);
  }
}

async function rotate(now: number): Promise<void> {
  await tracker.drain("rotate_pg", "LIMIT", 10_000, "NOW", now);
  await tracker.drain("rotate_ud", "LIMIT", 1_000, "NOW", now);
}

describe("get_tracker_memory", () => {
  it("is exact where there are fewer keys than samples, and misses none but what is told", async () => {
    const now = NOON - 1;
    await count(20, now, 40);
    await rotate(now);
    await tracker.call("enrich_document", "P", sha1("a.example/s0/0.html"), '{"title":"Two words"}', "NOW", now);
    await tracker.call("enrich_document", "P", sha1("a.example/s1/1.html"), '{"title":"Two others"}', "NOW", now);
    await tracker.call("track_events", event("http://a.example/s1/deep/er/and/deeper/1.html", "d", now), "NOW", now);
    let keys = 0;
    let bytes = 0;
    for (const part of PARTS) {
      for (const dimension of ["W", "S", "P"]) {
        for (const row of await memory(part, "DIMENSION", dimension, "SAMPLES", 1000, "NOW", now)) {
          keys += row[2];
          bytes += row[3];
        }
      }
    }
    // The state is with the streams.
    const streams = await memory("STREAMS");
    expect(streams.map(([what]) => what)).toEqual(["state"]);
    const all = await exactBytes(/./);
    expect({ keys: keys + 1, bytes: bytes + streams[0]![3] }).toEqual(all);
  });

  it("estimates with few samples what many keys take", async () => {
    const now = NOON - 1;
    await count(600, now, 1);
    const [, devices] = await memory("1MINUTE", "SAMPLES", 60, "NOW", now);
    const exact = await exactBytes(/^HLL:1MINUTE:P:/);
    expect(devices![0]).toBe("devices");
    expect(devices![2]).toBe(exact.keys);
    expect(devices![4]).toBeLessThan(60);
    expect(devices![3] / exact.bytes).toBeGreaterThan(0.9);
    expect(devices![3] / exact.bytes).toBeLessThan(1.1);
  });

  it("counts windows in that rotation has let lie beyond their time", async () => {
    const now = NOON - 1;
    await count(5, now, 1);
    const later = now + 30 * HOUR;
    const [views] = await memory("1MINUTE", "NOW", later);
    expect(views!.slice(0, 3)).toEqual(["views", "P", 1]);
  });

  it("tells streams, refused events and the state", async () => {
    await tracker.client.sendCommand(["XADD", "ST:TRACKER::::", "*", "url", "nothing"]);
    await tracker.call("ingest_events");
    const rows = await memory("STREAMS");
    expect(rows.map(([what, , keys]) => [what, keys])).toEqual([
      ["events", 1],
      ["rejected", 1],
      ["state", 1],
    ]);
    expect(rows[0]![3]).toBe(await tracker.client.sendCommand(["MEMORY", "USAGE", "ST:TRACKER::::"]));
  });

  it("has nothing to tell of an empty database", async () => {
    for (const part of PARTS) expect(await memory(part), part).toEqual([]);
  });
});

describe("get_tracker_delays", () => {
  const delays = async (now: number) => {
    const { streams, tiers } = await tracker.record("get_tracker_delays", "NOW", now);
    return {
      streams,
      tiers: (tiers as [string, number, number][]).filter(([, views, devices]) => views > 0 || devices > 0),
    };
  };

  it("tells how long a window that was never made has been over, by tier", async () => {
    await count(1, NOON, 1);
    expect((await delays(NOON + 5 * MINUTE)).tiers).toEqual([]);
    expect((await delays(NOON + 5 * MINUTE + 1)).tiers).toEqual([["5MINUTES", 1, 1]]);
    expect((await delays(NOON + 20 * MINUTE)).tiers).toEqual([["5MINUTES", 15 * MINUTE, 15 * MINUTE]]);
    await tracker.drain("rotate_pg", "NOW", NOON + 20 * MINUTE);
    expect((await delays(NOON + 20 * MINUTE)).tiers).toEqual([["5MINUTES", 0, 15 * MINUTE]]);
    await tracker.drain("rotate_ud", "NOW", NOON + 20 * MINUTE);
    expect((await delays(NOON + 20 * MINUTE)).tiers).toEqual([]);
  });

  it("says that the next tier is stuck where only the finest is rotated", async () => {
    await count(1, NOON, 1);
    for (const name of ["rotate_pg", "rotate_ud"])
      await tracker.drain(name, "TIER", "5MINUTES", "NOW", NOON + 40 * MINUTE);
    expect((await delays(NOON + 40 * MINUTE)).tiers).toEqual([["10MINUTES", 30 * MINUTE, 30 * MINUTE]]);
  });

  it("is not troubled by late events, which the lag of the status is", async () => {
    const now = NOON + 25 * MINUTE;
    await count(1, NOON, 1);
    await rotate(now);
    await count(1, NOON, 1);
    await tracker.call("track_events", event("http://a.example/s0/0.html", "late", NOON), "NOW", now);
    const status = await tracker.record("get_tracker_status", "NOW", now);
    expect(
      (status["tiers"] as [string, number, number, number, number][]).find(([tier]) => tier === "5MINUTES")![4],
    ).toBe(20 * MINUTE);
    expect((await delays(now)).tiers).toEqual([]);
  });

  it("tells how many entries of a stream wait, and how long the oldest has", async () => {
    await tracker.client.sendCommand([
      "XADD",
      "ST:TRACKER::::",
      `${NOON}-1`,
      "url",
      "http://a.example/",
      "uui",
      "d",
      "dt",
      String(NOON),
    ]);
    await tracker.call("ingest_events", "NOW", NOON);
    expect((await delays(NOON + HOUR)).streams).toEqual([["ST:TRACKER::::", 0, 0]]);
    for (const at of [1, 2])
      await tracker.client.sendCommand(["XADD", "ST:TRACKER::::", `${NOON + at * MINUTE}-1`, "url", "x"]);
    expect((await delays(NOON + HOUR)).streams).toEqual([["ST:TRACKER::::", 2, 59 * MINUTE]]);
  });

  it("takes an entry that has just come after a quiet night for what it is", async () => {
    await tracker.client.sendCommand(["XADD", "ST:TRACKER::::", `${NOON}-1`, "url", "x"]);
    await tracker.call("ingest_events", "NOW", NOON);
    await tracker.client.sendCommand(["XADD", "ST:TRACKER::::", `${NOON + 8 * HOUR}-1`, "url", "x"]);
    expect((await delays(NOON + 8 * HOUR + 20)).streams).toEqual([["ST:TRACKER::::", 1, 20]]);
  });

  it("names a foreign key", async () => {
    await tracker.client.set("SS:5MINUTES.PENDING:W:::PG", "x");
    expect(await tracker.refusal("get_tracker_delays")).toBe(
      "CONFLICT SS:5MINUTES.PENDING:W:::PG holds a string, not a zset",
    );
  });
});
