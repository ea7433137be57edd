/**
 * Queues of merge and move plans as a call leaves them. Plans are looked up and changed in memory, in the order of the
 * entries, and each list is written once, at the end: no plan is read for each of its files.
 */
import { onKey, requireType } from "../runtime/types";
import type { File } from "./files";
import { goneKey, IDLE, plannersKey, tableKey } from "./names";
import { sizeOf, splicable, tokenOf, type Token } from "./plan-json";
import type { Queue } from "./queues";

/** A plan that waits, or will. */
export interface Plan {
  /** From the end of its list: -1 is the last one; 0 for a plan that the call makes. */
  position: number;
  /** As it is in the list; empty for one that the call makes. */
  text: string;
  /** When it ripens, for one that the call makes. */
  timeS: number;
  /** Its paths: all of them, or those that the call adds to the text; empty for one that was taken out. */
  parts: Token[];
  hasAll: boolean;
  /** How many paths it has; without end if they were not looked at. */
  count: number;
  sizeBytes: number;
  isChanged: boolean;
  /** The file of a move plan that the call makes. */
  moved: File | undefined;
}

/** Where a file stands: in a plan, at a place among its parts from 1; or, without a plan, further ahead than was looked. */
export interface Spot {
  draft: Draft;
  plan: Plan | undefined;
  at: number;
}

/** A queue as a call leaves it. */
export interface Draft {
  queue: Queue;
  list: string;
  /** Plans that were read, by position. */
  read: LuaMap<number, Plan>;
  positions: number[];
  /** Position of the last plan that was not emptied. */
  last: number;
  made: Plan[];
  /** Files to be looked for. */
  wanted: LuaMap<Token, File>;
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
    read: new LuaMap(),
    positions: [],
    last: -1,
    made: [],
    wanted: new LuaMap(),
    wantedCount: 0,
    isSearched: true,
    gone,
    hasGone: redis.call("EXISTS", gone) === 1,
    goneNow: new LuaMap(),
  };
}

/** Keeps a plan that was read. */
export function keepRead(draft: Draft, plan: Plan): void {
  draft.read.set(plan.position, plan);
  draft.positions.push(plan.position);
}

/** The plan at a position of a merge queue; one that cannot be read takes no more files. */
function readAt(draft: Draft, position: number): Plan | undefined {
  const known = draft.read.get(position);
  if (known !== undefined) return known;
  const text = onKey("LINDEX", draft.list, `${position}`);
  if (text === false) return undefined;
  const splice = splicable(text);
  const sizeBytes = splice === undefined ? math.huge : sizeOf(splice);
  const plan: Plan = { position, text: splice ?? text, timeS: 0, parts: [], hasAll: false, count: math.huge, sizeBytes, isChanged: false, moved: undefined };
  keepRead(draft, plan);
  return plan;
}

/** The last plan of a merge queue that has files. */
function openPlan(draft: Draft): Plan | undefined {
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

function makePlan(draft: Draft, timeS: number, moved: File | undefined): Plan {
  const plan: Plan = { position: 0, text: "", timeS, parts: [], hasAll: true, count: 0, sizeBytes: 0, isChanged: true, moved };
  draft.made.push(plan);
  return plan;
}

function addTo(draft: Draft, plan: Plan, file: File, sizeBytes: number): void {
  plan.parts.push(tokenOf(file.path));
  plan.count += 1;
  plan.sizeBytes += sizeBytes;
  plan.isChanged = true;
  file.spot = { draft, plan, at: plan.parts.length };
}

/** Whether the path counted as taken out of a plan of this queue: it is back in it then. */
function isBack(draft: Draft, file: File): boolean {
  const { goneNow, hasGone, gone } = draft;
  const isGone = goneNow.get(file.path) ?? (hasGone && redis.call("SMISMEMBER", gone, file.path)[0] === 1);
  if (!isGone) return false;
  goneNow.set(file.path, false);
  file.spot = { draft, plan: undefined, at: 0 };
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
  const fits = open !== undefined && open.sizeBytes + sizeBytes <= maxSize;
  addTo(draft, fits ? open : makePlan(draft, timeS, undefined), file, sizeBytes);
}

/** Plans that a file moves to the next layer. */
export function planMove(draft: Draft, file: File, timeS: number): void {
  if (isBack(draft, file)) return;
  addTo(draft, makePlan(draft, timeS, file), file, 0);
}

/** Takes a file out of the plan that it waits in. */
export function takeOut(file: File): void {
  const { spot } = file;
  file.spot = undefined;
  if (spot === undefined) return;
  const { draft, plan, at } = spot;
  if (plan === undefined) {
    draft.goneNow.set(file.path, true);
    return;
  }
  plan.parts[at - 1] = "";
  plan.count -= 1;
  plan.sizeBytes = Math.max(plan.sizeBytes - file.sizeBytes, 0);
  plan.isChanged = true;
}

/** Gives the plan that a file waits in the new size of the file. */
export function resize({ spot, sizeBytes }: File, nowBytes: number): void {
  const plan = spot?.plan;
  if (plan === undefined || spot!.draft.queue.kind === "move") return;
  plan.sizeBytes = Math.max(plan.sizeBytes - sizeBytes, 0) + nowBytes;
  plan.isChanged = true;
}
