/** Times in nanoseconds since 1970, UTC, as bigints: 64 bits do not fit into a number. */

const NS_PER_MS = 1_000_000n;

/** The nanoseconds of a Date, which knows milliseconds. */
export function nanosecondsOf(date: Date): bigint {
  return BigInt(date.getTime()) * NS_PER_MS;
}

/** The Date of a time in nanoseconds, rounded down to its millisecond. */
export function dateOf(ns: bigint): Date {
  const ms = ns / NS_PER_MS;
  return new Date(Number(ns < 0n && ms * NS_PER_MS !== ns ? ms - 1n : ms));
}

/**
 * A time as people read it.
 *
 * @returns `2026-11-20T10:05:00.123456789Z`; the fraction as long as it has to be. Times that no calendar has are digits
 */
export function formatNanoseconds(ns: bigint): string {
  const date = dateOf(ns);
  if (Number.isNaN(date.getTime())) return String(ns);
  const seconds = BigInt(Math.floor(date.getTime() / 1000)) * 1_000_000_000n;
  const fraction = String(ns - seconds)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${date.toISOString().replace(/\.\d{3}Z$/, "")}${fraction && `.${fraction}`}Z`;
}

const TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * Reads a time as people write it: `2026-11-20`, `2026-11-20T10:05`, `2026-11-20T10:05:00.123456789+01:00`, or nanoseconds
 * as digits. Without a zone it is UTC.
 *
 * @returns undefined if it is none of these
 */
export function parseNanoseconds(text: string): bigint | undefined {
  if (/^-?\d{1,19}$/.test(text)) return BigInt(text);
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [, day, time = "00:00", fraction = "", zone = "Z"] = match;
  const ms = Date.parse(`${day}T${time}${zone}`);
  // A 31st of February is moved into March without a word.
  if (Number.isNaN(ms) || new Date(`${day}T00:00Z`).toISOString().slice(0, 10) !== day) return undefined;
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, "0"));
}
