import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import type { HotpathFunctions } from "../../host/contract";
import { deploy } from "../../host/deploy/deploy";
import { functionsOf } from "../../host/deploy/client";
import { readBundle } from "../../host/deploy/libraries";
import { useCluster, type TestCluster } from "./cluster";
import { runHotpath, type RunningProcess } from "./processes";
import { useServer, type TestServer, type TestServerOptions } from "./server";
import { until } from "./wait";

/** Running hosts against a server or a cluster. */
interface Hosts {
  /** Open from beforeAll on, and closed after the file. */
  readonly connection: Connection;
  /** Writes a configuration file of its own, in which the level of the log is `debug`; answers its path. */
  configure(config: object): Promise<string>;
  /** Runs the built `hotpath` there, with a configuration file. */
  hotpath(config: string, command: readonly string[], env?: Record<string, string | undefined>): RunningProcess;
}

/** What the tests of a host run against: a server with all libraries, empty before each test. */
export interface TestHosts extends Hosts {
  readonly server: TestServer;
  readonly functions: HotpathFunctions;
}

/** The same on a cluster, whose data stay from test to test. */
export interface TestClusterHosts extends Hosts {
  readonly cluster: TestCluster;
}

/** Call it where `useServer` may be called. */
export function useHosts(options: TestServerOptions = {}): TestHosts {
  const server = useServer(options);
  const hosts = hostsOn(server);
  const { connection } = hosts;
  beforeEach(async () => {
    await until(() => connection.send(["PING"]).catch(() => undefined), { what: "the server to be back" });
    await server.flush();
    await deploy(connection, { libraries: readBundle() });
  });
  return { server, functions: functionsOf(connection), ...hosts };
}

/**
 * Call it inside `describeWithOwnServer`.
 *
 * @param size how many primaries
 */
export function useClusterHosts(size: number): TestClusterHosts {
  const cluster = useCluster(size);
  const hosts = hostsOn(cluster);
  beforeAll(() => deploy(hosts.connection, { libraries: readBundle() }));
  return { cluster, ...hosts };
}

function hostsOn(target: { readonly url: string }): Hosts {
  let connected: Connection | undefined;
  let dir = "";
  let configs = 0;
  beforeAll(async () => {
    connected = await connect(target.url);
    dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
  });
  afterAll(async () => {
    connected?.close();
    await rm(dir, { recursive: true, force: true });
  });
  return {
    connection: {
      get shown() {
        return connected!.shown;
      },
      get isCluster() {
        return connected!.isCluster;
      },
      send: (args, routing) => connected!.send(args, routing),
      primaries: () => connected!.primaries(),
      servers: () => connected!.servers(),
      primaryOf: (routingKey) => connected!.primaryOf(routingKey),
      duplicate: () => connected!.duplicate(),
      close: () => connected!.close(),
    },
    configure: async (config) => {
      const path = join(dir, `config-${(configs += 1)}.json`);
      await writeFile(path, JSON.stringify({ log: { level: "debug" }, ...config }));
      return path;
    },
    hotpath: (config, command, env = {}) =>
      runHotpath(command, { env: { REDIS_URL: target.url, CONFIG_PATH: config, ENV: undefined, ...env } }),
  };
}

/** Stops a host as a service manager does, and sees that it ends well. */
export async function stopped(host: RunningProcess): Promise<void> {
  host.signal("SIGTERM");
  expect(await host.exit, host.errors.join("\n")).toEqual({ code: 0, signal: null });
}
