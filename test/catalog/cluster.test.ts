import { expect, it } from "vitest";
import { loopbackSettings } from "../../demo/catalog/vendors";
import { functionsOf } from "../../host/deploy/client";
import { openTestShop, VENDOR } from "../support/catalog-host";
import { stopped, useClusterHosts } from "../support/host";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

describeWithOwnServer("the catalogue in a cluster", () => {
  const { connection, configure, hotpath } = useClusterHosts(3);

  it("lies on one shard, whose partition the configuration names", async () => {
    const shop = await openTestShop();
    const total = shop.stock.items.length;
    const schedule = { links: null, products: "* * * * * *", refresh: null };
    const catalog = {
      vendors: { [VENDOR]: loopbackSettings(shop) },
      partition: "infos",
      schedule,
      maxSleepSeconds: 0.1,
    };
    const config = await configure({ tracker: { partitions: ["rtl"] }, catalog });
    const functions = functionsOf(connection, { partition: "infos" });
    const host = hotpath(config, ["serve"]);
    await until(async () => (await functions.getCatalogStatus())[0]?.products === total, {
      timeoutMs: 40_000,
      what: "all products to be there",
    });
    await stopped(host);
    const counts = hotpath(config, ["catalog", "counts", "--json"]);
    expect((await counts.exit).code, counts.errors.join()).toBe(0);
    expect(JSON.parse(counts.lines.join(""))).toEqual({ [VENDOR]: total });
    expect(await functions.getQueueStatus({ queue: VENDOR })).toMatchObject({ leased: 0, dead: 0 });
  });
});
