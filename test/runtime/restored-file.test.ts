import { cp, rm } from "node:fs/promises";
import { beforeAll, expect, it } from "vitest";
import { createFunctions } from "../../host/redis/functions";
import { readBundle } from "../../host/deploy/libraries";
import { TableIndex } from "../../host/metadata/table-index";
import { connect } from "../../host/redis/connection";
import { describeWithOwnServer, useServer } from "../support/server";

describeWithOwnServer("a server that comes back from an older file", () => {
  const server = useServer({ persistence: true });
  const functions = createFunctions((args) => server.client.sendCommand(args));

  beforeAll(async () => {
    for (const { code } of readBundle()) await server.client.sendCommand(["FUNCTION", "LOAD", code]);
    await functions.configureTopic({ topic: "packages", quiet: 1 });
    await functions.defineTask({ type: "t" });
  });

  /** What `work` answers before and after the server has forgotten the first time. */
  async function twice<T>(work: () => Promise<T>): Promise<[T, T]> {
    const saved = `${server.dir}.saved`;
    await cp(server.dir, saved, { recursive: true });
    const first = await work();
    await server.kill();
    await rm(server.dir, { recursive: true });
    await cp(saved, server.dir, { recursive: true });
    await rm(saved, { recursive: true });
    await server.restart();
    return [first, await work()];
  }

  it("gives a notification and its lease numbers that none had before", async () => {
    const now = Date.now();
    const claim = async () => {
      await functions.scanItem({ topic: "packages", subject: "s", item: "i", now });
      const [, ...claimed] = await functions.claimNotifications({ topic: "packages", now: now + 10 });
      const { id, token } = JSON.parse(String(claimed[0])) as { id: string; token: string };
      return { id, token };
    };
    await claim();
    const [first, second] = await twice(claim);
    expect(second.id).not.toBe(first.id);
    expect(second.token).not.toBe(first.token);
  });

  it("gives a task and its lease numbers that none had before, however many there were", async () => {
    const enqueue = async () => {
      const ids: string[] = [];
      for (let at = 0; at < 50; at += 1)
        ids.push(
          ...(await Promise.all(
            Array.from({ length: 100 }, () => functions.enqueueTask({ queue: "q", task: '{"type":"t"}' })),
          )),
        );
      const { id, token } = JSON.parse(String(await functions.claimTask({ queue: "q" }))) as {
        id: string;
        token: string;
      };
      return { ids, id, token };
    };
    const [first, second] = await twice(enqueue);
    expect(new Set([...first.ids, ...second.ids]).size).toBe(10_000);
    expect(Number(second.ids[0])).toBeGreaterThan(Number(first.ids.at(-1)));
    expect(second.token).not.toBe(first.token);
  });

  it("gives a plan an id that none had before", async () => {
    const plan = async () => {
      const own = await connect(server.url);
      try {
        const table = new TableIndex(own, { database: "db", table: "t" });
        await table.configure({ merge: [{ timeoutSeconds: 0, maxBytes: 10 }], layers: [{ name: "l" }] });
        await table.batch([{ path: "f/a.1.parquet", layer: "l", sizeBytes: 1, maxTime: 1n }]);
        return (await table.getMergePlan({ layer: "l", iteration: 1 }))!.id;
      } finally {
        own.close();
      }
    };
    const [first, second] = await twice(plan);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).not.toBe(first);
  });

  it("does not go on with a run of links that it has forgotten in the run that another has begun", async () => {
    const list = (...ids: number[]): string =>
      JSON.stringify(Object.fromEntries(ids.map((id) => [`https://shop.example/${id}`, `Link ${id}`])));
    const of = { vendor: "v", year: 2014 };
    await functions.syncLinks({ ...of, links: list(1, 2) });
    const [lost, present] = await twice(
      async () => (await functions.syncLinks({ ...of, links: list(1), more: 1 })).run,
    );
    expect(present).not.toBe(lost);
    const late = await functions.syncLinks({ ...of, links: list(3), run: lost });
    expect(late.removed, "what the lost run had listed is not known any more").toBe(0);
    expect((await functions.syncLinks({ ...of, links: list(2), run: present })).removed).toBe(1);
  });

  it("counts an import again from where it was", async () => {
    const chunk = (from: string, to: string) => {
      const event = JSON.stringify({ url: `http://a.example/${to}`, uui: "d", dt: Date.now() });
      return functions.importEvents({ source: "log", from, to, events: [event] });
    };
    await chunk("-", "10");
    await twice(() => chunk("10", "20").then(({ counted }) => expect(counted).toBe(1)));
    expect(await chunk("10", "20"), "counted after the restore already").toMatchObject({ counted: 0, position: "20" });
    expect(await functions.getImport({ source: "log" })).toMatchObject({ position: "20", accepted: 2 });
  });
});
