/*
 * Keys of others in the way: a call that answers an error has written nothing, and names the key; one that has done something
 * before it met the key tells what it has done, and the next one answers the error.
 */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useServer } from "../support/server";
import {
  drainRotations,
  EPOCH_MS,
  HOUR_MS,
  idOf,
  MINUTE_MS,
  record,
  track,
  type SentEvent,
} from "../support/tracker-model";
import { fcall, loadLibrary } from "../support/functions";

const redis = useServer();
const WEBSITE = idOf("a.example");
const PAGES = ["x", "y", "z"];
const view = (dt: number, page = "x", uui = "device"): SentEvent => ({ url: `https://a.example/s/${page}`, uui, dt });
const pageId = (page: string): string => idOf(`a.example/s/${page}`);

beforeAll(() => loadLibrary(redis.client, "tracker"));
beforeEach(() => redis.flush());

/** All keys with all that they hold. */
async function dump(): Promise<Record<string, string>> {
  const keys = (await redis.client.keys("*")).sort();
  const found: Record<string, string> = {};
  for (const key of keys) found[key] = await contents(key);
  return found;
}

async function contents(key: string): Promise<string> {
  const type = await redis.client.type(key);
  const command = {
    hash: ["HGETALL", key],
    zset: ["ZRANGE", key, "0", "-1", "WITHSCORES"],
    set: ["SMEMBERS", key],
    stream: ["XRANGE", key, "-", "+"],
    list: ["LRANGE", key, "0", "-1"],
  }[type] ?? ["GET", key];
  return `${type} ${JSON.stringify(await redis.client.sendCommand(command))}`;
}

/** A call answers CONFLICT, naming the key, and leaves everything as it was. */
async function expectConflict(key: string, name: string, ...args: (string | number)[]): Promise<void> {
  const before = await dump();
  const raised = await fcall(redis.client, name, ...args).then(
    () => undefined,
    (error: Error) => error.message,
  );
  expect(await dump(), `after ${raised}`).toEqual(before);
  expect(raised).toContain(`CONFLICT ${key} holds`);
}

describe("rotation", () => {
  beforeEach(() =>
    track(
      redis.client,
      PAGES.map((page) => view(EPOCH_MS, page)),
      EPOCH_MS,
    ),
  );
  const nowMs = EPOCH_MS + 5 * MINUTE_MS;
  const id = pageId("x");

  it.each([
    { name: "rotate_pg", key: "SS:5MINUTES.PENDING:P:::PG" },
    { name: "rotate_pg", key: "SS:10MINUTES.PENDING:P:::PG" },
    { name: "rotate_pg", key: `H:1MINUTE.OPEN:P::${EPOCH_MS}:PG` },
    { name: "rotate_pg", key: `H:1MINUTE:P::${EPOCH_MS}:PG` },
    { name: "rotate_pg", key: `SS:5MINUTES.OPEN:P::${EPOCH_MS}:PG` },
    { name: "rotate_pg", key: "H:TRACKER::::" },
    { name: "rotate_ud", key: "SS:5MINUTES.PENDING:P:::UD" },
    { name: "rotate_ud", key: "SS:10MINUTES.PENDING:P:::UD" },
    { name: "rotate_ud", key: `S:5MINUTES.OPEN:P::${EPOCH_MS}:UD` },
    { name: "rotate_ud", key: `S:10MINUTES.OPEN:P::${EPOCH_MS}:UD` },
    { name: "rotate_ud", key: "H:TRACKER::::" },
  ])("$name writes nothing where $key is foreign", async ({ name, key }) => {
    // A string is none of what these keys may be, and no HyperLogLog.
    await redis.client.set(key, "foreign");
    await expectConflict(key, name, "TIER", "5MINUTES", "DIMENSION", "P", "LIMIT", 10, "NOW", nowMs);
    await redis.client.del(key);
    await drainRotations(redis.client, nowMs);
    expect(await record(redis.client, name, "NOW", nowMs)).toEqual({ windows: 0, merged: 0, remaining: 0 });
  });

  it.each([
    { name: "rotate_pg", key: `H:5MINUTES.SERIES:P:${id}:${EPOCH_MS - (EPOCH_MS % (128 * 5 * MINUTE_MS))}:PG` },
    { name: "rotate_ud", key: `HLL:1MINUTE:P:${id}:${EPOCH_MS}:UD` },
    { name: "rotate_ud", key: `HLL:5MINUTES:P:${id}:${EPOCH_MS}:UD` },
    { name: "rotate_ud", key: `H:5MINUTES.SERIES:P:${id}:${EPOCH_MS - (EPOCH_MS % (128 * 5 * MINUTE_MS))}:UD` },
  ])(
    "$name merges all other ids where $key is foreign, and then answers the error with nothing written",
    async ({ name, key }) => {
      const args = ["TIER", "5MINUTES", "DIMENSION", "P", "LIMIT", 10, "NOW", nowMs];
      await redis.client.set(key, "foreign");
      expect(await record(redis.client, name, ...args)).toEqual({ windows: 0, merged: PAGES.length - 1, remaining: 1 });
      await expectConflict(key, name, ...args);
      await redis.client.del(key);
      expect(await record(redis.client, name, ...args)).toEqual({ windows: 1, merged: 1, remaining: 0 });
      await drainRotations(redis.client, nowMs);
      expect(await record(redis.client, name, "NOW", nowMs)).toEqual({ windows: 0, merged: 0, remaining: 0 });
    },
  );

  it.each([
    { name: "rotate_pg", key: `H:1MINUTE:P::${EPOCH_MS + 5 * MINUTE_MS}:PG` },
    { name: "rotate_pg", key: `SS:5MINUTES.OPEN:P::${EPOCH_MS + 5 * MINUTE_MS}:PG` },
    { name: "rotate_ud", key: `HLL:5MINUTES:P:${id}:${EPOCH_MS + 5 * MINUTE_MS}:UD` },
  ])("$name tells what it has done before it met $key, and the next call answers the error", async ({ name, key }) => {
    await track(redis.client, [view(EPOCH_MS + 5 * MINUTE_MS)], EPOCH_MS + 5 * MINUTE_MS);
    await redis.client.set(key, "foreign");
    const args = ["TIER", "5MINUTES", "DIMENSION", "P", "LIMIT", 10, "NOW", EPOCH_MS + 10 * MINUTE_MS];
    expect(await record(redis.client, name, ...args)).toEqual({ windows: 1, merged: 3, remaining: 1 });
    await expectConflict(key, name, ...args);
    await redis.client.del(key);
    expect(await record(redis.client, name, ...args)).toEqual({ windows: 1, merged: 1, remaining: 0 });
    const counted = await record(
      redis.client,
      "count_pg",
      "P",
      id,
      "FROM",
      EPOCH_MS,
      "TO",
      EPOCH_MS + HOUR_MS,
      "NOW",
      EPOCH_MS + 10 * MINUTE_MS,
    );
    expect(counted).toMatchObject({ value: 2 });
  });

  it("in a later slice of a window tells what it has done", async () => {
    // The first slice takes a thousand; the second meets the page whose point is foreign.
    await redis.flush();
    const pages = Array.from({ length: 1500 }, (_, at) => String(at));
    await track(
      redis.client,
      pages.map((page) => view(EPOCH_MS, page)),
      EPOCH_MS,
    );
    const first = (await record(redis.client, "rotate_pg", "DIMENSION", "P", "LIMIT", 1, "NOW", nowMs))!;
    expect(first).toEqual({ windows: 0, merged: 1, remaining: 1 });
    const left = await redis.client.hKeys(`H:1MINUTE.OPEN:P::${EPOCH_MS}:PG`);
    const key = `H:5MINUTES.SERIES:P:${left[0]!}:${EPOCH_MS - (EPOCH_MS % (128 * 5 * MINUTE_MS))}:PG`;
    await redis.client.set(key, "foreign");
    const args = ["TIER", "5MINUTES", "DIMENSION", "P", "LIMIT", 10_000, "NOW", nowMs];
    // Where it stands is chance: at once an error, or what was done before it.
    const reply = await record(redis.client, "rotate_pg", ...args).catch((error: Error) => error);
    if (reply instanceof Error) expect(reply.message).toContain(`CONFLICT ${key} holds`);
    else expect(reply).toMatchObject({ windows: 0, remaining: 1 });
    expect(await redis.client.exists(`H:1MINUTE.OPEN:P::${EPOCH_MS}:PG`)).toBe(1);
    await redis.client.del(key);
    await drainRotations(redis.client, nowMs);
    expect(await redis.client.zCard(`SS:5MINUTES.OPEN:P::${EPOCH_MS}:PG`)).toBe(1500);
  });
});

describe("tracking", () => {
  const id = pageId("x");

  it.each([
    "H:TRACKER::::",
    `H:1MINUTE.OPEN:W::${EPOCH_MS}:PG`,
    `H:1MINUTE.OPEN:S::${EPOCH_MS}:PG`,
    `H:1MINUTE.OPEN:P::${EPOCH_MS}:PG`,
    `HLL:1MINUTE:P:${id}:${EPOCH_MS}:UD`,
    `S:5MINUTES.OPEN:P::${EPOCH_MS}:UD`,
    "SS:5MINUTES.PENDING:P:::PG",
    "SS:5MINUTES.PENDING:P:::UD",
    "SS:VISITED:W:::",
    "SS:VISITED:S:::",
    "SS:VISITED:P:::",
    "SS:NAMES:S:::",
    "SS:URLS:P:::",
    `S:LEVEL.1:S:${idOf("s")}::`,
    `SS:SECTIONS:W:${WEBSITE}::`,
    `SS:PAGES:W:${WEBSITE}::`,
    `SS:PAGES:S:${idOf("a.example/s")}::`,
    `H:DOCUMENT:P:${id}::`,
  ])("writes nothing where %s is foreign, event by event and from the stream", async (key) => {
    await redis.client.set(key, "foreign");
    await redis.client.xAdd("ST:TRACKER::::", "*", {
      url: "https://a.example/s/x",
      uui: "device",
      dt: String(EPOCH_MS),
    });
    await expectConflict(key, "track_events", JSON.stringify(view(EPOCH_MS)), "NOW", EPOCH_MS);
    await expectConflict(
      key,
      "track_events",
      JSON.stringify(view(EPOCH_MS)),
      JSON.stringify(view(EPOCH_MS, "y")),
      "NOW",
      EPOCH_MS,
    );
    await expectConflict(key, "ingest_events", "NOW", EPOCH_MS);
    await redis.client.del(key);
    expect(await record(redis.client, "ingest_events", "NOW", EPOCH_MS)).toMatchObject({ read: 1, accepted: 1 });
  });

  it("of a page that was seen in its minute writes nothing where its section's views are foreign", async () => {
    await track(redis.client, [view(EPOCH_MS)], EPOCH_MS);
    const key = `H:1MINUTE.OPEN:S::${EPOCH_MS}:PG`;
    await redis.client.set(key, "foreign");
    await expectConflict(key, "track_events", JSON.stringify(view(EPOCH_MS)), "NOW", EPOCH_MS);
  });

  it("of a page that was seen in its minute writes nothing where its website's views became foreign", async () => {
    const key = `H:1MINUTE.OPEN:W::${EPOCH_MS}:PG`;
    await track(redis.client, [view(EPOCH_MS)], EPOCH_MS);
    await redis.client.set(key, "foreign");
    await expectConflict(key, "track_events", JSON.stringify(view(EPOCH_MS)), "NOW", EPOCH_MS);
  });

  // Its HyperLogLogs were checked when it was new in its minute; the same device may be noted, which changes nothing.
  it.each([
    { what: "its page's devices", key: `HLL:1MINUTE:P:${id}:${EPOCH_MS}:UD` },
    { what: "its website's devices", key: `HLL:1MINUTE:W:${WEBSITE}:${EPOCH_MS}:UD` },
  ])("of a page that was seen in its minute counts nothing where $what became foreign", async ({ key }) => {
    await track(redis.client, [view(EPOCH_MS)], EPOCH_MS);
    await redis.client.set(key, "foreign");
    await expectConflict(key, "track_events", JSON.stringify(view(EPOCH_MS)), "NOW", EPOCH_MS);
    await expectConflict(
      key,
      "track_events",
      JSON.stringify(view(EPOCH_MS)),
      JSON.stringify(view(EPOCH_MS)),
      "NOW",
      EPOCH_MS,
    );
  });
});

describe("ingest", () => {
  const key = `HLL:1MINUTE:W:${WEBSITE}:${EPOCH_MS}:UD`;

  it("counts an entry once, though a key was foreign when it was first read", async () => {
    await track(redis.client, [view(EPOCH_MS)], EPOCH_MS);
    await redis.client.xAdd("ST:TRACKER::::", "*", {
      url: "https://a.example/s/x",
      uui: "device",
      dt: String(EPOCH_MS),
    });
    await redis.client.set(key, "foreign");
    for (let call = 0; call < 3; call += 1) {
      await expect(fcall(redis.client, "ingest_events", "NOW", EPOCH_MS)).rejects.toThrow("CONFLICT");
    }
    await redis.client.del(key);
    expect(await record(redis.client, "ingest_events", "NOW", EPOCH_MS)).toMatchObject({ read: 1, accepted: 1 });
    expect(await redis.client.hGet(`H:1MINUTE.OPEN:W::${EPOCH_MS}:PG`, WEBSITE)).toBe("2");
  });
});

describe("counting", () => {
  it.each([
    { name: "count_pg", key: `H:1MINUTE:W::${EPOCH_MS}:PG` },
    { name: "count_ud", key: `HLL:1MINUTE:W:${WEBSITE}:${EPOCH_MS}:UD` },
  ])("$name names the foreign key", async ({ name, key }) => {
    await redis.client.set(key, "foreign");
    await expectConflict(key, name, "W", WEBSITE, "FROM", EPOCH_MS, "TO", EPOCH_MS + MINUTE_MS, "NOW", EPOCH_MS);
  });
});

describe("a table of hosts that is changed in mid-minute", () => {
  const url = "https://www.rtl.example/news/national/1.html";
  const page = idOf("www.rtl.example/news/national/1.html");
  const send = (dt: number, given = url): Promise<unknown> =>
    fcall(redis.client, "track_events", JSON.stringify({ url: given, uui: "device", dt }), "NOW", EPOCH_MS + MINUTE_MS);
  const name = (table: Record<string, string>): Promise<unknown> =>
    fcall(redis.client, "configure_tracker", "HOSTS", JSON.stringify(table));
  const list = async (dimension: string, id: string, field: string): Promise<string[]> => {
    const found = JSON.parse((await fcall(redis.client, "get_document", dimension, id)) as string) as Record<
      string,
      { id: string }[]
    >;
    return found[field]!.map((each) => each.id);
  };

  it("lists the section under the new website too, moves the page there, and counts the page once", async () => {
    await send(EPOCH_MS);
    await send(EPOCH_MS + 1);
    await name({ "www.rtl.example": "two" });
    await send(EPOCH_MS + 2);
    await send(EPOCH_MS + 3);
    for (const website of ["rtl.example", "two"]) {
      expect(await list("W", idOf(website), "sections")).toEqual([idOf(`${website}/news/national`)]);
      const pages = website === "two" ? [page] : [];
      expect(await list("W", idOf(website), "pages")).toEqual(pages);
      expect(await list("S", idOf(`${website}/news/national`), "pages")).toEqual(pages);
      const counted = await record(
        redis.client,
        "count_pg",
        "W",
        idOf(website),
        "FROM",
        EPOCH_MS,
        "TO",
        EPOCH_MS + MINUTE_MS,
        "NOW",
        EPOCH_MS + MINUTE_MS,
      );
      expect(counted).toMatchObject({ value: 2 });
    }
    expect(await redis.client.hGet("H:TRACKER::::", "documents:P")).toBe("1");
    expect(await redis.client.hGet("H:TRACKER::::", "documents:W")).toBe("2");
    const counted = await record(
      redis.client,
      "count_pg",
      "P",
      page,
      "FROM",
      EPOCH_MS,
      "TO",
      EPOCH_MS + MINUTE_MS,
      "NOW",
      EPOCH_MS + MINUTE_MS,
    );
    expect(counted).toMatchObject({ value: 4 });
  });

  it("lists the page from its next minute on, if its new section was seen in the same minute before it", async () => {
    await send(EPOCH_MS);
    await name({ "www.rtl.example": "two", "b.example": "two" });
    await send(EPOCH_MS + 1, "https://b.example/news/national/2.html");
    await send(EPOCH_MS + 2);
    await send(EPOCH_MS + MINUTE_MS);
    expect((await list("W", idOf("two"), "pages")).sort()).toEqual(
      [page, idOf("b.example/news/national/2.html")].sort(),
    );
  });
});

describe("a ranking of more than a hundred with equal views", () => {
  const first = Array.from({ length: 150 }, (_, at) => String(at));
  const ranked = first
    .map(pageId)
    .sort()
    .slice(0, 3)
    .map((id) => [id, 1]);

  it.each([
    { what: "minutes", nowMs: EPOCH_MS },
    { what: "a window of five minutes", nowMs: EPOCH_MS + 5 * MINUTE_MS },
  ])("goes by id in $what", async ({ nowMs }) => {
    await track(
      redis.client,
      first.map((page) => view(EPOCH_MS, page)),
      EPOCH_MS,
    );
    await drainRotations(redis.client, nowMs);
    const reply = await record(
      redis.client,
      "rank_pg",
      "P",
      "FROM",
      EPOCH_MS,
      "TO",
      EPOCH_MS + 5 * MINUTE_MS,
      "COUNT",
      3,
      "NOW",
      nowMs,
    );
    expect(reply).toMatchObject({ exact: 1, ranking: ranked });
  });
});
