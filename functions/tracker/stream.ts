/** How far the tracker has read a stream, and what of it may go. */
import * as stream from "../runtime/stream";
import * as names from "./names";

export type Place = stream.Place;

/** The place to read on from. */
export function placeOf(name: string): Place {
  return stream.placeOf(names.state(), name);
}

/** Keeps a place. */
export function keepPlace(name: string, place: Place): void {
  stream.keepPlace(names.state(), name, place);
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
