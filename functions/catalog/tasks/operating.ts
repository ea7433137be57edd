/** Tasks are called off, or tried again. */
import { clock } from "../../runtime/clock";
import { command, integerReply, NOW } from "../../runtime/declare";
import { fail, quote } from "../../runtime/errors";
import { retry } from "../../runtime/queue";
import { hold } from "./creating";
import { close, reopenChild, requireFamily, settle } from "./ending";
import { setOf, taskQueue, type TaskQueue } from "./queues";
import { readTask, requireLease, requireTask, TASK_ID, TOKEN, type Task } from "./records";
import { readTaskType } from "./types";

/** Takes a task out of the set that it is in, whichever that is, and ends it. What follows has followed for a dead one. */
function cancel(queue: TaskQueue, task: Task, nowMs: number): void {
  redis.call("ZREM", setOf(queue, task.state), task.id);
  if (task.state === "dead") close(queue, task, readTaskType(task.type), "cancelled", nowMs);
  else settle(queue, task, "cancelled", nowMs);
}

export const cancelTask = command(
  {
    name: "cancel_task",
    summary: "Ends a task that is not to be done, in whatever state it is",
    doc:
      "The worker that has it finds out at its next call about it, which is answered with CONFLICT. Its children " +
      "that wait are cancelled when it would be their turn (see claim_task); those that are out are not disturbed. " +
      "A hook that holds it is cancelled with it, unless it is out. A dead task that is cancelled is no longer " +
      "kept for ever; for its parent it stays one that failed. A cancelled task may be cancelled again, which " +
      "changes nothing; a finished one is CONFLICT.",
    role: "worker",
    flags: [],
    positional: [TASK_ID],
    options: [TOKEN, NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
    causes: {
      NOTFOUND: "there is no such task",
      CONFLICT: "it has finished, or is leased under another token; or a key holds a foreign type",
    },
  },
  (args) => {
    const nowMs = clock(args.now);
    const task = requireTask(args.id);
    if (task.state === "cancelled" && (args.token ?? task.token) === task.token) return 1;
    if (args.token !== undefined) requireLease(task, args.token);
    if (task.state === "finished") fail("CONFLICT", `task ${quote(task.id)} has finished`);
    requireFamily(task);
    const queue = taskQueue(task.queue);
    cancel(queue, task, nowMs);
    const hook = task.heldBy === undefined ? undefined : readTask(task.heldBy);
    if (hook?.state === "waiting") cancel(queue, hook, nowMs);
    return 1;
  },
);

export const retryTask = command(
  {
    name: "retry_task",
    summary: "Makes a task that is dead, or waits, ready now; its attempts start anew",
    doc:
      "A task that died because a hook did is held again, and its PRE hooks run from the first. A dead child that " +
      "is retried is open for its parent again; a parent that has ended stays so.",
    role: "admin",
    flags: [],
    positional: [TASK_ID],
    options: [NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
    causes: {
      NOTFOUND: "there is no such task",
      CONFLICT: "it is neither dead nor waiting; or a key holds a foreign type",
    },
  },
  (args) => {
    const nowMs = clock(args.now);
    const task = requireTask(args.id);
    const { id, state } = task;
    if (state !== "dead" && state !== "waiting")
      fail("CONFLICT", `task ${quote(id)} is ${state}, neither dead nor waiting`);
    requireFamily(task);
    const queue = taskQueue(task.queue);
    if (state === "dead") {
      redis.call("HSET", task.key, "state", "");
      reopenChild(task);
    }
    const wasHeld = state === "dead" && task.attempt === 0 && readTaskType(task.type).pre.length > 0;
    if (wasHeld) {
      redis.call("ZREM", queue.dead, id);
      hold(queue, task, nowMs, nowMs);
    } else {
      retry(queue, id, nowMs);
    }
    return 1;
  },
);
