/** The notifier on a test's server, and replies as what they mean. */
import { readFileSync } from "node:fs";
import { beforeAll } from "vitest";
import type { Declaration } from "../../functions/runtime/declare";
import { useServer, type TestClient, type TestServer, type TestServerOptions } from "./server";
import { decodeRecord, refusalOf, type Argument, type Fields } from "./tracker";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** Noon of the day of the examples. */
export const NOON = Date.UTC(2022, 5, 28, 12);

/** A notification as it is claimed. */
export interface Claimed {
  id: string;
  token: string;
  topic: string;
  subject: string;
  items: string[];
  first_at: number;
  last_at: number;
  attempt: number;
}

/** A notification as it is listed. */
export interface Listed extends Omit<Claimed, "token"> {
  state: string;
  count: number;
  at: number;
  worker?: string;
  reason?: string;
}

/** The notifier's functions on the file's server. */
export interface TestNotifier {
  readonly server: TestServer;
  readonly client: TestClient;
  call(name: string, ...args: Argument[]): Promise<unknown>;
  read(name: string, ...args: Argument[]): Promise<unknown>;
  routed(keys: string[], name: string, ...args: Argument[]): Promise<unknown>;
  record(name: string, ...args: Argument[]): Promise<Fields>;
  refusal(name: string, ...args: Argument[]): Promise<string | undefined>;
  /** Adds entries to a stream: field, value, field, value. */
  add(stream: string, id: string, ...fields: string[]): Promise<string>;
  claim(topic: string, ...args: Argument[]): Promise<{ next: number | null; claimed: Claimed[] }>;
  list(topic: string, ...args: Argument[]): Promise<{ total: number; listed: Listed[] }>;
}

/** Loads the library that the build has made. */
export async function loadNotifier(client: TestClient): Promise<void> {
  const code = readFileSync(new URL("../../dist/notifier.lua", import.meta.url), "utf8");
  await client.sendCommand(["FUNCTION", "LOAD", "REPLACE", code]);
}

/** The notifier's functions by their declarations. */
export function readNotifierManifest(): Declaration[] {
  const { libraries } = JSON.parse(readFileSync(new URL("../../dist/manifest.json", import.meta.url), "utf8")) as {
    libraries: { name: string; functions: Declaration[] }[];
  };
  return libraries.find(({ name }) => name === "notifier")!.functions;
}

const encode = (argument: Argument): string | Buffer => (typeof argument === "number" ? String(argument) : argument);

/** A function's reply as it came. */
export function fcall(client: TestClient, command: "FCALL" | "FCALL_RO", keys: string[], name: string, args: Argument[]): Promise<unknown> {
  return client.sendCommand([command, name, String(keys.length), ...keys, ...args.map(encode)]);
}

/** Claims on any connection. */
export async function claimOn(client: TestClient, topic: string, ...args: Argument[]): Promise<{ next: number | null; claimed: Claimed[] }> {
  const [next, ...json] = (await fcall(client, "FCALL", [], "claim_notifications", [topic, ...args])) as [number | null, ...string[]];
  return { next, claimed: json.map((each) => JSON.parse(each) as Claimed) };
}

/** A server for the file with the built notifier in it. Call it where `useServer` may be called. */
export function useNotifier(options: TestServerOptions = {}): TestNotifier {
  const server = useServer(options);
  beforeAll(() => loadNotifier(server.client));
  const call = (name: string, ...args: Argument[]): Promise<unknown> => fcall(server.client, "FCALL", [], name, args);
  return {
    server,
    get client() {
      return server.client;
    },
    call,
    read: (name, ...args) => fcall(server.client, "FCALL_RO", [], name, args),
    routed: (keys, name, ...args) => fcall(server.client, "FCALL", keys, name, args),
    record: async (name, ...args) => decodeRecord(await call(name, ...args)),
    refusal: (name, ...args) => refusalOf(call(name, ...args)),
    add: async (stream, id, ...fields) => String(await server.client.sendCommand(["XADD", stream, id, ...fields])),
    claim: (topic, ...args) => claimOn(server.client, topic, ...args),
    list: async (topic, ...args) => {
      const [total, ...json] = (await fcall(server.client, "FCALL_RO", [], "list_notifications", [topic, ...args])) as [number, ...string[]];
      return { total, listed: json.map((each) => JSON.parse(each) as Listed) };
    },
  };
}
