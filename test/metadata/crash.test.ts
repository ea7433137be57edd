/*
 * kill -9 of the server among calls that were sent at once, and workers that die: every file that was added is in the index or in
 * a merged file that is, once; no plan is lost, and none is carried out twice. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { createClient } from "@redis/client";
import { beforeAll, expect, it } from "vitest";
import { entryOf, folderOf, HOUR, LEASE, MINUTE, ns, SECOND, type Entry, type MergePlan } from "../support/metadata";
import { decodeRecord, fcall, loadLibrary } from "../support/functions";
import { describeWithOwnServer, useServer, type TestClient } from "../support/server";

const RUNS = 6 * Number(process.env["HOTPATH_RUNS"] ?? 1);

/** An entry whose file consists of the files named in `min.ids`. */
interface MergedEntry extends Entry {
  min: { ids: string[] };
}

const taskArb = fc.record({
  kind: fc.constantFrom("add", "add", "merge", "merge", "merge", "remove"),
  count: fc.integer({ min: 1, max: 8 }),
  hour: fc.nat(2),
  /** After which of its calls the worker dies; most do not. */
  diesAfter: fc.constantFrom(0, 1, 2, 9, 9, 9),
});
const burstArb = fc.record({
  tasks: fc.array(taskArb, { minLength: 3, maxLength: 25, size: "max" }),
  killAfter: fc.nat(80),
  waits: fc.constantFrom(0, MINUTE, LEASE),
});
type Task = typeof taskArb extends fc.Arbitrary<infer T> ? T : never;
type Burst = typeof burstArb extends fc.Arbitrary<infer T> ? T : never;

describeWithOwnServer("after kill -9", () => {
  const redis = useServer({ persistence: true });

  beforeAll(() => loadLibrary(redis.client, "metadata"));

  let nowMs = 0;
  let added = 0;
  /** Batches that were sent, with whether an answer came. */
  let batches: { ids: string[]; isAnswered: boolean }[] = [];
  let dropped: string[] = [];

  const base = Date.UTC(2024, 0, 15, 10);
  const run = (client: TestClient, name: string, ...args: (string | number)[]): Promise<unknown> =>
    fcall(client, name, "d", "t", ...args);

  async function begin(): Promise<void> {
    await redis.flush();
    nowMs = base;
    added = 0;
    batches = [];
    dropped = [];
    const layers = JSON.stringify({ l: { url: "", name: "l", type: "fs", ttl_sec: 0, layer_to: "" } });
    await run(redis.client, "configure_table", "MERGE", "[[10,3000,1]]", "LAYERS", layers);
  }

  async function add(client: TestClient, { count, hour }: Task): Promise<void> {
    const ids = Array.from({ length: count }, () => `f${(added += 1)}`);
    const batch = { ids, isAnswered: false };
    batches.push(batch);
    const entries = ids.map((id) =>
      JSON.stringify(
        entryOf({
          path: `${folderOf(base + hour * HOUR)}/${id}.1.parquet`,
          min: { ids: [id] },
          str_min_time: ns(base),
          str_max_time: ns(base),
        }),
      ),
    );
    await run(client, "patch_index", ...entries, "NOW", nowMs);
    batch.isAnswered = true;
  }

  /** What a worker does: takes a plan, reads what is to be merged, enters the merged file in place of it, and ends the plan. */
  async function merge(client: TestClient, { diesAfter }: Pick<Task, "diesAfter">): Promise<boolean> {
    const reply = (await run(client, "get_merge_plan", 1, "l", "w", "NOW", nowMs)) as string | null;
    if (reply === null) return false;
    const { id, from, to } = JSON.parse(reply) as MergePlan;
    if (diesAfter === 0) return true;
    const stored = (await Promise.all(from.map((path) => run(client, "get_entry", path)))) as (string | null)[];
    const entries = stored.filter((each) => each !== null).map((each) => JSON.parse(each) as MergedEntry);
    if (diesAfter === 1) return true;
    // Where another has merged them before it died, nothing is left to do but to end the plan.
    if (entries.length > 0) {
      const merged = entryOf({
        path: to,
        min: { ids: entries.flatMap(({ min }) => min.ids) },
        size_bytes: 1000 * entries.length,
      });
      const gone = entries.map((each) => ({ ...each, cmd: "DELETE" }));
      await run(client, "patch_index", ...[merged, ...gone].map((each) => JSON.stringify(each)), "NOW", nowMs);
    }
    if (diesAfter === 2) return true;
    expect(await run(client, "end_merge", id)).toBe(1);
    return true;
  }

  async function remove(client: TestClient): Promise<boolean> {
    const reply = (await run(client, "get_drop_plan", "l", "w", "NOW", nowMs)) as string | null;
    if (reply === null) return false;
    const { id, path } = JSON.parse(reply) as { id: string; path: string };
    expect(await run(client, "end_drop", id)).toBe(1);
    dropped.push(path);
    return true;
  }

  /** Works all at once, and kills the server after some of the tasks. */
  async function burst({ tasks, killAfter, waits }: Burst): Promise<void> {
    nowMs += waits;
    const client = createClient({ url: redis.url, RESP: 2, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    let replies = 0;
    let killed: Promise<void> | undefined;
    const counting = {
      sendCommand: async (args: string[]) => {
        const reply = await client.sendCommand(args);
        if ((replies += 1) >= killAfter) killed ??= redis.kill("SIGKILL");
        return reply;
      },
    } as unknown as TestClient;
    const outcomes = await Promise.allSettled(
      tasks.map(async (task) => {
        nowMs += SECOND;
        if (task.kind === "add") await add(counting, task);
        else if (task.kind === "merge") await merge(counting, task);
        else await remove(counting);
      }),
    );
    await (killed ??= redis.kill("SIGKILL"));
    await redis.restart({ signal: "SIGKILL" });
    for (const each of outcomes) {
      // Only the loss of the connection may have broken a task off.
      if (each.status === "rejected" && /^[A-Z]+ |^expected/.test((each.reason as Error).message)) throw each.reason;
    }
  }

  /** Merges and removes until nothing is left, with leases that end one after another. */
  async function finish(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      nowMs += LEASE;
      let hasWorked = false;
      while (await merge(redis.client, { diesAfter: 9 })) hasWorked = true;
      while (await remove(redis.client)) hasWorked = true;
      quiet = hasWorked ? 0 : quiet + 1;
    }
  }

  async function check(): Promise<void> {
    const [cursor, ...stored] = (await run(redis.client, "query_index", "COUNT", 10000)) as string[];
    expect(cursor).toBe("0");
    const entries = stored.map((each) => JSON.parse(each) as MergedEntry);
    expect(entries.filter(({ path }) => !path.endsWith(".2.parquet"))).toEqual([]);
    const held = entries.flatMap(({ min }) => min.ids);
    expect(new Set(held).size, "a file is in two merged ones").toBe(held.length);
    const wanted: string[] = [];
    for (const { ids, isAnswered } of batches) {
      const there = ids.filter((id) => held.includes(id));
      expect(there.length, "a batch was half applied").toBe(isAnswered || there.length > 0 ? ids.length : 0);
      wanted.push(...there);
    }
    expect([...held].sort()).toEqual(wanted.sort());
    // A drop whose end was not answered may have been carried out: it is not in our list, and not in the queue.
    expect(new Set(dropped).size).toBe(dropped.length);
    expect(dropped.filter((path) => !wanted.includes(/([^/]*)\.1\.parquet$/.exec(path)![1]!))).toEqual([]);
    const counts = Object.entries(await redis.client.hGetAll("folders:d:t"));
    for (const [folder, count] of counts)
      expect(entries.filter(({ path }) => path.startsWith(`${folder}/`))).toHaveLength(Number(count));
    expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(entries.length);
    const status = decodeRecord(await run(redis.client, "get_table_status"));
    expect(status).toMatchObject({ known: 1, files: entries.length, unreadable: 0 });
    expect(await redis.client.keys("{merge,move,drop}:*")).toEqual([]);
    expect(await redis.client.keys("*:METADATA.QUEUES:*")).toEqual([]);
  }

  it("every file is in the index once, and no plan is lost", async () => {
    await fc.assert(
      fc
        .asyncProperty(fc.array(burstArb, { minLength: 1, maxLength: 3, size: "max" }), async (bursts) => {
          for (const each of bursts) await burst(each);
          await finish();
          await check();
        })
        .beforeEach(begin),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 600_000);

  it("a worker that dies between two calls, and the server with it: its plan comes back after the lease, and can be ended before", async () => {
    await begin();
    const task = { kind: "add", count: 2, hour: 0, diesAfter: 9 } as const;
    await add(redis.client, task);
    await redis.restart({ signal: "SIGKILL" });
    nowMs += MINUTE;
    await merge(redis.client, { diesAfter: 0 });
    await redis.restart({ signal: "SIGKILL" });
    nowMs += LEASE - SECOND;
    expect(await merge(redis.client, { diesAfter: 9 })).toBe(false);
    nowMs += SECOND;
    const plan = JSON.parse(String(await run(redis.client, "get_merge_plan", 1, "l", "w", "NOW", nowMs))) as MergePlan;
    expect(plan.from).toHaveLength(2);
    await redis.restart({ signal: "SIGKILL" });
    expect(await run(redis.client, "end_merge", plan.id)).toBe(1);
    nowMs += 2 * LEASE;
    expect(await merge(redis.client, { diesAfter: 9 })).toBe(false);
  });
});
