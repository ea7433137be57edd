/*
 * The rights of each role: all its functions do their work, down to the last command that they run, and nothing else is
 * allowed. What the tests of the functions make them do beyond that: see support/role-client.ts.
 */
import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { applyUsers } from "../../host/deploy/acl/apply";
import { aclUsers, rulesOf, USERS, type UserRole } from "../../host/deploy/acl/users";
import { connect } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import { STEPS } from "../support/acl/steps";
import type { PartOfRecord, Step } from "../support/acl/step";
import { describeWithOwnServer, useServer, type TestClient } from "../support/server";
import { digest } from "../support/tracker";
import { decodeRecord, refusalOf } from "../support/functions";

const BUNDLE = readBundle();
const FUNCTIONS = BUNDLE.flatMap(({ rated }) => rated);
const ROLES = USERS.filter((role) => role !== "host");
const USERS_WANTED = aclUsers(FUNCTIONS, { prefix: "hotpath-", roles: USERS, userKeys: [] });
const roleOf = (name: string): UserRole => FUNCTIONS.find((each) => each.name === name)!.role as UserRole;
/** A build may have less in it than there are steps for, but no function without a step. */
const stepsOf = (library: string): Step[] =>
  STEPS[library]!.filter(({ as, name }) => as !== undefined || FUNCTIONS.some((each) => each.name === name));
const userOf = (role: UserRole) => USERS_WANTED.find((each) => each.role === role)!;

const writes = (name: string): boolean =>
  FUNCTIONS.some((each) => each.name === name && each.role !== "reader" && !each.flags.includes("no-writes"));
/** Every call that can be named is, so that keeping its reply is tried as well. */
const onceOf = ({ name, keys = [] }: Step): string[] =>
  !writes(name) || keys.length > 1 ? [] : ["ONCE", randomUUID()];

describeWithOwnServer("the users", () => {
  const server = useServer();
  const clients = new Map<UserRole, TestClient>();

  beforeAll(async () => {
    const connection = await connect(server.url);
    await deploy(connection, { libraries: BUNDLE });
    const passwords = new Map(USERS.map((role) => [role, `secret of ${role}`]));
    await applyUsers(connection, USERS_WANTED, { url: server.url, dryRun: false, passwords });
    connection.close();
    for (const role of USERS) {
      const client = await server.connect();
      await client.sendCommand(["AUTH", `hotpath-${role}`, `secret of ${role}`]);
      clients.set(role, client);
    }
  });
  beforeEach(async () => {
    await server.flush();
    await server.client.sendCommand(["ACL", "LOG", "RESET"]);
  });

  const send = (role: UserRole, ...args: string[]): Promise<unknown> => clients.get(role)!.sendCommand(args);
  const refusal = (role: UserRole, ...args: string[]): Promise<string | undefined> => refusalOf(send(role, ...args));
  const isRefused = async (role: UserRole, ...args: string[]): Promise<boolean> =>
    /^NOPERM/.test((await refusal(role, ...args)) ?? "");
  const refused = async (): Promise<unknown[]> =>
    (await server.client.sendCommand(["ACL", "LOG"])) as unknown as unknown[];

  /** Takes the steps of a library, each as the user of its role, or all as one user. */
  async function takeSteps(steps: readonly Step[], everything?: UserRole): Promise<void> {
    const replies = new Map<string, unknown>();
    for (const step of steps) {
      const { name, keys = [], args } = step;
      const words = (typeof args === "function" ? args(replies) : args).map(String);
      const role = everything ?? ((step.as ?? roleOf(name)) as UserRole);
      const reply = step.as
        ? await send(role, name, ...words)
        : await send(role, "FCALL", name, String(keys.length), ...keys, ...words, ...onceOf(step));
      replies.set(name, reply);
      const wanted = step.reply;
      const isRecord = typeof wanted === "object" && wanted !== null && "fields" in wanted;
      if (isRecord)
        expect(decodeRecord(reply), `${name} ${words.join(" ")}`).toMatchObject((wanted as PartOfRecord).fields);
      else expect(reply, `${name} ${words.join(" ")}`).toEqual(wanted);
    }
  }

  describe.each(BUNDLE.map(({ name, rated }) => ({ name, rated })))("of $name", ({ name, rated }) => {
    it("can do the work of each function of their role", async () => {
      const steps = stepsOf(name);
      const called = new Set(steps.map((step) => step.name));
      expect(
        rated.filter((each) => !called.has(each.name)).map((each) => each.name),
        "functions that are not called here",
      ).toEqual([]);
      await takeSteps(steps);
      expect(await refused()).toEqual([]);
    });

    it("of the host can do all of it", async () => {
      await takeSteps(stepsOf(name), "host");
      expect(await refused()).toEqual([]);
    });
  });

  describe.each(ROLES.map((role) => ({ role })))("of $role", ({ role }) => {
    it("may call no function of another role, in neither way", async () => {
      const identity = role === "admin" ? /_library$/ : /^$/;
      const others = FUNCTIONS.filter((each) => each.role !== role && !identity.test(each.name));
      expect(others.length).toBeGreaterThan(10);
      for (const { name } of others) {
        for (const command of ["FCALL", "FCALL_RO"])
          expect(await refusal(role, command, name, "0"), name).toMatch(/^NOPERM /);
      }
    });

    it("may call its own functions with any routing key, and by FCALL_RO those that only read", async () => {
      for (const { name, flags } of FUNCTIONS.filter((each) => each.role === role)) {
        expect(await isRefused(role, "FCALL", name, "1", "any{key}", "\0"), name).toBe(false);
        expect(await isRefused(role, "FCALL_RO", name, "0", "\0"), name).toBe(!flags.includes("no-writes"));
      }
    });

    it.each([
      ["FLUSHALL"],
      ["FLUSHDB"],
      ["CONFIG", "GET", "*"],
      ["CONFIG", "SET", "maxmemory", "1"],
      ["KEYS", "*"],
      ["FUNCTION", "FLUSH"],
      ["FUNCTION", "DUMP"],
      ["FUNCTION", "RESTORE", "x"],
      ["FUNCTION", "KILL"],
      ["ACL", "LIST"],
      ["ACL", "SETUSER", "hotpath-reader", "allkeys"],
      ["CLIENT", "LIST"],
      ["CLIENT", "KILL", "ID", "1"],
      ["DEBUG", "SLEEP", "0"],
      ["MONITOR"],
      ["SHUTDOWN"],
      ["REPLICAOF", "NO", "ONE"],
      ["CLUSTER", "RESET"],
      ["SWAPDB", "0", "1"],
      ["PUBLISH", "channel", "x"],
      ["SUBSCRIBE", "channel"],
      ["SCRIPT", "FLUSH"],
      ["EVAL_RO", "return 1", "0"],
      ["GET", "foreign"],
      ["SET", "foreign", "x"],
      ["RESTORE", "foreign", "0", "x"],
      ["MIGRATE", "127.0.0.1", "1", "k", "0", "1"],
    ])("may not %s %s", async (...command) => {
      // Some servers refuse a command before they ask who sends it.
      expect(await refusal(role, ...command)).toMatch(/^NOPERM |^ERR (unknown command|DEBUG command not allowed)/i);
    });

    it("may look through the keys of others only where a function of its role does", async () => {
      const scans = FUNCTIONS.some((each) => each.role === role && each.rights.commands.includes("scan"));
      expect(await isRefused(role, "SCAN", "0")).toBe(!scans);
    });

    it("may load, delete and list functions, and run scripts, only as admin", async () => {
      const commands = [
        ["FUNCTION", "LIST"],
        ["FUNCTION", "LOAD", "x"],
        ["FUNCTION", "DELETE", "x"],
        ["EVAL", "return 1", "0"],
      ];
      for (const command of commands)
        expect(await isRefused(role, ...command), command.join(" ")).toBe(role !== "admin");
    });

    it("may touch no foreign key, by whatever command it has", async () => {
      const foreign = [
        "foreign",
        "H:OTHER::::",
        "H:NOTIFIERS::::",
        "SELLER",
        "package",
        "packages2",
        "HLL:1MINUTES:P:::",
        "{x}foreign",
        "*",
      ];
      for (const command of userOf(role).commands) {
        const sample = SAMPLES[command];
        if (sample === undefined) continue;
        for (const key of foreign) expect(await refusal(role, ...sample(key)), `${command} ${key}`).toMatch(/^NOPERM /);
      }
      expect(await server.client.sendCommand(["DBSIZE"])).toBe(0);
    });

    it("may not change what it may only read", async () => {
      const { commands, keys } = userOf(role);
      for (const { pattern, access } of keys) {
        if (access === "write") continue;
        const key = pattern.replaceAll("*", "x");
        for (const command of commands) {
          const sample = CHANGING.has(command) ? SAMPLES[command] : undefined;
          if (sample) expect(await refusal(role, ...sample(key)), `${command} ${key}`).toMatch(/^NOPERM /);
        }
      }
      expect(await server.client.sendCommand(["DBSIZE"])).toBe(0);
    });
  });

  it("of readers cannot change anything at all, with any of their commands on any of their keys", async () => {
    await takeSteps(STEPS["notifier"]!.slice(0, 20));
    const before = await digest(server.client);
    const keys = [...Object.keys(before), "HLL:1MINUTE:P:::"];
    expect(userOf("reader").commands.filter((command) => CHANGING.has(command))).toEqual([]);
    for (const command of userOf("reader").commands) {
      for (const key of SAMPLES[command] ? keys : []) await refusal("reader", ...SAMPLES[command]!(key));
    }
    expect(await digest(server.client)).toEqual(before);
  });

  it("have a sample here for each command with a key", () => {
    const all = new Set(USERS_WANTED.flatMap(({ commands }) => commands));
    const keyless =
      /^(ping|select|time|info|asking|readonly|readwrite|command|multi|exec|discard|eval|scan|(client|cluster|function)\|.*)$/;
    expect([...all].filter((command) => !keyless.test(command) && SAMPLES[command] === undefined)).toEqual([]);
  });

  it("are refused with a wrong password, and by a user who is off", async () => {
    const client = await server.connect();
    expect(await refusalOf(client.sendCommand(["AUTH", "hotpath-reader", "guess"]))).toMatch(/^WRONGPASS/);
    expect(await refusalOf(client.sendCommand(["AUTH", "hotpath-reader", ""]))).toMatch(/^WRONGPASS/);
  });
});

describe("a user", () => {
  it("never gets all keys or all commands, but for the keys of its calls", () => {
    for (const user of USERS_WANTED) {
      const rules = rulesOf(user);
      const selector = rules.at(-1)!;
      expect(selector).toMatch(/^\(-@all( \+fcall(_ro)?\|[a-z_]+)+ ~\*\)$/);
      expect(
        rules.slice(0, -1).filter((rule) => /^(~\*|allkeys|allcommands|\+@.*|nopass|&.*|%..?~\*)$/.test(rule)),
      ).toEqual([]);
    }
  });

  it("has no function of another role", () => {
    for (const role of ROLES) {
      const others = FUNCTIONS.filter(
        (each) => each.role !== role && !(role === "admin" && each.name.endsWith("_library")),
      );
      for (const { name } of others) expect(userOf(role).calls).not.toContain(`fcall|${name}`);
    }
    expect(userOf("host").calls.filter((call) => call.startsWith("fcall|"))).toHaveLength(FUNCTIONS.length);
  });

  it("gets keys that users name, as far as its functions work on such keys, and the patterns are no wider", () => {
    const named = aclUsers(FUNCTIONS, {
      prefix: "",
      roles: USERS,
      userKeys: [{ pattern: "mine" }, { pattern: "events", library: "catalog" }],
    });
    const accessOf = (role: UserRole, pattern: string) =>
      named.find((each) => each.role === role)!.keys.find((key) => key.pattern === pattern)?.access;
    expect(USERS.map((role) => accessOf(role, "mine"))).toEqual(["write", "write", "write", "read", "write", "write"]);
    // In a cluster, the hash tag is put before a stream whose name is known to its end.
    expect(accessOf("ingest", "{*}packages")).toBe("write");
    expect(accessOf("scheduler", "events")).toBeUndefined();
  });
});

/** A call of each command that reads or writes a key. */
const SAMPLES: Record<string, (key: string) => string[]> = {
  copy: (key) => ["COPY", key, key],
  del: (key) => ["DEL", key],
  exists: (key) => ["EXISTS", key],
  get: (key) => ["GET", key],
  set: (key) => ["SET", key, "text", "PX", "1000"],
  getrange: (key) => ["GETRANGE", key, "0", "1"],
  strlen: (key) => ["STRLEN", key],
  hdel: (key) => ["HDEL", key, "f"],
  hexists: (key) => ["HEXISTS", key, "f"],
  hget: (key) => ["HGET", key, "f"],
  hgetall: (key) => ["HGETALL", key],
  hincrby: (key) => ["HINCRBY", key, "f", "1"],
  hkeys: (key) => ["HKEYS", key],
  hlen: (key) => ["HLEN", key],
  hmget: (key) => ["HMGET", key, "f"],
  hrandfield: (key) => ["HRANDFIELD", key],
  hscan: (key) => ["HSCAN", key, "0"],
  hset: (key) => ["HSET", key, "f", "v"],
  hsetnx: (key) => ["HSETNX", key, "f", "v"],
  lindex: (key) => ["LINDEX", key, "0"],
  llen: (key) => ["LLEN", key],
  lpop: (key) => ["LPOP", key],
  lpos: (key) => ["LPOS", key, "x"],
  lpush: (key) => ["LPUSH", key, "x"],
  lrange: (key) => ["LRANGE", key, "0", "1"],
  lrem: (key) => ["LREM", key, "0", "x"],
  lset: (key) => ["LSET", key, "0", "x"],
  ltrim: (key) => ["LTRIM", key, "0", "1"],
  "memory|usage": (key) => ["MEMORY", "USAGE", key],
  persist: (key) => ["PERSIST", key],
  pexpire: (key) => ["PEXPIRE", key, "1000"],
  pfadd: (key) => ["PFADD", key, "x"],
  pfcount: (key) => ["PFCOUNT", key],
  pfmerge: (key) => ["PFMERGE", key, key],
  rename: (key) => ["RENAME", key, key],
  rpush: (key) => ["RPUSH", key, "x"],
  sadd: (key) => ["SADD", key, "x"],
  scard: (key) => ["SCARD", key],
  sismember: (key) => ["SISMEMBER", key, "x"],
  smembers: (key) => ["SMEMBERS", key],
  smismember: (key) => ["SMISMEMBER", key, "x"],
  srandmember: (key) => ["SRANDMEMBER", key, "1"],
  srem: (key) => ["SREM", key, "x"],
  sscan: (key) => ["SSCAN", key, "0"],
  type: (key) => ["TYPE", key],
  unlink: (key) => ["UNLINK", key],
  xack: (key) => ["XACK", key, "g", "1-1"],
  xadd: (key) => ["XADD", key, "*", "f", "v"],
  xclaim: (key) => ["XCLAIM", key, "g", "c", "0", "1-1"],
  xdel: (key) => ["XDEL", key, "1-1"],
  "xgroup|create": (key) => ["XGROUP", "CREATE", key, "g", "0"],
  "xgroup|delconsumer": (key) => ["XGROUP", "DELCONSUMER", key, "g", "c"],
  "xinfo|consumers": (key) => ["XINFO", "CONSUMERS", key, "g"],
  "xinfo|stream": (key) => ["XINFO", "STREAM", key],
  xlen: (key) => ["XLEN", key],
  xpending: (key) => ["XPENDING", key, "g"],
  xrange: (key) => ["XRANGE", key, "-", "+"],
  xread: (key) => ["XREAD", "STREAMS", key, "0"],
  xreadgroup: (key) => ["XREADGROUP", "GROUP", "g", "c", "STREAMS", key, ">"],
  xrevrange: (key) => ["XREVRANGE", key, "+", "-"],
  xtrim: (key) => ["XTRIM", key, "MAXLEN", "0"],
  zadd: (key) => ["ZADD", key, "1", "x"],
  zcard: (key) => ["ZCARD", key],
  zcount: (key) => ["ZCOUNT", key, "0", "1"],
  zincrby: (key) => ["ZINCRBY", key, "1", "x"],
  zinter: (key) => ["ZINTER", "1", key],
  zlexcount: (key) => ["ZLEXCOUNT", key, "-", "+"],
  zmscore: (key) => ["ZMSCORE", key, "x"],
  zpopmin: (key) => ["ZPOPMIN", key],
  zrandmember: (key) => ["ZRANDMEMBER", key, "1"],
  zrange: (key) => ["ZRANGE", key, "0", "1"],
  zrank: (key) => ["ZRANK", key, "x"],
  zrem: (key) => ["ZREM", key, "x"],
  zremrangebyrank: (key) => ["ZREMRANGEBYRANK", key, "0", "1"],
  zremrangebyscore: (key) => ["ZREMRANGEBYSCORE", key, "0", "1"],
  zrevrank: (key) => ["ZREVRANK", key, "x"],
  zscan: (key) => ["ZSCAN", key, "0"],
  zscore: (key) => ["ZSCORE", key, "x"],
};

/** Those of them that change a key. */
const CHANGING = new Set(
  Object.keys(SAMPLES).filter((name) =>
    /^(copy|del|unlink|rename|persist|pexpire|h(del|incrby|set|setnx)|l(pop|push|rem|set|trim)|rpush|s(add|rem)|pf(add|merge)|x(ack|add|claim|del|readgroup|trim)|xgroup.*|z(add|incrby|popmin|rem.*))$/.test(
      name,
    ),
  ),
);
