import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { inspectServer, type ServerBinary, type ServerName } from "./program";

/*
 * A server from the distribution's own packages, unpacked into a folder of ours and not installed: it needs no root,
 * the machine stays as it was, and no service is started on port 6379. All libraries come along, libc too, so it
 * runs on a bare machine, and on one of another release.
 */

const run = promisify(execFile);
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024;

interface UnpackOptions {
  /** The package, which is also the name of its program. */
  name: ServerName;
  /** The folder to make. It appears whole or not at all. */
  into: string;
  /** A deb822 sources file to use in place of the machine's own. */
  sources?: string;
  /** The release to prefer (`apt-get --target-release`), for example `bookworm-backports`. */
  release?: string;
}

/**
 * Whether this machine has the two programs that {@link unpackServer} needs.
 * @returns true on Debian, Ubuntu and their kin.
 */
export async function hasApt(): Promise<boolean> {
  try {
    await run("apt-get", ["--version"]);
    await run("dpkg-deb", ["--version"]);
    return true;
  } catch {
    return false;
  }
}

/**
 * Downloads a server's package and everything it depends on, unpacks them, and writes `bin/<name>` beside them,
 * which starts the server through its own loader and libraries. Nothing outside the folder is written.
 * @returns the program, asked for its version.
 * @throws Error with apt's own last words if a package cannot be had, or if the program does not run.
 */
export async function unpackServer(options: UnpackOptions): Promise<ServerBinary> {
  const into = resolve(options.into);
  await mkdir(dirname(into), { recursive: true });
  const work = await mkdtemp(join(dirname(into), `.${basename(into)}-`));
  try {
    const archives = await download(options, join(work, "apt"));
    const bundle = join(work, "bundle");
    await unpack(archives, join(bundle, "root"));
    await writeWrapper(bundle, options.name);
    await moveIntoPlace(bundle, into, options.name);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const path = join(into, "bin", options.name);
  const server = inspectServer(path);
  if (server === undefined) throw new Error(`${path} was unpacked from ${options.name}, but does not run.`);
  return server;
}

async function download(options: UnpackOptions, aptRoot: string): Promise<string[]> {
  const settings = await privateAptRoot(aptRoot, options.sources);
  const release = options.release === undefined ? [] : ["--target-release", options.release];
  // An unreachable third-party source is only a warning of "update"; whether it mattered, "install" will say.
  await aptGet([...settings, "update"]);
  await aptGet([
    ...settings,
    ...release,
    "--yes",
    "--download-only",
    "--no-install-recommends",
    "install",
    options.name,
  ]);
  const archiveDir = join(aptRoot, "cache", "archives");
  const files = await readdir(archiveDir);
  return files.filter((file) => file.endsWith(".deb")).map((file) => join(archiveDir, file));
}

/**
 * State and cache of our own, with no package installed: so apt needs no root, asks for no lock, and brings every
 * dependency, whatever the machine has.
 */
async function privateAptRoot(aptRoot: string, sources: string | undefined): Promise<string[]> {
  await mkdir(join(aptRoot, "state", "lists", "partial"), { recursive: true });
  await mkdir(join(aptRoot, "cache", "archives", "partial"), { recursive: true });
  const status = join(aptRoot, "status");
  await writeFile(status, "");
  const settings: Record<string, string> = {
    "Dir::State": join(aptRoot, "state"),
    "Dir::State::status": status,
    "Dir::Cache": join(aptRoot, "cache"),
    // As root, apt would drop to a user that may not enter our folder.
    "APT::Sandbox::User": "root",
    "APT::Keep-Downloaded-Packages": "true",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
  };
  if (sources !== undefined) {
    const file = join(aptRoot, "only.sources");
    await writeFile(file, sources);
    settings["Dir::Etc::sourcelist"] = file;
    settings["Dir::Etc::sourceparts"] = "-";
  }
  return Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

async function aptGet(args: string[]): Promise<void> {
  try {
    await run("apt-get", ["-q", ...args], {
      env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
      maxBuffer: OUTPUT_LIMIT_BYTES,
    });
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const complaints = stderr.split("\n").filter((line) => line.startsWith("E:"));
    throw new Error(`apt-get ${args.at(-2)} ${args.at(-1)}: ${complaints.join(" ") || message}`, { cause: error });
  }
}

async function unpack(archives: string[], root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  // One after the other: some packages ship the same folders.
  for (const archive of archives) await run("dpkg-deb", ["--extract", archive, root]);
  const keep = new Set(["usr", "lib"]);
  for (const entry of await readdir(root)) if (!keep.has(entry)) await remove(join(root, entry));
  for (const entry of ["share", "sbin", "include"]) await remove(join(root, "usr", entry));
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function writeWrapper(bundle: string, name: ServerName): Promise<void> {
  const root = join(bundle, "root");
  const libraryDirs = await findLibraryDirs(root);
  const loader = await findLoader(root, libraryDirs);
  const script = `#!/bin/sh
# ${name} with the libraries it was built with, started through their own loader.
root="\${0%/*}/../root"
exec "$root/${loader}" \\
  --library-path "${libraryDirs.map((dir) => `$root/${dir}`).join(":")}" \\
  "$root/usr/bin/${name}" "$@"
`;
  await mkdir(join(bundle, "bin"));
  const wrapper = join(bundle, "bin", name);
  await writeFile(wrapper, script);
  await chmod(wrapper, 0o755);
}

/** Debian keeps libraries in a folder named after the machine's triplet, as in `usr/lib/x86_64-linux-gnu`. */
async function findLibraryDirs(root: string): Promise<string[]> {
  const dirs: string[] = [];
  for (const parent of ["lib", "usr/lib"]) {
    if (!existsSync(join(root, parent))) continue;
    const names = await readdir(join(root, parent));
    dirs.push(...names.filter((name) => name.includes("-linux-gnu")).map((name) => `${parent}/${name}`));
  }
  return dirs;
}

async function findLoader(root: string, libraryDirs: string[]): Promise<string> {
  for (const dir of libraryDirs) {
    const name = (await readdir(join(root, dir))).find((file) => /^ld(-linux|64).*\.so\.\d+$/.test(file));
    if (name !== undefined) return `${dir}/${name}`;
  }
  throw new Error("The unpacked packages hold no dynamic loader (ld-linux*.so).");
}

/** Two starters may fetch at once: the later one keeps what is there, unless it does not run. */
async function moveIntoPlace(bundle: string, into: string, name: ServerName): Promise<void> {
  try {
    await rename(bundle, into);
  } catch (error) {
    const taken = ["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (!taken) throw error;
    if (inspectServer(join(into, "bin", name)) !== undefined) return;
    await remove(into);
    await rename(bundle, into);
  }
}
