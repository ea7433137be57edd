/**
 * Working off a queue whose items are leased: claim, keep to the gate, work, tell the queue, sleep until there is more.
 *
 * Nobody asks Redis again and again whether something is due: a claim answers when the next item is, and the host sleeps until then,
 * unless it is woken by an item that came or by one whose end made others due. Several hosts may do this at once; an item is leased
 * to one of them. Deliveries of notifications and tasks of the catalogue are its users.
 */
import { setMaxListeners } from "node:events";
import { performance } from "node:perf_hooks";
import { backoffMs } from "../runtime/backoff";
import { HotpathError, SlotMovingError, UnavailableError } from "../runtime/errors";
import { pause } from "../runtime/wait";
import type { Wakeup } from "../runtime/wakeup";
import { isClosed, type Gate, type GateState } from "./gate";

/** Where items come from. */
export interface LeasedQueue<Item> {
  /**
   * Leases items that are due, `count` at most.
   * @returns and when there is something to claim again, in unix milliseconds by the server's clock; null if nothing waits
   */
  claim(count: number): Promise<{ nextMs: number | null; items: Item[] }>;
  /** The server's clock, in unix milliseconds. */
  now(): Promise<number>;
}

/** What users of the loop leave to theirs. */
export interface LoopOptions {
  /** Closed while the other side wants nothing. */
  gate: Gate;
  /** Items at once. */
  concurrency: number;
  /** The longest sleep: what other hosts put into the queue is found after that at the latest. */
  maxSleepMs: number;
  /** Ends it, once what is in hand has ended. */
  signal: AbortSignal;
  wakeup: Wakeup;
  /** Told after each claim. */
  onClaim?: () => void;
  /** Told when the gate closes and opens, by the word of this host or of another. */
  onGate?: (state: GateState) => void;
}

export interface LeasedLoop<Item> extends LoopOptions {
  queue: LeasedQueue<Item>;
  /**
   * Works on an item and tells the queue how it ended; see {@link settle}. Does not throw.
   * @returns whether others may be due by its end
   */
  work(item: Item): Promise<boolean>;
}

/**
 * Works until the signal is aborted.
 *
 * @throws UnavailableError if Redis is away, once what is in hand has ended; call it again when it is back
 */
export async function workOffUntilStopped<Item>(loop: LeasedLoop<Item>): Promise<void> {
  await new Loop(loop, false).run();
}

/**
 * Works off what is due now, and what becomes due by that, and returns.
 *
 * @returns false if it was ended before, or if the gate is closed
 */
export async function workOffOnce<Item>(loop: LeasedLoop<Item>): Promise<boolean> {
  return new Loop(loop, true).run();
}

class Loop<Item> {
  readonly #inHand = new Set<Promise<void>>();
  #shownGate = "open";
  /** Claims in a row that were answered with nothing although something was due. */
  #vain = 0;

  constructor(
    private readonly options: LeasedLoop<Item>,
    private readonly isOnce: boolean,
  ) {
    // Each item listens to it.
    setMaxListeners(0, options.signal);
  }

  async run(): Promise<boolean> {
    try {
      while (!this.options.signal.aborted) {
        const end = await this.#step();
        if (end !== undefined) return end;
      }
      return false;
    } finally {
      await Promise.all(this.#inHand);
    }
  }

  /** Claims once and starts what was claimed; then waits until there may be more. Answers how it ended, if it did. */
  async #step(): Promise<boolean | undefined> {
    const { queue, gate, concurrency, wakeup } = this.options;
    if (this.#inHand.size >= concurrency) {
      await Promise.race(this.#inHand);
      return undefined;
    }
    const looked = wakeup.count;
    const [nowMs, state] = await Promise.all([queue.now(), gate.read()]);
    this.#showGate(state, nowMs);
    if (isClosed(state, nowMs)) {
      if (this.isOnce && this.#inHand.size === 0) return false;
      await this.#sleep(looked, state.state === "paused" ? state.untilMs - nowMs : Infinity);
      return undefined;
    }
    const { nextMs, items } = await queue.claim(concurrency - this.#inHand.size);
    this.options.onClaim?.();
    // Also when the signal has come meanwhile: they are leased, and working on them is the way to give them back.
    for (const item of items) this.#start(item);
    const waitMs = nextMs === null ? Infinity : nextMs - nowMs;
    if (this.#inHand.size >= concurrency || (waitMs <= 0 && items.length > 0)) return undefined;
    if (this.isOnce) {
      if (this.#inHand.size === 0) return true;
      // What is in hand may make others due, or fail and be due again.
      await this.#sleep(looked, Infinity);
      return undefined;
    }
    // Due, and not given out: what others have yet to do must not be waited for at full speed.
    this.#vain = waitMs > 0 ? 0 : this.#vain + 1;
    await this.#sleep(looked, Math.max(waitMs, backoffMs(this.#vain)));
    return undefined;
  }

  #sleep(looked: number, ms: number): Promise<void> {
    const { wakeup, maxSleepMs, signal } = this.options;
    return wakeup.sleep(looked, Math.min(ms, maxSleepMs), signal);
  }

  #showGate(state: GateState, nowMs: number): void {
    const shown = isClosed(state, nowMs) ? JSON.stringify(state) : "open";
    if (shown === this.#shownGate) return;
    this.#shownGate = shown;
    this.options.onGate?.(shown === "open" ? { state: "open" } : state);
  }

  #start(item: Item): void {
    let makesDue = false;
    const working = this.options
      .work(item)
      .then((makes) => void (makesDue = makes))
      .finally(() => {
        this.#inHand.delete(working);
        if (makesDue || this.isOnce) this.options.wakeup.wake();
      });
    this.#inHand.add(working);
  }
}

/** What the other side said while an item was worked on: it wants nothing for so long, or nothing any more. */
export interface Refusal {
  reason: string;
  /** Milliseconds; undefined for ever. */
  forMs: number | undefined;
}

export interface Settling {
  /** `settled`: Redis knows. `lost`: the lease was over, or the item is gone. `unknown`: Redis could not be told. */
  settled: "settled" | "lost" | "unknown";
  /** Why it could not be told, if that is not that Redis is away. */
  error?: unknown;
}

interface SettleOptions {
  /** When the lease ends, by `performance.now()`: nobody listens after that. */
  leaseEndMs: number;
  /** Closes the gate before the queue is told: the next one to claim must find it closed. */
  refusal?: Refusal | undefined;
}

/** Once the host stops, so long is tried to tell Redis how something ended. */
const STOP_PATIENCE_MS = 3000;

/**
 * Tells Redis how work on an item ended, again and again while Redis is away: what is done and not told would be done again.
 *
 * @param tell makes the call
 */
export async function settle(
  { queue, gate, signal }: { queue: Pick<LeasedQueue<never>, "now">; gate: Gate; signal: AbortSignal },
  tell: () => Promise<unknown>,
  { leaseEndMs, refusal }: SettleOptions,
): Promise<Settling> {
  let stoppedAt: number | undefined;
  for (let attempt = 0, isUncertain = false; ; attempt += 1) {
    let isMoving = false;
    try {
      if (refusal) {
        const nowMs = await queue.now();
        if (refusal.forMs === undefined) await gate.disable(nowMs, refusal.reason);
        else await gate.pause(nowMs + refusal.forMs, refusal.reason);
      }
      await tell();
      return { settled: "settled" };
    } catch (error) {
      // A lost lease; or our own call, which ran although its answer did not come.
      if (isLeaseLost(error)) return { settled: isUncertain ? "settled" : "lost" };
      if (!(error instanceof UnavailableError)) return { settled: "unknown", error };
      isUncertain ||= error.maybeExecuted;
      // While its slot is being moved, nobody else can claim it either.
      isMoving = error instanceof SlotMovingError;
    }
    const now = performance.now();
    if (signal.aborted) stoppedAt ??= now;
    if ((now > leaseEndMs && !isMoving) || (stoppedAt !== undefined && now - stoppedAt > STOP_PATIENCE_MS))
      return { settled: "unknown" };
    await pause(backoffMs(attempt));
  }
}

/** Whether Redis has refused a call because the caller does not hold the lease, or because the item is gone. */
export function isLeaseLost(error: unknown): boolean {
  return error instanceof HotpathError && ["NOTFOUND", "CONFLICT"].includes(error.code);
}
