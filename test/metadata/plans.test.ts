/* Plans: taken when they are ripe, leased, given out again, ended; as GigAPI's clients do it and as all others do. */
import { beforeEach, describe, expect, it } from "vitest";
import { entryOf, LEASE, MINUTE, NOON, SECOND, useMetadata, type MergePlan } from "../support/metadata";
import { fcall, refusalOf } from "../support/functions";
import { sha1 } from "../support/tracker";

const metadata = useMetadata();
const { call, json, keyed, refusal, send } = metadata;

beforeEach(() => metadata.server.flush());

const FOLDER = "date=2024-01-15/hour=12";
const QUEUE = `merge:d:t:1:${FOLDER}:l:w`;
const INDEX = "SS:METADATA.QUEUES::d/t/1/l/w::";

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** A merge plan as the original scripts print it: their JSON escapes slashes, in an order of their own. */
function planText(id: string, ms: number, ...files: string[]): string {
  const paths = files.map((file) => JSON.stringify(`${FOLDER}/${file}.1.parquet`).replaceAll("/", "\\/"));
  return `{"paths":[${paths.join(",")}],"time_s":${seconds(ms)},"id":"${id}","size":${files.length * 1000}}`;
}

/** Plans of a queue that waits, and its place in our index. */
async function queued(queue: string, folder: string, ...plans: string[]): Promise<void> {
  await send("RPUSH", `${queue}:idle`, ...plans);
  await send("ZADD", INDEX, Number(/"time_s":(\d+)/.exec(plans[0]!)?.[1] ?? 0), folder);
}

/** Files of the folder in the index: a plan that is given out again is of files that are still there. */
const indexed = (...files: string[]): Promise<unknown> =>
  send("HSET", "files:d:t:date=2024-01-15", ...files.flatMap((file) => [`${FOLDER}/${file}.1.parquet`, "{}"]));
const deleted = (...files: string[]): Promise<unknown> =>
  send("HDEL", "files:d:t:date=2024-01-15", ...files.map((file) => `${FOLDER}/${file}.1.parquet`));

const takeMerge = (ms: number): Promise<MergePlan | null> =>
  json<MergePlan>("get_merge_plan", "d", "t", 1, "l", "w", "NOW", ms);
const lists = async (queue = QUEUE): Promise<[string[], string[]]> => [
  (await send("LRANGE", `${queue}:idle`, 0, -1)) as string[],
  (await send("LRANGE", `${queue}:processing`, 0, -1)) as string[],
];

describe("get_merge_plan", () => {
  it("answers a ripe plan with everything that a worker needs, and leases its very text for 30 minutes", async () => {
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a", "b"));
    expect(await takeMerge(NOON - 1)).toBeNull();
    const plan = (await takeMerge(NOON))!;
    expect(plan).toEqual({
      id: "p1",
      writer_id: "w",
      layer: "l",
      database: "d",
      table: "t",
      from: [`${FOLDER}/a.1.parquet`, `${FOLDER}/b.1.parquet`],
      to: expect.stringMatching(
        new RegExp(`^${FOLDER}/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\\.2\\.parquet$`),
      ) as string,
      iteration: 1,
    });
    expect(await lists()).toEqual([[], [planText("p1", NOON + LEASE, "a", "b")]]);
    expect(await takeMerge(NOON)).toBeNull();
  });

  it("gives a plan whose lease has ended out again, under another name for the merged file", async () => {
    await indexed("a");
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"));
    const first = (await takeMerge(NOON))!;
    expect(await takeMerge(NOON + LEASE - SECOND)).toBeNull();
    const again = (await takeMerge(NOON + LEASE))!;
    expect(again).toEqual({ ...first, to: again.to });
    expect(again.to).not.toBe(first.to);
    expect(await lists()).toEqual([[], [planText("p1", NOON + 2 * LEASE, "a")]]);
  });

  it("gives out what waits before what is out, each from its head", async () => {
    await indexed("a", "b");
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"), planText("p2", NOON + MINUTE, "b"));
    expect((await takeMerge(NOON))!.id).toBe("p1");
    expect((await takeMerge(NOON + LEASE))!.id).toBe("p2");
    expect((await takeMerge(NOON + LEASE))!.id).toBe("p1");
    expect(await takeMerge(NOON + LEASE)).toBeNull();
  });

  it("takes the folder first that waited longest, and looks at none that is not due", async () => {
    for (const [at, hour] of ["10", "11", "12"].entries()) {
      const folder = `date=2024-01-15/hour=${hour}`;
      await queued(`merge:d:t:1:${folder}:l:w`, folder, planText(`p${hour}`, NOON - at * MINUTE, "a"));
    }
    const taken = [await takeMerge(NOON), await takeMerge(NOON), await takeMerge(NOON), await takeMerge(NOON)];
    expect(taken.map((each) => each?.id)).toEqual(["p12", "p11", "p10", undefined]);
  });

  it("is not kept by what others took, and does not look for it again", async () => {
    await send("ZADD", INDEX, 1, "gone");
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"));
    const out = `merge:d:t:1:out:l:w`;
    await send("RPUSH", `${out}:processing`, planText("p2", NOON + LEASE, "a"));
    await send("ZADD", INDEX, 2, "out");
    expect((await takeMerge(NOON))!.id).toBe("p1");
    expect(await send("ZRANGE", INDEX, 0, -1, "WITHSCORES")).toEqual([
      FOLDER,
      String(seconds(NOON + LEASE)),
      "out",
      String(seconds(NOON + LEASE)),
    ]);
  });

  it("comes to a plan behind any number of folders that are empty, call by call", async () => {
    const gone = Array.from({ length: 950 }, (_, at) => [1, `gone${at}`]).flat();
    await send("ZADD", INDEX, ...gone);
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"));
    const taken: (string | undefined)[] = [];
    for (let calls = 0; calls < 10; calls += 1) taken.push((await takeMerge(NOON))?.id);
    expect(taken.filter((id) => id !== undefined)).toEqual(["p1"]);
    expect(await send("ZCARD", INDEX)).toBe(1);
  });

  it("passes over a folder with a foreign type, and names it where there is nothing else", async () => {
    await send("SET", `${QUEUE}:idle`, "foreign");
    await send("ZADD", INDEX, 1, FOLDER);
    expect(await refusal("get_merge_plan", "d", "t", 1, "l", "w")).toBe(`CONFLICT ${QUEUE}:idle is no list`);
    const folder = "date=2024-01-15/hour=13";
    await queued(`merge:d:t:1:${folder}:l:w`, folder, planText("p1", NOON, "a"));
    expect((await takeMerge(NOON))!.id).toBe("p1");
  });

  it("keeps plans apart by iteration, layer and writer, slashes and colons in names included", async () => {
    const queue = "merge:a:b/c:2:f:x/y:z:1";
    await send("RPUSH", `${queue}:idle`, planText("p1", NOON, "a"));
    await send("ZADD", "SS:METADATA.QUEUES::a/b%2Fc/2/x%2Fy/z:1::", 1, "f");
    expect(await call("get_merge_plan", "a/b", "c", 2, "x/y", "z:1")).toBeNull();
    expect(await call("get_merge_plan", "a", "b/c", 2, "x", "y/z:1")).toBeNull();
    expect(await json<MergePlan>("get_merge_plan", "a", "b/c", 2, "x/y", "z:1")).toMatchObject({
      id: "p1",
      iteration: 2,
      database: "a",
      table: "b/c",
    });
  });

  it("with a routing key, keeps all its keys in the slot of that", async () => {
    const queue = `merge:d:{x}t:1:${FOLDER}:l:w`;
    await send("RPUSH", `${queue}:idle`, planText("p1", NOON, "a"));
    await send("ZADD", "SS:METADATA.QUEUES::{x}d/t/1/l/w::", 1, FOLDER);
    const plan = JSON.parse(
      String(await metadata.routed(["{x}"], "get_merge_plan", "d", "t", 1, "l", "w")),
    ) as MergePlan;
    expect(plan).toMatchObject({ id: "p1", table: "t" });
    expect(await metadata.routed(["{x}"], "end_merge", "d", "t", "p1")).toBe(1);
    const keys = (await send("KEYS", "*")) as string[];
    expect(keys.filter((key) => !key.includes("{x}"))).toEqual([]);
  });

  it.each([
    ["no JSON", '{"id":"p0","time_s":1,"paths":["a'],
    ["no object", "7"],
    ["no id", '{"time_s":1,"paths":["f/a.1.parquet"]}'],
    ["no paths", '{"id":"p0","time_s":1}'],
    ["paths that are no texts", '{"id":"p0","time_s":1,"paths":[7]}'],
  ])("moves a plan aside that nobody can carry out: %s", async (_, broken) => {
    await queued(QUEUE, FOLDER, broken, planText("p1", NOON, "a"));
    expect((await takeMerge(NOON))!.id).toBe("p1");
    const kept = (await send("LRANGE", "L:METADATA.UNREADABLE::d/t::", 0, -1)) as string[];
    expect(kept.map((each) => JSON.parse(each) as unknown)).toEqual([{ queue: QUEUE, plan: broken }]);
    expect((await metadata.record("get_table_status", "d", "t"))["unreadable"]).toBe(1);
    expect(await lists()).toEqual([[], [planText("p1", NOON + LEASE, "a")]]);
  });

  it("moves a broken plan aside among those that are out, too", async () => {
    await indexed("a", "b");
    await queued(QUEUE, FOLDER, planText("p1", NOON + 2 * LEASE, "a"));
    await send("RPUSH", `${QUEUE}:processing`, "broken", planText("p2", NOON - SECOND, "b"));
    await send("ZADD", INDEX, 0, FOLDER);
    expect((await takeMerge(NOON))!.id).toBe("p2");
  });

  it("drops a plan without files, and takes one without a time as ripe", async () => {
    await queued(
      QUEUE,
      FOLDER,
      '{"id":"p0","time_s":1,"paths":[],"size":0}',
      `{"id":"p1","paths":["${FOLDER}/a.1.parquet"],"size":1}`,
    );
    expect(await takeMerge(NOON)).toMatchObject({ id: "p1", from: [`${FOLDER}/a.1.parquet`] });
    expect((await lists())[1].map((each) => JSON.parse(each) as unknown)).toEqual([
      { id: "p1", paths: [`${FOLDER}/a.1.parquet`], size: 1, time_s: seconds(NOON + LEASE) },
    ]);
    expect(await send("EXISTS", "L:METADATA.UNREADABLE::d/t::")).toBe(0);
  });

  it("leaves out files that were deleted while nobody looked for them in their plan", async () => {
    const gone = `S:METADATA.GONE::${sha1(QUEUE)}::`;
    const path = (file: string): string => `${FOLDER}/${file}.1.parquet`;
    await queued(
      QUEUE,
      FOLDER,
      planText("p0", NOON, "a", "b"),
      planText("p1", NOON, "c", "d", "e"),
      planText("p2", NOON, "f"),
    );
    await send("SADD", gone, path("a"), path("b"), path("d"), path("other"));
    expect(await takeMerge(NOON)).toMatchObject({ id: "p1", from: [path("c"), path("e")] });
    expect((JSON.parse((await lists())[1][0]!) as { paths: string[] }).paths).toEqual([path("c"), path("e")]);
    expect(await send("SMEMBERS", gone)).toEqual([path("other")]);
    expect(await takeMerge(NOON)).toMatchObject({ id: "p2" });
    expect(await send("EXISTS", gone)).toBe(0);
    await send("SADD", `S:METADATA.GONE::${sha1("move:d:t:l:w")}::`, "f/a.1.parquet");
    await send(
      "RPUSH",
      "move:d:t:l:w:idle",
      JSON.stringify({ id: "m1", path_from: "f/a.1.parquet", path_to: "f/b.1.parquet", time_s: 1 }),
    );
    expect(await json("get_move_plan", "d", "t", "l", "w")).toBeNull();
    expect(await send("EXISTS", "move:d:t:l:w:idle", "move:d:t:l:w:processing")).toBe(0);
  });

  describe.each(["plain", "GigAPI's"])("given out again, in the %s form", (form) => {
    const takeAgain = async (): Promise<{ id: string; paths: string[] } | null> => {
      if (form === "plain") {
        const plan = await takeMerge(NOON + LEASE);
        return plan && { id: plan.id, paths: plan.from };
      }
      const reply = String(await keyed("get_merge_plan", "merge", "d", "t", `1:${FOLDER}`, "l", "w"));
      return reply === "" ? null : (JSON.parse(reply) as { id: string; paths: string[] });
    };
    const paths = (...files: string[]): string[] => files.map((file) => `${FOLDER}/${file}.1.parquet`);
    /** Plans whose leases have ended. */
    const out = async (...plans: string[]): Promise<void> => {
      await send("RPUSH", `${QUEUE}:processing`, ...plans);
      await send("ZADD", INDEX, 1, FOLDER);
    };

    it("a plan has no more the files that were deleted while it was out, and keeps its form and id", async () => {
      await indexed("a", "b", "c");
      await out(planText("p1", NOON, "a", "b", "c"));
      await deleted("b");
      expect(await takeAgain()).toEqual(expect.objectContaining({ id: "p1", paths: paths("a", "c") }));
      const [, [text]] = await lists();
      expect(text!.replace(/"time_s":\d+/, "")).toBe(
        planText("p1", NOON, "a", "c")
          .replace(/"time_s":\d+/, "")
          .replace('"size":2000', '"size":3000'),
      );
      expect(await call("end_merge", "d", "t", "p1")).toBe(1);
      expect(await send("EXISTS", `${QUEUE}:processing`, INDEX)).toBe(0);
    });

    it("a plan whose files are all gone ends, with its lease, and the next one is given out", async () => {
      await indexed("d");
      await out(planText("p1", NOON, "a", "b"), planText("p2", NOON, "c"), planText("p3", NOON, "d"));
      await send("SET", "J:METADATA.LEASE::d/t/p1::", "{}");
      expect(await takeAgain()).toMatchObject({ id: "p3", paths: paths("d") });
      expect((await lists())[1]).toHaveLength(1);
      expect(await send("EXISTS", "J:METADATA.LEASE::d/t/p1::", "L:METADATA.UNREADABLE::d/t::")).toBe(0);
      await call("end_merge", "d", "t", "p3");
      expect(await takeAgain()).toBeNull();
    });

    it("the last plan of a queue ends so too: nothing is left of the queue", async () => {
      await out(planText("p1", NOON, "a"));
      expect(await takeAgain()).toBeNull();
      expect(await send("EXISTS", `${QUEUE}:idle`, `${QUEUE}:processing`, INDEX)).toBe(0);
    });

    it("a worker that died between the batch and the end of its merge leaves nothing to stumble over", async () => {
      const LAYERS = '{"l":{"ttl_sec":0}}';
      const patch = (...entries: string[]): Promise<unknown> =>
        metadata.routed(["[[0,1000000,1]]", LAYERS], "patch_index", ...entries);
      const add = (path: string, cmd: "ADD" | "DELETE" = "ADD"): string => JSON.stringify(entryOf({ path, cmd }));
      await patch(add(paths("a")[0]!), add(paths("b")[0]!));
      const [queue, folder] = [`merge:d:t:1:${FOLDER}:l:w`, `1:${FOLDER}`];
      const plan = JSON.parse(String(await keyed("get_merge_plan", "merge", "d", "t", folder, "l", "w"))) as {
        paths: string[];
      };
      await patch(add(`${FOLDER}/merged.2.parquet`), ...plan.paths.map((path) => add(path, "DELETE")));
      // Its lease ends.
      const [text] = (await send("LRANGE", `${queue}:processing`, 0, -1)) as string[];
      await send("LSET", `${queue}:processing`, 0, text!.replace(/"time_s":\d+/, '"time_s":1'));
      await send("ZADD", INDEX, 1, FOLDER);
      expect(await takeAgain()).toBeNull();
      expect(await send("EXISTS", `${queue}:processing`, INDEX)).toBe(0);
    });

    it("nothing is written where the files cannot be looked up, and the key is named", async () => {
      await out(planText("p1", NOON, "a"));
      await send("SET", "files:d:t:date=2024-01-15", "foreign");
      await expect(takeAgain()).rejects.toThrow(/^CONFLICT files:d:t:date=2024-01-15 holds another type/);
      expect(await lists()).toEqual([[], [planText("p1", NOON, "a")]]);
    });

    it("no call looks up more than some thousand paths: the next one gets further", async () => {
      const many = Array.from({ length: 1_500 }, (_, at) => `f${at}`);
      await indexed("a");
      await out(...["p1", "p2", "p3", "p4"].map((id) => planText(id, NOON, ...many)), planText("p5", NOON, "a"));
      const before = (await lists())[1].length;
      expect(await takeAgain()).toBeNull();
      expect((await lists())[1]).toHaveLength(before - 2);
      expect([await takeAgain(), await takeAgain()]).toMatchObject([null, { id: "p5" }]);
    });
  });

  it("a move whose file is gone is not given out again, a drop is", async () => {
    const text = (plan: object): string => JSON.stringify({ ...plan, time_s: 1 });
    await send("HSET", "files:d:t:f", "f/b.1.parquet", "{}");
    await send(
      "RPUSH",
      "move:d:t:l:w:processing",
      text({ id: "m1", path_from: "f/a.1.parquet", path_to: "f/x.1.parquet" }),
      text({ id: "m2", path_from: "f/b.1.parquet", path_to: "f/y.1.parquet" }),
    );
    expect(await json("get_move_plan", "d", "t", "l", "w")).toMatchObject({ id: "m2" });
    expect(await send("LLEN", "move:d:t:l:w:processing")).toBe(1);
    await send("RPUSH", "drop:d:t:l:w:processing", text({ id: "x1", path: "f/a.1.parquet" }));
    expect(await json("get_drop_plan", "d", "t", "l", "w")).toMatchObject({ id: "x1" });
  });

  it("a plan opened later in its folder does not put off the one before it", async () => {
    await call("configure_table", "d", "t", "MERGE", "[[10,1000,1]]", "LAYERS", '{"l":{"ttl_sec":0}}');
    const add = (name: string, ms: number): Promise<unknown> =>
      call("patch_index", "d", "t", JSON.stringify(entryOf({ path: `${FOLDER}/${name}.1.parquet` })), "NOW", ms);
    await add("a", NOON);
    await add("b", NOON + 5 * SECOND);
    expect(await takeMerge(NOON + 9 * SECOND)).toBeNull();
    expect((await takeMerge(NOON + 10 * SECOND))!.from).toEqual([`${FOLDER}/a.1.parquet`]);
    expect(await takeMerge(NOON + 14 * SECOND)).toBeNull();
    expect((await takeMerge(NOON + 15 * SECOND))!.from).toEqual([`${FOLDER}/b.1.parquet`]);
  });

  it("20 takers at once never get the same plan", async () => {
    const plans = Array.from({ length: 200 }, (_, at) => planText(`p${at}`, NOON, `f${at}`));
    for (const [at, plan] of plans.entries()) {
      const folder = `f${at % 40}`;
      await send("RPUSH", `merge:d:t:1:${folder}:l:w:idle`, plan);
      await send("ZADD", INDEX, seconds(NOON), folder);
    }
    const takers = await Promise.all(Array.from({ length: 20 }, () => metadata.server.connect()));
    const taken = await Promise.all(
      takers.map(async (client) => {
        const ids: string[] = [];
        for (;;) {
          const reply = (await fcall(client, "get_merge_plan", "d", "t", 1, "l", "w", "NOW", NOON)) as string | null;
          if (reply === null) return ids;
          ids.push((JSON.parse(reply) as MergePlan).id);
        }
      }),
    );
    expect(taken.flat().sort()).toEqual(plans.map((_, at) => `p${at}`).sort());
  });
});

describe("as GigAPI's clients call", () => {
  const take = (suffix = `1:${FOLDER}`, prefix = "merge"): Promise<unknown> =>
    keyed("get_merge_plan", prefix, "d", "t", suffix, "l", "w");

  it("get_merge_plan answers the stored text with the end of the lease, or empty text", async () => {
    expect(await take()).toBe("");
    await send("RPUSH", `${QUEUE}:idle`, planText("p1", NOON, "a"));
    const before = seconds(Date.now());
    const reply = String(await take());
    const end = Number(/"time_s":(\d+)/.exec(reply)![1]) * SECOND;
    expect(end).toBeGreaterThanOrEqual(before * SECOND + LEASE);
    expect(end).toBeLessThanOrEqual(Date.now() + LEASE);
    expect(reply).toBe(planText("p1", end, "a"));
    expect(await lists()).toEqual([[], [reply]]);
    expect(await take()).toBe("");
  });

  it("an unripe plan stays, a ripe one behind it waits: only the head is looked at", async () => {
    await send("RPUSH", `${QUEUE}:idle`, planText("p1", Date.now() + MINUTE, "a"), planText("p2", NOON, "b"));
    expect(await take()).toBe("");
    expect((await lists())[0]).toHaveLength(2);
  });

  it("a lease that ended is given out again", async () => {
    await indexed("a", "b");
    await send("RPUSH", `${QUEUE}:processing`, planText("p1", NOON, "a"), planText("p2", NOON, "b"));
    expect([await take(), await take(), await take()].map((each) => /"id":"(\w+)"/.exec(String(each))?.[1])).toEqual([
      "p1",
      "p2",
      undefined,
    ]);
  });

  it("move and drop queues have no suffix", async () => {
    await send("RPUSH", "move:d:t:l:w:idle", '{"id":"m1","path_from":"f/a","path_to":"f/b","time_s":1}');
    await send("RPUSH", "drop:d:t:l:w:idle", '{"id":"x1","path":"f/a","time_s":1}');
    expect(JSON.parse(String(await take("", "move")))).toMatchObject({ id: "m1", path_to: "f/b" });
    expect(JSON.parse(String(await take("", "drop")))).toMatchObject({ id: "x1", path: "f/a" });
  });

  it("end_merge ends a plan that was taken through it, and answers empty text whether there was one or not", async () => {
    await send("RPUSH", `${QUEUE}:idle`, planText("p1", NOON, "a"), planText("p2", NOON, "b"));
    await take();
    await take();
    expect(await keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p1")).toBe("");
    expect((await lists())[1].map((each) => (JSON.parse(each) as { id: string }).id)).toEqual(["p2"]);
    expect(await keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p1")).toBe("");
    expect((await lists())[1]).toHaveLength(1);
  });

  it("end_merge finds a plan that an old client took, far down its list and written in any form", async () => {
    const others = Array.from({ length: 350 }, (_, at) => planText(`o${at}`, NOON, "a"));
    await send("RPUSH", `${QUEUE}:processing`, ...others, '{ "paths": ["x"], "id": "p\\u0031", "time_s": 1 }');
    await keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p1");
    expect((await lists())[1]).toEqual(others);
  });

  it("two plans of one id in two queues end each in its own", async () => {
    const other = "merge:d:t:1:f:l:w";
    await send("RPUSH", `${QUEUE}:idle`, planText("p1", NOON, "a"));
    await send("RPUSH", `${other}:idle`, planText("p1", NOON, "b"));
    await take();
    await take("1:f");
    await keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p1");
    expect([await lists(), await lists(other)]).toEqual([
      [[], []],
      [[], [expect.stringContaining("b.1.parquet")]],
    ]);
    await keyed("end_merge", "d", "t", "1:f", "l", "w", "p1");
    expect(await lists(other)).toEqual([[], []]);
  });

  it("what they take stays in our index, which may be early but says what is due, and leaves it with the last plan", async () => {
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"), planText("p2", Date.now() + MINUTE, "b"));
    await send("ZADD", "SS:METADATA.PLANNERS::d/t::", 0, JSON.stringify(["merge", "1", "l", "w"]));
    const counted = async (): Promise<unknown> => {
      const status = (await call("get_table_status", "d", "t")) as unknown[];
      return (status[status.indexOf("plans") + 1] as unknown[][])[0]!.slice(-3);
    };
    expect(await counted()).toEqual([2, 0, 1]);
    await take();
    expect(await counted()).toEqual([1, 1, 0]);
    expect(await call("get_merge_plan", "d", "t", 1, "l", "w")).toBeNull();
    expect(Number(await send("ZSCORE", INDEX, FOLDER))).toBeGreaterThan(seconds(Date.now()));
    await keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p1");
    expect(await counted()).toEqual([1, 0, 0]);
    await send("LPOP", `${QUEUE}:idle`);
    await send("RPUSH", `${QUEUE}:idle`, planText("p3", NOON, "c"));
    await take();
    await keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p3");
    expect(await send("EXISTS", INDEX)).toBe(0);
  });

  it("a text that begins and ends as a plan does and is none is given out once at most, and then moved aside", async () => {
    const broken = `{"id":"p1","time_s":${seconds(NOON)},"size":1,"paths":["${FOLDER}/a.1.parquet",,"${FOLDER}/b.1.parquet"]}`;
    await send("RPUSH", `${QUEUE}:idle`, broken);
    expect(String(await take())).toContain('",,"');
    await send("LSET", `${QUEUE}:processing`, 0, broken);
    expect(await take()).toBe("");
    expect(await lists()).toEqual([[], []]);
    expect(await send("LLEN", "L:METADATA.UNREADABLE::d/t::")).toBe(1);
  });

  it("a plan of another form is decoded before it is given out", async () => {
    await send("RPUSH", `${QUEUE}:idle`, '{"paths":[1],"id":"p1","time_s":1,"size":1}', planText("p2", NOON, "b"));
    expect(String(await take())).toContain('"p2"');
    expect(await send("LLEN", "L:METADATA.UNREADABLE::d/t::")).toBe(1);
  });

  it("a plan taken by one kind of client is ended by the other", async () => {
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"), planText("p2", NOON, "b"), planText("p3", NOON, "c"));
    await take();
    expect(await call("end_merge", "d", "t", "p1")).toBe(1);
    await takeMerge(NOON);
    await keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p2");
    const given = (await takeMerge(NOON))!;
    const [, [stored]] = await lists();
    // What the Go client does: it looks for the id in the list, and removes that very text.
    expect((JSON.parse(stored!) as { id: string }).id).toBe(given.id);
    expect(await send("LREM", `${QUEUE}:processing`, 1, stored!)).toBe(1);
    expect(await refusal("end_merge", "d", "t", "p3")).toBe("NOTFOUND no merge plan 'p3' of 'd/t' is out");
    expect(await takeMerge(NOON + 2 * LEASE + Date.now())).toBeNull();
    expect(await send("EXISTS", INDEX)).toBe(0);
  });

  it("refuses another prefix, another number of keys, and foreign types", async () => {
    expect(await refusalOf(take("", "keep"))).toBe("BADARG prefix must be one of merge, move, drop, got 'keep'");
    expect(await refusalOf(keyed("get_merge_plan", "merge", "d", "t", "", "l"))).toBe(
      "BADARG at most one routing key, got 5",
    );
    await send("SET", `${QUEUE}:processing`, "foreign");
    expect(await refusalOf(take())).toBe(`CONFLICT ${QUEUE}:processing holds another type than LINDEX is for`);
    expect(await refusalOf(keyed("end_merge", "d", "t", `1:${FOLDER}`, "l", "w", "p1"))).toMatch(/^CONFLICT merge:/);
  });
});

describe("ending", () => {
  it("ends what is out, once, after its lease as well; NOTFOUND otherwise", async () => {
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"));
    expect(await refusal("end_merge", "d", "t", "p1")).toBe("NOTFOUND no merge plan 'p1' of 'd/t' is out");
    await takeMerge(NOON);
    expect(await refusal("end_move", "d", "t", "p1")).toBe("NOTFOUND no move plan 'p1' of 'd/t' is out");
    expect(await refusal("end_merge", "d", "other", "p1")).toMatch(/^NOTFOUND/);
    expect(await call("end_merge", "d", "t", "p1")).toBe(1);
    expect(await refusal("end_merge", "d", "t", "p1")).toMatch(/^NOTFOUND/);
    expect(await send("KEYS", "*")).toEqual(["H:METADATA.TABLE::d/t::"]);
  });

  it("a worker that lost its lease ends the plan all the same, and nobody gets it again", async () => {
    await indexed("a");
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"));
    await takeMerge(NOON);
    await takeMerge(NOON + LEASE);
    expect(await call("end_merge", "d", "t", "p1")).toBe(1);
    expect(await takeMerge(NOON + 10 * LEASE)).toBeNull();
  });

  it("where a plan is found is forgotten after a day", async () => {
    await queued(QUEUE, FOLDER, planText("p1", NOON, "a"));
    await takeMerge(NOON);
    const left = Number(await send("PTTL", "J:METADATA.LEASE::d/t/p1::"));
    expect(left).toBeGreaterThan(24 * 60 * MINUTE - MINUTE);
    expect(left).toBeLessThanOrEqual(24 * 60 * MINUTE);
  });

  it("names foreign types", async () => {
    await send("RPUSH", "J:METADATA.LEASE::d/t/p1::", "foreign");
    expect(await refusal("end_drop", "d", "t", "p1")).toBe(
      "CONFLICT J:METADATA.LEASE::d/t/p1:: holds another type than GET is for",
    );
    await send("SET", "J:METADATA.LEASE::d/t/p2::", "foreign");
    expect(await refusal("end_drop", "d", "t", "p2")).toMatch(/^NOTFOUND/);
  });
});

describe("plans of single files", () => {
  const MOVE = {
    id: "m1",
    writer_id: "w",
    database: "d",
    table: "t",
    path_from: "f/a.1.parquet",
    layer_from: "l",
    path_to: "f/b.1.parquet",
    layer_to: "cold",
  };
  const DROP = { id: "x1", writer_id: "w", layer: "l", path: "f/a.1.parquet", database: "d", table: "t" };
  const cases = [
    ["move", MOVE, "get_move_plan", "end_move"],
    ["drop", DROP, "get_drop_plan", "end_drop"],
  ] as const;

  it.each(cases)("%s: taken when ripe, given out again, ended", async (kind, plan, get, end) => {
    const list = `${kind}:d:t:l:w`;
    await send("HSET", "files:d:t:f", "f/a.1.parquet", "{}");
    await send("RPUSH", `${list}:idle`, JSON.stringify({ ...plan, time_s: seconds(NOON) }));
    const take = (ms: number): Promise<unknown> => json(get, "d", "t", "l", "w", "NOW", ms);
    expect(await take(NOON - 1)).toBeNull();
    expect(await take(NOON)).toEqual(plan);
    expect(await lists(list)).toEqual([[], [JSON.stringify({ ...plan, time_s: seconds(NOON + LEASE) })]]);
    expect(await take(NOON)).toBeNull();
    expect(await take(NOON + LEASE)).toEqual(plan);
    expect(await call(end, "d", "t", plan.id)).toBe(1);
    expect(await take(NOON + 3 * LEASE)).toBeNull();
  });

  it.each(cases)("%s: what nobody can carry out is moved aside", async (kind, plan, get) => {
    await send(
      "RPUSH",
      `${kind}:d:t:l:w:idle`,
      "broken",
      JSON.stringify({ id: "x", time_s: 1 }),
      JSON.stringify({ ...plan, time_s: 1 }),
    );
    expect(await json(get, "d", "t", "l", "w")).toEqual(plan);
    expect((await metadata.record("get_table_status", "d", "t"))["unreadable"]).toBe(2);
  });

  it("a layer and a writer may have no name", async () => {
    await send("RPUSH", "drop:d:t:::idle", '{"id":"x1","path":"f/a","time_s":1}');
    expect(await json("get_drop_plan", "d", "t", "", "")).toEqual({
      id: "x1",
      writer_id: "",
      layer: "",
      database: "d",
      table: "t",
      path: "f/a",
    });
  });
});
