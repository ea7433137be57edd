/**
 * Events and scans that carry an `id`: one that comes again, by a call or by a stream, is counted once, for as long as repeats come.
 * Each id is a key with a time to live; see kept.ts for its memory.
 */
import { clock } from "./clock";
import { keep, requireRoom } from "./kept";

export const MAX_ID_BYTES = 64;

/** The ids of one call, or of one step of it. */
export interface Ids {
  /** The keys of those that are new, in the order in which they came. */
  fresh: string[];
  seen: LuaSet<string>;
}

/** No ids so far. */
export function newIds(): Ids {
  return { fresh: [], seen: new LuaSet() };
}

/**
 * Whether an id was counted before, in this call too; else it is one of those that `keepIds` keeps.
 *
 * @param name its key
 */
export function isRepeated({ fresh, seen }: Ids, name: string): boolean {
  if (seen.has(name) || redis.call("EXISTS", name) === 1) return true;
  seen.add(name);
  fresh.push(name);
  return false;
}

/** Takes the last id back: what carried it was refused. */
export function dropLast({ fresh, seen }: Ids): void {
  seen.delete(table.remove(fresh) as string);
}

/** Fails with LIMIT, before anything is counted, if no more ids may be kept. */
export function requireRoomFor({ fresh }: Ids): void {
  if (fresh.length > 0) requireRoom();
}

/**
 * Keeps the ids of what was counted.
 *
 * @param keepMs for how long, by the server's clock: repeats come by that one, whatever NOW says
 */
export function keepIds({ fresh }: Ids, keepMs: number): void {
  const at = `${clock(undefined)}`;
  for (const name of fresh) keep(name, at, keepMs);
}
