/** A topic's queue in Redis, as those who deliver see it. */
import type { HotpathFunctions } from "../contract";
import type { Notification } from "./couriers/courier";
import type { Queue } from "./deliver";

export type QueueFunctions = Pick<HotpathFunctions, "claimNotifications" | "ackNotification" | "failNotification">;

/** As `claim_notifications` answers it. */
interface Claimed extends Omit<Notification, "firstAt" | "lastAt"> {
  first_at: number;
  last_at: number;
}

/**
 * The queue of a topic.
 *
 * @param worker names this host, in lists of what is out
 * @param now the server's clock
 */
export function queueOf(functions: QueueFunctions, topic: string, worker: string, now: () => Promise<number>): Queue {
  return {
    claim: async (count) => {
      const [nextMs, ...claimed] = await functions.claimNotifications({ topic, count, worker });
      return { nextMs, items: claimed.map(parseNotification) };
    },
    ack: async ({ id, token }) => void (await functions.ackNotification({ topic, id, token })),
    fail: async ({ id, token }, reason) => void (await functions.failNotification({ topic, id, token, reason })),
    now,
  };
}

function parseNotification(json: string): Notification {
  const { first_at: firstAt, last_at: lastAt, ...rest } = JSON.parse(json) as Claimed;
  return { ...rest, firstAt, lastAt };
}
