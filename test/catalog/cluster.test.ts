import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { loopbackSettings } from "../../demo/catalog/vendors";
import { deploy } from "../../host/deploy/deploy";
import { functionsOf } from "../../host/deploy/client";
import { readBundle } from "../../host/deploy/libraries";
import { openTestShop, VENDOR } from "../support/catalog-host";
import { useCluster } from "../support/cluster";
import { stopped } from "../support/host";
import { runHotpath } from "../support/processes";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

describeWithOwnServer("the catalogue in a cluster", () => {
  const cluster = useCluster(3);
  const dir = mkdtempSync(join(tmpdir(), "hotpath-test-"));
  let connection: Connection;

  beforeAll(async () => {
    connection = await connect(cluster.url);
    await deploy(connection, { libraries: readBundle() });
  });
  afterAll(() => {
    connection.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it("lies on one shard, whose partition the configuration names", async () => {
    const shop = await openTestShop();
    const total = shop.stock.items.length;
    const path = join(dir, "config.json");
    const schedule = { links: null, products: "* * * * * *", refresh: null };
    const catalog = {
      vendors: { [VENDOR]: loopbackSettings(shop) },
      partition: "infos",
      schedule,
      maxSleepSeconds: 0.1,
    };
    writeFileSync(path, JSON.stringify({ log: { level: "debug" }, tracker: { partitions: ["rtl"] }, catalog }));
    const env = { REDIS_URL: cluster.url, CONFIG_PATH: path, ENV: undefined };
    const functions = functionsOf(connection, { partition: "infos" });
    const host = runHotpath(["serve"], { env });
    await until(async () => (await functions.getCatalogStatus())[0]?.products === total, {
      timeoutMs: 40_000,
      what: "all products to be there",
    });
    await stopped(host);
    const counts = runHotpath(["catalog", "counts", "--json"], { env });
    expect((await counts.exit).code, counts.errors.join()).toBe(0);
    expect(JSON.parse(counts.lines.join(""))).toEqual({ [VENDOR]: total });
    expect(await functions.getQueueStatus({ queue: VENDOR })).toMatchObject({ leased: 0, dead: 0 });
  });
});
