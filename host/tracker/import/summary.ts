/** What an import has done. */
import { describeError } from "../../runtime/errors";
import { addTally, emptyTally } from "./chunks";
import type { ImportedFile } from "./file";
import { BrokenFile } from "./import";

export interface FileSummary {
  file: string;
  /** What its lines are; null where it was not begun. */
  format: string | null;
  /** In a dry run: the first events of the file, as JSON. */
  sample?: readonly string[];
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
  /** Bytes of NUL that were passed over. */
  holes: number;
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

/** Sums up; a file that was empty is null, one that could not be begun is its problem. */
export function summarize(
  names: readonly string[],
  files: readonly (ImportedFile | BrokenFile | null)[],
  elapsedMs: number,
  dryRun: boolean,
): ImportSummary {
  const each = files.map((file, at) => {
    if (file === null) return emptyFile(names[at]!);
    if (!(file instanceof BrokenFile)) return { ...summaryOf(file), ...(dryRun && { sample: file.sample }) };
    return { ...emptyFile(file.name), done: false, error: describeError(file.problem) };
  });
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
    format: null,
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
    holes: 0,
    unfinishedLine: false,
  };
}

function summaryOf(file: ImportedFile): FileSummary {
  const tally = emptyTally();
  addTally(tally, file.tally);
  const { accepted, rejected, reasons } = file.counted;
  return {
    file: file.name,
    format: file.format,
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
    holes: tally.holes,
    unfinishedLine: file.isUnfinished,
    ...(file.problem !== undefined && { error: describeError(file.problem) }),
  };
}
