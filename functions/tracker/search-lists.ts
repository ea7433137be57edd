/**
 * Lists by last visit, read as one, most recently visited first: a page has one list, and what is asked of several sections
 * is in a list for each. No id is in two of them.
 */
import { onKey } from "../runtime/types";

/** Ids read from a list at once: few from each where there are many lists, because most of them are not looked at. */
const MIN_CHUNK = 8;
const MAX_CHUNK = 256;

/** A stretch of time; undefined for all of it. */
export type Visited = [fromMs: number, toMs: number] | undefined;

/** How many of a list were last visited in a stretch of time. */
function countIn(list: string, visited: Visited): number {
  if (visited === undefined) return onKey("ZCARD", list);
  return onKey("ZCOUNT", list, `${visited[0]}`, `(${visited[1]}`);
}

/** How many of a list were last visited after a stretch of time. */
function countAfter(list: string, visited: Visited): number {
  return visited === undefined ? 0 : onKey("ZCOUNT", list, `${visited[1]}`, "+inf");
}

/** One list while it is read. */
interface Cursor {
  list: string;
  /** Rank of the next id to read, and of the first that is not read any more. */
  rank: number;
  end: number;
  /** What was read, as id, score, id, score, and where in it the cursor stands. */
  read: string[];
  at: number;
  id: string;
  score: number;
}

/** Several lists as one. */
export interface Merged {
  /** How many ids there are in the stretch of time. */
  total: number;
  /** A heap: each cursor is before those at twice its position. */
  heap: Cursor[];
  chunk: number;
}

/** Sorted sets give equal scores in the reverse order of ids. */
function isBefore(a: Cursor, b: Cursor): boolean {
  return a.score > b.score || (a.score === b.score && a.id > b.id);
}

/** Moves a cursor to its next id; false at the end. */
function advance(cursor: Cursor, chunk: number): boolean {
  cursor.at += 2;
  if (cursor.at >= cursor.read.length) {
    if (cursor.rank >= cursor.end) return false;
    const last = Math.min(cursor.rank + chunk, cursor.end) - 1;
    cursor.read = onKey("ZRANGE", cursor.list, `${cursor.rank}`, `${last}`, "REV", "WITHSCORES");
    cursor.rank = last + 1;
    cursor.at = 0;
    if (cursor.read.length === 0) return false;
  }
  cursor.id = cursor.read[cursor.at]!;
  cursor.score = tonumber(cursor.read[cursor.at + 1])!;
  return true;
}

/** Puts the cursor at a position of the heap where it belongs below. */
function sink(heap: Cursor[], from: number): void {
  let at = from;
  for (;;) {
    let first = at;
    for (const child of $range(2 * at + 1, Math.min(2 * at + 2, heap.length - 1))) {
      if (isBefore(heap[child]!, heap[first]!)) first = child;
    }
    if (first === at) return;
    const cursor = heap[at]!;
    heap[at] = heap[first]!;
    heap[first] = cursor;
    at = first;
  }
}

/** Counts lists, and stands before their first ids. */
export function merge(lists: string[], visited: Visited): Merged {
  const chunk = Math.max(MIN_CHUNK, Math.min(MAX_CHUNK, Math.floor((2 * MAX_CHUNK) / lists.length)));
  const merged: Merged = { total: 0, heap: [], chunk };
  for (const list of lists) {
    const count = countIn(list, visited);
    if (count === 0) continue;
    const rank = countAfter(list, visited);
    merged.total += count;
    merged.heap.push({ list, rank, end: rank + count, read: [], at: 0, id: "", score: 0 });
  }
  return merged;
}

/** Passes over ids of a single list without reading them; of several lists they have to be read. */
export function skip({ heap }: Merged, count: number): boolean {
  if (heap.length !== 1) return false;
  const only = heap[0]!;
  only.rank = Math.min(only.rank + count, only.end);
  return true;
}

/** Reads the heads of all lists; to be called once, before `next`. */
export function open(merged: Merged): void {
  const opened: Cursor[] = [];
  for (const cursor of merged.heap) if (advance(cursor, merged.chunk)) opened.push(cursor);
  merged.heap = opened;
  for (const at of $range(Math.floor(opened.length / 2), 0, -1)) if (at < opened.length) sink(opened, at);
}

/** The next ids, at most `count` of them; none at the end. */
export function next(merged: Merged, count: number): string[] {
  const { heap } = merged;
  const ids: string[] = [];
  while (ids.length < count && heap.length > 0) {
    const first = heap[0]!;
    ids.push(first.id);
    if (!advance(first, merged.chunk)) {
      const last = heap.pop()!;
      if (heap.length === 0) break;
      heap[0] = last;
    }
    sink(heap, 0);
  }
  return ids;
}
