/** `hotpath import` */
import { connect } from "../../redis/connection";
import { loadConfig, type Config } from "../../config";
import { describeError, UsageError } from "../../runtime/errors";
import { functionsOf } from "../../deploy/client";
import { Host } from "../../serve/host";
import { createLogger } from "../../runtime/log";
import { stopOnSignals } from "../../runtime/signals";
import type { ImportedFile } from "../../tracker/import/file";
import type { ImportOptions, ImportTarget } from "../../tracker/import/import";
import { chosenPartition, type PartitionOptions } from "../partition";
import { renderSummary } from "./summary";

export interface ImportCommandOptions extends PartitionOptions {
  format?: "log" | "json";
  logFormat?: string;
  website?: string;
  static?: string[];
  pages?: string[];
  sessionParameters?: string[];
  shiftToNow?: boolean;
  again?: boolean;
  continue?: boolean;
  dryRun?: boolean;
  json?: boolean;
  /** False for --no-rotate. */
  rotate: boolean;
}

/** Messages and progress go to standard error, the summary to standard output. */
const say = (line: string): void => console.error(line);

/** Imports files; exits with 1 where one could not be read to its end, with 0 at a signal after what was under way. */
export async function importCommand(names: string[], options: ImportCommandOptions): Promise<void> {
  const config = loadConfig();
  const signal = stopOnSignals((name) => say(`${name}: finishing what is under way`));
  if (options.again && options.dryRun)
    throw new UsageError("--again forgets what is kept, and --dry-run writes nothing; give one of them");
  if (options.logFormat !== undefined && options.format === "json")
    throw new UsageError("--log-format is of logs, and --format json of events; give one of them");
  if (options.again && options.continue)
    throw new UsageError("--again counts from the start, and --continue goes on; give one of them");
  if (names.filter((name) => name === "-").length > 1) throw new UsageError("standard input (-) can be read only once");
  if (options.dryRun) return dryRun(names, options, config, signal);
  const host = new Host(config, createLogger("silent"));
  try {
    await host.prepare();
    const target = host.functions(chosenPartition(config, host.connection.isCluster, options));
    await run(names, options, target, target, signal);
  } finally {
    host.close();
  }
  process.exit();
}

/** Asks Redis what was imported before, if it is there, and counts nothing. */
async function dryRun(
  names: string[],
  options: ImportCommandOptions,
  config: Config,
  signal: AbortSignal,
): Promise<void> {
  const known = await readOnly(config, options);
  try {
    await run(names, options, known?.target ?? null, null, signal);
  } finally {
    known?.close();
  }
}

async function readOnly(
  config: Config,
  options: PartitionOptions,
): Promise<{ target: ImportTarget; close: () => void } | undefined> {
  try {
    const connection = await connect(config.redis.url);
    try {
      const functions = functionsOf(connection, { partition: chosenPartition(config, connection.isCluster, options) });
      await functions.getImport({ source: "-" });
      return { target: functions, close: () => connection.close() };
    } catch (error) {
      connection.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    say(`What was imported before is not known (${describeError(error)}); the files are read from their starts`);
    return undefined;
  }
}

async function run(
  names: string[],
  options: ImportCommandOptions,
  known: ImportTarget | null,
  target: ImportTarget | null,
  signal: AbortSignal,
): Promise<void> {
  const { BrokenFile, Importer, openFiles } = await import("../../tracker/import/import");
  const { summarize } = await import("../../tracker/import/summary");
  const { startProgress } = await import("../../terminal/progress");
  let bytes = 0;
  let onBytes = (): void => undefined;
  const settings: ImportOptions = {
    files: names,
    format: options.format,
    logFormat: options.logFormat,
    website: options.website,
    pages: { static: options.static, pages: options.pages, sessionParameters: options.sessionParameters },
    shiftToNow: options.shiftToNow,
    again: options.again,
    goesOn: options.continue,
    rotates: options.rotate,
    say,
    onBytes: (count) => {
      bytes += count;
      onBytes();
    },
    signal,
  };
  const files = await openFiles(known, settings);
  const opened = files.filter((file): file is ImportedFile => file !== null && !(file instanceof BrokenFile));
  const startedAt = performance.now();
  const total = opened.reduce((sum, { input }) => sum + (input.totalBytes ?? 0), 0);
  const progress = startProgress({ label: options.dryRun ? "Reading" : "Importing", total, unit: "bytes" });
  onBytes = () => progress.update(Math.min(bytes, total));
  try {
    await new Importer(opened, target, settings).run();
  } finally {
    progress.stop();
    for (const file of opened) await file.close();
  }
  const summary = summarize(names, files, performance.now() - startedAt, options.dryRun ?? false);
  process.stdout.write(`${options.json ? JSON.stringify(summary) : renderSummary(summary)}\n`);
  if (!summary.done) process.exitCode = 1;
}
