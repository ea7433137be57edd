/** The index of a table's data files: what GigAPI's TableIndex is in Go. */
import { functionsOf, type ClientOptions } from "../deploy/client";
import type { Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { HotpathError } from "../runtime/errors";
import { patchInChunks } from "./batch";
import { encodeLayers, encodeMerge, type TableConfiguration } from "./configuration";
import {
  decodeEntry,
  encodeAdd,
  encodeDelete,
  type IndexEntry,
  type NewEntry,
  type RemovedEntry,
  type TableName,
} from "./entries";
import { nanosecondsOf } from "./nanoseconds";
import { decodeDropPlan, decodeMergePlan, decodeMovePlan, type DropPlan, type MergePlan, type MovePlan } from "./plans";
import { decodeStatus, type TableStatus } from "./status";

export interface TableIndexOptions extends TableName, ClientOptions {
  /** The clock of all calls, unix milliseconds: for tests, simulations and back-fills. Default: the server's. */
  now?: () => number;
}

/** Which files to ask for; what is left out does not matter. */
export interface QueryOptions {
  /** What the path begins with: `date=2026-11-20/hour=10`, or a part of it. */
  folder?: string;
  /** Files that have a row at this time or later; a bigint is nanoseconds. */
  after?: bigint | Date;
  /** Files that have a row at this time or earlier. */
  before?: bigint | Date;
  /** From 1. */
  iteration?: number;
  layer?: string;
  /** Most entries of one call; the function's own default if it is left out. */
  pageSize?: number;
}

/** Whose plans, of which layer. */
export interface Queue {
  layer: string;
  /** Default the empty one. */
  writerId?: string;
}

/**
 * A table of the index.
 *
 * ```ts
 * const connection = await connect("redis://127.0.0.1");
 * const table = new TableIndex(connection, { database: "default", table: "hits" });
 * await table.configure({ merge: [{ timeoutSeconds: 10, maxBytes: 10_485_760 }], layers: [{ name: "l1" }] });
 * await table.batch([{ path: "date=2026-11-20/hour=10/a81b.1.parquet", layer: "l1", sizeBytes: 1_000_000 }]);
 * for await (const { path } of table.query({ after: new Date("2026-11-20T10:00Z") })) console.log(path);
 * ```
 *
 * Every method may be repeated, also where nobody knows whether it ran (UnavailableError): a file counts once, and a plan
 * that nobody ended comes back.
 *
 * @throws HotpathError where a function refuses the call; UnavailableError while Redis is away
 */
export class TableIndex implements TableName {
  readonly database: string;
  readonly table: string;
  readonly #functions: HotpathFunctions;
  readonly #clock: () => { now?: number };

  /** Sends nothing yet, and leaves closing the connection to its owner. */
  constructor(connection: Connection, { database, table, now, ...options }: TableIndexOptions) {
    this.database = database;
    this.table = table;
    this.#functions = functionsOf(connection, options);
    this.#clock = () => (now === undefined ? {} : { now: now() });
  }

  /** Says how files are merged and which layers there are, for files that come from now on. Clients of GigAPI send their own. */
  async configure({ merge, layers }: TableConfiguration): Promise<void> {
    await this.#functions.configureTable({ ...this.#name(), merge: encodeMerge(merge), layers: encodeLayers(layers) });
  }

  /**
   * Adds files, then removes files.
   *
   * All or nothing up to 1,000 entries (and a million characters of JSON); a longer batch is written in such parts, one after
   * the other. A path that is there already is replaced and counts once; one that is not there is not missed.
   *
   * @param add files; a merged file and its sources belong into one batch, which up to 999 sources cannot be cut off in between
   * @param remove files to be removed; their drop is planned
   * @returns how many entries were processed
   * @throws BatchError naming the entry that was refused, by its place in both lists together, and how many were written
   */
  async batch(add: readonly NewEntry[], remove: readonly RemovedEntry[] = []): Promise<number> {
    const entries = [
      ...add.map((entry) => encodeAdd(this, entry)),
      ...remove.map((entry) => encodeDelete(this, entry)),
    ];
    return patchInChunks(this.#functions, this, entries, this.#clock().now);
  }

  /** The entry of a file, or null. */
  async get(path: string): Promise<IndexEntry | null> {
    const json = await this.#functions.getEntry({ ...this.#name(), path });
    return json === null ? null : decodeEntry(json);
  }

  /**
   * Looks for files, page by page as they are asked for. Days come one after the other, the files of a day in no order.
   *
   * A file that is there from beginning to end comes exactly once; one that is added or removed meanwhile may come or not.
   */
  async *query({ folder, after, before, iteration, layer, pageSize }: QueryOptions = {}): AsyncGenerator<
    IndexEntry,
    void,
    undefined
  > {
    const question = {
      ...this.#name(),
      ...(folder !== undefined && { folder }),
      ...(after !== undefined && { after: boundOf(after) }),
      ...(before !== undefined && { before: boundOf(before) }),
      ...(iteration !== undefined && { iteration }),
      ...(layer !== undefined && { layer }),
      ...(pageSize !== undefined && { count: pageSize }),
    };
    const isNew = onceEach();
    let cursor = "0";
    do {
      const [next, ...page] = await this.#functions.queryIndex({ ...question, cursor });
      for (const json of page) {
        const entry = decodeEntry(json);
        if (isNew(entry.path)) yield entry;
      }
      cursor = next;
    } while (cursor !== "0");
  }

  /** Takes the next merge plan that is ripe, for half an hour; null if there is none. Of an iteration, from 1. */
  async getMergePlan({ layer, writerId = "", iteration }: Queue & { iteration: number }): Promise<MergePlan | null> {
    const json = await this.#functions.getMergePlan({
      ...this.#name(),
      iteration,
      layer,
      writer: writerId,
      ...this.#clock(),
    });
    return json === null ? null : decodeMergePlan(json);
  }

  /**
   * Ends a merge plan, once the merged file is written and the sources are removed, both in one {@link batch}.
   *
   * @returns false if there is no such plan (any more): it was ended, perhaps by another worker after the half hour
   */
  async endMerge({ id }: Pick<MergePlan, "id">): Promise<boolean> {
    return ended(this.#functions.endMerge({ ...this.#name(), id }));
  }

  /** Takes the next move plan that is due, for half an hour; null if there is none. */
  async getMovePlan({ layer, writerId = "" }: Queue): Promise<MovePlan | null> {
    const json = await this.#functions.getMovePlan({ ...this.#name(), layer, writer: writerId, ...this.#clock() });
    return json === null ? null : decodeMovePlan(json);
  }

  /** Ends a move plan; see {@link endMerge}. */
  async endMove({ id }: Pick<MovePlan, "id">): Promise<boolean> {
    return ended(this.#functions.endMove({ ...this.#name(), id }));
  }

  /** Takes the next file that is to be dropped, for half an hour; null if there is none. Files wait 30 s after their removal. */
  async getDropPlan({ layer, writerId = "" }: Queue): Promise<DropPlan | null> {
    const json = await this.#functions.getDropPlan({ ...this.#name(), layer, writer: writerId, ...this.#clock() });
    return json === null ? null : decodeDropPlan(json);
  }

  /** Ends a drop plan; see {@link endMerge}. */
  async endDrop({ id }: Pick<DropPlan, "id">): Promise<boolean> {
    return ended(this.#functions.endDrop({ ...this.#name(), id }));
  }

  /** How the table is doing. */
  async status(): Promise<TableStatus> {
    return decodeStatus(await this.#functions.getTableStatus({ ...this.#name(), ...this.#clock() }));
  }

  #name(): { db: string; table: string } {
    return { db: this.database, table: this.table };
  }
}

function boundOf(time: bigint | Date): string {
  return String(typeof time === "bigint" ? time : nanosecondsOf(time));
}

/** Whether a path comes for the first time. Redis may list an element twice while it makes a hash larger, but never in another hash. */
function onceEach(): (path: string) => boolean {
  const seen = new Set<string>();
  let current = "";
  return (path) => {
    const [firstFolder = ""] = path.split("/", 1);
    if (firstFolder !== current) seen.clear();
    current = firstFolder;
    if (seen.has(path)) return false;
    seen.add(path);
    return true;
  };
}

async function ended(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof HotpathError && error.code === "NOTFOUND") return false;
    throw error;
  }
}
