import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import {
  ensureServer,
  findServer,
  isRecentEnough,
  listServers,
  parseVersion,
  startServer,
} from "../../host/embedded/embedded";
import type { EmbeddedServer, ServerBinary, StartOptions } from "../../host/embedded/embedded";
import { isAlive } from "../../host/embedded/claim";
import { runNode } from "../support/processes";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

let dir: string;

beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), "hotpath-embedded-")));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

/** A program that prints what a server of that version prints. */
async function fakeServer(versionLine: string, name = "redis-server"): Promise<string> {
  const path = join(dir, "bin", name);
  await mkdir(join(dir, "bin"), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho '${versionLine}'\n`);
  await chmod(path, 0o755);
  return path;
}

const SEVEN = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0";
const SIX = "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1";

describe("parseVersion", () => {
  it.each([
    [SEVEN, { name: "redis-server", version: "7.0.15" }],
    [
      "Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1",
      { name: "valkey-server", version: "8.0.1" },
    ],
    ["a warning first\nRedis server v=10.2.0 sha=0", { name: "redis-server", version: "10.2.0" }],
    ["Memcached 1.6", undefined],
    ["", undefined],
  ])("reads %j", (output, expected) => {
    expect(parseVersion(output)).toEqual(expected);
  });

  it.each([
    ["6.2.14", false],
    ["7.0.0", true],
    ["7.0.15", true],
    ["10.0.0", true],
  ])("judges %s as recent enough: %s", (version, expected) => {
    expect(isRecentEnough(version)).toBe(expected);
  });
});

describe("findServer", () => {
  it("takes the program that HOTPATH_SERVER names", async () => {
    const path = await fakeServer("Valkey server v=9.1.2 sha=0", "anything");
    vi.stubEnv("HOTPATH_SERVER", path);
    expect(findServer()).toEqual({ kind: "binary", path, name: "valkey-server", version: "9.1.2" });
  });

  it.each([
    ["too old", SIX, /HOTPATH_SERVER is .*redis-server 6\.2\.14: too old.* 7\.0 or newer/],
    ["no server", "Memcached 1.6", /HOTPATH_SERVER is .*does not answer --version/],
  ])("refuses an override that is %s, and looks no further", async (_, line, message) => {
    vi.stubEnv("HOTPATH_SERVER", await fakeServer(line));
    expect(() => findServer()).toThrow(message);
  });

  it("refuses an override that is missing", () => {
    vi.stubEnv("HOTPATH_SERVER", join(dir, "missing"));
    expect(() => findServer()).toThrow(/HOTPATH_SERVER is .*missing, which is not an executable file/);
  });

  it("prefers PATH to the other folders", async () => {
    vi.stubEnv("HOTPATH_SERVER", undefined);
    const path = await fakeServer(SEVEN);
    vi.stubEnv("PATH", join(dir, "bin"));
    expect(findServer()?.path).toBe(path);
  });

  it("passes over a server on PATH that is too old", async () => {
    vi.stubEnv("HOTPATH_SERVER", undefined);
    const path = await fakeServer(SIX);
    vi.stubEnv("PATH", join(dir, "bin"));
    expect(findServer(dir)?.path).not.toBe(path);
  });

  it("finds a server that was fetched into Hotpath's folder", async () => {
    vi.stubEnv("HOTPATH_SERVER", undefined);
    vi.stubEnv("PATH", "");
    const path = join(dir, "server", "bin", "valkey-server");
    await mkdir(join(dir, "server", "bin"), { recursive: true });
    await writeFile(path, "#!/bin/sh\necho 'Valkey server v=99.0.0 sha=0'\n");
    await chmod(path, 0o755);
    expect(listServers(dir)).toContainEqual({ kind: "binary", path, name: "valkey-server", version: "99.0.0" });
  });
});

describe("ensureServer", () => {
  it("reports a wrong HOTPATH_SERVER and fetches nothing in its place", async () => {
    vi.stubEnv("HOTPATH_SERVER", await fakeServer(SIX));
    const log = vi.fn();
    await expect(ensureServer({ log, home: dir })).rejects.toThrow(/too old/);
    expect(log).not.toHaveBeenCalled();
  });
});

describeWithOwnServer("startServer", () => {
  const program = (): ServerBinary => {
    const redis = inject("redis");
    if (redis.mode !== "own" || redis.program.kind !== "binary") throw new Error("needs a server program");
    return redis.program;
  };

  async function start(options: Partial<StartOptions> = {}): Promise<EmbeddedServer> {
    const server = await startServer({ dir, persistence: false, program: program(), ...options });
    onTestFinished(async () => void (await server.stop()));
    return server;
  }

  async function ask(server: { url: string }, command: string[]): Promise<unknown> {
    const client = createClient({ url: server.url, RESP: 2 });
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  }

  it("answers at once, on 127.0.0.1 only, and is gone after stop", async () => {
    const server = await start();
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    expect(server.port).not.toBe(6379);
    expect(await ask(server, ["PING"])).toBe("PONG");
    expect(await ask(server, ["CONFIG", "GET", "bind"])).toEqual(["bind", "127.0.0.1"]);
    expect(await ask(server, ["CONFIG", "GET", "appendonly"])).toEqual(["appendonly", "no"]);
    await server.stop();
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  it("keeps the data with persistence", async () => {
    const first = await start({ persistence: true });
    expect(await ask(first, ["CONFIG", "GET", "appendfsync"])).toEqual(["appendfsync", "everysec"]);
    await ask(first, ["SET", "answer", "42"]);
    await first.stop();
    expect(existsSync(join(dir, "server.json"))).toBe(false);
    const second = await start({ persistence: true });
    expect(second.attached).toBe(false);
    expect(await ask(second, ["GET", "answer"])).toBe("42");
  });

  it("lets arguments of the caller win", async () => {
    const server = await start({ persistence: true, args: ["--appendfsync", "always"] });
    expect(await ask(server, ["CONFIG", "GET", "appendfsync"])).toEqual(["appendfsync", "always"]);
  });

  it("starts with a password", async () => {
    const server = await start({ args: ["--requirepass", "secret"] });
    await expect(ask(server, ["PING"])).rejects.toThrow(/NOAUTH/);
  });

  it("ends with a signal, as exited tells", async () => {
    const server = await start();
    server.kill("SIGKILL");
    expect(await server.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("stops a server that is too busy to be asked", async () => {
    const server = await start();
    server.kill("SIGSTOP");
    await server.stop(100);
    expect((await server.exited).signal).toBe("SIGKILL");
  });

  it("says that the port it was told to use is taken", async () => {
    const { port } = await listen();
    await expect(start({ port })).rejects.toThrow(`Port ${port} of 127.0.0.1 is in use by another program.`);
  });

  it("is not taken in by another Redis on its port", async () => {
    const other = await start();
    const mine = join(dir, "mine");
    await expect(start({ dir: mine, port: other.port })).rejects.toThrow(/in use by another program/);
    expect(await ask(other, ["PING"])).toBe("PONG");
  });

  it("takes another port when the one it found is taken before it is bound", async () => {
    const { port } = await listen();
    // A wrapper whose first start is told a port that is taken, as if somebody had been faster.
    const wrapper = join(dir, "wrapper");
    const mark = join(dir, "started");
    await writeFile(
      wrapper,
      `#!/bin/sh\n[ -e '${mark}' ] && exec '${program().path}' "$@"\n: > '${mark}'\nexec '${program().path}' "$@" --port ${port}\n`,
    );
    await chmod(wrapper, 0o755);
    const server = await start({ program: { ...program(), path: wrapper } });
    expect(existsSync(mark)).toBe(true);
    expect(server.port).not.toBe(port);
    expect(await ask(server, ["PING"])).toBe("PONG");
  });

  it("fails with the server's last words if it ends early", async () => {
    const refused = start({ persistence: true, args: ["--no-such-option", "1"] });
    await expect(refused).rejects.toThrow(/ended with code 1 before it answered[^]*no-such-option/);
    expect(existsSync(join(dir, "server.json"))).toBe(false);
  });

  it("fails if the program cannot be started, and leaves the folder free", async () => {
    const path = join(dir, "missing");
    await expect(start({ persistence: true, program: { ...program(), path } })).rejects.toThrow(/ENOENT/);
    expect((await start({ persistence: true })).attached).toBe(false);
  });

  it("uses the server that already runs on the folder, and leaves it running", async () => {
    const log = vi.fn();
    const first = await start({ persistence: true });
    const second = await start({ persistence: true, log });
    expect(second).toMatchObject({ attached: true, pid: first.pid, port: first.port, url: first.url });
    expect(log).toHaveBeenCalledWith(expect.stringContaining("already running"));
    expect(() => second.kill("SIGTERM")).toThrow(/another host/);
    await second.stop();
    expect(await ask(first, ["PING"])).toBe("PONG");
  });

  it("starts one server only when several hosts start at once", async () => {
    const servers = await Promise.all(Array.from({ length: 6 }, () => start({ persistence: true })));
    expect(new Set(servers.map((server) => server.pid)).size).toBe(1);
    expect(servers.filter((server) => !server.attached)).toHaveLength(1);
  });

  it("takes over a folder whose record is left from a host that crashed", async () => {
    const { port } = await listen();
    const gone = await start();
    await gone.stop();
    const record = join(dir, "server.json");
    for (const server of [
      { pid: gone.pid, port: gone.port, dir },
      // A pid and a port that others have by now.
      { pid: process.pid, port: gone.port, dir },
      { pid: gone.pid, port, dir },
    ]) {
      await writeFile(record, JSON.stringify({ host: gone.pid, instance: "earlier", server }));
      const mine = await start({ persistence: true });
      expect(mine.attached).toBe(false);
      await mine.stop();
    }
    await writeFile(record, JSON.stringify({ host: process.pid, instance: "the same id in an earlier container" }));
    expect((await start({ persistence: true })).attached).toBe(false);
  });

  it("does not take a server on another folder for its own", async () => {
    const other = await start({ dir: join(dir, "other"), persistence: true });
    const record = { host: process.pid, instance: "x", server: { pid: other.pid, port: other.port, dir } };
    await writeFile(join(dir, "server.json"), JSON.stringify(record));
    expect((await start({ persistence: true })).attached).toBe(false);
  });

  it("does not keep a host alive that has nothing else to do", async () => {
    const host = runNode(["test/support/embedded-host.ts", dir, program().path, "--leave"]);
    const pid = Number((await host.line(/^(\d+) /))[1]);
    expect((await host.exit).code).toBe(0);
    await until(() => !isAlive(pid), { what: "the server to end with its host" });
  });

  it.each(["SIGTERM", "SIGKILL"] as const)(
    "ends with a host that is ended by %s, with its file written",
    async (signal) => {
      const host = runNode(["test/support/embedded-host.ts", dir, program().path]);
      const [, pid, port] = await host.line(/^(\d+) (\d+) false$/);
      await ask({ url: `redis://127.0.0.1:${port}` }, ["SET", "answer", "42"]);
      host.signal(signal);
      await host.exit;
      await until(() => !isAlive(Number(pid)), { what: "the server to end with its host" });
      expect(readFileSync(join(dir, "server.log"), "utf8")).toMatch(/SIGTERM[^]*bye bye/);
      const next = await start({ persistence: true });
      expect(next.attached).toBe(false);
      expect(await ask(next, ["GET", "answer"])).toBe("42");
    },
  );

  it("attaches from another process", async () => {
    const mine = await start({ persistence: true });
    const host = runNode(["test/support/embedded-host.ts", dir, program().path]);
    await host.line(new RegExp(`^${mine.pid} ${mine.port} true$`));
    host.signal("SIGKILL");
    await host.exit;
    expect(await ask(mine, ["PING"])).toBe("PONG");
  });

  /** A listener that is no Redis. */
  async function listen(): Promise<{ port: number }> {
    const listener: Server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void listener.close());
    return listener.address() as { port: number };
  }
});
