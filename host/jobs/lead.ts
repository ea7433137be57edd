/** Leading a tick of the schedule: of several hosts one works, and if it dies another takes over. */
import { performance } from "node:perf_hooks";
import type { HotpathFunctions } from "../contract";
import type { ScheduledJob, TickOutcome } from "./scheduler";
import type { Service } from "./service";
import { parsePattern } from "./slots";

type LeadFunctions = Pick<HotpathFunctions, "trackerLead" | "trackerDone">;

interface LeadOptions {
  /** No colon in it: it becomes part of a key. */
  job: string;
  /** The time for which the tick was scheduled, in unix milliseconds. */
  slot: number;
  /** Names this host, the same in every call. */
  worker: string;
  /** How long the others wait for a sign of life, in milliseconds, at least 1000. */
  leaseMs: number;
}

/** The shortest lease there is. */
const HAND_OVER_MS = 1000;

class Lead {
  #renewedAt = performance.now();

  private constructor(
    private readonly functions: LeadFunctions,
    private readonly options: LeadOptions,
  ) {}

  /** Asks to lead; undefined if another host does, or if the tick is done. */
  static async take(functions: LeadFunctions, options: LeadOptions): Promise<Lead | undefined> {
    const lead = new Lead(functions, options);
    return (await lead.#ask(options.leaseMs)) ? lead : undefined;
  }

  /** Renews the lease when a third of it is over; false if another host has taken over. */
  async keep(): Promise<boolean> {
    if (performance.now() - this.#renewedAt < this.options.leaseMs / 3) return true;
    return this.#ask(this.options.leaseMs);
  }

  /** Ends the tick; false if another host has taken over. */
  async done(): Promise<boolean> {
    const { job, slot, worker } = this.options;
    return (await this.functions.trackerDone({ job, slot, worker })) === 1;
  }

  /** Leaves an unfinished tick to whoever asks next. */
  async handOver(): Promise<void> {
    await this.#ask(HAND_OVER_MS);
  }

  async #ask(lease: number): Promise<boolean> {
    const { job, slot, worker } = this.options;
    const askedAt = performance.now();
    const leads = (await this.functions.trackerLead({ job, slot, worker, lease })) === 1;
    this.#renewedAt = askedAt;
    return leads;
  }
}

/** How a tick ended, and what this host has done of it. */
interface LedTick<Summary> {
  slot: number;
  outcome: TickOutcome;
  summary: Summary;
  ms: number;
}

interface LedJob<Summary> {
  /** What logs and metrics call it. */
  name: string;
  /** What hosts call it among themselves. No colon in it: it becomes part of a key. */
  job: string;
  /** A cron pattern, in UTC. */
  pattern: string;
  /** As of a {@link ScheduledJob}. */
  delayMs?: number;
  functions: LeadFunctions;
  /** How long the others wait for a sign of life, in milliseconds, at least 1000. */
  leaseMs: number;
  /** What was done where another host leads. */
  nothing: Summary;
  /** Does all that is due; asks `mayGoOn` before each call, and ends where that says no. */
  work(mayGoOn: () => Promise<boolean>): Promise<Summary>;
  /** Told how each tick ended that did not fail. */
  onEnd(tick: LedTick<Summary>): void;
}

/**
 * A job for the schedule, each tick of which is led by one of all hosts: the lease is renewed between its calls, and the tick ended when
 * all is done. A host that stops leaves the tick to the next one that asks.
 */
export function ledJob<Summary extends { finished: boolean }>(
  { host, signal }: Pick<Service, "host" | "signal">,
  { name, job, pattern, delayMs = 0, functions, leaseMs, nothing, work, onEnd }: LedJob<Summary>,
): ScheduledJob {
  const tick = async (slot: number): Promise<{ outcome: TickOutcome; summary: Summary }> => {
    const lead = await Lead.take(functions, { job, slot, worker: host.worker, leaseMs });
    if (!lead) return { outcome: "elsewhere", summary: nothing };
    let lost = false;
    const summary = await work(async () => {
      if (signal.aborted) return false;
      lost = !(await lead.keep());
      return !lost;
    });
    if (lost) return { outcome: "elsewhere", summary };
    if (!summary.finished) {
      await lead.handOver();
      return { outcome: "stopped", summary };
    }
    return { outcome: (await lead.done()) ? "done" : "elsewhere", summary };
  };
  const run = async (slot: number): Promise<TickOutcome> => {
    const startedAt = performance.now();
    const { outcome, summary } = await tick(slot);
    onEnd({ slot, outcome, summary, ms: Math.round(performance.now() - startedAt) });
    return outcome;
  };
  return { name, pattern: parsePattern(pattern), delayMs, run };
}
