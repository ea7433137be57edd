/** The three days as a picture. */
import { formatBytes, formatCount, formatDuration, formatSpan, sparkline } from "../../host/terminal/format";
import { checkTable } from "../checks";
import { joined, paperOf, part, table, type Paper, type ReportStyle } from "../paper";
import type { Column } from "../../host/terminal/table";
import type { Place, ThreeDaysResult } from "./result";

const right = (title: string): Column => ({ title, align: "right" });

/** Renders the result for people. */
export function renderThreeDays(result: ThreeDaysResult, style: ReportStyle): string {
  const paper = paperOf(style);
  return joined([
    [
      `${paper.colors.bold("Hotpath")} · three days of data files on ${result.server}`,
      "",
      `${formatCount(result.files)} files, one every 15 s, merged, moved and dropped in ${formatDuration(result.elapsedMs)};`,
      `${formatSpan(result.fromMs, result.toMs)} UTC, simulated`,
    ],
    part("Files in the index, hour by hour", timeline(result, paper), paper),
    part("Where the data are", placesPart(result, paper), paper),
    part("Plans", plansPart(result, paper), paper),
    part(
      `Asked for one hour, ${formatSpan(result.question.fromMs, result.question.toMs)} UTC`,
      answerPart(result, paper),
      paper,
    ),
    part("Checked against what was written", checkTable(result.checks, paper), paper),
  ]);
}

/** What would be there if nothing were merged, and what is there. */
function timeline({ samples }: ThreeDaysResult, { width, colors }: Paper): string[] {
  const lines: [string, number[]][] = [
    ["written", samples.map(({ written }) => written)],
    ["merged", samples.map(({ indexed }) => indexed)],
  ];
  const most = Math.max(...lines.flatMap(([, counts]) => counts));
  return lines.map(([name, counts]) => {
    const last = formatCount(counts.at(-1) ?? 0);
    const beside = `${name.padEnd(8)}  ${last.padStart(7)}`.length;
    // Both lines in the same scale, which is that of the larger one.
    const drawn = sparkline([...fitted(counts, width - beside), most]).slice(0, -1);
    return `${name.padEnd(8)}${colors.cyan(drawn)}  ${last.padStart(7)}`;
  });
}

/** Every second hour, or third, where there is no space for all; the last is always there. */
function fitted(values: readonly number[], width: number): number[] {
  const step = Math.max(1, Math.ceil(values.length / width));
  return values.filter((_, at) => (values.length - 1 - at) % step === 0);
}

function placesPart({ before, after }: ThreeDaysResult, paper: Paper): string[] {
  const columns: Column[] = [
    { title: "" },
    { title: "layer" },
    right("iteration"),
    right("files"),
    right("bytes"),
    right("a file"),
  ];
  const rows = (name: string, places: readonly Place[]): string[][] =>
    places.map(({ layer, iteration, files, bytes }, at) => [
      at === 0 ? name : "",
      layer,
      String(iteration),
      formatCount(files),
      formatBytes(bytes),
      formatBytes(bytes / files),
    ]);
  return table(columns, [...rows("as written", before), ...rows("now", after)], paper);
}

function plansPart({ plans, deaths, mostStored }: ThreeDaysResult, paper: Paper): string[] {
  const columns: Column[] = [{ title: "plan" }, right("taken"), right("came back"), right("ended")];
  const rows = plans.map(({ kind, taken, cameBack, ended }) => [
    kind,
    formatCount(taken),
    formatCount(cameBack),
    formatCount(ended),
  ]);
  return [
    ...table(columns, rows, paper),
    "",
    `${deaths} workers died with a plan in their hands: what was not begun came back half an`,
    "hour later, and the index ended what was done, as nothing was left of its files.",
    `At no time did the storage hold more than ${formatCount(mostStored)} files.`,
  ];
}

function answerPart({ question }: ThreeDaysResult, paper: Paper): string[] {
  const columns: Column[] = [{ title: "path", flexible: "middle" }, { title: "layer" }, right("bytes"), right("rows")];
  const rows = question.answer.map(({ path, layer, bytes, rows: count }) => [
    path,
    layer,
    formatBytes(bytes),
    formatCount(count),
  ]);
  return [...table(columns, rows, paper), "", `It was written as ${formatCount(question.writtenFiles)} files.`];
}
