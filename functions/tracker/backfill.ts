/**
 * Back-fills in progress, which the rotation of unique devices waits for.
 *
 * When a window is merged, the HyperLogLogs it was made of go, unless they are still kept by the clock. Old windows are
 * kept no more: merged half-way through a back-fill they could never be united with the other half. So each back-fill
 * says how far it has come, rotation passes over what it may still add to, and what is complete is merged behind it. A back-fill
 * that falls silent is waited for until its deadline, by the server's clock.
 */
import { clock } from "../runtime/clock";
import { fail } from "../runtime/errors";
import { onKey } from "../runtime/types";
import * as names from "./names";

/** Every call of rotation reads them all. */
const MAX_BACKFILLS = 1000;

interface Backfill {
  clockMs: number;
  deadlineMs: number;
}

function parse(stored: string): Backfill {
  const [clockMs, deadlineMs] = string.match(stored, "^(%d+):(%d+)$");
  return { clockMs: tonumber(clockMs)!, deadlineMs: tonumber(deadlineMs)! };
}

/** Up to where the slowest back-fill has come; undefined where none is in progress. */
export function backfillClock(): number | undefined {
  const flat = onKey("HGETALL", names.backfills());
  if (flat.length === 0) return undefined;
  const nowMs = clock(undefined);
  let slowestMs: number | undefined;
  for (const at of $range(2, flat.length, 2)) {
    const { clockMs, deadlineMs } = parse(flat[at - 1]!);
    if (deadlineMs > nowMs && (slowestMs === undefined || clockMs < slowestMs)) slowestMs = clockMs;
  }
  return slowestMs;
}

/** Where the server's clock stands, and what is known of one back-fill. */
interface BackfillPlace {
  id: string;
  nowMs: number;
  known: Backfill | undefined;
}

/** Removes back-fills that fell silent. */
function removeSilent(nowMs: number): void {
  const flat = redis.call("HGETALL", names.backfills());
  for (const at of $range(2, flat.length, 2)) {
    if (parse(flat[at - 1]!).deadlineMs <= nowMs) redis.call("HDEL", names.backfills(), flat[at - 2]!);
  }
}

/** Reads what is needed before `announceBackfill`; CONFLICT for a foreign key, LIMIT where there are too many back-fills. */
export function placeBackfill(id: string): BackfillPlace {
  const stored = onKey("HGET", names.backfills(), id);
  const nowMs = clock(undefined);
  if (stored !== false) return { id, nowMs, known: parse(stored) };
  if (redis.call("HLEN", names.backfills()) >= MAX_BACKFILLS) removeSilent(nowMs);
  if (redis.call("HLEN", names.backfills()) >= MAX_BACKFILLS) {
    fail("LIMIT", `${MAX_BACKFILLS} back-fills are in progress; end one with HOLD 0 or forget_import`);
  }
  return { id, nowMs, known: undefined };
}

/**
 * Says that a back-fill goes on.
 *
 * @param earliestMs the earliest event of the chunk; undefined if it had none. The clock follows the earliest and not the
 * latest, so that one line with a wrong time does not make all windows before it complete
 * @param holdMs how long it is waited for after this call; 0 if it is over
 */
export function announceBackfill(place: BackfillPlace, earliestMs: number | undefined, holdMs: number): void {
  const clockMs = Math.max(place.known?.clockMs ?? -1, earliestMs ?? -1);
  if (holdMs === 0) endBackfill(place.id);
  else if (clockMs >= 0) redis.call("HSET", names.backfills(), place.id, `${clockMs}:${place.nowMs + holdMs}`);
}

/** Lets rotation take up all that a back-fill has left. */
export function endBackfill(id: string): void {
  redis.call("HDEL", names.backfills(), id);
}
