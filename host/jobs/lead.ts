/** Leading a tick of the schedule: of several hosts one works, and if it dies another takes over. */
import { performance } from "node:perf_hooks";
import type { HotpathFunctions } from "../contract";
import type { TickOutcome } from "./scheduler";

export type LeadFunctions = Pick<HotpathFunctions, "trackerLead" | "trackerDone">;

export interface LeadOptions {
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

export class Lead {
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

/**
 * One tick of a job, if this host leads it: the lease is renewed between the calls, and the tick ended when all is done.
 *
 * @param signal ends it between two calls; the tick is then left to the next host that asks
 * @param nothing what was done where another host leads
 * @param work asks `mayGoOn` before each call, and ends where that says no
 * @returns how it ended, and what was done by this host
 */
export async function leadTick<Summary extends { finished: boolean }>(
  functions: LeadFunctions,
  leading: LeadOptions,
  signal: AbortSignal,
  nothing: Summary,
  work: (mayGoOn: () => Promise<boolean>) => Promise<Summary>,
): Promise<{ outcome: TickOutcome; summary: Summary }> {
  const lead = await Lead.take(functions, leading);
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
}
