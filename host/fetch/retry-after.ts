/** The Retry-After header: seconds, or a date (RFC 9110, 10.2.3). */
import { SECOND_MS } from "../runtime/time";

/** A receiver that asks for a year has made a mistake, and must not silence a topic by it. */
export const MAX_RETRY_AFTER_MS = 24 * 3600 * SECOND_MS;

/**
 * How long the receiver wants to hear nothing.
 *
 * @param header its value; of several the first
 * @param nowMs unix milliseconds, to which a date is compared
 * @returns milliseconds, at most a day; undefined where there is none, or none that can be read
 */
export function parseRetryAfter(header: string | string[] | undefined, nowMs: number): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim();
  if (text === undefined || text === "") return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * SECOND_MS : msUntil(text, nowMs);
  return ms === undefined ? undefined : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}

/** Only dates as HTTP writes them: Date.parse would take `-5` or `1.5` for a year or a month. */
function msUntil(date: string, nowMs: number): number | undefined {
  if (!/^[A-Za-z]{3,9},? .* GMT$/.test(date)) return undefined;
  const time = Date.parse(date);
  return Number.isNaN(time) ? undefined : time - nowMs;
}
