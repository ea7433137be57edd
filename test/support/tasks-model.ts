/**
 * Tasks in plain TypeScript: what waits, is out, is kept, and what follows from what, without a thought for speed. Tokens are the
 * server's to choose; the model learns them from claims. Serial numbers go on from where the test has begun them.
 */
import type { ClaimedTask, ShownTask } from "./tasks";

export interface TypeSettings {
  pre: string[];
  post: string[];
  attempts: number;
  backoff: number;
  lease: number;
  keep: number;
}

type Ended = "finished" | "dead" | "cancelled";
export type State = "held" | "waiting" | "leased" | "waiting_children" | Ended;
export const STATES: readonly State[] = [
  "held",
  "waiting",
  "leased",
  "waiting_children",
  "finished",
  "dead",
  "cancelled",
];

export interface ModelTask {
  id: string;
  serial: number;
  queue: string;
  type: string;
  priority: number;
  payload: Record<string, unknown>;
  state: State;
  attempt: number;
  enqueuedMs: number;
  /** When it may go out, its lease ends, it began to be held or to wait for its children, or how long it is kept. */
  atMs: number;
  endedMs?: number;
  token?: string;
  worker?: string;
  reason?: string;
  result?: Record<string, unknown>;
  parent?: ModelTask;
  hook?: { kind: "pre" | "post"; at: number; of: ModelTask };
  heldBy?: ModelTask;
  children: { total: number; finished: number; dead: number; cancelled: number; fromMs: number; toMs: number };
}

export interface NewTask {
  queue: string;
  type: string;
  payload: Record<string, unknown>;
  id?: string;
  priority: number;
  delay: number;
  parent?: string;
  unless: "alive" | "known";
}

/** A call that is refused, with its code. */
export class Refusal extends Error {}

const HOUR_MS = 3_600_000;
/** As long as a cancelled parent is kept for its children. */
const YEAR_MS = 365 * 24 * HOUR_MS;
const byTime = (a: ModelTask, b: ModelTask): number => a.atMs - b.atMs || (a.id < b.id ? -1 : 1);

const ENDED: readonly State[] = ["finished", "dead", "cancelled"];
const isAlive = ({ state }: ModelTask): boolean => !ENDED.includes(state);
const openChildren = ({ children }: ModelTask): number =>
  children.total - children.finished - children.dead - children.cancelled;

export class TasksModel {
  readonly types = new Map<string, TypeSettings>();
  readonly tasks = new Map<string, ModelTask>();
  #serial: number;
  /** How many of a queue have ended so. */
  readonly #ended = new Map<string, number>();

  constructor(serial: number) {
    this.#serial = serial;
  }

  in(queue: string, state: State): ModelTask[] {
    return [...this.tasks.values()].filter((each) => each.queue === queue && each.state === state);
  }

  #isKnown(task: ModelTask | undefined): task is ModelTask {
    return task !== undefined && this.tasks.get(task.id) === task;
  }

  #require(id: string): ModelTask {
    const task = this.tasks.get(id);
    if (task === undefined) throw new Refusal("NOTFOUND");
    return task;
  }

  enqueue({ queue, type, payload, id, priority, delay, parent, unless }: NewTask, nowMs: number): string {
    if (!this.types.has(type)) throw new Refusal("NOTFOUND");
    const known = id === undefined ? undefined : this.tasks.get(id);
    if (known !== undefined && (isAlive(known) || unless === "known")) return known.id;
    const above = parent === undefined ? undefined : this.#require(parent);
    if (above !== undefined && !isAlive(above)) throw new Refusal("CONFLICT");
    if (known !== undefined) this.tasks.delete(known.id);
    return this.#create(
      { queue, type, payload, priority, ...(id === undefined ? {} : { id }), ...(above && { parent: above }) },
      nowMs + delay,
      nowMs,
    ).id;
  }

  #create(
    given: Pick<ModelTask, "queue" | "type" | "payload" | "priority"> & Partial<ModelTask>,
    readyMs: number,
    nowMs: number,
  ): ModelTask {
    this.#serial += 1;
    const serial = this.#serial;
    const children = { total: 0, finished: 0, dead: 0, cancelled: 0, fromMs: 0, toMs: 0 };
    const task: ModelTask = {
      id: String(serial),
      ...given,
      serial,
      state: "waiting",
      attempt: 0,
      enqueuedMs: nowMs,
      atMs: readyMs,
      children,
    };
    this.tasks.set(task.id, task);
    if (task.parent !== undefined) {
      task.parent.children.total += 1;
      if (task.parent.children.total === 1) task.parent.children.fromMs = nowMs;
    }
    if (task.hook === undefined && this.types.get(task.type)!.pre.length > 0) this.#hold(task, readyMs, nowMs);
    return task;
  }

  #hold(task: ModelTask, readyMs: number, nowMs: number): void {
    Object.assign(task, { state: "held", atMs: nowMs });
    const { id, payload } = task;
    this.#startHook(
      { kind: "pre", at: 1, of: task },
      { hook: "pre", task: id, payload },
      task.priority,
      readyMs,
      nowMs,
    );
  }

  /** False if the type has no such hook. */
  #startHook(
    hook: NonNullable<ModelTask["hook"]>,
    rest: Record<string, unknown>,
    priority: number,
    readyMs: number,
    nowMs: number,
  ): boolean {
    const { kind, at, of } = hook;
    const type = this.types.get(of.type)![kind][at - 1];
    if (type === undefined) return false;
    const id = `${of.id}!${kind}${at}.${of.serial}`;
    const known = this.tasks.get(id);
    const payload = { ...rest, type };
    const isNew = known === undefined || !isAlive(known);
    if (isNew) this.tasks.delete(id);
    const task = isNew ? this.#create({ id, queue: of.queue, type, payload, priority, hook }, readyMs, nowMs) : known;
    if (kind === "pre") of.heldBy = task;
    return true;
  }

  #leaseEnded(queue: string, nowMs: number): void {
    for (const task of this.in(queue, "leased")
      .filter(({ atMs }) => atMs <= nowMs)
      .sort(byTime)) {
      this.#giveBack(task, task.atMs, `the lease of ${task.worker} ended`, nowMs);
    }
  }

  #giveBack(task: ModelTask, readyMs: number, reason: string, nowMs: number): void {
    task.reason = reason;
    delete task.token;
    if (task.attempt < this.types.get(task.type)!.attempts) {
      Object.assign(task, { state: "waiting", atMs: readyMs });
    } else {
      Object.assign(task, { state: "dead", atMs: nowMs });
      this.#settle(task, "dead", nowMs);
    }
  }

  /** What a claim has to give out. */
  next(queue: string, nowMs: number): ModelTask | undefined {
    this.#leaseEnded(queue, nowMs);
    for (;;) {
      const ready = this.in(queue, "waiting").filter(({ atMs }) => atMs <= nowMs);
      const [first] = ready.sort((a, b) => a.priority - b.priority || byTime(a, b));
      if (first === undefined || !(this.#isKnown(first.parent) && first.parent.state === "cancelled")) return first;
      this.#settle(first, "cancelled", nowMs);
    }
  }

  lease(task: ModelTask, claimed: ClaimedTask, worker: string, leaseMs: number | undefined, nowMs: number): void {
    const { lease } = this.types.get(task.type)!;
    Object.assign(task, {
      state: "leased",
      attempt: task.attempt + 1,
      token: claimed.token,
      worker,
      atMs: nowMs + (leaseMs ?? lease),
    });
  }

  #requireLeased(id: string, token: string | undefined): ModelTask {
    const task = this.#require(id);
    if (task.state !== "leased" || (token !== undefined && token !== task.token)) throw new Refusal("CONFLICT");
    return task;
  }

  extend(id: string, token: string | undefined, leaseMs: number | undefined, nowMs: number): void {
    const task = this.#requireLeased(id, token);
    task.atMs = Math.max(task.atMs, nowMs + (leaseMs ?? this.types.get(task.type)!.lease));
  }

  finish(id: string, token: string | undefined, result: Record<string, unknown> | undefined, nowMs: number): void {
    const known = this.#require(id);
    if ((known.state === "finished" || known.state === "waiting_children") && token === known.token) return;
    const task = this.#requireLeased(id, token);
    if (result !== undefined) task.result = result;
    if (openChildren(task) > 0) Object.assign(task, { state: "waiting_children", atMs: nowMs });
    else this.#settle(task, "finished", nowMs);
  }

  fail(id: string, token: string | undefined, reason: string, nowMs: number): void {
    const task = this.#requireLeased(id, token);
    const { backoff } = this.types.get(task.type)!;
    this.#giveBack(task, nowMs + Math.min(backoff * 2 ** (task.attempt - 1), HOUR_MS), reason, nowMs);
  }

  cancel(id: string, token: string | undefined, nowMs: number): void {
    const task = this.#require(id);
    if (task.state === "cancelled" && (token === undefined || token === (task.token ?? ""))) return;
    if (token !== undefined) this.#requireLeased(id, token);
    if (task.state === "finished" || task.state === "cancelled") throw new Refusal("CONFLICT");
    const heldBy = task.state === "held" ? task.heldBy : undefined;
    if (task.state === "dead") this.#close(task, "cancelled", nowMs);
    else this.#settle(task, "cancelled", nowMs);
    if (heldBy !== undefined && this.#isKnown(heldBy) && heldBy.state === "waiting")
      this.#settle(heldBy, "cancelled", nowMs);
  }

  retry(id: string, nowMs: number): void {
    const task = this.#require(id);
    if (task.state !== "dead" && task.state !== "waiting") throw new Refusal("CONFLICT");
    const wasDead = task.state === "dead";
    if (wasDead && this.#isKnown(task.parent)) task.parent.children.dead -= 1;
    if (wasDead && task.attempt === 0 && this.types.get(task.type)!.pre.length > 0) {
      this.#hold(task, nowMs, nowMs);
    } else {
      Object.assign(task, { state: "waiting", attempt: 0, atMs: nowMs });
    }
  }

  /** A task has ended: its POST hooks, its parent, and what it is a hook of. */
  #settle(task: ModelTask, how: Ended, nowMs: number): void {
    // Out of every state until what follows is done, but not yet ended.
    if (how === "finished" && task.hook === undefined) {
      const { id, payload, result } = task;
      this.#startHook(
        { kind: "post", at: 1, of: task },
        { hook: "post", task: id, payload, ...(result && { result }) },
        task.priority,
        nowMs,
        nowMs,
      );
    }
    if (this.#isKnown(task.parent)) this.#tellParent(task.parent, how, nowMs);
    if (task.hook !== undefined) this.#afterHook(task, task.hook, how, nowMs);
    this.#close(task, how, nowMs);
  }

  #tellParent(parent: ModelTask, how: Ended, nowMs: number): void {
    parent.children[how] += 1;
    parent.children.toMs = Math.max(parent.children.toMs, nowMs);
    if (openChildren(parent) > 0) return;
    if (parent.state === "cancelled") this.#keep(parent, this.types.get(parent.type)!.keep, nowMs);
    else if (parent.state === "waiting_children") this.#settle(parent, "finished", nowMs);
  }

  #afterHook(task: ModelTask, { kind, at, of }: NonNullable<ModelTask["hook"]>, how: Ended, nowMs: number): void {
    const isHeld = kind === "pre" && this.#isKnown(of) && of.state === "held" && of.heldBy === task;
    if (kind === "pre" && !isHeld) return;
    if (how === "finished") {
      const isStarted = this.#startHook({ kind, at: at + 1, of }, task.payload, task.priority, nowMs, nowMs);
      if (!isStarted && isHeld) Object.assign(of, { state: "waiting", atMs: nowMs });
    } else if (isHeld) {
      Object.assign(of, {
        state: "dead",
        atMs: nowMs,
        reason: `its hook ${task.type} ${how === "dead" ? "died" : "was cancelled"}`,
      });
      this.#settle(of, "dead", nowMs);
    }
  }

  #close(task: ModelTask, how: Ended, nowMs: number): void {
    Object.assign(task, { state: how, endedMs: nowMs });
    const counted = `${task.queue} ${how}`;
    this.#ended.set(counted, (this.#ended.get(counted) ?? 0) + 1);
    if (how === "dead") {
      task.atMs = nowMs;
      return;
    }
    this.#keep(task, openChildren(task) > 0 ? YEAR_MS : this.types.get(task.type)!.keep, nowMs);
    if (this.#ended.get(counted)! % 8 === 0) this.#forget(task.queue, how, nowMs);
  }

  #keep(task: ModelTask, keepMs: number, nowMs: number): void {
    if (keepMs === 0) this.tasks.delete(task.id);
    else task.atMs = nowMs + keepMs;
  }

  /** Those whose time is over, sixteen at a time. */
  #forget(queue: string, state: State, nowMs: number): void {
    for (const each of this.in(queue, state).sort(byTime).slice(0, 16)) {
      if (each.atMs <= nowMs) this.tasks.delete(each.id);
    }
  }

  /** As get_task and list_tasks show it. */
  show(task: ModelTask): ShownTask {
    const {
      id,
      queue,
      type,
      state,
      priority,
      attempt,
      payload,
      worker,
      reason,
      parent,
      heldBy,
      hook,
      result,
      children,
    } = task;
    const open = openChildren(task);
    return {
      id,
      queue,
      type,
      state,
      priority,
      attempt,
      payload,
      enqueued_at: task.enqueuedMs,
      at: ENDED.includes(state) ? task.endedMs! : task.atMs,
      ...(worker !== undefined && { worker }),
      ...(reason !== undefined && { reason }),
      ...(parent && { parent: parent.id }),
      ...(state === "held" && { held_by: heldBy!.id }),
      ...(hook && { hook: hook.kind, task: hook.of.id }),
      ...(result && { result }),
      ...(children.total > 0 && {
        children_total: children.total,
        children_finished: children.finished,
        children_failed: children.dead,
        children_cancelled: children.cancelled,
        ...(open === 0 && { children_ms: Math.max(children.toMs - children.fromMs, 0) }),
      }),
    };
  }
}
