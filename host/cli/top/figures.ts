/** Numbers in the least space in which they still say what they are. Pure. */
import { formatCount } from "../../terminal/format";

const UNITS = ["", "k", "M", "G", "T", "P"] as const;

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
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  // 9.96 would be shown as 10.0.
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${UNITS[unit]}`;
}

/** `+12`, `−3`, `0`. */
export function shortChange(views: number, before: number): string {
  const change = views - before;
  const sign = change > 0 ? "+" : change < 0 ? "−" : "";
  return sign + shortCount(Math.abs(change));
}

/** `+11%`, `−3%`, `×14` from ten times on, `new` after nothing; empty where both are nothing. */
export function shortRatio(views: number, before: number): string {
  if (before === 0) return views === 0 ? "" : "new";
  const ratio = views / before;
  if (ratio >= 10) return `×${shortCount(Math.round(ratio))}`;
  const percent = Math.round((ratio - 1) * 100);
  return `${percent > 0 ? "+" : percent < 0 ? "−" : ""}${Math.abs(percent)}%`;
}

/**
 * How far a place was before.
 *
 * @param before null where it had none, undefined where nobody can tell
 * @returns `▲3`, `▼2`, `=`, `new`, or nothing
 */
export function movement(rank: number, before: number | null | undefined): string {
  if (before === undefined) return "";
  if (before === null) return "new";
  if (before === rank) return "=";
  return before > rank ? `▲${shortCount(before - rank)}` : `▼${shortCount(rank - before)}`;
}
