import { setTimeout as delay } from "node:timers/promises";

export interface WaitOptions {
  /** How long to wait before the test fails. Default 20000: what a test waits for comes at once, save on a machine that is busy. */
  timeoutMs?: number;
  /** Between two looks. Default 5. */
  intervalMs?: number;
  /** What is awaited, for the message. Default: the predicate's source. */
  what?: string;
}

/**
 * Waits until a predicate holds. It may fail meanwhile; its last error is part of the message.
 * @param predicate asked again and again; anything truthy ends the wait.
 * @returns what the predicate answered at last.
 * @throws Error when the time is up.
 */
export async function until<T>(predicate: () => T | Promise<T>, options: WaitOptions = {}): Promise<NonNullable<T>> {
  const { timeoutMs = 20_000, intervalMs = 5, what = predicate.toString() } = options;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await predicate();
      if (answer) return answer;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`, { cause: lastError });
    await delay(intervalMs);
  }
}
