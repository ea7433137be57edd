/** A pipelined client that costs as little as possible: commands are encoded before the clock starts. */
import { connect, type Socket } from "node:net";

/** RESP2 encoding of one command. */
export function encode(args: readonly (string | number)[]): Buffer {
  const parts = args.map((arg) => {
    const text = String(arg);
    return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
  });
  return Buffer.from(`*${args.length}\r\n${parts.join("")}`);
}

const CHUNK_BYTES = 64 * 1024;

/** Joins encoded commands into writes of about 64 KiB, the size of a server's read. */
function chunks(commands: readonly Buffer[]): Buffer[] {
  const joined: Buffer[] = [];
  let pending: Buffer[] = [];
  let size = 0;
  for (const command of commands) {
    pending.push(command);
    size += command.length;
    if (size >= CHUNK_BYTES) {
      joined.push(Buffer.concat(pending));
      pending = [];
      size = 0;
    }
  }
  joined.push(Buffer.concat(pending));
  return joined;
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}

/**
 * Sends commands in one pipeline and waits for all replies.
 *
 * @returns milliseconds from the first write to the last reply
 * @throws Error with the first error reply, so that a bench never measures failures
 */
export async function runPipeline(port: number, commands: readonly Buffer[]): Promise<number> {
  const socket = await open(port);
  const end = Buffer.from("$14\r\nend of replies\r\n");
  const writes = [...chunks(commands), encode(["ECHO", "end of replies"])];
  let tail = Buffer.alloc(0);
  let failed: string | undefined;
  const finished = new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (data) => {
      const error = failed === undefined ? /(?:^|\r\n)(-[A-Z]+ [^\r\n]*)/.exec(data.toString("latin1")) : null;
      if (error) failed = error[1];
      tail = Buffer.concat([tail, data]).subarray(-end.length);
      if (tail.equals(end)) resolve();
    });
  });
  const start = performance.now();
  for (const write of writes) {
    if (!socket.write(write)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  await finished;
  const elapsed = performance.now() - start;
  socket.destroy();
  if (failed !== undefined) throw new Error(`The pipeline failed: ${failed}`);
  return elapsed;
}
