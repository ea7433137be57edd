/** Where commands that look at the tracker read: its functions, once for each partition. */
import { requirePartitions, type TrackerConfig } from "./config";
import type { HotpathFunctions } from "../contract";
import { functionsOf } from "../deploy/client";
import type { Connection } from "../redis/connection";

export interface Source {
  /** Null outside of clusters. */
  partition: string | null;
  functions: HotpathFunctions;
}

/**
 * The sources of a configuration; nothing is loaded where a library is missing, looking changes nothing.
 *
 * @throws UserError in a cluster whose configuration names no partition of the tracker
 */
export function sourcesOf(
  connection: Connection,
  { tracker }: { tracker: Pick<TrackerConfig, "partitions"> },
): Source[] {
  return requirePartitions(tracker).map((partition) => ({
    partition,
    functions: functionsOf(connection, { partition }),
  }));
}
