import { expect, it } from "vitest";
import { functionsOf } from "../../host/deploy/client";
import { gateOf } from "../../host/jobs/gate";
import { stopped, useClusterHosts } from "../support/host";
import { startReceiver, status } from "../support/receiver";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

describeWithOwnServer("notifications in a cluster", () => {
  const { connection, configure, hotpath } = useClusterHosts(3);

  it("of topics on several shards are delivered, and each gate is on its topic's shard", async () => {
    const receiver = await startReceiver();
    const gone = await startReceiver(status(410));
    // Slots 2482, 8159 and 13827: one on each of the three primaries.
    const topics = { today: receiver.url, rtl: receiver.url, infos: gone.url };
    const topicOf = ([partition, url]: [string, string]) => [
      partition,
      { partition, quietSeconds: 0.2, courier: { type: "webhook", url, secretEnv: null, timeoutSeconds: 5 } },
    ];
    const configured = Object.fromEntries(Object.entries(topics).map(topicOf)) as object;
    const config = await configure({
      tracker: { partitions: Object.keys(topics) },
      notifier: { topics: configured },
    });
    const host = hotpath(config, ["serve"]);
    for (const partition of Object.keys(topics)) {
      await host.line(new RegExp(`"partition":"${partition}".*"redis is ready"`), { timeoutMs: 30_000 });
      const routingKey = `{${partition}}`;
      const functions = functionsOf(connection, { partition });
      const { stream } = await functions.getTopic({ topic: partition });
      expect(stream).toContain(routingKey);
      await connection.send(["XADD", stream, "*", "subject", "10", "item", `${partition}-A`], { routingKey });
    }
    await host.line(/"the receiver is gone/, { timeoutMs: 30_000 });
    await until(() => receiver.received.length === 2, { timeoutMs: 30_000 });
    const items = receiver.received.map(({ body }) => (JSON.parse(body) as { data: { items: string[] } }).data.items);
    expect(items.sort()).toEqual([["rtl-A"], ["today-A"]]);
    expect(await gateOf(connection, { topic: "infos", partition: "infos" }).read()).toMatchObject({
      state: "disabled",
    });
    const list = hotpath(config, ["notify", "list"]);
    expect((await list.exit).code, list.errors.join()).toBe(0);
    expect(list.lines.filter((line) => /^(today|rtl|infos) /.test(line))).toHaveLength(3);
    await stopped(host);
  });
});
