/** Working off a backlog with a function that does a slice of it in each call. */

/** The sums of what the calls answered, and how many they were. */
export type SliceSums<T> = T & {
  /** Calls that it took. */
  slices: number;
  /** False if it was ended before nothing remained. */
  finished: boolean;
};

/**
 * Calls until nothing remains.
 *
 * @param sums what is added up, each at 0
 * @param call does one slice
 * @param mayGoOn asked before each call; false ends it
 */
export async function addSlices<T extends Record<string, number>>(
  sums: T,
  call: () => Promise<T & { remaining: number }>,
  mayGoOn: () => boolean | Promise<boolean>,
): Promise<SliceSums<T>> {
  const total: Record<string, number> = { ...sums };
  let slices = 0;
  while (await mayGoOn()) {
    const slice = await call();
    slices += 1;
    for (const name of Object.keys(sums)) total[name]! += slice[name]!;
    if (slice.remaining === 0) return { ...(total as T), slices, finished: true };
  }
  return { ...(total as T), slices, finished: false };
}
