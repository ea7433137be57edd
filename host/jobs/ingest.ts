/** Ingest: counting what arrives on a stream, as soon as it arrives. */
import type { StreamConfig } from "../config";
import type { Connection } from "../connection";
import type { HotpathFunctions } from "../contract";
import { routingKeyOf } from "../partitions";
import { pause } from "../wait";

export type IngestFunctions = Pick<HotpathFunctions, "ingestEvents">;

export interface IngestSummary {
  read: number;
  accepted: number;
  rejected: number;
  late: number;
  /** Calls that it took. */
  slices: number;
  /** False if it was ended before the stream was read to its end. */
  finished: boolean;
}

/** How long a read waits for an entry. Shorter than the time after which a silent connection is given up. */
const BLOCK_MS = 5000;
/** After the first entry, so long is waited for more: a busy stream would wake us for each, and a call takes many. */
const GATHER_MS = 20;

/**
 * Calls `ingest_events` until the stream is read to its end. The cursor is in Redis and moves with the counters, so that any
 * number of hosts may do this at once.
 *
 * @param signal ends it between two calls
 */
export async function drain(
  functions: IngestFunctions,
  stream: StreamConfig,
  signal: AbortSignal,
): Promise<IngestSummary> {
  const summary: IngestSummary = { read: 0, accepted: 0, rejected: 0, late: 0, slices: 0, finished: false };
  const args = { stream: stream.key, ...(stream.limit !== undefined && { limit: stream.limit }) };
  while (!signal.aborted) {
    const { read, accepted, rejected, late, remaining } = await functions.ingestEvents(args);
    summary.read += read;
    summary.accepted += accepted;
    summary.rejected += rejected;
    summary.late += late;
    summary.slices += 1;
    if (remaining === 0) return { ...summary, finished: true };
  }
  return summary;
}

/**
 * Drains the stream and waits for more, until the signal is aborted.
 *
 * @param connection of its own: its reads block
 * @param onDrained told after each round
 * @throws UnavailableError if Redis is away; call it again when it is back
 */
export async function followStream(
  functions: IngestFunctions,
  stream: StreamConfig,
  connection: Connection,
  signal: AbortSignal,
  onDrained: (summary: IngestSummary) => void,
): Promise<void> {
  const interrupt = (): void => connection.close();
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    while (!signal.aborted) {
      // Before the drain: what is added after this line wakes the read below, also if it comes between the two.
      const lastId = await readLastId(connection, stream);
      onDrained(await drain(functions, stream, signal));
      if (signal.aborted) return;
      if (await waitForEntry(connection, stream, lastId)) await pause(GATHER_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}

async function readLastId(connection: Connection, stream: StreamConfig): Promise<string> {
  const entries = await connection.send(["XREVRANGE", stream.key, "+", "-", "COUNT", "1"], routing(stream));
  return (entries as [string, unknown][])[0]?.[0] ?? "0-0";
}

async function waitForEntry(connection: Connection, stream: StreamConfig, afterId: string): Promise<boolean> {
  const command = ["XREAD", "COUNT", "1", "BLOCK", String(BLOCK_MS), "STREAMS", stream.key, afterId];
  return (await connection.send(command, routing(stream))) !== null;
}

function routing(stream: StreamConfig): { routingKey?: string } {
  return stream.partition === null ? {} : { routingKey: routingKeyOf(stream.partition) };
}
