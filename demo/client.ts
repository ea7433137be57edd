/** Redis as the demos talk to it: where their calls go. */
import type { Connection } from "../host/redis/connection";
import { KEYS, type HotpathFunctions } from "../host/contract";
import { keyIn } from "../host/redis/partitions";
import { functionsOf } from "../host/deploy/client";

/** In a cluster, everything of a demo lies in one slot. */
const CLUSTER_PARTITION = "demo";

export interface DemoClient {
  connection: Connection;
  functions: HotpathFunctions;
  /** Null outside of clusters, where names have no braces. */
  partition: string | null;
  /** Where a collector would write its events. */
  stream: string;
}

/** Makes the typed client for a connection. */
export function clientOf(connection: Connection): DemoClient {
  const partition = connection.isCluster ? CLUSTER_PARTITION : null;
  return {
    connection,
    functions: functionsOf(connection, { partition }),
    partition,
    stream: keyIn(KEYS.events, partition),
  };
}
