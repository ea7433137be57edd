/** The Retry-After header (RFC 9110, 10.2.3): seconds, or a date in one of HTTP's three forms (5.6.7). Nothing else is guessed. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = "(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)";
const DATE_FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT`,
  // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
  `(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT`,
  // asctime: Sun Nov  6 08:49:37 1994
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${MONTH} (?<day>\\d{2}| \\d) ${TIME} (?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/**
 * How long the sender of the header wants to hear nothing. The caller bounds it: nobody is silenced for years by a mistake.
 *
 * @param header its value; of several the first
 * @param nowMs unix milliseconds, to which a date is compared
 * @returns milliseconds, 0 for a date that is over; undefined where there is no header, or none that can be read
 */
export function parseRetryAfter(header: string | string[] | undefined, nowMs: number): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const atMs = parseHttpDate(text, nowMs);
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
}

function parseHttpDate(text: string, nowMs: number): number | undefined {
  const parts = DATE_FORMS.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (!parts) return undefined;
  const month = MONTHS.indexOf(parts["month"]!);
  const [day, hour, minute, second] = ["day", "hour", "minute", "second"].map((name) => Number(parts[name]));
  const timeMs = Date.UTC(1970, 0, 1, hour, minute, second);
  // Not Date.UTC, which takes the years 0 to 99 for those of the 20th century.
  const dayOf = (year: number): number => new Date(0).setUTCFullYear(year, month, day);
  let year = Number(parts["year"]);
  if (parts["year"]!.length === 2) {
    // The last year with these digits that is not more than 50 years ahead.
    const latestMs = new Date(nowMs).setUTCFullYear(new Date(nowMs).getUTCFullYear() + 50);
    for (year += 2200; dayOf(year) + timeMs > latestMs;) year -= 100;
  }
  // 30 February would become 2 March.
  return new Date(dayOf(year)).getUTCMonth() === month ? dayOf(year) + timeMs : undefined;
}
