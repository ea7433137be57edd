/** Working off a stream as soon as something is written to it, without asking in between. */
import type { Connection } from "../redis/connection";
import { routingOf } from "../redis/partitions";
import { pause } from "../runtime/wait";

/** A stream, and the shard that it lies on. */
interface FollowedStream {
  key: string;
  partition: string | null;
}

/** How long a read waits for an entry. Shorter than the time after which a silent connection is given up. */
const BLOCK_MS = 5000;
/** After the first entry, so long is waited for more: a busy stream would wake us for each, and a call takes many. */
const GATHER_MS = 20;

/**
 * Drains the stream and waits for more, until the signal is aborted.
 *
 * @param connection of its own: its reads block
 * @param drain works off what is there; the place up to which it has read is kept in Redis. Told whether an entry has come,
 *   which another host may have read by then
 * @throws UnavailableError if Redis is away; call it again when it is back
 */
export async function follow(
  stream: FollowedStream,
  connection: Connection,
  signal: AbortSignal,
  drain: (hasCome: boolean) => Promise<void>,
): Promise<void> {
  const interrupt = (): void => connection.close();
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    for (let hasCome = false; !signal.aborted;) {
      // Before the drain: what is added after this line wakes the read below, also if it comes between the two.
      const lastId = await readLastId(connection, stream);
      await drain(hasCome);
      if (signal.aborted) return;
      hasCome = await waitForEntry(connection, stream, lastId);
      if (hasCome) await pause(GATHER_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}

async function readLastId(connection: Connection, stream: FollowedStream): Promise<string> {
  const entries = await connection.send(["XREVRANGE", stream.key, "+", "-", "COUNT", "1"], routingOf(stream.partition));
  return (entries as [string, unknown][])[0]?.[0] ?? "0-0";
}

async function waitForEntry(connection: Connection, stream: FollowedStream, afterId: string): Promise<boolean> {
  const command = ["XREAD", "COUNT", "1", "BLOCK", String(BLOCK_MS), "STREAMS", stream.key, afterId];
  return (await connection.send(command, routingOf(stream.partition))) !== null;
}
