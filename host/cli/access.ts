/** What commands reach Redis by. */
import { loadConfig, type Config } from "../config";
import { withConnection, type Connection } from "../redis/connection";
import { isMissingFunction } from "../redis/functions";
import { UserError } from "../runtime/errors";

/** The library that a command is about. */
type Library = "tracker" | "notifier" | "index" | "catalogue";

const MISSING: Record<Library, (server: string) => string> = {
  tracker: () => "the server has no tracker, or an older one",
  notifier: (server) => `the notifier is not loaded on ${server}`,
  index: (server) => `the index is not loaded on ${server}, or an older one`,
  catalogue: (server) => `the catalogue is not loaded on ${server}`,
};

/**
 * Connects for the time of `work`, which calls functions of a library.
 *
 * @throws UserError if the library is not loaded; what `work` throws
 */
export async function withLibrary(
  library: Library,
  work: (config: Config, connection: Connection) => Promise<void>,
): Promise<void> {
  const config = loadConfig();
  await withConnection(config.redis.url, async (connection) => {
    try {
      await work(config, connection);
    } catch (error) {
      throw explainMissing(error, library, connection.shown);
    }
  });
}

/** An error as a person can mend it: a function that the server does not know is a matter of deploying. */
export function explainMissing(error: unknown, library: Library, server = "the server"): unknown {
  return isMissingFunction(error) ? new UserError(`${MISSING[library](server)}; run: hotpath deploy`) : error;
}
