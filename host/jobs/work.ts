/**
 * Working off tasks, from a queue in Redis to what does them.
 *
 * A claimed task is leased, and the lease is extended for as long as its work goes on: a host that dies is found out by the
 * lease's end, however long a task may take. Several hosts may do this at once.
 */
import { performance } from "node:perf_hooks";
import { setMaxListeners } from "node:events";
import { describeError, HotpathError } from "../runtime/errors";
import { pause } from "../runtime/wait";
import type { Wakeup } from "../runtime/wakeup";
import { isClosed, type Gate, type GateState } from "./gate";
import { settle, type Settling } from "./settle";

/** What a task's work may learn of it. */
export interface Task {
  id: string;
  /** Of the present lease. */
  token: string;
  type: string;
  /** From 1. */
  attempt: number;
  /** Unix milliseconds, by the server's clock. */
  enqueuedAtMs: number;
  /** What was enqueued, `type` included. */
  payload: Record<string, unknown>;
  /** How long it is leased at a time, in milliseconds. */
  leaseMs: number;
}

/** Where tasks come from, and are told to have ended. */
export interface TaskQueue {
  /** Leases one that is due; undefined if there is none. */
  claim(): Promise<Task | undefined>;
  /** Extends the lease by its length, from now. */
  extend(task: Task): Promise<void>;
  finish(task: Task, result: Record<string, unknown>): Promise<void>;
  fail(task: Task, failure: Failure): Promise<void>;
  /** Gives a task back that was not done, at once and without using up an attempt. */
  release(task: Task): Promise<void>;
  /** The server's clock, in unix milliseconds. */
  now(): Promise<number>;
}

/** Why a task was not done. */
export interface Failure {
  reason: string;
  /** Trying again is of no use. */
  permanent: boolean;
}

/** Thrown by a task's work where more is known than what went wrong. */
export class TaskFailure extends Error {
  override name = "TaskFailure";

  /**
   * @param options `permanent`: trying again is of no use. `retryAfterMs`: the queue is left alone for so long, by all hosts
   */
  constructor(
    message: string,
    readonly options: { permanent?: boolean; retryAfterMs?: number } = {},
  ) {
    super(message);
  }
}

/**
 * Does a task.
 *
 * @param signal aborted when the lease is lost, or when the host stops and has no patience any more
 * @returns what is kept of it
 * @throws TaskFailure, or whatever goes wrong: it is tried again then
 */
export type Work = (task: Task, signal: AbortSignal) => Promise<Record<string, unknown>>;

/** How a task ended here. */
export interface TaskReport extends Settling {
  task: Task;
  /** `released`: given back by a host that stops. */
  outcome: "finished" | "failed" | "released";
  result?: Record<string, unknown>;
  failure?: Failure;
  /** What the work took. */
  ms: number;
}

export interface WorkOptions {
  queue: TaskQueue;
  /** Closed while the vendor asks to be left alone. */
  gate: Gate;
  work: Work;
  /** Tasks at once. */
  concurrency: number;
  /** The longest sleep: what others enqueue is found after that at the latest. */
  maxSleepMs: number;
  /** So long may what is being done go on after `signal`; then it is given back. */
  patienceMs: number;
  /** Ends it. */
  signal: AbortSignal;
  wakeup: Wakeup;
  onReport: (report: TaskReport) => void;
  /** Told after each claim. */
  onClaim?: () => void;
  /** Told when the gate closes and opens, by the word of this host or of another. */
  onGate?: (state: GateState) => void;
}

/**
 * Works until the signal is aborted.
 *
 * @throws UnavailableError if Redis is away, once what was being done has ended; call it again when it is back
 */
export async function workUntilStopped(options: WorkOptions): Promise<void> {
  await new Worker(options, false).run();
}

/**
 * Works off what is due now, and what becomes due by that, and returns.
 *
 * @returns false if it was ended before, or if the vendor wants to be left alone
 */
export async function workOnce(options: WorkOptions): Promise<boolean> {
  return new Worker(options, true).run();
}

class Worker {
  readonly #running = new Set<Promise<void>>();
  #shownGate = "open";

  constructor(
    private readonly options: WorkOptions,
    private readonly isOnce: boolean,
  ) {
    // Each task listens to it.
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
      await Promise.all(this.#running);
    }
  }

  /** Claims what there are hands for; then waits until there may be more. Answers how it ended, if it did. */
  async #step(): Promise<boolean | undefined> {
    const { queue, gate, concurrency, wakeup, maxSleepMs, signal } = this.options;
    const looked = wakeup.count;
    const [nowMs, state] = await Promise.all([queue.now(), gate.read()]);
    this.#showGate(state, nowMs);
    if (isClosed(state, nowMs)) {
      if (this.isOnce && this.#running.size === 0) return false;
      await wakeup.sleep(
        looked,
        state.state === "paused" ? Math.min(state.untilMs - nowMs, maxSleepMs) : maxSleepMs,
        signal,
      );
      return undefined;
    }
    while (this.#running.size < concurrency && !signal.aborted) {
      const task = await queue.claim();
      this.options.onClaim?.();
      if (!task) {
        if (this.isOnce && this.#running.size === 0) return true;
        await wakeup.sleep(looked, maxSleepMs, signal);
        return undefined;
      }
      // Also when the signal has come meanwhile: it is leased, and is given back as all the others are.
      this.#start(task);
    }
    await wakeup.sleep(looked, maxSleepMs, signal);
    return undefined;
  }

  #showGate(state: GateState, nowMs: number): void {
    const shown = isClosed(state, nowMs) ? JSON.stringify(state) : "open";
    if (shown === this.#shownGate) return;
    this.#shownGate = shown;
    this.options.onGate?.(shown === "open" ? { state: "open" } : state);
  }

  #start(task: Task): void {
    const running = this.#do(task).finally(() => {
      this.#running.delete(running);
      // There is a hand free, and its end may have made others due: its parent, what comes after it, itself again.
      this.options.wakeup.wake();
    });
    this.#running.add(running);
  }

  async #do(task: Task): Promise<void> {
    const { work, patienceMs, signal, onReport } = this.options;
    const startedAt = performance.now();
    const hold = new Hold(this.options.queue, task);
    const outOfPatience = new AbortController();
    const onStop = (): void => void setTimeout(() => outOfPatience.abort(), patienceMs).unref();
    if (signal.aborted) onStop();
    else signal.addEventListener("abort", onStop, { once: true });
    const ending = AbortSignal.any([hold.lost, outOfPatience.signal]);
    // A page of many links waits for many things.
    setMaxListeners(0, ending);
    const end = await this.#try(() => work(task, ending), outOfPatience.signal);
    signal.removeEventListener("abort", onStop);
    hold.end();
    const settling = await this.#settle(task, end, hold);
    onReport({ task, ms: performance.now() - startedAt, ...settling, ...reportOf(end) });
  }

  async #try(work: () => Promise<Record<string, unknown>>, outOfPatience: AbortSignal): Promise<End> {
    try {
      return { outcome: "finished", result: await work() };
    } catch (error) {
      if (outOfPatience.aborted) return { outcome: "released" };
      const options = error instanceof TaskFailure ? error.options : {};
      const failure = { reason: describeError(error).slice(0, MAX_REASON), permanent: options.permanent ?? false };
      return { outcome: "failed", failure, retryAfterMs: options.retryAfterMs };
    }
  }

  async #settle(task: Task, end: End, hold: Hold): Promise<Settling> {
    if (hold.lost.aborted) return { settled: "lost" };
    return settle(() => this.#tell(task, end), { leaseEndMs: hold.leaseEndMs, signal: this.options.signal });
  }

  async #tell(task: Task, end: End): Promise<void> {
    const { queue, gate } = this.options;
    if (end.outcome === "finished") return queue.finish(task, end.result);
    if (end.outcome === "released") return queue.release(task);
    // The gate first: whoever claims next must find it closed.
    if (end.retryAfterMs !== undefined) await gate.pause((await queue.now()) + end.retryAfterMs, end.failure.reason);
    return queue.fail(task, end.failure);
  }
}

type End =
  | { outcome: "finished"; result: Record<string, unknown> }
  | { outcome: "released" }
  | { outcome: "failed"; failure: Failure; retryAfterMs: number | undefined };

function reportOf(end: End): Pick<TaskReport, "outcome" | "result" | "failure"> {
  if (end.outcome === "finished") return { outcome: end.outcome, result: end.result };
  return end.outcome === "failed" ? { outcome: end.outcome, failure: end.failure } : { outcome: end.outcome };
}

const MAX_REASON = 500;

/** A lease that is extended until its task has ended. */
class Hold {
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  #leaseEndMs: number;

  constructor(
    private readonly queue: Pick<TaskQueue, "extend">,
    private readonly task: Task,
  ) {
    this.#leaseEndMs = performance.now() + task.leaseMs;
    void this.#extendAlways();
  }

  /** Aborted once the lease is not ours any more: it has ended, or the task was cancelled. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** By `performance.now()`. */
  get leaseEndMs(): number {
    return this.#leaseEndMs;
  }

  end(): void {
    this.#ended.abort();
  }

  async #extendAlways(): Promise<void> {
    const { leaseMs } = this.task;
    for (;;) {
      await pause(leaseMs / 3, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      if (!(await this.#extend(performance.now() + leaseMs))) return this.#lost.abort();
    }
  }

  /** False if the lease is lost. */
  async #extend(leaseEndMs: number): Promise<boolean> {
    try {
      await this.queue.extend(this.task);
      this.#leaseEndMs = leaseEndMs;
      return true;
    } catch (error) {
      if (error instanceof HotpathError && ["NOTFOUND", "CONFLICT"].includes(error.code))
        return this.#ended.signal.aborted;
      // Away, or in a state that a person must mend: until the lease is over, nobody else has the task.
      return performance.now() < this.#leaseEndMs;
    }
  }
}
