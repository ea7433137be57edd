import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A server process, and its end. */
export interface ServerChild {
  process: ChildProcess;
  pid: number;
  /** Resolves when the process has ended; never rejects. */
  exited: Promise<Exit>;
  hasExited(): boolean;
  /** The last lines of what it printed. */
  lastLines(): string;
}

const SHOWN_LINES = 15;
const running = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of running) child.kill("SIGTERM");
});

/**
 * Starts a server as a child that ends when this process ends, however that happens.
 *
 * It is in a process group of its own, so that Ctrl-C reaches only the host, which still needs the server to finish
 * its slice. Its output goes to a file and not to a pipe: a host that is busy or gone must not block it.
 * @param command the program.
 * @param args its arguments.
 * @param options.cwd where it runs, `options.logFile` where its output goes (emptied first).
 * @throws Error if the program cannot be started.
 */
export async function spawnServer(
  command: string,
  args: string[],
  options: { cwd: string; logFile: string },
): Promise<ServerChild> {
  const log = openSync(options.logFile, "w");
  const child = spawn(command, args, { cwd: options.cwd, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  let ended = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => {
      ended = true;
      running.delete(child);
      resolve({ code, signal });
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  running.add(child);
  const pid = child.pid as number;
  guard(pid, exited);
  return {
    process: child,
    pid,
    exited,
    hasExited: () => ended,
    lastLines: () => readFileSync(options.logFile, "utf8").trimEnd().split("\n").slice(-SHOWN_LINES).join("\n"),
  };
}

/**
 * Ends the server when this process is killed in a way that runs no handler (SIGKILL, a crash, out of memory): a shell
 * waits on a pipe whose other end only we hold, and the system closes it with us. Windows has no `sh`; there, only the
 * exit handler holds.
 */
function guard(pid: number, exited: Promise<Exit>): void {
  if (process.platform === "win32") return;
  const script = 'read -r _; kill -TERM "$1"';
  const watcher = spawn("sh", ["-c", script, "hotpath-guard", String(pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watcher.on("error", () => undefined);
  watcher.unref();
  (watcher.stdin as unknown as { unref(): void }).unref();
  // Before its pid can be anyone else's.
  void exited.then(() => watcher.kill("SIGKILL"));
}
