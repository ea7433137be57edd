/** Tasks are enqueued, by themselves or as children of another. */
import { clock } from "../../runtime/clock";
import { choice, command, integer, json, MAX_TIME_MS, NOW, text, textReply } from "../../runtime/declare";
import { fail, quote } from "../../runtime/errors";
import { decodeObject } from "../../runtime/json";
import { MAX_PRIORITY } from "../../runtime/priority";
import { DAY_MS } from "../../runtime/time";
import { requireType } from "../../runtime/types";
import { create, depthOf, forget, nextNumbers } from "./creating";
import * as names from "./names";
import { QUEUE, requireTaskQueue, taskQueue } from "./queues";
import { isAlive, readTask, requireTask, TASK_ID, taskKey, type Task } from "./records";
import { PLAIN, requireTaskType, type TaskType } from "./types";

const MAX_PAYLOAD_BYTES = 65536;
const MAX_DELAY_MS = 365 * DAY_MS;

/** Generations of children: the end of one may end those above it in the same call. */
const MAX_DEPTH = 16;

/** The type that a payload names; BADARG if it is not a JSON object with one. */
function typeOfPayload(payload: string): TaskType {
  const decoded = decodeObject(payload);
  if (decoded === undefined) fail("BADARG", `task must be a JSON object with a type, got ${quote(payload)}`);
  const name = decoded["type"];
  if (type(name) !== "string") fail("BADARG", `task must have a type, which is text, got ${quote(payload)}`);
  return requireTaskType(name as string);
}

function requireGivenId(id: string): void {
  const [plain] = string.find(id, PLAIN);
  if (plain === undefined) {
    fail("BADARG", `ID must be made of letters, digits and any of . _ - / @ + = % ~ , #, got ${quote(id)}`);
  }
}

/** The parent of a task that is to be; NOTFOUND, or CONFLICT if it has ended. */
function requireParent(id: string): Task {
  const parent = requireTask(id);
  if (!isAlive(parent)) fail("CONFLICT", `the parent, task ${quote(id)}, has ended: it is ${parent.state}`);
  if (depthOf(parent) >= MAX_DEPTH)
    fail("LIMIT", `at most ${MAX_DEPTH} generations of children; the parent, ${quote(id)}, is the last`);
  requireTaskQueue(taskQueue(parent.queue));
  return parent;
}

export const enqueueTask = command(
  {
    name: "enqueue_task",
    summary: "Puts a task into a queue; answers its id",
    doc:
      "The task is a JSON object with `type`, which define_task must have made (NOTFOUND), and whatever its worker " +
      "needs; workers get it as it came. Of those that may go out, lower PRIORITY goes first, then who waits " +
      "longest. ID makes a repeated call harmless: while the task with that ID is alive nothing changes, whatever " +
      "the queue; once it has ended (finished, dead, cancelled) a new one takes its place, unless UNLESS is " +
      "`known`: then nothing changes as long as it is kept. A given ID is made of letters, digits and any of . _ - " +
      "/ @ + = % ~ , #. With PARENT it is a child of a task that is alive: the parent may run, wait or be held; " +
      "children of children are no first-generation children, and count for their own parent only, 16 generations " +
      "at most.",
    role: "worker",
    flags: [],
    positional: [
      QUEUE,
      { name: "task", type: json(MAX_PAYLOAD_BYTES), schema: "TaskInput", doc: "the task, an object with `type`" },
    ],
    options: [
      { name: "ID", type: text(1, 128), doc: "its id; made if it is left out" },
      { name: "PRIORITY", type: integer(0, MAX_PRIORITY), default: 5, doc: "0 goes out first" },
      {
        name: "DELAY",
        type: integer(0, MAX_DELAY_MS),
        unit: "ms",
        default: 0,
        doc: "ms before it, or its first PRE hook, may go out",
      },
      { name: "PARENT", type: TASK_ID.type, doc: "id of the task whose child it is" },
      {
        name: "UNLESS",
        type: choice(["alive", "known"]),
        default: "alive",
        doc: "when a task with that ID is left as it is",
      },
      NOW,
    ],
    reply: textReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT", "LIMIT"],
    answer: { doc: "id of the task" },
    repeat: "again",
    causes: {
      NOTFOUND: "there is no such task type or parent",
      CONFLICT: "the parent has ended; or a key holds a foreign type",
      LIMIT: "the parent is of the last generation that there may be",
    },
  },
  (args) => {
    const { task: payload, id: given } = args;
    const nowMs = clock(args.now);
    const queue = taskQueue(args.queue);
    const taskType = typeOfPayload(payload);
    if (given !== undefined) requireGivenId(given);
    const previous = given === undefined ? undefined : readTask(given);
    if (previous !== undefined && (isAlive(previous) || args.unless === "known")) return given;
    const parent = args.parent === undefined ? undefined : requireParent(args.parent);
    const numbers = nextNumbers(queue);
    const id = given ?? numbers.serial;
    requireType(queue.ready, "zset");
    requireType(taskKey(id), "hash");
    if (taskType.pre.length > 0) requireType(queue.held, "zset");
    if (numbers.enqueued === 0) requireType(names.queues(), "set");
    if (previous !== undefined) {
      requireTaskQueue(taskQueue(previous.queue));
      forget(previous);
    }
    const readyMs = Math.min(nowMs + args.delay, MAX_TIME_MS);
    create(queue, { id, numbers, type: taskType, payload, priority: `${args.priority}`, readyMs, parent }, nowMs);
    return id;
  },
);
