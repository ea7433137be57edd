/**
 * Queues of plans as GigAPI keeps them: a list of plans that wait and a list of those that are out, both given out from
 * their heads. A plan that is out is leased for half an hour, and then given out again.
 *
 * Beside them stands an index of ours: for every iteration, layer and writer the folders of its merge queues, by the time
 * at which a queue may next have something to give out. It is secondary: whoever takes from it looks at the lists first,
 * and puts right what others have changed.
 */
import { onKey, requireType } from "../runtime/types";
import { IDLE, PROCESSING } from "./names";
import * as names from "./names";
import { idOf, timeOf, withoutPaths, withTime } from "./plan-json";

export type PlanKind = "merge" | "move" | "drop";

/** Where a queue is. */
interface Place {
  /** Name of its lists, without IDLE and PROCESSING. */
  name: string;
  /** Sorted set of the index and the member in it; both empty for a queue that is no merge queue. */
  index: string;
  folder: string;
}

/** Whose a queue is, and where. */
export interface Queue extends Place {
  kind: PlanKind;
  db: string;
  table: string;
  /** Empty unless it merges. */
  iteration: string;
  layer: string;
  writer: string;
}

/** A plan that was given out. */
export interface Taken {
  /** As it now stands among those that are out. */
  text: string;
  plan: Plan;
}

/** What a plan holds, by kind. */
export interface Plan {
  id: string;
  paths: string[];
  path_from: string;
  layer_from: string;
  path_to: string;
  layer_to: string;
  path: string;
  writer_id?: string;
}

/** A plan that is out is given out again after this time. */
const LEASE_S = 1800;

/** Where a plan is found is kept for a day after it was last given out; what is ended later is looked for in its list. */
const FOUND_FOR_MS = 86400000;

/** Plans without content or that nobody can read are put out of the way by so many a call. */
const MOST_PUT_AWAY = 100;

/** Of the plans that nobody can read, the last ones are kept. */
const UNREADABLE_KEPT = 1000;

/** Field of a table's state: how many plans nobody could read. */
export const UNREADABLE = "unreadable";

/** Plans are looked for by their id in steps of so many, and in at most so many. */
const SEARCH_STEP = 100;
const MOST_SEARCHED = 10000;

/** The queue of merge plans of a folder. */
export function mergeQueueOf(
  db: string,
  table: string,
  iteration: string,
  folder: string,
  layer: string,
  writer: string,
): Queue {
  const name = names.mergeQueue(db, table, iteration, folder, layer, writer);
  const index = names.queuesKey(db, table, iteration, layer, writer);
  return { kind: "merge", db, table, iteration, layer, writer, name, index, folder };
}

/** A queue of plans to move or to drop files. */
export function fileQueueOf(kind: "move" | "drop", db: string, table: string, layer: string, writer: string): Queue {
  const name = kind === "move" ? names.moveQueue(db, table, layer, writer) : names.dropQueue(db, table, layer, writer);
  return { kind, db, table, iteration: "", layer, writer, name, index: "", folder: "" };
}

/** The earliest time, in seconds, at which a queue has a plan to give out; undefined if it is empty. */
export function nextTime(queue: string): number | undefined {
  const waiting = onKey("LINDEX", queue + IDLE, "0");
  const out = onKey("LINDEX", queue + PROCESSING, "0");
  if (waiting === false) return out === false ? undefined : timeOf(out);
  return out === false ? timeOf(waiting) : Math.min(timeOf(waiting), timeOf(out));
}

/** Enters a queue in the index by what its lists hold now, or takes it out if it is empty. */
export function reindex({ index, name, folder }: Place): void {
  if (index === "") return;
  const timeS = nextTime(name);
  if (timeS === undefined) redis.call("ZREM", index, folder);
  else redis.call("ZADD", index, `${timeS}`, folder);
}

/**
 * Tells the index that a merge queue has a plan that ripens at a time.
 *
 * @param timeS unix time in seconds
 */
export function announce(queue: Queue, timeS: number): void {
  if (redis.call("ZADD", queue.index, "LT", `${timeS}`, queue.folder) === 1) notePlanner(queue);
}

/** Who plans in a table: a queue less its place, of merge queues of all folders together. */
type Planner = Omit<Queue, keyof Place>;

/** Enters who plans in the table's registry. */
export function notePlanner({ kind, db, table, iteration, layer, writer }: Planner): void {
  redis.call("ZADD", names.plannersKey(db, table), "0", cjson.encode([kind, iteration, layer, writer]));
}

/** The list of a queue that holds a foreign type; undefined if none does. */
export function foreignOf({ name }: Queue): string | undefined {
  for (const list of [name + IDLE, name + PROCESSING]) {
    const found = redis.call("TYPE", list).ok;
    if (found !== "list" && found !== "none") return list;
  }
  return undefined;
}

/** Fails with CONFLICT if a key that taking from a queue writes holds a foreign type. */
export function requireQueue({ kind, db, table, name, index }: Queue): void {
  requireType(name + IDLE, "list");
  requireType(name + PROCESSING, "list");
  requireType(names.tableKey(db, table), "hash");
  requireType(names.unreadableKey(db, table), "list");
  requireType(names.plannersKey(db, table), "zset");
  if (kind !== "drop") requireType(names.goneKey(name), "set");
  if (index !== "") requireType(index, "zset");
}

function isText(value: unknown): boolean {
  return type(value) === "string" && value !== "";
}

/** Whether every path is text. */
function areTexts(values: unknown): boolean {
  if (type(values) !== "table") return false;
  for (const each of values as unknown[]) {
    if (!isText(each)) return false;
  }
  return true;
}

/** A plan of a kind as an object; undefined if it cannot be read, or lacks what a worker needs. */
function read(kind: PlanKind, text: string): Plan | undefined {
  const [isJson, decoded] = pcall(cjson.decode, text);
  if (!isJson || type(decoded) !== "table") return undefined;
  const plan = decoded as Plan;
  if (!isText(plan.id)) return undefined;
  if (kind === "merge") return areTexts(plan.paths) ? plan : undefined;
  if (kind === "drop") return isText(plan.path) ? plan : undefined;
  return isText(plan.path_from) && isText(plan.path_to) ? plan : undefined;
}

/** Keeps a plan that nobody can read where it is in nobody's way. */
function keepUnreadable({ db, table, name }: Queue, text: string): void {
  const kept = names.unreadableKey(db, table);
  redis.call("RPUSH", kept, cjson.encode({ queue: name, plan: text }));
  redis.call("LTRIM", kept, `${-UNREADABLE_KEPT}`, "-1");
  redis.call("HINCRBY", names.tableKey(db, table), UNREADABLE, "1");
}

/** Those of the paths whose files were deleted while nobody looked for them in the plan. */
function goneOf(gone: string, paths: string[]): string[] {
  const found: string[] = [];
  if (redis.call("EXISTS", gone) === 0) return found;
  for (const path of paths) {
    if (redis.call("SREM", gone, path) === 1) found.push(path);
  }
  return found;
}

/** A plan that waits, less the files that were deleted since; undefined if none is left. */
function withoutGone({ kind, name }: Queue, text: string, plan: Plan): Taken | undefined {
  if (kind === "drop") return { text, plan };
  const paths = kind === "merge" ? plan.paths : [plan.path_from];
  const gone = goneOf(names.goneKey(name), paths);
  if (gone.length === paths.length) return undefined;
  if (gone.length === 0) return { text, plan };
  const left = withoutPaths(text, gone);
  return { text: left, plan: read(kind, left)! };
}

/** Puts a plan among those that are out. */
function giveOut(queue: Queue, { text, plan }: Taken, nowS: number): Taken {
  const given = withTime(text, nowS + LEASE_S);
  const out = queue.name + PROCESSING;
  redis.call("RPUSH", out, given);
  keepLease(queue, plan.id, given);
  return { text: given, plan };
}

/** Notes where a plan that is out is found. */
export function keepLease({ db, table, name, index, folder }: Queue, id: string, text: string): void {
  const lease = names.leaseKey(db, table, id);
  redis.call("HSET", lease, "queue", name, "plan", text, "index", index, "folder", folder);
  redis.call("PEXPIRE", lease, FOUND_FOR_MS);
}

/** Takes the head of one of a queue's lists, if its time has come. */
function takeHead(queue: Queue, list: string, nowS: number): Taken | undefined {
  for (const _ of $range(1, MOST_PUT_AWAY)) {
    const head = redis.call("LINDEX", list, "0");
    if (head === false || timeOf(head) > nowS) return undefined;
    const plan = read(queue.kind, head);
    if (plan !== undefined) requireType(names.leaseKey(queue.db, queue.table, plan.id), "hash");
    redis.call("LPOP", list);
    if (plan === undefined) {
      keepUnreadable(queue, head);
    } else {
      const whole = withoutGone(queue, head, plan);
      if (whole !== undefined) return giveOut(queue, whole, nowS);
    }
  }
  return undefined;
}

/**
 * Gives out a plan of a queue: the first that waits, if it is ripe, or else the first that is out, if its lease has ended.
 *
 * A plan that nobody can read, or that lacks what its kind needs, is moved aside and counted; one whose files were all
 * deleted is dropped.
 *
 * @param nowS clock of the call in seconds
 */
export function take(queue: Queue, nowS: number): Taken | undefined {
  const taken = takeHead(queue, queue.name + IDLE, nowS) ?? takeHead(queue, queue.name + PROCESSING, nowS);
  if (taken === undefined) return undefined;
  reindex(queue);
  // What is gone from plans that wait is of no use once none waits.
  if (queue.kind !== "drop" && redis.call("EXISTS", queue.name + IDLE) === 0)
    redis.call("UNLINK", names.goneKey(queue.name));
  return taken;
}

/** The text of a plan that is out, by its id, for plans of which it is not known where they are found. */
function search(list: string, id: string): string | undefined {
  for (const from of $range(0, MOST_SEARCHED - 1, SEARCH_STEP)) {
    const found = onKey("LRANGE", list, `${from}`, `${from + SEARCH_STEP - 1}`);
    for (const text of found) {
      if (idOf(text) === id) return text;
    }
    if (found.length < SEARCH_STEP) return undefined;
  }
  return undefined;
}

/** Removes a plan from those that are out; answers whether it was there. */
function remove(queue: Place, text: string): boolean {
  if (onKey("LREM", queue.name + PROCESSING, "1", text) === 0) return false;
  reindex(queue);
  return true;
}

/** The queue in which a plan was last given out, and its text; undefined if that is not known. */
function leaseOf(
  kind: PlanKind,
  db: string,
  table: string,
  id: string,
): LuaMultiReturn<[Place, string] | [undefined, undefined]> {
  const [name, text, index, folder] = onKey(
    "HMGET",
    names.leaseKey(db, table, id),
    "queue",
    "plan",
    "index",
    "folder",
  ) as string[];
  const isOfKind = (name as string | false) !== false && string.sub(name!, 1, kind.length + 1) === `${kind}:`;
  if (!isOfKind) return $multi(undefined, undefined);
  return $multi({ name: name!, index: index!, folder: folder! }, text!);
}

/**
 * Ends a plan that is out.
 *
 * @param known the queue that it is in, where the caller knows; plans that others gave out are then found too
 * @returns whether there was one
 */
export function endPlan(kind: PlanKind, db: string, table: string, id: string, known: Queue | undefined): boolean {
  const [queue, text] = leaseOf(kind, db, table, id);
  if (queue !== undefined && (known === undefined || known.name === queue.name)) {
    if (queue.index !== "") requireType(queue.index, "zset");
    if (remove(queue, text)) {
      redis.call("UNLINK", names.leaseKey(db, table, id));
      return true;
    }
  }
  if (known === undefined) return false;
  if (known.index !== "") requireType(known.index, "zset");
  const found = search(known.name + PROCESSING, id);
  return found !== undefined && remove(known, found);
}
