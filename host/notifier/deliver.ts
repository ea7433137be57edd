/**
 * Delivering what is due, from the queue in Redis to a courier.
 *
 * Nobody asks Redis again and again whether something is due: each claim answers when the next one is, and the host sleeps until
 * then, unless it is woken by a scan or by a delivery that failed. Several hosts may do this at once; a claim is leased to one.
 */
import { performance } from "node:perf_hooks";
import { backoffMs } from "../runtime/backoff";
import { deliverWithin, type Courier, type Delivery, type Notification } from "./couriers/courier";
import { isClosed, type Gate, type GateState } from "../jobs/gate";
import { settle, type Settling } from "../jobs/settle";
import type { Wakeup } from "../runtime/wakeup";

/** A topic's queue. */
export interface Queue {
  /**
   * Leases up to `count` notifications that are due.
   * @returns and when there is something to claim again, in unix milliseconds by the server's clock; null if nothing waits
   */
  claim(count: number): Promise<{ nextMs: number | null; notifications: Notification[] }>;
  ack(notification: Notification): Promise<void>;
  fail(notification: Notification, reason: string): Promise<void>;
  /** The server's clock, in unix milliseconds. */
  now(): Promise<number>;
}

/** What became of a delivery. */
export interface DeliveryReport extends Settling {
  notification: Notification;
  delivery: Delivery;
  /** What the courier took. */
  ms: number;
}

export interface DeliverOptions {
  queue: Queue;
  courier: Courier;
  gate: Gate;
  /** Deliveries at once. */
  concurrency: number;
  /** After this long a delivery has failed. Shorter than the lease. */
  timeoutMs: number;
  leaseMs: number;
  /** The longest sleep: what another host ingested is found after that at the latest. */
  maxSleepMs: number;
  /** Ends it, once what is out has ended. */
  signal: AbortSignal;
  wakeup: Wakeup;
  onReport: (report: DeliveryReport) => void;
  /** Told after each claim. */
  onClaim?: () => void;
  /** Told when the receiver closes its gate, by the word of this host or of another. */
  onGate?: (state: GateState) => void;
}

/**
 * Delivers until the signal is aborted.
 *
 * @throws UnavailableError if Redis is away, once what is out has ended; call it again when it is back
 */
export async function deliverUntilStopped(options: DeliverOptions): Promise<void> {
  await new Deliveries(options, false).run();
}

/**
 * Delivers what is due now, and returns.
 *
 * @returns false if it was ended before, or if the receiver wants nothing now
 */
export async function deliverOnce(options: DeliverOptions): Promise<boolean> {
  return new Deliveries(options, true).run();
}

class Deliveries {
  readonly #out = new Set<Promise<void>>();
  #shownGate = "open";
  /** Claims in a row that were answered with nothing although something was due. */
  #vain = 0;

  constructor(
    private readonly options: DeliverOptions,
    private readonly isOnce: boolean,
  ) {}

  async run(): Promise<boolean> {
    try {
      while (!this.options.signal.aborted) {
        const end = await this.#step();
        if (end !== undefined) return end;
      }
      return false;
    } finally {
      await Promise.all(this.#out);
    }
  }

  /** Claims once and starts what was claimed; then waits until there may be more. Answers how it ended, if it did. */
  async #step(): Promise<boolean | undefined> {
    const { queue, gate, concurrency, wakeup } = this.options;
    const looked = wakeup.count;
    const [nowMs, state] = await Promise.all([queue.now(), gate.read()]);
    this.#showGate(state, nowMs);
    if (isClosed(state, nowMs)) return this.#waitAtGate(looked, state, nowMs);
    const free = concurrency - this.#out.size;
    const { nextMs, notifications } = await queue.claim(free);
    this.options.onClaim?.();
    // Also when the signal has come meanwhile: they are leased, and delivering them is the way to give them back.
    for (const notification of notifications) this.#start(notification);
    // All hands are full; or, once, what fails may be due again.
    if (this.#out.size === concurrency || (this.isOnce && this.#out.size > 0)) {
      await Promise.race(this.#out);
      return undefined;
    }
    if (this.isOnce) return true;
    const waitMs = nextMs === null ? Infinity : nextMs - nowMs;
    if (waitMs <= 0 && notifications.length > 0) return undefined;
    // Due, and not given out: what others have yet to do must not be waited for at full speed.
    this.#vain = waitMs > 0 ? 0 : this.#vain + 1;
    await this.#sleep(looked, Math.max(waitMs, backoffMs(this.#vain)));
    return undefined;
  }

  async #waitAtGate(looked: number, state: GateState, nowMs: number): Promise<boolean | undefined> {
    if (this.isOnce) return false;
    await this.#sleep(looked, state.state === "paused" ? state.untilMs - nowMs : Infinity);
    return undefined;
  }

  #sleep(looked: number, ms: number): Promise<void> {
    const { wakeup, maxSleepMs, signal } = this.options;
    return wakeup.sleep(looked, Math.min(ms, maxSleepMs), signal);
  }

  #showGate(state: GateState, nowMs: number): void {
    const shown = isClosed(state, nowMs) ? `${state.state} ${JSON.stringify(state)}` : "open";
    if (shown === this.#shownGate) return;
    this.#shownGate = shown;
    this.options.onGate?.(shown === "open" ? { state: "open" } : state);
  }

  #start(notification: Notification): void {
    const delivery = this.#deliver(notification).finally(() => this.#out.delete(delivery));
    this.#out.add(delivery);
  }

  async #deliver(notification: Notification): Promise<void> {
    const { courier, timeoutMs, onReport, wakeup } = this.options;
    const startedAt = performance.now();
    const delivery = await deliverWithin(courier, notification, timeoutMs);
    const ms = performance.now() - startedAt;
    const leaseEndMs = startedAt + this.options.leaseMs;
    const settling = await settle(() => this.#tell(notification, delivery), {
      leaseEndMs,
      signal: this.options.signal,
    });
    onReport({ notification, delivery, ms, ...settling });
    // It is due again sooner than was known when the sleep began.
    if (delivery.outcome !== "delivered") wakeup.wake();
  }

  async #tell(notification: Notification, delivery: Delivery): Promise<void> {
    const { queue, gate } = this.options;
    if (delivery.outcome === "delivered") return queue.ack(notification);
    // The gate first: whoever claims next must find it closed.
    if (delivery.outcome === "disabled") await gate.disable(await queue.now(), delivery.reason);
    else if (delivery.retryAfterMs !== undefined)
      await gate.pause((await queue.now()) + delivery.retryAfterMs, delivery.reason);
    await queue.fail(notification, delivery.reason);
  }
}
