/**
 * Which job is due when, and the timer that runs them.
 *
 * A schedule is a row of slots, not a chain of timers: what is due follows from the clock alone, so that a host that
 * slept, was away from Redis, or has just started runs what it missed, once. Several missed slots of a job are one: the
 * functions work off everything that is due.
 */
import { SlotMovingError, UnavailableError } from "../runtime/errors";
import { pause } from "../runtime/wait";
import type { Pattern } from "./slots";

/** `done`: this host did it. `elsewhere`: another host leads it, or has done it. `stopped`: ended half-way, by a signal or by a slot that is being moved. */
export type TickOutcome = "done" | "elsewhere" | "stopped";

export interface ScheduledJob {
  name: string;
  pattern: Pattern;
  /** How long after the other jobs of its slot it starts, in milliseconds. Default 0. */
  delayMs?: number;
  /** @param slot the time for which the tick was scheduled, in unix milliseconds */
  run(slot: number): Promise<TickOutcome>;
}

export interface ScheduleOptions {
  /** How long after its slot a tick starts, in milliseconds: events of the last second are still on their way. */
  settleMs: number;
  /** When to ask again about a tick that another host leads, in milliseconds: it may die. */
  retryMs: number;
}

interface JobState {
  job: ScheduledJob;
  /** The last slot that is done. */
  doneSlot: number;
  /** Not before this. */
  notBeforeMs: number;
}

/** What is due, without timers. Jobs are due in the order in which they were given. */
export class Schedule {
  readonly #states: JobState[];

  constructor(
    jobs: readonly ScheduledJob[],
    private readonly options: ScheduleOptions,
  ) {
    this.#states = jobs.map((job) => ({ job, doneSlot: -Infinity, notBeforeMs: -Infinity }));
  }

  /** The first job that is due, with its latest slot. */
  due(nowMs: number): { job: ScheduledJob; slot: number } | undefined {
    for (const { job, doneSlot, notBeforeMs } of this.#states) {
      // A clock that was set back leaves a time far ahead behind; it must not silence the job.
      const waits = nowMs < notBeforeMs && notBeforeMs - nowMs <= this.options.retryMs;
      const slot = waits ? undefined : job.pattern.latest(nowMs - this.#settleMs(job));
      if (slot !== undefined && slot > doneSlot) return { job, slot };
    }
    return undefined;
  }

  /** Takes note of how a tick ended. */
  ended(job: ScheduledJob, slot: number, outcome: TickOutcome | "failed", nowMs: number): void {
    const state = this.#states.find((each) => each.job === job)!;
    if (outcome === "done") state.doneSlot = slot;
    else state.notBeforeMs = nowMs + this.options.retryMs;
  }

  #settleMs({ delayMs = 0 }: ScheduledJob): number {
    return this.options.settleMs + delayMs;
  }

  /** How long nothing can become due, in milliseconds. */
  idleMs(nowMs: number): number {
    const times = this.#states.map(({ job, notBeforeMs, doneSlot }) => {
      const settleMs = this.#settleMs(job);
      const next = job.pattern.next(nowMs - settleMs);
      const latest = job.pattern.latest(nowMs - settleMs);
      const again = latest !== undefined && latest > doneSlot ? Math.max(notBeforeMs, nowMs) : Infinity;
      return Math.min(again, next === undefined ? Infinity : next + settleMs);
    });
    return Math.max(0, Math.min(...times) - nowMs);
  }
}

/** The wall clock is looked at so often, because a timer stands still while the machine sleeps. */
const MAX_IDLE_MS = 10_000;

/**
 * Runs what is due, one job at a time, until the signal is aborted.
 *
 * @param onEnd told how each tick ended; with the error if it failed, or if its slot is being moved
 * @throws UnavailableError if Redis is away; call it again, with the same schedule, when it is back
 */
export async function runSchedule(
  schedule: Schedule,
  signal: AbortSignal,
  onEnd: (job: ScheduledJob, slot: number, outcome: TickOutcome | "failed", error?: unknown) => void,
  clock: () => number = Date.now,
): Promise<void> {
  while (!signal.aborted) {
    const due = schedule.due(clock());
    if (!due) {
      await pause(Math.min(schedule.idleMs(clock()), MAX_IDLE_MS), signal);
      continue;
    }
    const { job, slot } = due;
    try {
      const outcome = await job.run(slot);
      schedule.ended(job, slot, outcome, clock());
      onEnd(job, slot, outcome);
    } catch (error) {
      const isMoving = error instanceof SlotMovingError;
      if (error instanceof UnavailableError && !isMoving) throw error;
      // The other jobs go on.
      const outcome = isMoving ? "stopped" : "failed";
      schedule.ended(job, slot, outcome, clock());
      onEnd(job, slot, outcome, error);
    }
  }
}
