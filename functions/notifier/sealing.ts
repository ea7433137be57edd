/** Subjects that have been quiet become notifications: their list is renamed, so that the next scan begins another one. */
import { enqueue, entryKey, firstTime } from "../runtime/queue";
import { cursorField, idMs } from "../runtime/stream";
import { onKey } from "../runtime/types";
import { SHORT_LIST } from "./collecting";
import * as names from "./names";
import { idOf, newSerial, parseRecord } from "./records";
import type { Topic } from "./topics";

/** Lists of another type are passed over; so many of them do not keep those behind them from being found. */
const MAX_FOREIGN = 100;

/** The owner's fields of a notification, in the order in which they are asked for. */
export const CONTENT = ["subject", "first_at", "last_at"];

/** The list with the items of a notification. */
export function itemsKey(topic: Topic, id: string): string {
  return names.notificationStart("L", topic.name) + id + names.END;
}

/**
 * Until when it is known who was quiet: now, or the time of the first entry that has not been read. What a host that was
 * away has yet to read may be a scan of a subject that seems to be quiet.
 */
export function knownUntil({ state, stream }: Topic, nowMs: number): number {
  const cursor = onKey("HGET", state, cursorField(stream));
  if (cursor === false) return nowMs;
  // An error, of a key that is no stream, has no first element.
  const [entry] = redis.pcall("XRANGE", stream, `(${cursor}`, "+", "COUNT", 1) as RedisStreamEntry[];
  return entry === undefined ? nowMs : Math.min(nowMs, idMs(entry[0]));
}

/** How many items a subject's list has; undefined if it is no list. */
function lengthOf(list: string): number | undefined {
  const found = redis.pcall("LLEN", list);
  return type(found) === "number" ? (found as number) : undefined;
}

/** For a record that somebody has deleted: the list is what counts. */
function lostRecord(topic: Topic, dueMs: number): string {
  const lastMs = Math.max(dueMs - topic.settings.quiet, 0);
  return `${lastMs} ${lastMs} ${newSerial(topic)} 0`;
}

/** Makes a notification of what a subject has. */
function seal(topic: Topic, subject: string, dueMs: number, stored: string | false, length: number): void {
  const [first, last, serial] = parseRecord(stored === false ? lostRecord(topic, dueMs) : stored);
  const id = idOf(topic, subject, serial);
  redis.call("RENAME", topic.prefix + subject, itemsKey(topic, id));
  if (length > SHORT_LIST) redis.call("UNLINK", names.seen(topic.name, subject));
  enqueue(topic.queue, id, 0, dueMs, ["subject", subject, "first_at", first, "last_at", last]);
}

/**
 * Makes notifications of subjects that were quiet until `untilMs`, those due first before others. A subject whose list
 * somebody has deleted is forgotten; one whose list is of another type stays as it is.
 *
 * @returns how many no longer wait, and the key of a list that is none, if there was one
 */
export function sealDue(
  topic: Topic,
  limit: number,
  untilMs: number,
): LuaMultiReturn<[done: number, foreign: string | undefined]> {
  const found = onKey(
    "ZRANGE",
    topic.due,
    "-inf",
    `${untilMs}`,
    "BYSCORE",
    "LIMIT",
    "0",
    `${limit + MAX_FOREIGN}`,
    "WITHSCORES",
  );
  if (found.length === 0) return $multi(0, undefined);
  const subjects: string[] = [];
  for (const at of $range(1, found.length, 2)) subjects.push(found[at - 1]!);
  const stored = onKey("HMGET", topic.subjects, ...subjects);
  const done: string[] = [];
  let foreign: string | undefined;
  for (const position of $range(1, subjects.length)) {
    if (done.length === limit) break;
    const subject = subjects[position - 1]!;
    const length = lengthOf(topic.prefix + subject);
    if (length === undefined) {
      foreign = topic.prefix + subject;
    } else {
      if (length > 0) seal(topic, subject, tonumber(found[2 * position - 1])!, stored[position - 1]!, length);
      done.push(subject);
    }
  }
  if (done.length > 0) {
    redis.call("ZREM", topic.due, ...done);
    redis.call("HDEL", topic.subjects, ...done);
  }
  return $multi(done.length, foreign);
}

/**
 * Takes the items beyond the first `most` out of a notification and makes another one of them, so that none is too
 * large to be sent. It is ready at the same time.
 */
export function split(topic: Topic, id: string, most: number, nowMs: number): void {
  const list = itemsKey(topic, id);
  const [subject, firstAt, lastAt] = onKey("HMGET", entryKey(topic.queue, id), ...CONTENT) as string[];
  const rest = idOf(topic, subject!, newSerial(topic));
  const restList = itemsKey(topic, rest);
  redis.call("RENAME", list, restList);
  redis.call("RPUSH", list, ...redis.call("LRANGE", restList, 0, most - 1));
  redis.call("LTRIM", restList, most, -1);
  enqueue(topic.queue, rest, 0, nowMs, ["subject", subject!, "first_at", firstAt!, "last_at", lastAt!]);
}

/** While entries are unread, a subject that seems to be quiet is looked at again after so long. */
const HELD_MS = 100;

/** When a subject can be claimed next; undefined if none waits. */
function nextDueMs(topic: Topic, untilMs: number, nowMs: number): number | undefined {
  const dueMs = firstTime(topic.due);
  return dueMs !== undefined && dueMs > untilMs && dueMs <= nowMs ? nowMs + HELD_MS : dueMs;
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

/**
 * When there is something to claim again: quiet time, back-off or the end of a lease. Undefined if nothing waits.
 *
 * @param untilMs until when it is known who was quiet
 */
export function nextMs(topic: Topic, untilMs: number, nowMs: number): number | undefined {
  const { ready, leased } = topic.queue;
  return earlier(nextDueMs(topic, untilMs, nowMs), earlier(firstTime(ready), firstTime(leased)));
}

/** The items of a list from its first to the one at `last`; none if it is gone or is no list. */
export function itemsUpTo(list: string, last: number): string[] {
  const found = redis.pcall("LRANGE", list, 0, last);
  return (found as RedisError).err === undefined ? (found as string[]) : [];
}
