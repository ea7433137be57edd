/** Times as JSON logs and custom formats have them. */

const ISO_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\s?(?:Z|[+-]\d\d:?\d\d)$/;

/**
 * Parses a time of ISO 8601 with its zone.
 *
 * @returns unix milliseconds, or undefined where there is no such time, or no zone
 */
export function parseIsoTime(text: string): number | undefined {
  if (!ISO_TIME.test(text)) return undefined;
  const zoned = text
    .replace(" ", "T")
    .replace(/\s/, "")
    .replace(",", ".")
    .replace(/([+-]\d\d)(\d\d)$/, "$1:$2");
  const ms = Date.parse(zoned.replace(/(\.\d{3})\d+/, "$1"));
  return Number.isNaN(ms) ? undefined : ms;
}

/** Unix times of this century, in seconds, milliseconds, microseconds or nanoseconds, are told apart by their size. */
const UNITS = [1, 1e3, 1e6, 1e9] as const;
const EARLIEST_S = 946_684_800;
const LATEST_S = 4_102_444_800;

/**
 * Parses a unix time in any of the usual units.
 *
 * @returns unix milliseconds, or undefined where it is none between 2000 and 2100
 */
export function parseUnixTime(text: string | number): number | undefined {
  const value = typeof text === "number" ? text : /^\d{1,20}(?:\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
  for (const unit of UNITS) {
    const seconds = value / unit;
    if (seconds >= EARLIEST_S && seconds < LATEST_S) return Math.floor(seconds * 1000 + 1e-3);
  }
  return undefined;
}
