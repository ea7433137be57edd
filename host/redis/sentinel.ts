/** Finding the primary that sentinels watch. */
import { describeError, UnavailableError, UserError } from "../runtime/errors";
import { endClient, openClient, type Access, type Client } from "./link";
import { primaryOf } from "./info";
import { formatEndpoint, type Endpoint, type ServerUrl } from "./url";

/**
 * Asks one sentinel after the other where the primary is.
 *
 * @throws UserError if sentinels answer but none knows the name; UnavailableError if none answers
 */
export async function locatePrimary(url: ServerUrl): Promise<Endpoint> {
  const access: Access = { tls: url.tls, credentials: url.sentinelCredentials, database: 0 };
  const problems: string[] = [];
  let strangers = 0;
  for (const node of url.nodes) {
    try {
      const primary = await askSentinel(node, access, url.masterName);
      if (primary) return primary;
      strangers += 1;
    } catch (error) {
      problems.push(describeError(error));
    }
  }
  if (strangers === url.nodes.length) {
    throw new UserError(`${url.shown}: the sentinels know no master called '${url.masterName}'`);
  }
  throw new UnavailableError(`no sentinel tells where '${url.masterName}' is: ${problems.join("; ")}`, false);
}

async function askSentinel(node: Endpoint, access: Access, masterName: string): Promise<Endpoint | undefined> {
  const client = await openClient(node, access);
  try {
    const reply = (await client.sendCommand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName])) as unknown;
    const [host, port] = (reply ?? []) as [string?, string?];
    return host === undefined ? undefined : { host, port: Number(port) };
  } finally {
    endClient(client);
  }
}

/**
 * Makes sure that a server is a primary: for a while after a failover, sentinels may still name the old one.
 *
 * @throws UnavailableError if it is a replica
 */
export async function admitPrimary(client: Client, endpoint: Endpoint): Promise<void> {
  const primary = await primaryOf((args) => client.sendCommand(args));
  if (primary === undefined) return;
  throw new UnavailableError(`${formatEndpoint(endpoint)} is a replica of ${primary}`, false);
}
