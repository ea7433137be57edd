/** Waiting that ends early when the host stops. */
import { setTimeout as delay } from "node:timers/promises";

/**
 * Waits, but not longer than until `signal` is aborted; it does not throw then.
 *
 * @param ms milliseconds
 */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
