/** The record of a subject that waits, and the serial numbers from which ids of notifications are made. */
import { clock } from "../runtime/clock";
import { currentPartition } from "../runtime/keys";
import type { Topic } from "./topics";

type SubjectRecord = [firstMs: number, lastMs: number, serial: string, length: number];

/** A record taken apart. */
export function parseRecord(stored: string): LuaMultiReturn<SubjectRecord> {
  const [firstMs, lastMs, serial, length] = string.match(stored, "^(%d+) (%d+) (%d+) (%d+)$");
  return $multi(tonumber(firstMs)!, tonumber(lastMs)!, serial!, tonumber(length)!);
}

/** A record as it is stored. */
export function writeRecord(firstMs: number, lastMs: number, serial: string, length: number): string {
  return `${firstMs} ${lastMs} ${serial} ${length}`;
}

/**
 * The first of `count` new serial numbers. They begin at the time at which the first is given, so that a database that
 * was emptied does not give those again that receivers have seen.
 */
export function newSerials({ state }: Topic, count: number): number {
  const last = redis.call("HINCRBY", state, "serial", `${count}`);
  if (last > count) return last - count + 1;
  const first = clock(undefined);
  redis.call("HSET", state, "serial", `${first + count - 1}`);
  return first;
}

/** The id of a notification: the same for one subject and serial number, and for no other. */
export function idOf({ name }: Topic, subject: string, serial: string): string {
  return redis.sha1hex(`${currentPartition()}/${name}/${serial}/${subject}`);
}
