/** Rows as a table for the terminal and for the document. */
import type { Row } from "./row";

const TITLES = ["what", "against", "ours", "theirs", "ratio", "server CPU", "target", ""];

function factor(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? "" : `${value.toFixed(2)} ×`;
}

function verdict(row: Row): string {
  if (row.bound !== undefined) return row.bound.isHeld ? "met" : "missed";
  if (row.target === undefined || row.ratio === undefined) return "";
  return row.ratio.wall >= row.target ? "met" : "missed";
}

function cells(row: Row): string[] {
  const target = row.bound?.text ?? (row.target === undefined ? "" : `≥ ${factor(row.target)}`);
  return [
    row.what,
    row.against,
    row.ours,
    row.theirs,
    factor(row.ratio?.wall),
    factor(row.ratio?.cpu),
    target,
    verdict(row),
  ];
}

/** A table in Markdown, its columns aligned, which reads well in a terminal too. */
export function tableOf(rows: readonly Row[]): string {
  const lines = [TITLES, ...rows.map(cells)];
  const widths = TITLES.map((_, column) => Math.max(3, ...lines.map((line) => line[column]!.length)));
  const print = (line: string[]): string =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  const [titles, ...rest] = lines;
  return [print(titles!), rule, ...rest.map(print)].join("\n");
}
