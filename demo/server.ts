/** Where the demo counts: the server that REDIS_URL names, else one of our own. */
import { relative } from "node:path";
import { connect, type Connection } from "../host/redis/connection";
import { deploy } from "../host/deploy/deploy";
import { startServer, type EmbeddedServer } from "../host/embedded/embedded";
import { isMissingFunction } from "../host/redis/functions";
import { routingOf } from "../host/redis/partitions";
import { UserError } from "../host/runtime/errors";
import { checkServer, readBundle } from "../host/deploy/libraries";
import { formatCount } from "../host/terminal/format";
import type { TrackerStatus } from "../host/cli/status/read";
import { clientOf, type DemoClient } from "./client";

/** Not the folder of `hotpath serve --embedded`: what is counted there is real, and a demo begins by emptying its own. */
const DATA_FOLDER = ".hotpath/demo";

/** A day's changes in a minute: by default, the server would write its whole file anew every few seconds. */
const SERVER_ARGS = ["--auto-aof-rewrite-min-size", "256mb"];

export interface DemoServer {
  client: DemoClient;
  /** Name and version, as in `redis 7.0.15`. */
  program: string;
  /** Our own; undefined with REDIS_URL. */
  embedded: EmbeddedServer | undefined;
  /** Ends the connection, and the server if it is our own. May be called twice. */
  close(): Promise<void>;
}

export interface ServerOptions {
  /** REDIS_URL; the empty one counts as none. */
  url: string | undefined;
  /** Whether a database with data of the tracker will do. */
  force: boolean;
  /** Throws a UserError if the demo would meddle with somebody's data. Default: asks the tracker. */
  refuse?: (client: DemoClient) => Promise<void>;
  /** Told in plain English what is happening. */
  log: (message: string) => void;
}

/**
 * Connects, makes sure that the demo harms nobody's data, and deploys.
 *
 * @throws UserError if the database is in use; what connecting, starting and deploying throw
 */
export async function openServer(options: ServerOptions): Promise<DemoServer> {
  const server = options.url ? await openGiven(options.url) : await openOwn(options.log);
  const { refuse = refuseIfInUse } = options;
  try {
    if (!server.embedded && !options.force) await refuse(server.client);
    await deployTo(server.client.connection, options.log);
    // A database may hold data of the tracker on a server that had lost the library.
    if (!server.embedded && !options.force) await refuse(server.client);
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function openGiven(url: string): Promise<DemoServer> {
  const connection = await connect(url);
  try {
    return {
      client: clientOf(connection),
      program: await programOf(connection),
      embedded: undefined,
      close: async () => connection.close(),
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function openOwn(log: ServerOptions["log"]): Promise<DemoServer> {
  const embedded = await startServer({ dir: DATA_FOLDER, persistence: true, args: SERVER_ARGS });
  if (embedded.attached) {
    throw new UserError(
      `a demo is running here already (process ${embedded.pid}, port ${embedded.port}); end it first, with Ctrl-C in its terminal`,
    );
  }
  let connection: Connection | undefined;
  const close = async (): Promise<void> => {
    connection?.close();
    await embedded.stop();
  };
  try {
    connection = await connect(embedded.url);
    const program = await programOf(connection);
    log(`Started ${program} on port ${embedded.port}; its data is in ${relative(process.cwd(), embedded.dir)}.`);
    await emptyDatabase(connection, log);
    return { client: clientOf(connection), program, embedded, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function programOf(connection: Connection): Promise<string> {
  const [primary] = await connection.primaries();
  return checkServer(primary!);
}

async function emptyDatabase(connection: Connection, log: ServerOptions["log"]): Promise<void> {
  if ((await connection.send(["DBSIZE"])) === 0) return;
  await connection.send(["FLUSHALL"]);
  // Else the append-only file would keep every demo that ever ran, and each start would go through all of them. Where
  // there is no memory for it, nothing is lost but time.
  await connection.send(["BGREWRITEAOF"]).catch(() => undefined);
  log("Emptied its database of the previous demo.");
}

async function deployTo(connection: Connection, log: ServerOptions["log"]): Promise<void> {
  const { changed, primaries } = await deploy(connection, { libraries: readBundle() });
  const libraries = primaries[0]!.libraries.map(({ library, version }) => `${library} ${version}`).join(", ");
  log(`${changed ? "Deployed" : "In step with"} the library ${libraries}.`);
}

async function refuseIfInUse({ connection, functions, partition, stream }: DemoClient): Promise<void> {
  const waiting = (await connection.send(["XLEN", stream], routingOf(partition))) as number;
  const found = [
    ...(await dataOf(functions)),
    ...(waiting > 0 ? [`${formatCount(waiting)} entries in ${stream}`] : []),
  ];
  if (found.length === 0) return;
  throw new UserError(
    `the database of ${connection.shown} is in use by the tracker (${found.join(", ")}), and the demo would be counted in with it; ` +
      `choose an empty database, such as redis://host:port/1, or say --force`,
  );
}

/** What the tracker has, in words; nothing where it was never used, or is not loaded. */
async function dataOf(functions: DemoClient["functions"]): Promise<string[]> {
  try {
    return describeData(await functions.getTrackerStatus());
  } catch (error) {
    if (isMissingFunction(error)) return [];
    throw error;
  }
}

function describeData({ websites, pages, streams, rejected, rotatedUntil }: TrackerStatus): string[] {
  if (websites > 0) return [`${formatCount(websites)} websites, ${formatCount(pages)} pages`];
  if (streams.length > 0 || rejected.length > 0) return ["streams that were ingested"];
  // Such a host would count what the demo sends, by its own clock.
  return rotatedUntil === null ? [] : ["a host that rotates it"];
}
