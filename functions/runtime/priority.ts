/**
 * Which entry of a queue with priorities goes out next. All that wait are in one sorted set, the score of each being a digit for
 * its priority and 14 for the time from which it may go out (see `readyScore`). So the first of the set is the one to give out,
 * unless it is not its time yet: then nobody's of that priority is, and the search goes on with the first of the next.
 */
import type { Queue } from "./queue";
import { onKey } from "./types";

/** Priorities from 0, which goes out first, to this one. */
export const MAX_PRIORITY = 9;

/** A priority's share of the scores. */
const BAND = 100000000000000;

/** The lowest score of a priority; Lua would print 14 digits of the number. */
function bandStart(priority: number): string {
  return string.format("%.0f", priority * BAND);
}

/** The time in a score, unix ms. */
export function readyMs(score: string): number {
  return tonumber(score)! % BAND;
}

/** What is first in the priorities from one on: id and score, empty if there is none; CONFLICT if the key is foreign. */
function firstFrom(queue: Queue, priority: number): string[] {
  if (priority === 0) return onKey("ZRANGE", queue.ready, "0", "0", "WITHSCORES");
  return onKey("ZRANGE", queue.ready, bandStart(priority), "+inf", "BYSCORE", "LIMIT", "0", "1", "WITHSCORES");
}

/** The entry to give out: of the first priority that has one whose time has come, the one that waits longest. */
export function firstReady(queue: Queue, nowMs: number): string | undefined {
  let priority = 0;
  while (priority <= MAX_PRIORITY) {
    const [id, score] = firstFrom(queue, priority);
    if (id === undefined || readyMs(score!) <= nowMs) return id;
    priority = Math.floor(tonumber(score)! / BAND) + 1;
  }
  return undefined;
}

/** The first time at which an entry may go out, unix ms; undefined if none waits. */
export function firstReadyMs(queue: Queue): number | undefined {
  let first: number | undefined;
  let priority = 0;
  while (priority <= MAX_PRIORITY) {
    const [id, score] = firstFrom(queue, priority);
    if (id === undefined) break;
    first = Math.min(first ?? BAND, readyMs(score!));
    priority = Math.floor(tonumber(score)! / BAND) + 1;
  }
  return first;
}

/** How many entries may go out by now. */
export function countReady(queue: Queue, nowMs: number): number {
  let count = 0;
  for (const priority of $range(0, MAX_PRIORITY)) {
    count += redis.call("ZCOUNT", queue.ready, bandStart(priority), string.format("%.0f", priority * BAND + nowMs));
  }
  return count;
}
