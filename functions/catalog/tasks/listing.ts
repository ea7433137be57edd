/** Tasks as they are shown, one by one and by state. */
import { withHead } from "../../runtime/chunks";
import { choice, command, integer, integerReply, jsonReply, nullable, tuple } from "../../runtime/declare";
import { readyMs } from "../../runtime/priority";
import { onKey } from "../../runtime/types";
import { childrenOf } from "./ending";
import { QUEUE, requireTaskQueue, setOf, taskQueue } from "./queues";
import { isAlive, readTask, STATES, TASK_ID, type Task } from "./records";

const DOC =
  "`id`, `queue`, `type`, `state` (held, waiting, leased, waiting_children, finished, dead, cancelled), " +
  "`priority`, `attempt` (how often it was given out), `enqueued_at`, `at` (ms: when it may go out, when its " +
  "lease ends, since when it is held or waits for its children, or when it ended), and where they apply " +
  "`worker`, `reason` (of its last failure), `parent`, `held_by` (the hook that it is held by), `hook` (pre or " +
  "post) and `task` (the one that it is a hook of), `result`; for a parent `children_total`, " +
  "`children_finished`, `children_failed` (dead), `children_cancelled`, and once all have ended `children_ms` " +
  "(from the enqueueing of the first to the end of the last); and `payload`";

/** When something happens to a task next, or happened last. */
function timeOf(task: Task, endedAt: string | false): string {
  if (!isAlive(task) && endedAt !== false) return endedAt;
  const score = onKey("ZSCORE", setOf(taskQueue(task.queue), task.state), task.id);
  if (score === false) return "null";
  return task.state === "waiting" ? `${readyMs(score)}` : score;
}

function childrenJson(task: Task): string {
  if (task.children === 0) return "";
  const { total, finished, failed, cancelled, open, fromMs, toMs } = childrenOf(task);
  const took = open > 0 ? "" : `"children_ms":${Math.max(toMs - fromMs, 0)},`;
  return (
    `"children_total":${total},"children_finished":${finished},"children_failed":${failed}` +
    `,"children_cancelled":${cancelled},${took}`
  );
}

function hookJson({ hook }: Task): string {
  if (hook === undefined) return "";
  return `"hook":"${hook.kind}","task":"${hook.id}",`;
}

/** A member of a JSON object, with a comma behind it; nothing if there is no value. */
function member(name: string, value: string | false | undefined): string {
  return value === false || value === undefined ? "" : `"${name}":${cjson.encode(value)},`;
}

/** A task as JSON. What was given as JSON stays as it came. */
function encode(task: Task): string {
  const { id, queue, type: taskType, state, priority, attempt } = task;
  const [payload, endedAt, worker, reason, result] = redis.call(
    "HMGET",
    task.key,
    "payload",
    "ended_at",
    "worker",
    "reason",
    "result",
  ) as [string, string | false, string | false, string | false, string | false];
  const head =
    `{"id":"${id}","queue":"${queue}","type":"${taskType}","state":"${state}","priority":${priority}` +
    `,"attempt":${attempt},"enqueued_at":${task.enqueuedAt},"at":${timeOf(task, endedAt)},`;
  const who =
    member("worker", worker) +
    member("reason", reason) +
    member("parent", task.parent?.id) +
    member("held_by", task.heldBy);
  const came = result === false ? "" : `"result":${result},`;
  return `${head}${who}${hookJson(task)}${childrenJson(task)}${came}"payload":${payload}}`;
}

export const getTask = command(
  {
    name: "get_task",
    summary: "A task, in whatever state it is; nil if there is none, or it is not kept any longer",
    doc: `The JSON has ${DOC}.`,
    role: "reader",
    flags: ["no-writes"],
    positional: [TASK_ID],
    options: [],
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "the task", schema: "Task" },
  },
  (args) => {
    const task = readTask(args.id);
    return task === undefined ? undefined : encode(task);
  },
);

export const listTasks = command(
  {
    name: "list_tasks",
    summary: "Tasks of a queue in a state",
    doc:
      `Each JSON has ${DOC}. Those that wait are listed by priority and time, leased ones by the end of their ` +
      "lease, finished and cancelled ones by how long they are still kept, the others by time.",
    role: "reader",
    flags: ["no-writes"],
    positional: [QUEUE],
    options: [
      { name: "STATE", type: choice(STATES), default: "waiting", doc: "which of them; those that are delayed wait" },
      { name: "OFFSET", type: integer(0, 1000000000), default: 0, doc: "how many to leave out" },
      { name: "COUNT", type: integer(1, 1000), default: 100, doc: "most to answer" },
    ],
    reply: tuple([{ name: "total", type: integerReply, doc: "how many are in that state" }], jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "tasks", schema: "Task" },
    paging: "offset",
  },
  (args) => {
    const { state, offset, count } = args;
    const queue = taskQueue(args.queue);
    requireTaskQueue(queue);
    const members = setOf(queue, state);
    const found: string[] = [];
    for (const id of redis.call("ZRANGE", members, `${offset}`, `${offset + count - 1}`)) {
      const task = readTask(id);
      if (task !== undefined) found.push(encode(task));
    }
    return withHead(redis.call("ZCARD", members), found);
  },
);
