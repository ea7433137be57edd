/** The time by the clock of a server. */
import type { Connection } from "./connection";
import { routingKeyOf } from "./partitions";

/** The server's clock, in unix milliseconds: due times are told by it, and the host's may differ. */
export async function serverTime(connection: Connection, partition: string | null): Promise<number> {
  const routing = partition === null ? {} : { routingKey: routingKeyOf(partition) };
  const [seconds, micros] = (await connection.send(["TIME"], routing)) as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
