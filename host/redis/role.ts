/** Whether a server takes writes. Asked by INFO and not by ROLE, which users with few rights may not call. */

/**
 * The server's primary, `host:port`, if it is a replica; undefined if it is a primary itself.
 *
 * @param send sends one command to that server
 */
export async function primaryOf(send: (args: string[]) => Promise<unknown>): Promise<string | undefined> {
  const info = String(await send(["INFO", "replication"]));
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
  return field("role") === "master" ? undefined : `${field("master_host")}:${field("master_port")}`;
}
