import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import type { HotpathFunctions } from "../../host/contract";
import { deploy } from "../../host/deploy/deploy";
import { functionsOf } from "../../host/deploy/client";
import { readBundle } from "../../host/deploy/libraries";
import { runHotpath, type RunningProcess } from "./processes";
import { useServer, type TestServer, type TestServerOptions } from "./server";
import { until } from "./wait";

/** What the tests of a host run against: a server with all libraries, empty before each test. */
export interface TestHosts {
  readonly server: TestServer;
  /** Open from beforeAll on, and closed after the file. */
  readonly connection: Connection;
  readonly functions: HotpathFunctions;
  /** Writes a configuration file of its own, in which the level of the log is `debug`; answers its path. */
  configure(config: object): Promise<string>;
  /** Runs `hotpath` of the sources against the server, with a configuration file. */
  hotpath(config: string, command: readonly string[], env?: Record<string, string | undefined>): RunningProcess;
}

/** Call it where `useServer` may be called. */
export function useHosts(options: TestServerOptions = {}): TestHosts {
  const server = useServer(options);
  let connected: Connection | undefined;
  let dir = "";
  let configs = 0;
  const connection: Connection = {
    get shown() {
      return connected!.shown;
    },
    get isCluster() {
      return connected!.isCluster;
    },
    send: (args, routing) => connected!.send(args, routing),
    primaries: () => connected!.primaries(),
    duplicate: () => connected!.duplicate(),
    close: () => connected!.close(),
  };
  beforeAll(async () => {
    connected = await connect(server.url);
    dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
  });
  afterAll(async () => {
    connected?.close();
    await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await until(() => connection.send(["PING"]).catch(() => undefined), { what: "the server to be back" });
    await server.flush();
    await deploy(connection, { libraries: readBundle() });
  });
  return {
    server,
    connection,
    functions: functionsOf(connection),
    configure: async (config) => {
      const path = join(dir, `config-${(configs += 1)}.json`);
      await writeFile(path, JSON.stringify({ log: { level: "debug" }, ...config }));
      return path;
    },
    hotpath: (config, command, env = {}) =>
      runHotpath(command, {
        env: { REDIS_URL: server.url, CONFIG_PATH: config, ENV: undefined, ...env },
      }),
  };
}

/** Stops a host as a service manager does, and sees that it ends well. */
export async function stopped(host: RunningProcess): Promise<void> {
  host.signal("SIGTERM");
  expect(await host.exit, host.errors.join("\n")).toEqual({ code: 0, signal: null });
}
