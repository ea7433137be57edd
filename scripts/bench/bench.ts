/** The server under measurement and what every group needs of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@redis/client";
import { readInfo } from "../../host/redis/info";
import { inspectServer, startServer, type EmbeddedServer, type ServerBinary } from "../../host/embedded/embedded";
import { freePort } from "../../host/embedded/probe";
import { runPipeline } from "./pipeline";
import { sizesOf, type Sizes } from "./sizes";
import { COMPILED, Libraries } from "./libraries";

/** Answers of any command, as redis hands them over. */
export type Reply = string | number | null | Reply[];

export interface Bench {
  port: number;
  sizes: Sizes;
  /** Name and version of the server. */
  server: string;
  /** Runs one command. */
  call(...args: (string | number)[]): Promise<Reply>;
  /** Runs encoded commands in one pipeline; milliseconds. */
  pipeline(commands: readonly Buffer[]): Promise<number>;
  /** Empties the database; functions stay. */
  flush(): Promise<void>;
  /** The functions on the server: the compiled ones at first. */
  libraries: Libraries;
  /** Milliseconds of processor time that the server's main thread has used. */
  cpuMs(): Promise<number>;
  /** Runs on a second server of the same program: a node of a cluster, which has all slots. */
  onClusterNode<T>(run: (node: Bench) => Promise<T>): Promise<T>;
}

interface Place {
  program: ServerBinary | undefined;
  quick: boolean;
}

function connect(url: string) {
  return createClient({ url, RESP: 2 })
    .on("error", (error: Error) => console.error(error.message))
    .connect();
}

type Client = Awaited<ReturnType<typeof connect>>;

async function serverName(client: Client): Promise<string> {
  const info = await readInfo((args) => client.sendCommand(args), "server");
  const valkey = info.get("valkey_version");
  return valkey === undefined ? `Redis ${info.get("redis_version")}` : `Valkey ${valkey}`;
}

async function connected(server: EmbeddedServer, place: Place): Promise<{ bench: Bench; client: Client }> {
  const client = await connect(server.url);
  const call = (...args: (string | number)[]): Promise<Reply> =>
    client.sendCommand(args.map(String)) as unknown as Promise<Reply>;
  const libraries = new Libraries(call);
  await libraries.use(COMPILED);
  const bench: Bench = {
    port: server.port,
    sizes: sizesOf(place.quick),
    server: await serverName(client),
    call,
    pipeline: (commands) => runPipeline(server.port, commands),
    flush: async () => void (await call("FLUSHALL", "SYNC")),
    libraries,
    cpuMs: async () => {
      const info = await readInfo((args) => client.sendCommand(args), "cpu");
      return 1000 * (Number(info.get("used_cpu_user_main_thread")) + Number(info.get("used_cpu_sys_main_thread")));
    },
    onClusterNode: (run) => onClusterNode(place, run),
  };
  return { bench, client };
}

async function started<T>(place: Place, more: string[], run: (bench: Bench) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "hotpath-bench-"));
  // DEBUG restores a saved data set for each round, and compares data sets.
  const args = ["--enable-debug-command", "local", ...more];
  const { program } = place;
  const server = await startServer({ dir, persistence: false, args, ...(program && { program }), log: console.error });
  try {
    const { bench, client } = await connected(server, place);
    try {
      return await run(bench);
    } finally {
      client.destroy();
    }
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function onClusterNode<T>(place: Place, run: (node: Bench) => Promise<T>): Promise<T> {
  // The default is the port and 10,000, which for a high port is none.
  const args = ["--cluster-enabled", "yes", "--cluster-port", String(await freePort())];
  return started(place, args, async (node) => {
    await node.call("CLUSTER", "ADDSLOTSRANGE", 0, 16_383);
    const isReady = async () => String(await node.call("CLUSTER", "INFO")).includes("cluster_state:ok");
    while (!(await isReady())) await delay(50);
    return run(node);
  });
}

/**
 * Starts a server without persistence on a free port of the loopback address, runs, and stops it in any case.
 *
 * @throws Error if `path` is no server
 */
export async function withServer(
  path: string | undefined,
  quick: boolean,
  run: (bench: Bench) => Promise<void>,
): Promise<void> {
  const program = path === undefined ? undefined : inspectServer(resolve(path));
  if (path !== undefined && program === undefined) throw new Error(`${path} is no Redis or Valkey server.`);
  await started({ program, quick }, [], run);
}
