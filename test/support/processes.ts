import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterAll, onTestFinished } from "vitest";
import { AS_ROLES, asHost } from "./role-client";
import { until, type WaitOptions } from "./wait";

export interface RunOptions {
  /** Added to this process's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  cwd?: string;
}

export interface ProcessExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child process and what it has said so far. */
export interface RunningProcess {
  pid: number;
  /** Lines of stdout. */
  lines: string[];
  /** Lines of stderr. */
  errors: string[];
  /** Resolves once the process has ended and all of its output is in `lines` and `errors`. */
  exit: Promise<ProcessExit>;
  /** Waits for a line of stdout, past or to come; fails at once if the process ends without it. */
  line(pattern: RegExp, options?: WaitOptions): Promise<RegExpExecArray>;
  signal(signal: NodeJS.Signals): void;
}

const running = new Set<RunningProcess>();
const LINE_TIMEOUT_MS = 20_000;

// For those started outside a test, as in a beforeAll.
afterAll(() => Promise.all([...running].map(end)));

/**
 * Runs Node as a child, with TypeScript files through tsx. Whatever still runs when the test is finished (or, started
 * outside a test, the file) is killed.
 * @param args the script and its arguments, or Node's own options first.
 */
export function runNode(args: string[], options: RunOptions = {}): RunningProcess {
  const loader = args.some((arg) => /\.m?ts$/.test(arg)) ? ["--import", "tsx"] : [];
  const env = Object.fromEntries(
    Object.entries({ ...process.env, ...options.env }).filter(([, value]) => value !== undefined),
  );
  if (AS_ROLES && env["REDIS_URL"]) env["REDIS_URL"] = asHost(env["REDIS_URL"]);
  const child = spawn(process.execPath, [...loader, ...args], {
    env: env,
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let ended = false;
  const exit = new Promise<ProcessExit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      ended = true;
      running.delete(handle);
      resolve({ code, signal });
    });
  });
  const handle: RunningProcess = {
    pid: child.pid as number,
    lines: collect(child.stdout),
    errors: collect(child.stderr),
    exit,
    line: (pattern, wait) => awaitLine(handle, pattern, () => ended, wait),
    signal: (signal) => void child.kill(signal),
  };
  running.add(handle);
  endWithTest(handle);
  return handle;
}

/** The command as users run it: what `npm run build` has made. */
export const HOTPATH = resolve("dist/hotpath.js");

/**
 * Runs the built `hotpath` as a child, with the guarantees of `runNode`.
 * @param args the command and its arguments.
 */
export function runHotpath(args: readonly string[], options: RunOptions = {}): RunningProcess {
  if (!existsSync(HOTPATH)) throw new Error(`There is no ${HOTPATH}; run "npm run build" first.`);
  return runNode([HOTPATH, ...args], options);
}

function collect(stream: Readable): string[] {
  const lines: string[] = [];
  createInterface({ input: stream }).on("line", (line) => lines.push(line));
  return lines;
}

async function awaitLine(
  handle: RunningProcess,
  pattern: RegExp,
  hasEnded: () => boolean,
  options: WaitOptions = {},
): Promise<RegExpExecArray> {
  const find = (): RegExpExecArray | undefined => {
    for (const line of handle.lines) {
      const match = pattern.exec(line);
      if (match !== null) return match;
    }
    return undefined;
  };
  await until(() => find() !== undefined || hasEnded(), {
    timeoutMs: LINE_TIMEOUT_MS,
    what: `a line that matches ${pattern}`,
    ...options,
  });
  const match = find();
  if (match !== undefined) return match;
  throw new Error(
    `The process ended without a line that matches ${pattern}.\n${[...handle.lines, ...handle.errors].join("\n")}`,
  );
}

function endWithTest(handle: RunningProcess): void {
  try {
    onTestFinished(() => end(handle));
  } catch {
    // Not in a test: afterAll does it.
  }
}

async function end(handle: RunningProcess): Promise<void> {
  if (!running.has(handle)) return;
  handle.signal("SIGKILL");
  await handle.exit;
}
