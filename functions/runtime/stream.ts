/** How far a stream was read by a cursor of ours, and what of it may go. */
import { fields } from "./types";

/** The place in a stream up to which entries were read. */
export interface Place {
  /** Id of the last entry read. */
  cursor: string;
  /**
   * At most how many entries, of all ever added, lie up to the cursor. Never too high, so that what is unread is never
   * thought to be less than it is.
   */
  position: number;
  /** How many entries were ever added. */
  added: number;
  /** How many went before they were read, by trimming or XDEL, that are not kept yet. */
  missing: number;
  /** 1 where the stream was deleted and begun anew; what it held then and was not read is not known. */
  anew: number;
}

/** The field of a state hash with the id of the last entry of a stream that was read. */
export function cursorField(stream: string): string {
  return `cursor:${stream}`;
}

/** The field of a state hash with the position of the cursor. */
function positionField(stream: string): string {
  return `position:${stream}`;
}

/** The fields of a state hash with what went missing of a stream: entries, how often it was begun anew, when that was seen. */
function lossFields(stream: string): string[] {
  return [`missing:${stream}`, `anew:${stream}`, `lost:${stream}`];
}

interface StreamInfo {
  length: number;
  added: number;
  lastId: string;
  firstId: string | undefined;
}

/** What XINFO says of a stream that there is. */
export function readInfo(stream: string): StreamInfo {
  const flat = redis.call("XINFO", "STREAM", stream);
  const info: StreamInfo = { length: 0, added: 0, lastId: "0-0", firstId: undefined };
  for (const at of $range(1, flat.length, 2)) {
    const name = flat[at - 1];
    const value = flat[at];
    if (name === "length") info.length = value as number;
    else if (name === "entries-added") info.added = value as number;
    else if (name === "last-generated-id") info.lastId = value as string;
    else if (name === "first-entry" && value !== false) info.firstId = (value as RedisStreamEntry)[0];
  }
  return info;
}

/** Whether `a` is after `b`, both ids `ms-seq` of a stream. */
function isAfter(a: string, b: string): boolean {
  const [aMs, aSeq] = string.match(a, "^(%d+)%-(%d+)$");
  const [bMs, bSeq] = string.match(b, "^(%d+)%-(%d+)$");
  const byTime = tonumber(aMs)! - tonumber(bMs)!;
  return byTime > 0 || (byTime === 0 && tonumber(aSeq)! > tonumber(bSeq)!);
}

/**
 * The place to read on from. A stream that was deleted and begun anew by a clock behind the old one has ids before the
 * cursor; it is read from its start, or its entries would never be. Where all entries are unread, however that came, as many
 * as were removed lie up to the cursor: what is beyond the kept position went before it was read. Of the same stream, no fewer can
 * have been removed than were read.
 *
 * @param state hash with the cursors
 */
export function placeOf(state: string, stream: string): Place {
  const [storedCursor, storedPosition] = fields(state, [cursorField(stream), positionField(stream)]);
  const cursor = storedCursor === false ? "0-0" : storedCursor!;
  if (redis.call("EXISTS", stream) === 0) return { cursor, position: 0, added: 0, missing: 0, anew: 0 };
  const { length, added, lastId, firstId } = readInfo(stream);
  const removed = added - length;
  const isBehind = isAfter(cursor, lastId);
  const isUnread = isBehind || firstId === undefined || isAfter(firstId, cursor);
  // A cursor without a position is from before positions were kept.
  const kept = storedPosition === false ? (storedCursor === false ? 0 : removed) : tonumber(storedPosition)!;
  const isBegunAnew = isBehind || added < kept || (isUnread && removed < kept);
  const position = isUnread ? removed : Math.min(kept, added);
  return {
    cursor: isBehind ? "0-0" : cursor,
    position,
    added,
    missing: Math.max(isBegunAnew ? removed : position - kept, 0),
    anew: isBegunAnew ? 1 : 0,
  };
}

/**
 * Moves a place on and keeps it in the state hash, with what went missing up to it. At the end of the stream all entries that were ever
 * added lie up to it.
 */
export function movePlace(
  state: string,
  stream: string,
  place: Place,
  cursor: string,
  read: number,
  isEnd: boolean,
  nowMs: number,
): void {
  const reached = place.position + read;
  const position = isEnd ? Math.max(place.added, reached) : reached;
  const missing = place.missing + position - reached;
  if (read === 0 && missing === 0) return;
  place.cursor = cursor;
  place.position = position;
  redis.call("HSET", state, cursorField(stream), cursor, positionField(stream), `${position}`);
  if (missing + place.anew > 0) {
    const [missingField, anewField, atField] = lossFields(stream) as [string, string, string];
    redis.call("HINCRBY", state, missingField, `${missing}`);
    redis.call("HINCRBY", state, anewField, `${place.anew}`);
    redis.call("HSET", state, atField, `${nowMs}`);
  }
  place.missing = 0;
  place.anew = 0;
}

/** Entries that went missing of a stream, how often it was begun anew, and when either was last seen; what its place shows included. */
export function lossOf(state: string, stream: string, place: Place): [missing: number, anew: number, at: number] {
  const [missing, anew, at] = fields(state, lossFields(stream));
  return [number(missing) + place.missing, number(anew) + place.anew, number(at)];
}

function number(stored: string | false | undefined): number {
  return tonumber(stored === false ? "0" : stored)!;
}

/** How many entries of a stream lie after a place: never too few. */
export function unreadOf(stream: string, place: Place): number {
  return readInfo(stream).added - place.position;
}

/** The time in an id of a stream, unix ms. */
export function idMs(id: string): number {
  const [ms] = string.match(id, "^%d+");
  return tonumber(ms)!;
}
