/** Where commands that look at the tracker read: its functions, once for each partition. */
import type { TrackerConfig } from "./config";
import type { HotpathFunctions } from "../contract";
import { functionsOf } from "../deploy/client";
import type { Connection } from "../redis/connection";
import { partitionsOf } from "../redis/partitions";

export interface Source {
  /** Null outside of clusters. */
  partition: string | null;
  functions: HotpathFunctions;
}

/** The sources of a configuration; nothing is loaded where a library is missing, looking changes nothing. */
export function sourcesOf(
  connection: Connection,
  { tracker }: { tracker: Pick<TrackerConfig, "partitions"> },
): Source[] {
  return partitionsOf(tracker.partitions).map((partition) => ({
    partition,
    functions: functionsOf(connection, { partition }),
  }));
}
