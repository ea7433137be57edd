/** Where files that are deleted, or change their queue, stand in plans that wait. */
import { onKey } from "../runtime/types";
import { keepRead, type Draft, type Plan } from "./drafts";
import type { File } from "./files";
import { movedToken, sizeOf, splicable, tokenOf, tokensOf, type Token } from "./plan-json";

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
  const token = tokenOf(file.path);
  if (draft.wanted.has(token)) return;
  draft.wanted.set(token, file);
  draft.wantedCount += 1;
}

/** The paths of a plan as it stands in its list; none if it cannot be read. */
function pathsIn({ queue }: Draft, text: string): Token[] {
  if (queue.kind === "move") {
    const token = movedToken(text);
    return token === undefined ? [] : [token];
  }
  const known = splicable(text);
  return known === undefined ? [] : tokensOf(known);
}

/** Looks for wanted files in a plan; it is kept if it has one. */
function lookThrough(draft: Draft, position: number, text: string): void {
  const tokens = pathsIn(draft, text);
  let plan: Plan | undefined;
  for (const at of $range(1, tokens.length)) {
    const file = draft.wanted.get(tokens[at - 1]!);
    if (file !== undefined && file.spot === undefined) {
      if (plan === undefined) {
        const known = draft.queue.kind === "move" ? text : splicable(text)!;
        const sizeBytes = draft.queue.kind === "move" ? 0 : sizeOf(known);
        plan = { position, text: known, timeS: 0, parts: tokens, hasAll: true, count: tokens.length, sizeBytes, isChanged: false, moved: undefined };
        keepRead(draft, plan);
      }
      file.spot = { draft, plan, at };
      draft.wantedCount -= 1;
    }
  }
}

/**
 * Looks for the wanted files from the end of the list, where a file that was added lately is; as far as the budget goes, which
 * it lessens.
 */
export function search(draft: Draft, budget: Budget): void {
  let from = 0;
  let atOnce = 1;
  while (draft.wantedCount > 0) {
    if (budget.plans <= 0 || budget.bytes <= 0) {
      draft.isSearched = -from >= onKey("LLEN", draft.list);
      return;
    }
    const texts = onKey("LRANGE", draft.list, `${from - atOnce}`, `${from - 1}`);
    let readBytes = 0;
    for (const at of $range(texts.length, 1, -1)) {
      const text = texts[at - 1]!;
      readBytes += text.length;
      from -= 1;
      lookThrough(draft, from, text);
    }
    if (texts.length < atOnce) return;
    budget.plans -= texts.length;
    budget.bytes -= readBytes;
    const affordable = Math.floor((budget.bytes * texts.length) / Math.max(readBytes, 1));
    atOnce = Math.max(1, Math.min(2 * atOnce, affordable, budget.plans, MOST_AT_ONCE));
  }
}

/** Whether a file that was wanted and not found may stand further ahead than was looked; then that is its spot. */
export function presume(draft: Draft, file: File): void {
  if (!draft.isSearched) file.spot ??= { draft, plan: undefined, at: 0 };
}
