/** A built library on a test's server, and how its functions are called. */
import { readFileSync } from "node:fs";
import { beforeAll } from "vitest";
import type { Declaration } from "../../functions/runtime/declare";
import type { Manifest } from "../../scripts/build/manifest-schema";
import { useServer, type TestClient, type TestServer, type TestServerOptions } from "./server";

/** What an argument may be; numbers are sent as their digits, buffers byte by byte. */
export type Argument = string | number | Buffer;

/** A record as the functions answer it, by name. */
export type Fields = Record<string, unknown>;

const DIST = new URL("../../dist/", import.meta.url);

/** The functions of a library on the file's server. */
export interface TestFunctions {
  readonly server: TestServer;
  readonly client: TestClient;
  /** FCALL without keys; the reply as it came. */
  call(name: string, ...args: Argument[]): Promise<unknown>;
  /** FCALL_RO without keys. */
  read(name: string, ...args: Argument[]): Promise<unknown>;
  /** FCALL with keys. */
  routed(keys: string[], name: string, ...args: Argument[]): Promise<unknown>;
  /** A function that answers a record. */
  record(name: string, ...args: Argument[]): Promise<Fields>;
  /** The message of a call that is to fail; undefined if it did not. */
  refusal(name: string, ...args: Argument[]): Promise<string | undefined>;
}

/** Loads the library that the build has made. */
export async function loadLibrary(client: TestClient, library: string): Promise<void> {
  await client.sendCommand(["FUNCTION", "LOAD", "REPLACE", readFileSync(new URL(`${library}.lua`, DIST), "utf8")]);
}

/** The functions of a library by their declarations. */
export function readDeclarations(library: string): Declaration[] {
  const { libraries } = JSON.parse(readFileSync(new URL("manifest.json", DIST), "utf8")) as Manifest;
  const { functions } = libraries.find(({ name }) => name === library)!;
  const declared = functions.map(({ errors, rest, ...each }) => ({
    ...each,
    ...(rest && { rest: { ...rest, optional: rest.min === 0 } }),
    errors: errors.map(({ code }) => code),
  }));
  return declared as unknown as Declaration[];
}

const encode = (argument: Argument): string | Buffer => (typeof argument === "number" ? String(argument) : argument);

function send(
  client: TestClient,
  command: "FCALL" | "FCALL_RO",
  keys: string[],
  name: string,
  args: Argument[],
): Promise<unknown> {
  return client.sendCommand([command, name, String(keys.length), ...keys, ...args.map(encode)]);
}

/** FCALL with keys, on any connection; the reply as it came. */
export function fcallKeyed(client: TestClient, keys: string[], name: string, args: Argument[]): Promise<unknown> {
  return send(client, "FCALL", keys, name, args);
}

/** FCALL without keys, on any connection; the reply as it came. */
export function fcall(client: TestClient, name: string, ...args: Argument[]): Promise<unknown> {
  return send(client, "FCALL", [], name, args);
}

/** FCALL_RO without keys, on any connection; the reply as it came. */
export function fcallReadOnly(client: TestClient, name: string, ...args: Argument[]): Promise<unknown> {
  return send(client, "FCALL_RO", [], name, args);
}

/** A server for the file with a built library in it. Call it where `useServer` may be called. */
export function useFunctions(library: string, options: TestServerOptions = {}): TestFunctions {
  const server = useServer(options);
  beforeAll(() => loadLibrary(server.client, library));
  const call = (name: string, ...args: Argument[]): Promise<unknown> => fcall(server.client, name, ...args);
  return {
    server,
    get client() {
      return server.client;
    },
    call,
    read: (name, ...args) => fcallReadOnly(server.client, name, ...args),
    routed: (keys, name, ...args) => fcallKeyed(server.client, keys, name, args),
    record: async (name, ...args) => decodeRecord(await call(name, ...args)),
    refusal: (name, ...args) => refusalOf(call(name, ...args)),
  };
}

/** The message of a promise that is to be rejected; undefined if it is not. */
export async function refusalOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Field, value, field, value as an object. */
export function decodeRecord(reply: unknown): Fields {
  if (!Array.isArray(reply) || reply.length % 2 !== 0) throw new Error(`no record: ${JSON.stringify(reply)}`);
  const fields: Fields = {};
  for (let at = 0; at < reply.length; at += 2) fields[reply[at] as string] = reply[at + 1];
  return fields;
}
