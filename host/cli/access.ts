/** What commands reach Redis by. */
import { loadConfig, type Config } from "../config";
import { connect, type Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { HotpathError, UserError } from "../runtime/errors";
import { createFunctions } from "../redis/functions";
import { routingKeyOf } from "../redis/partitions";

/**
 * Connects for the time of `work`.
 *
 * @param what the library that it is about, as people call it
 * @throws UserError if the library is not loaded; what `work` throws
 */
export async function withConnection(
  what: string,
  work: (config: Config, connection: Connection) => Promise<void>,
): Promise<void> {
  const config = loadConfig();
  const connection = await connect(config.redis.url);
  try {
    await work(config, connection);
  } catch (error) {
    if (error instanceof HotpathError && /function not found/i.test(error.message)) {
      throw new UserError(`${what} is not loaded on ${connection.shown}; run: hotpath deploy`);
    }
    throw error;
  } finally {
    connection.close();
  }
}

/** The functions, called in a partition; null where there are none. */
export function functionsIn(connection: Connection, partition: string | null): HotpathFunctions {
  const routing = partition === null ? {} : { routingKey: routingKeyOf(partition) };
  return createFunctions((args, options) => connection.send(args, options), routing);
}
