/** What the commands of `hotpath index` reach Redis by. */
import { functionsOf } from "../../deploy/client";
import type { Connection } from "../../redis/connection";
import type { HotpathFunctions } from "../../contract";
import { UsageError } from "../../runtime/errors";
import { DatabaseIndex } from "../../metadata/database-index";
import { TableIndex } from "../../metadata/table-index";
import { routingOf } from "../../redis/partitions";
import { withLibrary } from "../access";

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
  await withLibrary("index", (_, connection) => {
    if (connection.isCluster && partition === undefined)
      throw new UsageError("in a cluster, --partition names the partition that the tables lie in");
    return work(indexOf(connection, { partition: partition ?? null }));
  });
}

function indexOf(connection: Connection, options: { partition: string | null }): MetadataIndex {
  return {
    databases: new DatabaseIndex(connection, options),
    functions: functionsOf(connection, options),
    tableOf: (database, table) => new TableIndex(connection, { database, table, ...options }),
    keys: async () => (await connection.send(["DBSIZE"], routingOf(options.partition))) as number,
  };
}
