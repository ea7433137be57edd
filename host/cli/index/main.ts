/** `hotpath index`: what the metadata index holds, what is to be done, and putting it in order. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { UsageError } from "../../runtime/errors";
import type { IndexEntry } from "../../metadata/entries";
import { parseNanoseconds } from "../../metadata/nanoseconds";
import type { QueryOptions } from "../../metadata/table-index";
import { formatCount } from "../../terminal/format";
import { startProgress } from "../../terminal/progress";
import { stopOnSignals } from "../../runtime/signals";
import { withIndex, type AccessOptions, type MetadataIndex } from "./access";
import { renderFiles, renderPlans, renderStatus, type TableRow } from "./tables";

const DEFAULT_COUNT = 50;

/** Bigints as their digits, in text: JSON's numbers are doubles for most who read them. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => (typeof each === "bigint" ? String(each) : each));
}

/** Lists all tables, those of a database, or one; which need not have files any more. */
export async function indexStatusCommand(
  database: string | undefined,
  table: string | undefined,
  options: AccessOptions,
): Promise<void> {
  await withIndex(options, async (index) => {
    const rows: TableRow[] = [];
    for (const [db, name] of await tablesOf(index, database, table)) {
      rows.push({ database: db, table: name, status: await index.tableOf(db, name).status() });
    }
    console.log(options.json ? toJson(rows) : renderStatus(rows, database));
  });
}

async function tablesOf(
  { databases }: MetadataIndex,
  database: string | undefined,
  table: string | undefined,
): Promise<[string, string][]> {
  if (database !== undefined && table !== undefined) return [[database, table]];
  const found: [string, string][] = [];
  for (const db of database === undefined ? await databases.databases() : [database]) {
    for (const name of await databases.tables(db)) found.push([db, name]);
  }
  return found;
}

export interface IndexQueryOptions extends AccessOptions {
  folder?: string;
  after?: string;
  before?: string;
  iteration?: number;
  layer?: string;
  count?: number;
}

/** Prints the files of a table; with --json each entry as it is stored, a line each. */
export async function indexQueryCommand(database: string, table: string, options: IndexQueryOptions): Promise<void> {
  const question = questionOf(options);
  await withIndex(options, async (index) => {
    const entries = index.tableOf(database, table).query(question);
    if (options.json) return printLines(entries, options.count ?? Infinity);
    const count = options.count ?? DEFAULT_COUNT;
    const shown = await take(entries, count + 1);
    console.log(renderFiles(shown.slice(0, count), shown.length > count));
  });
}

function questionOf({ folder, after, before, iteration, layer }: IndexQueryOptions): QueryOptions {
  return {
    ...(folder !== undefined && { folder }),
    ...(after !== undefined && { after: timeOf("--after", after) }),
    ...(before !== undefined && { before: timeOf("--before", before) }),
    ...(iteration !== undefined && { iteration }),
    ...(layer !== undefined && { layer }),
  };
}

function timeOf(option: string, text: string): bigint {
  const ns = parseNanoseconds(text);
  if (ns === undefined)
    throw new UsageError(`${option} must be a time, as in 2026-11-20T12:00 (UTC), or nanoseconds, got '${text}'`);
  return ns;
}

async function take(entries: AsyncIterable<IndexEntry>, count: number): Promise<IndexEntry[]> {
  const taken: IndexEntry[] = [];
  for await (const entry of entries) {
    taken.push(entry);
    if (taken.length >= count) break;
  }
  return taken;
}

async function printLines(entries: AsyncIterable<IndexEntry>, count: number): Promise<void> {
  try {
    // A stream waits for whoever reads slowly; a million entries do not pile up.
    await pipeline(Readable.from(linesOf(entries, count)), process.stdout, { end: false });
  } catch (error) {
    // Whoever reads has enough: | head
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}

async function* linesOf(entries: AsyncIterable<IndexEntry>, count: number): AsyncGenerator<string> {
  let printed = 0;
  for await (const { json } of entries) {
    yield `${json}\n`;
    printed += 1;
    if (printed >= count) break;
  }
}

/** Lists who plans what in a table. */
export async function indexPlansCommand(database: string, table: string, options: AccessOptions): Promise<void> {
  await withIndex(options, async (index) => {
    const { plans } = await index.tableOf(database, table).status();
    console.log(options.json ? toJson({ database, table, plans }) : renderPlans({ database, table }, plans));
  });
}

export interface IndexConfigureOptions extends AccessOptions {
  merge: string;
  layers: string;
}

/** Sets a table up, with what GigAPI's clients send. */
export async function indexConfigureCommand(
  database: string,
  table: string,
  { merge, layers, ...options }: IndexConfigureOptions,
): Promise<void> {
  await withIndex(options, async ({ functions }) => {
    const kept = await functions.configureTable({ db: database, table, merge, layers });
    console.log(options.json ? JSON.stringify({ database, table, ...kept }) : `${database}/${table} is configured`);
  });
}

/** Enters what clients of GigAPI wrote without the functions; a signal ends it after the call that is under way. */
export async function indexRebuildCommand(options: AccessOptions): Promise<void> {
  const signal = stopOnSignals((name) => console.error(`${name}: finishing what is under way`));
  await withIndex(options, async ({ databases, keys }) => {
    const total = await keys();
    const progress = startProgress({ label: "Rebuilding", total, unit: "keys" });
    const done = await databases
      .rebuild(({ scanned }) => progress.update(Math.min(scanned, total)), signal)
      .finally(() => progress.stop());
    if (options.json) console.log(JSON.stringify(done));
    else
      console.log(
        `${formatCount(done.scanned)} keys, ${formatCount(done.examined)} files, folders and plans looked at${skippedWords(done.skipped)}`,
      );
    if (!done.isDone) process.exitCode = 1;
  });
}

function skippedWords(skipped: number): string {
  return skipped === 0 ? "" : `; ${formatCount(skipped)} keys passed over, as nothing says whose they are`;
}
