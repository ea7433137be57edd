/**
 * Queues of plans as GigAPI keeps them: a list of plans that wait and a list of those that are out, both given out from
 * their heads. A plan that is out is leased for half an hour, and then given out again.
 *
 * Beside them stands an index of ours: for every iteration, layer and writer the folders of its merge queues, by the time
 * at which a queue may next have something to give out. It is secondary: whoever takes from it looks at the lists first,
 * and puts right what others have changed.
 */
import { inChunks } from "../runtime/chunks";
import { currentPartition } from "../runtime/keys";
import { onKey, requireType } from "../runtime/types";
import { IDLE, PROCESSING } from "./names";
import * as names from "./names";
import { idOf, ownHead, timeOf, withoutPaths, withTime } from "./plan-json";

export type PlanKind = "merge" | "move" | "drop";

/** Where a queue is. */
interface Place {
  /** What `leaseHead`, `keepPlace` and `goneKey` have made of it, once they have. */
  head?: string;
  place?: string;
  gone?: string;
  /** What the slim path of patch_index knows of its folder. */
  ground?: object;
  /** Name of its lists, without IDLE and PROCESSING. */
  name: string;
  /** Sorted set of the index and the member in it; both empty for a queue that is no merge queue. */
  index: string;
  folder: string;
}

/** Whose a queue is, and where. One of them serves many calls. */
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

/**
 * Before a plan is given out again its paths are looked up, so many a call and the paths of one plan more: some
 * milliseconds.
 */
const MOST_LOOKED_UP = 2000;

/** What stands before the plan in the text that tells where it is found; within JSON text its quotes would be escaped. */
const PLAN = ',"plan":';

/** Of the plans that nobody can read, the last ones are kept. */
const UNREADABLE_KEPT = 1000;

/** Field of a table's state: how many plans nobody could read. */
export const UNREADABLE = "unreadable";

/** Plans are looked for by their id in steps of so many, and in at most so many. */
const SEARCH_STEP = 100;
const MOST_SEARCHED = 10000;

/** Merge queues by partition and name: a writer calls for the same few again and again. */
const MOST_KNOWN = 1000;
let knownQueues = new LuaMap<string, Queue>();
let knownCount = 0;

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
  const known = knownQueues.get(currentPartition() + name);
  // Names with colons may give two queues one name.
  const isSame =
    known !== undefined &&
    known.folder === folder &&
    known.layer === layer &&
    known.writer === writer &&
    known.iteration === iteration &&
    known.table === table &&
    known.db === db;
  if (isSame) return known;
  const index = names.queuesKey(db, table, iteration, layer, writer);
  const queue: Queue = { kind: "merge", db, table, iteration, layer, writer, name, index, folder };
  if (knownCount === MOST_KNOWN) {
    knownQueues = new LuaMap();
    knownCount = 0;
  }
  knownQueues.set(currentPartition() + name, queue);
  knownCount += 1;
  return queue;
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

/**
 * Enters a time in the index, or takes the queue out of it. It is written last, after what must not be lost: something foreign
 * in its place is no reason to fail half-way.
 */
function enter({ index, folder }: Place, timeS: number | undefined): void {
  if (index === "") return;
  if (timeS === undefined) redis.pcall("ZREM", index, folder);
  else redis.pcall("ZADD", index, `${timeS}`, folder);
}

/** Enters a queue in the index by what its lists hold now, or takes it out if it is empty. */
export function reindex(place: Place): void {
  if (place.index !== "") enter(place, nextTime(place.name));
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

/** Fails with CONFLICT if a key that is written where a plan goes without being given out holds a foreign type. */
function requireAside({ db, table }: Queue): void {
  requireType(names.tableKey(db, table), "hash");
  requireType(names.unreadableKey(db, table), "list");
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

/** What a call may still spend on plans that turn out to be of no use. */
interface Effort {
  plans: number;
  /** Paths that are looked up in the index. */
  paths: number;
}

/** The effort of one call. */
export function newEffort(): Effort {
  return { plans: MOST_PUT_AWAY, paths: MOST_LOOKED_UP };
}

/** Paths of the files that a plan needs; none for a drop, whose file is out of the index already. */
function needed(kind: PlanKind, plan: Plan): string[] {
  if (kind === "merge") return plan.paths;
  return kind === "move" ? [plan.path_from] : [];
}

/** Those of the paths whose files were deleted while nobody looked for them in the plan that waits. */
function goneOf(gone: string, paths: string[]): string[] {
  const found: string[] = [];
  inChunks(paths, (part) => {
    const marks = onKey("SMISMEMBER", gone, ...part);
    for (const at of $range(1, part.length)) {
      if (marks[at - 1] === 1) found.push(part[at - 1]!);
    }
  });
  return found;
}

/** Those of the paths whose files are not in the index any more. */
function deletedOf({ db, table }: Queue, paths: string[]): string[] {
  const found: string[] = [];
  for (const path of paths) {
    // As GigAPI's scripts find the first folder.
    const [first] = string.match(path, "([^/]+)/");
    if (first !== undefined && onKey("HEXISTS", names.filesKey(db, table, first), path) === 0) found.push(path);
  }
  return found;
}

/** A plan less some of its paths; undefined if none is left. */
function without(kind: PlanKind, text: string, plan: Plan, gone: string[]): Taken | undefined {
  if (gone.length === 0) return kind === "merge" && plan.paths.length === 0 ? undefined : { text, plan };
  if (gone.length === needed(kind, plan).length) return undefined;
  const left = withoutPaths(text, gone);
  return { text: left, plan: read(kind, left)! };
}

/** The key of the paths that count as taken out of plans that wait in a queue. */
export function goneOfQueue(queue: Queue): string {
  queue.gone ??= names.goneKey(queue.name);
  return queue.gone;
}

/** The text that tells where a plan is found, up to the plan: the JSON ends with it, as it stands in its list. */
function leaseHead(place: Place): string {
  const { name, index, folder } = place;
  place.head ??= `{"queue":${cjson.encode(name)},"index":${cjson.encode(index)},"folder":${cjson.encode(folder)}${PLAN}`;
  return place.head;
}

/** Notes in which queue a plan that is out is found; enough for one that is ended, as a rule, by naming its queue. */
function keepPlace(queue: Queue, id: string): void {
  const head = leaseHead(queue);
  queue.place ??= `${string.sub(head, 1, -1 - PLAN.length)}}`;
  redis.call("SET", names.leaseKey(queue.db, queue.table, id), queue.place, "PX", FOUND_FOR_MS);
}

/** Notes where a plan that is out is found. */
export function keepLease(queue: Queue, id: string, text: string): void {
  redis.call("SET", names.leaseKey(queue.db, queue.table, id), `${leaseHead(queue)}${text}}`, "PX", FOUND_FOR_MS);
}

/** Takes the head of a list, which nobody needs, out of the way. */
function putAside(queue: Queue, list: string, head: string, plan: Plan | undefined): void {
  requireAside(queue);
  redis.call("LPOP", list);
  if (plan === undefined) keepUnreadable(queue, head);
  else redis.call("UNLINK", names.leaseKey(queue.db, queue.table, plan.id));
}

/** What takes plans, and what is known of it. */
interface Taker {
  queue: Queue;
  /** Clock of the call in seconds. */
  nowS: number;
  effort: Effort;
  /** Whether it names the queue itself, and will name it again to end the plan: nobody need then be told the plan's text. */
  knowsQueue: boolean;
}

/** Moves the head of a list among those that are out. */
function giveOut(queue: Queue, list: string, id: string, text: string, nowS: number, knowsQueue: boolean): string {
  const given = withTime(text, nowS + LEASE_S);
  onKey("RPUSH", queue.name + PROCESSING, given);
  // LPOP would hand the whole plan over once more.
  redis.call("LTRIM", list, "1", "-1");
  if (knowsQueue) keepPlace(queue, id);
  else keepLease(queue, id, given);
  return given;
}

/** As `giveOut`, with the plan. */
function giveOutPlan({ queue, nowS, knowsQueue }: Taker, list: string, { text, plan }: Taken): Taken {
  return { text: giveOut(queue, list, plan.id, text, nowS, knowsQueue), plan };
}

/** Takes the first plan of those that wait, if its time has come. */
function takeWaiting(taker: Taker): Taken | undefined {
  const { queue, nowS, effort } = taker;
  const { kind, name } = queue;
  const list = name + IDLE;
  while (effort.plans > 0) {
    const head = onKey("LINDEX", list, "0");
    if (head === false || timeOf(head) > nowS) return undefined;
    effort.plans -= 1;
    const plan = read(kind, head);
    const goneSet = kind === "drop" || plan === undefined ? "" : goneOfQueue(queue);
    const hasGone = goneSet !== "" && redis.call("EXISTS", goneSet) === 1;
    const gone = hasGone ? goneOf(goneSet, needed(kind, plan!)) : [];
    const left = plan && without(kind, head, plan, gone);
    const found = left && giveOutPlan(taker, list, left);
    if (found === undefined) putAside(queue, list, head, plan);
    if (hasGone) {
      inChunks(gone, (part) => redis.call("SREM", goneSet, ...part));
      // What is gone from plans that wait is of no use once none waits.
      if (redis.call("EXISTS", list) === 0) redis.call("UNLINK", goneSet);
    }
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Takes the first plan of those that are out, if its lease has ended. Its files are looked up: the worker before may have
 * carried it out and died before it ended it, and others may have deleted some meanwhile.
 */
function takeAgain(taker: Taker): Taken | undefined {
  const { queue, nowS, effort } = taker;
  const { kind, name } = queue;
  const list = name + PROCESSING;
  while (effort.plans > 0 && effort.paths > 0) {
    const head = onKey("LINDEX", list, "0");
    if (head === false || timeOf(head) > nowS) return undefined;
    effort.plans -= 1;
    const plan = read(kind, head);
    let left: Taken | undefined;
    if (plan !== undefined) {
      const paths = needed(kind, plan);
      effort.paths -= paths.length;
      left = without(kind, head, plan, deletedOf(queue, paths));
    }
    if (left !== undefined) return giveOutPlan(taker, list, left);
    putAside(queue, list, head, plan);
  }
  return undefined;
}

/**
 * Gives out a plan of a queue: the first that waits, if it is ripe, or else the first that is out, if its lease has ended.
 *
 * A plan that nobody can read, or that lacks what its kind needs, is moved aside and counted; one whose files were all
 * deleted ends. Where that has been so of very many, undefined is answered though there may be more: the next call gets
 * further.
 *
 * @param nowS clock of the call in seconds
 */
export function take(queue: Queue, nowS: number, effort: Effort): Taken | undefined {
  const taker = { queue, nowS, effort, knowsQueue: false };
  const before = effort.plans;
  const found = takeWaiting(taker) ?? takeAgain(taker);
  if (effort.plans < before) reindex(queue);
  return found;
}

/**
 * The first plan that waits in a merge queue, given out without being decoded, which takes as long as all the rest: one whose
 * beginning and end are as we write them. The text of it that is given out again is looked at all the more closely.
 *
 * @returns undefined if the plan, or the queue, takes the long way; false if none is ripe
 */
function takeOwn(queue: Queue, nowS: number): string | false | undefined {
  const list = queue.name + IDLE;
  const head = onKey("LINDEX", list, "0");
  if (head === false) return false;
  const [id, timeS] = ownHead(head);
  if (id === undefined) return undefined;
  if (timeS > nowS) return false;
  return redis.call("EXISTS", goneOfQueue(queue)) === 1 ? undefined : giveOut(queue, list, id, head, nowS, true);
}

/**
 * Gives out a plan as `take` does, to a worker that names the queue and will name it to end the plan.
 *
 * The index keeps the time at which the plan was ripe: too early a time is put right by the next one who goes by it, and
 * the call is half as long without.
 */
export function takeNamed(queue: Queue, nowS: number): string | undefined {
  const own = queue.kind === "merge" ? takeOwn(queue, nowS) : undefined;
  if (own !== undefined && own !== false) return own;
  const effort = newEffort();
  const taker = { queue, nowS, effort, knowsQueue: true };
  const found = (own === undefined ? takeWaiting(taker) : undefined) ?? takeAgain(taker);
  if (found === undefined && effort.plans < MOST_PUT_AWAY) reindex(queue);
  return found?.text;
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

/**
 * The queue in which a plan was last given out, and its text, or undefined for one that its queue's worker took; no queue
 * if that is not known.
 */
function placeOf(kind: PlanKind, stored: string): LuaMultiReturn<[Place, string | undefined] | [undefined, undefined]> {
  const [end, after] = string.find(stored, PLAN, 1, true);
  const [isJson, decoded] = pcall(cjson.decode, end === undefined ? stored : `${string.sub(stored, 1, end - 1)}}`);
  if (!isJson || type(decoded) !== "table") return $multi(undefined, undefined);
  const { queue: name, index, folder } = decoded as Record<string, string | undefined>;
  if (name === undefined || string.sub(name, 1, kind.length + 1) !== `${kind}:`) return $multi(undefined, undefined);
  const text = end === undefined ? undefined : string.sub(stored, after + 1, -2);
  return $multi({ name, index: index!, folder: folder! }, text);
}

/**
 * Ends a plan that is out.
 *
 * @returns whether there was one
 */
export function endPlan(kind: PlanKind, db: string, table: string, id: string): boolean {
  const lease = names.leaseKey(db, table, id);
  const stored = onKey("GET", lease);
  if (stored === false) return false;
  const [place, known] = placeOf(kind, stored);
  if (place === undefined) return false;
  const text = known ?? search(place.name + PROCESSING, id);
  if (text === undefined || !remove(place, text)) return false;
  redis.call("UNLINK", lease);
  return true;
}

/** Ends a plan that is out in a queue, if there is one; GigAPI's scripts may have given it out. */
export function endPlanIn(queue: Queue, id: string): void {
  const out = queue.name + PROCESSING;
  const head = onKey("LINDEX", out, "0");
  if (head === false) return;
  if (idOf(head) === id) {
    // What was given out first is ended first, as a rule.
    redis.call("LTRIM", out, "1", "-1");
  } else {
    const found = search(out, id);
    if (found === undefined) return;
    redis.call("LREM", out, "1", found);
  }
  redis.call("UNLINK", names.leaseKey(queue.db, queue.table, id));
  if (redis.call("EXISTS", queue.name + IDLE, out) === 0) enter(queue, undefined);
}
