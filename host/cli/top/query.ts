/** What `hotpath top` asks for, and the exact times behind "the last 30 minutes". Pure. */
import type { Dimension } from "../../contract";
import { DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS } from "../../runtime/time";

/** Series are kept in points of this length. */
export const POINT_MS = 5 * MINUTE_MS;

/** In the order of the key that changes between them. */
export const DIMENSIONS: readonly Dimension[] = ["P", "S", "W", "A", "V", "PC"];

/** Plural, as in a heading. */
export const DIMENSION_NAMES: Record<Dimension, string> = {
  P: "pages",
  S: "sections",
  W: "websites",
  A: "audios",
  V: "videos",
  PC: "podcasts",
};

export const WINDOWS = ["5m", "30m", "1h", "24h", "7d"] as const;
export type WindowName = (typeof WINDOWS)[number];

export const WINDOW_LENGTHS_MS: Record<WindowName, number> = {
  "5m": 5 * MINUTE_MS,
  "30m": 30 * MINUTE_MS,
  "1h": HOUR_MS,
  "24h": DAY_MS,
  "7d": WEEK_MS,
};

/** A website or section to which a ranking is narrowed. */
export interface Filter {
  /** Where it is; null outside of clusters. */
  partition: string | null;
  websiteId: string;
  website: string;
  /** Only with `section`. */
  sectionId?: string;
  section?: string;
}

export interface Query {
  dimension: Dimension;
  window: WindowName;
  filter?: Filter | undefined;
  /** How many to list. */
  count: number;
}

/** A stretch of time; `toMs` is not included. */
export interface Span {
  fromMs: number;
  toMs: number;
}

function floor(lengthMs: number, timeMs: number): number {
  return timeMs - (timeMs % lengthMs);
}

/**
 * The span of a window. It ends with the last whole minute: a minute that is still running would make every comparison a
 * loss. From an hour on it ends with the last whole five minutes, because there the span before is read from series.
 *
 * @param nowMs the server's clock
 */
export function spanOf(window: WindowName, nowMs: number): Span {
  const lengthMs = WINDOW_LENGTHS_MS[window];
  const toMs = floor(lengthMs < HOUR_MS ? MINUTE_MS : POINT_MS, nowMs);
  return { fromMs: toMs - lengthMs, toMs };
}

/** The span just before another one, of the same length. */
export function spanBefore({ fromMs, toMs }: Span): Span {
  return { fromMs: fromMs - (toMs - fromMs), toMs: fromMs };
}

/** The minute that is running. */
export function runningMinute(nowMs: number): Span {
  const fromMs = floor(MINUTE_MS, nowMs);
  return { fromMs, toMs: fromMs + MINUTE_MS };
}

/** Whether two spans are the same. */
export function isSameSpan(a: Span, b: Span): boolean {
  return a.fromMs === b.fromMs && a.toMs === b.toMs;
}

/**
 * The span whose ranking tells who stood where before. Under an hour it is the span just before; beyond, only whole hours, and
 * then three of them, are still kept, and it is the last span of these that ends before. Undefined for a week: nothing
 * is kept of the one before.
 */
export function placesSpanOf(window: WindowName, span: Span): Span | undefined {
  if (window === "5m" || window === "30m") return spanBefore(span);
  if (window === "7d") return undefined;
  const toMs = floor(window === "1h" ? HOUR_MS : 3 * HOUR_MS, span.fromMs);
  return { fromMs: toMs - WINDOW_LENGTHS_MS[window], toMs };
}

/** What WEBSITE and SECTION of `rank_pg` are; a section has pages only, audio, video and podcasts have no filter. */
export function filterArguments({ dimension, filter }: Pick<Query, "dimension" | "filter">): {
  website?: string;
  section?: string;
} {
  if (filter === undefined || !canFilter(dimension)) return {};
  if (filter.sectionId !== undefined && dimension === "P") return { section: filter.sectionId };
  return { website: filter.websiteId };
}

/** Whether a dimension can be narrowed to a website. */
export function canFilter(dimension: Dimension): boolean {
  return dimension === "P" || dimension === "S" || dimension === "W";
}
