/** The index of files on a test's server, and replies as what they mean. */
import { readFileSync } from "node:fs";
import { beforeAll } from "vitest";
import { useServer, type TestClient, type TestServer, type TestServerOptions } from "./server";
import { decodeRecord, refusalOf, type Argument, type Fields } from "./tracker";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

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
    layer: "l", database: "d", table: "t", size_bytes: 1000, row_count: 10, chunk_time: 0, min: null, max: null,
    min_time: 0, max_time: 0, writer_id: "w", str_min_time: "0", str_max_time: "0", str_chunk_time: "0", cmd: "ADD",
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
export interface TestMetadata {
  readonly server: TestServer;
  readonly client: TestClient;
  /** FCALL without keys; the reply as it came. */
  call(name: string, ...args: Argument[]): Promise<unknown>;
  /** FCALL_RO without keys. */
  read(name: string, ...args: Argument[]): Promise<unknown>;
  /** FCALL with keys, as GigAPI's clients call, with the empty argument that the Go client sends. */
  keyed(name: string, ...keys: string[]): Promise<unknown>;
  /** FCALL with a routing key. */
  routed(key: string, name: string, ...args: Argument[]): Promise<unknown>;
  record(name: string, ...args: Argument[]): Promise<Fields>;
  refusal(name: string, ...args: Argument[]): Promise<string | undefined>;
  /** A function that answers a JSON or nil. */
  json<T>(name: string, ...args: Argument[]): Promise<T | null>;
  /** All of query_index. */
  query(db: string, table: string, ...args: Argument[]): Promise<{ entries: Entry[]; calls: number }>;
  /** rebuild_index to its end; how many calls that took. */
  rebuild(...args: Argument[]): Promise<{ calls: number; skipped: number }>;
  /** Any command. */
  send(...args: (string | number)[]): Promise<unknown>;
}

/** Loads the library that the build has made. */
export async function loadMetadata(client: TestClient): Promise<void> {
  const code = readFileSync(new URL("../../dist/metadata.lua", import.meta.url), "utf8");
  await client.sendCommand(["FUNCTION", "LOAD", "REPLACE", code]);
}

const text = (argument: Argument): string | Buffer => (typeof argument === "number" ? String(argument) : argument);

/** A function's reply as it came. */
export function fcall(client: TestClient, command: "FCALL" | "FCALL_RO", keys: string[], name: string, args: Argument[]): Promise<unknown> {
  return client.sendCommand([command, name, String(keys.length), ...keys, ...args.map(text)]);
}

const MOST_CALLS = 5_000;

/** A server for the file with the built index in it. Call it where `useServer` may be called. */
export function useMetadata(options: TestServerOptions = {}): TestMetadata {
  const server = useServer(options);
  beforeAll(() => loadMetadata(server.client));
  const call = (name: string, ...args: Argument[]): Promise<unknown> => fcall(server.client, "FCALL", [], name, args);
  return {
    server,
    get client() {
      return server.client;
    },
    call,
    read: (name, ...args) => fcall(server.client, "FCALL_RO", [], name, args),
    keyed: (name, ...keys) => fcall(server.client, "FCALL", keys, name, [""]),
    routed: (key, name, ...args) => fcall(server.client, "FCALL", [key], name, args),
    record: async (name, ...args) => decodeRecord(await call(name, ...args)),
    refusal: (name, ...args) => refusalOf(call(name, ...args)),
    json: async <T>(name: string, ...args: Argument[]) => {
      const reply = (await call(name, ...args)) as string | null;
      return reply === null ? null : (JSON.parse(reply) as T);
    },
    query: async (db, table, ...args) => {
      const entries: Entry[] = [];
      let cursor = "0";
      for (let calls = 1; calls <= MOST_CALLS; calls += 1) {
        const [next, ...found] = (await fcall(server.client, "FCALL_RO", [], "query_index", [db, table, ...args, "CURSOR", cursor])) as [string, ...string[]];
        entries.push(...found.map((each) => JSON.parse(each) as Entry));
        if (next === "0") return { entries, calls };
        cursor = next;
      }
      throw new Error(`query_index goes on after ${MOST_CALLS} calls`);
    },
    rebuild: async (...args) => {
      let skipped = 0;
      for (let calls = 1; calls <= MOST_CALLS; calls += 1) {
        const reply = decodeRecord(await call("rebuild_index", ...args));
        skipped += Number(reply["skipped"]);
        if (reply["remaining"] === 0) return { calls, skipped };
      }
      throw new Error(`rebuild_index goes on after ${MOST_CALLS} calls`);
    },
    send: (...args) => server.client.sendCommand(args.map(String)),
  };
}
