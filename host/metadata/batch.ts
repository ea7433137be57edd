/** Writing any number of entries with a function that takes a bounded number. */
import { LIMITS, type HotpathFunctions } from "../contract";
import { HotpathError } from "../runtime/errors";
import type { TableName } from "./entries";

/** Of JSON, in characters: entries with the ranges of many columns would hold the server, and the connection, for long. */
const MAX_LENGTH_PER_CALL = 1_000_000;

/** An entry of a batch was refused. */
export class BatchError extends HotpathError {
  override name = "BatchError";

  constructor(
    { code, message, functionName }: HotpathError,
    /** How many entries of the batch, from its beginning, are in the index all the same. */
    readonly written: number,
  ) {
    super(code, batchMessage(message, written), functionName);
  }
}

/** The function counts from the beginning of its call. */
function batchMessage(message: string, written: number): string {
  const inBatch = message.replace(/^entry (\d+)/, (_, index: string) => `entry ${Number(index) + written}`);
  return written === 0
    ? inBatch
    : `${inBatch} (the first ${written} entries of the batch are written; the whole of it may be repeated)`;
}

/**
 * Calls `patch_index` as often as it takes, one call after the other. Each call is all or nothing.
 *
 * @param entries JSON
 * @param now clock of the calls, unix milliseconds; the server's if undefined
 * @returns how many entries were processed
 * @throws BatchError if one is refused
 */
export async function patchInChunks(
  functions: Pick<HotpathFunctions, "patchIndex">,
  { database: db, table }: TableName,
  entries: readonly string[],
  now: number | undefined,
): Promise<number> {
  let written = 0;
  while (written < entries.length) {
    const chunk = entries.slice(written, chunkEnd(entries, written));
    try {
      await functions.patchIndex({ db, table, entries: chunk, ...(now !== undefined && { now }) });
    } catch (error) {
      throw error instanceof HotpathError ? new BatchError(error, written) : error;
    }
    written += chunk.length;
  }
  return written;
}

/** At least one entry: of a single one that is too large, the server says so. */
function chunkEnd(entries: readonly string[], from: number): number {
  let end = from + 1;
  let length = entries[from]!.length;
  while (end < entries.length && end - from < LIMITS.entriesPerCall) {
    length += entries[end]!.length;
    if (length > MAX_LENGTH_PER_CALL) break;
    end += 1;
  }
  return end;
}
