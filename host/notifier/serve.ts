/** Notifications of a serving host: ingest of a topic's scans, and delivery of what is due. */
import { createCourier, type Environment } from "./couriers/create";
import type { Courier } from "./couriers/courier";
import { deliverUntilStopped, type DeliverOptions, type DeliveryReport } from "./deliver";
import { follow } from "../jobs/follow";
import { gateOf, type GateState } from "../jobs/gate";
import { queueOf } from "./queue";
import { readClock } from "../redis/clock";
import { drainScans } from "./scans";
import { Wakeup } from "../runtime/wakeup";
import { keepRunning, type Service } from "../jobs/service";
import type { NotifierConfig } from "./config";
import type { NotifierMetrics } from "./metrics";
import type { NotifierHost, Topic } from "./topics";

/** By the name of their topic; one that others deliver has none. */
export type Couriers = ReadonlyMap<string, Courier>;

/**
 * Makes the couriers of all topics.
 *
 * @throws UserError if a secret is missing or malformed
 */
export async function createCouriers(topics: readonly Topic[], env: Environment): Promise<Couriers> {
  const couriers = new Map<string, Courier>();
  for (const { name, config } of topics) {
    if (config.courier) couriers.set(name, await createCourier(config.courier, env, `notifier.topics.${name}.courier`));
  }
  return couriers;
}

/** Serves one topic until the host stops; returns when what was out has ended. */
export async function serveTopic(
  service: Service<NotifierHost>,
  topic: Topic,
  courier: Courier | undefined,
  config: NotifierConfig,
  metrics: NotifierMetrics,
): Promise<void> {
  const wakeup = new Wakeup();
  const ingesting = `scans ${topic.name}`;
  const delivering = `deliveries ${topic.name}`;
  await Promise.all([
    keepRunning(service, ingesting, () => ingest(service, topic, ingesting, wakeup, metrics)),
    courier &&
      keepRunning(service, delivering, () => deliver(service, topic, courier, delivering, wakeup, config, metrics)),
  ]);
}

async function ingest(
  { host, log, signal, troubles }: Service<NotifierHost>,
  topic: Topic,
  source: string,
  wakeup: Wakeup,
  metrics: NotifierMetrics,
): Promise<void> {
  const { name, partition, config } = topic;
  const functions = host.functions(partition);
  const reading = await host.connection.duplicate();
  try {
    await follow({ key: host.settingsOf(topic).stream, partition }, reading, signal, async (hasCome) => {
      const summary = await drainScans(functions, name, config.limit, signal);
      troubles.clear(source);
      metrics.ingested(name, summary);
      if (summary.read > 0) log.debug({ job: "ingest", topic: name, ...summary }, "scans ingested");
      if (summary.read > 0 || hasCome) wakeup.wake();
    });
  } finally {
    reading.close();
  }
}

async function deliver(
  service: Service<NotifierHost>,
  topic: Topic,
  courier: Courier,
  source: string,
  wakeup: Wakeup,
  config: NotifierConfig,
  metrics: NotifierMetrics,
): Promise<void> {
  const { host, signal, log, troubles } = service;
  metrics.gate(topic.name, { state: "open" });
  await deliverUntilStopped({
    ...deliveryOf(host, topic, courier),
    maxSleepMs: config.maxSleepSeconds * 1000,
    signal,
    wakeup,
    onClaim: () => troubles.clear(source),
    onReport: (report) => {
      const isDead = isLast(report, host, topic);
      metrics.reported(topic.name, report, isDead);
      logReport(service, topic, report, isDead);
    },
    onGate: (state) => {
      metrics.gate(topic.name, state);
      logGate(service, topic.name, courier, state);
    },
  });
  log.debug({ topic: topic.name }, "nothing is out");
}

/** All of a topic's delivery that follows from host and configuration. */
export function deliveryOf(
  host: NotifierHost,
  topic: Topic,
  courier: Courier,
): Pick<DeliverOptions, "queue" | "courier" | "gate" | "concurrency" | "timeoutMs" | "leaseMs"> {
  const { name, partition } = topic;
  const { connection } = host;
  const { concurrency, timeoutSeconds } = topic.config.courier!;
  return {
    queue: queueOf(host.functions(partition), name, host.worker, () => readClock(connection, partition)),
    courier,
    gate: gateOf(connection, { topic: name, partition, receiver: courier.shown }),
    concurrency,
    timeoutMs: timeoutSeconds * 1000,
    leaseMs: host.settingsOf(topic).lease,
  };
}

/** Whether Redis has put the notification aside. */
export function isLast({ notification, delivery, settled }: DeliveryReport, host: NotifierHost, topic: Topic): boolean {
  return (
    delivery.outcome !== "delivered" && settled === "settled" && notification.attempt >= host.settingsOf(topic).attempts
  );
}

function logReport(
  { log, troubles }: Pick<Service, "log" | "troubles">,
  { name }: Topic,
  report: DeliveryReport,
  isDead: boolean,
): void {
  const { notification, delivery, settled, error } = report;
  const { id, subject, items, attempt } = notification;
  const about = { topic: name, id, subject, items: items.length, attempt, ms: Math.round(report.ms) };
  if (error !== undefined) troubles.report(`settling ${name}`, error);
  else troubles.clear(`settling ${name}`);
  if (delivery.outcome === "delivered") {
    if (delivery.note === undefined) log.debug(about, "delivered");
    else log.warn({ ...about, note: delivery.note }, "delivered, but not to all");
  } else if (isDead) {
    log.error(
      { ...about, code: delivery.code, reason: delivery.reason },
      "notification is dead; hotpath notify retry gives it out again",
    );
  } else {
    log.warn({ ...about, code: delivery.code, reason: delivery.reason }, "delivery failed");
  }
  if (settled === "lost") log.warn(about, "the lease was over before the delivery ended; it may be delivered again");
  if (settled === "unknown")
    log.warn(about, "Redis could not be told how the delivery ended; it may be delivered again");
}

function logGate({ log }: Pick<Service, "log">, topic: string, courier: Courier, state: GateState): void {
  const about = { topic, courier: courier.shown };
  switch (state.state) {
    case "disabled":
      return log.error(
        { ...about, reason: state.reason, since: new Date(state.sinceMs).toISOString() },
        "the receiver is gone; nothing is delivered until hotpath notify send-test or retry, or another receiver is configured",
      );
    case "paused":
      return log.warn(
        { ...about, reason: state.reason, until: new Date(state.untilMs).toISOString() },
        "the receiver asks to wait",
      );
    case "open":
      return log.info(about, "the receiver is delivered to again");
  }
}
