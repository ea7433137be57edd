/** What is kept of a task, and the state it is in. */
import { text } from "../../runtime/declare";
import { fail, quote } from "../../runtime/errors";
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
export interface ParentLink {
  id: string;
  serial: string;
  /** The child's generation: 1 if its parent is nobody's child. */
  depth: number;
}

/** A task, as far as what is done with it depends on it. */
export interface Task {
  id: string;
  attempt: number;
  /** Of its present lease, or of the one that finished it; else empty. */
  token: string;
  queue: string;
  type: string;
  state: TaskState;
  /** Given to no other task, nor to another one with the same id. */
  serial: string;
  /** A digit, as text. */
  priority: string;
  /** The task whose child it is. */
  parent: ParentLink | undefined;
  /** What it is a hook of: see hooks.ts. */
  hook: string | undefined;
  /** The hook that it is held by, and what it has had of children. */
  heldBy: string | undefined;
  children: number;
}

/** An id in an argument: given ones, made ones, and those of hooks. */
export const TASK_ID = { name: "id", type: text(1, 256), doc: "id of the task" } as const;

/** The token of a lease. */
export const TOKEN = { name: "TOKEN", type: text(1, 64), doc: "token of the lease, from the claim" } as const;

/** The key of a task's hash. */
export function taskKey(id: string): string {
  return names.taskStart() + id + names.END;
}

function orUndefined(value: string | false | undefined): string | undefined {
  return value === false ? undefined : value;
}

/** A number from what is stored, 0 for nothing. */
export function numberOf(value: string | false | undefined): number {
  return value === false || value === undefined ? 0 : tonumber(value)!;
}

/** The state of which no field tells is told by the token. */
function stateOf(stored: string | false | undefined, token: string): TaskState {
  if (stored !== false && stored !== undefined && stored !== "") return stored as TaskState;
  return token === "" ? "waiting" : "leased";
}

/** What a child knows of its parent, as it is stored; an id can hold no space. */
export function formatParent({ id, serial, depth }: ParentLink): string {
  return `${id} ${serial} ${depth}`;
}

function parseParent(stored: string): ParentLink {
  const [id, serial, depth] = string.match(stored, "^(%S+) (%S+) (%S+)$");
  return { id: id!, serial: serial!, depth: tonumber(depth)! };
}

/** A task; undefined if there is none, or something else under its key. */
export function readTask(id: string): Task | undefined {
  const found = redis.pcall(
    "HMGET", taskKey(id), "attempt", "token", "queue", "type", "state", "serial", "priority", "parent", "hook", "held_by", "children",
  ) as (string | false)[];
  const attempt = found[0];
  // An error, of a key that is no hash, has no first element.
  if (attempt === undefined || attempt === false || found[2] === false) return undefined;
  const parent = found[7];
  return {
    id,
    attempt: tonumber(attempt)!,
    token: found[1] as string,
    queue: found[2]!,
    type: found[3] as string,
    state: stateOf(found[4], found[1] as string),
    serial: found[5] as string,
    priority: found[6] as string,
    parent: parent === false || parent === undefined ? undefined : parseParent(parent),
    hook: orUndefined(found[8]),
    heldBy: orUndefined(found[9]),
    children: numberOf(found[10]),
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
  if (given !== undefined && given !== token) fail("CONFLICT", `task ${quote(id)} is leased under another token than ${quote(given)}`);
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
