/** The host's connection to Redis, whichever way Redis is set up. */
import { Cluster } from "./cluster";
import { Link, type Access } from "./link";
import { admitPrimary, locatePrimary } from "./sentinel";
import { parseServerUrl, type ServerUrl } from "./url";
import type { Argument, SendOptions } from "./wire";

export interface RoutedOptions extends SendOptions {
  /** In a cluster, its slot decides to which primary the command goes. Elsewhere it is ignored. */
  routingKey?: string;
}

/** One server that takes writes. */
export interface Primary {
  /** `host:port` */
  readonly address: string;
  send(args: readonly Argument[], options?: SendOptions): Promise<unknown>;
}

/** Commands are sent at most once, and fail at once while Redis is away: see `link.ts`. */
export interface Connection {
  /** The URL without credentials. */
  readonly shown: string;
  readonly isCluster: boolean;
  /**
   * Sends one command.
   * @throws ReplyError for an error reply; UnavailableError while Redis is away
   */
  send(args: readonly Argument[], options?: RoutedOptions): Promise<unknown>;
  /** All servers that take writes: one, or each primary of the cluster. */
  primaries(): Promise<Primary[]>;
  /** Another connection to the same Redis, for reads that block. */
  duplicate(): Promise<Connection>;
  /** Closes at once; what is under way is rejected. */
  close(): void;
}

/**
 * Connects to Redis.
 *
 * @param url see {@link parseServerUrl}
 * @throws UserError for a wrong URL; UnavailableError if nobody answers; ReplyError if the login is refused
 */
export async function connect(url: string): Promise<Connection> {
  return open(parseServerUrl(url));
}

/**
 * Connects for the time of `work`.
 *
 * @throws as {@link connect}; what `work` throws
 */
export async function withConnection<T>(url: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

async function open(url: ServerUrl): Promise<Connection> {
  return url.kind === "cluster" ? openCluster(url) : openLink(url);
}

async function openLink(url: ServerUrl): Promise<Connection> {
  const access: Access = { tls: url.tls, credentials: url.credentials, database: url.database };
  const link =
    url.kind === "sentinel"
      ? new Link(() => locatePrimary(url), access, admitPrimary)
      : new Link(() => Promise.resolve(url.nodes[0]!), access);
  await link.open();
  return {
    shown: url.shown,
    isCluster: false,
    send: (args, options) => link.send(args, options),
    primaries: () => Promise.resolve([link]),
    duplicate: () => open(url),
    close: () => link.close(),
  };
}

async function openCluster(url: ServerUrl): Promise<Connection> {
  const cluster = await new Cluster(url).open();
  return {
    shown: url.shown,
    isCluster: true,
    send: (args, { routingKey, ...options } = {}) => cluster.send(args, routingKey, options),
    primaries: () => cluster.primaries(),
    duplicate: () => open(url),
    close: () => cluster.close(),
  };
}
