/** The catalogue's tasks on a test's server, and replies as what they mean. */
import { readFileSync } from "node:fs";
import { beforeAll } from "vitest";
import type { Declaration } from "../../functions/runtime/declare";
import { useServer, type TestClient, type TestServer, type TestServerOptions } from "./server";
import { decodeRecord, refusalOf, type Argument, type Fields } from "./tracker";

/** A task as it is claimed. */
export interface ClaimedTask {
  id: string;
  token: string;
  type: string;
  attempt: number;
  queue: string;
  priority: number;
  parent?: string;
  enqueued_at: number;
  lease_until: number;
  payload: Record<string, unknown>;
}

/** A task as it is shown. */
export interface ShownTask extends Omit<ClaimedTask, "token" | "lease_until"> {
  state: string;
  at: number | null;
  worker?: string;
  reason?: string;
  held_by?: string;
  hook?: string;
  task?: string;
  result?: Record<string, unknown>;
  children_total?: number;
  children_finished?: number;
  children_failed?: number;
  children_cancelled?: number;
  children_ms?: number;
}

/** The functions on the file's server. */
export interface TestTasks {
  readonly server: TestServer;
  readonly client: TestClient;
  call(name: string, ...args: Argument[]): Promise<unknown>;
  read(name: string, ...args: Argument[]): Promise<unknown>;
  routed(keys: string[], name: string, ...args: Argument[]): Promise<unknown>;
  record(name: string, ...args: Argument[]): Promise<Fields>;
  refusal(name: string, ...args: Argument[]): Promise<string | undefined>;
  enqueue(queue: string, task: Record<string, unknown>, ...args: Argument[]): Promise<string>;
  claim(queue: string, ...args: Argument[]): Promise<ClaimedTask | null>;
  get(id: string): Promise<ShownTask | null>;
  list(queue: string, ...args: Argument[]): Promise<{ total: number; listed: ShownTask[] }>;
}

/** Loads the library that the build has made. */
export async function loadCatalog(client: TestClient): Promise<void> {
  const code = readFileSync(new URL("../../dist/catalog.lua", import.meta.url), "utf8");
  await client.sendCommand(["FUNCTION", "LOAD", "REPLACE", code]);
}

const TASK_FUNCTIONS = /_task$|_tasks$|_task_type$|_task_types$|_queues$|^get_queue_status$/;

/** The functions for tasks by their declarations. */
export function readTasksManifest(): Declaration[] {
  const { libraries } = JSON.parse(readFileSync(new URL("../../dist/manifest.json", import.meta.url), "utf8")) as {
    libraries: { name: string; functions: Declaration[] }[];
  };
  return libraries.find(({ name }) => name === "catalog")!.functions.filter(({ name }) => TASK_FUNCTIONS.test(name));
}

const encode = (argument: Argument): string | Buffer => (typeof argument === "number" ? String(argument) : argument);

/** A function's reply as it came. */
export function fcall(client: TestClient, name: string, ...args: Argument[]): Promise<unknown> {
  return client.sendCommand(["FCALL", name, "0", ...args.map(encode)]);
}

/** Claims on any connection. */
export async function claimOn(client: TestClient, queue: string, ...args: Argument[]): Promise<ClaimedTask | null> {
  const json = (await fcall(client, "claim_task", queue, ...args)) as string | null;
  return json === null ? null : (JSON.parse(json) as ClaimedTask);
}

/** A server for the file with the built catalogue in it. Call it where `useServer` may be called. */
export function useTasks(options: TestServerOptions = {}): TestTasks {
  const server = useServer(options);
  beforeAll(() => loadCatalog(server.client));
  const send = (command: string, keys: string[], name: string, args: Argument[]): Promise<unknown> =>
    server.client.sendCommand([command, name, String(keys.length), ...keys, ...args.map(encode)]);
  const call = (name: string, ...args: Argument[]): Promise<unknown> => send("FCALL", [], name, args);
  const read = (name: string, ...args: Argument[]): Promise<unknown> => send("FCALL_RO", [], name, args);
  return {
    server,
    get client() {
      return server.client;
    },
    call,
    read,
    routed: (keys, name, ...args) => send("FCALL", keys, name, args),
    record: async (name, ...args) => decodeRecord(await call(name, ...args)),
    refusal: (name, ...args) => refusalOf(call(name, ...args)),
    enqueue: async (queue, task, ...args) => String(await call("enqueue_task", queue, JSON.stringify(task), ...args)),
    claim: (queue, ...args) => claimOn(server.client, queue, ...args),
    get: async (id) => JSON.parse(((await read("get_task", id)) as string | null) ?? "null") as ShownTask | null,
    list: async (queue, ...args) => {
      const [total, ...json] = (await read("list_tasks", queue, ...args)) as [number, ...string[]];
      return { total, listed: json.map((each) => JSON.parse(each) as ShownTask) };
    },
  };
}
