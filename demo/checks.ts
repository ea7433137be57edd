/** What every demo ends with: counts that were known beforehand, against what the server answers. */
import { formatCount, printable } from "../host/terminal/format";
import type { Column } from "../host/terminal/table";
import { table, type Paper } from "./paper";

/** One count, known beforehand and asked for. */
export interface Check {
  name: string;
  expected: number;
  counted: number;
}

/** The exit code of a demo of which a check does not hold. */
const EXIT_DIFFERS = 1;

const COLUMNS: readonly Column[] = [
  { title: "count", flexible: "end" },
  { title: "expected", align: "right" },
  { title: "counted", align: "right" },
  { title: "" },
];

function holds({ expected, counted }: Check): boolean {
  return expected === counted;
}

/** The checks as a table. */
export function checkTable(checks: readonly Check[], paper: Paper): string[] {
  const rows = checks.map((check) => [
    printable(check.name),
    formatCount(check.expected),
    formatCount(check.counted),
    holds(check) ? "✓" : "✗ differs",
  ]);
  return table(COLUMNS, rows, paper);
}

/** Lets the program exit with 1 unless all checks hold. */
export function judge(checks: readonly Check[]): void {
  if (!checks.every(holds)) process.exitCode = EXIT_DIFFERS;
}
