import { createHash } from "node:crypto";
import { RESP_TYPES } from "@redis/client";
import { useFunctions, type Argument, type Fields, type TestFunctions } from "./functions";
import type { TestClient, TestServerOptions } from "./server";
import { MINUTE } from "./time";
import { until } from "./wait";

export { DAY, HOUR, MINUTE } from "./time";

/** Noon of a day: a start of windows of every tier. */
export const NOON = Date.UTC(2024, 0, 15, 12);

/** The tracker's functions on the file's server. */
export interface TestTracker extends TestFunctions {
  /** Calls until `remaining` is 0; answers how often it did. */
  drain(name: string, ...args: Argument[]): Promise<number>;
}

/** A server for the file with the built tracker in it. Call it where `useServer` may be called. */
export function useTracker(options: TestServerOptions = {}): TestTracker {
  const functions = useFunctions("tracker", options);
  return Object.assign(functions, {
    drain: async (name: string, ...args: Argument[]) => {
      for (let calls = 1; calls <= MAX_CALLS; calls += 1) {
        if ((await functions.record(name, ...args))["remaining"] === 0) return calls;
      }
      throw new Error(`${name} ${args.join(" ")} still has work after ${MAX_CALLS} calls`);
    },
  });
}

/** A function that does not get further must fail a test, not hang it. */
const MAX_CALLS = 1_000;

/** SHA-1 of the UTF-8 bytes of a text, as ids are made. */
export function sha1(text: string | Buffer): string {
  return createHash("sha1").update(text).digest("hex");
}

/** An event as JSON. */
export function event(url: string, uui: string, dt: number | string, media: Fields = {}): string {
  return JSON.stringify({ url, uui, dt, ...media });
}

const AS_BYTES = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };

/** All keys of the file's database, sorted. */
export async function allKeys(client: TestClient): Promise<string[]> {
  const keys = new Set<string>();
  let cursor = "0";
  do {
    const [next, found] = (await client.sendCommand(["SCAN", cursor, "COUNT", "1000"])) as unknown as [
      string,
      string[],
    ];
    for (const key of found) keys.add(key);
    cursor = next;
  } while (cursor !== "0");
  return [...keys].sort();
}

/**
 * Key, hash, key, hash: what is serialized and when it expires, in one round trip. Nil while a key is about to go:
 * rotation lets its sources go that way, and what was seen a moment earlier would be another database.
 */
const DIGEST = `
local found = redis.call('KEYS', '*')
for _, key in ipairs(found) do
  local left = redis.call('PTTL', key)
  if left >= 0 and left < 100 then return false end
end
table.sort(found)
local flat = {}
for _, key in ipairs(found) do
  flat[#flat + 1] = key
  flat[#flat + 1] = redis.sha1hex(redis.call('DUMP', key) .. (ARGV[1] == 'times' and redis.call('PEXPIRETIME', key) or ''))
end
return flat`;

/** Every key with a hash of its value and of the time it expires at: equal if and only if nothing was written. */
export function digest(client: TestClient): Promise<Record<string, string>> {
  return digestOf(client, "times");
}

/** Every key with a hash of its value alone. */
export function digestOfValues(client: TestClient): Promise<Record<string, string>> {
  return digestOf(client, "values");
}

async function digestOf(client: TestClient, what: "times" | "values"): Promise<Record<string, string>> {
  const ask = (): Promise<string[] | null> =>
    client.sendCommand(["EVAL", DIGEST, "0", what]) as unknown as Promise<string[] | null>;
  return Object.fromEntries(pairs(await until(ask, { intervalMs: 1, what: "keys to go" })));
}

/** A database as it was, to be put back any number of times. */
export type Snapshot = { key: string; dump: Buffer; expires: number }[];

/** Everything in the file's database. */
export async function takeSnapshot(client: TestClient): Promise<Snapshot> {
  return Promise.all(
    Object.keys(await digest(client)).map(async (key) => {
      const [dump, expires] = await Promise.all([
        client.sendCommand(["DUMP", key], AS_BYTES),
        client.sendCommand(["PEXPIRETIME", key]),
      ]);
      return { key, dump: dump as unknown as Buffer, expires: Math.max(Number(expires), 0) };
    }),
  );
}

/** Puts keys back, with the times they expire at. */
export async function restore(client: TestClient, snapshot: Snapshot): Promise<void> {
  await Promise.all(
    snapshot.map(({ key, dump, expires }) =>
      client.sendCommand(["RESTORE", key, String(expires), dump, "ABSTTL", "REPLACE"]),
    ),
  );
}

/** What a key holds, in an order that does not depend on how it came in, and how many minutes it has left. */
export interface Content {
  type: string;
  value: unknown;
  minutesLeft: number;
}

/** Every key with what it holds. */
export async function contents(client: TestClient): Promise<Record<string, Content>> {
  const keys = Object.keys(await digest(client));
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await contentOf(client, key)] as const)));
}

async function contentOf(client: TestClient, key: string): Promise<Content> {
  const type = String(await client.sendCommand(["TYPE", key]));
  const [value, left] = await Promise.all([valueOf(client, type, key), client.sendCommand(["PTTL", key])]);
  return { type, value, minutesLeft: Math.ceil(Number(left) / MINUTE) };
}

async function valueOf(client: TestClient, type: string, key: string): Promise<unknown> {
  const send = async (...args: string[]): Promise<Buffer[]> =>
    (await client.sendCommand(args, AS_BYTES)) as unknown as Buffer[];
  const texts = (values: Buffer[]): string[] => values.map((each) => each.toString("latin1"));
  switch (type) {
    case "hash":
    case "zset": {
      const flat = texts(
        type === "hash" ? await send("HGETALL", key) : await send("ZRANGE", key, "0", "-1", "WITHSCORES"),
      );
      // The id of an announcement is a time of the server.
      return Object.fromEntries(
        pairs(flat)
          .filter(([field]) => field !== "announced")
          .sort(),
      );
    }
    case "set":
      return texts(await send("SMEMBERS", key)).sort();
    case "string":
      return ((await client.sendCommand(["GET", key], AS_BYTES)) as unknown as Buffer).toString("hex");
    case "list":
      return texts(await send("LRANGE", key, "0", "-1"));
    case "stream":
      return ((await client.sendCommand(["XRANGE", key, "-", "+"])) as unknown as [string, string[]][]).map(
        ([, fields]) => fields,
      );
    default:
      throw new Error(`${key} holds a ${type}`);
  }
}

function pairs(flat: string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!]);
}
