/** Users of Redis, one for each role: what each may do, and nothing beyond. */
import { KEYS, ROLES, type Role } from "../../contract";
import type { FunctionRights, KeyRight } from "./rights";

/** The roles of functions, and the user that runs `hotpath serve` and every other command but deploying. */
export type UserRole = Role | "host";
export const USERS: readonly UserRole[] = [...ROLES, "host"];

/** A function as the manifest tells of it. */
export interface RatedFunction {
  library: string;
  name: string;
  role: string;
  flags: readonly string[];
  rights: FunctionRights;
}

/** What a user may do. */
export interface AclUser {
  /** As Redis knows it. */
  name: string;
  role: UserRole;
  /** Functions and how they may be called: `fcall|track_events`. */
  calls: string[];
  /** Everything else, subcommands after a bar. */
  commands: string[];
  keys: KeyRight[];
}

/** Keys that users of the functions have named otherwise than the functions do. */
export interface UserKeys {
  pattern: string;
  /** The library whose functions work on them; undefined for any. */
  library?: string;
}

interface UserOptions {
  /** What stands before the role in the name of a user. */
  prefix: string;
  roles: readonly UserRole[];
  userKeys: readonly UserKeys[];
}

/**
 * What clients send on their own account when they connect: redis-py and go-redis ask for COMMAND in a cluster, ioredis for INFO and
 * CLUSTER INFO, Lettuce for CLUSTER NODES. And transactions, whose commands are checked one by one.
 */
const CONNECTION = [
  "ping",
  "select",
  "client|setname",
  "command",
  "info",
  "cluster|slots",
  "cluster|shards",
  "cluster|nodes",
  "cluster|info",
  "cluster|myid",
  "cluster|keyslot",
  "asking",
  "readonly",
  "readwrite",
  "multi",
  "exec",
  "discard",
];

/** What a user needs beside the functions of its role. */
interface Extra {
  commands: readonly string[];
  keys: readonly KeyRight[];
  /** Access to keys that users name. */
  userKeys: "write" | null;
}

const NOTHING: Extra = { commands: [], keys: [], userKeys: null };

/** A key of the contract with any id, in any partition: `ST:TRACKER:*`. */
const anyOf = (key: string): string => key.replace(/:+$/, ":*");

const EXTRA: Record<UserRole, Extra> = {
  // Events and scans are written to streams too, by those who do not wait for them to be counted.
  ingest: { commands: ["xadd"], keys: [{ pattern: anyOf(KEYS.events), access: "write" }], userKeys: "write" },
  worker: NOTHING,
  scheduler: NOTHING,
  reader: NOTHING,
  // What `hotpath deploy` sends, and its lock (host/deploy/lock.ts), whose script needs the rights of its own commands.
  admin: {
    commands: [
      "info",
      "function|list",
      "function|load",
      "function|delete",
      "eval",
      "hsetnx",
      "hget",
      "hset",
      "pexpire",
      "del",
    ],
    keys: [{ pattern: anyOf(KEYS.deploy), access: "write" }],
    userKeys: null,
  },
  // What the host sends beside functions: it looks whether the server is fit, waits for streams, shares the fetching of pages
  // (host/tracker/enrichment/announcements.ts), and keeps what receivers have said (host/jobs/gate.ts).
  host: {
    commands: [
      ...["info", "function|list", "time", "xread", "xrevrange", "xlen", "xrange", "xinfo|stream"],
      ...["xgroup|create", "xgroup|delconsumer", "xinfo|consumers", "xreadgroup", "xpending", "xclaim", "xack", "xdel"],
      ...["hmget", "hset", "del"],
    ],
    keys: [{ pattern: anyOf(KEYS.courier), access: "write" }],
    userKeys: null,
  },
};

/** The function with which every library can be asked what it is. */
const IDENTITY = /_library$/;

function isAllowed(role: UserRole, each: RatedFunction): boolean {
  if (role === "host" || each.role === role) return true;
  // Deploying asks a library what it is.
  return role === "admin" && IDENTITY.test(each.name);
}

/**
 * The users for a set of functions.
 *
 * @param functions those of the manifest
 */
export function aclUsers(functions: readonly RatedFunction[], { prefix, roles, userKeys }: UserOptions): AclUser[] {
  return roles.map((role) => {
    const allowed = functions.filter((each) => isAllowed(role, each));
    const extra = EXTRA[role];
    const named = userKeys.flatMap((each) => namedKeys(each, allowed, extra.userKeys));
    return {
      name: `${prefix}${role}`,
      role,
      calls: allowed.flatMap(callsOf).sort(),
      commands: [
        ...new Set([...CONNECTION, ...extra.commands, ...allowed.flatMap(({ rights }) => rights.commands)]),
      ].sort(),
      keys: withoutCovered([...extra.keys, ...named, ...allowed.flatMap(({ rights }) => rights.keys).flatMap(tagged)]),
    };
  });
}

function namedKeys({ pattern, library }: UserKeys, allowed: readonly RatedFunction[], own: "write" | null): KeyRight[] {
  const functions = allowed.filter((each) => library === undefined || each.library === library);
  const asked = [own, ...functions.map(({ rights }) => rights.userKeys)];
  if (asked.includes("write")) return [{ pattern, access: "write" }];
  return asked.includes("read") ? [{ pattern, access: "read" }] : [];
}

/** A function that only reads may be called either way. */
function callsOf({ name, flags }: RatedFunction): string[] {
  return flags.includes("no-writes") ? [`fcall|${name}`, `fcall_ro|${name}`] : [`fcall|${name}`];
}

/** A name that is known to its end may have a hash tag before it, in a cluster. */
function tagged(key: KeyRight): KeyRight[] {
  return key.pattern.endsWith("*") ? [key] : [key, { ...key, pattern: `{*}${key.pattern}` }];
}

/** Every pattern once, with the most access that is asked for, and none whose keys another one covers. */
function withoutCovered(keys: readonly KeyRight[]): KeyRight[] {
  const merged = new Map<string, KeyRight>();
  for (const key of keys) if (merged.get(key.pattern)?.access !== "write") merged.set(key.pattern, key);
  const all = [...merged.values()].sort((a, b) => (a.pattern < b.pattern ? -1 : 1));
  return all.filter((key) => !all.some((other) => other !== key && covers(other, key)));
}

function covers(a: KeyRight, b: KeyRight): boolean {
  const start = /^([^*?[\]\\]*)\*$/.exec(a.pattern)?.[1];
  return start !== undefined && b.pattern.startsWith(start) && (a.access === "write" || b.access === "read");
}

/** A name as a pattern that matches nothing else. */
export function escapePattern(name: string): string {
  return name.replace(/[*?[\]\\]/g, "\\$&");
}

/**
 * The rules of a user, as ACL SETUSER takes them after its name and password.
 *
 * The calls are in a selector of their own, with every key: what a function is passed as a key only routes the call, and the
 * commands that it runs are checked one by one against the rest.
 */
export function rulesOf({ calls, commands, keys }: AclUser): string[] {
  return [
    "resetchannels",
    "-@all",
    ...commands.map((each) => `+${each}`),
    ...keys.map(keyRule),
    `(-@all ${calls.map((each) => `+${each}`).join(" ")} ~*)`,
  ];
}

/** The rule for a pattern of keys. */
export function keyRule({ pattern, access }: KeyRight): string {
  return access === "write" ? `~${pattern}` : `%R~${pattern}`;
}

/** The environment variable with the password of a user. */
export function passwordVariable(role: UserRole): string {
  return `HOTPATH_ACL_${role.toUpperCase()}_PASSWORD`;
}

/** A line for redis.conf or an ACL file; in place of the password stands the variable, as envsubst replaces it. */
export function configurationLine(user: AclUser): string {
  return `user ${user.name} on >\${${passwordVariable(user.role)}} ${rulesOf(user).join(" ")}`;
}
