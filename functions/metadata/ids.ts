/** Ids of plans and names of files: in the shape of a UUID, and never the same twice. */
import { currentPartition } from "../runtime/keys";
import { tableKey } from "./names";

/** In the table's hash: how many calls have made ids. */
const COUNTER = "ids";

/** The last eight digits of an id, as a number, wrap here. */
const TAILS = 0x100000000;

/**
 * Makes ids for a call. They are made from the server's clock, in microseconds, and from a count of the calls that made any, so
 * that neither a clock that stands still or goes back nor an emptied database gives one twice. The shape is that of version 8
 * of RFC 9562, which leaves the bits to whoever makes them. The ids of a call are alike but for their tails, which count up from
 * one that is made as the rest is: cheaper than to hash each.
 *
 * Writes the count with the first id that is asked for: to be called after all checks, and the table's key must be known to
 * hold a hash.
 */
export function newIds(db: string, table: string): (this: void) => string {
  let head: string | undefined;
  let tail = 0;
  return () => {
    if (head === undefined) {
      const name = tableKey(db, table);
      const [seconds, microseconds] = redis.call("TIME");
      const call = redis.call("HINCRBY", name, COUNTER, "1");
      const hex = redis.sha1hex(`${currentPartition()}${name}/${seconds}.${microseconds}/${call}`);
      const [a, b, c] = [string.sub(hex, 1, 8), string.sub(hex, 9, 12), string.sub(hex, 13, 15)];
      head = `${a}-${b}-8${c}-a${string.sub(hex, 16, 18)}-${string.sub(hex, 19, 22)}`;
      tail = tonumber(string.sub(hex, 23, 30), 16)!;
    }
    tail = (tail + 1) % TAILS;
    return string.format("%s%08x", head, tail);
  };
}
