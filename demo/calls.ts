/** The tracker as the demo talks to it: where its calls go, and by which clock they are made. */
import type { Connection } from "../host/redis/connection";
import { KEYS, type HotpathFunctions } from "../host/contract";
import type { RotateFunctions } from "../host/tracker/rotate";
import type { IngestFunctions } from "../host/tracker/ingest";
import { keyIn } from "../host/redis/partitions";
import { functionsOf } from "../host/deploy/client";
import type { Stopwatch } from "./tracker/stopwatch";

/** In a cluster, everything of a demo lies in one slot. */
const CLUSTER_PARTITION = "demo";

export interface Tracker {
  connection: Connection;
  functions: HotpathFunctions;
  /** Null outside of clusters, where names have no braces. */
  partition: string | null;
  /** Where a collector would write its events. */
  stream: string;
}

/** Makes the typed client for a connection. */
export function trackerOf(connection: Connection): Tracker {
  const partition = connection.isCluster ? CLUSTER_PARTITION : null;
  return {
    connection,
    functions: functionsOf(connection, { partition }),
    partition,
    stream: keyIn(KEYS.events, partition),
  };
}

/**
 * Ingest and rotation by a clock of our own, each call timed under the function's name.
 *
 * @param nowMs the clock, unix milliseconds
 */
export function functionsAt(
  functions: HotpathFunctions,
  nowMs: number,
  watch: Stopwatch,
): IngestFunctions & RotateFunctions {
  return {
    ingestEvents: (args) => watch.time("ingest_events", () => functions.ingestEvents({ ...args, now: nowMs })),
    rotatePg: (args) => watch.time("rotate_pg", () => functions.rotatePg({ ...args, now: nowMs })),
    rotateUd: (args) => watch.time("rotate_ud", () => functions.rotateUd({ ...args, now: nowMs })),
  };
}
