/** How a partition stands in the names of keys. */

/** What is wrong where a setting of a partition is left out. */
export const NEEDS_PARTITION = "a cluster needs it, to say where the keys are";

/**
 * A key of the contract in a partition: `ST:TRACKER::{rtl}::`. The fourth of its six fields is the id, and the hash tag
 * stands before it.
 *
 * @param partition null for one server
 * @param id empty where the key has none
 */
export function keyIn(key: string, partition: string | null, id = ""): string {
  const fields = key.split(":");
  fields[3] = `${partition === null ? "" : routingKeyOf(partition)}${id}`;
  return fields.join(":");
}

/** What stands in the first braces of a key; undefined if there are none or they are empty. */
export function partitionOf(key: string): string | undefined {
  return /^[^{]*\{([^}]+)\}/.exec(key)?.[1];
}

/** The key that sends the calls of a partition to its shard. */
export function routingKeyOf(partition: string): string {
  return `{${partition}}`;
}

/** Options that send a command to the shard of a partition; null where there are no partitions. */
export function routingOf(partition: string | null): { routingKey?: string } {
  return partition === null ? {} : { routingKey: routingKeyOf(partition) };
}
