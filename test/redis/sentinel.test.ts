import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { startServer, type EmbeddedServer, type ServerBinary } from "../../host/embedded/embedded";
import { spawnServer, type ServerChild } from "../../host/embedded/child";
import { freePort } from "../../host/embedded/probe";
import { readBundle } from "../../host/deploy/libraries";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

const NAME = "main";

describeWithOwnServer("servers watched by a sentinel", () => {
  const servers: EmbeddedServer[] = [];
  const dirs: string[] = [];
  let url = "";
  let connection: Connection;

  let sentinel: ServerChild | undefined;

  function program(): ServerBinary {
    const redis = inject("redis");
    if (redis.mode !== "own" || redis.program.kind !== "binary") throw new Error("needs a server program");
    return redis.program;
  }

  async function newDir(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
    dirs.push(dir);
    return dir;
  }

  async function start(args: string[]): Promise<EmbeddedServer> {
    const server = await startServer({ program: program(), dir: await newDir(), persistence: false, args });
    servers.push(server);
    return server;
  }

  beforeAll(async () => {
    const primary = await start([]);
    const replica = await start(["--replicaof", "127.0.0.1", String(primary.port), "--repl-diskless-sync-delay", "0"]);
    const watching = await connect(replica.url);
    await until(async () => String(await watching.send(["INFO", "replication"])).includes("master_link_status:up"), {
      timeoutMs: 20_000,
    });
    watching.close();
    const port = await startSentinel(primary.port);
    url = `redis+sentinel://127.0.0.1:1,127.0.0.1:${port}/${NAME}`;
    connection = await connect(url);
  });

  /** A sentinel keeps its state in its configuration file, and knows none of a data server's arguments. */
  async function startSentinel(primaryPort: number): Promise<number> {
    const dir = await newDir();
    const port = await freePort();
    const settings = [`port ${port}`, "bind 127.0.0.1", `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} 1`];
    settings.push(`sentinel down-after-milliseconds ${NAME} 300`, `sentinel failover-timeout ${NAME} 3000`);
    await writeFile(join(dir, "sentinel.conf"), settings.join("\n"));
    const args = [join(dir, "sentinel.conf"), "--sentinel"];
    sentinel = await spawnServer(program().path, args, { cwd: dir, logFile: join(dir, "sentinel.log") });
    const admin = await until(() => connect(`redis://127.0.0.1:${port}`).catch(() => undefined), {
      what: "the sentinel to answer",
    });
    await until(async () => String(await admin.send(["SENTINEL", "REPLICAS", NAME])).includes("slave"), {
      timeoutMs: 30_000,
      what: "the sentinel to know the replica",
    });
    admin.close();
    return port;
  }

  afterAll(async () => {
    connection?.close();
    sentinel?.process.kill("SIGTERM");
    await sentinel?.exited;
    for (const server of servers) await server.stop();
    for (const dir of dirs) await rm(dir, { recursive: true, force: true });
  });

  it("finds the primary, past a sentinel that is down", async () => {
    expect((await connection.primaries()).map(({ address }) => address)).toEqual([`127.0.0.1:${servers[0]!.port}`]);
  });

  it("says so if the sentinels do not know the name", async () => {
    await expect(connect(url.replace("127.0.0.1:1,", "").replace(NAME, "other"))).rejects.toThrow(
      "the sentinels know no master called 'other'",
    );
  });

  it("does not deploy to a replica", async () => {
    const replica = await connect(servers[1]!.url);
    const attempt = deploy(replica, { libraries: readBundle() });
    await expect(attempt).rejects.toThrow(
      `127.0.0.1:${servers[1]!.port} is a replica; its primary is 127.0.0.1:${servers[0]!.port}`,
    );
    replica.close();
  });

  it("follows a failover", async () => {
    servers[0]!.kill("SIGKILL");
    await until(() => connection.send(["SET", "after", "1"]).catch(() => undefined), {
      timeoutMs: 30_000,
      what: "the new primary to be found",
    });
    expect((await connection.primaries()).map(({ address }) => address)).toEqual([`127.0.0.1:${servers[1]!.port}`]);
  });
});
