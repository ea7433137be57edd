/*
 * kill -9 of the server and of hosts in the middle of their work: what was answered stays, what was cut off is as if it had not
 * been, and every stream entry counts exactly once. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { createClient } from "@redis/client";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { runNode } from "../support/processes";
import { describeWithOwnServer, useServer, type TestClient } from "../support/server";
import { allIds, DEVICES, expectCounts, expectFinished, requireExactDevices } from "../support/tracker-checks";
import { DAY_MS, drainRotations, EPOCH_MS, HOUR_MS, MINUTE_MS, record, type SentEvent } from "../support/tracker-model";
import { loadLibrary } from "../support/functions";
import { Reference } from "../support/tracker-reference";
import { until } from "../support/wait";

const RUNS = 8 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const NOW_MS = EPOCH_MS + 2 * HOUR_MS;
const END_MS = NOW_MS + 4 * HOUR_MS;
const HOST = "test/support/tracker-host.ts";

function events(count: number): SentEvent[] {
  return Array.from({ length: count }, (_, at): SentEvent => {
    const url = `https://${at % 2 === 0 ? "a" : "b"}.example/s${at % 3}/${at % 7}.html`;
    return { url, uui: DEVICES[at % DEVICES.length]!, dt: NOW_MS - ((at * 7919) % (2 * HOUR_MS)) };
  });
}

/** Calls of a run: which function, and how much a call may do. */
const callArb = fc.record({
  name: fc.constantFrom("ingest_events", "ingest_events", "rotate_pg", "rotate_ud"),
  limit: fc.constantFrom(1, 3, 20, 10_000),
});
/** Calls sent at once, and after how many answers the server is killed. */
const burstArb = fc.record({
  calls: fc.array(callArb, { minLength: 2, maxLength: 40, size: "max" }),
  killAfter: fc.nat(40),
});

describeWithOwnServer("after kill -9", () => {
  const redis = useServer({ persistence: true });

  beforeAll(async () => {
    await loadLibrary(redis.client, "tracker");
    await requireExactDevices(redis.client);
  });
  beforeEach(() => redis.flush());

  async function addToStream(sent: SentEvent[]): Promise<void> {
    await Promise.all(
      sent.map(({ url, uui, dt }) => redis.client.xAdd("ST:TRACKER::::", "*", { url, uui, dt: String(dt) })),
    );
  }

  /** A connection that ends with the server: what it has not sent by then, it must not send to the next one. */
  async function connectOnce(): Promise<TestClient> {
    const client = createClient({ url: redis.url, RESP: 2, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  /** Sends calls all at once and kills the server after some answers; how many were answered. */
  async function burst({
    calls,
    killAfter,
  }: {
    calls: { name: string; limit: number }[];
    killAfter: number;
  }): Promise<number> {
    const client = await connectOnce();
    let answered = 0;
    let failed = 0;
    let killed: Promise<void> | undefined;
    const kill = (): void => void (killed ??= redis.kill("SIGKILL"));
    if (killAfter === 0) kill();
    await Promise.all(
      calls.map(({ name, limit }) =>
        record(client, name, "LIMIT", limit, "NOW", NOW_MS).then(
          () => void ((answered += 1) >= killAfter && kill()),
          () => void (failed += 1),
        ),
      ),
    );
    kill();
    await killed;
    expect(answered + failed).toBe(calls.length);
    await redis.restart({ signal: "SIGKILL" });
    return answered;
  }

  async function finish(reference: Reference): Promise<void> {
    for (let remaining: unknown = 1; remaining === 1;) {
      remaining = (await record(redis.client, "ingest_events", "LIMIT", 10_000, "NOW", NOW_MS))!["remaining"];
    }
    await drainRotations(redis.client, NOW_MS, "LIMIT", 10_000);
    reference.rotated(NOW_MS, undefined);
    await expectCounts(redis.client, reference, allIds(reference), [NOW_MS - 7 * DAY_MS, NOW_MS + MINUTE_MS], NOW_MS);
    await drainRotations(redis.client, END_MS, "LIMIT", 10_000);
    reference.rotated(END_MS, undefined);
    // Which events were late depends on what the crash cut off.
    reference.late = (await record(redis.client, "get_tracker_status", "NOW", END_MS))!["late"] as number;
    await expectFinished(redis.client, reference, END_MS);
  }

  it("of the server among calls that were sent at once, every entry counts exactly once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(burstArb, { minLength: 1, maxLength: 3, size: "max" }), async (bursts) => {
        await redis.flush();
        const reference = new Reference();
        const sent = events(300);
        for (const each of sent) reference.add(each, NOW_MS);
        await addToStream(sent);
        for (const each of bursts) await burst(each);
        await finish(reference);
      }),
      { numRuns: RUNS },
    );
  }, 600_000);

  it("of the server while it writes, what was answered is there", async () => {
    const reference = new Reference();
    const sent = events(2000);
    let counted = 0;
    let killed: Promise<void> | undefined;
    // In order, as one connection's calls are: those that were answered are the first.
    const client = await connectOnce();
    const answers = await Promise.allSettled(
      sent.map(async (each) => {
        await record(client, "track_events", JSON.stringify(each), "NOW", NOW_MS);
        counted += 1;
        if (counted === 700) killed = redis.kill("SIGKILL");
      }),
    );
    await killed;
    await redis.restart({ signal: "SIGKILL" });
    expect(answers.findIndex(({ status }) => status === "rejected")).toBe(counted);
    expect(counted).toBeLessThan(sent.length);
    // Some more may be counted, of which the answers were cut off.
    const stored = await openViews();
    expect(stored).toBeGreaterThanOrEqual(counted);
    for (const each of sent.slice(0, stored)) reference.add(each, NOW_MS);
    await finish(reference);
  });

  /** Page views of the minutes that are open. */
  async function openViews(): Promise<number> {
    const keys = await redis.client.keys("H:1MINUTE.OPEN:W::*:PG");
    const views = await Promise.all(keys.map((key) => redis.client.hVals(key)));
    return views.flat().reduce((sum, each) => sum + Number(each), 0);
  }

  it("of a host in mid-work, another goes on", async () => {
    const reference = new Reference();
    const sent = events(1500);
    for (const each of sent) reference.add(each, NOW_MS);
    await addToStream(sent);
    for (const rounds of [5, 20]) {
      const host = runNode([HOST, redis.url, String(NOW_MS), "5"]);
      await host.line(new RegExp(`^round ${rounds}$`));
      host.signal("SIGKILL");
      expect((await host.exit).signal).toBe("SIGKILL");
      expect(host.lines).not.toContain("finished");
    }
    const last = runNode([HOST, redis.url, String(NOW_MS), "500"]);
    await last.line(/^finished$/);
    expect(await last.exit).toEqual({ code: 0, signal: null });
    expect(await record(redis.client, "ingest_events", "NOW", NOW_MS)).toMatchObject({ read: 0, remaining: 0 });
    await finish(reference);
  });

  it("of two hosts at once and of the server, another goes on", async () => {
    const reference = new Reference();
    const sent = events(1500);
    for (const each of sent) reference.add(each, NOW_MS);
    await addToStream(sent);
    const hosts = [3, 3].map((limit) => runNode([HOST, redis.url, String(NOW_MS), String(limit)]));
    await Promise.all(hosts.map((host) => host.line(/^round 5$/)));
    await redis.kill("SIGKILL");
    for (const host of hosts) host.signal("SIGKILL");
    await Promise.all(hosts.map((host) => host.exit));
    await redis.restart();
    await until(async () => (await redis.client.xLen("ST:TRACKER::::")) === sent.length);
    const last = runNode([HOST, redis.url, String(NOW_MS), "500"]);
    await last.line(/^finished$/);
    await finish(reference);
  });
});
