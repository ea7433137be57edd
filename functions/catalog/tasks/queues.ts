/** Queues of tasks: what each is kept in, on the leased queue of the runtime. */
import { text } from "../../runtime/declare";
import { currentPartition } from "../../runtime/keys";
import type { Queue, Retry } from "../../runtime/queue";
import { requireType } from "../../runtime/types";
import * as names from "./names";
import { taskKey, type Outcome, type TaskState } from "./records";
import { readTaskType, requireName } from "./types";

/** So many of a state that is kept for a while, and no more. */
const MAX_KEPT = 10000;

/** The argument that names a queue. */
export const QUEUE = { name: "queue", type: text(1, 128), doc: "name of the queue" } as const;

/** A queue with the sets of tasks that neither wait nor are out. */
export interface TaskQueue extends Queue {
  name: string;
  /** Hash with how many tasks were enqueued, finished, given up and cancelled. */
  totals: string;
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
  const [taskType, priority] = redis.call("HMGET", taskKey(id), "type", "priority") as string[];
  const { attempts, backoff } = readTaskType(taskType!).settings;
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
    counters: names.counters(""),
    totals: names.counters(name),
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

/** Fails with CONFLICT, naming the key, if one that a task is finished with holds something else. */
export function requireFinishing({ leased, finished, totals }: TaskQueue): void {
  requireType(leased, "zset");
  requireType(finished, "zset");
  requireType(totals, "hash");
}

/** Fails with CONFLICT, naming the key, if a key of the queue holds something else. */
export function requireTaskQueue(queue: TaskQueue): void {
  requireFinishing(queue);
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
 * Keeps a task that has ended for as long as its type says, and forgets up to two others whose time is over, or which are too
 * many: each call that adds one can take away more than it adds.
 */
export function keepFor(queue: TaskQueue, id: string, outcome: Outcome, keepMs: number, nowMs: number): void {
  const kept = setOf(queue, outcome);
  if (keepMs === 0) {
    redis.call("ZREM", kept, id);
    redis.call("UNLINK", taskKey(id));
    return;
  }
  redis.call("ZADD", kept, `${nowMs + keepMs}`, id);
  let excess = redis.call("ZCARD", kept) - MAX_KEPT;
  const first = redis.call("ZRANGE", kept, "0", "1", "WITHSCORES");
  for (const at of $range(1, first.length, 2)) {
    if (excess <= 0 && tonumber(first[at])! > nowMs) break;
    redis.call("UNLINK", taskKey(first[at - 1]!));
    redis.call("ZREM", kept, first[at - 1]!);
    excess -= 1;
  }
}
