/** What follows when a task ends: its hooks, the task that it is a hook of, and its parent. */
import { giveBack, readyScore, type Queue } from "../../runtime/queue";
import { DAY_MS } from "../../runtime/time";
import { requireType } from "../../runtime/types";
import { startFirstHook, startHook } from "./creating";
import { restOf, type HookOf } from "./hooks";
import * as names from "./names";
import { keepFor, requireFinishing, requireTaskQueue, taskQueue, type TaskQueue } from "./queues";
import { numberOf, parentOf, readSame, readTask, type Outcome, type Task } from "./records";
import { readTaskType, type TaskType } from "./types";

/** The field of a parent that counts children which ended so. */
const COUNTED: Record<Outcome, string> = {
  finished: "children_finished",
  dead: "children_failed",
  cancelled: "children_cancelled",
};

/** What a parent knows of its children. */
interface Children {
  total: number;
  finished: number;
  failed: number;
  cancelled: number;
  open: number;
  /** When the first was enqueued, and when the last ended, unix ms. */
  fromMs: number;
  toMs: number;
}

/** The children of a parent. */
export function childrenOf({ key }: Task): Children {
  const found = redis.call(
    "HMGET",
    key,
    "children",
    COUNTED.finished,
    COUNTED.dead,
    COUNTED.cancelled,
    "children_from",
    "children_to",
  );
  const [total, finished, failed, cancelled] = [
    numberOf(found[0]),
    numberOf(found[1]),
    numberOf(found[2]),
    numberOf(found[3]),
  ];
  const open = total - finished - failed - cancelled;
  return { total, finished, failed, cancelled, open, fromMs: numberOf(found[4]), toMs: numberOf(found[5]) };
}

/** The task that a hook belongs to; undefined if it is gone. */
function ownerOf({ hook }: Task): Task | undefined {
  if (hook === undefined) return undefined;
  return readSame(hook.id, hook.serial);
}

/** Fails with CONFLICT, naming the key, if one that the end of a task may write to holds something else. */
export function requireFamily(task: Task): void {
  requireType(names.types(), "hash");
  let each: Task | undefined = task;
  while (each !== undefined) {
    requireTaskQueue(taskQueue(each.queue));
    each = parentOf(each) ?? ownerOf(each);
  }
}

/** The same for a task that is about to finish: most have no family, and then less need be looked at. */
export function requireFinish(queue: TaskQueue, task: Task, { post }: TaskType): void {
  const isAlone = task.parent === undefined && task.hook === undefined && task.children === 0;
  if (isAlone && post.length === 0) requireFinishing(queue);
  else requireFamily(task);
}

/** How long a parent that was cancelled is kept for its children to know; it is forgotten in time once they have ended. */
const ORPHANED_MS = 365 * DAY_MS;

/** Notes the end of a task, and keeps it or forgets it. */
export function close(queue: TaskQueue, task: Task, { settings }: TaskType, outcome: Outcome, nowMs: number): void {
  redis.call("HSET", task.key, "state", outcome, "ended_at", `${nowMs}`);
  const count = redis.call("HINCRBY", queue.counters, queue.totals[outcome], "1");
  if (outcome === "dead") return;
  const isOrphaning = task.children > 0 && childrenOf(task).open > 0;
  keepFor(queue, task, outcome, isOrphaning ? ORPHANED_MS : settings.keep, count, nowMs);
}

/** Ends a task that was taken out of its set, with all that follows; a dead one is in the set of the dead. */
export function settle(
  queue: TaskQueue,
  task: Task,
  outcome: Outcome,
  nowMs: number,
  taskType = readTaskType(task.type),
): void {
  const { hook } = task;
  if (outcome === "finished" && hook === undefined && taskType.post.length > 0) {
    startFirstHook(queue, task, "post", nowMs, nowMs);
  }
  if (task.parent !== undefined) tellParent(task, outcome, nowMs);
  if (hook !== undefined) afterHook(queue, task, hook, outcome, nowMs);
  close(queue, task, taskType, outcome, nowMs);
}

/** A child counts for its parent; the last one to end ends a parent whose own work is done. */
function tellParent(task: Task, outcome: Outcome, nowMs: number): void {
  const parent = parentOf(task);
  if (parent === undefined) return;
  redis.call("HINCRBY", parent.key, COUNTED[outcome], "1");
  const { open, toMs } = childrenOf(parent);
  if (nowMs > toMs) redis.call("HSET", parent.key, "children_to", `${nowMs}`);
  if (open > 0) return;
  const queue = taskQueue(parent.queue);
  if (parent.state === "cancelled") {
    redis.call("ZREM", queue.cancelled, parent.id);
    keepFor(queue, parent, "cancelled", readTaskType(parent.type).settings.keep, 1, nowMs);
  } else if (parent.state === "waiting_children") {
    redis.call("ZREM", queue.joining, parent.id);
    settle(queue, parent, "finished", nowMs);
  }
}

/** A dead child that is retried is open again. */
export function reopenChild(task: Task): void {
  const parent = parentOf(task);
  if (parent !== undefined) redis.call("HINCRBY", parent.key, COUNTED.dead, "-1");
}

/** The next hook of its kind, or, before a task, the task itself. */
function afterHook(queue: TaskQueue, hook: Task, of: HookOf, outcome: Outcome, nowMs: number): void {
  const held = of.kind === "pre" ? readSame(of.id, of.serial) : undefined;
  const isHeld = held !== undefined && held.state === "held" && held.heldBy === hook.id;
  if (of.kind === "pre" && !isHeld) return;
  if (outcome === "finished") {
    const payload = redis.call("HGET", hook.key, "payload") as string;
    const next: HookOf = { kind: of.kind, at: of.at + 1, serial: of.serial, type: of.type, id: of.id };
    const isStarted = startHook(queue, next, restOf(hook.type, payload), hook.priority, nowMs, nowMs);
    if (!isStarted && isHeld) release(queue, held, nowMs);
  } else if (isHeld) {
    failHeld(queue, held, `its hook ${hook.type} ${outcome === "dead" ? "died" : "was cancelled"}`, nowMs);
  }
}

/** The hooks of a held task have finished: it waits for its turn. */
function release(queue: TaskQueue, { id, key, priority }: Task, nowMs: number): void {
  redis.call("HSET", key, "state", "");
  redis.call("ZREM", queue.held, id);
  redis.call("ZADD", queue.ready, readyScore(tonumber(priority)!, nowMs), id);
}

function failHeld(queue: TaskQueue, task: Task, reason: string, nowMs: number): void {
  redis.call("HSET", task.key, "reason", reason);
  redis.call("ZREM", queue.held, task.id);
  redis.call("ZADD", queue.dead, `${nowMs}`, task.id);
  settle(queue, task, "dead", nowMs);
}

/** `giveBack` of the runtime, for tasks: those that it gives up have ended. */
export function giveBackTask(
  queue: Queue,
  id: string,
  attempt: number,
  readyMs: number,
  reason: string,
  nowMs: number,
): boolean {
  const task = readTask(id);
  if (task === undefined) {
    redis.call("ZREM", queue.leased, id);
    return false;
  }
  requireFamily(task);
  const isDead = giveBack(queue, id, attempt, readyMs, reason, nowMs);
  if (isDead) settle(queue as TaskQueue, task, "dead", nowMs);
  return isDead;
}
