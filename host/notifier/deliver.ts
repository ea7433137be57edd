/** Delivering what is due, from a topic's queue in Redis to a courier. */
import { performance } from "node:perf_hooks";
import {
  settle,
  workOffOnce,
  workOffUntilStopped,
  type LeasedLoop,
  type LeasedQueue,
  type LoopOptions,
  type Refusal,
  type Settling,
} from "../jobs/leased-queue";
import { deliverWithin, type Courier, type Delivery, type Notification } from "./couriers/courier";

/** A topic's queue. */
export interface Queue extends LeasedQueue<Notification> {
  ack(notification: Notification): Promise<void>;
  fail(notification: Notification, reason: string): Promise<void>;
}

/** What became of a delivery. */
export interface DeliveryReport extends Settling {
  notification: Notification;
  delivery: Delivery;
  /** What the courier took. */
  ms: number;
}

/** The gate is closed while the receiver wants nothing. */
export interface DeliverOptions extends LoopOptions {
  queue: Queue;
  courier: Courier;
  /** After this long a delivery has failed. Shorter than the lease. */
  timeoutMs: number;
  leaseMs: number;
  onReport: (report: DeliveryReport) => void;
}

/**
 * Delivers until the signal is aborted.
 *
 * @throws UnavailableError if Redis is away, once what is out has ended; call it again when it is back
 */
export async function deliverUntilStopped(options: DeliverOptions): Promise<void> {
  await workOffUntilStopped(loopOf(options));
}

/**
 * Delivers what is due now, and returns.
 *
 * @returns false if it was ended before, or if the receiver wants nothing now
 */
export async function deliverOnce(options: DeliverOptions): Promise<boolean> {
  return workOffOnce(loopOf(options));
}

function loopOf(options: DeliverOptions): LeasedLoop<Notification> {
  const { queue, courier, timeoutMs, leaseMs, onReport } = options;
  const work = async (notification: Notification): Promise<boolean> => {
    const startedAt = performance.now();
    const delivery = await deliverWithin(courier, notification, timeoutMs);
    const ms = performance.now() - startedAt;
    const isDelivered = delivery.outcome === "delivered";
    const settling = await settle(
      options,
      () => (isDelivered ? queue.ack(notification) : queue.fail(notification, delivery.reason)),
      { leaseEndMs: startedAt + leaseMs, refusal: refusalOf(delivery) },
    );
    onReport({ notification, delivery, ms, ...settling });
    // One that failed is due again sooner than was known when the sleep began.
    return !isDelivered;
  };
  return { ...options, work };
}

function refusalOf(delivery: Delivery): Refusal | undefined {
  if (delivery.outcome === "disabled") return { reason: delivery.reason, forMs: undefined };
  if (delivery.outcome === "delivered" || delivery.retryAfterMs === undefined) return undefined;
  return { reason: delivery.reason, forMs: delivery.retryAfterMs };
}
