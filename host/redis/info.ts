/** A server's INFO. */

/**
 * Asks for a section of INFO.
 *
 * @param send sends one command to that server
 * @returns the fields of the section by name, as text
 */
export async function readInfo(
  send: (args: string[]) => Promise<unknown>,
  section: "cpu" | "memory" | "replication" | "server",
): Promise<ReadonlyMap<string, string>> {
  const text = String(await send(["INFO", section]));
  return new Map(
    [...text.matchAll(/^([^#:\r\n][^:\r\n]*):(.*?)\r?$/gm)].map(([, name, value]) => [name!, value!] as const),
  );
}

/**
 * The server's primary, `host:port`, if it is a replica; undefined if it is a primary itself. Asked by INFO and not by
 * ROLE, which users with few rights may not call.
 *
 * @param send sends one command to that server
 */
export async function primaryOf(send: (args: string[]) => Promise<unknown>): Promise<string | undefined> {
  const info = await readInfo(send, "replication");
  return info.get("role") === "master" ? undefined : `${info.get("master_host")}:${info.get("master_port")}`;
}
