import { displayWidth, pad, truncate } from "./format";

/** A column of a table. */
export interface Column {
  title: string;
  /** Numbers stand right. Default left. */
  align?: "left" | "right";
  /** Takes what width is left and is shortened where it is too little; at most one column of a table. */
  flexible?: "end" | "middle";
  /** Where the text of a row is shortened, if not all of them alike. */
  cut?: (row: number) => "end" | "middle";
  /** Colours a cell that is padded already; not asked for the title. */
  paint?: (cell: string, row: number) => string;
  /** May be left out where there is no space; the lowest goes first. Without it the column stays. */
  dropRank?: number;
}

const GAP = "  ";
/** Less says nothing any more: rather leave out another column. */
const LEGIBLE = 20;

/**
 * Renders rows as aligned columns without lines.
 *
 * @param columns the columns
 * @param rows one text a column; printable, without colours, which columns give by `paint`
 * @param width columns of the terminal; no line is wider
 * @returns the lines, that of the titles first, without spaces at their ends
 */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const lines = [columns.map((column) => column.title), ...rows];
  const natural = columns.map((column, index) => ({
    column,
    index,
    width: Math.max(...lines.map((line) => displayWidth(line[index] ?? ""))),
  }));
  const fitted = shrunk(withoutDropped(natural, width), width);
  return lines.map((line, at) => {
    const row = at - 1;
    const cells = fitted.map(({ column, index, width: own }) => {
      const where = (row >= 0 ? column.cut?.(row) : undefined) ?? column.flexible ?? "end";
      return pad(truncate(line[index] ?? "", own, where), own, column.align ?? "left");
    });
    const plain = cells.join(GAP).trimEnd();
    if (row < 0 || displayWidth(plain) > width) return truncate(plain, width);
    return painted(cells, fitted, row) ?? plain;
  });
}

/** Undefined where nothing is to be coloured. */
function painted(cells: readonly string[], fitted: readonly Measured[], row: number): string | undefined {
  if (fitted.every(({ column }) => column.paint === undefined)) return undefined;
  return cells.map((cell, at) => fitted[at]!.column.paint?.(cell, row) ?? cell).join(GAP);
}

interface Measured {
  column: Column;
  /** Its place in the rows. */
  index: number;
  width: number;
}

function withoutDropped(columns: readonly Measured[], width: number): readonly Measured[] {
  const ranks = columns.flatMap(({ column }) => column.dropRank ?? []);
  const needed = columns.map((each) => (each.column.flexible ? Math.min(LEGIBLE, each.width) : each.width));
  if (ranks.length === 0 || lineWidth(needed) <= width) {
    return columns;
  }
  const lowest = Math.min(...ranks);
  return withoutDropped(
    columns.filter(({ column }) => column.dropRank !== lowest),
    width,
  );
}

/** Gives the flexible column what the others leave. */
function shrunk(columns: readonly Measured[], width: number): readonly Measured[] {
  const excess = Math.max(0, lineWidth(columns.map((each) => each.width)) - width);
  return columns.map((each) => (each.column.flexible ? { ...each, width: Math.max(1, each.width - excess) } : each));
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);
}
