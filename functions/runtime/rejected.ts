/** What was refused: counted by reason, and kept for a look. */

import { integerReply, list, textReply, tuple, type ReplyType } from "./declare";

/** About how many refused entries a stream keeps. */
const REJECTED_MAXLEN = 10000;

/** The first bytes of an entry that are kept. */
const KEPT_BYTES = 4096;

/** The field of a state hash that counts a reason. */
export function rejectedField(reason: string): string {
  return `rejected:${reason}`;
}

export interface Rejected<Reason extends string> {
  reason: Reason;
  /** What was refused, as JSON. */
  event: string;
}

/**
 * Counts and keeps what was refused.
 *
 * @param state hash with the counts
 * @param stream where it is kept, with `reason`, `event` (its first 4 kB) and `at` (ms)
 */
export function keepRejected<Reason extends string>(
  state: string,
  stream: string,
  rejected: Rejected<Reason>[],
  nowMs: number,
): void {
  const counts = new LuaMap<Reason, number>();
  for (const { reason, event } of rejected) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    const kept = string.sub(event, 1, KEPT_BYTES);
    redis.call("XADD", stream, "MAXLEN", "~", REJECTED_MAXLEN, "*", "reason", reason, "event", kept, "at", nowMs);
  }
  for (const [reason, times] of counts) redis.call("HINCRBY", state, rejectedField(reason), times);
}

/** Brings reasons and their counts into the order in which they are answered: most first, equal ones by name. */
export function mostFirst(counts: [reason: string, count: number][]): [reason: string, count: number][] {
  table.sort(counts, (a, b) => a[1] > b[1] || (a[1] === b[1] && a[0] < b[0]));
  return counts;
}

/** A reply of reasons and how many of `counted` each was for. */
export function reasonsReply(counted: string): ReplyType {
  return list(
    tuple([
      { name: "reason", type: textReply, doc: "reason" },
      { name: counted, type: integerReply, doc: counted },
    ]),
  );
}
