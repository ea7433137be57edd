/**
 * Edits of queues: the merge and move plans that wait, as a call leaves them. A call looks plans up and changes them
 * in memory, in the order of its entries; `write-queues.ts` then writes each list once. So no plan is read again for
 * each of its files.
 */
import { onKey, requireType } from "../../runtime/types";
import { goneKey, IDLE, plannersKey, tableKey } from "../names";
import { sizeOf, splicable } from "../plan-json";
import type { Queue } from "../queues";

/** A plan that waits, or will. */
export interface Plan {
  edit: QueueEdit;
  /** From the end of its list: -1 is the last one; 0 for a plan that the call makes. */
  position: number;
  /** Its JSON in the list; empty for one that the call makes. */
  text: string;
  /** When it ripens, for one that the call makes. */
  timeS: number;
  /** Its paths: all of them, or those that the call adds to the text; empty where one was taken out. */
  parts: string[];
  hasAll: boolean;
  hasHoles: boolean;
  /** How many paths it has; infinite while nobody has looked at them. */
  count: number;
  sizeBytes: number;
  isChanged: boolean;
  /** For a move plan that the call makes. */
  moved: Moved | undefined;
}

/** The file of a move plan. */
interface Moved {
  path: string;
  folder: string;
  iteration: number;
}

/** A file, as far as queues know it. */
export interface QueuedFile {
  path: string;
  /** The plan that it waits in, as far as that is known, and its place among the plan's paths, from 1. */
  plan: Plan | undefined;
  at: number;
}

/** One queue as a call leaves it. */
export interface QueueEdit {
  queue: Queue;
  list: string;
  /** The plan that takes files, if that is known. */
  open: Plan | undefined;
  /** Plans that were read, by position. */
  read: LuaMap<number, Plan>;
  positions: number[];
  /** Position of the last plan that was not emptied. */
  last: number;
  made: Plan[];
  /** Stands for the plans that the call did not look through. */
  unseen: Plan | undefined;
  /** Key of the paths that count as taken out of plans which nobody looked through. */
  gone: string;
  hasGone: boolean;
  /** Paths that the call puts there (true), or takes away (false). */
  goneNow: LuaMap<string, boolean>;
}

/** All queues that a call edits, in the order in which it met them. */
export interface QueueEdits {
  all: QueueEdit[];
  byName: LuaMap<string, QueueEdit>;
}

export function noEdits(): QueueEdits {
  return { all: [], byName: new LuaMap() };
}

/** The edit of a queue. CONFLICT, naming the key, if one that will be written holds a foreign type. */
export function editOf({ all, byName }: QueueEdits, queue: Queue): QueueEdit {
  const { name, index, db, table } = queue;
  const known = byName.get(name);
  if (known !== undefined) return known;
  const gone = goneKey(name);
  requireType(name + IDLE, "list");
  requireType(gone, "set");
  requireType(plannersKey(db, table), "zset");
  requireType(tableKey(db, table), "hash");
  if (index !== "") requireType(index, "zset");
  const edit: QueueEdit = {
    queue,
    list: name + IDLE,
    open: undefined,
    read: new LuaMap(),
    positions: [],
    last: -1,
    made: [],
    unseen: undefined,
    gone,
    hasGone: redis.call("EXISTS", gone) === 1,
    goneNow: new LuaMap(),
  };
  byName.set(name, edit);
  all.push(edit);
  return edit;
}

function newPlan(edit: QueueEdit, position: number, text: string, timeS: number, sizeBytes: number): Plan {
  const isNew = position === 0;
  return {
    edit,
    position,
    text,
    timeS,
    parts: [],
    hasAll: isNew,
    hasHoles: false,
    count: isNew ? 0 : math.huge,
    sizeBytes,
    isChanged: false,
    moved: undefined,
  };
}

/** Keeps a plan that was read. */
export function keepRead(edit: QueueEdit, position: number, text: string, sizeBytes: number): Plan {
  const plan = newPlan(edit, position, text, 0, sizeBytes);
  edit.read.set(position, plan);
  edit.positions.push(position);
  return plan;
}

/** Where a file stands that may be in a plan which the call did not look through. */
export function unseenOf(edit: QueueEdit): Plan {
  edit.unseen ??= newPlan(edit, 0, "", 0, 0);
  return edit.unseen;
}

/** The plan at a position of a merge queue; one that cannot be read takes no more files. */
function readAt(edit: QueueEdit, position: number): Plan | undefined {
  const known = edit.read.get(position);
  if (known !== undefined) return known;
  const text = onKey("LINDEX", edit.list, `${position}`);
  if (text === false) return undefined;
  const splice = splicable(text);
  return keepRead(edit, position, splice ?? text, splice === undefined ? math.huge : sizeOf(splice));
}

/** The last plan of a merge queue that has files: one that the call made, or else one of the list. */
function openPlan(edit: QueueEdit): Plan | undefined {
  const { open, made } = edit;
  if (open !== undefined && open.count > 0) return open;
  while (made.length > 0 && made[made.length - 1]!.count === 0) made.pop();
  let found = made[made.length - 1];
  if (found === undefined) {
    found = readAt(edit, edit.last);
    while (found !== undefined && found.count === 0) {
      edit.last -= 1;
      found = readAt(edit, edit.last);
    }
  }
  edit.open = found;
  return found;
}

function makePlan(edit: QueueEdit, timeS: number): Plan {
  const plan = newPlan(edit, 0, "", timeS, 0);
  edit.made.push(plan);
  edit.open = plan;
  return plan;
}

function addTo(plan: Plan, file: QueuedFile, sizeBytes: number): void {
  const { parts } = plan;
  const at = parts.length;
  parts[at] = file.path;
  plan.count += 1;
  plan.sizeBytes += sizeBytes;
  plan.isChanged = true;
  file.plan = plan;
  file.at = at + 1;
}

/** Whether the path counted as taken out of a plan of this queue: it is back in it then. */
function isBack(edit: QueueEdit, file: QueuedFile): boolean {
  const { goneNow, hasGone, gone } = edit;
  let isGone = goneNow.get(file.path);
  if (isGone === undefined) isGone = hasGone && redis.call("SMISMEMBER", gone, file.path)[0] === 1;
  if (!isGone) return false;
  goneNow.set(file.path, false);
  file.plan = unseenOf(edit);
  return true;
}

/**
 * Puts a file into the open plan of a merge queue, or into a new one where that would exceed the size.
 *
 * @param timeS when a new plan ripens
 */
export function join(edit: QueueEdit, file: QueuedFile, sizeBytes: number, maxSize: number, timeS: number): void {
  if (isBack(edit, file)) return;
  const open = openPlan(edit);
  if (open !== undefined && open.sizeBytes + sizeBytes <= maxSize) addTo(open, file, sizeBytes);
  else addTo(makePlan(edit, timeS), file, sizeBytes);
}

/** Notes that the call has added paths to a plan, and how large it now is. */
function extend(plan: Plan, added: number, sizeBytes: number): void {
  if (added === 0) return;
  plan.count += added;
  plan.sizeBytes = sizeBytes;
  plan.isChanged = true;
}

/**
 * Puts new files into a merge queue one after the other, as `join` does. Only for a queue without paths that count as
 * taken out.
 *
 * @param fields path and entry of each in turn
 * @param sizes in bytes
 * @param timeS when a new plan ripens
 */
export function joinAll(edit: QueueEdit, fields: string[], sizes: number[], maxSize: number, timeS: number): void {
  let plan = openPlan(edit) ?? makePlan(edit, timeS);
  let { parts, sizeBytes } = plan;
  let had = parts.length;
  let count = had;
  for (const at of $range(1, sizes.length)) {
    const size = sizes[at - 1]!;
    if (sizeBytes + size > maxSize && (count > 0 || plan.position !== 0)) {
      extend(plan, count - had, sizeBytes);
      plan = makePlan(edit, timeS);
      parts = plan.parts;
      [had, count, sizeBytes] = [0, 0, 0];
    }
    parts[count] = fields[2 * at - 2]!;
    count += 1;
    sizeBytes += size;
  }
  extend(plan, count - had, sizeBytes);
}

/** Plans that a file moves to the next layer. */
export function planMove(edit: QueueEdit, file: QueuedFile, folder: string, iteration: number, timeS: number): void {
  if (isBack(edit, file)) return;
  const plan = makePlan(edit, timeS);
  plan.moved = { path: file.path, folder, iteration };
  addTo(plan, file, 0);
}

/** Takes a file of so many bytes out of the plan that it waits in. */
export function takeOut(file: QueuedFile, sizeBytes: number): void {
  const { plan, at, path } = file;
  file.plan = undefined;
  if (plan === undefined) return;
  const { edit } = plan;
  if (plan === edit.unseen) {
    edit.goneNow.set(path, true);
    return;
  }
  plan.parts[at - 1] = "";
  plan.hasHoles = true;
  plan.count -= 1;
  plan.sizeBytes = Math.max(plan.sizeBytes - sizeBytes, 0);
  plan.isChanged = true;
}

/** Gives the plan that a file waits in the new size of the file. */
export function resize({ plan }: QueuedFile, wasBytes: number, nowBytes: number): void {
  if (plan === undefined || plan === plan.edit.unseen || plan.edit.queue.kind === "move") return;
  plan.sizeBytes = Math.max(plan.sizeBytes - wasBytes, 0) + nowBytes;
  plan.isChanged = true;
}
