import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import type { Courier, Delivery } from "../../host/notifier/couriers/courier";
import { deploy } from "../../host/deploy/deploy";
import type { HotpathFunctions } from "../../host/contract";
import { functionsOf } from "../../host/deploy/client";
import {
  deliverOnce,
  deliverUntilStopped,
  type DeliverOptions,
  type DeliveryReport,
  type Queue,
} from "../../host/notifier/deliver";
import { gateKey, gateOf } from "../../host/jobs/gate";
import { queueOf } from "../../host/notifier/queue";
import { readClock } from "../../host/redis/clock";
import { Wakeup } from "../../host/runtime/wakeup";
import { readBundle } from "../../host/deploy/libraries";
import { UnavailableError } from "../../host/runtime/errors";
import { useServer } from "../support/server";
import { until } from "../support/wait";

const TOPIC = "packages";
const HOUR_MS = 3_600_000;

const server = useServer();
let connection: Connection;
let functions: HotpathFunctions;

beforeAll(async () => {
  connection = await connect(server.url);
  functions = functionsOf(connection);
});
afterAll(() => connection.close());
beforeEach(async () => {
  await server.flush();
  await deploy(connection, { libraries: readBundle() });
  await functions.configureTopic({ topic: TOPIC, quiet: 1, backoff: 0 });
});

/** Scans that have long been quiet. */
async function scanned(...sellers: string[]): Promise<void> {
  const now = await readClock(connection, null);
  for (const subject of sellers)
    await functions.scanItem({ topic: TOPIC, subject, item: `${subject}-A`, now: now - 1000 });
}

interface Bench extends DeliverOptions {
  reports: DeliveryReport[];
  stop: AbortController;
  claims: number[];
}

/** All that delivery needs, on a real queue; claims are counted. */
function bench(
  courier: Courier["deliver"],
  changes: Partial<DeliverOptions> = {},
  around: (queue: Queue) => Partial<Queue> = () => ({}),
): Bench {
  const reports: DeliveryReport[] = [];
  const claims: number[] = [];
  const stop = new AbortController();
  const queue = queueOf(functions, TOPIC, "test", () => readClock(connection, null));
  const counted: Queue = {
    ...queue,
    claim: async (count) => {
      claims.push(count);
      return queue.claim(count);
    },
  };
  return {
    queue: { ...counted, ...around(counted) },
    courier: { shown: "test", deliver: courier, close: () => Promise.resolve() },
    gate: gateOf(connection, { topic: TOPIC, partition: null, receiver: "test" }),
    concurrency: 3,
    timeoutMs: 10_000,
    leaseMs: 60_000,
    maxSleepMs: HOUR_MS,
    signal: stop.signal,
    wakeup: new Wakeup(),
    onReport: (report) => reports.push(report),
    ...changes,
    reports,
    stop,
    claims,
  };
}

const delivered = (): Promise<Delivery> => Promise.resolve({ outcome: "delivered" });
const failing =
  (more: object = {}) =>
  (): Promise<Delivery> =>
    Promise.resolve({ outcome: "failed", code: "test", reason: "on purpose", retryable: true, ...more });
const status = () => functions.getNotifierStatus({ topic: TOPIC });

it("delivers what is due, and no more than so many at once", async () => {
  await scanned("1", "2", "3", "4", "5", "6", "7");
  let out = 0;
  let most = 0;
  const options = bench(async () => {
    most = Math.max(most, (out += 1));
    await new Promise((resolve) => setImmediate(resolve));
    out -= 1;
    return { outcome: "delivered" };
  });
  expect(await deliverOnce(options)).toBe(true);
  expect(most).toBe(3);
  expect(options.reports.map(({ notification }) => notification.subject).sort()).toEqual([
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
  ]);
  expect(await status()).toMatchObject({ delivered: 7, leased: 0, waiting: 0, next: null });
});

it("claims more as soon as a place is free, until it is stopped", async () => {
  const sellers = Array.from({ length: 10 }, (_, at) => `s${at}`);
  await scanned(...sellers);
  const options = bench(delivered, { concurrency: 2 });
  const running = deliverUntilStopped(options);
  await until(() => options.reports.length === 10);
  expect(Math.max(...options.claims)).toBe(2);
  options.stop.abort();
  await running;
});

it("asks once and then sleeps until the next is due; a wake-up makes it ask again", async () => {
  await functions.configureTopic({ topic: TOPIC, quiet: HOUR_MS });
  await functions.scanItem({ topic: TOPIC, subject: "10", item: "A" });
  let asleep = 0;
  const wakeup = new Wakeup();
  const sleeps: number[] = [];
  const sleep = wakeup.sleep.bind(wakeup);
  wakeup.sleep = (since, ms, signal) => {
    sleeps.push(ms);
    asleep += 1;
    return sleep(since, ms, signal);
  };
  const options = bench(delivered, { wakeup, maxSleepMs: 10 * HOUR_MS });
  const running = deliverUntilStopped(options);
  await until(() => asleep === 1);
  expect(options.claims).toEqual([3]);
  expect(sleeps[0]).toBeGreaterThan(HOUR_MS - 60_000);
  expect(sleeps[0]).toBeLessThanOrEqual(HOUR_MS);
  wakeup.wake();
  await until(() => asleep === 2);
  expect(options.claims).toEqual([3, 3]);
  // With nothing at all, it sleeps as long as it may.
  await functions.configureTopic({ topic: TOPIC, quiet: 1 });
  await server.flush();
  wakeup.wake();
  await until(() => asleep === 3);
  expect(sleeps[2]).toBe(10 * HOUR_MS);
  options.stop.abort();
  await running;
});

it("is not put to sleep by a wake-up that comes while it claims", async () => {
  const wakeup = new Wakeup();
  let isFirst = true;
  const options = bench(delivered, { wakeup }, (queue) => ({
    claim: async (count) => {
      const answer = await queue.claim(count);
      // The worst moment: the claim was answered with nothing, and now there is something.
      if (isFirst) {
        isFirst = false;
        await scanned("late");
        wakeup.wake();
      }
      return answer;
    },
  }));
  const running = deliverUntilStopped(options);
  await until(() => options.reports.length === 1);
  options.stop.abort();
  await running;
});

it("makes an attempt again when it is due, although it slept", async () => {
  await scanned("10");
  let attempts = 0;
  const options = bench(() => ((attempts += 1) < 3 ? failing()() : delivered()));
  const running = deliverUntilStopped(options);
  await until(() => options.reports.length === 3);
  expect(options.reports.map(({ notification, delivery }) => [notification.attempt, delivery.outcome])).toEqual([
    [1, "failed"],
    [2, "failed"],
    [3, "delivered"],
  ]);
  options.stop.abort();
  await running;
});

it("a delivery that takes too long has failed, and frees its place", async () => {
  await scanned("10");
  await functions.configureTopic({ topic: TOPIC, attempts: 1 });
  const options = bench(() => new Promise(() => undefined), { timeoutMs: 50, concurrency: 1 });
  expect(await deliverOnce(options)).toBe(true);
  expect(options.reports[0]).toMatchObject({ delivery: { outcome: "failed", code: "timeout" }, settled: "settled" });
  expect(await status()).toMatchObject({ dead: 1, leased: 0 });
  const [, json] = await functions.listNotifications({ topic: TOPIC, state: "dead" });
  expect(JSON.parse(json!)).toMatchObject({ subject: "10", reason: "no answer within 50 ms" });
});

it("acknowledges again when it was cut off, and takes its own success for one", async () => {
  await scanned("10", "20");
  const cut = { ack: 0, fail: 0 };
  const options = bench(
    ({ subject }) => (subject === "10" ? delivered() : failing()()),
    {},
    (queue) => ({
      ack: async (notification) => {
        await queue.ack(notification);
        if ((cut.ack += 1) === 1) throw new UnavailableError("cut off after it ran", true);
      },
      fail: async (notification, reason) => {
        if ((cut.fail += 1) === 1) throw new UnavailableError("never arrived", false);
        await queue.fail(notification, reason);
      },
    }),
  );
  await functions.configureTopic({ topic: TOPIC, attempts: 1 });
  expect(await deliverOnce(options)).toBe(true);
  expect(options.reports.map(({ settled }) => settled)).toEqual(["settled", "settled"]);
  expect(cut.fail).toBe(2);
  expect(await status()).toMatchObject({ delivered: 1, dead: 1, leased: 0 });
});

it("says that the lease was lost where somebody else has ended it", async () => {
  await scanned("10");
  const options = bench(async ({ id }) => {
    await functions.ackNotification({ topic: TOPIC, id });
    return { outcome: "delivered" };
  });
  expect(await deliverOnce(options)).toBe(true);
  expect(options.reports).toMatchObject([{ settled: "lost" }]);
});

it("cannot end the lease of another, once its own is over", async () => {
  await functions.configureTopic({ topic: TOPIC, lease: 1 });
  await scanned("10");
  const other = queueOf(functions, TOPIC, "other", () => readClock(connection, null));
  const options = bench(async () => {
    await until(async () => (await other.claim(1)).items.length === 1);
    return { outcome: "delivered" };
  });
  options.concurrency = 1;
  const stopped = deliverUntilStopped(options);
  await until(() => options.reports.length === 1);
  options.stop.abort();
  await stopped;
  expect(options.reports[0]!.settled).toBe("lost");
  expect(await status()).toMatchObject({ delivered: 0 });
});

it("settles what is out before it gives up, where Redis is away", async () => {
  await scanned("10");
  let arrive: (() => void) | undefined;
  let isAway = false;
  const options = bench(
    () => new Promise((resolve) => (arrive = () => resolve({ outcome: "delivered" }))),
    {},
    (queue) => ({
      claim: async (count) => {
        if (arrive) {
          isAway = true;
          throw new UnavailableError("away", false);
        }
        return queue.claim(count);
      },
    }),
  );
  let hasEnded = false;
  const running = deliverUntilStopped(options).finally(() => (hasEnded = true));
  const rejected = expect(running).rejects.toThrow("away");
  await until(() => arrive !== undefined);
  options.wakeup.wake();
  await until(() => isAway);
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasEnded).toBe(false);
  arrive!();
  await rejected;
  expect(options.reports).toMatchObject([{ settled: "settled" }]);
});

it("stops trying to tell Redis soon after it was asked to stop", async () => {
  await scanned("10");
  const options = bench(delivered, {}, () => ({ ack: () => Promise.reject(new UnavailableError("away", false)) }));
  const running = deliverUntilStopped(options);
  await until(() => options.claims.length > 0);
  options.stop.abort();
  await running;
  expect(options.reports).toMatchObject([{ settled: "unknown" }]);
});

it("delivers nothing while the receiver is disabled, and remembers which receiver it was", async () => {
  await scanned("10", "20");
  const options = bench(() => Promise.resolve({ outcome: "disabled", code: "http_410", reason: "gone" }), {
    concurrency: 1,
  });
  expect(await deliverOnce(options)).toBe(false);
  expect(options.reports).toHaveLength(1);
  expect(await server.client.hGetAll(gateKey(TOPIC, null))).toMatchObject({
    state: "disabled",
    reason: "gone",
    receiver: "test",
  });
  expect(await status()).toMatchObject({ waiting: 1, collecting: 1, leased: 0 });
  const same = bench(delivered);
  expect(await deliverOnce(same)).toBe(false);
  const other = bench(delivered, { gate: gateOf(connection, { topic: TOPIC, partition: null, receiver: "another" }) });
  expect(await deliverOnce(other)).toBe(true);
  expect([same.reports.length, other.reports.length]).toEqual([0, 2]);
  expect(await same.gate.open()).toBe(true);
  expect(await same.gate.open()).toBe(false);
});

it("waits as long as the receiver asks, by the server's clock", async () => {
  await scanned("10");
  const options = bench(failing({ retryAfterMs: HOUR_MS }), { concurrency: 1 });
  expect(await deliverOnce(options)).toBe(false);
  const gate = await options.gate.read();
  const left = gate.state === "paused" ? gate.untilMs - (await readClock(connection, null)) : 0;
  expect(left).toBeGreaterThan(HOUR_MS - 60_000);
  expect(left).toBeLessThanOrEqual(HOUR_MS);
  // An hour later.
  const now = (await readClock(connection, null)) + HOUR_MS;
  const later = bench(delivered, {}, () => ({ now: () => Promise.resolve(now) }));
  expect(await deliverOnce(later)).toBe(true);
  expect(later.reports).toHaveLength(1);
});
