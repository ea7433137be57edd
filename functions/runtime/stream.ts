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
}

/** The field of a state hash with the id of the last entry of a stream that was read. */
export function cursorField(stream: string): string {
  return `cursor:${stream}`;
}

/** The field of a state hash with the position of the cursor. */
function positionField(stream: string): string {
  return `position:${stream}`;
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

/** The place that the state hash keeps for a stream, whatever has become of the stream. */
function storedPlace(state: string, stream: string): Place {
  const [cursor, position] = fields(state, [cursorField(stream), positionField(stream)]);
  return {
    cursor: cursor === false || cursor === undefined ? "0-0" : cursor,
    position: position === false || position === undefined ? 0 : tonumber(position)!,
  };
}

/**
 * The place to read on from. A stream that was deleted and begun anew by a clock behind the old one has ids before the
 * cursor; it is read from its start, or its entries would never be. Where all entries are unread, however that came, the
 * position is set by that.
 *
 * @param state hash with the cursors
 */
export function placeOf(state: string, stream: string): Place {
  const { cursor, position } = storedPlace(state, stream);
  if (redis.call("EXISTS", stream) === 0) return { cursor, position: 0 };
  const { length, added, lastId, firstId } = readInfo(stream);
  const isBegunAnew = isAfter(cursor, lastId);
  const isUnread = isBegunAnew || firstId === undefined || isAfter(firstId, cursor);
  return {
    cursor: isBegunAnew ? "0-0" : cursor,
    position: isUnread ? added - length : Math.min(position, added),
  };
}

/** Keeps a place in the state hash. */
export function keepPlace(state: string, stream: string, place: Place): void {
  const { cursor, position } = place;
  redis.call("HSET", state, cursorField(stream), cursor, positionField(stream), `${position}`);
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
