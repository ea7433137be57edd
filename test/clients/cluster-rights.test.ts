/* The users of roles on a cluster, as the clients of several languages log in, find their way and call. */
import { randomUUID } from "node:crypto";
import { Cluster } from "ioredis";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { applyUsers } from "../../host/deploy/acl/apply";
import { aclUsers, USERS, type UserRole } from "../../host/deploy/acl/users";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import { connect } from "../../host/redis/connection";
import { useCluster } from "../support/cluster";
import { goRedis, redisPy, type Program, type Sender } from "../support/programs";
import { describeWithOwnServer } from "../support/server";
import { event } from "../support/tracker";

const BUNDLE = readBundle();
const FUNCTIONS = BUNDLE.flatMap(({ rated }) => rated);
const passwordOf = (role: UserRole): string => `secret-of-${role}`;

const ioredis: Sender = async (port, commands, username, password) => {
  const cluster = new Cluster([{ host: "127.0.0.1", port }], {
    clusterRetryStrategy: () => null,
    redisOptions: { username, password },
  });
  cluster.on("error", () => undefined);
  onTestFinished(() => cluster.disconnect());
  if (commands.length === 1) return [await cluster.call(commands[0]![0]!, ...commands[0]!.slice(1))];
  const replies = await cluster.multi(commands.map(([name, ...args]) => [name!.toLowerCase(), ...args])).exec();
  return replies!.map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
};

const CLIENTS: (Program & { name: string; transactions: boolean })[] = [
  { name: "ioredis", send: ioredis, transactions: true },
  { name: "redis-py", ...redisPy("cluster"), transactions: true },
  { name: "redis-py asyncio", ...redisPy("cluster-asyncio"), transactions: false },
  { name: "go-redis", ...goRedis("cluster"), transactions: true },
];

/** A call that each role may make, and what it answers. */
const calls = (): Record<Exclude<UserRole, "host">, { call: string[]; reply: unknown }> => ({
  ingest: { call: ["scan_item", "1", "{rtl}", "packages", "1", "A", "ONCE", randomUUID()], reply: expect.any(Number) },
  worker: { call: ["claim_task", "1", "{rtl}", "q", "ONCE", randomUUID()], reply: null },
  scheduler: { call: ["rotate_pg", "1", "{rtl}"], reply: expect.arrayContaining(["remaining", 0]) },
  reader: { call: ["get_tracker_status", "1", "{rtl}"], reply: expect.any(Array) },
  admin: { call: ["configure_tracker", "1", "{rtl}", "MAXLEN", "5"], reply: 1 },
});

describeWithOwnServer("users of roles on a cluster", () => {
  const cluster = useCluster(3);

  beforeAll(async () => {
    const connection = await connect(cluster.url);
    await deploy(connection, { libraries: BUNDLE });
    const passwords = new Map(USERS.map((role) => [role, passwordOf(role)]));
    const users = aclUsers(FUNCTIONS, { prefix: "hotpath-", roles: USERS, userKeys: [] });
    await applyUsers(connection, users, { url: cluster.url, dryRun: false, passwords });
    connection.close();
  });
  beforeEach(async () => {
    for (const { client } of cluster.nodes) await client.sendCommand(["ACL", "LOG", "RESET"]);
  });

  const refused = async (): Promise<string[]> => {
    const logs = await Promise.all(cluster.nodes.map(({ client }) => client.sendCommand(["ACL", "LOG"])));
    return (logs as unknown as string[][][]).flat().map((entry) => `${entry[9]}: ${entry[5]} ${entry[7]}`);
  };

  describe.each(CLIENTS)("by $name", ({ send, missing, transactions }) => {
    if (send === undefined) return it.skip(`is not on this machine: ${missing}`, () => undefined);
    const as = (role: UserRole, ...commands: string[][]): Promise<unknown[]> =>
      send(cluster.nodes[0]!.server.port, commands, `hotpath-${role}`, passwordOf(role));

    it.each(Object.keys(calls()) as (keyof ReturnType<typeof calls>)[])("%s", async (role) => {
      const { call, reply } = calls()[role];
      expect(await as(role, ["FCALL", ...call])).toEqual([reply]);
      expect(await refused()).toEqual([]);
    });

    it("the host's user", async () => {
      for (const { call, reply } of Object.values(calls()))
        expect(await as("host", ["FCALL", ...call])).toEqual([reply]);
      expect(await refused()).toEqual([]);
    });

    const pipelines = "several calls and entries of ingest at once";
    it(transactions ? `${pipelines}, in a transaction` : pipelines, async () => {
      const json = event("http://a.example/x", "d", Date.now());
      const key = "ST:TRACKER::{rtl}::";
      const replies = await as(
        "ingest",
        ["FCALL", "track_events", "1", "{rtl}", json],
        ["XADD", key, "*", "url", "http://a.example/x", "uui", "d", "dt", "1"],
      );
      expect(replies).toEqual([expect.arrayContaining(["accepted", 1]), expect.any(String)]);
      expect(await refused()).toEqual([]);
    });
  });
});
