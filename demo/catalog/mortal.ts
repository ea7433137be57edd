/** A host that dies, as far as the others can tell: from one moment on Redis hears nothing of it any more. */
import type { Task, TaskQueue } from "../../host/catalog/tasks";

export interface Mortal {
  /** What stands between its workers and a queue. */
  through(queue: TaskQueue): TaskQueue;
  readonly isDead: boolean;
  /** Ids of what it has in hand; once it is dead, of what died with it. */
  readonly inHand: readonly string[];
}

/** @param afterTasks how many it ends before it dies */
export function mortalHost(afterTasks: number): Mortal {
  const out = new Set<string>();
  let ended = 0;
  let isDead = false;
  const alive = async <T>(call: () => Promise<T>): Promise<T> => {
    if (isDead) throw new Error("this host is dead");
    return call();
  };
  const ending = async (task: Task, call: () => Promise<void>): Promise<void> => {
    await alive(call);
    out.delete(task.id);
    ended += 1;
    // Not while it has nothing in hand: nobody would notice.
    isDead ||= ended >= afterTasks && out.size > 0;
  };
  return {
    through: (queue) => ({
      claim: async () => {
        const task = await alive(() => queue.claim());
        if (task) out.add(task.id);
        return task;
      },
      extend: (task) => alive(() => queue.extend(task)),
      finish: (task, result) => ending(task, () => queue.finish(task, result)),
      fail: (task, failure) => ending(task, () => queue.fail(task, failure)),
      release: (task) => ending(task, () => queue.release(task)),
      now: () => alive(() => queue.now()),
    }),
    get isDead() {
      return isDead;
    },
    get inHand() {
      return [...out];
    },
  };
}
