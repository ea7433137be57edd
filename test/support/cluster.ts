import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, inject } from "vitest";
import { startServer, type EmbeddedServer, type ServerProgram } from "../../host/embedded/embedded";
import { freePort } from "../../host/embedded/probe";
import { openClient, type Client } from "../../host/redis/link";
import { until } from "./wait";

const SLOTS = 16_384;
const NO_LOGIN = { tls: false, credentials: {}, database: 0 };

/** A node of the cluster, and a connection to it alone. */
export interface ClusterNode {
  server: EmbeddedServer;
  client: Client;
  /** Kills the server and waits till it is gone. */
  kill(): Promise<void>;
  /** Starts it again, empty, on its port and with its slots. */
  restart(): Promise<void>;
}

export interface TestCluster {
  /** `redis+cluster://…`, naming the first node only. */
  readonly url: string;
  readonly nodes: ClusterNode[];
}

export interface ClusterOptions {
  /** More arguments for the servers. */
  settings?: readonly string[];
  /** Further primaries, without slots, after the others. */
  spare?: number;
  /** The server of all of them; that of the tests if it is left out. */
  program?: ServerProgram | undefined;
}

/**
 * A cluster of primaries on loopback, without replicas. Call it inside `describeWithOwnServer`.
 * @param size how many primaries; each gets an equal share of the slots.
 */
export function useCluster(size: number, options: ClusterOptions = {}): TestCluster {
  const nodes: ClusterNode[] = [];
  const dirs: string[] = [];

  beforeAll(async () => {
    const { spare = 0, settings = [], program = ownProgram() } = options;
    for (let at = 0; at < size + spare; at += 1) nodes.push(await startNode(dirs, program, settings));
    await joinNodes(nodes, size);
  });

  afterAll(async () => {
    for (const { server, client } of nodes) {
      client.destroy();
      await server.stop();
    }
    for (const dir of dirs) await rm(dir, { recursive: true, force: true });
  });

  return {
    nodes,
    get url() {
      return `redis+cluster://127.0.0.1:${nodes[0]!.server.port}`;
    },
  };
}

function ownProgram(): ServerProgram {
  const redis = inject("redis");
  if (redis.mode !== "own") throw new Error("A cluster needs a server program; use describeWithOwnServer.");
  return redis.program;
}

async function startNode(dirs: string[], program: ServerProgram, settings: readonly string[]): Promise<ClusterNode> {
  const dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
  dirs.push(dir);
  // The default is the port and 10,000, which for a high port is none.
  const args = [
    "--cluster-enabled",
    "yes",
    "--cluster-port",
    String(await freePort()),
    "--cluster-node-timeout",
    "2000",
    ...settings,
  ];
  const start = (port?: number): Promise<EmbeddedServer> =>
    startServer({ program, dir, persistence: false, args, ...(port !== undefined && { port }) });
  const open = ({ port }: EmbeddedServer): Promise<Client> => openClient({ host: "127.0.0.1", port }, NO_LOGIN);
  const server = await start();
  const node: ClusterNode = {
    server,
    client: await open(server),
    kill: async () => {
      node.client.destroy();
      process.kill(node.server.pid, "SIGKILL");
      await node.server.stop();
    },
    restart: async () => {
      node.server = await start(node.server.port);
      node.client = await open(node.server);
    },
  };
  return node;
}

async function joinNodes(nodes: ClusterNode[], size: number): Promise<void> {
  const share = Math.ceil(SLOTS / size);
  for (const [at, { client }] of nodes.entries()) {
    const last = Math.min(SLOTS, (at + 1) * share) - 1;
    if (at < size) await client.sendCommand(["CLUSTER", "ADDSLOTSRANGE", String(at * share), String(last)]);
    await client.sendCommand(["CLUSTER", "SET-CONFIG-EPOCH", String(at + 1)]);
  }
  for (const { server, client } of nodes.slice(1)) {
    const [, busPort] = (await client.sendCommand(["CONFIG", "GET", "cluster-port"])) as unknown as [string, string];
    await nodes[0]!.client.sendCommand(["CLUSTER", "MEET", "127.0.0.1", String(server.port), busPort]);
  }
  for (const { client } of nodes) {
    await until(async () => isComplete(await client.sendCommand(["CLUSTER", "INFO"]), size, nodes.length), {
      timeoutMs: 20_000,
      what: "the cluster to be complete",
    });
  }
}

function isComplete(info: unknown, size: number, nodes: number): boolean {
  const text = String(info);
  return (
    text.includes("cluster_state:ok") &&
    text.includes(`cluster_size:${size}`) &&
    text.includes(`cluster_known_nodes:${nodes}`) &&
    text.includes(`cluster_slots_ok:${SLOTS}`)
  );
}
