/** The index of files on a test's server, and replies as what they mean. */
import { decodeRecord, useFunctions, type Argument, type TestFunctions } from "./functions";
import type { TestServerOptions } from "./server";
import { MINUTE } from "./time";

export { DAY, HOUR, MINUTE, SECOND } from "./time";

/** Noon of the day of the examples. */
export const NOON = Date.UTC(2024, 0, 15, 12);

/** A plan is given out again after this time. */
export const LEASE = 30 * MINUTE;

/** A plan as get_merge_plan answers it. */
export interface MergePlan {
  id: string;
  writer_id: string;
  layer: string;
  database: string;
  table: string;
  from: string[];
  to: string;
  iteration: number;
}

/** An entry as GigAPI's clients send it; what matters here. */
export interface Entry {
  layer: string;
  database: string;
  table: string;
  path: string;
  size_bytes: number;
  row_count: number;
  chunk_time: 0;
  min: Record<string, unknown> | null;
  max: Record<string, unknown> | null;
  min_time: 0;
  max_time: 0;
  writer_id: string;
  str_min_time: string;
  str_max_time: string;
  str_chunk_time: string;
  cmd: "ADD" | "DELETE";
}

/** An entry of a file in its hour's folder. */
export function entryOf(given: Partial<Entry> & { path: string }): Entry {
  return {
    layer: "l",
    database: "d",
    table: "t",
    size_bytes: 1000,
    row_count: 10,
    chunk_time: 0,
    min: null,
    max: null,
    min_time: 0,
    max_time: 0,
    writer_id: "w",
    str_min_time: "0",
    str_max_time: "0",
    str_chunk_time: "0",
    cmd: "ADD",
    ...given,
  };
}

/** Milliseconds as nanoseconds, with some more of these. */
export function ns(ms: number, more = 0): string {
  return String(BigInt(ms) * 1_000_000n + BigInt(more));
}

/** `date=YYYY-MM-DD/hour=HH` of a time. */
export function folderOf(ms: number): string {
  const iso = new Date(ms).toISOString();
  return `date=${iso.slice(0, 10)}/hour=${iso.slice(11, 13)}`;
}

/** The functions on the file's server. */
export interface TestMetadata extends TestFunctions {
  /** FCALL with keys, as GigAPI's clients call, with the empty argument that the Go client sends. */
  keyed(name: string, ...keys: string[]): Promise<unknown>;
  /** A function that answers a JSON or nil. */
  json<T>(name: string, ...args: Argument[]): Promise<T | null>;
  /** All of query_index. */
  query(db: string, table: string, ...args: Argument[]): Promise<{ entries: Entry[]; calls: number }>;
  /** rebuild_index to its end; how many calls that took. */
  rebuild(...args: Argument[]): Promise<{ calls: number; skipped: number }>;
  /** Any command. */
  send(...args: (string | number)[]): Promise<unknown>;
}

const MOST_CALLS = 5_000;

/** A server for the file with the built index in it. Call it where `useServer` may be called. */
export function useMetadata(options: TestServerOptions = {}): TestMetadata {
  const functions = useFunctions("metadata", options);
  return Object.assign(functions, {
    keyed: (name: string, ...keys: string[]) => functions.routed(keys, name, ""),
    json: async <T>(name: string, ...args: Argument[]) => {
      const reply = (await functions.call(name, ...args)) as string | null;
      return reply === null ? null : (JSON.parse(reply) as T);
    },
    query: async (db: string, table: string, ...args: Argument[]) => {
      const entries: Entry[] = [];
      let cursor = "0";
      for (let calls = 1; calls <= MOST_CALLS; calls += 1) {
        const [next, ...found] = (await functions.read("query_index", db, table, ...args, "CURSOR", cursor)) as [
          string,
          ...string[],
        ];
        entries.push(...found.map((each) => JSON.parse(each) as Entry));
        if (next === "0") return { entries, calls };
        cursor = next;
      }
      throw new Error(`query_index goes on after ${MOST_CALLS} calls`);
    },
    rebuild: async (...args: Argument[]) => {
      let skipped = 0;
      for (let calls = 1; calls <= MOST_CALLS; calls += 1) {
        const reply = decodeRecord(await functions.call("rebuild_index", ...args));
        skipped += Number(reply["skipped"]);
        if (reply["remaining"] === 0) return { calls, skipped };
      }
      throw new Error(`rebuild_index goes on after ${MOST_CALLS} calls`);
    },
    send: (...args: (string | number)[]) => functions.client.sendCommand(args.map(String)),
  });
}
