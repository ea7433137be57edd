/**
 * Cron patterns as slots: the points in time for which a job is due. Pure; the timers are in `scheduler.ts`.
 *
 * Patterns are read in UTC, whatever the machine's time zone: windows are aligned in UTC, and a day has 24 hours there.
 */
import { Cron } from "croner";
import { SECOND_MS } from "../runtime/time";

export interface Pattern {
  readonly text: string;
  /** The last slot at or before a time, in unix milliseconds; undefined if there was none. */
  latest(atMs: number): number | undefined;
  /** The first slot after a time, in unix milliseconds; undefined if there will be none. */
  next(afterMs: number): number | undefined;
}

/**
 * Reads a cron pattern: five fields from minutes on, or six with seconds first.
 *
 * @throws Error with the reason, in croner's words
 */
export function parsePattern(text: string): Pattern {
  const cron = new Cron(text, { timezone: "UTC", mode: "5-or-6-parts" });
  return {
    text,
    latest: (atMs) => {
      // croner looks before the second it is given, and a slot at that very second counts.
      const fromMs = Math.floor(atMs / SECOND_MS) * SECOND_MS + SECOND_MS;
      return cron.previousRuns(1, new Date(fromMs))[0]?.getTime();
    },
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
  };
}
