/** The catalogue as tables: the counts, the newest products, what changed, and what is being done. */
import { formatCount, formatDuration, formatTime, formatWhen, printable } from "../../terminal/format";
import { renderTable, type Column } from "../../terminal/table";
import type { HotpathFunctions } from "../../contract";
import type { ListedTask, SyncedVendor } from "../../catalog/sync";

export type QueueStatus = Awaited<ReturnType<HotpathFunctions["getQueueStatus"]>>;

/** A product as the functions answer it. */
export interface Product {
  id: string;
  vendor: string;
  sku: string;
  name: string;
  price?: string | null;
  availability?: string | null;
  brand?: string | null;
  release_year: number;
  link: string;
  /** Unix milliseconds. */
  created_at: number;
  last_synced_at: number;
}

/** One change of an audited field. */
export interface Change {
  field: string;
  /** Null where there was none before. */
  old: string | null;
  new: string | null;
  /** Unix milliseconds. */
  at: number;
}

const right = (title: string): Column => ({ title, align: "right" });
const NONE = "–";

/** Distinct SKUs by vendor or by year. */
export function countTable(
  by: "vendor" | "year",
  counts: readonly (readonly [value: string, count: number])[],
  width: number,
): string[] {
  const title = by === "vendor" ? "vendor" : "release_year";
  return renderTable(
    [{ title, flexible: "end" }, right("count")],
    counts.map(([value, count]) => [printable(value), formatCount(count)]),
    width,
  );
}

/** Products, in the order given. */
export function productTable(products: readonly Product[], width: number): string[] {
  const columns: Column[] = [
    { title: "name", flexible: "end" },
    right("price"),
    { title: "release_year" },
    { title: "created_at" },
    { title: "vendor", dropRank: 1 },
  ];
  const rows = products.map(({ name, price, release_year: year, created_at: at, vendor }) => [
    printable(name),
    price ?? NONE,
    String(year),
    formatInstant(at),
    printable(vendor),
  ]);
  return renderTable(columns, rows, width);
}

/** What changed, in the order given. */
export function historyTable(changes: readonly Change[], width: number): string[] {
  const columns: Column[] = [{ title: "at" }, { title: "field" }, { title: "old" }, { title: "new", flexible: "end" }];
  const rows = changes.map(({ at, field, old, new: now }) => [
    formatInstant(at),
    printable(field),
    printable(old ?? NONE),
    printable(now ?? NONE),
  ]);
  return renderTable(columns, rows, width);
}

/** What a sync has done, a line for each vendor. */
export function syncTable(vendors: readonly SyncedVendor[], width: number): string[] {
  const counted = ["links", "products", "created", "changed", "unchanged", "gone", "failed"] as const;
  const columns: Column[] = [{ title: "vendor", flexible: "end" }, ...counted.map(right), { title: "" }];
  return renderTable(
    columns,
    vendors.map((each) => [
      printable(each.vendor),
      ...counted.map((name) => formatCount(each[name])),
      each.ok ? "✓" : "✗",
    ]),
    width,
  );
}

/** Queues and how they are doing. */
export function queueTable(queues: readonly QueueStatus[], width: number, nowMs: number): string[] {
  const counted = ["ready", "delayed", "leased", "held", "waitingChildren", "dead", "finished"] as const;
  const titles = counted.map((name) => (name === "waitingChildren" ? "with children" : name));
  const columns: Column[] = [{ title: "queue", flexible: "end" }, ...titles.map(right), { title: "next" }];
  const rows = queues.map((each) => [
    printable(each.queue),
    ...counted.map((name) => formatCount(each[name])),
    each.next === null ? "" : formatWhen(each.next, nowMs),
  ]);
  return renderTable(columns, rows, width);
}

/** Tasks, in the order given. */
export function taskTable(tasks: readonly ListedTask[], width: number, nowMs: number): string[] {
  const columns: Column[] = [
    { title: "id" },
    { title: "type" },
    { title: "state" },
    right("priority"),
    right("attempt"),
    { title: "when" },
    { title: "children", dropRank: 2 },
    { title: "worker or reason", flexible: "end", dropRank: 1 },
  ];
  return renderTable(
    columns,
    tasks.map((task) => taskRow(task, nowMs)),
    width,
  );
}

function taskRow(task: ListedTask, nowMs: number): string[] {
  const { id, type, state, priority, attempt, at, worker, reason } = task;
  const words = (state === "leased" ? worker : reason) ?? "";
  return [
    printable(id),
    printable(type),
    state,
    String(priority),
    String(attempt),
    at === undefined ? "" : formatWhen(at, nowMs),
    childrenOf(task),
    printable(words),
  ];
}

/** `1,200 of 2,000, 3 failed, 2 min 5 s` */
function childrenOf({
  children_total: total = 0,
  children_finished: finished = 0,
  children_failed: failed = 0,
  children_ms: ms,
}: ListedTask): string {
  if (total === 0) return "";
  const parts = [`${formatCount(finished + failed)} of ${formatCount(total)}`];
  if (failed > 0) parts.push(`${formatCount(failed)} failed`);
  if (typeof ms === "number") parts.push(formatDuration(ms));
  return parts.join(", ");
}

/** To the second, UTC. */
function formatInstant(ms: number): string {
  return `${formatTime(ms)}:${new Date(ms).toISOString().slice(17, 19)}`;
}
