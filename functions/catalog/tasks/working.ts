/** Workers take tasks under a lease, keep the lease, and end it. */
import { clock } from "../../runtime/clock";
import { command, integer, integerReply, json, jsonReply, NOW, nullable, text } from "../../runtime/declare";
import { fail, quote } from "../../runtime/errors";
import { decodeObject } from "../../runtime/json";
import { firstReady } from "../../runtime/priority";
import { backoffMs, giveOut, handBack, takeBack, takeOut } from "../../runtime/queue";
import { requireType } from "../../runtime/types";
import { childrenOf, giveBackTask, requireFamily, requireFinish, settle } from "./ending";
import { QUEUE, taskQueue, type TaskQueue } from "./queues";
import { parentOf, readTask, requireLease, requireTask, TASK_ID, TOKEN, type Task } from "./records";
import { LEASE, readTaskType } from "./types";

/** Leases that ran out are taken back by so many a call. */
const MAX_TAKEN_BACK = 20;

/** Tasks that turn out not to be there any more, or not to be wanted, are passed over by so many a call. */
const MAX_PASSED = 100;

const MAX_RESULT_BYTES = 65536;

/** The task to give out next; children of parents that were cancelled are cancelled on the way. */
function nextTask(queue: TaskQueue, nowMs: number): Task | undefined {
  for (const _ of $range(1, MAX_PASSED)) {
    const id = firstReady(queue, nowMs);
    if (id === undefined) return undefined;
    const task = readTask(id, true);
    if (task === undefined) {
      redis.call("ZREM", queue.ready, id);
    } else if (parentOf(task)?.state === "cancelled") {
      requireFamily(task);
      redis.call("ZREM", queue.ready, id);
      settle(queue, task, "cancelled", nowMs);
    } else {
      return task;
    }
  }
  return undefined;
}

/** What a worker gets; ids, names and tokens hold nothing that JSON would escape. */
function encode(
  { id, type: taskType, queue, priority, parent, enqueuedAt, payload }: Task,
  token: string,
  attempt: number,
  endMs: number,
): string {
  const ofParent = parent === undefined ? "" : `"parent":"${parent.id}",`;
  return (
    `{"id":"${id}","token":"${token}","type":"${taskType}","attempt":${attempt}` +
    `,"queue":"${queue}","priority":${priority}` +
    `,${ofParent}"enqueued_at":${enqueuedAt},"lease_until":${endMs},"payload":${payload!}}`
  );
}

export const claimTask = command(
  {
    name: "claim_task",
    summary: "Takes the next task of a queue under a lease; nil if none may go out",
    doc:
      "The JSON has `id`, `token`, `type`, `attempt` (from 1), `queue`, `priority`, `parent` (of a child), " +
      "`enqueued_at`, `lease_until` (ms), and `payload`: what was enqueued, as it came. A task whose lease is not " +
      "ended or extended in time comes back and has used an attempt. Children whose parent was cancelled are " +
      "cancelled here, up to 100 a call, and never given out.",
    role: "worker",
    flags: [],
    positional: [QUEUE],
    options: [
      { name: "WORKER", type: text(1, 128), default: "worker", doc: "who asks; shown in lists" },
      { name: "LEASE", type: LEASE, unit: "ms", doc: "ms until it comes back, in place of those of its type" },
      NOW,
    ],
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "the task", schema: "TaskClaimed" },
    repeat: "takes",
  },
  (args) => {
    const nowMs = clock(args.now);
    const queue = taskQueue(args.queue);
    takeBack(queue, MAX_TAKEN_BACK, nowMs, giveBackTask);
    const task = nextTask(queue, nowMs);
    if (task === undefined) return undefined;
    const leaseMs = args.lease ?? readTaskType(task.type).settings.lease;
    const attempt = task.attempt + 1;
    const token = giveOut(queue, task.id, attempt, args.worker, leaseMs, nowMs);
    return encode(task, token, attempt, nowMs + leaseMs);
  },
);

export const extendTask = command(
  {
    name: "extend_task",
    summary: "Keeps a task that is leased: its lease ends so much from now, or when it would have if that is later",
    role: "worker",
    flags: [],
    positional: [TASK_ID],
    options: [
      TOKEN,
      { name: "LEASE", type: LEASE, unit: "ms", doc: "ms from now, in place of those of its type" },
      NOW,
    ],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
    causes: {
      NOTFOUND: "there is no such task",
      CONFLICT: "it is not leased, or under another token; or a key holds a foreign type",
    },
  },
  (args) => {
    const task = requireTask(args.id);
    requireLease(task, args.token);
    const queue = taskQueue(task.queue);
    requireType(queue.leased, "zset");
    const leaseMs = args.lease ?? readTaskType(task.type).settings.lease;
    redis.call("ZADD", queue.leased, "XX", "GT", `${clock(args.now) + leaseMs}`, task.id);
    return 1;
  },
);

function requireJson(argument: string, given: string | undefined): void {
  if (given === undefined || decodeObject(given) !== undefined) return;
  fail("BADARG", `${argument} must be a JSON object, got ${quote(given)}`);
}

export const finishTask = command(
  {
    name: "finish_task",
    summary: "Ends a task whose work is done",
    doc:
      "A task with children that have not ended waits for them, and is finished with the last. Once it is finished " +
      "its POST hooks are enqueued, and it counts for its own parent. A repeated call with the TOKEN that it was " +
      "finished with changes nothing and answers 1 as well, as long as the task is kept.",
    role: "worker",
    flags: [],
    positional: [TASK_ID],
    options: [
      TOKEN,
      {
        name: "RESULT",
        type: json(MAX_RESULT_BYTES),
        schema: "Result",
        doc: "what came of it; shown by get_task, and given to POST hooks",
      },
      NOW,
    ],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
    causes: {
      NOTFOUND: "there is no such task",
      CONFLICT: "it is not leased, or under another token; or a key holds a foreign type",
    },
  },
  (args) => {
    const nowMs = clock(args.now);
    const { result, token } = args;
    requireJson("RESULT", result);
    const task = requireTask(args.id);
    if (token === task.token && (task.state === "finished" || task.state === "waiting_children")) return 1;
    requireLease(task, token);
    const queue = taskQueue(task.queue);
    const taskType = readTaskType(task.type);
    requireFinish(queue, task, taskType);
    takeOut(queue, task.id, task.token);
    if (result !== undefined) redis.call("HSET", task.key, "result", result);
    if (task.children > 0 && childrenOf(task).open > 0) {
      redis.call("HSET", task.key, "state", "waiting_children");
      redis.call("ZADD", queue.joining, `${nowMs}`, task.id);
    } else {
      settle(queue, task, "finished", nowMs, taskType);
    }
    return 1;
  },
);

const FINAL = {
  name: "FINAL",
  type: integer(0, 1),
  default: 0,
  flag: true,
  doc: "1: trying again is of no use",
} as const;

export const failTask = command(
  {
    name: "fail_task",
    summary: "Ends an attempt that failed: the task waits for its back-off, or is dead if that was the last",
    doc:
      "It waits BACKOFF × 2^(attempt − 1), an hour at most. After ATTEMPTS, or at once with FINAL 1, it is kept as " +
      "dead, and can be retried; a dead child has ended for its parent.",
    role: "worker",
    flags: [],
    positional: [TASK_ID],
    options: [
      TOKEN,
      { name: "REASON", type: text(1, 1024), default: "failed", doc: "what went wrong; shown in lists" },
      FINAL,
      NOW,
    ],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "differs",
    causes: {
      NOTFOUND: "there is no such task",
      CONFLICT: "it is not leased, or under another token; or a key holds a foreign type",
    },
  },
  (args) => {
    const nowMs = clock(args.now);
    const task = requireTask(args.id);
    requireLease(task, args.token);
    const queue = taskQueue(task.queue);
    const retry = queue.retryOf(task.id);
    const attempt = args.final === 1 ? retry.attempts : task.attempt;
    giveBackTask(queue, task.id, attempt, nowMs + backoffMs(retry, task.attempt), args.reason, nowMs);
    return 1;
  },
);

export const releaseTask = command(
  {
    name: "release_task",
    summary:
      "Gives a task back that was not done, as a worker does that stops: it may go out again at once, and has " +
      "used no attempt",
    role: "worker",
    flags: [],
    positional: [TASK_ID],
    options: [TOKEN, NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "differs",
    causes: {
      NOTFOUND: "there is no such task",
      CONFLICT: "it is not leased, or under another token; or a key holds a foreign type",
    },
  },
  (args) => {
    const task = requireTask(args.id);
    requireLease(task, args.token);
    const queue = taskQueue(task.queue);
    requireType(queue.leased, "zset");
    requireType(queue.ready, "zset");
    handBack(queue, task.id, task.attempt, clock(args.now));
    return 1;
  },
);
