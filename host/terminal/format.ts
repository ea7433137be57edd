import stringWidth from "string-width";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../runtime/time";

const COUNT = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/**
 * Formats a count with thousands separators.
 *
 * @param count any number; it is rounded
 * @returns `1,234,567`
 */
export function formatCount(count: number): string {
  return COUNT.format(count);
}

const SHORT_UNITS = ["", "k", "M", "G", "T", "P"] as const;

/**
 * A count in at most six characters.
 *
 * @param count a whole number, not negative
 * @returns `12,345`, `123k`, `1.2M`, `45M`
 */
export function shortCount(count: number): string {
  if (count < 100_000) return formatCount(count);
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < SHORT_UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  // 9.96 would be shown as 10.0.
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${SHORT_UNITS[unit]}`;
}

/**
 * Formats a share of a whole.
 *
 * @param share 0 to 1; anything else (0 of 0) counts as 0
 * @returns `12.3%`
 */
export function formatShare(share: number): string {
  return `${((Number.isFinite(share) ? share : 0) * 100).toFixed(1)}%`;
}

/**
 * Formats a length of time in at most two units.
 *
 * @param ms milliseconds, not negative
 * @returns `850 ms`, `2.3 s`, `1 min 5 s`, `26 h`, `3 d 4 h`
 */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < SECOND_MS) {
    return `${Math.round(ms)} ms`;
  }
  // 59.95 s would be shown as 60.0 s.
  if (ms < MINUTE_MS - 50) {
    return `${(ms / SECOND_MS).toFixed(1)} s`;
  }
  const seconds = Math.round(ms / SECOND_MS) * SECOND_MS;
  if (seconds < HOUR_MS) {
    return twoUnits(seconds, MINUTE_MS, "min", SECOND_MS, "s");
  }
  const minutes = Math.round(ms / MINUTE_MS) * MINUTE_MS;
  return minutes < 2 * DAY_MS
    ? twoUnits(minutes, HOUR_MS, "h", MINUTE_MS, "min")
    : twoUnits(Math.round(ms / HOUR_MS) * HOUR_MS, DAY_MS, "d", HOUR_MS, "h");
}

function twoUnits(ms: number, largeMs: number, large: string, smallMs: number, small: string): string {
  const rest = Math.floor((ms % largeMs) / smallMs);
  return `${Math.floor(ms / largeMs)} ${large}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}

/**
 * Formats a number of bytes with a decimal prefix.
 *
 * @param bytes not negative
 * @returns `512 B`, `2.4 kB`, `1.2 GB`
 */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  // 999.95 would be shown as 1000.0.
  while (value >= (unit === 0 ? 1_000 : 999.95) && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/**
 * Formats a time to the minute, in UTC.
 *
 * @param ms unix milliseconds
 * @returns `2026-11-20 10:05`
 */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

/**
 * Formats a span of time, in UTC, without repeating the date where both ends have it.
 *
 * @param fromMs unix milliseconds
 * @param toMs unix milliseconds
 * @returns `2026-11-20 10:05 – 12:10` or `2026-11-19 10:05 – 2026-11-20 12:10`
 */
export function formatSpan(fromMs: number, toMs: number): string {
  const [from, to] = [formatTime(fromMs), formatTime(toMs)];
  return `${from} – ${from.slice(0, 10) === to.slice(0, 10) ? to.slice(11) : to}`;
}

/**
 * Formats a time as seen from another one.
 *
 * @param ms unix milliseconds
 * @param nowMs unix milliseconds
 * @returns `in 12 min 3 s`, `5 s ago`
 */
export function formatWhen(ms: number, nowMs: number): string {
  return ms > nowMs ? `in ${formatDuration(ms - nowMs)}` : `${formatDuration(nowMs - ms)} ago`;
}

const SPARKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/**
 * Draws values as a line of bars, one character a value, scaled from zero to the largest. Only nothing has the lowest
 * bar: an hour with a single view differs from an empty one.
 *
 * @param values not negative, oldest first
 * @param width where there are more values than this, the last ones are drawn
 * @returns the line, empty where there are no values
 */
export function sparkline(values: readonly number[], width = values.length): string {
  const shown = width > 0 ? values.slice(-width) : [];
  const largest = Math.max(0, ...shown);
  const step = largest / (SPARKS.length - 1);
  return shown.map((value) => SPARKS[value > 0 ? Math.max(1, Math.ceil(value / step)) : 0]).join("");
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/**
 * Draws a share as a horizontal bar, exact to an eighth of a character.
 *
 * @param share 0 to 1
 * @param width of a whole, in columns
 * @returns the bar, not padded; what is not nothing has at least the thinnest one
 */
export function shareBar(share: number, width: number): string {
  const eighths = share > 0 ? Math.max(1, Math.round(Math.min(1, share) * width * 8)) : 0;
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

/**
 * Makes text from outside safe to print: control characters and those that turn the direction of writing (an address in
 * a log may hold them) are replaced, so that nobody's request can move the cursor or hide a line.
 *
 * @param text anything
 * @returns the text with `�` in their places
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const ASCII = /^[\x20-\x7e]*$/;

/**
 * Measures how many columns a text takes in a terminal.
 *
 * @param text without colours or control characters
 * @returns columns: 2 for wide characters (日本, 🎉), 0 for combining ones
 */
export function displayWidth(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/**
 * Shortens a text to a number of columns.
 *
 * @param text without colours or control characters
 * @param width columns, not negative
 * @param where what goes: the `end`, or the `middle`, which leaves host and file name of an address to be read
 * @returns the text, or a shorter one with `…`, of at most `width` columns; no character is cut in two
 */
export function truncate(text: string, width: number, where: "end" | "middle" = "end"): string {
  if (displayWidth(text) <= width) {
    return text;
  }
  if (width < 1) {
    return "";
  }
  const cells = cellsOf(text);
  const tailWidth = where === "middle" ? Math.floor((width - 1) / 2) : 0;
  const tail = fitting(cells.toReversed(), tailWidth).reverse();
  return `${fitting(cells, width - 1 - tailWidth).join("")}…${tail.join("")}`;
}

/**
 * Pads a text to a number of columns.
 *
 * @param text without colours or control characters
 * @param width columns; a wider text stays as it is
 * @param align `left` pads at the end, `right` at the start
 * @returns the padded text
 */
export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const padding = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "left" ? text + padding : padding + text;
}

interface Cell {
  text: string;
  width: number;
}

function cellsOf(text: string): Cell[] {
  return Array.from(graphemes.segment(text), ({ segment }) => ({ text: segment, width: stringWidth(segment) }));
}

function fitting(cells: readonly Cell[], width: number): string[] {
  const fit: string[] = [];
  let left = width;
  for (const cell of cells) {
    left -= cell.width;
    if (left < 0) {
      break;
    }
    fit.push(cell.text);
  }
  return fit;
}
