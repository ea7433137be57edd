/** A curve of blocks with axes, in characters. Pure. */
import { DAY_MS } from "../runtime/time";
import { displayWidth, formatTime, pad, shortCount } from "./format";

export interface Plot {
  /** One a window, oldest first, not negative; null where it is not known. */
  values: readonly (number | null)[];
  /** Start of the first window, unix milliseconds, and the length of all. */
  startMs: number;
  stepMs: number;
}

export interface PlotSize {
  /** Columns in all, and lines of the curve itself. */
  width: number;
  height: number;
}

const EIGHTHS = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const AXIS_WIDTH = 2;
/** Between two times on the axis. */
const LABEL_GAP = 3;
const MAX_LABELS = 6;

/** The plot, and how many windows a column stands for. */
export interface PlotLines {
  lines: string[];
  /** Every column shows the highest of so many windows; below 1, a window takes several columns. */
  windowsPerColumn: number;
}

/**
 * Draws a curve from zero to its highest value. Where there are more windows than columns, a column shows the highest of
 * several; where there are fewer, a window is as many columns wide as fit.
 */
export function drawPlot({ values, startMs, stepMs }: Plot, { width, height }: PlotSize): PlotLines {
  const top = niceTop(Math.max(0, ...values.map((value) => value ?? 0)));
  const labels = axisLabels(top, height);
  const labelWidth = Math.max(...labels.map((label) => displayWidth(label)));
  const space = Math.max(1, width - labelWidth - AXIS_WIDTH);
  const perColumn = Math.ceil(values.length / space);
  const repeat = perColumn > 1 ? 1 : Math.max(1, Math.floor(space / Math.max(1, values.length)));
  const columns = columnsOf(values, perColumn, repeat);
  const lines = labels.map((label, line) => {
    const axis = label === "" ? "│" : "┤";
    return `${pad(label, labelWidth, "right")} ${axis}${columns.map((value) => cell(value, height - 1 - line, height, top)).join("")}`.trimEnd();
  });
  const indent = " ".repeat(labelWidth + 1);
  lines.push(`${indent}└${"─".repeat(columns.length)}`);
  lines.push(
    `${indent} ${timeLabels({ startMs, columnMs: (stepMs * perColumn) / repeat, columns: columns.length, repeat })}`.trimEnd(),
  );
  return { lines, windowsPerColumn: perColumn / repeat };
}

/** Highest of each group; unknown only where the whole group is. */
function columnsOf(values: readonly (number | null)[], perColumn: number, repeat: number): (number | null)[] {
  const columns: (number | null)[] = [];
  for (let at = 0; at < values.length; at += perColumn) {
    const known = values.slice(at, at + perColumn).filter((value) => value !== null);
    const highest = known.length === 0 ? null : Math.max(...known);
    for (let times = 0; times < repeat; times += 1) columns.push(highest);
  }
  return columns;
}

/** What of a value lies in a line, counted from the lowest; what is not nothing shows at least a thin bar. */
function cell(value: number | null, line: number, height: number, top: number): string {
  if (value === null) return line === 0 ? "?" : " ";
  if (value === 0) return " ";
  const eighths = Math.max(1, Math.round((value / top) * height * 8));
  return EIGHTHS[Math.max(0, Math.min(8, eighths - line * 8))]!;
}

/** The next number that is easy to read: 1, 2, 4, 5 or 8 and zeros. */
export function niceTop(highest: number): number {
  if (highest <= 4) return 4;
  const magnitude = 10 ** Math.floor(Math.log10(highest));
  const step = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8].find((each) => each * magnitude >= highest) ?? 10;
  return Math.round(step * magnitude);
}

/** Values at the upper end of lines: the top, the middle where it is a whole number and its line is in the middle. */
function axisLabels(top: number, height: number): string[] {
  return Array.from({ length: height }, (_, line) => {
    if (line === 0) return shortCount(top);
    const isMiddle = height % 2 === 0 && line === height / 2 && top % 2 === 0;
    return isMiddle ? shortCount(top / 2) : "";
  });
}

interface TimeAxis {
  startMs: number;
  /** What a column stands for. */
  columnMs: number;
  columns: number;
  /** Columns of a window; a label stands at the first of them. */
  repeat: number;
}

/** Times under the columns that they begin at, as many as fit; days where the span is long. */
function timeLabels({ startMs, columnMs, columns, repeat }: TimeAxis): string {
  const spanMs = columns * columnMs;
  const [from, to] = spanMs > 3 * DAY_MS ? [5, 10] : spanMs > DAY_MS / 2 ? [5, 16] : [11, 16];
  const labelWidth = to - from;
  const wanted = Math.min(MAX_LABELS, Math.floor((columns + LABEL_GAP) / (labelWidth + LABEL_GAP)));
  let line = "";
  for (let at = 0; at < wanted; at += 1) {
    const even = wanted === 1 ? 0 : Math.floor((at * (columns - labelWidth)) / (wanted - 1));
    const column = even - (even % repeat);
    line = pad(line, column) + formatTime(startMs + column * columnMs).slice(from, to);
  }
  return line;
}
