/** Queues of tasks: what each is kept in, on the leased queue of the runtime. */
import { text } from "../../runtime/declare";
import { currentPartition } from "../../runtime/keys";
import type { Queue, Retry } from "../../runtime/queue";
import { requireType } from "../../runtime/types";
import * as names from "./names";
import { readTask, taskKey, type Outcome, type Task, type TaskState } from "./records";
import { readTaskType, requireName } from "./types";

/** About so many of a state that is kept for a while, and no more. */
const MAX_KEPT = 10000;

/** What is not kept any longer is forgotten at every so manieth end, twice as many at a time: more than are added. */
const FORGOTTEN_EVERY = 8;

/** The argument that names a queue. */
export const QUEUE = { name: "queue", type: text(1, 128), doc: "name of the queue" } as const;

/** A queue with the sets of tasks that neither wait nor are out. */
export interface TaskQueue extends Queue {
  name: string;
  /** Fields of the counters: how many tasks were ever enqueued, and ended how. */
  totals: Record<"enqueued" | Outcome, string>;
  /** By the time they were enqueued. */
  held: string;
  /** Tasks that wait for their children, by the time their own work was done. */
  joining: string;
  /** By the time from which they are not kept any longer. */
  finished: string;
  cancelled: string;
}

/** Queues made lately, by partition and name. */
let remembered = new LuaMap<string, TaskQueue>();
let rememberedCount = 0;
const MAX_REMEMBERED = 100;

/** How often a task is given out, by its type, and its priority. */
function retryOf(this: void, id: string): Retry {
  const { type: taskType, priority } = readTask(id)!;
  const { attempts, backoff } = readTaskType(taskType).settings;
  return { attempts, backoffMs: backoff, priority: tonumber(priority)! };
}

function newQueue(name: string): TaskQueue {
  return {
    name,
    noun: "task",
    ready: names.tasks(name, "READY"),
    leased: names.tasks(name, "LEASED"),
    dead: names.tasks(name, "DEAD"),
    held: names.tasks(name, "HELD"),
    joining: names.tasks(name, "JOINING"),
    finished: names.tasks(name, "FINISHED"),
    cancelled: names.tasks(name, "CANCELLED"),
    // A task with the same id may have been in another queue: no token may be given twice in all of them.
    counters: names.counters(),
    totals: {
      enqueued: `enqueued:${name}`,
      finished: `finished:${name}`,
      dead: `dead:${name}`,
      cancelled: `cancelled:${name}`,
    },
    entryStart: names.taskStart(),
    entryEnd: names.END,
    retryOf,
  };
}

/** The queue of a name. */
export function taskQueue(name: string): TaskQueue {
  const place = `${currentPartition()}${name}`;
  const known = remembered.get(place);
  if (known !== undefined) return known;
  requireName("queue", name);
  const queue = newQueue(name);
  rememberedCount = rememberedCount < MAX_REMEMBERED ? rememberedCount + 1 : 1;
  if (rememberedCount === 1) remembered = new LuaMap();
  remembered.set(place, queue);
  return queue;
}

/** Fails with CONFLICT, naming the key, if one that a finished task is put into holds something else. */
export function requireFinishing({ finished, counters }: TaskQueue): void {
  requireType(finished, "zset");
  requireType(counters, "hash");
}

/** Fails with CONFLICT, naming the key, if a key of the queue holds something else. */
export function requireTaskQueue(queue: TaskQueue): void {
  requireFinishing(queue);
  requireType(queue.leased, "zset");
  requireType(queue.ready, "zset");
  requireType(queue.dead, "zset");
  requireType(queue.held, "zset");
  requireType(queue.joining, "zset");
  requireType(queue.cancelled, "zset");
}

/** The sorted set of the tasks in a state. */
export function setOf(queue: TaskQueue, state: TaskState): string {
  switch (state) {
    case "waiting":
      return queue.ready;
    case "waiting_children":
      return queue.joining;
    default:
      return queue[state];
  }
}

/**
 * Keeps a task that has ended for as long as its type says.
 *
 * @param count how many of the queue have ended so, this one included
 */
export function keepFor(
  queue: TaskQueue,
  task: Task,
  outcome: Outcome,
  keepMs: number,
  count: number,
  nowMs: number,
): void {
  const kept = setOf(queue, outcome);
  if (keepMs > 0) redis.call("ZADD", kept, `${nowMs + keepMs}`, task.id);
  else redis.call("UNLINK", task.key);
  if (count % FORGOTTEN_EVERY === 0) forgetOver(kept, nowMs);
}

/** Forgets tasks whose time is over, or which are too many. */
function forgetOver(kept: string, nowMs: number): void {
  const excess = redis.call("ZCARD", kept) - MAX_KEPT;
  const first = redis.call("ZRANGE", kept, "0", `${2 * FORGOTTEN_EVERY - 1}`, "WITHSCORES");
  const over: string[] = [];
  const keys: string[] = [];
  for (const at of $range(1, first.length, 2)) {
    if (over.length >= excess && tonumber(first[at])! > nowMs) break;
    over.push(first[at - 1]!);
    keys.push(taskKey(first[at - 1]!));
  }
  if (over.length === 0) return;
  redis.call("UNLINK", ...keys);
  redis.call("ZREM", kept, ...over);
}
