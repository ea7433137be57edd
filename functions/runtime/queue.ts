/**
 * A leased queue: entries are given out for a time, come back when that time is over, and are put aside when they have
 * failed too often.
 *
 * An entry is in exactly one of three sorted sets: *ready* (by priority, and then by the time from which it may be given out;
 * see priority.ts), *leased* (by the end of its lease), *dead* (by the time it was given up). What else is known of it is in a hash of its own, which holds
 * the fields of the queue (`attempt`, `token`, `worker`, `reason`) beside those of its owner. Every operation is O(log n)
 * for each entry it moves; nothing is ever scanned.
 *
 * An entry whose hash is gone or is no hash (evicted, deleted, overwritten) is dropped when it is met.
 */
import { clock } from "./clock";
import { fail, quote } from "./errors";
import { HOUR_MS } from "./time";
import { onKey, requireType } from "./types";

/** How often an entry is given out, how long it waits after its first failure, and which go out before others (0 first). */
export interface Retry {
  attempts: number;
  backoffMs: number;
  priority: number;
}

/** Where a queue is kept, and its rules. */
export interface Queue {
  /** What an entry is called in messages. */
  noun: string;
  /** Sorted sets of entries. */
  ready: string;
  leased: string;
  dead: string;
  /** Hash in which leases are numbered, in the field `leases`. */
  counters: string;
  /** What stands before and after the id in the name of an entry's hash. */
  entryStart: string;
  entryEnd: string;
  retryOf: (this: void, id: string) => Retry;
}

/** One entry, given out. */
export interface Lease {
  id: string;
  /** Never given twice: a worker that has lost its lease cannot end another's. */
  token: string;
  /** From 1. */
  attempt: number;
  /** The owner's fields that were asked for, in their order. */
  content: (string | false)[];
}

/** The states in which an entry may be. */
export type QueueState = "ready" | "leased" | "dead";

/** However often an entry fails, it does not wait longer than this. */
const MAX_BACKOFF_MS = HOUR_MS;

/** Fails with CONFLICT, naming the key, if a key of the queue holds something else. */
export function requireQueue(queue: Queue): void {
  requireType(queue.ready, "zset");
  requireType(queue.leased, "zset");
  requireType(queue.dead, "zset");
  requireType(queue.counters, "hash");
}

/** The hash of an entry. */
export function entryKey(queue: Queue, id: string): string {
  return queue.entryStart + id + queue.entryEnd;
}

/** Fields of an entry; undefined if it is not there. */
export function entryFields(queue: Queue, id: string, wanted: string[]): (string | false)[] | undefined {
  const found = redis.pcall("HMGET", entryKey(queue, id), "attempt", ...wanted) as (string | false)[];
  // An error, of a key that is no hash, has no first element.
  return found[0] === undefined || found[0] === false ? undefined : found;
}

/** The score in *ready*: a digit for the priority before the 14 of the time. Lua would print 14 digits of the number. */
export function readyScore(priority: number, readyMs: number): string {
  return priority === 0 ? `${readyMs}` : string.format("%d%014d", priority, readyMs);
}

/**
 * Puts an entry in, to be given out from `readyMs` on.
 *
 * @param content the owner's fields: field, value, field, value
 */
export function enqueue(queue: Queue, id: string, priority: number, readyMs: number, content: string[]): void {
  redis.call("HSET", entryKey(queue, id), "attempt", "0", "token", "", ...content);
  redis.call("ZADD", queue.ready, readyScore(priority, readyMs), id);
}

/** How long an entry waits after a failed attempt: twice as long each time, an hour at most. */
export function backoffMs(retry: Retry, attempt: number): number {
  return Math.min(retry.backoffMs * 2 ** (attempt - 1), MAX_BACKOFF_MS);
}

/**
 * Ends a lease without success: the entry is ready again at `readyMs`, or dead if that was its last attempt.
 *
 * @returns whether it is dead
 */
export function giveBack(
  queue: Queue,
  id: string,
  attempt: number,
  readyMs: number,
  reason: string,
  nowMs: number,
): boolean {
  const { attempts, priority } = queue.retryOf(id);
  const isLast = attempt >= attempts;
  redis.call("ZREM", queue.leased, id);
  redis.call("HSET", entryKey(queue, id), "token", "", "reason", reason);
  if (isLast) redis.call("ZADD", queue.dead, `${nowMs}`, id);
  else redis.call("ZADD", queue.ready, readyScore(priority, readyMs), id);
  return isLast;
}

/** Ends a lease as if it had never been: the entry is ready at once, and has used no attempt. */
export function handBack(queue: Queue, id: string, attempt: number, nowMs: number): void {
  redis.call("ZREM", queue.leased, id);
  redis.call("HSET", entryKey(queue, id), "attempt", `${attempt - 1}`, "token", "");
  redis.call("ZADD", queue.ready, readyScore(queue.retryOf(id).priority, nowMs), id);
}

/**
 * Takes back what was leased and not ended in time: it is ready at once, the lease having been its wait, or dead.
 *
 * @param limit most entries; those whose lease ended first come first
 * @param give what gives one back
 * @returns how many were taken back
 */
export function takeBack(queue: Queue, limit: number, nowMs: number, give = giveBack): number {
  const expired = onKey("ZRANGE", queue.leased, "-inf", `${nowMs}`, "BYSCORE", "LIMIT", "0", `${limit}`, "WITHSCORES");
  for (const at of $range(1, expired.length, 2)) {
    const id = expired[at - 1]!;
    const [attempt, worker] = entryFields(queue, id, ["worker"]) ?? [];
    if (attempt === undefined) redis.call("ZREM", queue.leased, id);
    else give(queue, id, tonumber(attempt)!, tonumber(expired[at])!, `the lease of ${worker} ended`, nowMs);
  }
  return expired.length / 2;
}

/** Ids of entries that may be given out, those that wait longest first. For a queue without priorities. */
export function readyIds(queue: Queue, limit: number, nowMs: number): string[] {
  return redis.call("ZRANGE", queue.ready, "-inf", `${nowMs}`, "BYSCORE", "LIMIT", "0", `${limit}`);
}

/**
 * Gives out an entry that is ready and was read.
 *
 * @param attempt how often it was given out, this time included
 * @returns the token of the lease
 */
export function giveOut(
  queue: Queue,
  id: string,
  attempt: number,
  worker: string,
  leaseMs: number,
  nowMs: number,
): string {
  // Numbers alone would be given again by a server that came back from an older file, and NOW is whatever the caller says.
  const token = `${clock(undefined)}-${onKey("HINCRBY", queue.counters, "leases", "1")}`;
  redis.call("ZREM", queue.ready, id);
  redis.call("HSET", entryKey(queue, id), "attempt", `${attempt}`, "token", token, "worker", worker);
  redis.call("ZADD", queue.leased, `${nowMs + leaseMs}`, id);
  return token;
}

/**
 * Gives out an entry that is ready.
 *
 * @param content the owner's fields to answer
 * @returns undefined if the entry is gone
 */
export function lease(
  queue: Queue,
  id: string,
  worker: string,
  leaseMs: number,
  content: string[],
  nowMs: number,
): Lease | undefined {
  const found = entryFields(queue, id, content);
  if (found === undefined) {
    redis.call("ZREM", queue.ready, id);
    return undefined;
  }
  const attempt = tonumber(found[0])! + 1;
  const token = giveOut(queue, id, attempt, worker, leaseMs, nowMs);
  table.remove(found, 1);
  return { id, token, attempt, content: found };
}

function requireEntry(queue: Queue, id: string): LuaMultiReturn<[attempt: number, token: string]> {
  const [attempt, token] = entryFields(queue, id, ["token"]) ?? [];
  if (attempt === undefined) fail("NOTFOUND", `there is no ${queue.noun} ${quote(id)}`);
  return $multi(tonumber(attempt)!, token as string);
}

/** Fails with CONFLICT unless the token, if one is given, is of the present lease. */
function requireToken(queue: Queue, id: string, present: string, given: string | undefined): void {
  if (given === undefined || given === present) return;
  if (present === "")
    fail("CONFLICT", `${queue.noun} ${quote(id)} is not leased: the lease of token ${quote(given)} is over`);
  fail("CONFLICT", `${queue.noun} ${quote(id)} is leased under another token than ${quote(given)}`);
}

/**
 * Takes an entry out of the three sets.
 *
 * @param present the token of its lease, empty if it is not leased
 */
export function takeOut(queue: Queue, id: string, present: string): void {
  onKey("ZREM", queue.leased, id);
  if (present !== "") return;
  redis.call("ZREM", queue.ready, id);
  redis.call("ZREM", queue.dead, id);
}

/**
 * Ends an entry for good, and removes it. Without a token, whatever its state.
 *
 * Errors: NOTFOUND; CONFLICT if the token is not of the present lease.
 */
export function finish(queue: Queue, id: string, token: string | undefined): void {
  const [, present] = requireEntry(queue, id);
  requireToken(queue, id, present, token);
  takeOut(queue, id, present);
  redis.call("UNLINK", entryKey(queue, id));
}

/**
 * Ends a lease without success: the entry is ready again after its back-off, or dead if that was its last attempt.
 *
 * Errors: NOTFOUND; CONFLICT if the entry is not leased, or under another token.
 */
export function failLease(queue: Queue, id: string, token: string | undefined, reason: string, nowMs: number): void {
  const [attempt, present] = requireEntry(queue, id);
  requireToken(queue, id, present, token);
  if (present === "") fail("CONFLICT", `${queue.noun} ${quote(id)} is not leased`);
  giveBack(queue, id, attempt, nowMs + backoffMs(queue.retryOf(id), attempt), reason, nowMs);
}

/**
 * Makes an entry that is dead or waits for its back-off ready now; its attempts start anew.
 *
 * Errors: NOTFOUND; CONFLICT while it is leased.
 */
export function retry(queue: Queue, id: string, nowMs: number): void {
  const [, present] = requireEntry(queue, id);
  if (present !== "") fail("CONFLICT", `${queue.noun} ${quote(id)} is leased`);
  redis.call("ZREM", queue.dead, id);
  redis.call("HSET", entryKey(queue, id), "attempt", "0");
  redis.call("ZADD", queue.ready, readyScore(queue.retryOf(id).priority, nowMs), id);
}

/** How many entries are in a state. */
export function countOf(queue: Queue, state: QueueState): number {
  return redis.call("ZCARD", queue[state]);
}

/** Entries in a state by time: id, time, id, time. */
export function pageOf(queue: Queue, state: QueueState, offset: number, count: number): string[] {
  return redis.call("ZRANGE", queue[state], `${offset}`, `${offset + count - 1}`, "WITHSCORES");
}

/** The first time in a sorted set of times; undefined if it is empty. */
export function firstTime(sortedSet: string): number | undefined {
  const [, time] = redis.call("ZRANGE", sortedSet, "0", "0", "WITHSCORES");
  return time === undefined ? undefined : tonumber(time);
}
