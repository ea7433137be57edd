/** What was refused: counted by reason, and kept for a look. */
import type { Reason } from "./events";
import * as names from "./names";

/** About how many refused events are kept. */
const REJECTED_MAXLEN = 10000;

/** The first bytes of an event that are kept. */
const KEPT_BYTES = 4096;

/** The field of the state hash that counts a reason. */
export function rejectedField(reason: Reason): string {
  return `rejected:${reason}`;
}

export interface Rejection {
  /** Position in the call, from 0. */
  index: number;
  reason: Reason;
  /** The event as it came, as JSON. */
  event: string;
}

/** Counts and keeps refused events. */
export function keepRejections(rejections: Rejection[], nowMs: number): void {
  const counts = new LuaMap<Reason, number>();
  for (const { reason, event } of rejections) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    const kept = string.sub(event, 1, KEPT_BYTES);
    redis.call("XADD", names.rejectedStream(), "MAXLEN", "~", REJECTED_MAXLEN, "*", "reason", reason, "event", kept, "at", nowMs);
  }
  for (const [reason, times] of counts) redis.call("HINCRBY", names.state(), rejectedField(reason), times);
}
