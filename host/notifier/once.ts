/** `hotpath run notify`: what is there is ingested, what is due is delivered. */
import type { Courier } from "./couriers/courier";
import { deliveryOf, isLast } from "./serve";
import type { NotifierHost, Topic } from "./topics";
import { deliverOnce } from "./deliver";
import { drainScans } from "./scans";
import { Wakeup } from "../runtime/wakeup";

interface NotifySummary {
  /** Entries of streams. */
  read: number;
  accepted: number;
  rejected: number;
  delivered: number;
  /** Attempts that failed; they are made again later. */
  failed: number;
  /** Of them, those that were the last. */
  dead: number;
  finished: boolean;
  /** Why something is left to do: what receivers said, each once. */
  problems: string[];
}

/**
 * Ingests and delivers once, topic by topic.
 *
 * @param signal ends it; what is out is ended first
 */
export async function notifyOnce(
  host: NotifierHost,
  couriers: ReadonlyMap<string, Courier>,
  maxSleepMs: number,
  signal: AbortSignal,
): Promise<NotifySummary> {
  const total: NotifySummary = {
    read: 0,
    accepted: 0,
    rejected: 0,
    delivered: 0,
    failed: 0,
    dead: 0,
    finished: true,
    problems: [],
  };
  for (const topic of host.topics) {
    const scans = await drainScans(host.functions(topic.partition), topic.name, topic.config.limit, signal);
    total.read += scans.read;
    total.accepted += scans.accepted;
    total.rejected += scans.rejected;
    total.finished &&= scans.finished;
    const courier = couriers.get(topic.name);
    if (courier) await deliverTopic(host, topic, courier, maxSleepMs, signal, total);
  }
  total.problems = [...new Set(total.problems)];
  return total;
}

async function deliverTopic(
  host: NotifierHost,
  topic: Topic,
  courier: Courier,
  maxSleepMs: number,
  signal: AbortSignal,
  total: NotifySummary,
): Promise<void> {
  const isDone = await deliverOnce({
    ...deliveryOf(host, topic, courier),
    maxSleepMs,
    signal,
    wakeup: new Wakeup(),
    onReport: (report) => {
      const { delivery } = report;
      if (delivery.outcome === "delivered") {
        total.delivered += 1;
        return;
      }
      total.failed += 1;
      total.problems.push(`${topic.name}: ${delivery.reason}`);
      if (isLast(report, host, topic)) total.dead += 1;
    },
    onGate: (state) => {
      if (state.state === "paused")
        total.problems.push(`${topic.name}: paused until ${new Date(state.untilMs).toISOString()}: ${state.reason}`);
      if (state.state === "disabled") total.problems.push(`${topic.name}: disabled: ${state.reason}`);
    },
  });
  total.finished &&= isDone;
}
