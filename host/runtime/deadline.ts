/** Reads that nobody waits for longer than that. */
import { UnavailableError } from "./errors";

/** Whoever scrapes /metrics waits no longer than that for Redis; what it does not tell by then is left out. */
export const SCRAPE_MS = 3000;

/**
 * Waits for a promise, but not longer than that; what it comes to later is passed over.
 *
 * @param what was waited for, for the message
 * @throws UnavailableError when the time is over; what the promise is rejected with
 */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new UnavailableError(`${what}: no answer within ${ms / 1000} s`, true)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
