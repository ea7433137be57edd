import { expect, it } from "vitest";
import { DatabaseIndex } from "../../host/metadata/database-index";
import { TableIndex } from "../../host/metadata/table-index";
import { useClusterHosts } from "../support/host";
import { describeWithOwnServer } from "../support/server";

describeWithOwnServer("the index in a cluster", () => {
  const { cluster, connection, configure, hotpath } = useClusterHosts(3);

  async function index(...args: string[]): Promise<{ code: number | null; out: string; errors: string }> {
    const run = hotpath(await configure({ tracker: { partitions: ["rtl"] } }), ["index", ...args]);
    const { code } = await run.exit;
    return { code, out: run.lines.join("\n"), errors: run.errors.join("\n") };
  }

  it("has each table on the shard of its partition, and is asked there", async () => {
    // Slots 2482, 8159 and 13827: one on each of the three primaries.
    const partitions = ["today", "rtl", "infos"];
    const path = "date=2026-11-20/hour=12/a.1.parquet";
    for (const partition of partitions) {
      const table = new TableIndex(connection, {
        database: "default",
        table: "hits",
        partition,
        now: () => 1_795_176_000_000,
      });
      await table.configure({ merge: [{ timeoutSeconds: 0, maxBytes: 10 }], layers: [{ name: partition }] });
      await table.batch([{ path, layer: partition, sizeBytes: 1, maxTime: 1n }]);
      expect(await table.get(path)).toMatchObject({ layer: partition });
      const layers: string[] = [];
      for await (const { layer } of table.query({ after: 1n })) layers.push(layer);
      expect(layers).toEqual([partition]);
      const plan = await table.getMergePlan({ layer: partition, iteration: 1 });
      expect(plan).toMatchObject({ table: "hits", from: [path] });
      expect(await table.endMerge(plan!)).toBe(true);
      const databases = new DatabaseIndex(connection, { partition });
      expect(await databases.tables("default")).toEqual(["hits"]);
      expect(await databases.rebuild()).toMatchObject({ isDone: true, skipped: 0 });
    }
    for (const { client } of cluster.nodes) {
      const keys = await client.sendCommand<string[]>(["KEYS", "files:*"]);
      expect(keys).toHaveLength(1);
    }
  });

  it("is shown by partition", async () => {
    expect(await index("status")).toEqual({
      code: 2,
      out: "",
      errors: "hotpath: in a cluster, --partition names the partition that the tables lie in",
    });
    expect((await index("status", "--partition", "rtl")).out).toMatch(/^default +hits +1 +1 /m);
    expect((await index("query", "default", "hits", "--partition", "infos")).out).toMatch(
      /^date=2026-11-20\/hour=12\/a\.1\.parquet +infos /m,
    );
    expect(await index("rebuild", "--partition", "today")).toMatchObject({
      code: 0,
      errors: expect.stringMatching(/^Rebuilding: \d+ keys/) as string,
    });
  });
});
