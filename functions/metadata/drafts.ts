/**
 * Queues of merge and move plans as a call leaves them. Plans are looked up and changed in memory, in the order of the
 * entries, and each list is written once, at the end: no plan is read for each of its files.
 */
import { onKey, requireType } from "../runtime/types";
import { entryOf, type File } from "./files";
import { goneKey, IDLE, plannersKey, tableKey } from "./names";
import { sizeOf, splicable } from "./plan-json";
import type { Queue } from "./queues";

/** A plan that waits, or will. */
export interface Plan {
  draft: Draft;
  /** From the end of its list: -1 is the last one; 0 for a plan that the call makes. */
  position: number;
  /** As it is in the list; empty for one that the call makes. */
  text: string;
  /** When it ripens, for one that the call makes. */
  timeS: number;
  /** Its paths: all of them, or those that the call adds to the text; empty where one was taken out. */
  parts: string[];
  hasAll: boolean;
  hasHoles: boolean;
  /** How many paths it has; without end if they were not looked at. */
  count: number;
  sizeBytes: number;
  isChanged: boolean;
  /** The file of a move plan that the call makes. */
  moved: File | undefined;
}

/** A queue as a call leaves it. */
export interface Draft {
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
  /** Stands for the plans that were not looked through. */
  beyond: Plan | undefined;
  /** Files to be looked for, by path. */
  wanted: LuaMap<string, File>;
  wantedCount: number;
  /** Whether all plans were looked through for them. */
  isSearched: boolean;
  /** Paths that count as taken out of plans that were not looked through; those that the call puts there, or takes away. */
  gone: string;
  hasGone: boolean;
  goneNow: LuaMap<string, boolean>;
}

/** Begins to draft a queue. CONFLICT, naming the key, if one that will be written holds a foreign type. */
export function newDraft(queue: Queue): Draft {
  const { name, index, db, table } = queue;
  const gone = goneKey(name);
  requireType(name + IDLE, "list");
  requireType(gone, "set");
  requireType(plannersKey(db, table), "zset");
  requireType(tableKey(db, table), "hash");
  if (index !== "") requireType(index, "zset");
  return {
    queue,
    list: name + IDLE,
    open: undefined,
    read: new LuaMap(),
    positions: [],
    last: -1,
    made: [],
    beyond: undefined,
    wanted: new LuaMap(),
    wantedCount: 0,
    isSearched: true,
    gone,
    hasGone: redis.call("EXISTS", gone) === 1,
    goneNow: new LuaMap(),
  };
}

function newPlan(draft: Draft, position: number, text: string, sizeBytes: number): Plan {
  const isNew = position === 0;
  return {
    draft,
    position,
    text,
    timeS: 0,
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
export function keepRead(draft: Draft, position: number, text: string, sizeBytes: number): Plan {
  const plan = newPlan(draft, position, text, sizeBytes);
  draft.read.set(position, plan);
  draft.positions.push(position);
  return plan;
}

/** Where a file stands that may be in a plan that was not looked through. */
export function beyondOf(draft: Draft): Plan {
  draft.beyond ??= newPlan(draft, 0, "", 0);
  return draft.beyond;
}

/** The plan at a position of a merge queue; one that cannot be read takes no more files. */
function readAt(draft: Draft, position: number): Plan | undefined {
  const known = draft.read.get(position);
  if (known !== undefined) return known;
  const text = onKey("LINDEX", draft.list, `${position}`);
  if (text === false) return undefined;
  const splice = splicable(text);
  return keepRead(draft, position, splice ?? text, splice === undefined ? math.huge : sizeOf(splice));
}

/** The last plan of a merge queue that has files. */
function openPlan(draft: Draft): Plan | undefined {
  const { open } = draft;
  if (open !== undefined && open.count > 0) return open;
  draft.open = findOpen(draft);
  return draft.open;
}

function findOpen(draft: Draft): Plan | undefined {
  const { made } = draft;
  while (made.length > 0) {
    const newest = made[made.length - 1]!;
    if (newest.count > 0) return newest;
    made.pop();
  }
  for (;;) {
    const plan = readAt(draft, draft.last);
    if (plan === undefined || plan.count > 0) return plan;
    draft.last -= 1;
  }
}

function makePlan(draft: Draft, timeS: number): Plan {
  const plan = newPlan(draft, 0, "", 0);
  plan.timeS = timeS;
  draft.made.push(plan);
  draft.open = plan;
  return plan;
}

function addTo(plan: Plan, file: File, sizeBytes: number): void {
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
function isBack(draft: Draft, file: File): boolean {
  const { goneNow, hasGone, gone } = draft;
  let isGone = goneNow.get(file.path);
  if (isGone === undefined) isGone = hasGone && redis.call("SMISMEMBER", gone, file.path)[0] === 1;
  if (!isGone) return false;
  goneNow.set(file.path, false);
  file.plan = beyondOf(draft);
  return true;
}

/**
 * Puts a file into the open plan of a merge queue, or into a new one where that would exceed the size.
 *
 * @param timeS when a new plan ripens
 */
export function join(draft: Draft, file: File, sizeBytes: number, maxSize: number, timeS: number): void {
  if (isBack(draft, file)) return;
  const open = openPlan(draft);
  if (open !== undefined && open.sizeBytes + sizeBytes <= maxSize) addTo(open, file, sizeBytes);
  else addTo(makePlan(draft, timeS), file, sizeBytes);
}

/** Notes that paths were added to a plan, and how many bytes it is of with them. */
function extend(plan: Plan, added: number, sizeBytes: number): void {
  if (added === 0) return;
  plan.count += added;
  plan.sizeBytes = sizeBytes;
  plan.isChanged = true;
}

/**
 * Puts new files into a merge queue, one after the other, as `join` does; for a queue of which no path counts as taken out.
 *
 * @param fields path and entry of each in turn
 * @param sizes in bytes
 * @param timeS when a new plan ripens
 */
export function joinAll(draft: Draft, fields: string[], sizes: number[], maxSize: number, timeS: number): void {
  let plan = openPlan(draft) ?? makePlan(draft, timeS);
  let { parts, sizeBytes } = plan;
  let had = parts.length;
  let count = had;
  for (const at of $range(1, sizes.length)) {
    const size = sizes[at - 1]!;
    if (sizeBytes + size > maxSize && (count > 0 || plan.position !== 0)) {
      extend(plan, count - had, sizeBytes);
      plan = makePlan(draft, timeS);
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
export function planMove(draft: Draft, file: File, timeS: number): void {
  if (isBack(draft, file)) return;
  const plan = makePlan(draft, timeS);
  plan.moved = file;
  addTo(plan, file, 0);
}

/** Takes a file out of the plan that it waits in. */
export function takeOut(file: File): void {
  const { plan, at, path } = file;
  file.plan = undefined;
  if (plan === undefined) return;
  const { draft } = plan;
  if (plan === draft.beyond) {
    draft.goneNow.set(path, true);
    return;
  }
  plan.parts[at - 1] = "";
  plan.hasHoles = true;
  plan.count -= 1;
  plan.sizeBytes = Math.max(plan.sizeBytes - entryOf(file).size_bytes, 0);
  plan.isChanged = true;
}

/** Gives the plan that a file waits in the new size of the file. */
export function resize(file: File, nowBytes: number): void {
  const { plan } = file;
  if (plan === undefined || plan === plan.draft.beyond || plan.draft.queue.kind === "move") return;
  plan.sizeBytes = Math.max(plan.sizeBytes - entryOf(file).size_bytes, 0) + nowBytes;
  plan.isChanged = true;
}
