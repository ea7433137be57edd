/** The simulated day: scans are written and ingested, and what is due is delivered, by a clock that jumps from event to event. */
import type { Connection } from "../../host/redis/connection";
import type { HotpathFunctions } from "../../host/contract";
import type { Courier } from "../../host/notifier/couriers/courier";
import { deliverOnce, type DeliveryReport } from "../../host/notifier/deliver";
import { gateOf, isClosed, type Gate } from "../../host/jobs/gate";
import { queueOf, type QueueFunctions } from "../../host/notifier/queue";
import { drainScans, type ScanFunctions } from "../../host/notifier/scans";
import { Wakeup } from "../../host/runtime/wakeup";
import { requireRunning } from "../interruption";
import { routingOf } from "../../host/redis/partitions";
import type { Scan } from "./scans";
import { MINUTE_MS } from "../../host/runtime/time";

export const TOPIC = "packages";
/** Of real time: a receiver on loopback that has not answered by then will not. */
const TIMEOUT_MS = 150;
/** Lunch time: a host dies with what it had claimed. */
const DIES_AT_MS = 12.5 * 60 * MINUTE_MS;

export interface Clock {
  nowMs: number;
}

export interface Day {
  connection: Connection;
  functions: HotpathFunctions;
  partition: string | null;
  /** Key of the stream. */
  stream: string;
  courier: Courier;
  clock: Clock;
  /** Its midnight. */
  dayMs: number;
  signal: AbortSignal;
  onProgress: (scans: number) => void;
}

export interface DaySummary {
  reports: DeliveryReport[];
  /** Notifications that went down with a host. */
  abandoned: number;
  elapsedMs: number;
}

/** Lives through the day, until nothing waits any more. */
export async function liveThrough(day: Day, scans: readonly Scan[]): Promise<DaySummary> {
  const startedAt = performance.now();
  const { clock, signal } = day;
  const summary: DaySummary = { reports: [], abandoned: 0, elapsedMs: 0 };
  const gate = gateOf(day.connection, { topic: TOPIC, partition: day.partition, receiver: day.courier.shown });
  let written = 0;
  let hasDied = false;
  for (;;) {
    requireRunning(signal);
    const dueMs = await nextDue(day, gate);
    const next = scans[written];
    if (dueMs === undefined && next === undefined) break;
    // A minute of scans at a time, as long as nothing is due within it.
    const untilMs = Math.min(dueMs ?? Infinity, next === undefined ? Infinity : next.atMs + MINUTE_MS);
    const batch = scans.slice(written).filter(({ atMs }) => atMs <= untilMs);
    clock.nowMs = Math.max(clock.nowMs, dueMs === untilMs ? untilMs : batch.at(-1)!.atMs);
    await write(day, batch);
    written += batch.length;
    if (!hasDied && clock.nowMs >= day.dayMs + DIES_AT_MS) {
      summary.abandoned = await claimAndDie(day);
      hasDied = summary.abandoned > 0;
    }
    await deliverDue(day, gate, summary);
    day.onProgress(written);
  }
  summary.elapsedMs = performance.now() - startedAt;
  return summary;
}

/** When something is to be delivered; not before the receiver wants to hear of it. */
async function nextDue({ functions, clock }: Day, gate: Gate): Promise<number | undefined> {
  const [{ next }, state] = await Promise.all([
    functions.getNotifierStatus({ topic: TOPIC, now: clock.nowMs }),
    gate.read(),
  ]);
  if (next === null) return undefined;
  const isPaused = state.state === "paused" && isClosed(state, clock.nowMs);
  return Math.max(next, clock.nowMs, isPaused ? state.untilMs : 0);
}

/** The id of an entry is its time, as if it had been written then. */
async function write(
  { connection, functions, partition, stream, clock, signal }: Day,
  scans: readonly Scan[],
): Promise<void> {
  if (scans.length === 0) return;
  await Promise.all(
    scans.map(({ seller, package: item, atMs }) =>
      connection.send(["XADD", stream, `${atMs}-*`, "seller_id", seller, "package_id", item], routingOf(partition)),
    ),
  );
  await drainScans(functionsAt(functions, clock), TOPIC, undefined, signal);
}

async function deliverDue(
  { functions, courier, clock, signal }: Day,
  gate: Gate,
  { reports }: DaySummary,
): Promise<void> {
  const now = (): Promise<number> => Promise.resolve(clock.nowMs);
  await deliverOnce({
    queue: queueOf(functionsAt(functions, clock), TOPIC, "demo", now),
    ...{ courier, gate, signal, concurrency: 4, timeoutMs: TIMEOUT_MS, leaseMs: MINUTE_MS, maxSleepMs: MINUTE_MS },
    wakeup: new Wakeup(),
    onReport: (report) => reports.push(report),
  });
}

/** What a host claims and then dies with comes back when the lease is over. */
async function claimAndDie({ functions, clock }: Day): Promise<number> {
  const [, ...claimed] = await functions.claimNotifications({
    topic: TOPIC,
    worker: "a host that dies",
    now: clock.nowMs,
  });
  return claimed.length;
}

/** The functions by the simulated clock. */
function functionsAt(functions: HotpathFunctions, clock: Clock): QueueFunctions & ScanFunctions {
  const now = (): { now: number } => ({ now: clock.nowMs });
  return {
    ingestScans: (args) => functions.ingestScans({ ...args, ...now() }),
    claimNotifications: (args) => functions.claimNotifications({ ...args, ...now() }),
    ackNotification: (args) => functions.ackNotification({ ...args, ...now() }),
    failNotification: (args) => functions.failNotification({ ...args, ...now() }),
  };
}
