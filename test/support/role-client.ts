/**
 * HOTPATH_TEST_RIGHTS=1: every function that a test calls is called as the user of its role, so that whatever the tests of
 * the functions make them do, down to the last branch, is tried against the rights that the build has found. Commands of the
 * host run as the host's user.
 *
 *     HOTPATH_TEST_RIGHTS=1 npx vitest run test/tracker*.test.ts test/notifier*.test.ts
 */
import { configurationLine, aclUsers, passwordVariable, USERS, type UserRole } from "../../host/deploy/acl/users";
import { readBundle } from "../../host/deploy/libraries";

/** Whether functions are called as the users of their roles. */
export const AS_ROLES = Boolean(process.env["HOTPATH_TEST_RIGHTS"]);

/** Names that tests give to streams and lists of their own. */
const TEST_KEYS = ["events:*", "x*"];
const PREFIX = "test-";
const PASSWORD = "of-a-test";

const functions = AS_ROLES ? readBundle().flatMap(({ rated }) => rated) : [];
const roleOf = new Map(functions.map(({ name, role }) => [`FCALL ${name}`, role as UserRole]));
// How Redis refuses FCALL_RO of a function that writes is seen by those alone who may call it.
for (const { name, role, flags } of functions)
  if (flags.includes("no-writes")) roleOf.set(`FCALL_RO ${name}`, role as UserRole);
const userOf = (role: UserRole): string => `${PREFIX}${role}`;

/** An ACL file with the user of each role, beside the one who may do all. */
export function aclFile(userKeys: readonly string[] = TEST_KEYS): string {
  const users = aclUsers(functions, {
    prefix: PREFIX,
    roles: USERS,
    userKeys: userKeys.map((pattern) => ({ pattern })),
  });
  const lines = users.map((user) => configurationLine(user).replace(`\${${passwordVariable(user.role)}}`, PASSWORD));
  return `${["user default on nopass sanitize-payload ~* &* +@all", ...lines].join("\n")}\n`;
}

type SendCommand = (args: unknown[], ...options: unknown[]) => Promise<unknown>;

/** Makes a client change into the user of a function's role for each call of one, and back. */
export function callAsRoles<Client extends { sendCommand: unknown }>(client: Client): Client {
  const send = (client.sendCommand as SendCommand).bind(client);
  const sendCommand: SendCommand = async (args, ...options) => {
    const role = roleOf.get(`${String(args[0])} ${String(args[1])}`);
    if (role === undefined) return send(args, ...options);
    // All in one turn, so that nothing comes between them on the connection.
    const [, reply] = await Promise.all([
      send(["AUTH", userOf(role), PASSWORD]),
      send(args, ...options),
      send(["AUTH", "default", PASSWORD]),
    ]);
    return reply;
  };
  return Object.assign(client, { sendCommand });
}

/** The URL of a test's server, as the user of the host. */
export function asHost(url: string): string {
  return url.replace(/^redis:\/\/(?!.*@)/, `redis://${userOf("host")}:${PASSWORD}@`);
}

/** What the server has refused to the users of roles; nothing of a server that is gone. */
export async function refusedAsRoles(
  client: { isReady: boolean; sendCommand: unknown } | undefined,
): Promise<string[]> {
  if (!client?.isReady) return [];
  const entries = (await (client.sendCommand as SendCommand).call(client, ["ACL", "LOG"])) as unknown[][];
  const fields = entries.map((flat) =>
    Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, at) => [String(flat[2 * at]), flat[2 * at + 1]])),
  );
  return fields
    .filter(({ username }) => String(username).startsWith(PREFIX))
    .map(({ username, reason, context, object }) => [username, reason, context, object].join(" "));
}
