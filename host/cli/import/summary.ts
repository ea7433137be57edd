/** What an import has done, in words. */
import { formatCount, formatDuration, formatTime } from "../../terminal/format";
import { LEFT_OUT_REASONS } from "../../tracker/import/access-log";
import { leftOutInWords, rejectedInWords } from "../../tracker/import/reasons";
import type { FileSummary, ImportSummary } from "../../tracker/import/summary";

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
    ...(file.format === null ? [] : [`  read as ${file.format}`]),
    ...(file.sample ?? []).map((event) => `  ${event}`),
    ...(file.firstMs === null ? [] : [`  from ${formatTime(file.firstMs)} to ${formatTime(file.lastMs!)} UTC`]),
    ...leftOut.map(row("left out")),
    ...refused.map(row("refused")),
    ...(file.holes > 0
      ? [`  ${formatCount(file.holes)} bytes of NUL were passed over: a hole, as copytruncate leaves one`]
      : []),
    ...(file.unfinishedLine ? ["  its last line is not finished and was left for the next time"] : []),
    ...(file.error === undefined ? [] : [`  ${file.error}`]),
  ];
}

function order(reason: string): number {
  return (LEFT_OUT_REASONS as readonly string[]).indexOf(reason);
}

function standing({ lines, events, accepted, acceptedBefore, done }: FileSummary, dryRun: boolean): string {
  const before = acceptedBefore > 0 ? ` (${formatCount(acceptedBefore)} were counted before)` : "";
  if (lines === 0 && !done && acceptedBefore === 0) return "nothing was counted";
  if (lines === 0 && done)
    return acceptedBefore > 0
      ? `imported to its end already, ${formatCount(acceptedBefore)} events; --again counts it anew`
      : "nothing to count";
  const what = dryRun ? `${formatCount(events)} events would be counted` : `${formatCount(accepted)} events counted`;
  return `${what}, of ${formatCount(lines)} lines${before}${done ? "" : "; not to its end, the same command goes on"}`;
}
