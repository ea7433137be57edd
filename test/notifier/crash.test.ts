/*
 * kill -9 of the server among calls that were sent at once: every entry of the stream is in exactly one notification, and none is
 * lost. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { createClient } from "@redis/client";
import { beforeAll, expect, it } from "vitest";
import { claimOn, HOUR, MINUTE, type Claimed } from "../support/notifier";
import { decodeRecord, fcall, fcallReadOnly, loadLibrary } from "../support/functions";
import { describeWithOwnServer, useServer, type TestClient } from "../support/server";

const RUNS = 8 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const ENTRIES = 240;
const SELLERS = 7;

/** A worker's and a scheduler's calls; `ms` is how far the clock goes before each. */
const callArb = fc.record({
  name: fc.constantFrom("ingest", "ingest", "claim", "claim"),
  count: fc.constantFrom(1, 3, 20),
  ms: fc.constantFrom(0, 1000, MINUTE, HOUR),
  ends: fc.constantFrom("ack", "fail", "never"),
});
/** Calls sent at once, and after how many answers the server is killed. */
const burstArb = fc.record({
  calls: fc.array(callArb, { minLength: 2, maxLength: 40, size: "max" }),
  killAfter: fc.nat(60),
});

describeWithOwnServer("after kill -9", () => {
  const redis = useServer({ persistence: true });

  beforeAll(() => loadLibrary(redis.client, "notifier"));

  /** What was given out, by id, by answers that came. */
  let given = new Map<string, Claimed>();
  let acknowledged = new Set<string>();
  let nowMs = 0;

  function note(claimed: Claimed[]): void {
    for (const each of claimed) {
      const known = given.get(each.id);
      if (known !== undefined) expect(each.items).toEqual(known.items);
      expect(acknowledged.has(each.id), "given out after it was acknowledged").toBe(false);
      given.set(each.id, each);
    }
  }

  async function end(client: TestClient, how: "ack" | "fail", { id, token }: Claimed): Promise<void> {
    await fcall(client, `${how}_notification`, "packages", id, "TOKEN", token, "NOW", nowMs);
    if (how === "ack") acknowledged.add(id);
  }

  /** Sends calls all at once and kills the server after some answers. */
  async function burst({ calls, killAfter }: typeof burstArb extends fc.Arbitrary<infer T> ? T : never): Promise<void> {
    const client = createClient({ url: redis.url, RESP: 2, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    let answered = 0;
    let killed: Promise<void> | undefined;
    const count = (): void => void ((answered += 1) >= killAfter && (killed ??= redis.kill("SIGKILL")));
    await Promise.allSettled(
      calls.map(async ({ name, count: most, ms, ends }) => {
        nowMs += ms;
        if (name === "ingest") {
          await fcall(client, "ingest_scans", "packages", "LIMIT", most, "NOW", nowMs);
          return count();
        }
        const { claimed } = await claimOn(client, "packages", "COUNT", most, "NOW", nowMs);
        note(claimed);
        count();
        for (const each of ends === "never" ? [] : claimed) {
          await end(client, ends as "ack" | "fail", each);
          count();
        }
      }),
    );
    await (killed ??= redis.kill("SIGKILL"));
    await redis.restart({ signal: "SIGKILL" });
  }

  async function finish(): Promise<void> {
    for (let remaining: unknown = 1; remaining === 1;) {
      remaining = decodeRecord(await fcall(redis.client, "ingest_scans", "packages", "NOW", nowMs))["remaining"];
    }
    for (let next: number | null = nowMs; next !== null;) {
      nowMs = Math.max(nowMs, next);
      const reply = await claimOn(redis.client, "packages", "COUNT", 100, "NOW", nowMs);
      note(reply.claimed);
      for (const each of reply.claimed) await end(redis.client, "ack", each);
      next = reply.claimed.length > 0 ? nowMs : reply.next;
    }
    const dead = (await fcallReadOnly(redis.client, "list_notifications", "packages", "STATE", "dead")) as [number];
    expect(dead).toEqual([0]);
  }

  it("every entry is in exactly one notification", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(burstArb, { minLength: 1, maxLength: 3, size: "max" }), async (bursts) => {
        await redis.flush();
        given = new Map();
        acknowledged = new Set();
        nowMs = Date.now();
        await fcall(redis.client, "configure_topic", "packages", "QUIET", 1000, "ATTEMPTS", 1000, "BACKOFF", 1000);
        await Promise.all(
          Array.from({ length: ENTRIES }, (_, at) =>
            redis.client.xAdd("packages", "*", { seller_id: String(at % SELLERS), package_id: `P${at}` }),
          ),
        );
        nowMs += MINUTE;
        for (const each of bursts) await burst(each);
        await finish();
        const items = [...given.values()].flatMap(({ subject, items: found }) =>
          found.map((item) => `${subject} ${item}`),
        );
        const sent = Array.from({ length: ENTRIES }, (_, at) => `${at % SELLERS} P${at}`);
        expect(items.sort()).toEqual(sent.sort());
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});
