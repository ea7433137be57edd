/** The three days as a picture. */
import pc from "picocolors";
import { formatBytes, formatCount, formatDuration, formatSpan, sparkline } from "../../host/terminal/format";
import type { ReportStyle } from "../report";
import { renderTable, type Column } from "../../host/terminal/table";
import type { Place, ThreeDaysResult } from "./result";

type Colors = ReturnType<typeof pc.createColors>;

const right = (title: string): Column => ({ title, align: "right" });

/** Renders the result for people. */
export function renderThreeDays(result: ThreeDaysResult, { width = 80, colors = false }: ReportStyle): string {
  const color = pc.createColors(colors);
  const title = (text: string): string => color.bold(color.green(text));
  const parts = [
    [
      `${color.bold("Hotpath")} · three days of data files on ${result.server}`,
      "",
      `${formatCount(result.files)} files, one every 15 s, merged, moved and dropped in ${formatDuration(result.elapsedMs)};`,
      `${formatSpan(result.fromMs, result.toMs)} UTC, simulated`,
    ],
    [title("Files in the index, hour by hour"), ...timeline(result, width, color)],
    [title("Where the data are"), ...placesPart(result, width, color)],
    [title("Plans"), ...plansPart(result, width, color)],
    [
      title(`Asked for one hour, ${formatSpan(result.question.fromMs, result.question.toMs)} UTC`),
      ...answerPart(result, width, color),
    ],
    [title("Checked against what was written"), ...checksPart(result, width, color)],
  ];
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  color: Colors,
): string[] {
  const [titles, ...lines] = renderTable(columns, rows, width);
  return [color.dim(titles), ...lines];
}

/** What would be there if nothing were merged, and what is there. */
function timeline({ samples }: ThreeDaysResult, width: number, color: Colors): string[] {
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
    return `${name.padEnd(8)}${color.cyan(drawn)}  ${last.padStart(7)}`;
  });
}

/** Every second hour, or third, where there is no space for all; the last is always there. */
function fitted(values: readonly number[], width: number): number[] {
  const step = Math.max(1, Math.ceil(values.length / width));
  return values.filter((_, at) => (values.length - 1 - at) % step === 0);
}

function placesPart({ before, after }: ThreeDaysResult, width: number, color: Colors): string[] {
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
  return table(columns, [...rows("as written", before), ...rows("now", after)], width, color);
}

function plansPart({ plans, deaths, mostStored }: ThreeDaysResult, width: number, color: Colors): string[] {
  const columns: Column[] = [{ title: "plan" }, right("taken"), right("came back"), right("ended")];
  const rows = plans.map(({ kind, taken, cameBack, ended }) => [
    kind,
    formatCount(taken),
    formatCount(cameBack),
    formatCount(ended),
  ]);
  return [
    ...table(columns, rows, width, color),
    "",
    `${deaths} workers died with a plan in their hands; it came back half an hour later.`,
    `At no time did the storage hold more than ${formatCount(mostStored)} files.`,
  ];
}

function answerPart({ question }: ThreeDaysResult, width: number, color: Colors): string[] {
  const columns: Column[] = [{ title: "path", flexible: "middle" }, { title: "layer" }, right("bytes"), right("rows")];
  const rows = question.answer.map(({ path, layer, bytes, rows: count }) => [
    path,
    layer,
    formatBytes(bytes),
    formatCount(count),
  ]);
  return [...table(columns, rows, width, color), "", `It was written as ${formatCount(question.writtenFiles)} files.`];
}

function checksPart({ checks }: ThreeDaysResult, width: number, color: Colors): string[] {
  const columns: Column[] = [{ title: "count", flexible: "end" }, right("expected"), right("counted"), { title: "" }];
  const rows = checks.map(({ name, expected, counted }) => [
    name,
    formatCount(expected),
    formatCount(counted),
    expected === counted ? "✓" : "✗ differs",
  ]);
  return table(columns, rows, width, color);
}
