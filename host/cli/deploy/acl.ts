/** `hotpath deploy --acl` */
import { applyUsers, readPasswords, type NodeReport, type UserAction } from "../../deploy/acl/apply";
import { namedKeys } from "../../deploy/acl/user-keys";
import {
  aclUsers,
  configurationLine,
  passwordVariable,
  rulesOf,
  USERS,
  type AclUser,
  type UserRole,
} from "../../deploy/acl/users";
import { loadConfig, type Config } from "../../config";
import { withConnection } from "../../redis/connection";
import { UsageError } from "../../runtime/errors";
import type { BundledLibrary } from "../../deploy/libraries";
import { renderTable } from "../../terminal/table";
import { WIDTH } from "../../terminal/output";

export interface AclCommandOptions {
  apply?: boolean;
  dryRun?: boolean;
  json?: boolean;
  role?: UserRole[];
  userPrefix?: string;
  keys?: string[];
}

const DONE: Record<UserAction["action"], string> = { create: "created", change: "changed", keep: "in step" };
const WOULD_BE: Record<UserAction["action"], string> = {
  create: "would be created",
  change: "would be changed",
  keep: "in step",
};

/** Prints the users of the libraries, or sets them. */
export async function aclCommand(libraries: readonly BundledLibrary[], options: AclCommandOptions): Promise<void> {
  const config = loadConfig();
  const users = chooseUsers(libraries, config, options);
  if (options.apply) await apply(config, users, options);
  else if (options.json) console.log(JSON.stringify(users.map(describe)));
  else console.log(users.map(configurationLine).join("\n"));
}

function chooseUsers(
  libraries: readonly BundledLibrary[],
  config: Config,
  { role, userPrefix = "hotpath-", keys = [] }: AclCommandOptions,
): AclUser[] {
  if (!/^[\w.-]{0,64}$/.test(userPrefix))
    throw new UsageError(`--user-prefix must be letters, digits, '.', '_' and '-', got '${userPrefix}'`);
  return aclUsers(
    libraries.flatMap((library) => library.rated),
    {
      prefix: userPrefix,
      roles: USERS.filter((each) => role?.includes(each) ?? true),
      userKeys: namedKeys(config, keys),
    },
  );
}

function describe(user: AclUser): { user: string; role: UserRole; password: string; rules: string[] } {
  return { user: user.name, role: user.role, password: passwordVariable(user.role), rules: rulesOf(user) };
}

async function apply(
  config: Config,
  users: readonly AclUser[],
  { dryRun = false, json }: AclCommandOptions,
): Promise<void> {
  const passwords = readPasswords(users, process.env);
  const { url } = config.redis;
  const nodes = await withConnection(url, (connection) => applyUsers(connection, users, { url, dryRun, passwords }));
  console.log(json ? JSON.stringify({ dryRun, nodes }) : render(nodes, users, dryRun));
}

function render(nodes: readonly NodeReport[], users: readonly AclUser[], dryRun: boolean): string {
  const said = dryRun ? WOULD_BE : DONE;
  const rows = nodes.flatMap(({ address, users: actions }) =>
    actions.map(({ user, action }) => [address, user, said[action]]),
  );
  const lines = renderTable([{ title: "server" }, { title: "user" }, { title: "state" }], rows, WIDTH);
  const passing = nodes.filter(({ saved }) => saved === false).map(({ address }) => address);
  if (passing.length > 0) {
    lines.push("", `${passing.join(", ")}: no aclfile is configured, so these users last until the server restarts.`);
    lines.push(
      "Lines for redis.conf, with the passwords in place of the variables:",
      "",
      ...users.map(configurationLine),
    );
  }
  return lines.join("\n");
}
