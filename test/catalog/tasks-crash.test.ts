/*
 * Twenty workers at once, workers that die, and kill -9 of the server among calls that were sent at once: no task is out twice under
 * a lease that lasts, none is lost, and what was answered stays so. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { createClient } from "@redis/client";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { describeWithOwnServer, useServer, type TestClient } from "../support/server";
import { claimOn, useTasks, type ClaimedTask } from "../support/tasks";
import { decodeRecord, fcall, loadLibrary, type Fields } from "../support/functions";
import { HOUR, MINUTE } from "../support/tracker";

const RUNS = 8 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const CLAIMERS = 20;

describe("twenty claimers at once", () => {
  const tasks = useTasks();
  beforeEach(() => tasks.server.flush());

  const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `t${n}`);

  /** Workers that each claim and end, until a claim finds nothing. */
  async function work(end: (client: TestClient, claimed: ClaimedTask) => Promise<void>): Promise<void> {
    const clients = await Promise.all(Array.from({ length: CLAIMERS }, () => tasks.server.connect()));
    await Promise.all(
      clients.map(async (client, worker) => {
        for (
          let claimed = await claimOn(client, "q", "WORKER", worker);
          claimed !== null;
          claimed = await claimOn(client, "q", "WORKER", worker)
        ) {
          await end(client, claimed);
        }
      }),
    );
  }

  it("each task goes to one of them", async () => {
    await tasks.call("define_task", "job");
    const ids = numbered(2000);
    await Promise.all(ids.map((id, n) => tasks.enqueue("q", { type: "job", n }, "ID", id, "PRIORITY", n % 10)));
    const given: string[] = [];
    await work(async (client, { id, token }) => {
      given.push(id);
      expect(await fcall(client, "finish_task", id, "TOKEN", token)).toBe(1);
    });
    expect(given.sort()).toEqual(ids.sort());
    expect(await tasks.record("get_queue_status", "q")).toMatchObject({
      ready: 0,
      leased: 0,
      total_finished: 2000,
      finished: 2000,
    });
  });

  it("with leases that end meanwhile, of each task one end alone is taken", async () => {
    await tasks.call("define_task", "job", "LEASE", 1, "ATTEMPTS", 1000);
    const ids = numbered(300);
    await Promise.all(ids.map((id) => tasks.enqueue("q", { type: "job" }, "ID", id)));
    const ended: string[] = [];
    const tokens: string[] = [];
    let refused = 0;
    const lost = (await tasks.claim("q"))!;
    await work(async (client, { id, token, attempt }) => {
      tokens.push(`${id} ${token}`);
      if (attempt === 1) await new Promise((resolve) => setTimeout(resolve, 3));
      const answer = await fcall(client, "finish_task", id, "TOKEN", token).catch((error: Error) => error.message);
      if (answer === 1) ended.push(id);
      else refused += 1;
    });
    const endedInTime = ended.length;
    const { leased, ready } = await tasks.record("get_queue_status", "q");
    // Who finds nothing stops; a lease may still have ended after that.
    for (let left = Number(leased) + Number(ready); left > 0;) {
      const claimed = await tasks.claim("q", "NOW", Date.now() + HOUR);
      if (claimed === null) break;
      ended.push(claimed.id);
      await tasks.call("finish_task", claimed.id, "TOKEN", claimed.token);
      left -= 1;
    }
    expect(ended.sort()).toEqual(ids.sort());
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(tokens).not.toContain(`${lost.id} ${lost.token}`);
    expect(endedInTime + refused).toBe(tokens.length);
    // Its lease ended before it did, and another ended it.
    expect(await tasks.refusal("finish_task", lost.id, "TOKEN", lost.token)).toMatch(/^CONFLICT/);
  });

  it("children end their parent once, whoever ends them", async () => {
    for (const type of ["parent", "child", "after"]) await tasks.call("define_task", type);
    await tasks.call("define_task", "parent", "POST", "after");
    await tasks.enqueue("parents", { type: "parent" }, "ID", "p");
    await tasks.claim("parents");
    await Promise.all(numbered(500).map((id) => tasks.enqueue("q", { type: "child" }, "ID", id, "PARENT", "p")));
    await tasks.call("finish_task", "p");
    await work(async (client, { id, token }) => void (await fcall(client, "finish_task", id, "TOKEN", token)));
    expect(await tasks.get("p")).toMatchObject({ state: "finished", children_total: 500, children_finished: 500 });
    expect(await tasks.record("get_queue_status", "parents")).toMatchObject({
      total_finished: 1,
      ready: 1,
      total_enqueued: 2,
    });
  });

  it("a worker that dies with its connection loses nothing but time", async () => {
    await tasks.call("define_task", "job", "LEASE", MINUTE);
    const ids = numbered(10);
    for (const id of ids) await tasks.enqueue("q", { type: "job" }, "ID", id);
    const worker = await tasks.server.connect();
    for (let claim = 0; claim < 4; claim += 1) await claimOn(worker, "q");
    worker.destroy();
    const ended: string[] = [];
    for (const wait of [0, MINUTE + 1000]) {
      const clock = Date.now() + wait;
      for (
        let claimed = await tasks.claim("q", "NOW", clock);
        claimed !== null;
        claimed = await tasks.claim("q", "NOW", clock)
      ) {
        ended.push(claimed.id);
        await tasks.call("finish_task", claimed.id, "TOKEN", claimed.token, "NOW", clock);
      }
      expect(ended.length).toBe(wait === 0 ? 6 : 10);
    }
    expect(ended.sort()).toEqual(ids.sort());
  });
});

/** What clients send; `ms` is how far the clock goes before each. */
const callArb = fc.record({
  name: fc.constantFrom("enqueue", "family", "claim", "claim", "claim"),
  ms: fc.constantFrom(0, 0, 1000, MINUTE),
  ends: fc.constantFrom("finish", "finish", "fail", "never"),
});
/** Calls sent at once, and after how many answers the server is killed. */
const burstArb = fc.record({
  calls: fc.array(callArb, { minLength: 5, maxLength: 60, size: "max" }),
  killAfter: fc.nat(90),
});
type Burst = typeof burstArb extends fc.Arbitrary<infer T> ? T : never;

describeWithOwnServer("after kill -9", () => {
  const redis = useServer({ persistence: true });
  beforeAll(() => loadLibrary(redis.client, "catalog"));

  /** Ids whose enqueueing was answered, and of tasks whose end was. */
  let enqueued = new Set<string>();
  let finished = new Set<string>();
  /** Leases by answers that came: until when, by task. */
  let leases = new Map<string, number>();
  let nowMs = 0;
  let serial = 0;

  async function enqueue(client: TestClient, type: string, ...args: (string | number)[]): Promise<string> {
    serial += 1;
    const id = `t${serial}`;
    await fcall(client, "enqueue_task", "q", JSON.stringify({ type }), "ID", id, ...args, "NOW", nowMs);
    enqueued.add(id);
    return id;
  }

  async function claim(client: TestClient): Promise<ClaimedTask | null> {
    const clock = nowMs;
    const claimed = await claimOn(client, "q", "NOW", clock);
    if (claimed === null) return null;
    expect(finished.has(claimed.id), "given out after it was finished").toBe(false);
    expect(leases.get(claimed.id) ?? 0, "given out under a lease that lasts").toBeLessThanOrEqual(clock);
    leases.set(claimed.id, claimed.lease_until);
    return claimed;
  }

  async function end(client: TestClient, how: string, { id, token }: ClaimedTask): Promise<void> {
    const refused = await fcall(client, `${how}_task`, id, "TOKEN", token, "NOW", nowMs).then(
      () => undefined,
      (error: Error) => (error.message.startsWith("CONFLICT") ? error : Promise.reject(error)),
    );
    if (refused !== undefined) return;
    leases.delete(id);
    if (how === "finish") finished.add(id);
  }

  async function make(client: TestClient, { name, ends }: Burst["calls"][number]): Promise<void> {
    if (name === "enqueue") return void (await enqueue(client, "hooked"));
    if (name === "family") {
      const parent = await enqueue(client, "plain");
      await Promise.all([1, 2, 3].map(() => enqueue(client, "plain", "PARENT", parent).catch(() => undefined)));
      return;
    }
    const claimed = await claim(client);
    if (claimed !== null && ends !== "never") await end(client, ends, claimed);
  }

  /** Sends calls all at once and kills the server after some answers. */
  async function burst({ calls, killAfter }: Burst): Promise<void> {
    const client = createClient({ url: redis.url, RESP: 2, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    let answered = 0;
    let killed: Promise<void> | undefined;
    const results = await Promise.allSettled(
      calls.map(async (each) => {
        nowMs += each.ms;
        await make(client, each);
        if ((answered += 1) >= killAfter) killed ??= redis.kill("SIGKILL");
      }),
    );
    await (killed ??= redis.kill("SIGKILL"));
    await redis.restart({ signal: "SIGKILL" });
    // Connections that were cut are what is tested; an expectation that failed is not.
    for (const result of results) {
      if (result.status === "rejected" && (result.reason as Error).name === "AssertionError")
        throw result.reason as Error;
    }
  }

  const status = async (): Promise<Fields> =>
    decodeRecord(await fcall(redis.client, "get_queue_status", "q", "NOW", nowMs));

  /** Works off all that is left, leases that nobody ends included. */
  async function finish(): Promise<void> {
    for (let left = await status(); left["next"] !== null; left = await status()) {
      nowMs = Math.max(nowMs, Number(left["next"]));
      for (let claimed = await claim(redis.client); claimed !== null; claimed = await claim(redis.client))
        await end(redis.client, "finish", claimed);
    }
  }

  it("no task is lost, none finished twice, and every parent and every hook ends", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(burstArb, { minLength: 1, maxLength: 3, size: "max" }), async (bursts) => {
        await redis.flush();
        enqueued = new Set();
        finished = new Set();
        leases = new Map();
        nowMs = Date.now();
        for (const [type, ...hooks] of [
          ["plain"],
          ["before"],
          ["after"],
          ["hooked", "PRE", "before", "POST", "after"],
        ]) {
          await fcall(redis.client, "define_task", type!, "ATTEMPTS", 1000, "BACKOFF", 1000, ...hooks);
        }
        for (const each of bursts) await burst(each);
        await finish();
        const left = await status();
        expect(left).toMatchObject({
          ready: 0,
          delayed: 0,
          leased: 0,
          held: 0,
          waiting_children: 0,
          dead: 0,
          total_dead: 0,
        });
        expect(left["finished"]).toBe(left["total_enqueued"]);
        expect(left["total_finished"]).toBe(left["total_enqueued"]);
        for (const id of enqueued) {
          const shown = JSON.parse((await fcall(redis.client, "get_task", id)) as string) as { state: string };
          expect(shown.state, id).toBe("finished");
        }
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});
