/** Which host leads a tick of the schedule: compare-and-set on the job's last slot, with a lease. */
import { clock } from "./clock";
import type { Command } from "./declare";
import { command, integer, integerReply, NOW, text, unixMs } from "./declare";
import { fail, quote } from "./errors";
import { key } from "./keys";
import { HOUR_MS, MINUTE_MS } from "./time";
import { fields } from "./types";

/**
 * Slots come from the hosts' clocks. One that is further ahead of the server's than this is refused: it would keep
 * every right slot before it from being led.
 */
const MAX_AHEAD_MS = MINUTE_MS;

const JOB = { name: "job", type: text(1, 64), doc: "name of the job" } as const;
const SLOT = { name: "slot", type: unixMs, doc: "the time for which the tick was scheduled" } as const;
const WORKER = { name: "worker", type: text(1, 128), doc: "who asks; the same in every call of one host" } as const;

interface Lead {
  slot: number;
  worker: string;
  untilMs: number;
  done: boolean;
}

function tickKey(job: string): string {
  const [colon] = string.find(job, ":", 1, true);
  if (colon !== undefined) fail("BADARG", `job must have no colon, got ${quote(job)}`);
  return key("H", "TICK", "", job, "", "");
}

function readLead(job: string): Lead | undefined {
  const [slot, worker, until, done] = fields(tickKey(job), ["slot", "worker", "until", "done"]);
  if (slot === undefined || slot === false) return undefined;
  return { slot: tonumber(slot)!, worker: worker as string, untilMs: tonumber(until)!, done: done === "1" };
}

function mayLead(lead: Lead | undefined, slot: number, worker: string, nowMs: number): boolean {
  if (lead === undefined || lead.slot < slot) return true;
  if (lead.slot > slot || lead.done) return false;
  return lead.worker === worker || lead.untilMs <= nowMs;
}

/** `<library>_lead`: asks to lead a tick, and renews the lease while it runs. */
export function leadCommand(functionName: string): Command {
  return command(
    {
      name: functionName,
      summary: "Asks to lead one tick of a scheduled job",
      doc:
        "Of all hosts that ask for a slot one is told 1; it asks again to renew its lease. When its lease ends " +
        "before the tick is done, the next host that asks takes over. A slot before the last one led is over.",
      role: "scheduler",
      flags: [],
      positional: [JOB, SLOT, WORKER],
      options: [
        { name: "LEASE", type: integer(1000, HOUR_MS), default: 30000, unit: "ms", doc: "how long the lead lasts, ms" },
        NOW,
      ],
      reply: integerReply,
      errors: ["BADARG"],
      answer: { doc: "1, or 0 where another host leads it or it is over", flag: true },
      repeat: "same",
    },
    (args) => {
      const nowMs = clock(args.now);
      if (args.slot > nowMs + MAX_AHEAD_MS) {
        fail("BADARG", `slot is ${args.slot - nowMs} ms ahead of the clock, at most ${MAX_AHEAD_MS} are allowed`);
      }
      if (!mayLead(readLead(args.job), args.slot, args.worker, nowMs)) return 0;
      const untilMs = nowMs + args.lease;
      redis.call("HSET", tickKey(args.job), "slot", args.slot, "worker", args.worker, "until", untilMs, "done", "0");
      return 1;
    },
  );
}

/** `<library>_done`: ends a tick, so that no host takes it over. */
export function doneCommand(functionName: string): Command {
  return command(
    {
      name: functionName,
      summary: "Ends a tick that this worker leads",
      doc: "Answers 1, or 0 where another worker has taken the tick over or a later slot was led since.",
      role: "scheduler",
      flags: [],
      positional: [JOB, SLOT, WORKER],
      options: [],
      reply: integerReply,
      errors: ["BADARG"],
      answer: { doc: "1, or 0 where this worker does not lead it", flag: true },
      repeat: "same",
    },
    (args) => {
      const lead = readLead(args.job);
      if (lead === undefined || lead.slot !== args.slot || lead.worker !== args.worker) return 0;
      redis.call("HSET", tickKey(args.job), "done", "1");
      return 1;
    },
  );
}
