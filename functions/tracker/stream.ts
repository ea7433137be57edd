/** How far a stream was read, and what of it may go. */
import { fields } from "../runtime/types";
import * as names from "./names";

/** The place in a stream up to which entries were counted. */
export interface Place {
  /** Id of the last entry counted. */
  cursor: string;
  /**
   * At most how many entries, of all ever added, lie up to the cursor. Never too high, so that what is unread is never
   * thought to be less than it is.
   */
  position: number;
}

/** The field of the state hash with the id of the last entry of a stream that was counted. */
export function cursorField(stream: string): string {
  return `cursor:${stream}`;
}

function positionField(stream: string): string {
  return `position:${stream}`;
}

interface StreamInfo {
  length: number;
  added: number;
  lastId: string;
  firstId: string | undefined;
}

function readInfo(stream: string): StreamInfo {
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
 * cursor; it is read from its start, or its entries would never count. Where all entries are unread, however that came, the
 * position is set by that.
 */
export function placeOf(stream: string): Place {
  const [stored, storedPosition] = fields(names.state(), [cursorField(stream), positionField(stream)]);
  const cursor = stored === false || stored === undefined ? "0-0" : stored;
  if (redis.call("EXISTS", stream) === 0) return { cursor, position: 0 };
  const { length, added, lastId, firstId } = readInfo(stream);
  const isBegunAnew = isAfter(cursor, lastId);
  const isUnread = isBegunAnew || firstId === undefined || isAfter(firstId, cursor);
  const position = tonumber(storedPosition === undefined || storedPosition === false ? "0" : storedPosition)!;
  return {
    cursor: isBegunAnew ? "0-0" : cursor,
    position: isUnread ? added - length : Math.min(position, added),
  };
}

/** Keeps a place. */
export function keepPlace(stream: string, place: Place): void {
  const { cursor, position } = place;
  redis.call("HSET", names.state(), cursorField(stream), cursor, positionField(stream), `${position}`);
}

/** How many entries of a stream lie after a place: never too few. */
export function unreadOf(stream: string, place: Place): number {
  return readInfo(stream).added - place.position;
}

/** Removes consumed entries beyond about `maxlen`; what is unread is never removed. */
export function trim(stream: string, place: Place, maxlen: number): void {
  if (redis.call("XLEN", stream) <= maxlen) return;
  redis.call("XTRIM", stream, "MAXLEN", "~", `${unreadOf(stream, place) + maxlen}`);
}
