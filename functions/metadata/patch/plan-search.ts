/** Where files that are deleted, or change their queue, stand in plans that wait. */
import { onKey } from "../../runtime/types";
import { movedPath, pathsOf, sizeOf, splicable } from "../plan-json";
import { keepRead, unseenOf, type Plan, type QueuedFile, type QueueEdit } from "./queue-edits";

/** How much of its queues a call may look through. */
interface Budget {
  plans: number;
  bytes: number;
}

/** Files that are looked for in one queue. */
interface Search {
  edit: QueueEdit;
  wanted: LuaMap<string, QueuedFile>;
  /** How many of them were not found yet. */
  missing: number;
  /** Whether that is so of all plans of the queue, not of the last ones only. */
  sawAll: boolean;
}

/** The searches of a call by queue, in the order in which they were begun. */
interface Searches {
  all: Search[];
  byEdit: LuaMap<QueueEdit, Search>;
}

/** The most plans that are read at once: each of them may be long. */
const MOST_AT_ONCE = 128;

/** What a call may look through: some milliseconds. */
export function newBudget(): Budget {
  return { plans: 2000, bytes: 2097152 };
}

export function noSearches(): Searches {
  return { all: [], byEdit: new LuaMap() };
}

/** Notes that a file is to be looked for in a queue. */
export function want({ all, byEdit }: Searches, edit: QueueEdit, file: QueuedFile): void {
  let search = byEdit.get(edit);
  if (search === undefined) {
    search = { edit, wanted: new LuaMap(), missing: 0, sawAll: true };
    byEdit.set(edit, search);
    all.push(search);
  }
  if (search.wanted.has(file.path)) return;
  search.wanted.set(file.path, file);
  search.missing += 1;
}

/** Looks for wanted files in a plan; it is kept if it has one. A plan that cannot be read has none. */
function lookThrough(search: Search, position: number, text: string): void {
  const { edit, wanted } = search;
  const isMove = edit.queue.kind === "move";
  const known = isMove ? text : splicable(text);
  if (known === undefined) return;
  const paths = isMove ? [movedPath(text) ?? ""] : pathsOf(known);
  let plan: Plan | undefined;
  for (const at of $range(1, paths.length)) {
    const file = wanted.get(paths[at - 1]!);
    if (file !== undefined && file.plan === undefined) {
      if (plan === undefined) {
        plan = keepRead(edit, position, known, isMove ? 0 : sizeOf(known));
        plan.parts = paths;
        plan.hasAll = true;
        plan.count = paths.length;
      }
      file.plan = plan;
      file.at = at;
      search.missing -= 1;
    }
  }
}

/**
 * Looks for the wanted files from the end of the list, where a file that was added lately stands, as far as the budget
 * goes. It spends from the budget.
 */
export function searchPlans(search: Search, budget: Budget): void {
  const { list } = search.edit;
  let seen = 0;
  let atOnce = 1;
  while (search.missing > 0) {
    if (budget.plans <= 0 || budget.bytes <= 0) {
      search.sawAll = seen >= onKey("LLEN", list);
      return;
    }
    const texts = onKey("LRANGE", list, `${-seen - atOnce}`, `${-seen - 1}`);
    const count = texts.length;
    let readBytes = 0;
    for (const at of $range(count, 1, -1)) {
      const text = texts[at - 1]!;
      readBytes += text.length;
      lookThrough(search, -seen - 1 - (count - at), text);
    }
    if (count < atOnce) return;
    seen += count;
    budget.plans -= count;
    budget.bytes -= readBytes;
    const affordable = Math.floor((budget.bytes * count) / Math.max(readBytes, 1));
    atOnce = Math.max(1, Math.min(2 * atOnce, affordable, budget.plans, MOST_AT_ONCE));
  }
}

/** Takes a wanted file that was not found to stand further ahead than the search went. */
export function presume({ edit, sawAll }: Search, file: QueuedFile): void {
  if (!sawAll) file.plan ??= unseenOf(edit);
}
