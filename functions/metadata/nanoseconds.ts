/**
 * Times in nanoseconds as decimal text: 64 bits do not fit into Lua's doubles, so they are compared digit by digit and
 * never become numbers. Pure.
 */

const MINUS = 45;
const NINE = 57;

/** The bounds of a signed 64-bit integer. */
export const MIN_NS = "-9223372036854775808";
export const MAX_NS = "9223372036854775807";

/** Digits of a second in nanoseconds. */
const SUBSECOND_DIGITS = 9;

/**
 * The order of two times, for texts that `isNs` accepts.
 *
 * @returns less than 0 if `a` is before `b`, 0 if they are equal, more than 0 if it is after
 */
export function compareNs(a: string, b: string): number {
  if (a === b) return 0;
  const isNegative = string.byte(a) === MINUS;
  // A minus comes before any digit.
  if (!isNegative && a.length === b.length) return a < b ? -1 : 1;
  if (isNegative !== (string.byte(b) === MINUS)) return isNegative ? -1 : 1;
  const isLess = a.length < b.length || (a.length === b.length && a < b);
  return isLess === isNegative ? 1 : -1;
}

/** Whether a text is a signed 64-bit integer as every client prints it: no plus sign, no leading zeros, no `-0`. */
export function isNs(text: string): boolean {
  if (text === "0") return true;
  const [whole] = string.find(text, "^%-?[1-9]%d*$");
  if (whole === undefined || text.length > MIN_NS.length) return false;
  // A text of fewer digits, or below 9 · 10^18, is in range: every time until the year 2255 is.
  if (text.length < MAX_NS.length || (text.length === MAX_NS.length && string.byte(text) < NINE)) return true;
  return compareNs(text, MIN_NS) >= 0 && compareNs(text, MAX_NS) <= 0;
}

/** The earlier of two times. */
export function earlierNs(a: string, b: string): string {
  return compareNs(a, b) <= 0 ? a : b;
}

/** The later of two times. */
export function laterNs(a: string, b: string): string {
  return compareNs(a, b) >= 0 ? a : b;
}

/** Whole seconds of a time, rounded down: exact, they have ten digits. */
export function floorSeconds(ns: string): number {
  const isNegative = string.byte(ns) === MINUS;
  const digits = isNegative ? string.sub(ns, 2) : ns;
  const seconds = tonumber(string.sub(digits, 1, -1 - SUBSECOND_DIGITS)) ?? 0;
  if (!isNegative) return seconds;
  const [isBetween] = string.find(string.sub(digits, -SUBSECOND_DIGITS), "[1-9]");
  return isBetween === undefined ? -seconds : -seconds - 1;
}

/** The times of a file without times: a client leaves them 0, or out, which reads as 0. */
const TIMELESS = "0";

/** Whether a file of these times is to be found from `afterNs` to `beforeNs`, both included; one without times always is. */
export function isInRange(minNs: string, maxNs: string, afterNs: string, beforeNs: string): boolean {
  if (minNs === TIMELESS && maxNs === TIMELESS) return true;
  return compareNs(minNs, beforeNs) <= 0 && compareNs(maxNs, afterNs) >= 0;
}

/** Whether files between these times may be to be found: where 0 is between them, one may be without times. */
export function mayBeInRange(minNs: string, maxNs: string, afterNs: string, beforeNs: string): boolean {
  if (compareNs(minNs, TIMELESS) <= 0 && compareNs(maxNs, TIMELESS) >= 0) return true;
  return compareNs(minNs, beforeNs) <= 0 && compareNs(maxNs, afterNs) >= 0;
}
