/* patch_index in both forms, configure_table and get_entry: what is written where, in which form, and what is refused. */
import { beforeEach, describe, expect, it } from "vitest";
import { entryOf, folderOf, NOON, ns, SECOND, useMetadata, type Entry } from "../support/metadata";
import { fcallKeyed, refusalOf, type Argument } from "../support/functions";
import { digest } from "../support/tracker";

const metadata = useMetadata();

const MERGE = "[[10,1000,1],[60,5000,2]]";
const LAYERS =
  '{"":{"url":"","name":"","type":"","ttl_sec":0,"layer_to":""},"l":{"ttl_sec":0,"layer_to":""},"hot":{"ttl_sec":60,"layer_to":"l"},"end":{"ttl_sec":5,"layer_to":""}}';
const HOUR = "date=2024-01-15/hour=12";
const QUEUE = `merge:d:t:1:${HOUR}:l:w:idle`;
const NOON_S = NOON / SECOND;

beforeEach(async () => {
  await metadata.server.flush();
  await metadata.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
});

interface Plan {
  id: string;
  time_s: number;
  paths: string[];
  size: number;
}

const path = (name: string, iteration = 1): string => `${HOUR}/${name}.${iteration}.parquet`;
const add = (name: string, more: Partial<Entry> = {}): string =>
  JSON.stringify(entryOf({ path: path(name), size_bytes: 400, ...more }));
const remove = (name: string, more: Partial<Entry> = {}): string => add(name, { cmd: "DELETE", ...more });
const patch = (...entries: string[]): Promise<unknown> =>
  metadata.call("patch_index", "d", "t", ...entries, "NOW", NOON);
const patchOld = (...entries: string[]): Promise<unknown> =>
  fcallKeyed(metadata.client, [MERGE, LAYERS], "patch_index", entries);
const refused = (...entries: Argument[]): Promise<string | undefined> =>
  metadata.refusal("patch_index", "d", "t", ...entries);
const list = (name: string): Promise<string[]> => metadata.client.lRange(name, 0, -1);
const plans = async (name: string): Promise<Plan[]> => (await list(name)).map((each) => JSON.parse(each) as Plan);
const shape = async (name = QUEUE): Promise<[string[], number][]> =>
  (await plans(name)).map(({ paths, size }) => [paths.map((each) => /([^/]+)\.\d+\.parquet$/.exec(each)![1]!), size]);

describe("what it writes is what GigAPI's clients read", () => {
  /** An entry as the Go client prints it. */
  const goEntry = (name: string, cmd: string, more = ""): string =>
    `{"layer":"l","database":"d","table":"t","path":"${path(name)}","size_bytes":400,"row_count":7,"chunk_time":0,"min":{"ts":1705320000123456789},"max":null,"min_time":0,"max_time":0,"writer_id":"w","str_min_time":"1705320000123456789","str_max_time":"1705320015123456789","str_chunk_time":"1705320000000000000","cmd":"${cmd}"${more}}`;

  it("keeps the entry as the text that it came as, 64-bit numbers and all, counts it, and plans it", async () => {
    expect(await patchOld(goEntry("a", "ADD"))).toBe(1);
    expect({ ...(await metadata.client.hGetAll("files:d:t:date=2024-01-15")) }).toEqual({
      [path("a")]: goEntry("a", "ADD"),
    });
    expect({ ...(await metadata.client.hGetAll("folders:d:t")) }).toEqual({ [HOUR]: "1" });
    const [plan] = await plans(QUEUE);
    expect(Object.keys(plan!).sort()).toEqual(["id", "paths", "size", "time_s"]);
    expect(plan).toMatchObject({ paths: [path("a")], size: 400 });
    expect(plan!.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(await metadata.call("get_entry", "d", "t", path("a"))).toBe(goEntry("a", "ADD"));
  });

  it("a plan ripens timeout_sec after it was opened, not after a file joined it", async () => {
    await patch(add("a"));
    await metadata.call("patch_index", "d", "t", add("b"), "NOW", NOON + 5 * SECOND);
    expect(await plans(QUEUE)).toMatchObject([{ time_s: NOON_S + 10, paths: [path("a"), path("b")] }]);
  });

  it("a drop has the fields of the original, and is ripe after 30 seconds", async () => {
    await patch(add("a"), remove("a"));
    const [drop] = (await list("drop:d:t:l:w:idle")).map((each) => JSON.parse(each) as Record<string, unknown>);
    expect(drop).toEqual({
      id: expect.any(String) as unknown,
      writer_id: "w",
      layer: "l",
      path: path("a"),
      database: "d",
      table: "t",
      time_s: NOON_S + 30,
    });
  });

  it("a move has the fields of the original; its time is the chunk's and the layer's, in whole seconds", async () => {
    await patch(add("a", { path: path("a", 3), layer: "hot", str_chunk_time: ns(NOON - 1, 999_999) }));
    const [move] = (await list("move:d:t:hot:w:idle")).map((each) => JSON.parse(each) as Record<string, string>);
    expect(move).toEqual({
      id: expect.any(String) as unknown,
      writer_id: "w",
      database: "d",
      table: "t",
      path_from: path("a", 3),
      layer_from: "hot",
      path_to: expect.stringMatching(new RegExp(`^${HOUR}/[0-9a-f-]{36}\\.3\\.parquet$`)) as unknown,
      layer_to: "l",
      time_s: NOON_S - 1 + 60,
    });
    expect(move!["path_to"]).not.toContain(move!["id"]);
  });

  it("joins a plan that an old script wrote in place, and leaves its form as it is", async () => {
    const before = '{"time_s":1705320010,"paths":["date=2024-01-15\\/hour=12\\/x.1.parquet"],"id":"3f0c","size":300}';
    await metadata.client.rPush(QUEUE, before);
    await patchOld(goEntry("a", "ADD"));
    expect(await list(QUEUE)).toEqual([
      '{"time_s":1705320010,"paths":["date=2024-01-15\\/hour=12\\/x.1.parquet","date=2024-01-15\\/hour=12\\/a.1.parquet"],"id":"3f0c","size":700}',
    ]);
  });

  it.each([
    [
      "paths last",
      '{"id":"3f0c","size":1e2,"time_s":5,"paths":["date=2024-01-15\\/hour=12\\/x.1.parquet"]}',
      '{"id":"3f0c","size":500,"time_s":5,"paths":["date=2024-01-15\\/hour=12\\/x.1.parquet","date=2024-01-15\\/hour=12\\/a.1.parquet"]}',
    ],
    [
      "size first",
      '{"size":0,"paths":["date=2024-01-15\\/hour=12\\/x.1.parquet"],"id":"3f0c","time_s":5}',
      '{"size":400,"paths":["date=2024-01-15\\/hour=12\\/x.1.parquet","date=2024-01-15\\/hour=12\\/a.1.parquet"],"id":"3f0c","time_s":5}',
    ],
    [
      "slashes as they are",
      '{"size":0,"paths":["date=2024-01-15/hour=12/x.1.parquet"],"id":"3f0c","time_s":5}',
      '{"size":400,"paths":["date=2024-01-15/hour=12/x.1.parquet","date=2024-01-15\\/hour=12\\/a.1.parquet"],"id":"3f0c","time_s":5}',
    ],
  ])("%s: the same", async (_, before, after) => {
    await metadata.client.rPush(QUEUE, before);
    await patch(add("a"));
    expect(await list(QUEUE)).toEqual([after]);
  });

  it("a plan with white space, or more in it, is joined too; one that cannot be read gets another one behind it", async () => {
    const spaced = JSON.stringify(
      { id: "p", time_s: 5, size: 100, note: '"size":9', paths: [path("x")] },
      undefined,
      1,
    );
    await metadata.client.rPush(QUEUE, spaced);
    await patch(add("a"));
    expect(await plans(QUEUE)).toEqual([
      { id: "p", time_s: 5, size: 500, note: '"size":9', paths: [path("x"), path("a")] },
    ]);
    for (const [at, broken] of [
      "",
      "{",
      "[]",
      "5",
      '{"id":"x","paths":[],"size":1}',
      '{"paths":"x","size":1}',
      '{"paths":["x.parquet"]}',
      '{"paths":["x.parquet"],"size":nan}',
    ].entries()) {
      await metadata.client.del(QUEUE);
      await metadata.client.rPush(QUEUE, broken);
      await patch(add(`b${at}`));
      expect((await list(QUEUE))[0]).toBe(broken);
      expect((await list(QUEUE)).length, broken).toBe(2);
    }
  });

  it("takes a deleted file out of an old script's plan, whatever its form", async () => {
    const x = path("x");
    await metadata.client.rPush(QUEUE, [
      '{"size":700,"id":"1","paths":["date=2024-01-15\\/hour=12\\/x.1.parquet","date=2024-01-15\\/hour=12\\/y.1.parquet"],"time_s":5}',
      JSON.stringify({ id: "2", size: 1, paths: [path("z")] }, undefined, 2),
    ]);
    await metadata.client.hSet("files:d:t:date=2024-01-15", {
      [x]: add("x"),
      [path("z")]: add("z", { size_bytes: 1 }),
    });
    await metadata.client.hSet("folders:d:t", HOUR, "3");
    await patchOld(remove("x"), remove("z"));
    expect(await list(QUEUE)).toEqual([
      '{"size":300,"id":"1","paths":["date=2024-01-15\\/hour=12\\/y.1.parquet"],"time_s":5}',
    ]);
    expect(await metadata.client.hGet("folders:d:t", HOUR)).toBe("1");
  });

  it("the guide's three days of files, an entry each 15 seconds, without writer_id and with an empty layer", async () => {
    const from = NOON - 3 * 24 * 3600 * SECOND;
    const files = Array.from({ length: 17_280 }, (_, at) => {
      const ms = from + at * 15 * SECOND;
      const { writer_id: _writer, ...entry } = entryOf({
        layer: "",
        path: `${folderOf(ms)}/f${at}.1.parquet`,
        size_bytes: 1_000_000,
        str_min_time: ns(ms),
        str_max_time: ns(ms + 15 * SECOND),
      });
      return entry;
    });
    const merge = "[[10,10485760,1]]";
    expect(
      await fcallKeyed(metadata.client, [merge, LAYERS], "patch_index", [
        ...files.map((each) => JSON.stringify(each)),
        "",
      ]),
    ).toBe(17_280);
    expect(
      JSON.parse((await metadata.client.hGet(`files:d:t:${files[0]!.path.slice(0, 15)}`, files[0]!.path))!),
    ).toEqual(files[0]);
    const folders = await metadata.client.hGetAll("folders:d:t");
    expect(Object.keys(folders).length).toBe(72);
    expect(new Set(Object.values(folders))).toEqual(new Set(["240"]));
    for (const folder of Object.keys(folders))
      expect((await plans(`merge:d:t:1:${folder}:::idle`)).map(({ paths, size }) => [paths.length, size])).toEqual(
        Array.from({ length: 24 }, () => [10, 10_000_000]),
      );
    expect(
      await fcallKeyed(
        metadata.client,
        [merge, LAYERS],
        "patch_index",
        files.map((each) => JSON.stringify({ ...each, cmd: "DELETE" })),
      ),
    ).toBe(17_280);
    expect((await metadata.client.keys("*")).filter((key) => /^(files|folders|merge|move)/.test(key))).toEqual([]);
    expect((await plans("drop:d:t:::idle")).length).toBe(17_280);
    expect(new Set((await plans("drop:d:t:::idle")).map(({ id }) => id)).size).toBe(17_280);
  });
});

describe("plans", () => {
  it("exactly max_size still fits, one byte more opens the next, and a larger file is alone", async () => {
    await patch(
      add("a", { size_bytes: 600 }),
      add("b", { size_bytes: 400 }),
      add("c", { size_bytes: 1 }),
      add("d", { size_bytes: 5000 }),
      add("e", { size_bytes: 0 }),
    );
    expect(await shape()).toEqual([
      [["a", "b"], 1000],
      [["c"], 1],
      [["d"], 5000],
      [["e"], 0],
    ]);
  });

  it("each folder, iteration, layer and writer has its own", async () => {
    await patch(
      add("a"),
      add("b", { path: path("b", 2) }),
      add("c", { layer: "" }),
      add("d", { writer_id: "v" }),
      add("e", { path: "date=2024-01-15/e.1.parquet" }),
      add("f", { path: path("f", 3) }),
    );
    const keys = (await metadata.client.keys("merge:*")).sort();
    expect(keys).toEqual(
      [
        QUEUE,
        `merge:d:t:2:${HOUR}:l:w:idle`,
        `merge:d:t:1:${HOUR}::w:idle`,
        `merge:d:t:1:${HOUR}:l:v:idle`,
        "merge:d:t:1:date=2024-01-15:l:w:idle",
      ].sort(),
    );
  });

  it("merging wins a tie with moving; a layer without successor has its time too, one without time has none", async () => {
    const layers = (ttl: number, next: string): string =>
      JSON.stringify({ l: { ttl_sec: ttl, layer_to: next }, m: {} });
    const planned = async (ttl: number, next: string): Promise<string[]> => {
      await metadata.client.del([
        ...(await metadata.client.keys("files*")),
        ...(await metadata.client.keys("m*")),
        "none",
      ]);
      await fcallKeyed(metadata.client, [MERGE, layers(ttl, next)], "patch_index", [add("a")]);
      return (await metadata.client.keys("m*")).map((key) => key.split(":")[0]!);
    };
    expect(await planned(10, "m")).toEqual(["merge"]);
    expect(await planned(9, "m")).toEqual(["move"]);
    expect(await planned(10, "")).toEqual(["merge"]);
    expect(await planned(9, "")).toEqual(["move"]);
    expect(await planned(0, "m")).toEqual(["merge"]);
  });

  it.each(["plain", "GigAPI's"])(
    "the end of the last layer's time is a move to no layer, in the %s form",
    async (form) => {
      const layers = '{"l1":{"ttl_sec":20,"layer_to":""}}';
      const isPlain = form === "plain";
      const merge = "[[3600,1000,1]]";
      await metadata.call("configure_table", "d", "t", "MERGE", merge, "LAYERS", layers);
      const patchIn = (...entries: string[]): Promise<unknown> =>
        isPlain ? patch(...entries) : fcallKeyed(metadata.client, [merge, layers], "patch_index", entries);
      // The second one is beyond the last step of merging.
      const kept = { layer: "l1", str_chunk_time: ns(NOON) };
      await patchIn(add("a", kept), add("b", { ...kept, path: path("b", 2) }));
      expect(await metadata.client.keys("merge:*")).toEqual([]);
      const take = async (): Promise<unknown> =>
        isPlain
          ? metadata.json("get_move_plan", "d", "t", "l1", "w", "NOW", NOON + 20 * SECOND)
          : JSON.parse(String(await metadata.keyed("get_merge_plan", "move", "d", "t", "", "l1", "w")));
      expect(await metadata.json("get_move_plan", "d", "t", "l1", "w", "NOW", NOON + 20 * SECOND - 1)).toBeNull();
      const taken = [await take(), await take()] as Record<string, string>[];
      expect(taken).toMatchObject([
        { path_from: path("a"), layer_from: "l1", layer_to: "" },
        { path_from: path("b", 2), layer_from: "l1", layer_to: "" },
      ]);
      for (const plan of taken) expect(await metadata.call("end_move", "d", "t", plan["id"]!)).toBe(1);
      // What GigAPI's worker does with such a plan.
      await patchIn(remove("a", kept));
      expect((await plans("drop:d:t:l1:w:idle")).length).toBe(1);
      expect(await metadata.client.hGet("folders:d:t", HOUR)).toBe("1");
    },
  );

  it("a path added twice is counted and planned once, with its last entry", async () => {
    await patch(add("a"), add("b"), add("a", { row_count: 99 }));
    await patch(add("b", { row_count: 98 }));
    expect(await shape()).toEqual([[["a", "b"], 800]]);
    expect(await metadata.client.hGet("folders:d:t", HOUR)).toBe("2");
    expect(await metadata.json<Entry>("get_entry", "d", "t", path("a"))).toMatchObject({ row_count: 99 });
  });

  it("a path added with another size weighs that in its plan; with another layer or writer it changes plans", async () => {
    await patch(add("a"), add("b"));
    await patch(add("a", { size_bytes: 100 }));
    expect(await shape()).toEqual([[["a", "b"], 500]]);
    await patch(add("a", { size_bytes: 100, writer_id: "v" }));
    expect(await shape()).toEqual([[["b"], 400]]);
    expect(await shape(`merge:d:t:1:${HOUR}:l:v:idle`)).toEqual([[["a"], 100]]);
    await patch(add("a", { size_bytes: 100, writer_id: "v", layer: "end" }));
    expect(await metadata.client.exists(`merge:d:t:1:${HOUR}:l:v:idle`)).toBe(0);
    expect(await metadata.client.hGet("folders:d:t", HOUR)).toBe("2");
  });

  it("a deleted file leaves its plan, and an emptied plan disappears, the only one, the first and the last", async () => {
    const sizes = { size_bytes: 1000 };
    await patch(...["a", "b", "c"].map((each) => add(each, sizes)));
    await patch(remove("b"));
    expect(await shape()).toEqual([
      [["a"], 1000],
      [["c"], 1000],
    ]);
    await patch(remove("c"), add("d", { size_bytes: 0 }));
    expect(await shape()).toEqual([[["a", "d"], 1000]]);
    await patch(remove("d"), remove("a"));
    expect(await metadata.client.exists(QUEUE)).toBe(0);
    expect(await metadata.client.exists("folders:d:t")).toBe(0);
    expect(await metadata.client.exists("files:d:t:date=2024-01-15")).toBe(0);
  });

  it("a file that moves and is deleted moves no more", async () => {
    await patch(add("a", { path: path("a", 3), layer: "hot" }), add("b", { path: path("b", 3), layer: "hot" }));
    await patch(remove("a", { path: path("a", 3), layer: "hot" }));
    expect(
      (await list("move:d:t:hot:w:idle")).map((each) => (JSON.parse(each) as { path_from: string }).path_from),
    ).toEqual([path("b", 3)]);
  });

  it("deleting an unknown file does nothing, twice is once", async () => {
    await patch(remove("x"));
    expect((await metadata.client.keys("*")).filter((key) => !key.startsWith("H:"))).toEqual([]);
    await patch(add("a"));
    await patch(remove("a"), remove("a"));
    expect((await list("drop:d:t:l:w:idle")).length).toBe(1);
  });

  it("a DELETE with a path alone goes by the entry that is there; with a layer and a writer it drops there", async () => {
    await patch(add("a"), add("b"));
    await patch(JSON.stringify({ cmd: "DELETE", path: path("a") }), remove("b", { layer: "hot", writer_id: "v" }));
    expect((await metadata.client.keys("drop:*")).sort()).toEqual(["drop:d:t:hot:v:idle", "drop:d:t:l:w:idle"]);
    expect(await metadata.client.exists(QUEUE)).toBe(0);
  });

  it("a DELETE finds files of a layer that was renamed, in the same batch and in either form", async () => {
    const hot = (name: string, iteration = 1): Partial<Entry> & { path: string } => ({
      path: path(name, iteration),
      layer: "hot",
      str_chunk_time: ns(NOON),
    });
    // The first two merge, the third one moves; others stay in their plans.
    await patch(add("a", hot("a")), add("b", hot("b")), add("m", hot("m", 3)), add("n", hot("n", 3)));
    const renamed = LAYERS.replace('"hot":', '"warm":');
    await metadata.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", renamed);
    await patch(remove("a", hot("a")), add("c", { layer: "warm" }), remove("m", { ...hot("m", 3), layer: "warm" }));
    expect(await shape(`merge:d:t:1:${HOUR}:hot:w:idle`)).toEqual([[["b"], 400]]);
    expect(await list("move:d:t:hot:w:idle")).toEqual([expect.stringContaining(`/n.3.parquet`) as string]);
    expect((await metadata.client.keys("drop:*")).sort()).toEqual(["drop:d:t:hot:w:idle", "drop:d:t:warm:w:idle"]);
    expect(await fcallKeyed(metadata.client, [MERGE, renamed], "patch_index", [remove("n", hot("n", 3))])).toBe(1);
    expect(await metadata.client.exists("move:d:t:hot:w:idle")).toBe(0);
    expect(await metadata.client.hGet("folders:d:t", HOUR)).toBe("2");
    expect(await refused(add("d", { layer: "hot" }))).toMatch(/^BADARG entry 0: layer must be one of/);
  });

  it("a batch is applied in order", async () => {
    await patch(add("a"), remove("a"), add("a", { size_bytes: 7 }));
    expect(await shape()).toEqual([[["a"], 7]]);
    expect((await list("drop:d:t:l:w:idle")).length).toBe(1);
    await patch(remove("a"), add("a"), remove("a"));
    expect(await metadata.client.exists(QUEUE)).toBe(0);
    expect((await list("drop:d:t:l:w:idle")).length).toBe(3);
    expect(await metadata.client.exists("folders:d:t")).toBe(0);
  });

  it("20,000 paths in one plan, in two calls", async () => {
    const merge = "[[10,1000000000,1]]";
    const names = Array.from({ length: 20_000 }, (_, at) => `f${at}`);
    for (const half of [names.slice(0, 10_000), names.slice(10_000)])
      await fcallKeyed(
        metadata.client,
        [merge, LAYERS],
        "patch_index",
        half.map((each) => add(each, { size_bytes: 1 })),
      );
    expect(await shape()).toEqual([[names, 20_000]]);
  });

  it("sizes of up to 15 digits stay exact", async () => {
    const merge = "[[10,1000000000000000,1]]";
    await fcallKeyed(metadata.client, [merge, LAYERS], "patch_index", [
      add("a", { size_bytes: 123_456_789_012_345 }),
      add("b", { size_bytes: 1 }),
    ]);
    expect(await shape()).toEqual([[["a", "b"], 123_456_789_012_346]]);
  });
});

describe("a queue too long to be looked through", () => {
  const OLDEST = "f0";
  const fill = async (): Promise<void> => {
    const entries = Array.from({ length: 2_500 }, (_, at) => add(`f${at}`, { size_bytes: 1000 }));
    for (let from = 0; from < entries.length; from += 1000) await patch(...entries.slice(from, from + 1000));
  };
  beforeEach(fill);

  it("a file at its far end counts as taken out, and is not given out", async () => {
    await patch(remove(OLDEST), remove("f2499"));
    expect((await list(QUEUE)).length).toBe(2_499);
    const taken = await metadata.json<{ from: string[] }>(
      "get_merge_plan",
      "d",
      "t",
      1,
      "l",
      "w",
      "NOW",
      NOON + 10 * SECOND,
    );
    expect(taken!.from).toEqual([path("f1")]);
    expect((await metadata.client.keys("S:*")).length).toBe(0);
  });

  it("added again, it is back where it was, and is planned once", async () => {
    await patch(remove(OLDEST));
    await patch(add(OLDEST, { size_bytes: 1000 }), remove(OLDEST), add(OLDEST, { size_bytes: 1000 }));
    expect((await list(QUEUE)).length).toBe(2_500);
    expect((await metadata.client.keys("S:*")).length).toBe(0);
    const taken = await metadata.json<{ from: string[] }>(
      "get_merge_plan",
      "d",
      "t",
      1,
      "l",
      "w",
      "NOW",
      NOON + 10 * SECOND,
    );
    expect(taken!.from).toEqual([path(OLDEST)]);
  });
});

describe("what is refused", () => {
  const malformed: [what: string, entry: string, names: string[]][] = [
    ["no JSON", "{", ["JSON object", "'{'"]],
    ["no object", '{"a":1}x', ["JSON object"]],
    ["another cmd", add("a", { cmd: "add" as "ADD" }), ["cmd", "ADD or DELETE", "'add'"]],
    ["no path", JSON.stringify({ ...entryOf({ path: "x" }), path: undefined }), ["path", "nothing"]],
    ["a path that is no text", JSON.stringify({ ...entryOf({ path: "x" }), path: { a: 1 } }), ["path", "an object"]],
    ["a path without folder", add("a", { path: "a.1.parquet" }), ["path", "'a.1.parquet'"]],
    ["a path that begins with a slash", add("a", { path: "/x/a.1.parquet" }), ["path", "'/x/a.1.parquet'"]],
    [
      "a path without iteration",
      add("a", { path: `${HOUR}/a.parquet` }),
      ["path", "<iteration>", `'${HOUR}/a.parquet'`],
    ],
    ["a path of another kind", add("a", { path: `${HOUR}/a.1.csv` }), ["path", "parquet"]],
    ["a name that is its iteration alone", add("a", { path: `${HOUR}/.1.parquet` }), ["path"]],
    ["an iteration without end", add("a", { path: `${HOUR}/a.${"9".repeat(30)}.parquet` }), ["path"]],
    ["an unknown layer", add("a", { layer: "nowhere" }), ["layer", "'nowhere'"]],
    ["a layer to drop from that is no text", remove("a", { layer: 5 as unknown as string }), ["layer", "5"]],
    ["a layer that is no text", JSON.stringify({ ...entryOf({ path: path("a") }), layer: 5 }), ["layer", "5"]],
    [
      "a writer that is no text",
      JSON.stringify({ ...entryOf({ path: path("a") }), writer_id: ["w"] }),
      ["writer_id", "an object"],
    ],
    ["a size below 0", add("a", { size_bytes: -1 }), ["size_bytes", "-1"]],
    ["a size without end", add("a").replace('"size_bytes":400', '"size_bytes":1e999'), ["size_bytes", "inf"]],
    [
      "a size that is no number, but cjson takes it for one",
      add("a").replace('"size_bytes":400', '"size_bytes":nan'),
      ["size_bytes", "nan"],
    ],
    ["a size that is text", add("a").replace('"size_bytes":400', '"size_bytes":"400"'), ["size_bytes", "'400'"]],
    ["no size", add("a").replace('"size_bytes":400,', ""), ["size_bytes", "nothing"]],
    ["a time that is no number", add("a", { str_min_time: "now" }), ["str_min_time", "'now'"]],
    ["a time beyond 64 bits", add("a", { str_max_time: "9223372036854775808" }), ["str_max_time"]],
    ["a time in fractions", add("a", { str_chunk_time: "1.5" }), ["str_chunk_time", "'1.5'"]],
    ["another database", add("a", { database: "other" }), ["database", "'d'", "'other'"]],
    ["another table", add("a", { table: "other" }), ["table", "'t'", "'other'"]],
  ];

  it.each(malformed)("%s, by its place and in both forms; nothing is written", async (_, entry, names) => {
    await patch(add("before"));
    const before = await digest(metadata.client);
    const isOfTable = names[0] === "database" || names[0] === "table";
    const messages = [
      await refused(add("x"), remove("before"), entry, add("y")),
      ...(isOfTable ? [] : [await refusalOf(patchOld(add("x"), "", entry))]),
    ];
    for (const message of messages) {
      expect(message).toMatch(/^BADARG entry 2: /);
      for (const each of names) expect(message).toContain(each);
    }
    expect(await digest(metadata.client)).toEqual(before);
  });

  it("GigAPI's form wants a database and a table in each entry; the plain one takes its own where they are left out", async () => {
    const { database: _database, table: _table, ...bare } = entryOf({ path: path("a") });
    expect(await refusalOf(patchOld(JSON.stringify(bare)))).toMatch(
      /^BADARG entry 0: database must be text that is not empty, got nothing/,
    );
    expect(await refusalOf(patchOld(JSON.stringify({ ...bare, database: "d", table: "" })))).toMatch(
      /^BADARG entry 0: table /,
    );
    expect(await patch(JSON.stringify(bare))).toBe(1);
    expect(await metadata.call("get_entry", "d", "t", path("a"))).toBe(JSON.stringify(bare));
  });

  it("null is as good as nothing where text may be left out", async () => {
    await patch(JSON.stringify({ ...entryOf({ path: path("a") }), writer_id: null, layer: null }));
    expect(await shape(`merge:d:t:1:${HOUR}:::idle`)).toEqual([[["a"], 1000]]);
  });

  it("1,000 entries are the most of the plain form; GigAPI's takes none as well", async () => {
    const entries = Array.from({ length: 1_001 }, (_, at) => add(`f${at}`));
    expect(await refused(...entries)).toMatch(/^LIMIT at most 1000 of entry a call, got 1001/);
    expect(await patch(...entries.slice(1))).toBe(1_000);
    expect(await patchOld()).toBe(0);
    expect(await patchOld("", "")).toBe(0);
  });

  it.each([
    ["[[10]]", LAYERS, "merge_conf"],
    ["{", LAYERS, "merge_conf"],
    ['{"a":[1,2]}', LAYERS, "merge_conf"],
    ['[["10",5,1]]', LAYERS, "merge_conf"],
    ["10485760", LAYERS, "merge_conf"],
    ["[[10,-1,1]]", LAYERS, "merge_conf"],
    [MERGE, "[", "layers"],
    [MERGE, '["l"]', "layers"],
    [MERGE, '{"l":5}', "layers"],
    [MERGE, '{"l":{"ttl_sec":"5"}}', "layers"],
    [MERGE, '{"l":{"layer_to":5}}', "layers"],
  ])("a configuration %s %s", async (merge, layers, named) => {
    const before = await digest(metadata.client);
    expect(await refusalOf(fcallKeyed(metadata.client, [merge, layers], "patch_index", [add("a")]))).toMatch(
      new RegExp(`^BADCONFIG ${named} `),
    );
    if (layers.startsWith("{"))
      expect(await metadata.refusal("configure_table", "d", "t", "MERGE", merge, "LAYERS", layers)).toMatch(
        /^BADCONFIG (MERGE|LAYERS) /,
      );
    expect(await digest(metadata.client)).toEqual(before);
  });

  it("Go's null for no steps is none", async () => {
    await fcallKeyed(metadata.client, ["null", LAYERS], "patch_index", [add("a")]);
    expect(await metadata.client.keys("m*")).toEqual([]);
    expect(await metadata.client.hGet("folders:d:t", HOUR)).toBe("1");
  });

  it("a table without configuration", async () => {
    expect(await metadata.refusal("patch_index", "d", "other", add("a", { table: "other" }))).toMatch(
      /^NOTFOUND table 'other' of database 'd' is not configured/,
    );
  });

  it.each([
    ["one key, the size, as before June 2025", ["10485760"]],
    ["a size for each of three steps", ["1", "2", "3"]],
  ])("other keys than its two, and says which those are: %s", async (_, keys) => {
    for (const entry of [add("a"), ` ${add("a")}`]) {
      expect(await refusalOf(fcallKeyed(metadata.client, keys, "patch_index", [entry, add("b")]))).toBe(
        "BADARG entries come after two keys: merge_conf, [[timeout_sec, max_size, id], ...], and layers, " +
          `{name: {ttl_sec, layer_to}, ...}, got ${keys.length}`,
      );
    }
  });

  it("one key is a routing key where no entry comes first", async () => {
    await metadata.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
    expect(
      await fcallKeyed(metadata.client, ["{p}"], "configure_table", ["d", "t", "MERGE", MERGE, "LAYERS", LAYERS]),
    ).toBeTruthy();
    expect(await fcallKeyed(metadata.client, ["{p}"], "patch_index", ["d", "t", add("a")])).toBe(1);
  });

  const KEYS = [
    "files:d:t:date=2024-01-15",
    "folders:d:t",
    QUEUE,
    "drop:d:t:l:w:idle",
    "move:d:t:hot:w:idle",
    "H:METADATA.TABLE::d/t::",
    "SS:METADATA.QUEUES::d/t/1/l/w::",
    "SS:METADATA.PLANNERS::d/t::",
    "SS:METADATA.DATABASES::::",
    "SS:METADATA.TABLES::d::",
    "SS:METADATA.FOLDERS::d/t::",
    "H:METADATA.BOUNDS::d/t::",
    "H:METADATA.SPANS::d/t/date=2024-01-15::",
  ];
  it.each(KEYS)("a foreign %s, by its name; nothing is written", async (key) => {
    const moving = add("m", { path: path("m", 3), layer: "hot" });
    await patch(add("old"));
    await metadata.client.del(key);
    await metadata.client.set(key, "text");
    const before = await digest(metadata.client);
    expect(await refusalOf(patchOld(add("a"), add("z"), remove("z"), remove("old"), moving))).toMatch(
      new RegExp(`^CONFLICT ${key.replaceAll(/[.=]/g, ".")} `),
    );
    expect(await digest(metadata.client)).toEqual(before);
  });

  it("a count of files that is no number, by its key", async () => {
    await metadata.client.hSet("folders:d:t", HOUR, "many");
    expect(await refusalOf(patchOld(add("a")))).toMatch(/^CONFLICT folders:d:t has 'many'/);
  });
});

describe("names", () => {
  it("colons and slashes in them are taken as they come", async () => {
    await fcallKeyed(metadata.client, [MERGE, LAYERS], "patch_index", [
      add("a", { database: "a/b", table: "node:cpu:rate" }),
      add("a", { database: "a", table: "b/node:cpu:rate", writer_id: "x:y" }),
    ]);
    expect((await metadata.client.keys("folders:*")).sort()).toEqual([
      "folders:a/b:node:cpu:rate",
      "folders:a:b/node:cpu:rate",
    ]);
    expect((await metadata.client.keys("SS:METADATA.FOLDERS*")).sort()).toEqual([
      "SS:METADATA.FOLDERS::a%2Fb/node:cpu:rate::",
      "SS:METADATA.FOLDERS::a/b%2Fnode:cpu:rate::",
    ]);
    expect(await metadata.call("get_entry", "a", "b/node:cpu:rate", path("a"))).not.toBeNull();
  });

  it("with a routing key, every key carries its tag", async () => {
    await metadata.server.flush();
    await metadata.routed(["{x}"], "configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
    await metadata.routed(
      ["{x}"],
      "patch_index",
      "d",
      "t",
      add("a"),
      add("b", { layer: "hot", path: path("b", 3) }),
      add("c"),
      remove("c"),
    );
    const keys = await metadata.client.keys("*");
    expect(keys.filter((key) => !key.includes("{x}"))).toEqual([]);
    expect(keys).toContain(`merge:d:{x}t:1:${HOUR}:l:w:idle`);
    expect(await metadata.routed(["{x}"], "get_entry", "d", "t", path("a"))).toBe(add("a"));
    expect(await metadata.call("get_entry", "d", "t", path("a"))).toBeNull();
  });

  it("ids never come twice, not of two tables, two calls, or an emptied database", async () => {
    const ids: string[] = [];
    for (let run = 0; run < 5; run += 1) {
      await metadata.server.flush();
      for (const table of ["t", "u"]) {
        for (const name of ["a", "b", "c"]) await patchOld(add(name, { table, size_bytes: 1000 }));
        ids.push(...(await plans(`merge:d:${table}:1:${HOUR}:l:w:idle`)).map(({ id }) => id));
      }
    }
    expect(new Set(ids).size).toBe(30);
  });
});

describe("get_entry", () => {
  it("answers nil for what is not there, and refuses a path without folder", async () => {
    expect(await metadata.read("get_entry", "d", "t", path("a"))).toBeNull();
    expect(await metadata.refusal("get_entry", "d", "t", "a.1.parquet")).toMatch(
      /^BADARG path must begin with a folder, got 'a.1.parquet'/,
    );
  });
});
