/** `hotpath demo notifier`: sellers scan for a day, a receiver fails now and then, and all of it arrives. */
import { createWebhookCourier } from "../../host/notifier/couriers/webhook";
import { isMissingFunction } from "../../host/redis/functions";
import { routingOf } from "../../host/redis/partitions";
import { UserError } from "../../host/runtime/errors";
import { formatCount } from "../../host/terminal/format";
import { startProgress } from "../../host/terminal/progress";
import { seededRandom } from "../tracker/random";
import { runSimulation } from "../frame";
import { liveThrough, TOPIC, type Clock, type Day, type DaySummary } from "./day";
import { startReceiver, type DemoReceiver } from "./receiver";
import { renderDay } from "./report";
import { resultOf, type DayResult } from "./result";
import { makeScans, type Scan } from "./scans";
import type { DemoOptions } from "../options";
import type { DemoServer } from "../server";
import type { DemoClient } from "../client";
import { DAY_MS } from "../../host/runtime/time";

/** Of real time, each. */
const TIMEOUTS = { connectTimeoutMs: 1000, answerTimeoutMs: 1000 };

/**
 * Runs the demo. Messages and progress go to standard error, the report to standard output; exits with 1 if anything that was
 * scanned did not arrive, or arrived twice under different ids.
 *
 * @throws UsageError, UserError and others whose message is for the person who asked
 */
export async function runNotifierDemo(options: DemoOptions): Promise<void> {
  await runSimulation({ what: "notifier", refuse: refuseIfInUse, live: runDay, render: renderDay }, options);
}

async function runDay(server: DemoServer, seed: number, signal: AbortSignal): Promise<DayResult> {
  // Yesterday: all of its times are in the past.
  const dayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
  const scans = makeScans(dayMs, seed);
  const clock: Clock = { nowMs: dayMs };
  const receiver = await startReceiver(seededRandom(seed + 1), () => clock.nowMs);
  try {
    const summary = await live(server, { receiver, scans, clock, dayMs, signal });
    const status = await server.client.functions.getNotifierStatus({ topic: TOPIC, now: clock.nowMs });
    return resultOf({ server: server.program, scans, receiver, summary, status, dayMs });
  } finally {
    receiver.close();
  }
}

interface Setting {
  receiver: DemoReceiver;
  scans: readonly Scan[];
  clock: Clock;
  dayMs: number;
  signal: AbortSignal;
}

async function live({ client }: DemoServer, { receiver, scans, clock, dayMs, signal }: Setting): Promise<DaySummary> {
  const { connection, functions, partition } = client;
  const courier = createWebhookCourier({ url: receiver.url, secrets: [receiver.secret], connections: 4, ...TIMEOUTS });
  const { stream } = await functions.configureTopic({ topic: TOPIC });
  const progress = startProgress({ label: "Scanning", total: scans.length, unit: "scans" });
  const day: Day = {
    ...{ connection, functions, partition, stream, courier, clock, dayMs, signal },
    onProgress: (written) => progress.update(written),
  };
  try {
    return await liveThrough(day, scans);
  } finally {
    progress.stop();
    await courier.close();
  }
}

/** The demo would deliver what others have scanned to its own receiver. */
async function refuseIfInUse({ connection, functions, partition }: DemoClient): Promise<void> {
  const found = await dataOf({ connection, functions, partition });
  if (found.length === 0) return;
  throw new UserError(
    `the database of ${connection.shown} is in use by the notifier (${found.join(", ")}), and the demo would deliver what is there to itself; ` +
      "choose an empty database, such as redis://host:port/1",
  );
}

async function dataOf({
  connection,
  functions,
  partition,
}: Pick<DemoClient, "connection" | "functions" | "partition">): Promise<string[]> {
  try {
    const topics = await functions.listTopics();
    const { stream, collecting, waiting, leased, dead, delivered } = await functions.getNotifierStatus({
      topic: TOPIC,
    });
    const entries = (await connection.send(["XLEN", stream], routingOf(partition))) as number;
    return [
      ...(entries > 0 ? [`${formatCount(entries)} entries in ${stream}`] : []),
      ...(collecting + waiting + leased + dead + delivered > 0 ? [`notifications of ${TOPIC}`] : []),
      ...topics.filter((topic) => topic !== TOPIC).map((topic) => `topic ${topic}`),
    ];
  } catch (error) {
    if (isMissingFunction(error)) return [];
    throw error;
  }
}
