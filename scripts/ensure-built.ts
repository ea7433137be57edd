/** Builds if there is no build, or if a source is newer than it. */
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of package.json. */
const ROOT = resolve(fileURLToPath(import.meta.url), "../..");

/** The command that a build makes. */
export const HOTPATH = join(ROOT, "dist/hotpath.js");

/** Written by the build itself. */
const GENERATED = join(ROOT, "host/contract.ts");
const SOURCES = ["functions", "host", "demo", "scripts/build", "package.json"];
const OUTPUTS = ["dist/manifest.json", "dist/hotpath.js", "dist/demo.js", "dist/index.js"];

/** Builds if need be; ends this process with the build's exit code if it fails. */
export function ensureBuilt(): void {
  if (!isStale()) return;
  console.error("Building …");
  // The build says what it made; that does not belong to the output of what is to be run.
  const { status, error } = spawnSync(process.execPath, ["--import", "tsx", join(ROOT, "scripts/build/main.ts")], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2],
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function isStale(): boolean {
  const built = OUTPUTS.map((path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.min(...built) < Math.max(...SOURCES.map((path) => newest(join(ROOT, path))));
}

function newest(path: string): number {
  if (path === GENERATED) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((entry) => newest(join(path, entry))));
}
