/** Calls of the tracker for its model, crash and race tests. */
import { decodeRecord, fcall, type Argument, type Fields } from "./functions";
import type { TestClient } from "./server";

export { DAY as DAY_MS, HOUR as HOUR_MS, MINUTE as MINUTE_MS } from "./time";
export { sha1 as idOf } from "./tracker";

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

/** A record by field; undefined for nil. */
export async function record(client: TestClient, name: string, ...args: Argument[]): Promise<Fields | undefined> {
  const reply = await fcall(client, name, ...args);
  return reply === null ? undefined : decodeRecord(reply);
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
