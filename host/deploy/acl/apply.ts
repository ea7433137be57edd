/** Setting users on every node, so that each may do what it is to do and nothing that it could do before. */
import { createHash } from "node:crypto";
import type { Connection } from "../../redis/connection";
import { ReplyError, UserError } from "../../runtime/errors";
import { onEveryNode, type AclNode } from "./nodes";
import { keyRule, passwordVariable, rulesOf, type AclUser, type UserRole } from "./users";

export interface UserAction {
  user: string;
  role: UserRole;
  action: "create" | "change" | "keep";
}

export interface NodeReport {
  address: string;
  users: UserAction[];
  /** Whether users outlast a restart of the node, in its ACL file; null where nothing was done. */
  saved: boolean | null;
}

interface ApplyOptions {
  /** Where the connection goes. */
  url: string;
  dryRun: boolean;
  passwords: ReadonlyMap<UserRole, string>;
}

/**
 * The passwords of users.
 *
 * @throws UserError naming the variables that are missing
 */
export function readPasswords(
  users: readonly AclUser[],
  env: Record<string, string | undefined>,
): Map<UserRole, string> {
  const missing = users.map(({ role }) => passwordVariable(role)).filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new UserError(
      `nothing was set: no password in ${missing.join(", ")} (--role chooses the users that are wanted)`,
    );
  }
  return new Map(users.map(({ role }) => [role, env[passwordVariable(role)]!]));
}

/**
 * Sets users on every node. Each is set by one command that takes everything from it first, so that no moment and no
 * failure leaves it with more, and connections that are logged in as it stay. A user that is as it should be is left alone.
 *
 * @throws UserError if a node cannot be reached or does not let us
 */
export async function applyUsers(
  connection: Connection,
  users: readonly AclUser[],
  options: ApplyOptions,
): Promise<NodeReport[]> {
  return onEveryNode(connection, options.url, (node) => applyOn(node, users, options));
}

async function applyOn(
  node: AclNode,
  users: readonly AclUser[],
  { dryRun, passwords }: ApplyOptions,
): Promise<NodeReport> {
  const extra = await laterCommands(node);
  const actions: UserAction[] = [];
  for (const user of users) {
    const wanted = { ...user, commands: [...user.commands, ...extra] };
    const password = passwords.get(user.role)!;
    const action = await actionFor(node, wanted, password);
    actions.push({ user: user.name, role: user.role, action });
    if (dryRun || action === "keep") continue;
    await node.send(["ACL", "SETUSER", user.name, "reset", "on", `>${password}`, ...rulesOf(wanted)]);
  }
  return { address: node.address, users: actions, saved: dryRun ? null : await save(node) };
}

/** What clients send when they connect, where the server knows it: rules with a command that it does not know are refused. */
async function laterCommands(node: AclNode): Promise<string[]> {
  const command = "client|setinfo";
  const [known] = (await node.send(["COMMAND", "INFO", command])) as (unknown[] | null)[];
  return known ? [command] : [];
}

async function save(node: AclNode): Promise<boolean> {
  try {
    await node.send(["ACL", "SAVE"]);
    return true;
  } catch (error) {
    if (error instanceof ReplyError && /not configured to use an ACL file/i.test(error.message)) return false;
    throw error;
  }
}

async function actionFor(node: AclNode, user: AclUser, password: string): Promise<UserAction["action"]> {
  const reply = await node.send(["ACL", "GETUSER", user.name]);
  if (reply === null) return "create";
  const present = fieldsOf(reply);
  const [selector, ...others] = (present.get("selectors") as unknown[][]).map(fieldsOf);
  const isSame =
    isOn(present.get("flags") as string[]) &&
    sameWords(present.get("passwords") as string[], [createHash("sha256").update(password).digest("hex")]) &&
    sameWords(await allowedBy(node, present.get("commands")), user.commands) &&
    sameWords(words(present.get("keys")), user.keys.map(keyRule)) &&
    present.get("channels") === "" &&
    selector !== undefined &&
    others.length === 0 &&
    sameWords(await allowedBy(node, selector.get("commands")), user.calls) &&
    selector.get("keys") === "~*" &&
    selector.get("channels") === "";
  return isSame ? "keep" : "change";
}

/** The commands that rules allow. Some servers do not tell the rules that were set, but shorter ones, with categories. */
async function allowedBy(node: AclNode, rules: unknown): Promise<string[]> {
  const allowed = new Set<string>();
  for (const rule of words(rules)) {
    const name = rule.slice(1);
    const isAll = name === "@all";
    const named = isAll
      ? [...allowed]
      : name.startsWith("@")
        ? ((await node.send(["ACL", "CAT", name.slice(1)])) as string[])
        : [name];
    if (rule.startsWith("-")) for (const each of named) allowed.delete(each);
    else for (const each of isAll ? [name] : named) allowed.add(each);
  }
  return [...allowed];
}

function isOn(flags: readonly string[]): boolean {
  return flags.includes("on") && !flags.includes("nopass");
}

function words(text: unknown): string[] {
  return String(text)
    .split(" ")
    .filter((word) => word !== "");
}

function sameWords(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify([...new Set(a)].sort()) === JSON.stringify([...new Set(b)].sort());
}

function fieldsOf(flat: unknown): Map<string, unknown> {
  const values = flat as unknown[];
  return new Map(Array.from({ length: values.length / 2 }, (_, at) => [values[2 * at] as string, values[2 * at + 1]]));
}
