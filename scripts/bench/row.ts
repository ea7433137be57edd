/** A line of the result, and how figures are printed. */
import type { Ratio } from "./measure";

export interface Row {
  what: string;
  against: string;
  ours: string;
  theirs: string;
  /** Undefined where two figures stand for themselves. */
  ratio?: Ratio | undefined;
  /** The ratio wanted at least. */
  target?: number | undefined;
  /** A bound of another kind, with whether it is held. */
  bound?: { text: string; isHeld: boolean };
}

/** What one group found out. */
export interface Findings {
  rows: Row[];
  /** Lines under the table: sizes, sequence, what was checked. */
  notes: string[];
  /** Tables of their own, after the notes. */
  tables?: { title: string; about: string; lines: string[] }[];
}

/** A group of rows that share their data. */
export interface Group {
  name: string;
  run(bench: import("./bench").Bench): Promise<Findings>;
}

/** `121 k/s` */
export function perSecond(rate: number, unit: string): string {
  return rate >= 10_000 ? `${(rate / 1000).toFixed(0)} k ${unit}/s` : `${(rate / 1000).toFixed(1)} k ${unit}/s`;
}

/** Milliseconds with as many digits as say something. */
export function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/** Bytes in digits grouped by thousands. */
export function bytes(count: number): string {
  return `${Math.round(count).toLocaleString("en-US")} B`;
}
