/**
 * Lists by last visit, read as one, most recently visited first: a page has one list, and what is asked of several sections
 * is in a list for each. No id is in two of them.
 */
import { onKey } from "../runtime/types";

/** Ids read from one of several lists: few at first, because most lists are looked at once; then more and more. */
const FIRST_CHUNK = 2;
const MAX_CHUNK = 64;

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
  chunk: number;
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
  /** A heap by last visit: the cursor at a position comes before those at twice its position, plus one and two. */
  heap: Cursor[];
  /** Whether the cursors stand on their first ids. */
  isOpen: boolean;
}

/** Sorted sets give equal scores in the reverse order of ids. */
function isBefore(a: Cursor, b: Cursor): boolean {
  return a.score > b.score || (a.score === b.score && a.id > b.id);
}

/** The next ids of a list, with scores if they are asked for. */
function read(cursor: Cursor, count: number, withScores: boolean): string[] {
  const last = Math.min(cursor.rank + count, cursor.end) - 1;
  if (last < cursor.rank) return [];
  const options = withScores ? ["WITHSCORES"] : [];
  const found = onKey("ZRANGE", cursor.list, `${cursor.rank}`, `${last}`, "REV", ...options);
  cursor.rank = last + 1;
  return found;
}

/** Moves a cursor to its next id; false at the end. */
function advance(cursor: Cursor): boolean {
  cursor.at += 2;
  if (cursor.at >= cursor.read.length) {
    cursor.read = read(cursor, cursor.chunk, true);
    cursor.chunk = Math.min(2 * cursor.chunk, MAX_CHUNK);
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
  const merged: Merged = { total: 0, heap: [], isOpen: false };
  for (const list of lists) {
    const count = countIn(list, visited);
    if (count === 0) continue;
    const rank = countAfter(list, visited);
    merged.total += count;
    merged.heap.push({ list, rank, end: rank + count, chunk: FIRST_CHUNK, read: [], at: 0, id: "", score: 0 });
  }
  return merged;
}

/** Reads the heads of all lists and brings them in order. */
function open(merged: Merged): void {
  const opened: Cursor[] = [];
  for (const cursor of merged.heap) if (advance(cursor)) opened.push(cursor);
  for (const at of $range(Math.floor(opened.length / 2) - 1, 0, -1)) sink(opened, at);
  merged.heap = opened;
  merged.isOpen = true;
}

/** Takes the first id of the heap; what its list has next sinks to its place. */
function take(heap: Cursor[]): string {
  const first = heap[0]!;
  const { id } = first;
  if (!advance(first)) {
    const last = heap.pop()!;
    if (heap.length === 0) return id;
    heap[0] = last;
  }
  sink(heap, 0);
  return id;
}

/** Whether ids can be passed over without reading them: of several lists they have to be read. */
export function isSingle(merged: Merged): boolean {
  return merged.heap.length === 1 && !merged.isOpen;
}

/** Passes over the next ids. */
export function skip(merged: Merged, count: number): void {
  if (isSingle(merged)) merged.heap[0]!.rank += count;
  else next(merged, count);
}

/** The next ids, at most `count` of them; none at the end. */
export function next(merged: Merged, count: number): string[] {
  if (isSingle(merged)) return read(merged.heap[0]!, count, false);
  if (!merged.isOpen) open(merged);
  const ids: string[] = [];
  while (ids.length < count && merged.heap.length > 0) ids.push(take(merged.heap));
  return ids;
}

/** Visits all ids, list by list, with their last visits. */
export function forEachInAll(merged: Merged, visit: (this: void, id: string, lastMs: number) => void): void {
  for (const cursor of merged.heap) {
    const flat = read(cursor, cursor.end - cursor.rank, true);
    for (const at of $range(1, flat.length, 2)) visit(flat[at - 1]!, tonumber(flat[at])!);
  }
}
