/** The typed client of a connection. It lies here and not in `host/redis`, because it can load a library that is missing. */
import type { HotpathFunctions } from "../contract";
import type { Connection } from "../redis/connection";
import { createFunctions } from "../redis/functions";
import { routingOf } from "../redis/partitions";
import { healPrimary } from "./deploy";
import { readBundle } from "./libraries";

export interface ClientOptions {
  /** In a cluster: whose keys the calls are about. Without it names have no braces. */
  partition?: string | null;
  /** Loads this package's libraries where the server has none, as after a failover to an empty replica. Default: no. */
  heal?: boolean;
  /**
   * Names each call of a function that writes by ONCE, so that one whose reply was lost can be made again, and is. Default: yes.
   * Without it, a call is sent at most once.
   */
  once?: boolean;
}

/** The functions of all libraries over a connection; their calls answer with HotpathErrors where functions refuse them. */
export function functionsOf(
  connection: Connection,
  { partition = null, heal = false, once = true }: ClientOptions = {},
): HotpathFunctions {
  return createFunctions((args, options) => connection.send(args, options), {
    ...routingOf(partition),
    // A chunk of an import tells by its position whether it was counted.
    once: ({ name }) => once && name !== "import_events",
    ...(heal && {
      heal: async () => {
        await healPrimary(await connection.primaryOf(routingOf(partition).routingKey), readBundle());
      },
    }),
  });
}
