/** Programs in other languages that send commands by a client of theirs; they run where that client is installed. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** One command a row; several go into one pipeline. */
export type Commands = string[][];

/** Sends commands to the server at a port; rejects as the client does. */
export type Sender = (port: number, commands: Commands, ...login: string[]) => Promise<unknown[]>;

/** What sends, or why it cannot here. */
export type Program = { send: Sender; missing?: never } | { send?: never; missing: string };

const PYTHON = "python3";
const folder = (path: string): string => fileURLToPath(new URL(`../clients/${path}`, import.meta.url));

function program(file: string, args: string[]): Sender {
  return async (port, commands, ...login) => {
    const given = [...args, String(port), JSON.stringify(commands), ...login];
    const { stdout } = await promisify(execFile)(file, given, { timeout: 50_000 });
    const { replies, error } = JSON.parse(stdout) as { replies?: unknown[]; error?: string };
    if (replies === undefined) throw new Error(error);
    return replies;
  };
}

let hasRedisPy: boolean | undefined;

/** redis-py, if python3 has it. */
export function redisPy(kind: "sync" | "asyncio" | "off" | "cluster" | "cluster-asyncio"): Program {
  hasRedisPy ??= spawnSync(PYTHON, ["-c", "import redis.asyncio"]).status === 0;
  return hasRedisPy ? { send: program(PYTHON, [folder("send.py"), kind]) } : { missing: "python3 has no redis-py" };
}

let goProgram: string | null | undefined;

/** Built from what is on this machine alone; null if that is not enough. */
function buildGo(): string | null {
  const dir = mkdtempSync(join(tmpdir(), "hotpath-go-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  const target = join(dir, "send");
  try {
    const env = { ...process.env, GOPROXY: "off", GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local" };
    execFileSync("go", ["build", "-o", target, "."], { cwd: folder("go"), env, stdio: "ignore" });
    return target;
  } catch {
    return null;
  }
}

/** go-redis, if Go is here and has it. */
export function goRedis(kind: "default" | "off" | "cluster"): Program {
  goProgram ??= buildGo();
  return goProgram === null ? { missing: "there is no Go with go-redis" } : { send: program(goProgram, [kind]) };
}
