/** What is kept of a subject that waits, and the serial numbers from which ids of notifications are made. */
import { clock } from "../runtime/clock";
import { currentPartition } from "../runtime/keys";
import type { Topic } from "./topics";

/** First and last scan (ms) and serial number of a subject, from its record. */
export function parseRecord(stored: string): LuaMultiReturn<[first: string, last: string, serial: string]> {
  const [first, last, serial] = string.match(stored, "^(%d+) (%d+) (%d+)");
  return $multi(first!, last!, serial!);
}

/**
 * A serial number that no subject of the topic has had. They begin at the time at which the first is given, so that a
 * database that was emptied does not give those again that receivers have seen.
 */
export function newSerial({ state }: Topic): string {
  const next = redis.call("HINCRBY", state, "serial", "1");
  if (next > 1) return `${next}`;
  const first = `${clock(undefined)}`;
  redis.call("HSET", state, "serial", first);
  return first;
}

/** The id of a notification: the same for one subject and serial number, and for no other. */
export function idOf({ name }: Topic, subject: string, serial: string): string {
  return redis.sha1hex(`${currentPartition()}/${name}/${serial}/${subject}`);
}
