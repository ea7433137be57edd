/** What is kept of a subject that waits, and the serial numbers from which ids of notifications are made. */
import { serialAfter } from "../runtime/clock";
import { currentPartition } from "../runtime/keys";
import type { Topic } from "./topics";

/** First and last scan (ms) and serial number of a subject, from its record. */
export function parseRecord(stored: string): LuaMultiReturn<[first: string, last: string, serial: string]> {
  const [first, last, serial] = string.match(stored, "^(%d+) (%d+) (%d+)");
  return $multi(first!, last!, serial!);
}

/** A serial number that no subject of the topic has had, also if the server came back from an older file. */
export function newSerial({ state }: Topic): string {
  const serial = serialAfter(redis.call("HGET", state, "serial"));
  redis.call("HSET", state, "serial", serial);
  return serial;
}

/** The id of a notification: the same for one subject and serial number, and for no other. */
export function idOf({ name }: Topic, subject: string, serial: string): string {
  return redis.sha1hex(`${currentPartition()}/${name}/${serial}/${subject}`);
}
