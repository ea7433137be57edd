/** Ingest: counting what arrives on a stream, as soon as it arrives. */
import type { StreamConfig } from "../config";
import type { Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { follow } from "../jobs/follow";
import { addSlices } from "../jobs/slices";

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
  const sums = { read: 0, accepted: 0, rejected: 0, late: 0 };
  const args = { stream: stream.key, ...(stream.limit !== undefined && { limit: stream.limit }) };
  return addSlices(sums, () => functions.ingestEvents(args), signal);
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
  await follow(stream, connection, signal, async () => onDrained(await drain(functions, stream, signal)));
}
