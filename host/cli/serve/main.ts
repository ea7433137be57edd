/** `hotpath serve` */
import { loadConfig, type Config } from "../../config";
import { withConnection } from "../../redis/connection";
import { deploy } from "../../deploy/deploy";
import { startServer, type EmbeddedServer } from "../../embedded/embedded";
import { readBundle } from "../../deploy/libraries";
import { createLogger, type Logger } from "../../runtime/log";
import { deliversToStdout } from "../../notifier/config";
import { serve } from "../../serve/serve";
import { stopOnSignals } from "../../runtime/signals";

export interface ServeCommandOptions {
  embedded?: boolean;
}

const DATA_FOLDER = ".hotpath";

/** Serves until the first signal; exits at once at the second. */
export async function serveCommand(options: ServeCommandOptions): Promise<void> {
  const config = loadConfig();
  const log = createLogger(config.log.level, deliversToStdout(config) ? 2 : 1);
  const signal = stopOnSignals((name) => log.info({ signal: name }, "stopping"));
  const server = options.embedded ? await startEmbedded(log) : undefined;
  try {
    await serve(server ? withUrl(config, server.url) : config, log, signal);
  } finally {
    await server?.stop();
  }
  // A log line that cannot be written, or a library's timer, must not hold up the end.
  process.exit(0);
}

/** Its libraries are deployed: the server is ours, and nobody else would. */
async function startEmbedded(log: Logger): Promise<EmbeddedServer | undefined> {
  if (process.env["REDIS_URL"]) {
    log.info("REDIS_URL is set; no server is started");
    return undefined;
  }
  const server = await startServer({ dir: DATA_FOLDER, persistence: true, log: (message) => log.info(message) });
  log.info({ redis: server.url, dir: server.dir, pid: server.pid }, "server started");
  try {
    await withConnection(server.url, (connection) => deploy(connection, { libraries: readBundle() }));
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function withUrl(config: Config, url: string): Config {
  return { ...config, redis: { ...config.redis, url } };
}
