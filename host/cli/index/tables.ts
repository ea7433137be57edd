/** Tables of the index, their files and plans, for people. */
import type { IndexEntry, TableName } from "../../metadata/entries";
import { formatNanoseconds } from "../../metadata/nanoseconds";
import type { QueueStatus, TableStatus } from "../../metadata/status";
import { formatBytes, formatCount, printable } from "../../terminal/format";
import { renderTable, type Column } from "../../terminal/table";
import { WIDTH } from "../../terminal/output";

const right = (title: string): Column => ({ title, align: "right" });
const UNKNOWN = "?";

const counted = (count: number | null): string => (count === null ? UNKNOWN : formatCount(count));
const timed = (ns: bigint | null): string => (ns === null ? "" : formatNanoseconds(ns));

/** Adds up, where all of it is known. */
function sumOf(queues: readonly QueueStatus[], of: (queue: QueueStatus) => number | null): number | null {
  return queues.reduce<number | null>((sum, queue) => {
    const count = of(queue);
    return sum === null || count === null ? null : sum + count;
  }, 0);
}

export interface TableRow extends TableName {
  status: TableStatus;
}

const TABLE_COLUMNS: Column[] = [
  { title: "database" },
  { title: "table" },
  ...["folders", "files", "waiting", "out", "due"].map(right),
  { title: "from", dropRank: 1 },
  { title: "to", dropRank: 2 },
];

/** A line for each table, of all databases or of one; below, what is wrong with some. */
export function renderStatus(rows: readonly TableRow[], database?: string): string {
  if (rows.length === 0) {
    const what = database === undefined ? "The index is empty" : `The index has no tables of ${printable(database)}`;
    return `${what}. What clients of GigAPI wrote without it is entered by: hotpath index rebuild`;
  }
  const lines = renderTable(TABLE_COLUMNS, rows.map(statusRow), WIDTH);
  const words = rows.flatMap(problemsOf);
  return [...lines, ...(words.length > 0 ? ["", ...words] : [])].join("\n");
}

function statusRow({ database, table, status }: TableRow): string[] {
  const { folders, files, minTime, maxTime, plans } = status;
  const counts = [
    folders,
    files,
    sumOf(plans, ({ waiting }) => waiting),
    sumOf(plans, ({ out }) => out),
    sumOf(plans, ({ due }) => due),
  ].map(counted);
  return [printable(database), printable(table), ...counts, timed(minTime), timed(maxTime)];
}

function problemsOf({ database, table, status }: TableRow): string[] {
  const name = `${printable(database)}/${printable(table)}`;
  return [
    ...(status.isComplete
      ? []
      : [`${name}: clients of GigAPI wrote without the functions; enter it with: hotpath index rebuild`]),
    ...(status.unreadable > 0
      ? [`${name}: ${formatCount(status.unreadable)} plans could not be read, and were moved aside`]
      : []),
  ];
}

const PLAN_COLUMNS: Column[] = [
  { title: "plan" },
  { title: "layer" },
  { title: "writer", flexible: "middle" },
  ...["waiting", "out", "due"].map(right),
];

/** A line for each kind, layer and writer that has plans, or had some. */
export function renderPlans({ database, table }: TableName, queues: readonly QueueStatus[]): string {
  if (queues.length === 0) return `Nothing was ever planned in ${printable(database)}/${printable(table)}`;
  const rows = queues.map(({ kind, iteration, layer, writerId, waiting, out, due }) => [
    iteration === null ? kind : `${kind} ${iteration}`,
    printable(layer),
    printable(writerId),
    counted(waiting),
    counted(out),
    formatCount(due),
  ]);
  return renderTable(PLAN_COLUMNS, rows, WIDTH).join("\n");
}

/** Paths are there to be copied: rather a line that is wrapped than one that is cut. */
const LEAST_WIDTH = 160;

const FILE_COLUMNS: Column[] = [
  { title: "path" },
  { title: "layer" },
  right("bytes"),
  right("rows"),
  { title: "from", dropRank: 2 },
  { title: "to", dropRank: 1 },
];

/** Files, a line each. */
export function renderFiles(entries: readonly IndexEntry[], hasMore: boolean): string {
  if (entries.length === 0) return "0 files";
  const rows = entries.map(({ path, layer, sizeBytes, rowCount, minTime, maxTime }) => [
    printable(path),
    printable(layer),
    formatBytes(sizeBytes),
    formatCount(rowCount),
    formatNanoseconds(minTime),
    formatNanoseconds(maxTime),
  ]);
  const shown = `${formatCount(entries.length)} files${hasMore ? "; there are more, --count shows them" : ""}`;
  return [...renderTable(FILE_COLUMNS, rows, Math.max(WIDTH, LEAST_WIDTH)), "", shown].join("\n");
}
