/** How a table is doing, as programs have it. */
import type { HotpathFunctions } from "../contract";

/** Plans of a kind, layer and writer. */
export interface QueueStatus {
  kind: "merge" | "move" | "drop";
  /** Of the files that are merged; null for moves and drops. */
  iteration: number | null;
  layer: string;
  writerId: string;
  /** Plans that wait, ripe or not; null where they are of more than 1,000 folders. */
  waiting: number | null;
  /** Plans that were given out and not ended; null as well. */
  out: number | null;
  /** Folders with something to take now; for moves and drops 1 or 0. */
  due: number;
}

export interface TableStatus {
  /** Folders with files in them. */
  folders: number;
  /** Null where there are more than 1,000 days, or where the index is not complete. */
  files: number | null;
  /** Earliest and latest time of the files, nanoseconds; null where it is not known. Files that were removed may count. */
  minTime: bigint | null;
  maxTime: bigint | null;
  /** False where clients of GigAPI wrote without the functions, and no rebuild has passed since. */
  isComplete: boolean;
  isConfigured: boolean;
  /** Plans that nobody could read, and that were moved aside. */
  unreadable: number;
  plans: QueueStatus[];
}

type Reply = Awaited<ReturnType<HotpathFunctions["getTableStatus"]>>;

const bigintOf = (digits: string | null): bigint | null => (digits === null ? null : BigInt(digits));

/** Reads the reply of `get_table_status`. */
export function decodeStatus({
  folders,
  files,
  minNs,
  maxNs,
  known,
  configured,
  unreadable,
  plans,
}: Reply): TableStatus {
  return {
    ...{ folders, files, unreadable },
    minTime: bigintOf(minNs),
    maxTime: bigintOf(maxNs),
    isComplete: known === 1,
    isConfigured: configured === 1,
    plans: plans.map(([kind, iteration, layer, writerId, waiting, out, due]) => ({
      ...{ kind: kind as QueueStatus["kind"], iteration, layer, writerId, waiting, out, due },
    })),
  };
}
