/* Many at once: claimers that never get the same lease, and a hundred thousand sellers. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TestClient } from "../support/server";
import { claimOn, HOUR, MINUTE, NOON, useNotifier, type Claimed } from "../support/notifier";
import { fcall } from "../support/functions";

const notifier = useNotifier();
const CLAIMERS = 20;
let clients: TestClient[] = [];

beforeAll(async () => {
  clients = await Promise.all(Array.from({ length: CLAIMERS }, () => notifier.server.connect()));
});
beforeEach(() => notifier.server.flush());

/**
 * Adds entries `P<from>` to `P<from + count - 1>` to the stream, their sellers taken in turn: in the server, because a client
 * takes longer to send them one by one than the notifier to work on them.
 */
async function publish(from: number, count: number, sellers: readonly [first: number, count: number]): Promise<void> {
  const script = `for at = tonumber(ARGV[1]), ARGV[1] + ARGV[2] - 1 do
    local seller = string.format("%d", ARGV[3] + at % ARGV[4])
    redis.call("XADD", KEYS[1], "*", "seller_id", seller, "package_id", "P" .. string.format("%d", at))
  end`;
  const numbers = [from, count, ...sellers].map(String);
  await notifier.client.sendCommand(["EVAL", script, "1", "packages", ...numbers]);
}

async function scanAll(sellers: number): Promise<void> {
  const scans = Array.from({ length: sellers }, (_, at) =>
    notifier.call("scan_item", "packages", `s${at}`, `P${at}`, "NOW", NOON + (at % 60)),
  );
  await Promise.all(scans);
}

describe("20 claimers at once", () => {
  it("each notification goes to one of them", async () => {
    await scanAll(2000);
    const claim = async (client: TestClient, at: number): Promise<Claimed[]> => {
      const options = ["COUNT", 1 + (at % 13), "WORKER", `w${at}`, "NOW", NOON + HOUR + MINUTE];
      return (await claimOn(client, "packages", ...options)).claimed;
    };
    // Each has some before any claims again: nobody has them all to himself, or nothing would be raced for.
    const first = await Promise.all(clients.map(claim));
    expect(first.map((each) => each.length)).toEqual(clients.map((_, at) => 1 + (at % 13)));
    const later = await Promise.all(
      clients.map(async (client, at) => {
        const found: Claimed[] = [];
        for (;;) {
          const claimed = await claim(client, at);
          if (claimed.length === 0) return found;
          found.push(...claimed);
        }
      }),
    );
    const all = [...first, ...later].flat();
    expect(new Set(all.map(({ id }) => id)).size).toBe(2000);
    expect(all).toHaveLength(2000);
    expect(new Set(all.map(({ token }) => token)).size).toBe(2000);
    expect(all.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  it("with leases that end meanwhile, of each notification one acknowledgement alone is taken", async () => {
    await notifier.call("configure_topic", "packages", "LEASE", 10, "ATTEMPTS", 1000);
    await scanAll(300);
    let nowMs = NOON + HOUR + MINUTE;
    const acknowledged: string[] = [];
    const tokens = new Set<string>();
    let refused = 0;
    const lost = (await claimOn(clients[0]!, "packages", "COUNT", 7, "NOW", nowMs)).claimed;
    expect(lost).toHaveLength(7);
    for (const { token } of lost) tokens.add(token);
    const ack = (client: TestClient, { id, token }: Claimed): Promise<unknown> =>
      fcall(client, "ack_notification", "packages", id, "TOKEN", token, "NOW", nowMs).then(
        () => acknowledged.push(id),
        () => (refused += 1),
      );
    await Promise.all(
      clients.map(async (client) => {
        while (acknowledged.length < 300) {
          nowMs += 1;
          const { claimed } = await claimOn(client, "packages", "COUNT", 7, "NOW", nowMs);
          for (const each of claimed) {
            expect(tokens.has(each.token)).toBe(false);
            tokens.add(each.token);
            await ack(client, each);
          }
        }
      }),
    );
    expect(new Set(acknowledged).size).toBe(300);
    expect(acknowledged).toHaveLength(300);
    // Of these the leases ended, and others acknowledged them.
    const before = refused;
    for (const each of lost) await ack(clients[0]!, each);
    expect(refused - before).toBe(lost.length);
    expect(acknowledged.length + refused).toBe(tokens.size);
    expect(await notifier.claim("packages", "NOW", nowMs + HOUR)).toEqual({ next: null, claimed: [] });
  });
});

it("20 clients that ingest one stream take each entry once in total", async () => {
  await publish(0, 3000, [0, 9]);
  const reads = await Promise.all(
    clients.map(async (client) => {
      let read = 0;
      for (;;) {
        const reply = (await fcall(client, "ingest_scans", "packages", "LIMIT", 17)) as number[];
        read += reply[1]!;
        if (reply[7] === 0) return read;
      }
    }),
  );
  expect(reads.reduce((sum, each) => sum + each, 0)).toBe(3000);
  const lists = await Promise.all(
    Array.from({ length: 9 }, (_, seller) => notifier.client.lRange(`SELLER:${seller}`, 0, -1)),
  );
  lists.forEach((list, seller) =>
    expect(list).toEqual(
      Array.from({ length: 334 }, (_, at) => `P${9 * at + seller}`).filter((item) => Number(item.slice(1)) < 3000),
    ),
  );
});

it("a hundred thousand sellers are each notified once, of what they scanned", async () => {
  const SELLERS = 100_000;
  for (let at = 0; at < 2 * SELLERS; at += 10_000) await publish(at, 10_000, [0, SELLERS]);
  for (let remaining: unknown = 1; remaining === 1;)
    remaining = (await notifier.record("ingest_scans", "packages", "LIMIT", 10_000))["remaining"];
  expect(await notifier.record("get_notifier_status", "packages")).toMatchObject({ collecting: SELLERS, unread: 0 });
  const nowMs = Date.now() + 2 * HOUR;
  const seen = new Map<string, string[]>();
  await Promise.all(
    clients.map(async (client) => {
      for (;;) {
        const { claimed } = await claimOn(client, "packages", "COUNT", 500, "NOW", nowMs);
        if (claimed.length === 0) return;
        await Promise.all(
          claimed.map(({ id, token }) => fcall(client, "ack_notification", "packages", id, "TOKEN", token)),
        );
        for (const { subject, items } of claimed) {
          expect(seen.has(subject)).toBe(false);
          seen.set(subject, items);
        }
      }
    }),
  );
  expect(seen.size).toBe(SELLERS);
  for (const [subject, items] of seen)
    if (items.join() !== `P${subject},P${SELLERS + Number(subject)}`) expect.fail(`${subject}: ${items.join()}`);
  expect((await notifier.client.keys("*")).sort()).toEqual(["H:NOTIFIER::packages::", "packages"]);
}, 240_000);

it("one seller with a hundred thousand packages: each is listed once", async () => {
  const COUNT = 100_000;
  for (let round = 0; round < 2; round += 1) {
    for (let at = 0; at < COUNT; at += 10_000) {
      await publish(at, 10_000, [10, 1]);
      for (let remaining: unknown = 1; remaining === 1;)
        remaining = (await notifier.record("ingest_scans", "packages", "LIMIT", 1000))["remaining"];
    }
  }
  expect(await notifier.client.lLen("SELLER:10")).toBe(COUNT);
  const nowMs = Date.now() + 2 * HOUR;
  const items: string[] = [];
  for (;;) {
    const { claimed } = await notifier.claim("packages", "NOW", nowMs);
    if (claimed.length === 0) break;
    for (const each of claimed) {
      expect(each.items).toHaveLength(1000);
      items.push(...each.items);
    }
  }
  // Parts that are ready at one time go out in any order.
  expect(items).toHaveLength(COUNT);
  expect(new Set(items).size).toBe(COUNT);
}, 240_000);
