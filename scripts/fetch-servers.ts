/*
 * Brings other servers than the machine's own into .hotpath/servers/, for `npm run test:matrix`:
 *
 *     npx tsx scripts/fetch-servers.ts
 *
 * They are packages of other Debian releases, unpacked beside their own libraries. Needs a Debian machine (or
 * container), no root, and about 45 MB from the mirror that the machine's apt uses. What is there is kept.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { unpackServer } from "../host/embedded/apt";
import { inspectServer, type ServerBinary, type ServerName } from "../host/embedded/program";

interface Source {
  name: ServerName;
  /** Suites of the Debian archive, the last one preferred. */
  suites: string[];
  /** The version it had when this list was made; a suite may move on. */
  about: string;
}

const SOURCES: readonly Source[] = [
  { name: "valkey-server", suites: ["bookworm", "bookworm-backports"], about: "8.0" },
  { name: "redis-server", suites: ["trixie"], about: "8.0" },
  { name: "valkey-server", suites: ["forky"], about: "9.1" },
];
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const SERVERS_DIR = resolve(".hotpath", "servers");

const mirror = findMirror();
for (const source of SOURCES) {
  const server = findFetched(source) ?? (await fetchServer(source));
  console.log(`${server.name} ${server.version}  ${server.path}`);
}

/** The Debian archive that this machine's apt uses, whichever mirror that is. */
function findMirror(): string {
  const release = /^VERSION_CODENAME=(\S+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (release === undefined || !existsSync(KEYRING))
    throw new Error("This needs Debian's apt and its archive keyring.");
  const format = "$(REPO_URI)|$(RELEASE)|$(CREATED_BY)";
  const targets = execFileSync("apt-get", ["indextargets", "--no-release-info", "--format", format], {
    encoding: "utf8",
  });
  for (const line of targets.split("\n")) {
    const [uri, suite, kind] = line.split("|");
    if (uri !== undefined && kind === "Packages" && (suite === release || suite === "stable")) return uri;
  }
  throw new Error(`apt's sources name no archive for ${release}.`);
}

function findFetched(source: Source): ServerBinary | undefined {
  if (!existsSync(SERVERS_DIR)) return undefined;
  const dirs = readdirSync(SERVERS_DIR).filter((dir) => dir.startsWith(`${source.name}-${source.about}.`));
  return dirs
    .map((dir) => inspectServer(join(SERVERS_DIR, dir, "bin", source.name)))
    .find((server) => server !== undefined);
}

async function fetchServer(source: Source): Promise<ServerBinary> {
  const release = source.suites.at(-1) as string;
  console.log(`Fetching ${source.name} of ${release} …`);
  // Its version, which names its folder, is known only after it has run.
  const draft = join(SERVERS_DIR, `.${source.name}-${release}`);
  await rm(draft, { recursive: true, force: true });
  const { version } = await unpackServer({ name: source.name, into: draft, release, sources: sourcesFile(source) });
  const dir = join(SERVERS_DIR, `${source.name}-${version}`);
  await rm(dir, { recursive: true, force: true });
  await rename(draft, dir);
  return { kind: "binary", path: join(dir, "bin", source.name), name: source.name, version };
}

function sourcesFile(source: Source): string {
  return `Types: deb\nURIs: ${mirror}\nSuites: ${source.suites.join(" ")}\nComponents: main\nSigned-By: ${KEYRING}\n`;
}
