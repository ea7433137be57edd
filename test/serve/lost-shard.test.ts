/* One shard of a cluster is away: everything else goes on, also for a host that starts meanwhile. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { deploy } from "../../host/deploy/deploy";
import { readBundle } from "../../host/deploy/libraries";
import { freePort } from "../../host/embedded/probe";
import { connect, type Connection } from "../../host/redis/connection";
import { useCluster } from "../support/cluster";
import { runHotpath, type RunningProcess } from "../support/processes";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

/** Slots 2482, 8159 and 13827: one on each of the three primaries, in their order. */
const PARTITIONS = ["today", "rtl", "infos"];
const [LOST, ...OTHERS] = PARTITIONS;

interface Health {
  status: string;
  partitions: Record<string, { up: boolean }>;
}

describeWithOwnServer("a cluster that has lost a shard", () => {
  const cluster = useCluster(3, { settings: ["--cluster-require-full-coverage", "no"], spare: 1 });
  let connection: Connection;

  beforeAll(async () => {
    // By a node that stays.
    connection = await connect(seed());
    await deploy(connection, { libraries: readBundle() });
    return () => connection.close();
  });

  const seed = (): string => `redis+cluster://127.0.0.1:${cluster.nodes[2]!.server.port}`;

  async function configure(config: object): Promise<Record<string, string>> {
    const dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    await writeFile(join(dir, "config.json"), JSON.stringify(config));
    return { REDIS_URL: seed(), CONFIG_PATH: join(dir, "config.json") };
  }

  /** A command's exit code, and what it prints as JSON. */
  async function json(...args: string[]): Promise<[code: number | null, printed: Record<string, unknown>]> {
    const command = runHotpath(args, { env: await configure({ tracker: { partitions: PARTITIONS } }) });
    const { code } = await command.exit;
    return [code, JSON.parse(command.lines.join("\n")) as Record<string, unknown>];
  }

  async function startHost(): Promise<{ host: RunningProcess; url: string }> {
    const port = await freePort();
    const topics = Object.fromEntries(
      PARTITIONS.map((partition) => [`topic-${partition}`, { partition, quietSeconds: 60 }]),
    );
    const config = { tracker: { partitions: PARTITIONS }, notifier: { topics }, http: { port } };
    const host = runHotpath(["serve"], { env: await configure(config) });
    return { host, url: `http://127.0.0.1:${port}` };
  }

  async function view(partition: string, device: string): Promise<void> {
    const event = ["url", `https://${partition}.lu/a/1.html`, "uui", device, "dt", String(Date.now())];
    await connection.send(["XADD", `ST:TRACKER::{${partition}}::`, "*", ...event], { routingKey: `{${partition}}` });
  }

  it("has libraries on a primary that has no slots yet", async () => {
    const spare = `127.0.0.1:${cluster.nodes[3]!.server.port}`;
    const report = await deploy(connection, { libraries: readBundle(), dryRun: true });
    expect(report.primaries.map(({ address }) => address)).toContain(spare);
    expect(await cluster.nodes[3]!.client.sendCommand(["FUNCTION", "LIST"])).toHaveLength(readBundle().length);
    const [, status] = await json("status", "--json");
    const primaries = status["primaries"] as { address: string; libraries: { state: string }[] }[];
    expect(primaries.find(({ address }) => address === spare)!.libraries.map(({ state }) => state)).toEqual(
      readBundle().map(() => "in step"),
    );
  });

  const counted = (at: number): Promise<boolean> =>
    cluster.nodes[at]!.client.sendCommand(["KEYS", `*:1MINUTE*{${PARTITIONS[at]!}}*`]).then(
      (keys) => (keys as unknown as string[]).length > 0,
    );
  const ask = async (url: string): Promise<{ status: number; body: Health }> => {
    const response = await fetch(url);
    return { status: response.status, body: (await response.json()) as Health };
  };

  it("serves the others from the start on, tells which is away, and takes it up when it is back", async () => {
    await cluster.nodes[0]!.kill();
    const { host, url } = await startHost();
    for (const partition of OTHERS) {
      await host.line(new RegExp(`"partition":"${partition}".*"redis is ready"`));
      await view(partition, "d");
    }
    for (const at of [1, 2]) await until(() => counted(at), { what: `the event of ${PARTITIONS[at]!} to be counted` });
    await host.line(new RegExp(`"partition":"${LOST!}".*"redis is away, trying again"`));

    const partitions = { [LOST!]: { up: false }, [OTHERS[0]!]: { up: true }, [OTHERS[1]!]: { up: true } };
    const body = { status: "partly away", partitions };
    expect(await ask(`${url}/livez`)).toMatchObject({ status: 200, body });
    expect(await ask(`${url}/healthz`)).toMatchObject({ status: 200, body });
    expect(await ask(`${url}/readyz`)).toMatchObject({ status: 503, body });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain(`hotpath_partition_up{partition="${LOST!}"} 0`);
    for (const partition of OTHERS) {
      expect(metrics).toContain(`hotpath_partition_up{partition="${partition}"} 1`);
      expect(metrics).toContain(`hotpath_rotation_lag_seconds{partition="${partition}"`);
      expect(metrics).toMatch(new RegExp(`hotpath_notifications\\{topic="topic-${partition}"`));
    }

    // It comes back empty, without libraries.
    await cluster.nodes[0]!.restart();
    await until(async () => (await ask(`${url}/readyz`)).status === 200, {
      timeoutMs: 20_000,
      what: "all to be ready",
    });
    await until(
      () =>
        view(LOST!, "e")
          .then(() => true)
          .catch(() => false),
      { timeoutMs: 20_000, what: "the shard to take events" },
    );
    await until(() => counted(0), { timeoutMs: 20_000, what: "the event of the shard to be counted" });
    const functions = await cluster.nodes[0]!.client.sendCommand(["FUNCTION", "LIST"]);
    expect(functions).toHaveLength(readBundle().length);
    host.signal("SIGTERM");
    expect(await host.exit).toEqual({ code: 0, signal: null });
  });

  it("that is lost while a host serves stops nothing else", async () => {
    const { host, url } = await startHost();
    for (const partition of PARTITIONS) await host.line(new RegExp(`"partition":"${partition}".*"redis is ready"`));
    await cluster.nodes[0]!.kill();
    await host.line(new RegExp(`"partition":"${LOST!}".*"redis is away, trying again"`));
    await Promise.all(cluster.nodes.slice(1).map(({ client }) => client.sendCommand(["FLUSHALL"])));
    for (const partition of OTHERS) await view(partition, "f");
    for (const at of [1, 2]) await until(() => counted(at), { what: `the event of ${PARTITIONS[at]!} to be counted` });
    expect((await ask(`${url}/livez`)).status).toBe(200);
    expect((await ask(`${url}/readyz`)).body.partitions).toMatchObject({
      [LOST!]: { up: false },
      [OTHERS[0]!]: { up: true },
    });
    await cluster.nodes[0]!.restart();
    await until(async () => (await ask(`${url}/readyz`)).status === 200, {
      timeoutMs: 20_000,
      what: "all to be ready",
    });
    host.signal("SIGTERM");
    expect(await host.exit).toEqual({ code: 0, signal: null });
  });

  it("is named by the views, which show all that is there", async () => {
    await cluster.nodes[0]!.kill();
    const lost = `127.0.0.1:${cluster.nodes[0]!.server.port}`;
    const [code, status] = await json("status", "--json", "--check");
    expect(code).toBe(1);
    expect(status["problems"]).toContainEqual({ kind: "server", message: expect.stringContaining(lost) as string });
    expect(
      (status["primaries"] as { address: string; problem: string | null }[]).map(({ problem }) => problem === null),
    ).toEqual(expect.arrayContaining([false, true]));

    const [topCode, top] = await json("top", "--dimension", "W", "--window", "5m", "--json");
    expect([topCode, top["away"]]).toEqual([0, [{ partition: LOST, reason: expect.stringContaining(lost) as string }]]);

    const unknown = runHotpath(["series", "nowhere.lu"], {
      env: await configure({ tracker: { partitions: PARTITIONS } }),
    });
    expect((await unknown.exit).code).toBe(1);
    expect(unknown.errors.join("\n")).toMatch(new RegExp(`nowhere\\.lu.*not everything could be asked: .*${lost}`));
    const known = runHotpath(["series", `${OTHERS[0]!}.lu`], {
      env: await configure({ tracker: { partitions: PARTITIONS } }),
    });
    await known.exit;
    expect(known.errors.join("\n")).not.toContain(lost);
    await cluster.nodes[0]!.restart();
  });
});
