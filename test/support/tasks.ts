/** The catalogue's tasks on a test's server, and replies as what they mean. */
import type { Declaration } from "../../functions/runtime/declare";
import { fcall, readDeclarations, useFunctions, type Argument, type TestFunctions } from "./functions";
import type { TestClient, TestServerOptions } from "./server";

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
export interface TestTasks extends TestFunctions {
  enqueue(queue: string, task: Record<string, unknown>, ...args: Argument[]): Promise<string>;
  claim(queue: string, ...args: Argument[]): Promise<ClaimedTask | null>;
  get(id: string): Promise<ShownTask | null>;
  list(queue: string, ...args: Argument[]): Promise<{ total: number; listed: ShownTask[] }>;
}

const TASK_FUNCTIONS = /_task$|_tasks$|_task_type$|_task_types$|_queues$|^get_queue_status$/;

/** The functions for tasks by their declarations. */
export function readTasksManifest(): Declaration[] {
  return readDeclarations("catalog").filter(({ name }) => TASK_FUNCTIONS.test(name));
}

/** Claims on any connection. */
export async function claimOn(client: TestClient, queue: string, ...args: Argument[]): Promise<ClaimedTask | null> {
  const json = (await fcall(client, "claim_task", queue, ...args)) as string | null;
  return json === null ? null : (JSON.parse(json) as ClaimedTask);
}

/** A server for the file with the built catalogue in it. Call it where `useServer` may be called. */
export function useTasks(options: TestServerOptions = {}): TestTasks {
  const functions = useFunctions("catalog", options);
  return Object.assign(functions, {
    enqueue: async (queue: string, task: Record<string, unknown>, ...args: Argument[]) =>
      String(await functions.call("enqueue_task", queue, JSON.stringify(task), ...args)),
    claim: (queue: string, ...args: Argument[]) => claimOn(functions.client, queue, ...args),
    get: async (id: string) =>
      JSON.parse(((await functions.read("get_task", id)) as string | null) ?? "null") as ShownTask | null,
    list: async (queue: string, ...args: Argument[]) => {
      const [total, ...json] = (await functions.read("list_tasks", queue, ...args)) as [number, ...string[]];
      return { total, listed: json.map((each) => JSON.parse(each) as ShownTask) };
    },
  });
}
