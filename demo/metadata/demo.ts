/** `hotpath demo metadata`: three days of data files, planned and merged by workers that die now and then. */
import { isMissingFunction } from "../../host/redis/functions";
import { UserError } from "../../host/runtime/errors";
import { DatabaseIndex } from "../../host/metadata/database-index";
import { TableIndex } from "../../host/metadata/table-index";
import { startProgress } from "../../host/terminal/progress";
import { runSimulation } from "../frame";
import { liveThrough, type Clock, type DaysSummary } from "./days";
import { makeFiles, type DataFile } from "./files";
import { DAY_MS } from "../../host/runtime/time";
import { renderThreeDays } from "./report";
import { resultOf, type ThreeDaysResult } from "./result";
import type { DemoOptions } from "../options";
import type { DemoServer } from "../server";
import type { DemoClient } from "../client";

const DATABASE = "demo";
const TABLE = "hits";

/**
 * Runs the demo. Messages and progress go to standard error, the report to standard output; exits with 1 if a row was lost
 * or counted twice, if a plan did not come back, or if anything else is not as it was written.
 *
 * @throws UsageError, UserError and others whose message is for the person who asked
 */
export async function runMetadataDemo(options: DemoOptions): Promise<void> {
  await runSimulation({ what: "metadata", refuse: refuseIfInUse, live: runDays, render: renderThreeDays }, options);
}

async function runDays({ client, program }: DemoServer, seed: number, signal: AbortSignal): Promise<ThreeDaysResult> {
  // The last day ended before today: with the hours after it, all times are in the past.
  const fromMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 4 * DAY_MS;
  const clock: Clock = { nowMs: fromMs };
  const files = makeFiles(fromMs, seed);
  const index = new TableIndex(client.connection, {
    database: DATABASE,
    table: TABLE,
    partition: client.partition,
    now: () => clock.nowMs,
  });
  const summary = await live(index, { clock, files, fromMs, signal });
  return resultOf({ server: program, index, files, summary, fromMs, nowMs: clock.nowMs });
}

interface Setting {
  clock: Clock;
  files: readonly DataFile[];
  fromMs: number;
  signal: AbortSignal;
}

async function live(index: TableIndex, { files, ...setting }: Setting): Promise<DaysSummary> {
  const progress = startProgress({ label: "Indexing", total: files.length, unit: "files" });
  try {
    return await liveThrough({ index, ...setting, onProgress: (written) => progress.update(written) }, files);
  } finally {
    progress.stop();
  }
}

/** The demo would merge and drop what others have written. */
async function refuseIfInUse({ connection, partition }: DemoClient): Promise<void> {
  const databases = await databasesOf(new DatabaseIndex(connection, { partition }));
  if (!databases.includes(DATABASE)) return;
  throw new UserError(
    `the index of ${connection.shown} has a database '${DATABASE}' already, and the demo would merge and drop its files; ` +
      "choose an empty database of the server, such as redis://host:port/1",
  );
}

async function databasesOf(index: DatabaseIndex): Promise<string[]> {
  try {
    return await index.databases();
  } catch (error) {
    if (isMissingFunction(error)) return [];
    throw error;
  }
}
