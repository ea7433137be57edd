/** What the reports of the demos are printed on: a width, colours or none, and the parts that all of them are made of. */
import pc from "picocolors";
import { truncate } from "../host/terminal/format";
import { colorsOf, type OutputLike } from "../host/terminal/output";
import { renderTable, type Column } from "../host/terminal/table";

/** How to render. */
export interface ReportStyle {
  /** Columns of the terminal. Default 80; fewer than 40 are taken as 40. */
  width?: number;
  /** Default false. */
  colors?: boolean;
}

/** A style with which to print. */
export interface Paper {
  width: number;
  colors: ReturnType<typeof pc.createColors>;
}

const DEFAULT_WIDTH = 80;
const MIN_WIDTH = 40;
const MAX_WIDTH = 120;

/**
 * Finds the style that suits an output: colours only on a terminal, and never where NO_COLOR is set (no-color.org) or
 * the terminal is `dumb`; lines no longer than are read with ease.
 *
 * @param output the stream that is written to
 * @param env the environment
 * @returns the style
 */
export function styleOf(output: OutputLike, env: Readonly<Record<string, string | undefined>>): Required<ReportStyle> {
  const width = output.isTTY && output.columns ? output.columns : DEFAULT_WIDTH;
  return { width: Math.min(MAX_WIDTH, width), colors: colorsOf(output, env) };
}

/** Paper of a style. */
export function paperOf({ width = DEFAULT_WIDTH, colors = false }: ReportStyle): Paper {
  return { width: Math.max(MIN_WIDTH, width), colors: pc.createColors(colors) };
}

/** The title of a part. */
export function title(text: string, { width, colors }: Paper): string {
  return colors.bold(colors.green(truncate(text, width)));
}

/** The lines of a table, its titles dimmed. */
export function dimmed([titles, ...lines]: readonly string[], { colors }: Paper): string[] {
  return titles === undefined ? [] : [colors.dim(titles), ...lines];
}

/** Lines of a table. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], paper: Paper): string[] {
  return dimmed(renderTable(columns, rows, paper.width), paper);
}

/** A part under its title; nothing where there is nothing to show. */
export function part(name: string, lines: readonly string[], paper: Paper): string[] {
  return lines.length === 0 ? [] : [title(name, paper), ...lines];
}

/** Parts with an empty line between two; those without lines are left out. */
export function joined(parts: readonly (readonly string[])[]): string {
  const shown = parts.filter((lines) => lines.length > 0).map((lines) => lines.join("\n"));
  return `${shown.join("\n\n")}\n`;
}
