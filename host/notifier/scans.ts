/** Ingest of scans: what arrives on a topic's stream, each entry once. */
import type { HotpathFunctions } from "../contract";
import { addSlices, type SliceSums } from "../jobs/slices";

export type ScanFunctions = Pick<HotpathFunctions, "ingestScans">;
export type ScanSummary = SliceSums<{ read: number; accepted: number; rejected: number }>;

/**
 * Calls `ingest_scans` until the stream is read to its end. Any number of hosts may do this at once.
 *
 * @param limit entries a call; the function's own default if undefined
 * @param signal ends it between two calls
 */
export async function drainScans(
  functions: ScanFunctions,
  topic: string,
  limit: number | undefined,
  signal: AbortSignal,
): Promise<ScanSummary> {
  const args = { topic, ...(limit !== undefined && { limit }) };
  return addSlices(
    { read: 0, accepted: 0, rejected: 0 },
    () => functions.ingestScans(args),
    () => !signal.aborted,
  );
}
