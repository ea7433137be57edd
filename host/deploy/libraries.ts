/** The libraries: those of this package, and those that a server holds. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RatedFunction } from "./acl/users";
import type { Primary } from "../redis/connection";
import { ReplyError, UserError } from "../runtime/errors";
import { primaryOf, readInfo } from "../redis/info";
import { IS_BUNDLED } from "../runtime/version";

/** A library of this package, as built. */
export interface BundledLibrary {
  name: string;
  version: string;
  /** SHA-1 of the code; two builds of the same source have the same. */
  hash: string;
  code: string;
  functions: string[];
  /** The same functions with what they need. */
  rated: RatedFunction[];
}

/** What a library says that it is. */
export interface LibraryIdentity {
  version: string;
  hash: string;
}

/** A library on a server. */
export interface LoadedLibrary {
  name: string;
  functions: string[];
  /** Only where it bears the name of one of ours and does not belong to somebody else. */
  own?: { code: string; identity: LibraryIdentity | undefined };
}

interface Manifest {
  version: string;
  libraries: { name: string; file: string; hash: string; functions: Omit<RatedFunction, "library">[] }[];
}

/** Functions came with Redis 7.0; Valkey calls itself 7.2 or newer there too. */
const OLDEST_MAJOR = 7;

/** `dist/`, the folder of the built libraries. */
function bundleFolder(): string {
  // The entries of the bundle share this file, so that it lies in one of their chunks, in `dist/chunks/`.
  return fileURLToPath(new URL(IS_BUNDLED ? "../" : "../../dist/", import.meta.url));
}

/**
 * Reads the libraries of this package.
 *
 * @throws UserError if they are not built
 */
export function readBundle(folder: string = bundleFolder()): BundledLibrary[] {
  const { version, libraries } = readManifest(folder);
  return libraries.map(({ name, file, hash, functions }) => ({
    name,
    version,
    hash,
    code: readFileSync(`${folder}/${file}`, "utf8"),
    functions: functions.map((each) => each.name),
    rated: functions.map((each) => ({ ...each, library: name })),
  }));
}

function readManifest(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8")) as Manifest;
  } catch (error) {
    throw new UserError(`the libraries are not built (${(error as Error).message}); run: npm run build`);
  }
}

/** The function with which a library is asked what it is. */
function identityFunction(library: string): string {
  return `${library}_library`;
}

/**
 * The server's name and version, as in `redis 7.0.15`.
 *
 * @throws UserError if it is older than 7.0, which has no functions
 */
export async function checkServer(primary: Primary): Promise<string> {
  const info = await readInfo((args) => primary.send(args), "server");
  const valkey = info.get("valkey_version");
  const version = info.get("redis_version") ?? "unknown";
  if (valkey === undefined && !(Number(version.split(".")[0]) >= OLDEST_MAJOR)) {
    throw new UserError(`${primary.address} is Redis ${version}; functions need Redis 7.0 or newer, or Valkey`);
  }
  return valkey === undefined ? `redis ${version}` : `valkey ${valkey}`;
}

/**
 * Makes sure that a server takes writes.
 *
 * @throws UserError if it is a replica
 */
export async function checkPrimary(primary: Primary): Promise<void> {
  const other = await primaryOf((args) => primary.send(args));
  if (other !== undefined) throw new UserError(`${primary.address} is a replica; its primary is ${other}`);
}

/**
 * What a library on a server says that it is; undefined where it does not answer as one of ours.
 */
export async function askIdentity(primary: Primary, library: string): Promise<LibraryIdentity | undefined> {
  try {
    const reply = await primary.send(["FCALL_RO", identityFunction(library), "0"]);
    const [, , , version, , hash] = reply as string[];
    return version === undefined || hash === undefined ? undefined : { version, hash };
  } catch (error) {
    if (error instanceof ReplyError && error.code !== "NOPERM") return undefined;
    throw error;
  }
}

/**
 * All libraries that a server holds.
 *
 * @param ours names of libraries of which code and identity are wanted too
 */
export async function listLoaded(primary: Primary, ours: readonly string[]): Promise<LoadedLibrary[]> {
  const loaded = parseLibraries(await primary.send(["FUNCTION", "LIST"]));
  for (const library of loaded) {
    if (!ours.includes(library.name) || !library.functions.includes(identityFunction(library.name))) continue;
    const [withCode] = (await primary.send(["FUNCTION", "LIST", "LIBRARYNAME", library.name, "WITHCODE"])) as unknown[];
    // Deleted between the two questions: then it is not there.
    const code = withCode === undefined ? "" : (fieldsOf(withCode).get("library_code") as string);
    library.own = { code, identity: await askIdentity(primary, library.name) };
  }
  return loaded;
}

function parseLibraries(reply: unknown): LoadedLibrary[] {
  return (reply as unknown[]).map((each) => {
    const fields = fieldsOf(each);
    const functions = (fields.get("functions") as unknown[]).map((one) => fieldsOf(one).get("name") as string);
    return { name: fields.get("library_name") as string, functions };
  });
}

function fieldsOf(flat: unknown): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  const values = flat as unknown[];
  for (let at = 0; at + 1 < values.length; at += 2) fields.set(values[at] as string, values[at + 1]);
  return fields;
}
