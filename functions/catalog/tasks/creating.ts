/** Tasks and their hooks are put into a queue. */
import { serialAfter } from "../../runtime/clock";
import { enqueue } from "../../runtime/queue";
import { fields } from "../../runtime/types";
import { hookId, hookPayload, hookRest, type HookKind, type HookOf } from "./hooks";
import * as names from "./names";
import { setOf, taskQueue, type TaskQueue } from "./queues";
import { formatInfo, heldState, isAlive, numberOf, readTask, taskKey, type Task } from "./records";
import { readTaskType, type TaskType } from "./types";

/** What the next task of a queue is numbered with. */
interface Numbers {
  serial: string;
  /** How many the queue has had before. */
  enqueued: number;
}

/** A task that is to be. */
interface NewTask {
  id: string;
  numbers: Numbers;
  type: TaskType;
  /** JSON, as it came. */
  payload: string;
  /** A digit, as text. */
  priority: string;
  /** When it may go out at the earliest, unix ms. */
  readyMs: number;
  parent?: Task | undefined;
  hook?: HookOf | undefined;
}

/** The numbers of the next task. Only reads, so that what is found out later can still refuse the call. */
export function nextNumbers({ counters, totals }: TaskQueue): Numbers {
  const [last, enqueued] = fields(counters, ["serial", totals.enqueued]);
  return { serial: serialAfter(last!), enqueued: numberOf(enqueued) };
}

/** Forgets a task that has ended. */
export function forget(task: Task): void {
  redis.call("ZREM", setOf(taskQueue(task.queue), task.state), task.id);
  redis.call("UNLINK", task.key);
}

/** How many generations there are above a task. */
export function depthOf({ parent }: Task): number {
  return parent === undefined ? 0 : parent.depth;
}

/** The fields of a task's record: field, value, field, value. */
function contentOf(
  queue: TaskQueue,
  { type: taskType, numbers, priority, payload, parent, hook }: NewTask,
  nowMs: number,
): string[] {
  const link = parent === undefined ? undefined : { id: parent.id, serial: parent.serial, depth: depthOf(parent) + 1 };
  const info = formatInfo({
    queue: queue.name,
    type: taskType.name,
    serial: numbers.serial,
    priority,
    enqueuedAt: `${nowMs}`,
    parent: link,
    hook,
  });
  return ["info", info, "payload", payload];
}

/** Counts a child of a parent; the first begins the time that they take together. */
function addChild(parent: Task, nowMs: number): void {
  if (redis.call("HINCRBY", parent.key, "children", "1") === 1)
    redis.call("HSET", parent.key, "children_from", `${nowMs}`);
}

/** Puts a task into a queue: to wait, or to be held until its PRE hooks have finished. Nothing is kept under its id. */
export function create(queue: TaskQueue, task: NewTask, nowMs: number): void {
  const { id, numbers } = task;
  const content = contentOf(queue, task, nowMs);
  redis.call("HSET", queue.counters, "serial", numbers.serial, queue.totals.enqueued, `${numbers.enqueued + 1}`);
  if (numbers.enqueued === 0) redis.call("SADD", names.queues(), queue.name);
  if (task.parent !== undefined) addChild(task.parent, nowMs);
  const isHeld = task.hook === undefined && task.type.pre.length > 0;
  if (!isHeld) {
    enqueue(queue, id, tonumber(task.priority)!, task.readyMs, content);
    return;
  }
  redis.call("HSET", taskKey(id), "attempt", "0", "token", "", ...content);
  hold(queue, readTask(id)!, task.readyMs, nowMs);
}

/** Holds a task until its PRE hooks have finished, beginning with the first. */
export function hold(queue: TaskQueue, task: Task, readyMs: number, nowMs: number): void {
  redis.call("ZADD", queue.held, `${nowMs}`, task.id);
  startFirstHook(queue, task, "pre", readyMs, nowMs);
}

/** The first hook of a kind for a task; nothing if its type has none. */
export function startFirstHook(queue: TaskQueue, task: Task, kind: HookKind, readyMs: number, nowMs: number): void {
  const [payload, result] = redis.call("HMGET", task.key, "payload", "result");
  const of: HookOf = { kind, at: 1, serial: task.serial, type: task.type, id: task.id };
  startHook(queue, of, hookRest(kind, task.id, payload as string, result!), task.priority, readyMs, nowMs);
}

/**
 * Enqueues a hook, unless it is in a queue already. A held task is noted to wait for it.
 *
 * @param rest of its payload
 * @returns false if the type has no such hook
 */
export function startHook(
  queue: TaskQueue,
  of: HookOf,
  rest: string,
  priority: string,
  readyMs: number,
  nowMs: number,
): boolean {
  const name = readTaskType(of.type)[of.kind][of.at - 1];
  if (name === undefined) return false;
  const id = hookId(of);
  const previous = readTask(id);
  if (previous === undefined || !isAlive(previous)) {
    if (previous !== undefined) forget(previous);
    create(
      queue,
      {
        id,
        numbers: nextNumbers(queue),
        type: readTaskType(name),
        payload: hookPayload(name, rest),
        priority,
        readyMs,
        hook: of,
      },
      nowMs,
    );
  }
  if (of.kind === "pre") redis.call("HSET", taskKey(of.id), "state", heldState(id));
  return true;
}
