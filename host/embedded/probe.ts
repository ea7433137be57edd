import { createConnection, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What a loopback port answers. */
interface ProbeResult {
  /**
   * `ready` answers PING; `loading` still reads its append-only file; `closed` is a port on which nobody listens;
   * `silent` is a busy server, or no Redis. A server that asks for a password is `ready`, but tells neither pid nor
   * dir.
   */
  state: "ready" | "loading" | "silent" | "closed";
  /** The server's own process id, as it sees it. */
  pid?: number;
  /** Its working folder, where its append-only file is. */
  dir?: string;
}

/** INFO and CONFIG answer while the server loads. QUIT makes it close, so that the end of the reply is known. */
const QUESTIONS = "PING\r\nINFO server\r\nCONFIG GET dir\r\nQUIT\r\n";
/** The range of ports that a system gives out seldom reaches down to Redis's own, but it can be set so. */
const REDIS_DEFAULT_PORT = 6379;

/**
 * Asks whoever listens on a port of 127.0.0.1 whether it is a Redis server, and which.
 * @param port the port.
 * @param timeoutMs how long it may take; a server that is in a long function is `silent`.
 * @returns never rejects.
 */
export function probe(port: number, timeoutMs = 1_000): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    let reply = "";
    let refused = false;
    socket.setEncoding("utf8");
    socket.on("connect", () => socket.write(QUESTIONS));
    socket.on("data", (chunk) => (reply += String(chunk)));
    socket.on("error", (error: NodeJS.ErrnoException) => (refused = error.code === "ECONNREFUSED"));
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(refused ? { state: "closed" } : readReply(reply));
    });
  });
}

function readReply(reply: string): ProbeResult {
  const result: ProbeResult = { state: readState(reply) };
  const pid = /^process_id:(\d+)\r$/m.exec(reply)?.[1];
  const dir = /\r\ndir\r\n\$\d+\r\n(.*)\r\n/.exec(reply)?.[1];
  if (pid !== undefined) result.pid = Number(pid);
  if (dir !== undefined) result.dir = dir;
  return result;
}

function readState(reply: string): ProbeResult["state"] {
  if (reply.startsWith("+PONG") || reply.startsWith("-NOAUTH")) return "ready";
  return reply.startsWith("-LOADING") ? "loading" : "silent";
}

/**
 * A port of 127.0.0.1 that is free at this moment, and is not 6379. Somebody may take it before it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await ephemeralPort();
    if (port !== REDIS_DEFAULT_PORT) return port;
  }
}

function ephemeralPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

/**
 * Tries again until there is an answer.
 * @param attempt asked every few milliseconds; undefined means not yet.
 * @param timeoutMs how long to try.
 * @returns undefined if the time is up.
 */
export async function poll<T>(attempt: () => Promise<T | undefined>, timeoutMs: number): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await attempt();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) return undefined;
    await delay(5);
  }
}
