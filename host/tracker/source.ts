/** Where commands that look at the tracker read: its functions, once for each partition. */
import { partitionsOf, type TrackerConfig } from "./config";
import type { Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { HotpathError, UserError } from "../runtime/errors";
import { createFunctions } from "../redis/functions";
import { routingKeyOf } from "../redis/partitions";

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
  return partitionsOf(tracker).map((partition) => ({
    partition,
    functions: createFunctions(
      (args, options) => connection.send(args, options),
      partition === null ? {} : { routingKey: routingKeyOf(partition) },
    ),
  }));
}

/** The server's clock, unix milliseconds. */
export async function readClock(connection: Connection): Promise<number> {
  const [primary] = await connection.primaries();
  const [seconds, microseconds] = (await primary!.send(["TIME"])) as [string, string];
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}

/** An error as a person can mend it: a function that the server does not know is a matter of deploying. */
export function explainMissing(error: unknown): unknown {
  if (error instanceof HotpathError && /function not found/i.test(error.message)) {
    return new UserError("the server has no tracker, or an older one; run: hotpath deploy");
  }
  return error;
}
