/**
 * Tasks: a vendor's queue in Redis, and working them off with whatever does them.
 *
 * A claimed task is leased, and the lease is extended for as long as its work goes on: a host that dies is found out by the
 * lease's end, however long a task may take.
 */
import { setMaxListeners } from "node:events";
import { performance } from "node:perf_hooks";
import type { HotpathFunctions } from "../contract";
import {
  isLeaseLost,
  settle,
  workOffOnce,
  workOffUntilStopped,
  type LeasedLoop,
  type LoopOptions,
  type Refusal,
  type Settling,
} from "../jobs/leased-queue";
import { describeError } from "../runtime/errors";
import { pause } from "../runtime/wait";

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
interface Failure {
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

/** The gate is closed while the vendor asks to be left alone. */
export interface WorkOptions extends LoopOptions {
  queue: TaskQueue;
  work: Work;
  /** So long may what is being done go on after `signal`; then it is given back. */
  patienceMs: number;
  onReport: (report: TaskReport) => void;
}

/**
 * Works until the signal is aborted.
 *
 * @throws UnavailableError if Redis is away, once what was being done has ended; call it again when it is back
 */
export async function workUntilStopped(options: WorkOptions): Promise<void> {
  await workOffUntilStopped(loopOf(options));
}

/**
 * Works off what is due now, and what becomes due by that, and returns.
 *
 * @returns false if it was ended before, or if the vendor wants to be left alone
 */
export async function workOnce(options: WorkOptions): Promise<boolean> {
  return workOffOnce(loopOf(options));
}

function loopOf(options: WorkOptions): LeasedLoop<Task> {
  const { queue } = options;
  return {
    ...options,
    queue: {
      now: () => queue.now(),
      claim: async () => {
        const task = await queue.claim();
        // One is leased at a time: where there was one, there may be another at once.
        return task ? { nextMs: -Infinity, items: [task] } : { nextMs: null, items: [] };
      },
    },
    work: async (task) => {
      await doTask(options, task);
      // Its parent, what comes after it, itself again.
      return true;
    },
  };
}

async function doTask(options: WorkOptions, task: Task): Promise<void> {
  const { queue, work, patienceMs, signal, onReport } = options;
  const startedAt = performance.now();
  const hold = new Hold(queue, task);
  const outOfPatience = new AbortController();
  const onStop = (): void => void setTimeout(() => outOfPatience.abort(), patienceMs).unref();
  if (signal.aborted) onStop();
  else signal.addEventListener("abort", onStop, { once: true });
  const ending = AbortSignal.any([hold.lost, outOfPatience.signal]);
  // A page of many links waits for many things.
  setMaxListeners(0, ending);
  let end: Pick<TaskReport, "outcome" | "result" | "failure">;
  let refusal: Refusal | undefined;
  let tell: () => Promise<void>;
  try {
    const result = await work(task, ending);
    end = { outcome: "finished", result };
    tell = () => queue.finish(task, result);
  } catch (error) {
    const { permanent = false, retryAfterMs } = error instanceof TaskFailure ? error.options : {};
    const failure = { reason: describeError(error).slice(0, MAX_REASON), permanent };
    if (outOfPatience.signal.aborted) {
      end = { outcome: "released" };
      tell = () => queue.release(task);
    } else {
      end = { outcome: "failed", failure };
      tell = () => queue.fail(task, failure);
      if (retryAfterMs !== undefined) refusal = { reason: failure.reason, forMs: retryAfterMs };
    }
  }
  signal.removeEventListener("abort", onStop);
  hold.end();
  const settling: Settling = hold.lost.aborted
    ? { settled: "lost" }
    : await settle(options, tell, { leaseEndMs: hold.leaseEndMs, refusal });
  onReport({ task, ms: performance.now() - startedAt, ...settling, ...end });
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
      if (isLeaseLost(error)) return this.#ended.signal.aborted;
      // Away, or in a state that a person must mend: until the lease is over, nobody else has the task.
      return performance.now() < this.#leaseEndMs;
    }
  }
}

type TaskFunctions = Pick<HotpathFunctions, "claimTask" | "extendTask" | "finishTask" | "failTask" | "releaseTask">;

/** As `claim_task` answers it. */
interface Claimed {
  id: string;
  token: string;
  type: string;
  attempt: number;
  enqueued_at: number;
  lease_until: number;
  payload: Record<string, unknown>;
}

/**
 * The queue of a name.
 *
 * @param worker names this host, in lists of what is out
 * @param now the server's clock, in unix milliseconds
 */
export function taskQueueOf(
  functions: TaskFunctions,
  queue: string,
  worker: string,
  now: () => Promise<number>,
): TaskQueue {
  return {
    claim: async () => {
      // Sent together, so that what is left of the lease is known, whatever the clock of this machine says.
      const [nowMs, json] = await Promise.all([now(), functions.claimTask({ queue, worker })]);
      return json === null ? undefined : parseTask(json, nowMs);
    },
    extend: async ({ id, token }) => void (await functions.extendTask({ id, token })),
    finish: async ({ id, token }, result) =>
      void (await functions.finishTask({ id, token, result: JSON.stringify(result) })),
    fail: async ({ id, token }, { reason, permanent }) =>
      void (await functions.failTask({ id, token, reason, ...(permanent && { final: 1 }) })),
    release: async ({ id, token }) => void (await functions.releaseTask({ id, token })),
    now,
  };
}

function parseTask(json: string, nowMs: number): Task {
  const {
    id,
    token,
    type,
    attempt,
    enqueued_at: enqueuedAtMs,
    lease_until: leaseUntilMs,
    payload,
  } = JSON.parse(json) as Claimed;
  return { id, token, type, attempt, enqueuedAtMs, payload, leaseMs: Math.max(leaseUntilMs - nowMs, 1) };
}
