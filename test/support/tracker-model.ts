/** Calls of the tracker for its model, crash and race tests: the built library, and replies by field name. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TestClient } from "./server";

const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** A time at which windows of all tiers begin. */
export const EPOCH_MS = Date.UTC(2026, 0, 15);

export type Dimension = "W" | "S" | "P" | "A" | "V" | "PC";

/** An event as it is sent. */
export interface SentEvent {
  url: string;
  uui: string;
  dt: number;
  audio?: string;
  video?: string;
  podcast?: string;
}

export type Reply = Record<string, unknown>;
export type Argument = string | number;

/** Loads the library that `npm run build` has made. */
export async function loadTracker(client: TestClient): Promise<void> {
  await client.sendCommand(["FUNCTION", "LOAD", "REPLACE", readFileSync("dist/tracker.lua", "utf8")]);
}

export function idOf(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** A function's reply as it came. */
export async function fcall(client: TestClient, name: string, ...args: Argument[]): Promise<unknown> {
  return client.sendCommand(["FCALL", name, "0", ...args.map(String)]);
}

/** A record by field; undefined for nil. */
export async function record(client: TestClient, name: string, ...args: Argument[]): Promise<Reply | undefined> {
  const flat = (await fcall(client, name, ...args)) as unknown[] | null;
  if (flat === null) return undefined;
  const fields: Reply = {};
  for (let at = 0; at < flat.length; at += 2) fields[String(flat[at])] = flat[at + 1];
  return fields;
}

/** Counts events with track_events, as many a call as it takes. */
export async function track(client: TestClient, events: SentEvent[], nowMs: number): Promise<void> {
  for (let at = 0; at < events.length; at += 1000) {
    const part = events.slice(at, at + 1000);
    const reply = await record(client, "track_events", ...part.map((each) => JSON.stringify(each)), "NOW", nowMs);
    if (reply?.["accepted"] !== part.length) throw new Error(`not all events were accepted: ${JSON.stringify(reply)}`);
  }
}

/** Far more calls than any test needs: a rotation that makes no progress must end a test, not hang it. */
const MAX_CALLS = 20_000;

/** Calls both rotations until nothing remains. */
export async function drainRotations(client: TestClient, nowMs: number, ...options: Argument[]): Promise<void> {
  for (const name of ["rotate_pg", "rotate_ud"]) {
    let calls = 0;
    for (let remaining: unknown = 1; remaining === 1; calls += 1) {
      if (calls > MAX_CALLS) throw new Error(`${name} answers remaining after ${calls} calls`);
      remaining = (await record(client, name, ...options, "NOW", nowMs))?.["remaining"];
    }
  }
}
