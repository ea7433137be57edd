/** Every node of a Redis: users are kept by each node for itself, replicas included. */
import type { Connection } from "../../redis/connection";
import { describeError, UserError } from "../../runtime/errors";
import { readInfo } from "../../redis/info";
import { endClient, explain, openClient, type Access } from "../../redis/link";
import { formatEndpoint, parseServerUrl, type Endpoint } from "../../redis/url";

/** One server, primary or replica. */
export interface AclNode {
  /** `host:port` */
  address: string;
  send(args: string[]): Promise<unknown>;
}

/**
 * Runs work on every node: all of a cluster, or the server and its replicas, each over a connection of its own.
 *
 * @param url where the connection goes; replicas are logged in to as it says
 * @throws UserError naming the nodes that could not be reached or failed; the work is done on all others
 */
export async function onEveryNode<T>(
  connection: Connection,
  url: string,
  work: (node: AclNode) => Promise<T>,
): Promise<T[]> {
  const { tls, credentials } = parseServerUrl(url);
  const access: Access = { tls, credentials, database: 0 };
  const waiting = connection.isCluster ? await clusterNodes(connection) : await firstNodes(connection);
  const seen = new Set<string>();
  const done: T[] = [];
  const problems: string[] = [];
  for (let endpoint = waiting.shift(); endpoint; endpoint = waiting.shift()) {
    const address = formatEndpoint(endpoint);
    if (seen.has(address)) continue;
    seen.add(address);
    try {
      waiting.push(
        ...(await onNode(endpoint, access, async (node) => {
          const replicas = connection.isCluster ? [] : await replicasOf(node);
          done.push(await work(node));
          return replicas;
        })),
      );
    } catch (error) {
      if (error instanceof UserError) throw error;
      const problem = describeError(error);
      problems.push(problem.includes(address) ? problem : `${address}: ${problem}`);
    }
  }
  if (problems.length > 0) {
    throw new UserError(
      `${done.length} of ${seen.size} nodes are done; the same command, run again, does the others: ${problems.join("; ")}`,
    );
  }
  return done;
}

async function onNode<T>(endpoint: Endpoint, access: Access, work: (node: AclNode) => Promise<T>): Promise<T> {
  const client = await openClient(endpoint, access);
  try {
    const send = async (args: string[]): Promise<unknown> => {
      try {
        return await client.sendCommand(args);
      } catch (error) {
        throw explain(error, endpoint);
      }
    };
    return await work({ address: formatEndpoint(endpoint), send });
  } finally {
    endClient(client);
  }
}

async function firstNodes(connection: Connection): Promise<Endpoint[]> {
  return (await connection.primaries()).map(({ address }) => parseServerUrl(`redis://${address}`).nodes[0]!);
}

/** CLUSTER SLOTS: [from, to, [host, port, …] of the primary, and of each replica] for each range. */
async function clusterNodes(connection: Connection): Promise<Endpoint[]> {
  const nodes: Endpoint[] = [];
  // A node that does not know its own address leaves it empty: it is the one that was asked.
  const [asked] = await connection.primaries();
  const own = asked!.address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  for (const [, , ...serving] of (await asked!.send(["CLUSTER", "SLOTS"])) as [
    number,
    number,
    ...[string | null, number][],
  ][]) {
    nodes.push(...serving.map(([host, port]) => ({ host: host || own, port })));
  }
  return nodes;
}

/** `slave0:ip=10.0.0.2,port=6379,state=online,…` */
async function replicasOf(node: AclNode): Promise<Endpoint[]> {
  const info = await readInfo((args) => node.send(args), "replication");
  const replicas = [...info].filter(([name]) => /^slave\d+$/.test(name));
  return replicas.flatMap(([, value]) => {
    const [, host, port] = /^ip=([^,]+),port=(\d+)/.exec(value) ?? [];
    return host === undefined ? [] : [{ host, port: Number(port) }];
  });
}
