import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { startServer, type EmbeddedServer, type ServerProgram } from "../../host/embedded/embedded";
import { aclFile, AS_ROLES, callAsRoles, refusedAsRoles } from "./role-client";
import { until } from "./wait";

export interface TestServerOptions {
  /** An append-only file, every write on disk before its reply: what was answered outlives `kill -9`. Default false. */
  persistence?: boolean;
  /** More arguments for the server. A shared server ignores them. */
  args?: string[];
}

export type TestClient = ReturnType<typeof connectTo>;

/** What a test file runs against. Its properties are there once beforeAll has run. */
export interface TestServer {
  /** With the database in its path when the server is shared. */
  readonly url: string;
  readonly port: number;
  readonly client: TestClient;
  /** The server's folder. Only an own server has one. */
  readonly dir: string;
  /** Another connection of the same kind, closed after the file. */
  connect(): Promise<TestClient>;
  /** Empties the file's database. Functions stay. */
  flush(): Promise<void>;
  /** Ends the server, waits, starts it again on the same port and folder, and waits for the client. Own server only. */
  restart(options?: { signal?: NodeJS.Signals }): Promise<void>;
  /** Ends the server and waits till it is gone. Default SIGKILL. Own server only. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** The hooks behind a TestServer, one set for own servers and one for shared ones. */
interface Backend {
  url: string;
  port: number;
  dir: string;
  flushCommand: "FLUSHALL" | "FLUSHDB";
  start(): Promise<void>;
  end(signal: NodeJS.Signals): Promise<void>;
  dispose(): Promise<void>;
}

const RECONNECT_MS = 10;
/** Longer than the slowest file: a run that was killed must not keep a database of the shared server for ever. */
const DATABASE_LEASE_SECONDS = 1_800;
const DATABASE_WAIT_MS = 60_000;

/**
 * A Redis server for this file: one of its own, or a database of the shared server (REDIS_URL, Docker). Call it at the
 * top of the file or of a `describe`; it registers the hooks that start and end it.
 *
 * On a shared server, functions are everybody's: a file that loads a library must load the same code as all others.
 */
export function useServer(options: TestServerOptions = {}): TestServer {
  const clients: TestClient[] = [];
  let backend: Backend | undefined;
  const ready = (): Backend => {
    if (backend === undefined)
      throw new Error("The test server is there from beforeAll on, not while tests are collected.");
    return backend;
  };
  const connect = async (): Promise<TestClient> => {
    const client = connectTo(ready().url);
    clients.push(client);
    await client.connect();
    return client;
  };

  beforeAll(async () => {
    const redis = inject("redis");
    const chosen = redis.mode === "own" ? ownBackend(redis.program, options) : await sharedBackend(redis.url);
    await chosen.start();
    backend = chosen;
    await connect();
  });

  afterAll(async () => {
    const refusals = AS_ROLES ? await refusedAsRoles(clients[0]) : [];
    for (const client of clients) client.destroy();
    await backend?.dispose();
    // Some functions pass over what goes wrong, so that a lacking right is seen nowhere else.
    expect(refusals, "what was refused to the users of roles").toEqual([]);
  });

  const kill = (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => ready().end(signal);
  const theClient = (): TestClient => {
    ready();
    return clients[0] as TestClient;
  };
  return {
    get url() {
      return ready().url;
    },
    get port() {
      return ready().port;
    },
    get dir() {
      return ready().dir;
    },
    get client() {
      return theClient();
    },
    connect,
    kill,
    flush: async () => void (await theClient().sendCommand([ready().flushCommand])),
    restart: async ({ signal = "SIGTERM" } = {}) => {
      await kill(signal);
      await ready().start();
      for (const client of clients) await until(() => client.isReady, { what: "the client to be connected again" });
    },
  };
}

/**
 * A `describe` for tests that kill their server, or need one of its own for another reason. On a shared server they are
 * skipped, and the report says why.
 */
export function describeWithOwnServer(name: string, tests: () => void): void {
  if (inject("redis").mode === "own") describe(name, tests);
  else describe.skip(`${name} (skipped: needs a server of its own, and REDIS_URL or Docker gives a shared one)`, tests);
}

function connectTo(url: string) {
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: RECONNECT_MS } });
  // A crash test cuts connections on purpose; a command that fails by it rejects by itself.
  client.on("error", () => undefined);
  return AS_ROLES ? callAsRoles(client) : client;
}

function ownBackend(program: ServerProgram, options: TestServerOptions): Backend {
  const persistence = options.persistence ?? false;
  const givenArgs = [...(persistence ? ["--appendfsync", "always"] : []), ...(options.args ?? [])];
  let dir = "";
  let port: number | undefined;
  let server: EmbeddedServer | undefined;
  return {
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    get port() {
      return port as number;
    },
    get dir() {
      return dir;
    },
    flushCommand: "FLUSHALL",
    start: async () => {
      dir ||= await mkdtemp(join(tmpdir(), "hotpath-test-"));
      const args = [...givenArgs, ...(AS_ROLES ? await aclArgs(dir) : [])];
      server = await startServer({ program, dir, persistence, args, ...(port === undefined ? {} : { port }) });
      port = server.port;
    },
    end: async (signal) => {
      server?.kill(signal);
      await server?.exited;
    },
    dispose: async () => {
      await server?.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function aclArgs(dir: string): Promise<string[]> {
  const path = join(dir, "users.acl");
  await writeFile(path, aclFile());
  return ["--aclfile", path];
}

/** Takes an empty database of the shared server, marked as taken by a key in database 0. */
async function sharedBackend(serverUrl: string): Promise<Backend> {
  const admin = connectTo(serverUrl);
  await admin.connect();
  const token = randomUUID();
  const database = await until(() => takeDatabase(admin, token), {
    timeoutMs: DATABASE_WAIT_MS,
    intervalMs: 200,
    what: "an empty database of the shared server (1 to 15)",
  });
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  const refuse = (): never => {
    throw new Error("This server is shared and cannot be killed; use describeWithOwnServer.");
  };
  return {
    url: url.href,
    port: Number(url.port || 6379),
    get dir() {
      return refuse();
    },
    flushCommand: "FLUSHDB",
    start: () => Promise.resolve(),
    end: async () => refuse(),
    dispose: async () => {
      await admin.select(database);
      await admin.flushDb();
      await admin.select(0);
      await admin.del(markOf(database));
      admin.destroy();
    },
  };
}

function markOf(database: number): string {
  return `hotpath-test:database:${database}`;
}

/** Only empty databases are taken: the server may be somebody's real one, and tests empty what they take. */
async function takeDatabase(admin: TestClient, token: string): Promise<number | undefined> {
  for (let database = 1; database <= 15; database += 1) {
    const taken = await admin.set(markOf(database), token, { NX: true, EX: DATABASE_LEASE_SECONDS });
    if (taken === null) continue;
    await admin.select(database);
    const size = await admin.dbSize();
    await admin.select(0);
    if (size === 0) return database;
    await admin.del(markOf(database));
  }
  return undefined;
}
