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
import { micros } from "./clock";
import { fail } from "./errors";
import { key } from "./keys";

/**
 * How long an answer holds for calls whose routing key is the braces alone. Asking costs a tenth of counting one event.
 *
 * Within this time a slot would have to be moved away, keys and all, and be on its way back. Before that a node that gives it
 * away refuses such calls itself, and a node that takes it has not been asked. The move alone is a MIGRATE, which waits for
 * the other node, between six commands on two nodes, each sent after the answer to the one before.
 */
const HOLDS_MICROS = 250;

/** Partitions are names that callers choose: the memory of more than these is dropped. */
const MOST_PARTITIONS = 1000;

/** What is kept of a partition between calls. */
interface Slot {
  /** Two keys that nobody ever writes. */
  absent: [string, string];
  /** When it was last found at rest, by the server's clock in microseconds. */
  restedAt: number;
}

let slots = new LuaMap<string, Slot>();
let slotCount = 0;

function newSlot(partition: string): Slot {
  if (slotCount === MOST_PARTITIONS) {
    slots = new LuaMap();
    slotCount = 0;
  }
  slotCount += 1;
  const slot: Slot = { absent: [key("H", "SLOT", "", "a", "", ""), key("H", "SLOT", "", "b", "", "")], restedAt: 0 };
  slots.set(partition, slot);
  return slot;
}

/** Whether a server says that a key is not here, or, from 7.2 on, that some of several are not. */
function isMoving(problem: string): boolean {
  const [found] = string.find(problem, "non local key", 1, true);
  return found !== undefined || string.find(problem, "rehashing", 1, true)[0] !== undefined;
}

/** Asks the server. */
function requireRest(partition: string, slot: Slot, nowMicros: number): void {
  const [a, b] = slot.absent;
  const found = redis.pcall("EXISTS", a, b);
  if (type(found) === "table") {
    const problem = found as RedisError;
    // A replica that has lost its primary lets only those run that read nothing.
    if (string.find(problem.err, "stale replica", 1, true)[0] !== undefined) return;
    if (!isMoving(problem.err)) error(problem);
    fail("TRYAGAIN", `the slot of ${partition} is being moved; nothing was done`);
  }
  slot.restedAt = nowMicros;
}

/**
 * Fails with TRYAGAIN, before anything is done, if the slot of the call's partition is being moved.
 *
 * @param routingKey of the call. One that is more than the braces may be a key that exists, which a node that gives the slot
 *   away lets in: such a call asks every time
 * @param partition that it carries, braces included
 */
export function requireStableSlot(routingKey: string, partition: string): void {
  const nowMicros = micros();
  const slot = slots.get(partition) ?? newSlot(partition);
  const { restedAt } = slot;
  // A clock that was set back is no reason to believe an old answer.
  if (nowMicros - restedAt < HOLDS_MICROS && nowMicros >= restedAt && routingKey === partition) return;
  requireRest(partition, slot, nowMicros);
}

/** Whether this server was found to be no node of a cluster; that does not change while it runs. */
let isOneServer = false;

/**
 * Fails with BADARG, before anything is done, on a node of a cluster. For forms whose keys are values and no names: their call has no
 * one slot, and what it writes lies in several.
 *
 * @param name of the function, whose other form takes one routing key
 */
export function requireOneServer(name: string): void {
  if (isOneServer) return;
  // Without braces these lie in two slots, which no function may use together.
  const found = redis.pcall("EXISTS", key("H", "SLOT", "", "a", "", ""), key("H", "SLOT", "", "b", "", ""));
  if (type(found) !== "table") {
    isOneServer = true;
    return;
  }
  const problem = (found as RedisError).err;
  const isCluster = string.find(problem, "non local key", 1, true)[0] !== undefined;
  if (isCluster || string.find(problem, "same slot", 1, true)[0] !== undefined)
    fail("BADARG", `${name} with more than one key is for a single server; in a cluster it takes one routing key`);
}
