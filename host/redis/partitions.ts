/** Which stream and which routing key belong to a partition. */

export const DEFAULT_STREAM = "ST:TRACKER::::";

/** The stream into which events of a partition are written: `ST:TRACKER::{rtl}::`. */
export function streamOf(partition: string): string {
  return `ST:TRACKER::{${partition}}::`;
}

/** What stands in the first braces of a key; undefined if there are none or they are empty. */
export function partitionOf(key: string): string | undefined {
  return /^[^{]*\{([^}]+)\}/.exec(key)?.[1];
}

/** The key that sends the calls of a partition to its shard. */
export function routingKeyOf(partition: string): string {
  return `{${partition}}`;
}
