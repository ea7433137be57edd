/** Runs the tests of clients in other languages on the file's server, which has all libraries. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";

/** The Python that has what the client's tests need: that of `.ci/run`, else the machine's. */
export const PYTHON = existsSync(".hotpath/python/bin/python") ? resolve(".hotpath/python/bin/python") : "python3";

/** A program's output, whether it failed or not. */
export async function outputOf(
  program: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<{ code: number; output: string }> {
  try {
    const options = { ...(cwd !== undefined && { cwd }), env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    const { stdout, stderr } = await promisify(execFile)(program, args, options);
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const {
      code,
      stdout = "",
      stderr = "",
      message,
    } = error as Error & { code?: unknown; stdout?: string; stderr?: string };
    return { code: typeof code === "number" ? code : 1, output: stdout + stderr || message };
  }
}
