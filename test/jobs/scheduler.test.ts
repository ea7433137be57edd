import { describe, expect, it } from "vitest";
import { backoffMs } from "../../host/runtime/backoff";
import { UnavailableError } from "../../host/runtime/errors";
import { runSchedule, Schedule, type ScheduledJob, type TickOutcome } from "../../host/jobs/scheduler";
import { parsePattern } from "../../host/jobs/slots";
import { runNode } from "../support/processes";

const at = (iso: string): number => Date.parse(iso);
const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());
const MINUTE_MS = 60_000;

describe("slots", () => {
  it("counts a slot at the very millisecond", () => {
    const pattern = parsePattern("*/5 * * * *");
    expect(iso(pattern.latest(at("2024-05-01T10:05:00.000Z")))).toBe("2024-05-01T10:05:00.000Z");
    expect(iso(pattern.latest(at("2024-05-01T10:05:00.000Z") - 1))).toBe("2024-05-01T10:00:00.000Z");
    expect(iso(pattern.latest(at("2024-05-01T10:05:00.999Z")))).toBe("2024-05-01T10:05:00.000Z");
    expect(iso(pattern.next(at("2024-05-01T10:05:00.000Z")))).toBe("2024-05-01T10:10:00.000Z");
    expect(iso(pattern.next(at("2024-05-01T10:05:00.000Z") - 1))).toBe("2024-05-01T10:05:00.000Z");
  });

  it("takes seconds too, and knows when there is no slot", () => {
    expect(iso(parsePattern("*/10 * * * * *").latest(at("2024-05-01T10:05:29Z")))).toBe("2024-05-01T10:05:20.000Z");
    expect(iso(parsePattern("0 0 29 2 *").latest(at("2023-01-01T00:00:00Z")))).toBe("2020-02-29T00:00:00.000Z");
    expect(parsePattern("0 0 30 2 *").next(at("2023-01-01T00:00:00Z"))).toBeUndefined();
    for (const wrong of ["", "* * * *", "61 * * * *", "*/5 * * * * * *", "rubbish"])
      expect(() => parsePattern(wrong)).toThrow();
  });

  // Brussels: 2024-03-31 has no 02:30, 2024-10-27 has it twice. The process itself lives there.
  it.each(["Europe/Brussels", "America/New_York", "Australia/Lord_Howe"])(
    "neither doubles nor skips a slot on DST weekends in %s",
    async (zone) => {
      const script = `
      import { parsePattern } from "./host/jobs/slots";
      const walk = (text, from, to) => {
        const pattern = parsePattern(text); const slots = [];
        for (let t = pattern.next(Date.parse(from) - 1); t <= Date.parse(to); t = pattern.next(t)) {
          if (pattern.latest(t + 59999) !== t || pattern.latest(t - 1) >= t) throw new Error("latest and next disagree at " + t);
          slots.push(t);
        }
        return slots;
      };
      for (const [text, stepMs] of [["*/5 * * * *", 300000], ["0 */3 * * *", 10800000], ["0 * * * *", 3600000]]) {
        for (const [from, to] of [["2024-03-08", "2024-03-12"], ["2024-03-30", "2024-04-09"], ["2024-10-04", "2024-10-08"], ["2024-10-26", "2024-11-05"]]) {
          const slots = walk(text, from, to);
          if (slots.length !== (Date.parse(to) - Date.parse(from)) / stepMs + 1) throw new Error(text + " has " + slots.length);
          if (slots.some((t, i) => i > 0 && t - slots[i - 1] !== stepMs)) throw new Error("uneven");
        }
      }
      console.log(new Date(0).getTimezoneOffset() === 0 ? "in UTC" : "even");`;
      const run = runNode(["--import", "tsx", "--input-type=module", "--eval", script], { env: { TZ: zone } });
      expect((await run.exit).code, run.errors.join("\n")).toBe(0);
      expect(run.lines).toEqual(["even"]);
    },
  );
});

const OPTIONS = { settleMs: 5000, retryMs: 30_000 };

function job(
  name: string,
  pattern: string,
  run: (slot: number) => TickOutcome | Promise<TickOutcome> = () => "done",
): ScheduledJob {
  return { name, pattern: parsePattern(pattern), run: async (slot) => run(slot) };
}

describe("what is due", () => {
  const five = job("five", "*/5 * * * *");
  const hour = job("hour", "0 * * * *");
  const noon = at("2024-05-01T12:00:00Z");

  it("runs the latest slot at the start, once for all that were missed, in the order of the jobs", () => {
    const schedule = new Schedule([five, hour], OPTIONS);
    const now = noon + 17 * MINUTE_MS;
    expect(schedule.due(now)).toEqual({ job: five, slot: noon + 15 * MINUTE_MS });
    schedule.ended(five, noon + 15 * MINUTE_MS, "done", now);
    expect(schedule.due(now)).toEqual({ job: hour, slot: noon });
    schedule.ended(hour, noon, "done", now);
    expect(schedule.due(now)).toBeUndefined();
    expect(schedule.idleMs(now)).toBe(3 * MINUTE_MS + OPTIONS.settleMs);
    // Three hours of sleep.
    const later = now + 180 * MINUTE_MS;
    expect(schedule.due(later)).toEqual({ job: five, slot: noon + 195 * MINUTE_MS });
  });

  it("waits until events of the last second are in", () => {
    const schedule = new Schedule([five], OPTIONS);
    schedule.ended(five, noon - 5 * MINUTE_MS, "done", noon);
    expect(schedule.due(noon + OPTIONS.settleMs - 1)).toBeUndefined();
    expect(schedule.idleMs(noon + OPTIONS.settleMs - 1)).toBe(1);
    expect(schedule.due(noon + OPTIONS.settleMs)?.slot).toBe(noon);
    expect(schedule.idleMs(noon + OPTIONS.settleMs)).toBe(0);
  });

  it.each(["elsewhere", "failed", "stopped"] as const)(
    "asks again after a while about a tick that ended as %s",
    (outcome) => {
      const schedule = new Schedule([five], OPTIONS);
      const now = noon + 10_000;
      schedule.ended(five, noon, outcome, now);
      expect(schedule.due(now)).toBeUndefined();
      expect(schedule.idleMs(now)).toBe(OPTIONS.retryMs);
      expect(schedule.due(now + OPTIONS.retryMs)?.slot).toBe(noon);
    },
  );

  it("is not silenced by a clock that is set back", () => {
    const schedule = new Schedule([five], OPTIONS);
    schedule.ended(five, noon, "elsewhere", noon + 600 * MINUTE_MS);
    expect(schedule.due(noon + 10_000)?.slot).toBe(noon);
  });
});

describe("running what is due", () => {
  it("goes on with the other jobs when one fails, and stops between ticks", async () => {
    const stop = new AbortController();
    const ended: string[] = [];
    const schedule = new Schedule(
      [
        job("bad", "* * * * * *", () => {
          throw new Error("no");
        }),
        job("good", "0 0 1 1 *", () => {
          stop.abort();
          return "done";
        }),
      ],
      { settleMs: 0, retryMs: 1000 },
    );
    await runSchedule(schedule, stop.signal, ({ name }, _, outcome) => void ended.push(`${name} ${outcome}`));
    expect(ended).toEqual(["bad failed", "good done"]);
  });

  it("gives up while Redis is away, and runs the same tick when it is called again", async () => {
    const stop = new AbortController();
    const slots: number[] = [];
    const schedule = new Schedule(
      [
        job("five", "*/5 * * * *", (slot) => {
          slots.push(slot);
          if (slots.length === 1) throw new UnavailableError("away", true);
          stop.abort();
          return "done";
        }),
      ],
      OPTIONS,
    );
    const clock = (): number => at("2024-05-01T12:03:00Z");
    await expect(runSchedule(schedule, stop.signal, () => undefined, clock)).rejects.toThrow("away");
    await runSchedule(schedule, stop.signal, () => undefined, clock);
    expect(slots).toEqual([at("2024-05-01T12:00:00Z"), at("2024-05-01T12:00:00Z")]);
  });

  it("wakes for the next slot by itself", async () => {
    const stop = new AbortController();
    let runs = 0;
    const schedule = new Schedule(
      [
        job("second", "* * * * * *", () => {
          runs += 1;
          if (runs === 3) stop.abort();
          return "done";
        }),
      ],
      { settleMs: 0, retryMs: 1000 },
    );
    await runSchedule(schedule, stop.signal, () => undefined);
    expect(runs).toBe(3);
  });
});

describe("back-off", () => {
  it("doubles, has a cap, and half of it is random", () => {
    expect([0, 1, 2, 3, 20, 1000].map((attempt) => backoffMs(attempt, () => 1))).toEqual([
      50, 100, 200, 400, 3000, 3000,
    ]);
    expect(backoffMs(20, () => 0)).toBe(1500);
  });
});
