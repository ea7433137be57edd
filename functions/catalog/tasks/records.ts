/** What is kept of a task, and the state it is in. */
import { text } from "../../runtime/declare";
import { fail, quote } from "../../runtime/errors";
import { formatHook, parseHook, type HookOf } from "./hooks";
import * as names from "./names";

/**
 * The states of a task. `held`: its PRE hooks run; `waiting`: until it is its time and turn; `leased`: a worker has it;
 * `waiting_children`: its own work is done; the last three have ended.
 */
export const STATES = ["held", "waiting", "leased", "waiting_children", "finished", "dead", "cancelled"] as const;

export type TaskState = (typeof STATES)[number];

/** How a task ends. */
export type Outcome = "finished" | "dead" | "cancelled";

/** What a child knows of its parent. */
interface ParentLink {
  id: string;
  serial: string;
  /** The child's generation: 1 if its parent is nobody's child. */
  depth: number;
}

/** What a task is from its beginning to its end. */
interface TaskInfo {
  queue: string;
  type: string;
  /** Given to no other task, nor to another one with the same id. */
  serial: string;
  /** A digit, as text. */
  priority: string;
  /** Unix ms, as text. */
  enqueuedAt: string;
  /** The task whose child it is. */
  parent: ParentLink | undefined;
  /** What it is a hook of; a hook is nobody's child. */
  hook: HookOf | undefined;
}

/** A task, as far as what is done with it depends on it. */
export interface Task extends TaskInfo {
  id: string;
  /** Of its hash. */
  key: string;
  attempt: number;
  /** Of its present lease, or of the one that finished it; else empty. */
  token: string;
  state: TaskState;
  /** The hook that it waits for, while it is held. */
  heldBy: string | undefined;
  /** How many children it has had. */
  children: number;
  /** JSON, as it came; only where it was asked for. */
  payload: string | undefined;
}

/** An id in an argument: given ones, made ones, and those of hooks. */
export const TASK_ID = { name: "id", type: text(1, 256), doc: "id of the task" } as const;

/** The token of a lease. */
export const TOKEN = { name: "TOKEN", type: text(1, 64), doc: "token of the lease, from the claim" } as const;

/** The key of a task's hash. */
export function taskKey(id: string): string {
  return names.taskStart() + id + names.END;
}

/** A number from what is stored, 0 for nothing. */
export function numberOf(value: string | false | undefined): number {
  return value === false || value === undefined ? 0 : tonumber(value)!;
}

/**
 * What does not change, in one field: a hash answers two fields in the time of one and a half. None of the parts can hold a space.
 */
export function formatInfo({ queue, type: taskType, serial, priority, enqueuedAt, parent, hook }: TaskInfo): string {
  const head = `${queue} ${taskType} ${serial} ${priority} ${enqueuedAt}`;
  if (parent !== undefined) return `${head} child ${parent.id} ${parent.serial} ${parent.depth}`;
  return hook === undefined ? head : `${head} ${formatHook(hook)}`;
}

function parseParent(stored: string): ParentLink {
  const [id, serial, depth] = string.match(stored, "^child (%S+) (%S+) (%S+)$");
  return { id: id!, serial: serial!, depth: tonumber(depth)! };
}

const HELD = "held ";

/** The state of a task that is held by a hook, as it is stored. */
export function heldState(hook: string): string {
  return HELD + hook;
}

/** The state and the hook that holds it. Of a task that waits or is leased no field tells, but the token. */
function parseState(
  stored: string | false,
  token: string,
): LuaMultiReturn<[state: TaskState, heldBy: string | undefined]> {
  if (stored === false || stored === "") return $multi(token === "" ? "waiting" : "leased", undefined);
  if (string.sub(stored, 1, HELD.length) === HELD) return $multi("held", string.sub(stored, HELD.length + 1));
  return $multi(stored as TaskState, undefined);
}

/** Fields of a record, in the order in which they are stored: those behind them take longer to find. */
function fieldsOf(key: string, withPayload: boolean): (string | false)[] {
  const found = withPayload
    ? redis.pcall("HMGET", key, "attempt", "token", "info", "state", "children", "payload")
    : redis.pcall("HMGET", key, "attempt", "token", "info", "state", "children");
  return found as (string | false)[];
}

/** A task; undefined if there is none, or something else under its key. */
export function readTask(id: string, withPayload = false): Task | undefined {
  const key = taskKey(id);
  const [attempt, token, info, state, children, payload] = fieldsOf(key, withPayload);
  // An error, of a key that is no hash, has no first element.
  if (attempt === undefined || attempt === false || info === undefined || info === false) return undefined;
  const [queue, taskType, serial, priority, enqueuedAt, kin] = string.match(
    info,
    "^(%S+) (%S+) (%S+) (%S+) (%S+) ?(.*)$",
  );
  const isChild = string.sub(kin!, 1, 6) === "child ";
  const [present, heldBy] = parseState(state!, token as string);
  return {
    id,
    key,
    attempt: tonumber(attempt)!,
    token: token as string,
    state: present,
    heldBy,
    queue: queue!,
    type: taskType!,
    serial: serial!,
    priority: priority!,
    enqueuedAt: enqueuedAt!,
    parent: isChild ? parseParent(kin!) : undefined,
    hook: isChild || kin === "" ? undefined : parseHook(kin!),
    children: children === false ? 0 : tonumber(children)!,
    payload: payload === false ? undefined : payload,
  };
}

/** A task; NOTFOUND if there is none. */
export function requireTask(id: string): Task {
  const task = readTask(id);
  if (task === undefined) fail("NOTFOUND", `there is no task ${quote(id)}`);
  return task;
}

/** Whether a task still has to end. A dead one, which can be retried, has ended as well. */
export function isAlive({ state }: Task): boolean {
  return state !== "finished" && state !== "dead" && state !== "cancelled";
}

/** Fails with CONFLICT unless a task is leased, and under the token, if one is given. */
export function requireLease({ id, state, token }: Task, given: string | undefined): void {
  if (state !== "leased") fail("CONFLICT", `task ${quote(id)} is not leased, it is ${state}`);
  if (given !== undefined && given !== token)
    fail("CONFLICT", `task ${quote(id)} is leased under another token than ${quote(given)}`);
}

/** The task with an id and a serial; undefined if it is gone, or another one has its id now. */
export function readSame(id: string, serial: string): Task | undefined {
  const task = readTask(id);
  return task?.serial === serial ? task : undefined;
}

/** The parent of a task; undefined if it has none, or none any more. */
export function parentOf({ parent }: Task): Task | undefined {
  return parent === undefined ? undefined : readSame(parent.id, parent.serial);
}
