/** Whether two runs left the same database: a bench that compares different work is worthless. */
import type { Bench } from "./bench";

/** Between writing and reading, times to live run down; more than this apart, they were set differently (the slack is 60 s). */
const LIFE_TOLERANCE_MS = 30_000;
const SCAN_COUNT = 10_000;

interface Value {
  digest: string;
  lifeMs: number;
}

/** A picture of a database: digest and time to live of every key. */
export type Picture = Map<string, Value>;

async function allKeys(bench: Bench): Promise<string[]> {
  const keys = new Set<string>();
  let cursor = "0";
  do {
    const [next, found] = (await bench.call("SCAN", cursor, "COUNT", SCAN_COUNT)) as [string, string[]];
    for (const key of found) keys.add(key);
    cursor = next;
  } while (cursor !== "0");
  return [...keys];
}

/** Digests and times to live of all keys, now. */
export async function takePicture(bench: Bench): Promise<Picture> {
  const picture: Picture = new Map();
  const keys = await allKeys(bench);
  for (let at = 0; at < keys.length; at += SCAN_COUNT) {
    const part = keys.slice(at, at + SCAN_COUNT);
    const digests = (await bench.call("DEBUG", "DIGEST-VALUE", ...part)) as string[];
    const lives = (await Promise.all(part.map((key) => bench.call("PTTL", key)))) as number[];
    part.forEach((key, index) => picture.set(key, { digest: digests[index]!, lifeMs: lives[index]! }));
  }
  return picture;
}

function difference(key: string, a: Value | undefined, b: Value | undefined): string | undefined {
  if (a === undefined || b === undefined) return `${key} is in one only`;
  if (a.digest !== b.digest) return `${key} holds different values`;
  if (Math.abs(a.lifeMs - b.lifeMs) > LIFE_TOLERANCE_MS) return `${key} lives ${a.lifeMs} and ${b.lifeMs} ms`;
  return undefined;
}

/** @throws Error with the first keys that differ */
export function requireSame(what: string, a: Picture, b: Picture): void {
  const differences = [...new Set([...a.keys(), ...b.keys()])]
    .map((key) => difference(key, a.get(key), b.get(key)))
    .filter((found) => found !== undefined);
  if (differences.length === 0) return;
  const shown = differences.slice(0, 5).join("\n  ");
  throw new Error(`${what}: ${differences.length} of ${a.size} keys differ\n  ${shown}`);
}
