/**
 * Subjects that wait to be quiet. Each has its list, which others read as well, and a record: when it was first and last
 * scanned, its serial number, from which the id of its notification is made, and how long its list was left.
 *
 * Times are kept as the text they came as beside the number: printing a number costs as much as a command on a short list.
 */
import { fail } from "../runtime/errors";
import { onKey, requireType } from "../runtime/types";
import * as names from "./names";
import { newSerial } from "./records";
import type { Topic } from "./topics";

/**
 * In a list of up to so many items an item is looked up in the list itself, so that most subjects need nothing beside it; a
 * longer list has a set beside it.
 */
export const SHORT_LIST = 64;
const SHORT = `${SHORT_LIST}`;

/** A subject and what a call adds to it. */
interface Subject {
  name: string;
  list: string;
  firstMs: number;
  first: string;
  lastMs: number;
  last: string;
  /** Empty for one that does not wait yet. */
  serial: string;
  /** How long its list was left if that is a long list, else 0. */
  length: number;
  /** Items of this call, in order, each once. */
  items: string[];
  /** The same for looking one up, once there are several. */
  included: LuaSet<string> | undefined;
  /** Those of them that are not in the list. */
  fresh: string[];
  /** Whether the set beside the list holds what the list does. */
  hasSet: boolean;
}

/** Scans of one call by subject: everything is read and checked before anything is written. */
export interface Batch {
  topic: Topic;
  bySubject: LuaMap<string, Subject>;
  subjects: Subject[];
  count: number;
}

/** A batch without scans. */
export function newBatch(topic: Topic): Batch {
  return { topic, bySubject: new LuaMap(), subjects: [], count: 0 };
}

/** Never written to: most scans are the only one of their subject in a call, and most calls have no other use for it. */
const NONE: string[] = [];

function addItem(subject: Subject, item: string): void {
  const { items } = subject;
  let { included } = subject;
  if (included === undefined) {
    if (items[0] === item) return;
    included = new LuaSet();
    included.add(items[0]!);
    subject.included = included;
  }
  if (included.has(item)) return;
  included.add(item);
  items.push(item);
}

/**
 * Adds a scan to a batch.
 *
 * @param at `atMs` as text
 */
export function addScan(batch: Batch, name: string, item: string, atMs: number, at: string): void {
  const known = batch.bySubject.get(name);
  if (known !== undefined) {
    takeTime(known, atMs, at);
    addItem(known, item);
    return;
  }
  const subject: Subject = {
    name,
    list: batch.topic.prefix + name,
    firstMs: atMs,
    first: at,
    lastMs: atMs,
    last: at,
    serial: "",
    length: 0,
    items: [item],
    included: undefined,
    fresh: NONE,
    hasSet: false,
  };
  batch.bySubject.set(name, subject);
  batch.subjects[batch.count] = subject;
  batch.count += 1;
}

/** A scan may come after others that were later. */
function takeTime(subject: Subject, atMs: number, at: string): void {
  if (atMs > subject.lastMs) {
    subject.lastMs = atMs;
    subject.last = at;
  } else if (atMs < subject.firstMs) {
    subject.firstMs = atMs;
    subject.first = at;
  }
}

/** Takes over what is kept of a subject that waits. */
function join(subject: Subject, stored: string): void {
  const [first, last, serial, length] = string.match(stored, "^(%d+) (%d+) (%d+) (%d+)$");
  takeTime(subject, tonumber(first)!, first!);
  takeTime(subject, tonumber(last)!, last!);
  subject.serial = serial!;
  if (length !== "0") subject.length = tonumber(length)!;
}

/** Whether an item is among the first of a list; CONFLICT if it is no list. */
function isListed(list: string, item: string): boolean {
  const place = redis.pcall("LPOS", list, item, "MAXLEN", SHORT);
  if (place === false) return false;
  if (type(place) !== "number") fail("CONFLICT", `${list} holds something that is no list`);
  return true;
}

function unlisted({ list, items }: Subject): string[] {
  if (items.length === 1) return isListed(list, items[0]!) ? NONE : items;
  const fresh: string[] = [];
  for (const item of items) {
    if (!isListed(list, item)) fresh.push(item);
  }
  return fresh;
}

function unseen(seen: string, items: string[]): string[] {
  const found = onKey("SMISMEMBER", seen, ...items);
  const fresh: string[] = [];
  for (const position of $range(1, items.length)) {
    if (found[position - 1] === 0) fresh.push(items[position - 1]!);
  }
  return fresh;
}

/**
 * Finds out which items are not in the list. A long list whose length is not the one that it was left with was changed by
 * somebody else: its set is of no use then, and an item may be listed again, but none is taken for one that is there.
 */
function lookUp(topic: Topic, subject: Subject, isListless: boolean): void {
  const { name, list, length, items, serial } = subject;
  if (isListless && serial === "") {
    subject.fresh = items;
    return;
  }
  subject.hasSet = length > 0 && onKey("LLEN", list) === length;
  subject.fresh = subject.hasSet ? unseen(names.seen(topic.name, name), items) : unlisted(subject);
}

/** Whether none of the subjects that begin to wait has a list: one look in place of one for each. */
function areListless({ subjects, count }: Batch): boolean {
  const lists: string[] = [];
  let found = 0;
  for (const position of $range(1, count)) {
    const { serial, list } = subjects[position - 1]!;
    if (serial === "") {
      lists[found] = list;
      found += 1;
    }
  }
  return found > 0 && redis.call("EXISTS", ...lists) === 0;
}

/** Reads and checks all that the scans of a batch are added to; CONFLICT, naming the key, if one is foreign. */
export function prepare(batch: Batch): void {
  const { topic, subjects, count } = batch;
  if (count === 0) return;
  requireType(topic.due, "zset");
  requireType(topic.state, "hash");
  const wanted: string[] = [];
  for (const position of $range(1, count)) wanted[position - 1] = subjects[position - 1]!.name;
  const stored = onKey("HMGET", topic.subjects, ...wanted);
  for (const position of $range(1, count)) {
    const subject = subjects[position - 1]!;
    const kept = stored[position - 1]!;
    if (kept !== false) join(subject, kept);
  }
  const isListless = areListless(batch);
  for (const position of $range(1, count)) lookUp(topic, subjects[position - 1]!, isListless);
}

/** Keeps what a long list holds in the set beside it. */
function writeSeen(topic: Topic, { name, list, fresh, hasSet }: Subject): void {
  const seen = names.seen(topic.name, name);
  if (hasSet) {
    redis.call("SADD", seen, ...fresh);
    return;
  }
  redis.call("UNLINK", seen);
  redis.call("SADD", seen, ...redis.call("LRANGE", list, -SHORT_LIST - fresh.length, -1));
}

/** Adds the items to the list. */
function writeItems(topic: Topic, subject: Subject): void {
  const { name, list, fresh } = subject;
  if (fresh.length === 0) return;
  const length = redis.call("RPUSH", list, ...fresh);
  if (length > SHORT_LIST) {
    subject.length = length;
    writeSeen(topic, subject);
  } else if (subject.length > 0) {
    // Somebody has cut the list.
    subject.length = 0;
    redis.call("UNLINK", names.seen(topic.name, name));
  }
}

/** When a subject will have been quiet, or has waited for as long as anybody does. */
function dueMs({ settings }: Topic, { firstMs, lastMs }: Subject): number {
  const quietMs = lastMs + settings.quiet;
  return settings.maxwait === 0 ? quietMs : Math.min(quietMs, firstMs + settings.maxwait);
}

/**
 * Writes a batch that was prepared.
 *
 * @returns when the last of its subjects is due, unix ms
 */
export function write({ topic, subjects, count }: Batch): number {
  if (count === 0) return 0;
  const records: string[] = [];
  const dues: string[] = [];
  let atMs = 0;
  let newest: string | undefined;
  for (const position of $range(1, count)) {
    const subject = subjects[position - 1]!;
    writeItems(topic, subject);
    if (subject.serial === "") {
      newest ??= newSerial(topic);
      subject.serial = newest;
    }
    atMs = dueMs(topic, subject);
    const { name, first, last, serial, length } = subject;
    const place = 2 * position - 2;
    records[place] = name;
    records[place + 1] = length === 0 ? `${first} ${last} ${serial} 0` : `${first} ${last} ${serial} ${length}`;
    dues[place] = `${atMs}`;
    dues[place + 1] = name;
  }
  redis.call("HSET", topic.subjects, ...records);
  redis.call("ZADD", topic.due, ...dues);
  return atMs;
}
