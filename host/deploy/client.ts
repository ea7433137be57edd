/** The functions of all libraries over a connection. */
import type { Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { healLibrary } from "./deploy";
import { createFunctions } from "../redis/functions";
import { readBundle } from "./libraries";
import { routingKeyOf } from "../redis/partitions";

export interface ClientOptions {
  /** In a cluster: whose keys the calls are about. Without it names have no braces. */
  partition?: string | null;
  /** Loads this package's library where the server has none, as after a failover to an empty replica. Default: no. */
  heal?: boolean;
}

/** The typed client of a connection; its calls answer with HotpathErrors where functions refuse them. */
export function functionsOf(
  connection: Connection,
  { partition = null, heal = false }: ClientOptions = {},
): HotpathFunctions {
  return createFunctions((args, options) => connection.send(args, options), {
    ...(partition !== null && { routingKey: routingKeyOf(partition) }),
    ...(heal && { heal: (library: string) => healLibrary(connection, readBundle(), library) }),
  });
}
