/** The server's clock: due times and windows are told by it, and the host's may differ. */
import type { Connection } from "./connection";
import { routingOf } from "./partitions";

/** The time in unix milliseconds; in a cluster, that of the partition's primary, or of any. */
export async function readClock(connection: Connection, partition: string | null = null): Promise<number> {
  const [seconds, micros] = (await connection.send(["TIME"], routingOf(partition))) as [string, string];
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}
