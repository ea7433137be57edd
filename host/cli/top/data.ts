/** What one refresh of `hotpath top` has found: plain data, rendered by `render.ts` and printed as JSON. */
import type { Query, Span } from "./query";

export interface TopRow {
  /** Whether it has all figures; a row out of sight has none but its place and views. */
  isRead: boolean;
  /** From 1. */
  rank: number;
  /** Its place in the span before; null where it had no views or was too far down, undefined where nobody can tell. */
  rankBefore: number | null | undefined;
  id: string;
  /** Where it is; null outside of clusters. */
  partition: string | null;
  /** Of a page that was enriched. */
  title: string | null;
  /** Url of a page, name of a section or website, id of anything else. */
  name: string;
  /** Name and id of the website of a page or section. */
  website: string | null;
  websiteId: string | null;
  views: number;
  /** Of the span before, of equal length; null where it cannot be told. */
  viewsBefore: number | null;
  /** An estimate of HyperLogLog; null where nothing is left. */
  devices: number | null;
  /** Page views of the last five-minute windows that rotation has made, oldest first. */
  series: number[];
}

/** A source that could not be asked. */
export interface Away {
  partition: string | null;
  reason: string;
}

export interface TopData {
  query: Query;
  /** What is missing in all figures. */
  away: readonly Away[];
  /** The server's clock. */
  nowMs: number;
  /** As covered. */
  span: Span;
  /** Of equal length, just before. */
  before: Span;
  /** What the places before are from; undefined where there are none. */
  rankedBefore: Span | undefined;
  /** Whether the ranking was searched to its end. */
  exact: boolean;
  /** Page views of all websites, or of the filter, in the span and in the minute that is running. */
  totalViews: number | null;
  runningViews: number;
  /** The five-minute windows of the rows' series. */
  seriesSpan: Span;
  /** End of what rotation has made; null if it never ran. */
  rotatedUntilMs: number | null;
  /** In the order of the ranking. */
  rows: TopRow[];
}
