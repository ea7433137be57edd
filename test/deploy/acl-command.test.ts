/* `hotpath deploy --acl`: what it prints and sets; and Hotpath's own commands as the users that it makes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { applyUsers, readPasswords } from "../../host/deploy/acl/apply";
import { namedKeys } from "../../host/deploy/acl/user-keys";
import {
  aclUsers,
  configurationLine,
  passwordVariable,
  USERS,
  type AclUser,
  type UserRole,
} from "../../host/deploy/acl/users";
import { deployCommand, type DeployCommandOptions } from "../../host/cli/deploy/main";
import { loadConfig } from "../../host/config";
import { connect } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { startServer, type EmbeddedServer } from "../../host/embedded/embedded";
import { UsageError } from "../../host/runtime/errors";
import { openClient, type Client } from "../../host/redis/link";
import { readBundle } from "../../host/deploy/libraries";
import { useCluster } from "../support/cluster";
import { runHotpath, type RunningProcess } from "../support/processes";
import { startReceiver } from "../support/receiver";
import { describeWithOwnServer, useServer } from "../support/server";
import { refusalOf } from "../support/functions";
import { until } from "../support/wait";

const BUNDLE = readBundle();
const FUNCTIONS = BUNDLE.flatMap(({ rated }) => rated);
const START = { timeoutMs: 20_000 };
const SECRET: Record<string, string> = Object.fromEntries(
  USERS.map((role) => [passwordVariable(role), `secret:${role} ✓`]),
);
const NOTHING = Object.fromEntries(USERS.map((role) => [passwordVariable(role), undefined]));
const passwords = new Map(USERS.map((role) => [role, SECRET[passwordVariable(role)]!]));
const users = (prefix = "hotpath-"): AclUser[] => aclUsers(FUNCTIONS, { prefix, roles: USERS, userKeys: [] });

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
  return () => rm(dir, { recursive: true, force: true });
});

let configs = 0;
async function configured(config: object): Promise<string> {
  const path = join(dir, `config-${(configs += 1)}.json`);
  await writeFile(path, JSON.stringify(config));
  return path;
}

type Env = Record<string, string | undefined>;
const start = (args: string[], env: Env): RunningProcess =>
  runHotpath(args, { env: { CONFIG_PATH: undefined, ENV: undefined, ...env } });

/** What a command has said and answered. No password is ever in it. */
async function run(args: string[], env: Env): Promise<{ code: number | null; out: string; err: string }> {
  const command = start(args, env);
  const { code } = await command.exit;
  const [out, err] = [command.lines.join("\n"), command.errors.join("\n")];
  for (const secret of Object.values(SECRET)) expect(out + err).not.toContain(secret);
  return { code, out, err };
}

describe("without --apply", () => {
  it("prints a line for each user, and needs no server and no password", async () => {
    const { code, out } = await run(["deploy", "--acl"], { ...SECRET, REDIS_URL: "redis://127.0.0.1:1" });
    expect(code).toBe(0);
    expect(out.split("\n")).toEqual(users().map(configurationLine));
    expect(out).toMatch(/^user hotpath-ingest on >\$\{HOTPATH_ACL_INGEST_PASSWORD\} resetchannels -@all \+/);
  });

  it("takes roles, libraries, a prefix and patterns; --json is for programs", async () => {
    const args = [
      "deploy",
      "--acl",
      "--json",
      "--role",
      "scheduler",
      "--role",
      "reader",
      "--library",
      "notifier",
      "--user-prefix",
      "app.",
      "--keys",
      "orders*",
    ];
    const { out } = await run(args, NOTHING);
    const told = JSON.parse(out) as { user: string; role: string; password: string; rules: string[] }[];
    expect(told.map(({ user, role, password }) => [user, role, password])).toEqual([
      ["app.scheduler", "scheduler", "HOTPATH_ACL_SCHEDULER_PASSWORD"],
      ["app.reader", "reader", "HOTPATH_ACL_READER_PASSWORD"],
    ]);
    expect(told[0]!.rules).toEqual(expect.arrayContaining(["~orders*", "~packages"]));
    expect(told[1]!.rules).toEqual(expect.arrayContaining(["%R~orders*", "%R~packages"]));
    expect(told[0]!.rules.at(-1)).toBe("(-@all +fcall|ingest_scans ~*)");
  });

  it("refuses what it cannot take", async () => {
    const refusals: [DeployCommandOptions, string][] = [
      [{ apply: true }, "--apply goes with --acl"],
      [{ role: ["reader"] }, "--role goes with --acl"],
      [{ userPrefix: "x" }, "--user-prefix goes with --acl"],
      [{ acl: true, keys: ["a b"] }, "--keys 'a b' is no pattern of keys without spaces and brackets"],
      [{ acl: true, keys: [""] }, "--keys '' is no pattern"],
      [{ acl: true, userPrefix: "a b" }, "--user-prefix must be letters, digits"],
      [{ acl: true, library: ["other"] }, "there is no library 'other'"],
    ];
    for (const [options, message] of refusals) {
      const refused = expect(deployCommand(options), message).rejects;
      await refused.toThrow(message);
      await refused.toBeInstanceOf(UsageError);
    }
    const { code, err } = await run(["deploy", "--acl", "--role", "chief"], NOTHING);
    expect(err).toContain("It must be one of ingest, worker, scheduler, reader, admin, host.");
    expect(code).toBe(2);
  });

  it("names the streams and lists of the configuration, and those alone", async () => {
    const config = {
      tracker: { streams: [{ key: "ST:TRACKER::::" }, { key: "events[1]" }] },
      notifier: { topics: { packages: {}, orders: { stream: "new*", prefix: "ORDER:" }, parcels: {} } },
    };
    const env = { CONFIG_PATH: await configured(config) };
    expect(namedKeys(loadConfig({ env, cwd: dir }), ["more*"])).toEqual([
      { library: "tracker", pattern: "events\\[1\\]" },
      ...["packages", "{*}packages", "new\\*", "{*}new\\*", "ORDER:*", "parcels", "{*}parcels"].map((pattern) => ({
        library: "notifier",
        pattern,
      })),
      { pattern: "more*" },
    ]);
    const spaced = { CONFIG_PATH: await configured({ tracker: { streams: [{ key: "my events" }] } }) };
    expect(() => namedKeys(loadConfig({ env: spaced, cwd: dir }), [])).toThrow(
      "a rule of Redis cannot name the key 'my events'",
    );
  });
});

describe("passwords", () => {
  it("that are missing are named, all of them", () => {
    const chosen = users().filter(({ role }) => role === "reader" || role === "host");
    expect(() => readPasswords(chosen, { HOTPATH_ACL_HOST_PASSWORD: "" })).toThrow(
      /^nothing was set: no password in HOTPATH_ACL_READER_PASSWORD, HOTPATH_ACL_HOST_PASSWORD/,
    );
    expect(readPasswords(chosen, SECRET)).toEqual(
      new Map([
        ["reader", "secret:reader ✓"],
        ["host", "secret:host ✓"],
      ]),
    );
  });
});

describeWithOwnServer("with --apply", () => {
  const server = useServer();
  const as = (role: UserRole): Promise<Client> =>
    openClient(
      { host: "127.0.0.1", port: server.port },
      {
        tls: false,
        database: 0,
        credentials: { username: `hotpath-${role}`, password: SECRET[passwordVariable(role)]! },
      },
    );
  const list = async (): Promise<string[]> => (await server.client.sendCommand(["ACL", "LIST"])) as unknown as string[];
  const apply = async (wanted = users(), dryRun = false) => {
    const connection = await connect(server.url);
    try {
      return await applyUsers(connection, wanted, { url: server.url, dryRun, passwords });
    } finally {
      connection.close();
    }
  };
  const actions = async (...args: Parameters<typeof apply>) =>
    (await apply(...args)).flatMap((node) => node.users.map(({ action }) => action));

  beforeEach(async () => {
    await server.flush();
    const names = (await list()).map((line) => line.split(" ")[1]!).filter((name) => name !== "default");
    if (names.length > 0) await server.client.sendCommand(["ACL", "DELUSER", ...names]);
  });

  it("sets the users, says what it did and how they last, and finds them in step the next time", async () => {
    const env = { ...SECRET, REDIS_URL: server.url };
    const first = await run(["deploy", "--acl", "--apply", "--role", "reader"], env);
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/hotpath-reader +created\n/);
    expect(first.out).toContain("no aclfile is configured, so these users last until the server restarts.");
    expect(first.out).toContain("user hotpath-reader on >${HOTPATH_ACL_READER_PASSWORD} ");
    const again = await run(["deploy", "--acl", "--apply", "--role", "reader", "--json"], env);
    expect(JSON.parse(again.out)).toEqual({
      dryRun: false,
      nodes: [
        {
          address: `127.0.0.1:${server.port}`,
          users: [{ user: "hotpath-reader", role: "reader", action: "keep" }],
          saved: false,
        },
      ],
    });
  });

  it("sets nothing without the passwords, or with --dry-run", async () => {
    const env = { ...NOTHING, REDIS_URL: server.url, HOTPATH_ACL_READER_PASSWORD: "x" };
    const { code, err } = await run(["deploy", "--acl", "--apply"], env);
    expect(err).toMatch(
      /^hotpath: nothing was set: no password in HOTPATH_ACL_INGEST_PASSWORD, HOTPATH_ACL_WORKER_PASSWORD, /,
    );
    expect(code).toBe(1);
    const dry = await run(["deploy", "--acl", "--apply", "--dry-run", "--role", "reader"], env);
    expect(dry.out).toMatch(/hotpath-reader +would be created$/);
    expect(await list()).toHaveLength(1);
  });

  it("finds every user in step, however the server tells their rights", async () => {
    expect(await actions()).toEqual(USERS.map(() => "create"));
    const before = await list();
    expect(await actions()).toEqual(USERS.map(() => "keep"));
    expect(await list()).toEqual(before);
  });

  it.each([
    ["a command more", ["+flushall"]],
    ["a category more", ["+@admin"]],
    ["a command less", ["-hget"]],
    ["a key more", ["~*"]],
    ["a right to write more", ["%W~H:TRACKER:*"]],
    ["all keys", ["allkeys"]],
    ["a channel", ["&*"]],
    ["another function", ["clearselectors", "(-@all +fcall ~*)"]],
    ["a selector more", ["(+flushall)"]],
    ["another password too", [">other"]],
    ["no password needed", ["nopass"]],
    ["off", ["off"]],
  ])("takes back what somebody has set by hand: %s", async (_, rules) => {
    await apply();
    const before = await list();
    await server.client.sendCommand(["ACL", "SETUSER", "hotpath-reader", ...rules]);
    const reader = users().filter(({ role }) => role === "reader");
    expect(await actions(reader, true)).toEqual(["change"]);
    expect(await actions(reader)).toEqual(["change"]);
    expect(await list()).toEqual(before);
  });

  it("takes rights that are no longer needed, from connections that are open too", async () => {
    await apply();
    const client = await as("reader");
    await deploy(await connect(server.url), { libraries: BUNDLE });
    expect(await client.sendCommand(["FCALL_RO", "tracker_library", "0"])).toContain("tracker");
    const narrower = aclUsers(
      FUNCTIONS.filter(({ library }) => library === "notifier"),
      { prefix: "hotpath-", roles: ["reader"], userKeys: [] },
    );
    expect(await actions(narrower)).toEqual(["change"]);
    expect(await client.sendCommand(["FCALL_RO", "notifier_library", "0"])).toContain("notifier");
    expect(await refusalOf(client.sendCommand(["FCALL_RO", "tracker_library", "0"]))).toMatch(/^NOPERM/);
    client.destroy();
  });

  it("replaces a password", async () => {
    await apply();
    passwords.set("reader", "another");
    try {
      expect(await actions()).toEqual(USERS.map((role) => (role === "reader" ? "change" : "keep")));
      expect(await refusalOf(as("reader"))).toMatch(/^WRONGPASS/);
    } finally {
      passwords.set("reader", SECRET[passwordVariable("reader")]!);
    }
  });

  it("is refused to users that may not set users, who are told so", async () => {
    await apply();
    for (const role of ["host", "admin"] as const) {
      const url = `redis://hotpath-${role}:${encodeURIComponent(SECRET[passwordVariable(role)]!)}@127.0.0.1:${server.port}`;
      const { code, err } = await run(["deploy", "--acl", "--apply"], { ...SECRET, REDIS_URL: url });
      expect(err).toMatch(/^hotpath: 0 of 1 nodes are done; .*NOPERM/);
      expect(code).toBe(1);
    }
  });

  it("a name that is no user of ours is left alone", async () => {
    await server.client.sendCommand(["ACL", "SETUSER", "somebody", "on", "~*", "+get"]);
    await apply();
    expect((await list()).filter((line) => line.startsWith("user somebody "))).toHaveLength(1);
  });
});

/** A server of its own beside the file's. */
async function startBeside(
  servers: EmbeddedServer[],
  args: string[],
): Promise<{ server: EmbeddedServer; client: Client; url: string }> {
  const redis = inject("redis");
  if (redis.mode !== "own") throw new Error("needs a server program");
  const server = await startServer({
    program: redis.program,
    dir: await mkdtemp(join(dir, "server-")),
    persistence: false,
    args,
  });
  servers.push(server);
  const client = await openClient(
    { host: "127.0.0.1", port: server.port },
    { tls: false, credentials: {}, database: 0 },
  );
  return { server, client, url: `redis://127.0.0.1:${server.port}` };
}

describeWithOwnServer("servers", () => {
  const servers: EmbeddedServer[] = [];
  afterAll(() => Promise.all(servers.map((each) => each.stop())));
  const namesOn = async (client: Client): Promise<string[]> =>
    ((await client.sendCommand(["ACL", "USERS"])) as unknown as string[]).filter((name) => name !== "default").sort();
  const all = users()
    .map(({ name }) => name)
    .sort();

  it("with an ACL file keep the users; what is printed loads into one", async () => {
    const path = join(dir, "users.acl");
    await writeFile(path, "user default on nopass ~* &* +@all\n");
    const { server, client, url } = await startBeside(servers, ["--aclfile", path]);
    const connection = await connect(url);
    expect(await applyUsers(connection, users(), { url, dryRun: false, passwords })).toMatchObject([{ saved: true }]);
    connection.close();
    client.destroy();
    await server.stop();
    const printed = join(dir, "printed.acl");
    const lines = users("printed-").map((user) => configurationLine(user).replace(/\$\{.*?\}/, "x"));
    await writeFile(printed, ["user default on nopass ~* &* +@all", ...lines, ""].join("\n"));
    const again = await startBeside(servers, ["--aclfile", path]);
    const restarted = await connect(again.url);
    const found = await applyUsers(restarted, users(), { url: again.url, dryRun: true, passwords });
    expect(found.flatMap((node) => node.users.map(({ action }) => action))).toEqual(USERS.map(() => "keep"));
    restarted.close();
    again.client.destroy();
    const fromPrinted = await startBeside(servers, ["--aclfile", printed]);
    expect(await namesOn(fromPrinted.client)).toEqual(
      users("printed-")
        .map(({ name }) => name)
        .sort(),
    );
    // What is printed is for every server; to one that knows this command, --apply allows it too.
    const [later] = (await fromPrinted.client.sendCommand(["COMMAND", "INFO", "client|setinfo"])) as unknown as (
      unknown[] | null
    )[];
    if (later)
      for (const { name } of users("printed-"))
        await fromPrinted.client.sendCommand(["ACL", "SETUSER", name, "+client|setinfo"]);
    const connectionToPrinted = await connect(fromPrinted.url);
    const same = { url: fromPrinted.url, dryRun: true, passwords: new Map(USERS.map((role) => [role, "x"])) };
    const loaded = await applyUsers(connectionToPrinted, users("printed-"), same);
    expect(loaded.flatMap((node) => node.users.map(({ action }) => action))).toEqual(USERS.map(() => "keep"));
    connectionToPrinted.close();
    fromPrinted.client.destroy();
  });

  it("have them on their replicas, and on the replicas of these", async () => {
    // A primary waits for more replicas before it sends a copy, unless it is told not to.
    const primary = await startBeside(servers, ["--repl-diskless-sync-delay", "0"]);
    const replica = await startBeside(servers, [
      "--repl-diskless-sync-delay",
      "0",
      "--replicaof",
      "127.0.0.1",
      String(primary.server.port),
    ]);
    const below = await startBeside(servers, ["--replicaof", "127.0.0.1", String(replica.server.port)]);
    for (const { client } of [replica, below]) {
      await until(
        async () => String(await client.sendCommand(["INFO", "replication"])).includes("master_link_status:up"),
        START,
      );
    }
    const connection = await connect(primary.url);
    const report = await applyUsers(connection, users(), { url: primary.url, dryRun: false, passwords });
    expect(report.map(({ address }) => address)).toEqual(
      [primary, replica, below].map(({ server }) => `127.0.0.1:${server.port}`),
    );
    for (const { client } of [primary, replica, below]) expect(await namesOn(client)).toEqual(all);
    await below.server.stop();
    await replica.client.sendCommand(["CONFIG", "SET", "requirepass", "x"]);
    const problem = await refusalOf(applyUsers(connection, users(), { url: primary.url, dryRun: false, passwords }));
    expect(problem).toMatch(
      /^1 of 2 nodes are done; the same command, run again, does the others: 127\.0\.0\.1:\d+: NOAUTH/,
    );
    connection.close();
    for (const { client } of [primary, replica, below]) client.destroy();
  });
});

describeWithOwnServer("a cluster", () => {
  const cluster = useCluster(3);

  it("has the users on every node, and they work by routing keys on every shard", async () => {
    const connection = await connect(cluster.url);
    await deploy(connection, { libraries: BUNDLE });
    const report = await applyUsers(connection, users(), { url: cluster.url, dryRun: false, passwords });
    expect(report.map(({ users: set }) => set.length)).toEqual([USERS.length, USERS.length, USERS.length]);
    const url = cluster.url.replace(
      "//",
      `//hotpath-ingest:${encodeURIComponent(SECRET["HOTPATH_ACL_INGEST_PASSWORD"]!)}@`,
    );
    const ingest = await connect(url);
    for (const tag of ["{rtl}", "{today}", "{infos}"]) {
      const event = JSON.stringify({ url: "http://a.example/x", uui: "d", dt: Date.now() });
      expect(await ingest.send(["FCALL", "track_events", "1", tag, event], { routingKey: tag })).toContain("accepted");
      expect(
        await ingest.send(["FCALL", "scan_item", "1", tag, "packages", "10", "A"], { routingKey: tag }),
      ).toBeGreaterThan(0);
      expect(
        await ingest.send(["XADD", `${tag}packages`, "*", "seller_id", "10", "package_id", "A"], { routingKey: tag }),
      ).toContain("-");
    }
    ingest.close();
    connection.close();
  });
});

describeWithOwnServer("Hotpath itself", () => {
  const server = useServer();
  const urlOf = (role: UserRole): string =>
    server.url.replace("//", `//hotpath-${role}:${encodeURIComponent(SECRET[passwordVariable(role)]!)}@`);
  const refused = async (): Promise<unknown[]> =>
    (await server.client.sendCommand(["ACL", "LOG"])) as unknown as unknown[];

  beforeAll(async () => {
    const connection = await connect(server.url);
    await applyUsers(connection, users(), { url: server.url, dryRun: false, passwords });
    connection.close();
  });
  beforeEach(async () => {
    await server.flush();
    await server.client.sendCommand(["ACL", "LOG", "RESET"]);
  });

  it("deploys as admin, and nothing is refused to it", async () => {
    await server.client.sendCommand(["FUNCTION", "FLUSH"]);
    const first = await run(["deploy"], { REDIS_URL: urlOf("admin") });
    expect([first.code, first.err]).toEqual([0, ""]);
    const again = await run(["deploy", "--dry-run", "--json"], { REDIS_URL: urlOf("admin") });
    expect(JSON.parse(again.out)).toMatchObject({ changed: false });
    expect(await refused()).toEqual([]);
  });

  it("serves as host: counts, rotates, notifies, looks after pages, and nothing is refused to it", async () => {
    await server.client.sendCommand(["FUNCTION", "FLUSH"]);
    await deploy(await connect(server.url), { libraries: BUNDLE });
    const receiver = await startReceiver();
    const courier = { type: "webhook", url: receiver.url, secretEnv: null, timeoutSeconds: 2 };
    const notifier = { topics: { packages: { quietSeconds: 0.2, courier } } };
    const config = await configured({ log: { level: "debug" }, tracker: { enrichment: {} }, notifier });
    const host = start(["serve"], { REDIS_URL: urlOf("host"), CONFIG_PATH: config });
    await host.line(/"redis is ready"/, START);
    await server.client.xAdd("ST:TRACKER::::", "*", {
      url: "http://127.0.0.1:1/news/1.html",
      uui: "d",
      dt: String(Date.now() - 30 * 60_000),
    });
    await server.client.xAdd("packages", "*", { seller_id: "10", package_id: "A" });
    await host.line(/"ingested"/, START);
    await host.line(/rotated|tick ended/, START);
    await until(() => receiver.received.length === 1, START);
    await host.line(/"(page given up|abandoned|.*enrich.*)"/i, START);
    host.signal("SIGTERM");
    expect(await host.exit, host.errors.join("\n")).toEqual({ code: 0, signal: null });
    expect(host.lines.filter((line) => /NOPERM|no permissions/.test(line))).toEqual([]);
    expect(await refused()).toEqual([]);
  });

  it("as host runs the other commands", async () => {
    await deploy(await connect(server.url), { libraries: BUNDLE });
    const env = { REDIS_URL: urlOf("host"), CONFIG_PATH: await configured({ notifier: { topics: { packages: {} } } }) };
    const log = join(dir, "access.jsonl");
    await writeFile(log, `${JSON.stringify({ url: "http://a.example/x", uui: "d", dt: Date.now() - 60_000 })}\n`);
    expect((await run(["import", log], env)).code).toBe(0);
    const commands = [
      ["run", "rotate"],
      ["run", "expire"],
      ["status"],
      ["top", "--once"],
      ["series", "a.example"],
      ["notify", "list"],
    ];
    const done = await Promise.all(commands.map(async (command) => ({ command, ...(await run(command, env)) })));
    expect(done.filter(({ code, err }) => code !== 0 || /^hotpath: /m.test(err))).toEqual([]);
    expect(await refused()).toEqual([]);
  });

  it("as host says who has to load a library that is missing", async () => {
    await server.client.sendCommand(["FUNCTION", "FLUSH"]);
    const { code, err } = await run(["serve"], { REDIS_URL: urlOf("host") });
    expect(err).toMatch(
      /^hotpath: library 'tracker' is not loaded, and this user may not load it; run hotpath deploy as one who may$/m,
    );
    expect(code).toBe(1);
  });
});
