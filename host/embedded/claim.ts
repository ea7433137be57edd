import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { poll, probe } from "./probe";

/*
 * Redis does not lock its folder, and two servers that append to one file destroy it. So whoever starts a server with
 * persistence first claims the folder with `server.json`, and whoever finds a claim that holds uses that server.
 */

interface ClaimRecord {
  /** The process that starts the server. */
  host: number;
  /** Tells it from an earlier process of the same id: in a container, ids come again at every start. */
  instance: string;
  /** The server, once it is started. */
  server?: RunningServer;
}

export interface RunningServer {
  pid: number;
  port: number;
  /** What `CONFIG GET dir` answers; in a container it is not the folder's name outside. */
  dir: string;
}

type Claim =
  { held: true; publish(server: RunningServer): void; release(): void } | { held: false; server: RunningServer };

const INSTANCE = randomUUID();
/** Long enough for another host to start its server, or for a server that was told to stop to write its file. */
const PATIENCE_MS = 20_000;

/**
 * Claims a folder for a server about to be started.
 * @param dir the folder; it exists.
 * @returns a claim to publish and at last to release; or, if the folder is in use, the server that answers for it.
 * @throws Error if a claim neither answers nor ends within 20 seconds.
 */
export async function claimFolder(dir: string): Promise<Claim> {
  const file = join(dir, "server.json");
  const claim = await poll(() => tryClaim(file), PATIENCE_MS);
  if (claim !== undefined) return claim;
  throw new Error(
    `${dir} is in use, says ${file}, by a process that runs but does not answer as a Redis server: ` +
      `${JSON.stringify(readRecord(file))}. End that process; if it has nothing to do with Hotpath, delete the file.`,
  );
}

async function tryClaim(file: string): Promise<Claim | undefined> {
  if (createRecord(file)) return heldClaim(file);
  const record = readRecord(file);
  if (record === undefined) return undefined;
  const server = record.server;
  const verdict = server === undefined ? judgeStarter(record) : await judgeServer(server);
  if (verdict === "serves" && server !== undefined) return { held: false, server };
  if (verdict === "gone") removeStale(file, record);
  return undefined;
}

type Verdict = "serves" | "gone" | "wait";

function judgeStarter(record: ClaimRecord): Verdict {
  const isEarlierSelf = record.host === process.pid && record.instance !== INSTANCE;
  return !isEarlierSelf && isAlive(record.host) ? "wait" : "gone";
}

/**
 * A server closes its port as the last thing it does, so a closed port is the surest sign. Its pid alone is none: it
 * may be another process's by now.
 */
async function judgeServer(server: RunningServer): Promise<Verdict> {
  const { state, dir = "" } = await probe(server.port);
  if (state === "closed") return "gone";
  if (state === "silent") return isAlive(server.pid) ? "wait" : "gone";
  if (dir !== server.dir) return "gone";
  return state === "ready" ? "serves" : "wait";
}

function heldClaim(file: string): Claim {
  const publish = (server: RunningServer): void => {
    // By a rename, for a reader must never see half a record.
    const draft = `${file}.${randomUUID()}`;
    writeFileSync(draft, JSON.stringify({ host: process.pid, instance: INSTANCE, server } satisfies ClaimRecord));
    renameSync(draft, file);
  };
  const release = (): void => {
    if (readRecord(file)?.instance === INSTANCE) rmSync(file, { force: true });
  };
  return { held: true, publish, release };
}

function createRecord(file: string): boolean {
  try {
    writeFileSync(file, JSON.stringify({ host: process.pid, instance: INSTANCE } satisfies ClaimRecord), {
      flag: "wx",
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Undefined if the file is gone, or just being written: both are settled at the next look. */
function readRecord(file: string): ClaimRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as ClaimRecord;
  } catch {
    return undefined;
  }
}

/**
 * Removes a record only if it is still the one that was judged: it is moved away first, and what was moved is looked
 * at, because another starter may have replaced it meanwhile.
 */
function removeStale(file: string, judged: ClaimRecord): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (JSON.stringify(readRecord(aside)) === JSON.stringify(judged)) rmSync(aside, { force: true });
  else renameSync(aside, file);
}

/**
 * Whether a process of that id exists.
 * @param pid the id.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
