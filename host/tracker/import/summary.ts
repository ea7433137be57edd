/** What an import has done, for people and for scripts. */
import { describeError } from "../../runtime/errors";
import { formatCount, formatDuration, formatTime } from "../../terminal/format";
import { LEFT_OUT_REASONS } from "./access-log";
import { leftOutInWords, rejectedInWords } from "./reasons";
import { addTally, emptyTally } from "./chunks";
import type { ImportedFile } from "./file";

export interface FileSummary {
  file: string;
  /** False where it was not read to its end. */
  done: boolean;
  /** Events counted by imports before this one. */
  acceptedBefore: number;
  lines: number;
  /** Events that were found in the lines. */
  events: number;
  accepted: number;
  rejected: number;
  firstMs: number | null;
  lastMs: number | null;
  leftOut: Record<string, number>;
  reasons: Record<string, number>;
  /** A last line without line end that makes no sense yet. */
  unfinishedLine: boolean;
  error?: string;
}

export interface ImportSummary {
  dryRun: boolean;
  done: boolean;
  elapsedMs: number;
  accepted: number;
  rejected: number;
  eventsPerSecond: number;
  files: FileSummary[];
}

/** Sums up; a file that was empty is null. */
export function summarize(
  names: readonly string[],
  files: readonly (ImportedFile | null)[],
  elapsedMs: number,
  dryRun: boolean,
): ImportSummary {
  const each = files.map((file, at) => (file === null ? emptyFile(names[at]!) : summaryOf(file)));
  const sum = (pick: (file: FileSummary) => number): number => each.reduce((total, file) => total + pick(file), 0);
  const counted = dryRun ? sum(({ events }) => events) : sum(({ accepted }) => accepted);
  return {
    dryRun,
    done: each.every(({ done }) => done),
    elapsedMs: Math.round(elapsedMs),
    accepted: sum(({ accepted }) => accepted),
    rejected: sum(({ rejected }) => rejected),
    eventsPerSecond: elapsedMs > 0 ? Math.round(counted / (elapsedMs / 1000)) : 0,
    files: each,
  };
}

function emptyFile(file: string): FileSummary {
  const { leftOut } = emptyTally();
  return {
    file,
    done: true,
    acceptedBefore: 0,
    lines: 0,
    events: 0,
    accepted: 0,
    rejected: 0,
    firstMs: null,
    lastMs: null,
    leftOut,
    reasons: {},
    unfinishedLine: false,
  };
}

function summaryOf(file: ImportedFile): FileSummary {
  const tally = emptyTally();
  addTally(tally, file.tally);
  const { accepted, rejected, reasons } = file.counted;
  return {
    file: file.name,
    done: file.head === undefined && file.problem === undefined,
    acceptedBefore: file.before?.accepted ?? 0,
    lines: tally.lines,
    events: tally.events,
    accepted,
    rejected,
    firstMs: tally.firstMs ?? null,
    lastMs: tally.lastMs ?? null,
    leftOut: tally.leftOut,
    reasons,
    unfinishedLine: file.isUnfinished,
    ...(file.problem !== undefined && { error: describeError(file.problem) }),
  };
}

/** The summary in words. */
export function renderSummary(summary: ImportSummary): string {
  const { dryRun, accepted, elapsedMs, eventsPerSecond, files } = summary;
  const total = dryRun
    ? "Dry run: nothing was counted."
    : `${formatCount(accepted)} events counted in ${formatDuration(elapsedMs)}, ${formatCount(eventsPerSecond)} events/s`;
  return [...files.flatMap((file) => renderFile(file, dryRun)), total].join("\n");
}

function renderFile(file: FileSummary, dryRun: boolean): string[] {
  const head = `${file.file}: ${standing(file, dryRun)}`;
  const named = (counts: Record<string, number>): { name: string; count: number }[] =>
    Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => ({ name, count }));
  const leftOut = leftOutInWords(named(file.leftOut).sort((a, b) => order(a.name) - order(b.name)));
  const refused = rejectedInWords(named(file.reasons));
  const row =
    (label: string) =>
    ({ name, count }: { name: string; count: number }) =>
      `  ${formatCount(count).padStart(12)}  ${label}: ${name}`;
  return [
    head,
    ...(file.firstMs === null ? [] : [`  from ${formatTime(file.firstMs)} to ${formatTime(file.lastMs!)} UTC`]),
    ...leftOut.map(row("left out")),
    ...refused.map(row("refused")),
    ...(file.unfinishedLine ? ["  its last line is not finished and was left for the next time"] : []),
    ...(file.error === undefined ? [] : [`  ${file.error}`]),
  ];
}

function order(reason: string): number {
  return (LEFT_OUT_REASONS as readonly string[]).indexOf(reason);
}

function standing({ lines, events, accepted, acceptedBefore, done }: FileSummary, dryRun: boolean): string {
  const before = acceptedBefore > 0 ? ` (${formatCount(acceptedBefore)} were counted before)` : "";
  if (lines === 0 && done)
    return acceptedBefore > 0
      ? `imported to its end already, ${formatCount(acceptedBefore)} events; --again counts it anew`
      : "nothing to count";
  const what = dryRun ? `${formatCount(events)} events would be counted` : `${formatCount(accepted)} events counted`;
  return `${what}, of ${formatCount(lines)} lines${before}${done ? "" : "; not to its end, the same command goes on"}`;
}
