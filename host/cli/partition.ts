/** `--partition` of commands that count into the tracker. */
import type { Config } from "../config";
import { UsageError } from "../runtime/errors";

export interface PartitionOptions {
  partition?: string;
  /** Also one that the configuration does not name. */
  anyPartition?: boolean;
}

/** How it is declared, beside `--partition`. */
export const ANY_PARTITION = [
  "--any-partition",
  "with --partition: also one that the configuration does not name",
] as const;

/**
 * The partition that a command counts into; null on a single server without partitions.
 *
 * @throws UsageError in a cluster without one, and for one that no host rotates and no command shows, as a misspelt one
 */
export function chosenPartition(
  { tracker }: Pick<Config, "tracker">,
  isCluster: boolean,
  { partition, anyPartition = false }: PartitionOptions,
): string | null {
  if (partition === undefined) {
    if (isCluster) throw new UsageError("in a cluster, --partition names the partition that the events belong to");
    return null;
  }
  if (anyPartition || tracker.partitions.includes(partition)) return partition;
  const named = tracker.partitions.filter((each) => each !== null).join(", ") || "nothing";
  throw new UsageError(
    `tracker.partitions names ${named}, and not '${partition}': no host would rotate what is counted there; ` +
      "--any-partition counts it all the same",
  );
}
