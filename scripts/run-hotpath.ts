/** Runs the built `hotpath` in place of this process: its output, its signals, its exit code. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { ensureBuilt, HOTPATH } from "./ensure-built";

/** Builds if need be, then runs `hotpath <command>` with the arguments that this script was given. */
export function runHotpath(command: string): void {
  ensureBuilt();
  const child = spawn(process.execPath, [HOTPATH, command, ...process.argv.slice(2)], { stdio: "inherit" });
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      // Ctrl-C reaches everybody on the terminal, and a second signal would end the command before it has cleaned up.
      const isFromTerminal = name === "SIGINT" && (process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
      if (!isFromTerminal) child.kill(name);
    });
  }
  child.on("error", (error) => {
    throw error;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal];
  });
}
