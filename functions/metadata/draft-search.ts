/** Where files that are deleted, or change their queue, stand in plans that wait. */
import { onKey } from "../runtime/types";
import { beyondOf, keepRead, type Draft, type Plan } from "./drafts";
import type { File } from "./files";
import { movedPath, pathsOf, sizeOf, splicable } from "./plan-json";

/** How much of its queues a call may look through. */
export interface Budget {
  plans: number;
  bytes: number;
}

/** The most plans that are read at once: each of them may be long. */
const MOST_AT_ONCE = 128;

/** What a call may look through: some milliseconds. */
export function newBudget(): Budget {
  return { plans: 2000, bytes: 2097152 };
}

/** Notes that a file is to be looked for. */
export function want(draft: Draft, file: File): void {
  if (draft.wanted.has(file.path)) return;
  draft.wanted.set(file.path, file);
  draft.wantedCount += 1;
}

/** Looks for wanted files in a plan; it is kept if it has one. One that cannot be read has none. */
function lookThrough(draft: Draft, position: number, text: string): void {
  const isMove = draft.queue.kind === "move";
  const known = isMove ? text : splicable(text);
  if (known === undefined) return;
  const moved = isMove ? movedPath(text) : undefined;
  const paths = isMove ? [moved ?? ""] : pathsOf(known);
  let plan: Plan | undefined;
  for (const at of $range(1, paths.length)) {
    const file = draft.wanted.get(paths[at - 1]!);
    if (file !== undefined && file.plan === undefined) {
      if (plan === undefined) {
        plan = keepRead(draft, position, known, isMove ? 0 : sizeOf(known));
        plan.parts = paths;
        plan.hasAll = true;
        plan.count = paths.length;
      }
      file.plan = plan;
      file.at = at;
      draft.wantedCount -= 1;
    }
  }
}

/**
 * Looks for the wanted files from the end of the list, where a file that was added lately is; as far as the budget goes, which
 * it lessens.
 */
export function search(draft: Draft, budget: Budget): void {
  let seen = 0;
  let atOnce = 1;
  while (draft.wantedCount > 0) {
    if (budget.plans <= 0 || budget.bytes <= 0) {
      draft.isSearched = seen >= onKey("LLEN", draft.list);
      return;
    }
    const texts = onKey("LRANGE", draft.list, `${-seen - atOnce}`, `${-seen - 1}`);
    const count = texts.length;
    let readBytes = 0;
    for (const at of $range(count, 1, -1)) {
      const text = texts[at - 1]!;
      readBytes += text.length;
      lookThrough(draft, -seen - 1 - (count - at), text);
    }
    if (count < atOnce) return;
    seen += count;
    budget.plans -= count;
    budget.bytes -= readBytes;
    const affordable = Math.floor((budget.bytes * count) / Math.max(readBytes, 1));
    atOnce = Math.max(1, Math.min(2 * atOnce, affordable, budget.plans, MOST_AT_ONCE));
  }
}

/** A wanted file that was not found may stand further ahead than was looked; then that is where it is. */
export function presume(draft: Draft, file: File): void {
  if (!draft.isSearched) file.plan ??= beyondOf(draft);
}
