/* rebuild_index: what GigAPI's clients wrote without us is entered, what they deleted is taken out, in steps. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  entryOf,
  folderOf,
  HOUR,
  LEASE,
  NOON,
  ns,
  SECOND,
  useMetadata,
  type Entry,
  type MergePlan,
} from "../support/metadata";

const metadata = useMetadata();
const { call, json, query, read, rebuild, record, refusal, routed, send } = metadata;

beforeEach(() => metadata.server.flush());

const FOLDER = folderOf(NOON);

async function store(...entries: Entry[]): Promise<void> {
  for (const entry of entries) {
    const place = `${entry.database}:${entry.table}`;
    await send("HINCRBY", `folders:${place}`, entry.path.slice(0, entry.path.lastIndexOf("/")), 1);
    await send("HSET", `files:${place}:${entry.path.split("/")[0]}`, entry.path, JSON.stringify(entry));
  }
}

const file = (name: string, given: Partial<Entry> = {}): Entry =>
  entryOf({ path: `${FOLDER}/${name}.1.parquet`, str_min_time: ns(NOON), str_max_time: ns(NOON + SECOND), ...given });
const plan = (id: string, ms: number, path: string): string =>
  `{"id":"${id}","paths":["${path.replaceAll("/", "\\/")}"],"time_s":${ms / SECOND},"size":1}`;
const take = (db: string, table: string, layer: string, writer: string, ms = NOON): Promise<MergePlan | null> =>
  json("get_merge_plan", db, table, 1, layer, writer, "NOW", ms);

/** Our own keys with what they hold. */
async function ours(): Promise<Record<string, unknown>> {
  const keys = ((await send("KEYS", "*METADATA*")) as string[]).sort();
  const contents = await Promise.all(
    keys.map((key) => {
      if (key.startsWith("SS:")) return send("ZRANGE", key, 0, -1, "WITHSCORES");
      return key.startsWith("J:") ? send("GET", key) : send("HGETALL", key);
    }),
  );
  return Object.fromEntries(keys.map((key, at) => [key, contents[at]]));
}

describe("rebuild_index", () => {
  it("on an empty database has nothing to do", async () => {
    expect(await record("rebuild_index")).toEqual({ scanned: 0, examined: 0, skipped: 0, remaining: 0 });
    expect(await ours()).toEqual({});
  });

  it("finds tables, folders, times, queues and plans that are out", async () => {
    await store(file("a"), file("b", { str_min_time: ns(NOON, 7), str_max_time: ns(NOON + HOUR, 7) }));
    const queue = `merge:d:t:1:${FOLDER}:l:w`;
    await send("RPUSH", `${queue}:idle`, plan("p1", NOON, file("a").path));
    await send("RPUSH", `${queue}:processing`, plan("p2", NOON + LEASE, file("b").path));
    await send(
      "RPUSH",
      "move:d:t:l:w:processing",
      JSON.stringify({
        id: "m1",
        writer_id: "w",
        database: "d",
        table: "t",
        path_from: "f/a",
        layer_from: "l",
        path_to: "f/b",
        layer_to: "c",
        time_s: 1,
      }),
    );
    await send(
      "RPUSH",
      "drop:d:t:l:w:idle",
      JSON.stringify({ id: "x1", writer_id: "w", database: "d", table: "t", layer: "l", path: "f/a", time_s: 1 }),
    );
    expect(await take("d", "t", "l", "w")).toBeNull();
    expect(await refusal("end_merge", "d", "t", "p2")).toMatch(/^NOTFOUND/);
    await rebuild();
    expect(await ours()).toEqual({
      "H:METADATA.BOUNDS::d/t::": ["date=2024-01-15", `${ns(NOON)} ${ns(NOON + HOUR, 7)}`],
      "J:METADATA.LEASE::d/t/m1::": expect.stringContaining('"queue":"move:d:t:l:w"') as unknown,
      "J:METADATA.LEASE::d/t/p2::": expect.stringContaining(
        `"queue":${JSON.stringify(queue).replaceAll("/", "\\/")}`,
      ) as unknown,
      "H:METADATA.TABLE::d/t::": ["known_folders", "1"],
      "SS:METADATA.DATABASES::::": ["d", "0"],
      "SS:METADATA.FOLDERS::d/t::": ["date=2024-01-15", "0"],
      "SS:METADATA.PLANNERS::d/t::": [
        '["drop","","l","w"]',
        "0",
        '["merge","1","l","w"]',
        "0",
        '["move","","l","w"]',
        "0",
      ],
      "SS:METADATA.QUEUES::d/t/1/l/w::": [FOLDER, String(NOON / SECOND)],
      "SS:METADATA.TABLES::d::": ["t", "0"],
    });
    expect(await call("end_merge", "d", "t", "p2")).toBe(1);
    expect(await call("end_move", "d", "t", "m1")).toBe(1);
    expect((await take("d", "t", "l", "w"))!.id).toBe("p1");
    expect(await json("get_drop_plan", "d", "t", "l", "w")).toMatchObject({ id: "x1" });
  });

  it("changes nothing when it is called again", async () => {
    await store(file("a"), file("b"), file("a", { table: "s", database: "e" }));
    await send("RPUSH", `merge:d:t:1:${FOLDER}:l:w:idle`, plan("p1", NOON, file("a").path));
    await rebuild();
    const before = await ours();
    await rebuild("LIMIT", 1);
    expect(await ours()).toEqual(before);
  });

  it("tells names with colons apart by what the keys hold", async () => {
    const owners = [
      ["a:b", "c"],
      ["a", "b:c"],
    ] as const;
    // Both tables have these very keys; only one of them can be there.
    for (const [database, table] of owners) {
      await metadata.server.flush();
      const entry = file("a", { database, table, layer: "x:y", writer_id: "z:1" });
      await store(entry);
      await send("RPUSH", `merge:a:b:c:1:${FOLDER}:x:y:z:1:idle`, plan("p1", NOON, entry.path));
      await send(
        "RPUSH",
        "drop:a:b:c:x:y:z:1:idle",
        JSON.stringify({ id: "x1", database, table, layer: "x:y", writer_id: "z:1", path: "f/a", time_s: 1 }),
      );
      expect((await rebuild()).skipped).toBe(0);
      expect(await read("list_databases")).toEqual([database]);
      expect(await read("list_tables", database)).toEqual([table]);
      expect(await take(database, table, "x:y", "z:1")).toMatchObject({ id: "p1", layer: "x:y", writer_id: "z:1" });
    }
  });

  it("skips what cannot be told apart, and counts it", async () => {
    await send("HSET", "folders:a:b:c", "f", 1);
    await send("HSET", "files:a:b:c:f", "f/a.1.parquet", "broken");
    await send("RPUSH", "merge:d:t:1:f:x:y:z:idle", plan("p1", NOON, "f/a.1.parquet"));
    await send("RPUSH", "merge:d:t:1:f:l:w:idle", "broken");
    expect((await rebuild()).skipped).toBe(4);
    expect(await read("list_databases")).toEqual([]);
  });

  it("leaves foreign keys alone, whatever they are called", async () => {
    const foreign: [string, ...string[]][] = [
      ["SET", "files:d:t:f", "x"],
      ["SET", "folders:d:t", "x"],
      ["HSET", "merge:d:t:1:f:l:w:idle", "a", "b"],
      ["RPUSH", "move:d", "x"],
      ["RPUSH", "merge:idle", "x"],
      ["HSET", "files:", "a", "b"],
      ["HSET", "files:x", "a", "b"],
      ["SADD", "drop:d:t:l:w:processing", "x"],
      ["HSET", "FILES:d:t:f", "f/a.1.parquet", JSON.stringify(file("a"))],
    ];
    for (const each of foreign) await send(...each);
    expect((await rebuild()).skipped).toBe(0);
    expect(await ours()).toEqual({});
    expect(await send("DBSIZE")).toBe(foreign.length);
  });

  it("goes on where the last call ended, a little at a time, while the data changes", async () => {
    for (let day = 0; day < 4; day += 1) {
      const ms = NOON + day * 24 * HOUR;
      for (let at = 0; at < 300; at += 1) {
        await store(
          file("", {
            path: `${folderOf(ms)}/f${at}.1.parquet`,
            str_min_time: ns(ms, at),
            str_max_time: ns(ms + HOUR, at),
          }),
        );
      }
    }
    await send(
      "RPUSH",
      "drop:d:t:l:w:processing",
      ...Array.from({ length: 350 }, (_, at) =>
        JSON.stringify({ id: `x${at}`, database: "d", table: "t", layer: "l", writer_id: "w", path: "f/a", time_s: 1 }),
      ),
    );
    let calls = 0;
    for (let remaining: unknown = 1; remaining === 1; calls += 1) {
      const reply = await record("rebuild_index", "LIMIT", 1);
      expect(Number(reply["scanned"]) + Number(reply["examined"])).toBeLessThan(1000);
      remaining = reply["remaining"];
      // What an old client adds to a day that may have been gone through: the next pass finds it.
      if (calls === 5)
        await store(
          file("", { path: `${folderOf(NOON)}/late.1.parquet`, str_min_time: ns(NOON - HOUR), str_max_time: ns(NOON) }),
        );
    }
    expect(calls).toBeGreaterThan(15);
    expect(await send("EXISTS", "H:METADATA.REBUILD::::")).toBe(0);
    await rebuild("LIMIT", 300);
    expect(await send("HLEN", "H:METADATA.BOUNDS::d/t::")).toBe(4);
    expect(await send("HGET", "H:METADATA.BOUNDS::d/t::", "date=2024-01-15")).toBe(
      `${ns(NOON - HOUR)} ${ns(NOON + HOUR, 299)}`,
    );
    expect(await send("HGET", "H:METADATA.BOUNDS::d/t::", "date=2024-01-16")).toBe(
      `${ns(NOON + 24 * HOUR)} ${ns(NOON + 25 * HOUR, 299)}`,
    );
    for (const id of ["x0", "x99", "x100", "x349"]) expect(await call("end_drop", "d", "t", id)).toBe(1);
  });

  it("a day of which only a part was looked at is taken to hold anything", async () => {
    const files = Array.from({ length: 1000 }, (_, at) =>
      file(`f${at}`, { str_min_time: String(1 + at), str_max_time: String(1 + at) }),
    );
    await store(...files);
    let calls = 0;
    for (let remaining: unknown = 1; remaining === 1; calls += 1) {
      remaining = (await record("rebuild_index", "LIMIT", 1))["remaining"];
      expect((await query("d", "t", "AFTER", 0, "BEFORE", 4)).entries).toHaveLength(4);
      expect((await query("d", "t", "AFTER", 998, "BEFORE", 2000)).entries).toHaveLength(3);
    }
    expect(calls).toBeGreaterThan(5);
    expect(await send("HGET", "H:METADATA.BOUNDS::d/t::", "date=2024-01-15")).toBe("1 1000");
  });

  it("takes out what old clients deleted", async () => {
    await store(
      file("a"),
      file("a", { table: "s" }),
      file("a", { database: "e" }),
      file("b", { path: "other/b.1.parquet" }),
    );
    await send(
      "RPUSH",
      "drop:d:t:l:w:idle",
      JSON.stringify({ id: "x1", database: "d", table: "t", layer: "l", writer_id: "w", path: "f/a", time_s: 1 }),
    );
    await rebuild();
    await send(
      "DEL",
      "folders:d:s",
      "files:d:s:date=2024-01-15",
      "folders:e:t",
      "files:e:t:date=2024-01-15",
      "files:d:t:other",
      "drop:d:t:l:w:idle",
    );
    await send("HDEL", "folders:d:t", "other");
    await rebuild();
    expect(await read("list_databases")).toEqual(["d"]);
    expect(await read("list_tables", "d")).toEqual(["t"]);
    expect(await read("list_tables", "e")).toEqual([]);
    expect(Object.keys(await ours())).toEqual([
      "H:METADATA.BOUNDS::d/t::",
      "H:METADATA.TABLE::d/t::",
      "SS:METADATA.DATABASES::::",
      "SS:METADATA.FOLDERS::d/t::",
      "SS:METADATA.TABLES::d::",
    ]);
    expect(await send("ZRANGE", "SS:METADATA.FOLDERS::d/t::", 0, -1)).toEqual(["date=2024-01-15"]);
    expect((await record("get_table_status", "d", "t"))["known"]).toBe(1);
  });

  it("with a routing key, enters what lies in its partition and nothing else", async () => {
    await store(file("a", { table: "{x}t" }), file("b"), file("c", { table: "{y}t" }));
    const bare = { ...file("d"), database: undefined, table: undefined };
    await send("HSET", "folders:d:{x}s", FOLDER, 1);
    await send("HSET", "files:d:{x}s:date=2024-01-15", bare.path, JSON.stringify(bare));
    for (let remaining = 1; remaining === 1;)
      remaining = Number(((await routed(["{x}"], "rebuild_index")) as unknown[])[7]);
    expect(await routed(["{x}"], "list_databases")).toEqual(["d"]);
    expect(await routed(["{x}"], "list_tables", "d")).toEqual(["s", "{x}t"]);
    expect(await read("list_databases")).toEqual([]);
  });
});
