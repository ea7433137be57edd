/** Where commands that look at the tracker read: the partitions that count the same websites are one source. */
import { requirePartitions, type TrackerConfig } from "./config";
import { functionsOf } from "../deploy/client";
import type { Connection } from "../redis/connection";
import { unitedReads, type TrackerReads } from "./shared";

export interface Source {
  /** What tells it from others: its first partition; null outside of clusters. */
  partition: string | null;
  functions: TrackerReads;
  /** End of what rotation has made in all its partitions, unix milliseconds; null if it never ran in one. */
  rotatedUntil(): Promise<number | null>;
}

/**
 * The sources of a configuration; nothing is loaded where a library is missing, looking changes nothing.
 *
 * @throws UserError in a cluster whose configuration names no partition of the tracker
 */
export function sourcesOf(
  connection: Connection,
  { tracker }: { tracker: Pick<TrackerConfig, "partitions" | "groups"> },
): Source[] {
  requirePartitions(tracker);
  return tracker.groups.map((group) => {
    const each = group.map((partition) => functionsOf(connection, { partition }));
    return {
      partition: group[0]!,
      functions: unitedReads(each),
      rotatedUntil: async () => leastOf(await Promise.all(each.map((one) => one.getTrackerStatus()))),
    };
  });
}

function leastOf(statuses: readonly { rotatedUntil: number | null }[]): number | null {
  const ends = statuses.map(({ rotatedUntil }) => rotatedUntil);
  return ends.includes(null) ? null : Math.min(...ends.map(Number));
}
