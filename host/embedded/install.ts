import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { hasApt, unpackServer } from "./apt";
import { fetchedServerDir, findServer, isRecentEnough, listServers } from "./program";
import type { ServerBinary, ServerImage, ServerName, ServerProgram } from "./program";

const run = promisify(execFile);
const DOCKER_IMAGE: ServerImage = { kind: "docker", image: "redis:7", name: "redis-server", version: "7" };
const DOCKER_TIMEOUT_MS = 10_000;
/** Not every release has both: Redis first, for it is what most people run. */
const PACKAGES: readonly ServerName[] = ["redis-server", "valkey-server"];

const INSTRUCTIONS = `Install one, or set REDIS_URL to a server that is running:
  Debian, Ubuntu   sudo apt-get install redis-server   (Ubuntu from 24.04 on; 22.04 has 6.0)
  Fedora           sudo dnf install valkey
  macOS            brew install redis
  Windows          wsl --install, then as on Ubuntu, and run Hotpath there; or Docker Desktop;
                   or Memurai 4, with REDIS_URL=redis://127.0.0.1:6379
  elsewhere        HOTPATH_SERVER=/path/to/redis-server`;

export interface EnsureOptions {
  /** Told in plain English before anything that takes a while or touches the disk. */
  log: (message: string) => void;
  /** Hotpath's folder; a fetched server goes to `server/` in it. Default `.hotpath`. */
  home?: string;
  /** Use what is there, fetch nothing. Default: whether `HOTPATH_NO_INSTALL` is `1`. */
  noInstall?: boolean;
  /** Whether a container will do. Default true. */
  docker?: boolean;
}

/**
 * Finds a server, else fetches the distribution's own with apt into Hotpath's folder (no root needed, nothing is
 * installed, no service started), else falls back on Docker.
 * @returns what `startServer` takes as `program`.
 * @throws Error that says what to install, with the reason why nothing could be fetched; or what is wrong with
 * `HOTPATH_SERVER`.
 */
export async function ensureServer(options: EnsureOptions): Promise<ServerProgram> {
  const found = findServer(options.home);
  if (found !== undefined) return found;
  for (const old of listServers(options.home)) {
    options.log(`${old.path} is ${old.name} ${old.version}: too old, 7.0 or newer is needed.`);
  }
  const reasons: string[] = [];
  if (options.noInstall ?? process.env["HOTPATH_NO_INSTALL"] === "1") {
    reasons.push("fetching one is forbidden (HOTPATH_NO_INSTALL)");
  } else {
    const fetched = await fetchWithApt(options, reasons);
    if (fetched !== undefined) return fetched;
    if ((options.docker ?? true) && (await dockerAnswers(reasons))) {
      options.log(`No Redis server found; using Docker's ${DOCKER_IMAGE.image}.`);
      return DOCKER_IMAGE;
    }
  }
  throw new Error(`No Redis or Valkey server (7.0 or newer) was found: ${reasons.join("; ")}.\n${INSTRUCTIONS}`);
}

async function fetchWithApt(options: EnsureOptions, reasons: string[]): Promise<ServerBinary | undefined> {
  if (!(await hasApt())) {
    reasons.push("there is no apt-get to fetch one with");
    return undefined;
  }
  const into = fetchedServerDir(options.home);
  for (const name of PACKAGES) {
    options.log(`No Redis server found; fetching the distribution's ${name} with apt-get into ${into} (about 25 MB) …`);
    try {
      const server = await unpackServer({ name, into });
      if (isRecentEnough(server.version)) {
        options.log(`${server.name} ${server.version} is ready.`);
        return server;
      }
      reasons.push(`the distribution's ${name} is ${server.version}`);
      await rm(into, { recursive: true, force: true });
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  return undefined;
}

async function dockerAnswers(reasons: string[]): Promise<boolean> {
  try {
    await run("docker", ["info"], { timeout: DOCKER_TIMEOUT_MS });
    return true;
  } catch {
    reasons.push("Docker does not answer");
    return false;
  }
}
