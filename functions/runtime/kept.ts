/**
 * What is remembered of calls and events for some minutes, so that a repeat is known: each thing under a key of its own, which
 * the server lets go by its time to live.
 *
 * Memory is bounded. What this library has kept lately is added up here, not in Redis, where each call would pay for it: after a
 * failover or a deploy the sum begins at nothing, and at most twice the bound is kept until what was kept before has ended.
 */
import { clock } from "./clock";
import { fail } from "./errors";
import { MINUTE_MS } from "./time";

/** How long things are kept if nobody says otherwise: clients repeat a call within seconds, stalled ones within minutes. */
export const KEEP_MS = 10 * MINUTE_MS;
export const MIN_KEEP_MS = 1000;
export const MAX_KEEP_MS = 60 * MINUTE_MS;

/** The longest text that names a call. */
export const MAX_TEXT_BYTES = 64;

/** The most that one library keeps on a server, in all partitions together. */
const BUDGET_BYTES = 128 * 1024 * 1024;

/** What is kept while more than half of the budget is in use is kept for so long: the repeats of clients come by then. */
const SHORT_KEEP_MS = 30000;

/** What a key with its time to live takes beside its name and value (measured by MEMORY USAGE, Redis 7.0). */
const KEY_BYTES = 150;

/** What ends is added up by slots of so many milliseconds. */
const SLOT_MS = 5000;

let keptBytes = 0;
let endingBytes = new LuaMap<number, number>();
/** The first slot that has not ended. */
let firstSlot = 0;

/** Forgets what has ended since the call before. */
function settle(slot: number): void {
  if (slot - firstSlot > MAX_KEEP_MS / SLOT_MS) {
    keptBytes = 0;
    endingBytes = new LuaMap();
  } else {
    for (const ended of $range(firstSlot, slot - 1)) {
      keptBytes -= endingBytes.get(ended) ?? 0;
      endingBytes.delete(ended);
    }
  }
  firstSlot = slot;
}

/** Any text as the id in a name: one with a colon stands there as its SHA-1, because names have six fields. */
export function asId(text: string): string {
  const [colon] = string.find(text, ":", 1, true);
  return colon === undefined ? text : redis.sha1hex(text);
}

/** Fails with LIMIT, before anything is done, if nothing more may be kept. */
export function requireRoom(): void {
  const slot = Math.floor(clock(undefined) / SLOT_MS);
  if (slot > firstSlot) settle(slot);
  if (keptBytes < BUDGET_BYTES) return;
  fail(
    "LIMIT",
    `what is kept for repeated calls takes ${BUDGET_BYTES} bytes; send more with each call, or try again later`,
  );
}

/** Keeps a value under a key; to be called after `requireRoom`. */
export function keep(name: string, value: string, keepMs: number): void {
  const ms = keptBytes > BUDGET_BYTES / 2 ? Math.min(keepMs, SHORT_KEEP_MS) : keepMs;
  redis.call("SET", name, value, "PX", `${ms}`);
  const bytes = KEY_BYTES + name.length + value.length;
  const slot = firstSlot + Math.ceil(ms / SLOT_MS);
  keptBytes += bytes;
  endingBytes.set(slot, (endingBytes.get(slot) ?? 0) + bytes);
}
