/** Following tasks until they have ended, whoever works on them. */
import type { HotpathFunctions } from "../contract";
import { pause } from "../runtime/wait";
import type { ListedTask } from "../cli/catalog-tables";

const ENDED: readonly string[] = ["finished", "dead", "cancelled"];
const EVERY_MS = 200;

/** A task that is not kept any longer has ended as well. */
export function hasEnded(task: ListedTask | undefined): boolean {
  return task === undefined || ENDED.includes(task.state);
}

/** Whether a task, and all of its children, ended well. */
export function isWell(task: ListedTask | undefined): boolean {
  return task === undefined || (task.state === "finished" && (task.children_failed ?? 0) === 0);
}

/** How far tasks are: children count for those that have them. */
export function progressOf(tasks: readonly (ListedTask | undefined)[]): { ended: number; total: number } {
  let ended = 0;
  let total = 0;
  for (const task of tasks) {
    const children = task?.children_total ?? 0;
    total += Math.max(children, 1);
    if (children > 0)
      ended += (task!.children_finished ?? 0) + (task!.children_failed ?? 0) + (task!.children_cancelled ?? 0);
    else if (hasEnded(task)) ended += 1;
  }
  return { ended, total };
}

/**
 * Looks at tasks again and again until all have ended.
 *
 * @param onLook told what they are like, at each look
 * @param signal ends it
 * @returns what they are like at last, in the order of their ids; undefined for what is not kept any longer
 */
export async function followTasks(
  functions: Pick<HotpathFunctions, "getTask">,
  ids: readonly string[],
  onLook: (tasks: readonly (ListedTask | undefined)[]) => void,
  signal: AbortSignal,
): Promise<(ListedTask | undefined)[]> {
  for (;;) {
    const found = await Promise.all(ids.map((id) => functions.getTask({ id })));
    const tasks = found.map((json) => (json === null ? undefined : (JSON.parse(json) as ListedTask)));
    onLook(tasks);
    if (signal.aborted || tasks.every(hasEnded)) return tasks;
    await pause(EVERY_MS, signal);
  }
}
