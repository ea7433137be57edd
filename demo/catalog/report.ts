/** Both syncs as tables. */
import { PERCENTILES } from "../../host/catalog/metrics";
import { countTable, historyTable, productTable } from "../../host/cli/catalog/tables";
import { formatCount, formatDuration, printable } from "../../host/terminal/format";
import { checkTable } from "../checks";
import { dimmed, joined, paperOf, part as titled, type ReportStyle } from "../paper";
import { renderTable, type Column } from "../../host/terminal/table";
import type { CatalogResult } from "./result";
import type { Outcomes } from "./season";

/** Of the years, as the source shows them. */
const YEARS_SHOWN = 4;

const right = (title: string): Column => ({ title, align: "right" });

/** Renders the result for people. */
export function renderCatalog(result: CatalogResult, style: ReportStyle): string {
  const paper = paperOf(style);
  const { width, colors } = paper;
  const part = (name: string, lines: readonly string[], ...more: readonly string[]): string[] =>
    titled(name, [...dimmed(lines, paper), ...more], paper);
  const { byYear, history } = result;
  const hidden = byYear.counts.length - YEARS_SHOWN;
  return joined([
    [
      `${colors.bold("Hotpath")} · a catalogue of ${result.parents.length} vendors on ${result.server}`,
      "",
      `${formatCount(result.products)} products, synced twice in ${formatDuration(result.elapsedMs)}`,
    ],
    part("Products by vendor", countTable("vendor", result.byVendor, width)),
    part(
      `Products of ${byYear.vendor} by year`,
      countTable("year", byYear.counts.slice(0, YEARS_SHOWN), width),
      ...(hidden > 0 ? ["…"] : []),
    ),
    part("Created last", productTable(result.recent, width)),
    part("First sync: one task a vendor, one child a link", parentTable(result, width), "", ...storyOf(result)),
    part("What became of the product pages", outcomeTable(result, width)),
    part("How long the vendors took to answer, ms", latencyTable(result, width)),
    ...(history
      ? [part(`What changed: ${printable(history.product.name)}`, historyTable(history.changes, width))]
      : []),
    titled("Checked against the shops", checkTable(result.checks, paper), paper),
  ]);
}

function parentTable({ parents }: CatalogResult, width: number): string[] {
  const columns: Column[] = [
    { title: "vendor", flexible: "end" },
    right("children"),
    right("finished"),
    right("failed"),
    right("all done after"),
  ];
  const rows = parents.map(({ vendor, links, finished, failed, ms }) => [
    printable(vendor),
    formatCount(links),
    formatCount(finished),
    formatCount(failed),
    formatDuration(ms),
  ]);
  return renderTable(columns, rows, width);
}

function storyOf({ abandoned, failures }: CatalogResult): string[] {
  return [
    `In hand of a host when it died, and done by the other after that: ${formatCount(abandoned)}.`,
    `Attempts that failed and were made again: ${formatCount(failures)}.`,
  ];
}

function outcomeTable({ first, second }: CatalogResult, width: number): string[] {
  const names = [...new Set([...Object.keys(first), ...Object.keys(second)])] as (keyof Outcomes)[];
  const rows = names.map((name) => [name, formatCount(first[name] ?? 0), formatCount(second[name] ?? 0)]);
  return renderTable([{ title: "outcome" }, right("first sync"), right("second sync")], rows, width);
}

function latencyTable({ latencies }: CatalogResult, width: number): string[] {
  const columns: Column[] = [
    { title: "vendor", flexible: "end" },
    right("requests"),
    { title: "until" },
    ...PERCENTILES.map((share) => right(`p${share * 100}`)),
  ];
  const rows = latencies.flatMap(({ vendor, latencies: { requests, firstByte, total } }) => [
    [printable(vendor), formatCount(requests), "first byte", ...firstByte.map(milliseconds)],
    ["", "", "last byte", ...total.map(milliseconds)],
  ]);
  return renderTable(columns, rows, width);
}

function milliseconds(ms: number): string {
  return ms.toFixed(1);
}
