/* import_events, get_import and forget_import: a chunk counts if and only if it follows on what is kept. */
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, digest, event, HOUR, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import type { Argument } from "../support/functions";
import { until } from "../support/wait";

const tracker = useTracker();
const PAGE = "a.example/x";
const OLD = NOON - 20 * DAY;
const visit = (device: string, atMs: number): string => event(`http://${PAGE}`, device, atMs);
const chunk = (from: Argument, to: Argument, events: string[] = [], ...options: Argument[]) =>
  tracker.record("import_events", "log", from, to, ...events, "NOW", OLD + 3 * HOUR, ...options);
const series = (name: string): Promise<unknown> =>
  tracker.read(name, "P", sha1(PAGE), "TIER", "5MINUTES", "FROM", OLD - DAY, "TO", OLD + DAY);
const rotate = async (): Promise<void> => {
  for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name, "NOW", NOON);
};
const views = async (): Promise<unknown> => {
  await rotate();
  return series("range_pg");
};

beforeEach(() => tracker.server.flush());

describe("import_events", () => {
  it("counts a chunk once, however often it is sent", async () => {
    const events = [visit("a", OLD), visit("b", OLD)];
    expect(await chunk("-", "10", events)).toEqual({
      counted: 1,
      position: "10",
      accepted: 2,
      rejected: 0,
      errors: [],
    });
    for (let time = 0; time < 3; time += 1) {
      expect(await chunk("-", "10", events)).toEqual({
        counted: 0,
        position: "10",
        accepted: 0,
        rejected: 0,
        errors: [],
      });
    }
    expect(await views()).toEqual([[OLD, 2]]);
  });

  it("counts nothing that does not follow, and says where to go on", async () => {
    expect(await chunk("5", "9", [visit("a", OLD)])).toMatchObject({ counted: 0, position: null });
    await chunk("-", "5", [visit("a", OLD)]);
    expect(await chunk("4", "9", [visit("a", OLD)])).toMatchObject({ counted: 0, position: "5" });
    expect(await chunk("-", "9", [visit("a", OLD)])).toMatchObject({ counted: 0, position: "5" });
    expect(await views()).toEqual([[OLD, 1]]);
  });

  it("moves the position over a chunk without events", async () => {
    expect(await chunk("-", "7")).toMatchObject({ counted: 1, position: "7", accepted: 0 });
    expect(await tracker.read("get_import", "log")).toContain("7");
  });

  it("refuses bad events one by one, and counts the others", async () => {
    const reply = await chunk("-", "1", [visit("a", OLD), visit("", OLD), visit("b", OLD - 8 * DAY), "{"]);
    expect(reply).toMatchObject({ counted: 1, accepted: 1, rejected: 3 });
    expect((reply["errors"] as unknown[][]).map(([index, code]) => [index, code])).toEqual([
      [1, "BADEVENT"],
      [2, "BADEVENT"],
      [3, "BADEVENT"],
    ]);
    const status = await tracker.record("get_tracker_status", "NOW", NOON);
    expect(status["rejected"]).toEqual([
      ["json", 1],
      ["old", 1],
      ["uui", 1],
    ]);
  });

  it("refuses what a repeat would count again, and a position that stands for none", async () => {
    expect(await tracker.refusal("import_events", "log", "3", "3", visit("a", OLD))).toMatch(
      /^BADARG from and to must differ/,
    );
    expect(await tracker.refusal("import_events", "log", "3", "-")).toMatch(/^BADARG to must be a position/);
  });

  it("keeps sources apart, and partitions", async () => {
    await chunk("-", "5", [visit("a", OLD)]);
    expect(await tracker.record("import_events", "other", "-", "1", visit("a", OLD), "NOW", OLD)).toMatchObject({
      counted: 1,
    });
    expect(await tracker.routed(["{p}"], "get_import", "log")).toBeNull();
  });

  it("writes nothing where a key is in the way, and counts the chunk once it is gone", async () => {
    const id = sha1("log");
    for (const key of [
      `H:IMPORT::${id}::`,
      "H:BACKFILL::::",
      `HLL:1MINUTE:P:${sha1(PAGE)}:${OLD}:UD`,
      "ST:REJECTED::::",
    ]) {
      await tracker.server.flush();
      await tracker.client.lPush(key, "foreign");
      const before = await digest(tracker.client);
      expect
        .soft(await tracker.refusal("import_events", "log", "-", "1", visit("a", OLD), "{}", "NOW", OLD))
        .toMatch(new RegExp(`^CONFLICT ${key} `));
      expect.soft(await digest(tracker.client)).toEqual(before);
      await tracker.client.del(key);
      expect
        .soft(await tracker.record("import_events", "log", "-", "1", visit("a", OLD), "{}", "NOW", OLD))
        .toMatchObject({ counted: 1, accepted: 1 });
    }
  });

  it("does not call old events late, and takes no visit back", async () => {
    await tracker.call("track_events", visit("today", NOON), "NOW", NOON);
    await rotate();
    await chunk("-", "1", [visit("a", OLD)]);
    const status = await tracker.record("get_tracker_status", "NOW", NOON);
    expect(status["late"]).toBe(0);
    const document = JSON.parse(String(await tracker.read("get_document", "P", sha1(PAGE)))) as Record<string, unknown>;
    expect(document["last_visited"]).toBe(NOON);
  });
});

describe("get_import and forget_import", () => {
  it("answer what was counted, and let it count anew", async () => {
    expect(await tracker.read("get_import", "log")).toBeNull();
    expect(await tracker.call("forget_import", "log")).toBe(0);
    await chunk("-", "1", [visit("a", OLD), "{}"]);
    await chunk("1", "2", [visit("b", OLD)]);
    expect(await tracker.record("get_import", "log")).toMatchObject({ position: "2", accepted: 2, rejected: 1 });
    expect(await tracker.call("forget_import", "log")).toBe(1);
    expect(await tracker.read("get_import", "log")).toBeNull();
    expect(await tracker.client.exists("H:BACKFILL::::")).toBe(0);
    expect(await chunk("-", "1", [visit("a", OLD)])).toMatchObject({ counted: 1 });
    expect(await views()).toEqual([[OLD, 3]]);
  });

  it("name a key in the way", async () => {
    const key = `H:IMPORT::${sha1("log")}::`;
    await tracker.client.lPush(key, "foreign");
    for (const name of ["get_import", "forget_import"])
      expect(await tracker.refusal(name, "log")).toMatch(new RegExp(`^CONFLICT ${key} `));
  });
});

describe("unique devices of windows that a back-fill may still add to", () => {
  const half = (from: Argument, to: Argument, device: string, ...options: Argument[]) =>
    chunk(from, to, [visit(device, OLD)], ...options);

  it("wait until it is over; page views do not", async () => {
    await half("-", "1", "a");
    await rotate();
    expect(await series("range_pg")).toEqual([[OLD, 1]]);
    expect(await series("range_ud")).toEqual([]);
    await half("1", "2", "b");
    await chunk("2", "2", [], "HOLD", 0);
    await rotate();
    expect(await series("range_pg")).toEqual([[OLD, 2]]);
    expect(await series("range_ud")).toEqual([[OLD, 2]]);
  });

  it("wait until it has passed them by an hour", async () => {
    await half("-", "1", "a");
    const reach = async (to: number, atMs: number): Promise<unknown> => {
      await chunk(to - 1, to, [visit("z", atMs)]);
      await rotate();
      return ((await series("range_ud")) as [number, number][])[0];
    };
    expect(await reach(2, OLD + 5 * MINUTE + HOUR - 1)).toBeUndefined();
    expect(await reach(3, OLD + 5 * MINUTE + HOUR)).toEqual([OLD, 1]);
  });

  it("are taken up once it was silent for HOLD", async () => {
    await half("-", "1", "a", "HOLD", 1);
    await until(async () => {
      await rotate();
      return ((await series("range_ud")) as unknown[]).length === 1;
    });
  });

  it("wait for the slowest of several", async () => {
    await half("-", "1", "a");
    await tracker.call("import_events", "fast", "-", "1", visit("b", OLD + 3 * HOUR), "NOW", OLD + 3 * HOUR);
    await rotate();
    expect(await series("range_ud")).toEqual([]);
    await tracker.call("forget_import", "log");
    await rotate();
    expect(await series("range_ud")).toEqual([[OLD, 1]]);
  });

  it("do not hold up what is of today", async () => {
    await half("-", "1", "a");
    await tracker.call("track_events", visit("today", NOON - 10 * MINUTE), "NOW", NOON);
    await rotate();
    expect(
      await tracker.read("range_ud", "P", sha1(PAGE), "TIER", "5MINUTES", "FROM", NOON - HOUR, "TO", NOON),
    ).toEqual([[NOON - 10 * MINUTE, 1]]);
  });

  it("no more than 1,000 at once, those that fell silent not counted", async () => {
    const key = "H:BACKFILL::::";
    const future = Date.now() + DAY;
    await tracker.client.hSet(
      key,
      Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`s${at}`, `${OLD}:${future}`])),
    );
    expect(await tracker.refusal("import_events", "log", "-", "1", visit("a", OLD), "NOW", OLD)).toMatch(
      /^LIMIT 1000 back-fills/,
    );
    await tracker.client.hSet(key, "s7", `${OLD}:1`);
    expect(await half("-", "1", "a")).toMatchObject({ counted: 1 });
    expect(await tracker.client.hExists(key, "s7")).toBe(0);
  });
});
