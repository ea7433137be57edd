/** How long to wait before trying again. */

const FIRST_MS = 50;
const MAX_MS = 3000;

/**
 * A delay that doubles with each attempt up to 3 s, of which one half is random: hosts that lost the same server must
 * not come back in step.
 *
 * @param attempt failures so far, from 0
 * @param random for tests; 0 included, 1 not
 * @returns milliseconds
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(FIRST_MS * 2 ** Math.min(attempt, 16), MAX_MS);
  return ceiling / 2 + (random() * ceiling) / 2;
}
