/** Running the demos as a person would: the built program, in an empty folder. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, inject } from "vitest";
import { runHotpath } from "./processes";

interface DemoRun {
  code: number | null;
  out: string;
  errors: string;
  /** The folder that it ran in, removed after the file's tests. */
  cwd: string;
}

/** Runs `hotpath demo <what>`; without a url on a server of its own, from the program that the tests use. */
export function useDemo(what: string): (args: string[], url?: string) => Promise<DemoRun> {
  const dirs: string[] = [];
  afterAll(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));
  return async (args, url) => {
    const cwd = mkdtempSync(join(tmpdir(), "hotpath-demo-"));
    dirs.push(cwd);
    const redis = inject("redis");
    const program = redis.mode === "own" && redis.program.kind === "binary" ? redis.program.path : undefined;
    const demo = runHotpath(["demo", what, ...args], { cwd, env: { REDIS_URL: url, HOTPATH_SERVER: program } });
    const { code } = await demo.exit;
    return { code, out: demo.lines.join("\n"), errors: demo.errors.join("\n"), cwd };
  };
}
