/**
 * Subjects that wait to be quiet. Each has its list, which others read as well, and a record: when it was first and last
 * scanned, its serial number, from which the id of its notification is made, and how long its list was left.
 */
import { onKey, requireType } from "../runtime/types";
import * as names from "./names";
import { newSerials, parseRecord, writeRecord } from "./records";
import type { Topic } from "./topics";

/**
 * In a list of up to so many items an item is looked up in the list itself, so that most subjects need nothing beside it; a
 * longer list has a set beside it.
 */
export const SHORT_LIST = 64;

/** A subject and what a call adds to it. */
interface Subject {
  name: string;
  list: string;
  firstMs: number;
  lastMs: number;
  /** `0` for one that does not wait yet. */
  serial: string;
  /** How long its list was left; 0 for one that does not wait yet. */
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
}

/** A batch without scans. */
export function newBatch(topic: Topic): Batch {
  return { topic, bySubject: new LuaMap(), subjects: [] };
}

function addItem(subject: Subject, item: string): void {
  const { items } = subject;
  if (subject.included === undefined) {
    if (items[0] === item) return;
    subject.included = new LuaSet();
    subject.included.add(items[0]!);
  }
  if (subject.included.has(item)) return;
  subject.included.add(item);
  items.push(item);
}

/** Adds a scan to a batch. */
export function addScan(batch: Batch, name: string, item: string, atMs: number): void {
  const known = batch.bySubject.get(name);
  if (known !== undefined) {
    if (atMs < known.firstMs) known.firstMs = atMs;
    if (atMs > known.lastMs) known.lastMs = atMs;
    addItem(known, item);
    return;
  }
  const subject: Subject = {
    name,
    list: batch.topic.prefix + name,
    firstMs: atMs,
    lastMs: atMs,
    serial: "0",
    length: 0,
    items: [item],
    included: undefined,
    fresh: [],
    hasSet: false,
  };
  batch.bySubject.set(name, subject);
  batch.subjects.push(subject);
}

function join(subject: Subject, stored: string): void {
  const [firstMs, lastMs, serial, length] = parseRecord(stored);
  subject.firstMs = Math.min(subject.firstMs, firstMs);
  subject.lastMs = Math.max(subject.lastMs, lastMs);
  subject.serial = serial;
  subject.length = length;
}

/**
 * Finds out which items are not in the list. A long list whose length is not the one that it was left with was changed by
 * somebody else: its set is of no use then, and an item may be listed again, but none is taken for one that is there.
 */
function lookUp(topic: Topic, subject: Subject): void {
  const { list, items, fresh } = subject;
  subject.hasSet = subject.length > SHORT_LIST && onKey("LLEN", list) === subject.length;
  if (subject.hasSet) {
    const found = onKey("SMISMEMBER", names.seen(topic.name, subject.name), ...items);
    for (const position of $range(1, items.length)) {
      if (found[position - 1] === 0) fresh.push(items[position - 1]!);
    }
    return;
  }
  for (const item of items) {
    if (onKey("LPOS", list, item, "MAXLEN", SHORT_LIST) === false) fresh.push(item);
  }
}

/** Reads and checks all that the scans of a batch are added to; CONFLICT, naming the key, if one is foreign. */
export function prepare(batch: Batch): void {
  const { topic, subjects } = batch;
  if (subjects.length === 0) return;
  requireType(topic.due, "zset");
  requireType(topic.state, "hash");
  const wanted: string[] = [];
  for (const { name } of subjects) wanted.push(name);
  const stored = onKey("HMGET", topic.subjects, ...wanted);
  for (const position of $range(1, subjects.length)) {
    const subject = subjects[position - 1]!;
    const kept = stored[position - 1]!;
    if (kept !== false) join(subject, kept);
    lookUp(topic, subject);
  }
}

/** Adds the items to the list, and to the set beside it if it is long. */
function writeItems(topic: Topic, subject: Subject): void {
  const { name, list, fresh } = subject;
  if (fresh.length === 0) return;
  const before = subject.length;
  subject.length = redis.call("RPUSH", list, ...fresh);
  if (subject.length <= SHORT_LIST) {
    if (before > SHORT_LIST) redis.call("UNLINK", names.seen(topic.name, name));
    return;
  }
  const seen = names.seen(topic.name, name);
  if (subject.hasSet) {
    redis.call("SADD", seen, ...fresh);
    return;
  }
  redis.call("UNLINK", seen);
  redis.call("SADD", seen, ...redis.call("LRANGE", list, -SHORT_LIST - fresh.length, -1));
}

/** When a subject will have been quiet, or has waited for as long as anybody does. */
function dueMs({ settings }: Topic, { firstMs, lastMs }: Subject): number {
  const quietMs = lastMs + settings.quiet;
  return settings.maxwait === 0 ? quietMs : Math.min(quietMs, firstMs + settings.maxwait);
}

/** Numbers the subjects that begin to wait. */
function number(topic: Topic, subjects: Subject[]): void {
  const opened: Subject[] = [];
  for (const subject of subjects) {
    if (subject.serial === "0") opened.push(subject);
  }
  if (opened.length === 0) return;
  let serial = newSerials(topic, opened.length);
  for (const subject of opened) {
    subject.serial = `${serial}`;
    serial += 1;
  }
}

/**
 * Writes a batch that was prepared.
 *
 * @returns when the last of its subjects is due, unix ms
 */
export function write({ topic, subjects }: Batch): number {
  number(topic, subjects);
  const records: string[] = [];
  const dues: string[] = [];
  let latestMs = 0;
  for (const subject of subjects) {
    writeItems(topic, subject);
    const { name, firstMs, lastMs, serial, length } = subject;
    latestMs = dueMs(topic, subject);
    records.push(name);
    records.push(writeRecord(firstMs, lastMs, serial, length));
    dues.push(`${latestMs}`);
    dues.push(name);
  }
  if (subjects.length > 0) {
    redis.call("HSET", topic.subjects, ...records);
    redis.call("ZADD", topic.due, ...dues);
  }
  return latestMs;
}
