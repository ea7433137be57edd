/** Numbers in the least space in which they still say what they are. Pure. */
import { shortCount } from "../../terminal/format";

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
