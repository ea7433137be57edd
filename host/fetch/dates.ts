/** Dates of pages and of items: strict forms only, because a date that was guessed is worse than none. */
import { DAY_MS, MINUTE_MS } from "../runtime/time";

/** A clock that starts at 0 makes dates of 1970, in any time zone; they mean that nobody knows. */
const EARLIEST_MS = Date.UTC(1971, 0, 1);
/** Pages announce what is to come, but not for decades. */
const MAX_AHEAD_MS = 366 * DAY_MS;

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** ISO 8601, or RFC 9557 without what is in its brackets. */
const ISO =
  /^(\d{4})-?(\d{2})-?(\d{2})(?:[T ]+(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?(?:\[[^\]]{1,64}\])?)?$/i;
/** RFC 5322, with a year of four digits. */
const MAIL =
  /^(?:[a-z]{3,9},?\s+)?(\d{1,2})\s+([a-z]{3})[a-z]*\.?\s+(\d{4})(?:\s+(\d{2}):(\d{2})(?::(\d{2}))?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?$/i;

/**
 * Reads a date.
 *
 * @param text ISO 8601 (`2026-11-20`, `2026-11-20T12:00:00+01:00`), RFC 5322 (`Fri, 20 Nov 2026 12:00:00 GMT`), or unix time
 *   in seconds or milliseconds
 * @param timeZone IANA name of the zone in which times without one are meant
 * @param nowMs dates of more than a year later are dropped, as those before 1971 are
 * @returns unix milliseconds; undefined if it is none of these
 */
export function parseDate(text: string, timeZone: string, nowMs: number): number | undefined {
  const trimmed = text.trim();
  const ms = parseUnix(trimmed) ?? parseIso(trimmed, timeZone) ?? parseMail(trimmed, timeZone);
  return ms !== undefined && ms >= EARLIEST_MS && ms <= nowMs + MAX_AHEAD_MS ? ms : undefined;
}

function parseUnix(text: string): number | undefined {
  if (!/^\d{9,10}$|^\d{12,13}$/.test(text)) return undefined;
  return text.length <= 10 ? Number(text) * 1000 : Number(text);
}

function parseIso(text: string, timeZone: string): number | undefined {
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", zone] = match;
  const ms = Number(fraction.padEnd(3, "0").slice(0, 3));
  return compose([Number(year), Number(month), Number(day)], [hour, minute, second], ms, zone, timeZone);
}

function parseMail(text: string, timeZone: string): number | undefined {
  const match = MAIL.exec(text);
  if (!match) return undefined;
  const [, day, month, year, hour, minute, second, zone] = match;
  const at = MONTHS.indexOf(month!.toLowerCase());
  return at < 0 ? undefined : compose([Number(year), at + 1, Number(day)], [hour, minute, second], 0, zone, timeZone);
}

function compose(
  [year, month, day]: [number, number, number],
  time: (string | undefined)[],
  ms: number,
  zone: string | undefined,
  timeZone: string,
): number | undefined {
  const [hour, minute, second] = time.map((part) => Number(part ?? 0)) as [number, number, number];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const local = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  const date = new Date(local);
  // 30 February would become 2 March.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  // A day without a time is that day in UTC: it has no hour that a zone could move.
  if (time[0] === undefined) return local;
  if (zone === undefined) return fromZone(local, timeZone);
  const offset = offsetMs(zone);
  return offset === undefined ? undefined : local - offset;
}

/** `Z`, `+02:00`, `-0730`, `+01`; undefined where no place on Earth has that offset. */
function offsetMs(zone: string): number | undefined {
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  if (!match) return 0;
  const [hours, minutes] = [Number(match[2]), Number(match[3] ?? 0)];
  if (hours > 14 || minutes > 59) return undefined;
  return (match[1] === "-" ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far a zone's clocks are ahead of UTC at a time. */
function zoneOffsetMs(utcMs: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(utcMs).map(({ type, value }) => [type, Number(value)]));
  const shown = Date.UTC(
    parts["year"]!,
    parts["month"]! - 1,
    parts["day"],
    parts["hour"],
    parts["minute"],
    parts["second"],
  );
  return shown - Math.floor(utcMs / 1000) * 1000;
}

/** A wall clock's time in unix milliseconds; the second look is for times near the turn of the clocks. */
function fromZone(localMs: number, timeZone: string): number {
  const guess = localMs - zoneOffsetMs(localMs, timeZone);
  return localMs - zoneOffsetMs(guess, timeZone);
}
