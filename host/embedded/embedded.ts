import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { ChildProcess } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { claimFolder, type RunningServer } from "./claim";
import { spawnServer, type Exit, type ServerChild } from "./child";
import { ensureServer } from "./install";
import { freePort, poll, probe } from "./probe";
import type { ServerBinary, ServerImage, ServerProgram } from "./program";
import { MINUTE_MS } from "../runtime/time";

export { ensureServer, type EnsureOptions } from "./install";
export { findServer, inspectServer, isRecentEnough, listServers, parseVersion } from "./program";
export type { ServerBinary, ServerImage, ServerName, ServerProgram } from "./program";
export type { Exit } from "./child";

export interface StartOptions {
  /** The server's folder: its append-only file, `server.log` and `server.json`. Made if missing. */
  dir: string;
  /** Whether data outlives the server: an append-only file, written to disk every second. */
  persistence: boolean;
  /** A port of 127.0.0.1. Default: a free one, never 6379. */
  port?: number;
  /** More arguments, which win over ours, as in `["--appendfsync", "always"]`. */
  args?: string[];
  /** What to start. Default: what `ensureServer` finds or fetches. */
  program?: ServerProgram;
  /** Told in plain English what is happening. */
  log?: (message: string) => void;
}

/** A server that listens on 127.0.0.1 only. */
export interface EmbeddedServer {
  /** `redis://127.0.0.1:<port>` */
  url: string;
  port: number;
  pid: number;
  /** Absolute, without links. */
  dir: string;
  /** Whether somebody else had started it. Then it is theirs: `stop` leaves it running and `kill` is refused. */
  attached: boolean;
  /** The child, unless attached. */
  process?: ChildProcess;
  /** Resolves when the child has ended; for an attached server never. */
  exited: Promise<Exit>;
  /**
   * Lets it write its files and waits till it has ended; kills it if that takes longer than `patienceMs` (10,000), as
   * it may in a long function. May be called twice.
   */
  stop(patienceMs?: number): Promise<void>;
  /** Sends a signal, and does not wait; see `exited`. */
  kill(signal: NodeJS.Signals): void;
}

/** Between finding a free port and binding it, another process may take it; that often in a row, it is no accident. */
const PORT_ATTEMPTS = 5;
/** From spawn to the first answer; on a busy machine a server takes some 100 ms. */
const FIRST_ANSWER_MS = 15_000;
/** Docker may have to pull the image. */
const FIRST_ANSWER_DOCKER_MS = 5 * MINUTE_MS;
const STOP_PATIENCE_MS = 10_000;
const CONTAINER_PORT = 6379;

/**
 * Starts a server as a child of this process and waits until it answers. It ends with this process, also when that is
 * killed (on Windows not then). With persistence, and if a server already runs on the folder, that one is used.
 * @throws Error with the server's last words if it ends early; if `port` is taken; and what `ensureServer` throws.
 */
export async function startServer(options: StartOptions): Promise<EmbeddedServer> {
  const log = options.log ?? (() => undefined);
  mkdirSync(options.dir, { recursive: true });
  const dir = realpathSync(options.dir);
  const program = options.program ?? (await ensureServer({ log }));
  if (!options.persistence) return (await launch(program, dir, options)).server;

  const claim = await claimFolder(dir);
  if (!claim.held) {
    log(`A server for ${dir} is already running (process ${claim.server.pid}, port ${claim.server.port}); using it.`);
    return attach(claim.server, dir);
  }
  try {
    const { server, reportedDir } = await launch(program, dir, options);
    claim.publish({ pid: server.pid, port: server.port, dir: reportedDir });
    void server.exited.then(claim.release);
    return server;
  } catch (error) {
    claim.release();
    throw error;
  }
}

interface Launched {
  server: EmbeddedServer;
  reportedDir: string;
}

/** Thrown by a start whose port somebody else has. */
class PortTakenError extends Error {}

async function launch(program: ServerProgram, dir: string, options: StartOptions): Promise<Launched> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return await launchOnPort(program, dir, port, options);
    } catch (error) {
      const mayTryAnother = options.port === undefined && attempt < PORT_ATTEMPTS;
      if (!(error instanceof PortTakenError && mayTryAnother)) throw error;
    }
  }
}

async function launchOnPort(
  program: ServerProgram,
  dir: string,
  port: number,
  options: StartOptions,
): Promise<Launched> {
  const [command, args] =
    program.kind === "docker" ? dockerCommand(program, dir, port, options) : binaryCommand(program, dir, port, options);
  const child = await spawnServer(command, args, { cwd: dir, logFile: join(dir, "server.log") });
  try {
    const reportedDir = await answering(child, program, port);
    // From now on the server must not keep a host alive that has nothing else to do.
    child.process.unref();
    return { server: ownServer(child, dir, port), reportedDir };
  } catch (error) {
    await stopChild(child);
    throw error;
  }
}

function dataArgs(options: StartOptions): string[] {
  const kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];
  const forgotten = ["--save", "", "--appendonly", "no"];
  return [...(options.persistence ? kept : forgotten), ...(options.args ?? [])];
}

type Command = [command: string, args: string[]];

function binaryCommand(program: ServerBinary, dir: string, port: number, options: StartOptions): Command {
  return [program.path, ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, ...dataArgs(options)]];
}

function dockerCommand(program: ServerImage, dir: string, port: number, options: StartOptions): Command {
  const asUs = process.getuid && process.getgid ? ["--user", `${process.getuid()}:${process.getgid()}`] : [];
  const container = ["run", "--rm", "--publish", `127.0.0.1:${port}:${CONTAINER_PORT}`, "--volume", `${dir}:/data`];
  // Inside, Docker's forwarder is a stranger; outside, only this machine reaches the port.
  const open = ["--bind", "0.0.0.0", "--protected-mode", "no", "--dir", "/data"];
  return ["docker", [...container, ...asUs, program.image, program.name, ...open, ...dataArgs(options)]];
}

/** Waits until the child, and not somebody else, answers on the port. Returns the folder that it says it works in. */
async function answering(child: ServerChild, program: ServerProgram, port: number): Promise<string> {
  const limitMs = program.kind === "docker" ? FIRST_ANSWER_DOCKER_MS : FIRST_ANSWER_MS;
  let stranger: number | undefined;
  let loading = false;
  const attempt = async (): Promise<string | undefined> => {
    if (child.hasExited()) throw await earlyExit(child, port);
    const answer = await probe(port);
    const isOurs = program.kind === "docker" || answer.pid === undefined || answer.pid === child.pid;
    stranger = isOurs ? undefined : answer.pid;
    loading = isOurs && answer.state === "loading";
    return isOurs && answer.state === "ready" ? (answer.dir ?? "") : undefined;
  };
  for (;;) {
    const dir = await poll(attempt, limitMs);
    if (dir !== undefined) return dir;
    // A large append-only file takes as long as it takes.
    if (!loading) throw new Error(noAnswer(child, port, limitMs, stranger));
  }
}

async function earlyExit(child: ServerChild, port: number): Promise<Error> {
  const { code, signal } = await child.exited;
  const words = child.lastLines();
  if (/address already in use|port is already allocated/i.test(words)) {
    return new PortTakenError(`Port ${port} of 127.0.0.1 is in use by another program.`);
  }
  const how = signal === null ? `with code ${code}` : `by ${signal}`;
  return new Error(`The Redis server ended ${how} before it answered. Its last words:\n${words}`);
}

function noAnswer(child: ServerChild, port: number, limitMs: number, stranger: number | undefined): string {
  if (stranger !== undefined) {
    return (
      `Port ${port} is answered by process ${stranger}, but process ${child.pid} was started. ` +
      `If HOTPATH_SERVER is a wrapper script, it must start the server with exec.`
    );
  }
  return `The Redis server did not answer within ${limitMs / 1000} s. Its last words:\n${child.lastLines()}`;
}

function ownServer(child: ServerChild, dir: string, port: number): EmbeddedServer {
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    dir,
    attached: false,
    process: child.process,
    exited: child.exited,
    stop: (patienceMs) => stopChild(child, patienceMs),
    kill: (signal) => {
      // Whoever kills it will want to see it end.
      child.process.ref();
      child.process.kill(signal);
    },
  };
}

async function stopChild(child: ServerChild, patienceMs = STOP_PATIENCE_MS): Promise<void> {
  if (child.hasExited()) return;
  child.process.ref();
  child.process.kill("SIGTERM");
  const patience = new AbortController();
  const tooLong = delay(patienceMs, "too long" as const, { signal: patience.signal }).catch(() => undefined);
  if ((await Promise.race([child.exited, tooLong])) === "too long") child.process.kill("SIGKILL");
  patience.abort();
  await child.exited;
}

function attach(running: RunningServer, dir: string): EmbeddedServer {
  return {
    url: `redis://127.0.0.1:${running.port}`,
    port: running.port,
    pid: running.pid,
    dir,
    attached: true,
    exited: new Promise(() => undefined),
    stop: () => Promise.resolve(),
    kill: () => {
      throw new Error(`Process ${running.pid} was started by another host; it is not ours to signal.`);
    },
  };
}
