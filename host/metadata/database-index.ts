/** Which databases, tables and folders the index has: what GigAPI's DBIndex is in Go. */
import { functionsOf, type ClientOptions } from "../deploy/client";
import type { Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import type { TableName } from "./entries";

/** A folder of a table. */
export interface Folder {
  /** `date=2026-11-20/hour=10` */
  path: string;
  /** How many files are in it. */
  files: number;
}

/** What a rebuild has done. */
export interface RebuildProgress {
  /** Keys of the keyspace. */
  scanned: number;
  /** Files, folders, plans and names. */
  examined: number;
  /** Keys of which it cannot be told whose they are. */
  skipped: number;
  isDone: boolean;
}

/** Databases of the index, their tables and folders. */
export class DatabaseIndex {
  readonly #functions: HotpathFunctions;

  /** Sends nothing yet, and leaves closing the connection to its owner. */
  constructor(connection: Connection, options: ClientOptions = {}) {
    this.#functions = functionsOf(connection, options);
  }

  /** Names of all databases, in alphabetical order. */
  async databases(): Promise<string[]> {
    return this.#functions.listDatabases();
  }

  /** Names of a database's tables, in alphabetical order. */
  async tables(database: string): Promise<string[]> {
    return this.#functions.listTables({ db: database });
  }

  /** A table's folders with files in them, in alphabetical order. */
  async folders({ database, table }: TableName): Promise<Folder[]> {
    // Redis may list an element twice while it makes a hash larger.
    const found = new Map<string, number>();
    let cursor = "0";
    do {
      const [next, ...page] = await this.#functions.listFolders({ db: database, table, cursor });
      for (const [path, files] of page) found.set(path, files);
      cursor = next;
    } while (cursor !== "0");
    return [...found].map(([path, files]) => ({ path, files })).sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /**
   * Enters in the index of databases, tables, times and queues what clients of GigAPI wrote without it, and ends when the whole
   * keyspace was gone through. What a pass that was broken off has done is not done again.
   *
   * @param onProgress told after each call what was done so far
   * @param signal ends it between two calls
   */
  async rebuild(
    onProgress: (progress: RebuildProgress) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<RebuildProgress> {
    const progress = { scanned: 0, examined: 0, skipped: 0, isDone: false };
    while (!progress.isDone && !signal?.aborted) {
      const { scanned, examined, skipped, remaining } = await this.#functions.rebuildIndex();
      progress.scanned += scanned;
      progress.examined += examined;
      progress.skipped += skipped;
      progress.isDone = remaining === 0;
      onProgress({ ...progress });
    }
    return progress;
  }
}
