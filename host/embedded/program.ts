import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { delimiter, join, resolve } from "node:path";

export type ServerName = "redis-server" | "valkey-server";

/** A server program on this machine. */
export interface ServerBinary {
  kind: "binary";
  /** Absolute path of the binary, or of a wrapper script that ends in `exec`. */
  path: string;
  /** What it says it is, whatever its file is called: Valkey installs a `redis-server` of its own. */
  name: ServerName;
  /** For example `7.0.15`. */
  version: string;
}

/** A server in a container, for machines that have Docker and no server. */
export interface ServerImage {
  kind: "docker";
  image: string;
  name: ServerName;
  version: string;
}

export type ServerProgram = ServerBinary | ServerImage;

/** Functions came with Redis 7.0. Valkey began at 7.2. */
const OLDEST_MAJOR = 7;
const SERVER_NAMES: readonly ServerName[] = ["redis-server", "valkey-server"];
/** Where package managers put servers; a cron job's or a service's PATH often lacks them. */
const USUAL_DIRS = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
const VERSION_TIMEOUT_MS = 5_000;

/**
 * Where a server that Hotpath fetched for itself is kept.
 * @param home Hotpath's folder, `.hotpath` unless told otherwise.
 * @returns the folder with `bin/` in it.
 */
export function fetchedServerDir(home = ".hotpath"): string {
  return resolve(home, "server");
}

/**
 * Reads the line that `redis-server --version` prints.
 * @param output the whole output.
 * @returns name and version, or undefined for anything else.
 */
export function parseVersion(output: string): { name: ServerName; version: string } | undefined {
  const match = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/m.exec(output);
  if (match === null) return undefined;
  return { name: match[1] === "Redis" ? "redis-server" : "valkey-server", version: match[2] as string };
}

/**
 * Whether a server of this version has Redis Functions.
 * @param version for example `7.0.15`.
 */
export function isRecentEnough(version: string): boolean {
  return Number(version.split(".")[0]) >= OLDEST_MAJOR;
}

/**
 * Asks a program for its version.
 * @param path the program.
 * @returns undefined if it is not an executable file, does not run, or is no Redis or Valkey server.
 */
export function inspectServer(path: string): ServerBinary | undefined {
  if (!isExecutableFile(path)) return undefined;
  try {
    const output = execFileSync(path, ["--version"], {
      encoding: "utf8",
      timeout: VERSION_TIMEOUT_MS,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const parsed = parseVersion(output);
    return parsed && { kind: "binary", path, ...parsed };
  } catch {
    return undefined;
  }
}

/**
 * Every server on PATH, in the usual folders and in Hotpath's own folder, each file once, in order of preference:
 * Redis before Valkey, PATH before the others. Servers too old for Hotpath are among them.
 * @param home Hotpath's folder, `.hotpath` unless told otherwise.
 */
export function listServers(home?: string): ServerBinary[] {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((dir) => dir !== "");
  const dirs = [...onPath, ...USUAL_DIRS, join(fetchedServerDir(home), "bin")];
  const seen = new Set<string>();
  const servers: ServerBinary[] = [];
  for (const name of SERVER_NAMES) {
    for (const dir of dirs) {
      const path = resolve(dir, name);
      if (!isExecutableFile(path)) continue;
      // The name belongs to the identity: Debian's redis-server is a link to redis-check-rdb, told apart by argv[0].
      const identity = `${realpathSync(path)} ${name}`;
      if (seen.has(identity)) continue;
      seen.add(identity);
      const server = inspectServer(path);
      if (server !== undefined) servers.push(server);
    }
  }
  return servers;
}

/**
 * Finds a server that can run Hotpath's functions: the one that `HOTPATH_SERVER` names, else the first of
 * {@link listServers} that is 7.0 or newer.
 * @param home Hotpath's folder, `.hotpath` unless told otherwise.
 * @returns undefined if there is none.
 * @throws Error if `HOTPATH_SERVER` names something that is missing, is no server, or is too old.
 */
export function findServer(home?: string): ServerBinary | undefined {
  const override = process.env["HOTPATH_SERVER"];
  if (override) return inspectOverride(override);
  return listServers(home).find((server) => isRecentEnough(server.version));
}

function inspectOverride(path: string): ServerBinary {
  const absolute = resolve(path);
  if (!isExecutableFile(absolute)) throw new Error(`HOTPATH_SERVER is ${path}, which is not an executable file.`);
  const server = inspectServer(absolute);
  if (server === undefined) {
    throw new Error(`HOTPATH_SERVER is ${path}, which does not answer --version as a Redis or Valkey server does.`);
  }
  if (!isRecentEnough(server.version)) {
    throw new Error(
      `HOTPATH_SERVER is ${path}, ${server.name} ${server.version}: too old, Redis Functions need 7.0 or newer.`,
    );
  }
  return server;
}

function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
