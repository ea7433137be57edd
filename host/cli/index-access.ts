/** What the commands of `hotpath index` reach Redis by. */
import { functionsOf, type ClientOptions } from "../deploy/client";
import { loadConfig } from "../config";
import { connect, type Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { HotpathError, UsageError, UserError } from "../runtime/errors";
import { DatabaseIndex } from "../metadata/database-index";
import { TableIndex } from "../metadata/table-index";
import { routingKeyOf } from "../redis/partitions";

export interface AccessOptions {
  json?: boolean;
  /** In a cluster: the partition that the tables lie in. */
  partition?: string;
}

export interface MetadataIndex {
  databases: DatabaseIndex;
  functions: HotpathFunctions;
  tableOf(database: string, table: string): TableIndex;
  /** How many keys the server has, where the index lies. */
  keys(): Promise<number>;
}

/**
 * Connects for the time of `work`.
 *
 * @throws UserError if the library is not loaded; what `work` throws
 */
export async function withIndex(
  { partition }: AccessOptions,
  work: (index: MetadataIndex) => Promise<void>,
): Promise<void> {
  const config = loadConfig();
  const connection = await connect(config.redis.url);
  try {
    if (connection.isCluster && partition === undefined)
      throw new UsageError("in a cluster, --partition names the partition that the tables lie in");
    await work(indexOf(connection, { partition: partition ?? null }));
  } catch (error) {
    if (error instanceof HotpathError && /function not found/i.test(error.message)) {
      throw new UserError(`the index is not loaded on ${connection.shown}, or an older one; run: hotpath deploy`);
    }
    throw error;
  } finally {
    connection.close();
  }
}

function indexOf(connection: Connection, options: ClientOptions): MetadataIndex {
  const routing = typeof options.partition === "string" ? { routingKey: routingKeyOf(options.partition) } : {};
  return {
    databases: new DatabaseIndex(connection, options),
    functions: functionsOf(connection, options),
    tableOf: (database, table) => new TableIndex(connection, { database, table, ...options }),
    keys: async () => (await connection.send(["DBSIZE"], routing)) as number,
  };
}
