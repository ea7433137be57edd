/** The host's connection to Redis, whichever way Redis is set up. */
import { Cluster, isPrimary } from "./cluster";
import { UnavailableError } from "../runtime/errors";
import { Link, type Access } from "./link";
import { admitPrimary, locatePrimary } from "./sentinel";
import { formatEndpoint, parseServerUrl, type ServerUrl } from "./url";
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

/** A server of this Redis. */
export interface Server {
  /** `host:port` */
  address: string;
  role: "primary" | "replica";
  /** What the cluster says of it: `online`, `loading` or `failed`; empty elsewhere. */
  health: string;
  /** Undefined for a replica, and for a primary that is away. */
  primary?: Primary;
  /** Why a primary is away. */
  problem?: string;
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
  /**
   * All servers that take writes: one, or each primary of the cluster, with slots or without.
   * @throws UnavailableError while one of them is away
   */
  primaries(): Promise<Primary[]>;
  /** All servers as they are now, replicas of a cluster as well; those that are away are among them. */
  servers(): Promise<Server[]>;
  /**
   * The server that takes writes of a routing key's slot; elsewhere than in a cluster the only one.
   * @throws UnavailableError while it is away
   */
  primaryOf(routingKey?: string): Promise<Primary>;
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
    servers: () => Promise.resolve([{ address: link.address, role: "primary", health: "", primary: link }]),
    primaryOf: () => Promise.resolve(link),
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
    servers: () => serversOf(cluster),
    primaryOf: (routingKey) => (routingKey === undefined ? cluster.anyPrimary() : cluster.primaryOf(routingKey)),
    duplicate: () => open(url),
    close: () => cluster.close(),
  };
}

async function serversOf(cluster: Cluster): Promise<Server[]> {
  const nodes = (await cluster.nodes()).filter((node) => node.role === "replica" || isPrimary(node));
  return Promise.all(
    nodes.map(async ({ endpoint, role, health }): Promise<Server> => {
      const server = { address: formatEndpoint(endpoint), role, health };
      if (role === "replica") return server;
      try {
        const primary = await cluster.linkTo(endpoint);
        await primary.send(["PING"]);
        return { ...server, primary };
      } catch (error) {
        if (error instanceof UnavailableError) return { ...server, problem: error.message };
        throw error;
      }
    }),
  );
}
