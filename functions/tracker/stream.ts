/** How far the tracker has read a stream, and what of it may go. */
import * as stream from "../runtime/stream";
import * as names from "./names";

export type Place = stream.Place;

/** The place to read on from. */
export function placeOf(name: string): Place {
  return stream.placeOf(names.state(), name);
}

/** Moves a place on and keeps it. */
export function movePlace(
  name: string,
  place: Place,
  cursor: string,
  read: number,
  isEnd: boolean,
  nowMs: number,
): void {
  stream.movePlace(names.state(), name, place, cursor, read, isEnd, nowMs);
}

/** What went missing of a stream. */
export function lossOf(name: string, place: Place): ReturnType<typeof stream.lossOf> {
  return stream.lossOf(names.state(), name, place);
}

/** How many entries of a stream lie after a place: never too few. */
export function unreadOf(name: string, place: Place): number {
  return stream.unreadOf(name, place);
}

/** Removes consumed entries beyond about `maxlen`; what is unread is never removed. */
export function trim(name: string, place: Place, maxlen: number): void {
  if (redis.call("XLEN", name) <= maxlen) return;
  redis.call("XTRIM", name, "MAXLEN", "~", `${unreadOf(name, place) + maxlen}`);
}
