/** A vendor's queue of tasks in Redis, as those who work see it. */
import type { HotpathFunctions } from "../contract";
import type { Task, TaskQueue } from "../jobs/work";

export type TaskFunctions = Pick<
  HotpathFunctions,
  "claimTask" | "extendTask" | "finishTask" | "failTask" | "releaseTask"
>;

/** As `claim_task` answers it. */
interface Claimed {
  id: string;
  token: string;
  type: string;
  attempt: number;
  enqueued_at: number;
  lease_until: number;
  payload: Record<string, unknown>;
}

/**
 * The queue of a name.
 *
 * @param worker names this host, in lists of what is out
 * @param now the server's clock, in unix milliseconds
 */
export function taskQueueOf(
  functions: TaskFunctions,
  queue: string,
  worker: string,
  now: () => Promise<number>,
): TaskQueue {
  return {
    claim: async () => {
      // Sent together, so that what is left of the lease is known, whatever the clock of this machine says.
      const [nowMs, json] = await Promise.all([now(), functions.claimTask({ queue, worker })]);
      return json === null ? undefined : parseTask(json, nowMs);
    },
    extend: async ({ id, token }) => void (await functions.extendTask({ id, token })),
    finish: async ({ id, token }, result) =>
      void (await functions.finishTask({ id, token, result: JSON.stringify(result) })),
    fail: async ({ id, token }, { reason, permanent }) =>
      void (await functions.failTask({ id, token, reason, ...(permanent && { final: 1 }) })),
    release: async ({ id, token }) => void (await functions.releaseTask({ id, token })),
    now,
  };
}

function parseTask(json: string, nowMs: number): Task {
  const {
    id,
    token,
    type,
    attempt,
    enqueued_at: enqueuedAtMs,
    lease_until: leaseUntilMs,
    payload,
  } = JSON.parse(json) as Claimed;
  return { id, token, type, attempt, enqueuedAtMs, payload, leaseMs: Math.max(leaseUntilMs - nowMs, 1) };
}
