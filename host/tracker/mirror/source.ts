/** The other server's stream: read and never written to. */
import type { Connection } from "../../redis/connection";
import { ReplyError } from "../../runtime/errors";

export interface Entry {
  id: string;
  fields: Record<string, string>;
}

/** A place in a stream. */
export interface StreamPosition {
  /** The id of the last entry counted. */
  id: string;
  /** How many of all entries ever added lie up to it: what tells whether entries went missing. */
  ordinal: number;
}

/** Entries after a place. */
export interface Batch {
  entries: Entry[];
  /** How many entries were removed between the place and the first of these. */
  missing: number;
  /** The place to count on from; not the one that was asked for where entries are missing or the stream was begun anew. */
  from: StreamPosition;
  isBegunAnew: boolean;
}

interface StreamInfo {
  length: number;
  added: number;
  lastId: string;
  firstId: string | undefined;
}

/** Before the first entry of any stream. */
export const FIRST_ID = "0-0";

/** Shorter than the time after which a silent connection is given up. */
const BLOCK_MS = 5000;

/**
 * Reads entries after a place, and finds out whether all that came after it are there.
 *
 * The stream may be trimmed at any time, so its state is asked after the entries: by it their ordinals are told.
 *
 * @param place undefined to begin with the first entry there is
 */
export async function readBatch(
  connection: Connection,
  stream: string,
  place: StreamPosition | undefined,
  count: number,
): Promise<Batch> {
  const after = place?.id ?? FIRST_ID;
  for (;;) {
    const [entries, info] = await Promise.all([range(connection, stream, after, count), inspect(connection, stream)]);
    if (place !== undefined && isBegunAnew(info, place)) return begunAnew(info);
    const before = ordinalBefore(entries, info, after, place);
    if (before === undefined) continue;
    // What comes after the place cannot have fewer before it than the place has: it is another stream of the same name.
    if (place !== undefined && entries.length > 0 && before < place.ordinal) return begunAnew(info);
    const missing = place === undefined ? 0 : Math.max(0, before - place.ordinal);
    const id = missing > 0 && entries.length === 0 ? info.lastId : after;
    return { entries, missing, from: { id, ordinal: before }, isBegunAnew: false };
  }
}

/** How many entries were ever added before the first one read; undefined where the stream was trimmed past them all since. */
function ordinalBefore(
  entries: readonly Entry[],
  info: StreamInfo,
  after: string,
  place: StreamPosition | undefined,
): number | undefined {
  const removed = info.added - info.length;
  const { firstId } = info;
  if (firstId === undefined) return entries.length === 0 ? info.added : undefined;
  // Trimming takes the oldest: what was read last is there still, so nothing after it has gone.
  if (place !== undefined && compareIds(firstId, after) <= 0) return place.ordinal;
  // It came after the entries were read, and will be read with the next ones.
  if (entries.length === 0) return place?.ordinal ?? removed;
  const at = entries.findIndex(({ id }) => id === firstId);
  return at < 0 ? undefined : removed - at;
}

/** Deleted and written anew: fewer entries than were counted, or ids that lie before. */
function isBegunAnew({ added, lastId }: StreamInfo, { id, ordinal }: StreamPosition): boolean {
  return added > 0 && (added < ordinal || compareIds(lastId, id) < 0);
}

function begunAnew({ added, length }: StreamInfo): Batch {
  return { entries: [], missing: 0, from: { id: FIRST_ID, ordinal: added - length }, isBegunAnew: true };
}

/** Negative where `a` is before `b`, 0 where they are equal. */
export function compareIds(a: string, b: string): number {
  const [aMs = 0n, aSequence = 0n] = a.split("-").map(BigInt);
  const [bMs = 0n, bSequence = 0n] = b.split("-").map(BigInt);
  if (aMs !== bMs) return aMs < bMs ? -1 : 1;
  return aSequence === bSequence ? 0 : aSequence < bSequence ? -1 : 1;
}

async function range(connection: Connection, stream: string, after: string, count: number): Promise<Entry[]> {
  const reply = (await connection.send(["XRANGE", stream, `(${after}`, "+", "COUNT", String(count)], {
    routingKey: stream,
  })) as [string, string[]][];
  return reply.map(([id, flat]) => ({ id, fields: Object.fromEntries(pairs(flat)) }));
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at]!, flat[2 * at + 1]!]);
}

async function inspect(connection: Connection, stream: string): Promise<StreamInfo> {
  const flat = await infoOf(connection, stream);
  const value = (name: string): unknown => flat[flat.indexOf(name) + 1];
  if (flat.length === 0) return { length: 0, added: 0, lastId: FIRST_ID, firstId: undefined };
  const first = value("first-entry") as [string] | null;
  return {
    length: Number(value("length")),
    added: Number(value("entries-added")),
    lastId: String(value("last-generated-id")),
    firstId: first?.[0],
  };
}

async function infoOf(connection: Connection, stream: string): Promise<unknown[]> {
  try {
    return (await connection.send(["XINFO", "STREAM", stream], { routingKey: stream })) as unknown[];
  } catch (error) {
    if (error instanceof ReplyError && /no such key/i.test(error.sentence)) return [];
    throw error;
  }
}

/** Waits for an entry after a place, a few seconds at most. */
export async function waitForEntry(connection: Connection, stream: string, after: string): Promise<void> {
  await connection.send(["XREAD", "COUNT", "1", "BLOCK", String(BLOCK_MS), "STREAMS", stream, after], {
    routingKey: stream,
  });
}
