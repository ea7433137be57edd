/** Ingest: counting what arrives on a stream, as soon as it arrives. */
import type { Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { follow } from "../jobs/follow";
import { keepRunning, type Service } from "../jobs/service";
import { addSlices, type SliceSums } from "../jobs/slices";
import type { StreamConfig } from "./config";
import type { TrackerMetrics } from "./metrics";

export type IngestFunctions = Pick<HotpathFunctions, "ingestEvents">;

export type IngestSummary = SliceSums<{ read: number; accepted: number; rejected: number; late: number }>;

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
  return addSlices(
    sums,
    () => functions.ingestEvents(args),
    () => !signal.aborted,
  );
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

/** Counts what arrives on the stream until the host stops. */
export async function serveIngest(service: Service, stream: StreamConfig, metrics: TrackerMetrics): Promise<void> {
  const { host, log, signal, troubles } = service;
  const source = `ingest ${stream.key}`;
  await keepRunning(service, source, async () => {
    const reading = await host.connection.duplicate();
    try {
      await followStream(host.functions(stream.partition), stream, reading, signal, (summary) => {
        troubles.clear(source);
        metrics.ingested(stream.key, summary);
        if (summary.read > 0) log.debug({ job: "ingest", stream: stream.key, ...summary }, "ingested");
      });
    } finally {
      reading.close();
    }
  });
}
