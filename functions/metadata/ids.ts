/** Ids of plans and names of files: in the shape of a UUID, and never the same twice. */
import { currentPartition } from "../runtime/keys";
import { tableKey } from "./names";

/** In the table's hash: how many calls have made ids. */
const COUNTER = "ids";

/**
 * Makes ids for a call. They are made from the server's clock, in microseconds, and from a count of the calls that made any, so
 * that neither a clock that stands still or goes back nor an emptied database gives one twice. The shape is that of version 8
 * of RFC 9562, which leaves the bits to whoever makes them.
 *
 * Writes the count: to be called after all checks, and the table's key must be known to hold a hash.
 */
export function newIds(db: string, table: string): (this: void) => string {
  const name = tableKey(db, table);
  const [seconds, microseconds] = redis.call("TIME");
  const call = redis.call("HINCRBY", name, COUNTER, "1");
  const seed = `${currentPartition()}${name}/${seconds}.${microseconds}/${call}/`;
  let made = 0;
  return () => {
    made += 1;
    const hex = redis.sha1hex(`${seed}${made}`);
    const [a, b, c] = [string.sub(hex, 1, 8), string.sub(hex, 9, 12), string.sub(hex, 13, 15)];
    return `${a}-${b}-8${c}-a${string.sub(hex, 16, 18)}-${string.sub(hex, 19, 30)}`;
  };
}
