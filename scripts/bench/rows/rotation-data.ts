/** A finished five-minute window, as counting leaves it for rotation, written without counting. */
import type { Bench, Reply } from "../bench";
import { encode } from "../pipeline";
import { random, sha1 } from "../traffic";
import { DAY_MS, MINUTE_MS } from "../../../host/runtime/time";

const MINUTES = 5;
const WINDOW_MS = MINUTES * MINUTE_MS;
/** `UNMERGED_KEEP_MS` of the tracker. */
export const UNMERGED_KEEP_MS = 8 * DAY_MS;
const MAX_DEVICES = 5;
const HASH_CHUNK = 1000;

export interface RotationData {
  /** Start of the window, and of its minutes. */
  startMs: number;
  minutes: number[];
  ids: string[];
}

/** A window that is over, of so many pages. */
export function rotationData(pages: number): RotationData {
  const startMs = (Math.floor(Date.now() / WINDOW_MS) - 1) * WINDOW_MS;
  return {
    startMs,
    minutes: Array.from({ length: MINUTES }, (_, index) => startMs + index * MINUTE_MS),
    ids: Array.from({ length: pages }, (_, index) => sha1(`page ${index}`)),
  };
}

export function minuteDevices(id: string, minuteMs: number): string {
  return `HLL:1MINUTE:P:${id}:${minuteMs}:UD`;
}

export function windowDevices(id: string, startMs: number): string {
  return `HLL:5MINUTES:P:${id}:${startMs}:UD`;
}

function inChunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Every page's HyperLogLog of every minute, with 1 to 5 devices, and the announcements. */
export function devicesCommands({ startMs, minutes, ids }: RotationData): Buffer[] {
  const next = random();
  const commands: Buffer[] = [];
  for (const id of ids) {
    for (const minuteMs of minutes) {
      const devices = Array.from(
        { length: 1 + Math.floor(next() * MAX_DEVICES) },
        () => `device-${Math.floor(next() * 50_000)}`,
      );
      const name = minuteDevices(id, minuteMs);
      commands.push(encode(["PFADD", name, ...devices]), encode(["PEXPIRE", name, UNMERGED_KEEP_MS]));
    }
  }
  const open = `S:5MINUTES.OPEN:P::${startMs}:UD`;
  for (const part of inChunks(ids, HASH_CHUNK)) commands.push(encode(["SADD", open, ...part]));
  commands.push(encode(["PEXPIRE", open, UNMERGED_KEEP_MS]));
  commands.push(encode(["ZADD", "SS:5MINUTES.PENDING:P:::UD", startMs, startMs]));
  return commands;
}

/** Every page's views of every minute, and the announcement. */
export function viewsCommands({ startMs, minutes, ids }: RotationData): Buffer[] {
  const next = random();
  const commands: Buffer[] = [];
  for (const minuteMs of minutes) {
    const open = `H:1MINUTE.OPEN:P::${minuteMs}:PG`;
    for (const part of inChunks(ids, HASH_CHUNK)) {
      commands.push(encode(["HSET", open, ...part.flatMap((id) => [id, 1 + Math.floor(next() * 20)])]));
    }
    commands.push(encode(["PEXPIRE", open, UNMERGED_KEEP_MS]));
  }
  commands.push(encode(["ZADD", "SS:5MINUTES.PENDING:P:::PG", startMs, startMs]));
  return commands;
}

function remainingOf(reply: Reply): boolean {
  const flat = reply as (string | number)[];
  return flat[flat.indexOf("remaining") + 1] === 1;
}

/** Calls one after the other until nothing remains, as a host does; how many calls it took. */
export async function rotateInSequence(bench: Bench, name: string, ...options: (string | number)[]): Promise<number> {
  for (let calls = 1; ; calls += 1) {
    if (!remainingOf(await bench.call("FCALL", name, 0, ...options))) return calls;
  }
}

/** @throws Error if a rotation has left something, or has not carried every page on */
export async function requireRotated(bench: Bench, name: string, above: string, pages: number): Promise<void> {
  const left = await bench.call("FCALL", name, 0, "TIER", "5MINUTES");
  const [windows, merged, remaining] = [1, 3, 5].map((at) => (left as number[])[at]);
  const size = await bench.call(above.startsWith("S:") ? "SCARD" : "ZCARD", above);
  if (windows !== 0 || merged !== 0 || remaining !== 0 || size !== pages) {
    throw new Error(`${name} left ${JSON.stringify(left)}; ${above} has ${size} of ${pages} pages`);
  }
}
