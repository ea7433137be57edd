/**
 * A slot of a cluster that is being moved key by key, by SETSLOT and MIGRATE: a call must not run while it is.
 *
 * The routing key never exists. So a node that gives a slot away answers ASK to every call, and a client that follows it runs
 * the function on the node that takes the slot, where most of its keys are not yet. There, and nowhere else, a command on
 * several keys is refused unless all of them exist: the guard asks for two keys that nobody ever writes. On a node that
 * gives the slot away any key that is missing is refused, so that a call which got in by a key that exists is stopped too.
 *
 * A replica does not know that its primary's slot is being moved: what is read there meanwhile may lack keys.
 *
 * Nothing of this concerns Valkey's CLUSTER MIGRATESLOTS: it hands over a slot whole.
 */
import { clock } from "./clock";
import { fail } from "./errors";
import { currentPartition, key } from "./keys";

/** The partitions that were looked at in this millisecond. */
let checked = new LuaSet<string>();
let checkedMs = 0;

/** A key that nobody ever writes. */
function absent(id: string): string {
  return key("H", "SLOT", "", id, "", "");
}

/** Whether a server says that a key is not here, or, from 7.2 on, that some of several are not. */
function isMoving(problem: string): boolean {
  const [found] = string.find(problem, "non local key", 1, true);
  return found !== undefined || string.find(problem, "rehashing", 1, true)[0] !== undefined;
}

/**
 * Fails with TRYAGAIN, before anything is done, if the slot of the call's partition is being moved.
 *
 * Asked once a millisecond for each partition, because asking costs a tenth of counting an event. A slot cannot leave a node and
 * be on its way back within that time: its keys have to travel first, and six commands of an operator follow each other, each
 * after the answer to the one before.
 */
export function requireStableSlot(): void {
  const partition = currentPartition();
  const nowMs = clock(undefined);
  if (nowMs !== checkedMs) {
    checked = new LuaSet();
    checkedMs = nowMs;
  } else if (checked.has(partition)) return;
  const found = redis.pcall("EXISTS", absent("a"), absent("b"));
  if (type(found) === "table") {
    const problem = found as RedisError;
    // A replica that has lost its primary lets only those run that read nothing.
    if (string.find(problem.err, "stale replica", 1, true)[0] !== undefined) return;
    if (!isMoving(problem.err)) error(problem);
    fail("TRYAGAIN", `the slot of ${partition} is being moved; nothing was done`);
  }
  checked.add(partition);
}
