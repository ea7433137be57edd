import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import { until } from "./wait";

/** Whether this machine has the `script` of util-linux, which gives a command a terminal. */
export const HAS_TERMINAL = /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "");

export interface TerminalOptions {
  columns?: number;
  rows?: number;
  env?: Record<string, string>;
}

/** A command in a terminal of its own. */
export interface Terminal {
  /** All that was written so far. */
  output(): string;
  /** The lines of the last whole screen, without colours and spaces at their ends. */
  screen(): string[];
  /** Waits for a line of the screen. */
  line(pattern: RegExp): Promise<string>;
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  signal(signal: NodeJS.Signals): void;
  /** State of the process as /proc has it: `T` is stopped. */
  state(): string;
  /** Resolves when the command has ended and the terminal was asked how it is: exit code and the settings of stty. */
  ended: Promise<{ code: number; settings: string }>;
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Runs a command of Node in a terminal; killed with the test. */
export function openTerminal(args: string[], { columns = 80, rows = 24, env = {} }: TerminalOptions = {}): Terminal {
  const command = [process.execPath, ...args].map(quoted).join(" ");
  // The inner shell is replaced by the command, so that its pid is the command's.
  const inner = `echo "pid $$ $(tty)"; exec ${command}`;
  const script = `stty cols ${columns} rows ${rows}; sh -c ${quoted(inner)}; echo "code $?"; stty -a; echo over`;
  const child = spawn("script", ["-qfec", script, "/dev/null"], {
    env: { ...process.env, TERM: "xterm-256color", NO_COLOR: "", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  onTestFinished(async () => {
    const [, pid] = /pid (\d+)/.exec(text) ?? [];
    try {
      if (pid !== undefined) process.kill(Number(pid), "SIGKILL");
    } catch {
      // Ended already.
    }
    child.kill("SIGKILL");
    await closed;
  });
  const find = (pattern: RegExp): RegExpExecArray => {
    const found = pattern.exec(text);
    if (found === null) throw new Error(`no ${pattern} in ${JSON.stringify(text)}`);
    return found;
  };
  const ended = closed.then(() => ({ code: Number(find(/code (\d+)/)[1]), settings: find(/code \d+([^]*)over/)[1]! }));
  // A test that does not ask how it ended may kill it.
  ended.catch(() => undefined);
  const terminal: Terminal = {
    output: () => text,
    screen: () => lastScreen(text),
    line: (pattern) =>
      until(() => terminal.screen().find((line) => pattern.test(line)), {
        timeoutMs: 20_000,
        what: `${pattern} on the screen`,
      }).catch((error: Error) => {
        throw new Error(`${error.message}\n${terminal.screen().join("\n")}`, { cause: error });
      }),
    type: (keys) => void child.stdin.write(keys),
    resize: (toColumns, toRows) => {
      const set = spawnSync(
        "stty",
        ["-F", find(/pid \d+ (\S+)/)[1]!, "cols", String(toColumns), "rows", String(toRows)],
        { encoding: "utf8" },
      );
      if (set.status !== 0) throw new Error(set.stderr);
    },
    signal: (signal) => void process.kill(Number(find(/pid (\d+)/)[1]), signal),
    state: () => /\) (\w)/.exec(readFileSync(`/proc/${find(/pid (\d+)/)[1]}/stat`, "utf8"))?.[1] ?? "",
    ended,
  };
  return terminal;
}

/** A frame is between these two. Of one that is still arriving there is only the first. */
export const BEGIN_FRAME = "\u001b[?2026h";
export const END_FRAME = "\u001b[?2026l";

function lastScreen(text: string): string[] {
  const end = text.lastIndexOf(END_FRAME);
  if (end < 0) return [];
  const frame = text.slice(text.lastIndexOf(BEGIN_FRAME, end), end);
  return plain(frame)
    .split("\r\n")
    .map((line) => line.trimEnd());
}

/** Text without escape sequences. */
export function plain(text: string): string {
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "");
}
