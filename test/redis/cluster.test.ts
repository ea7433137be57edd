import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import { functionsOf } from "../../host/deploy/client";
import { createFunctions, type Send } from "../../host/redis/functions";
import { readBundle } from "../../host/deploy/libraries";
import { readClock } from "../../host/redis/clock";
import { sourcesOf } from "../../host/tracker/source";
import { readStatus } from "../../host/cli/status/read";
import { findFilter } from "../../host/cli/top/filter";
import { TopReader } from "../../host/cli/top/read";
import { useCluster } from "../support/cluster";
import { testLibrary } from "../support/libraries";
import { runHotpath } from "../support/processes";
import { describeWithOwnServer } from "../support/server";
import { sha1 } from "../support/tracker";
import { until } from "../support/wait";
import { html, page, startSite } from "../support/web";

/** Slots 2482, 8159 and 13827: one on each of the three primaries. */
const PARTITIONS = ["today", "rtl", "infos"];

describeWithOwnServer("a cluster of three primaries", () => {
  const cluster = useCluster(3);
  let connection: Connection;

  beforeAll(async () => {
    connection = await connect(cluster.url);
    return () => connection.close();
  });

  const everywhere = (args: string[]) =>
    Promise.all(cluster.nodes.map(({ client }) => client.sendCommand(args))) as Promise<unknown[]>;
  const codes = async () =>
    (await everywhere(["FUNCTION", "LIST", "WITHCODE"])).map((libraries) =>
      (libraries as unknown[]).map(String).sort().join("\n"),
    );

  beforeEach(async () => {
    await everywhere(["FUNCTION", "FLUSH"]);
    await everywhere(["FLUSHALL"]);
  });

  /** The node that has the slot of a key. */
  async function ownerOf(key: string) {
    for (const node of cluster.nodes) {
      const reply = await node.client.sendCommand(["EXISTS", key]).catch(() => "elsewhere");
      if (reply !== "elsewhere") return node;
    }
    throw new Error(`nobody has ${key}`);
  }

  describe("deploying", () => {
    it("loads every primary", async () => {
      const report = await deploy(connection, { libraries: readBundle() });
      expect(report.primaries.map(({ address }) => address).sort()).toEqual(
        cluster.nodes.map(({ server }) => `127.0.0.1:${server.port}`).sort(),
      );
      for (const code of await codes()) expect(code).toContain(readBundle()[0]!.hash);
      expect(await deploy(connection, { libraries: readBundle() })).toMatchObject({ changed: false });
      expect((await everywhere(["DBSIZE"])).map(Number)).toEqual([0, 0, 0]);
    });

    it("loads only the primaries that lack a library, as a new shard does", async () => {
      await deploy(connection, { libraries: [testLibrary("alpha")] });
      await cluster.nodes[2]!.client.sendCommand(["FUNCTION", "FLUSH"]);
      const report = await deploy(connection, { libraries: [testLibrary("alpha")] });
      const actions = report.primaries.map(({ address, libraries }) => [address, libraries[0]!.action]);
      expect(actions.filter(([, action]) => action === "load")).toEqual([
        [`127.0.0.1:${cluster.nodes[2]!.server.port}`, "load"],
      ]);
    });

    it("loads none where one primary has a conflict", async () => {
      await cluster.nodes[1]!.client.sendCommand([
        "FUNCTION",
        "LOAD",
        testLibrary("legacy", { functions: ["f"] }).code,
      ]);
      const before = await codes();
      await expect(deploy(connection, { libraries: [testLibrary("alpha", { functions: ["f"] })] })).rejects.toThrow(
        `127.0.0.1:${cluster.nodes[1]!.server.port}: library 'legacy' already holds function 'f'`,
      );
      expect(await codes()).toEqual(before);
    });

    it("rolls all primaries back where one refuses", async () => {
      await deploy(connection, { libraries: [testLibrary("alpha", { version: "0.9.0" })] });
      const before = await codes();
      await cluster.nodes[1]!.client.sendCommand(["ACL", "SETUSER", "default", "-function|load"]);
      try {
        await expect(deploy(connection, { libraries: [testLibrary("alpha"), testLibrary("beta")] })).rejects.toThrow(
          /^deploying failed, .*127\.0\.0\.1:\d+: 'alpha': NOPERM/,
        );
        expect(await codes()).toEqual(before);
      } finally {
        await cluster.nodes[1]!.client.sendCommand(["ACL", "SETUSER", "default", "+function|load"]);
      }
    });

    it("shows each primary in the status", async () => {
      await deploy(connection, { libraries: [testLibrary("alpha")] });
      await cluster.nodes[0]!.client.sendCommand(["FUNCTION", "FLUSH"]);
      const { primaries } = await readStatus(connection, [testLibrary("alpha")], []);
      const states = new Map(primaries.map(({ address, libraries }) => [address, libraries[0]!.state]));
      expect(cluster.nodes.map(({ server }) => states.get(`127.0.0.1:${server.port}`))).toEqual([
        "missing",
        "in step",
        "in step",
      ]);
    });
  });

  describe("calling functions", () => {
    beforeEach(async () => void (await deploy(connection, { libraries: readBundle() })));

    // A reply that is kept is a key of the slot, and slots are moved here by hand.
    const functionsIn = (partition: string) => functionsOf(connection, { partition, once: false });

    it("shows a website of several partitions once", async () => {
      const [source] = sourcesOf(connection, { tracker: { partitions: PARTITIONS, groups: [PARTITIONS] } });
      const dt = Date.now() - 120_000;
      for (const [at, partition] of PARTITIONS.entries()) {
        const visits = Array.from({ length: at + 2 }, (_, device) =>
          JSON.stringify({ url: `https://news.example/s/${partition}`, uui: `d${device}`, dt }),
        );
        await functionsIn(partition).trackEvents({ events: visits });
      }
      const reader = new TopReader([source!], () => readClock(connection));
      const query = { dimension: "W" as const, window: "30m" as const, count: 10 };
      const { rows, totalViews, exact } = await reader.read(query, { first: 0, count: 10 });
      expect(rows.map(({ rank, name, views, devices }) => [rank, name, views, devices])).toEqual([
        [1, "news.example", 9, 4],
      ]);
      expect([totalViews, exact]).toEqual([9, true]);
      const filter = await findFilter([source!], { website: "news.example" });
      const pages = await reader.read({ ...query, dimension: "P", filter }, { first: 0, count: 10 });
      expect(pages.rows.map(({ name, views, devices }) => [name, views, devices])).toEqual([
        ["news.example/s/infos", 4, 4],
        ["news.example/s/rtl", 3, 3],
        ["news.example/s/today", 2, 2],
      ]);
    });

    it("ranks over all partitions, and finds what is filtered by where it is", async () => {
      const sources = sourcesOf(connection, {
        tracker: { partitions: PARTITIONS, groups: PARTITIONS.map((partition) => [partition]) },
      });
      const nowMs = Date.now();
      for (const [at, partition] of PARTITIONS.entries()) {
        const visits = Array.from({ length: at + 1 }, (_, device) =>
          JSON.stringify({ url: `https://${partition}.example/a`, uui: `d${device}`, dt: nowMs - 120_000 }),
        );
        await functionsIn(partition).trackEvents({ events: visits });
      }
      const reader = new TopReader(sources, () => readClock(connection));
      const query = { dimension: "P" as const, window: "30m" as const, count: 10 };
      const { rows, totalViews, exact } = await reader.read(query, { first: 0, count: 10 });
      expect(rows.map(({ rank, name, views, devices, partition }) => [rank, name, views, devices, partition])).toEqual([
        [1, "infos.example/a", 3, 3, "infos"],
        [2, "rtl.example/a", 2, 2, "rtl"],
        [3, "today.example/a", 1, 1, "today"],
      ]);
      expect([totalViews, exact]).toEqual([6, true]);
      const filter = await findFilter(sources, { website: "rtl.example" });
      expect(filter).toMatchObject({ partition: "rtl", website: "rtl.example" });
      const filtered = await reader.read({ ...query, filter }, { first: 0, count: 10 });
      expect([filtered.rows.map(({ name }) => name), filtered.totalViews]).toEqual([["rtl.example/a"], 2]);
    });

    it("sends the call to the shard of its partition", async () => {
      for (const partition of PARTITIONS) {
        expect(await functionsIn(partition).trackerLead({ job: "j", slot: 5, worker: "w" })).toBe(1);
        expect(await (await ownerOf(`{${partition}}`)).client.sendCommand(["KEYS", "*"])).toEqual([
          `H:TICK::{${partition}}j::`,
        ]);
      }
      expect(new Set(await Promise.all(PARTITIONS.map((partition) => ownerOf(`{${partition}}`))))).toHaveProperty(
        "size",
        3,
      );
    });

    it("follows a slot that moves, before and after it has moved", async () => {
      const partition = "rtl";
      const from = await ownerOf(`{${partition}}`);
      const to = cluster.nodes.find((node) => node !== from)!;
      const slot = String(await from.client.sendCommand(["CLUSTER", "KEYSLOT", `{${partition}}`]));
      const [fromId, toId] = (await Promise.all(
        [from, to].map(({ client }) => client.sendCommand(["CLUSTER", "MYID"])),
      )) as unknown as [string, string];
      const move = async (source: typeof from, sourceId: string, target: typeof to, targetId: string) => {
        await target.client.sendCommand(["CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId]);
        await source.client.sendCommand(["CLUSTER", "SETSLOT", slot, "MIGRATING", targetId]);
        // Half-way: what the source does not have is asked of the target.
        expect(await connection.send(["SET", `{${partition}}k`, "1"], { routingKey: `{${partition}}` })).toBe("OK");
        expect(await target.client.sendCommand(["CLUSTER", "COUNTKEYSINSLOT", slot])).toBe(1);
        for (const { client } of cluster.nodes)
          await client.sendCommand(["CLUSTER", "SETSLOT", slot, "NODE", targetId]);
        expect(await connection.send(["DEL", `{${partition}}k`], { routingKey: `{${partition}}` })).toBe(1);
      };
      await move(from, fromId, to, toId);
      expect(await functionsIn(partition).trackerLead({ job: "j", slot: 5, worker: "w" })).toBe(1);
      await functionsIn(partition).trackerDone({ job: "j", slot: 5, worker: "w" });
      await connection.send(["DEL", `H:TICK::{${partition}}j::`], { routingKey: `{${partition}}` });
      await move(to, toId, from, fromId);
    });
  });

  it("serves each partition on its shard, and stops when told", async () => {
    const env = { REDIS_URL: cluster.url, CONFIG_PATH: "test/data/cluster.json" };
    const host = runHotpath(["serve"], { env });
    await host.line(/"redis is ready"/);
    const dt = Date.now();
    for (const partition of PARTITIONS) {
      const args = [
        "XADD",
        `ST:TRACKER::{${partition}}::`,
        "*",
        "url",
        `https://${partition}.lu/a/1.html`,
        "uui",
        "d",
        "dt",
        String(dt),
      ];
      await connection.send(args, { routingKey: `{${partition}}` });
    }
    for (const partition of PARTITIONS) {
      const owner = await ownerOf(`{${partition}}`);
      await until(async () => String(await owner.client.sendCommand(["KEYS", `*:1MINUTE*{${partition}}*`])) !== "", {
        what: `the event of ${partition} to be counted`,
      });
    }
    host.signal("SIGTERM");
    expect(await host.exit).toEqual({ code: 0, signal: null });
  });

  it("fetches the pages of each partition, announced and enriched on its shard", async () => {
    const site = await startSite((request, response) => html(response, page(`Title of ${request.url}`)));
    const dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const enrichment = { allow: ["127.0.0.0/8"], ports: [site.port], robots: false };
    await writeFile(join(dir, "config.json"), JSON.stringify({ tracker: { partitions: PARTITIONS, enrichment } }));
    const env = { REDIS_URL: cluster.url, CONFIG_PATH: join(dir, "config.json") };
    const host = runHotpath(["serve"], { env });
    await host.line(/"redis is ready"/);
    const titleOf = async (partition: string) => {
      const send: Send = (args, options) => connection.send(args, options);
      const functions = createFunctions(send, { routingKey: `{${partition}}` });
      const document = await functions.getDocument({ dimension: "P", id: sha1(`${site.host}/${partition}`) });
      return document === null
        ? null
        : (JSON.parse(document) as { metadata: { title: string } | null }).metadata?.title;
    };
    for (const partition of PARTITIONS) {
      const event = ["url", `http://${site.host}/${partition}`, "uui", "d", "dt", String(Date.now())];
      await connection.send(["XADD", `ST:TRACKER::{${partition}}::`, "*", ...event], { routingKey: `{${partition}}` });
    }
    for (const partition of PARTITIONS) {
      expect(await until(() => titleOf(partition), { timeoutMs: 20_000 })).toBe(`Title of /${partition}`);
    }
    expect(site.requests.sort()).toEqual(PARTITIONS.map((partition) => `/${partition}`).sort());
    host.signal("SIGTERM");
    expect(await host.exit).toEqual({ code: 0, signal: null });
  });

  it("counts a website on three shards, and shows one", async () => {
    const dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const websites = { "news.example": { partitions: PARTITIONS } };
    await writeFile(join(dir, "config.json"), JSON.stringify({ tracker: { partitions: PARTITIONS, websites } }));
    const env = { REDIS_URL: cluster.url, CONFIG_PATH: join(dir, "config.json") };
    const json = async (...args: string[]): Promise<Record<string, unknown>> => {
      const command = runHotpath(args, { env });
      expect(await command.exit, command.errors.join("\n")).toEqual({ code: 0, signal: null });
      return JSON.parse(command.lines.join("\n")) as Record<string, unknown>;
    };
    const dt = Date.now() - 15 * 60_000;
    for (const [at, partition] of PARTITIONS.entries()) {
      // The second device of each is the first of the next.
      for (const uui of [`d${at}`, `d${at + 1}`]) {
        const event = ["url", `https://news.example/s/${partition}.html`, "uui", uui, "dt", String(dt)];
        await connection.send(["XADD", `ST:TRACKER::{${partition}}::`, "*", ...event], {
          routingKey: `{${partition}}`,
        });
      }
    }
    await json("run", "ingest");
    await json("run", "rotate");
    const top = await json("top", "--dimension", "W", "--window", "1h", "--json");
    expect(top["rows"]).toMatchObject([{ name: "news.example", views: 6, devices: 4 }]);
    const series = await json("series", "news.example", "--last", "30m", "--json");
    expect(series).toMatchObject({ views: 6, devices: { value: 4 } });
    expect((series["points"] as { devices: number }[]).map(({ devices }) => devices)).toContain(4);
    const status = await json("status", "--json");
    expect((status["tracker"] as { status: object }[]).map((each) => each.status)).toEqual(
      PARTITIONS.map(() => expect.objectContaining({ carryWaiting: 0 }) as object),
    );
  });

  it("says so when no node answers", async () => {
    await expect(connect("redis+cluster://127.0.0.1:1,127.0.0.1:2")).rejects.toThrow("no node of the cluster answers");
  });
});
