/* Replies at the greatest COUNT: Lua unpacks some 8,000 values at most, and no list may depend on that. */
import { beforeAll, describe, expect, it } from "vitest";
import { loadLibrary, useFunctions } from "../support/functions";

const COUNT = 9000;
const { server, call, read } = useFunctions("metadata");
const range = <T>(make: (at: number) => T): T[] => Array.from({ length: COUNT }, (_, at) => make(at));

describe("more than 8,000 values in a reply", () => {
  beforeAll(async () => {
    await loadLibrary(server.client, "catalog");
    await call("configure_table", "d", "t", "MERGE", "[]", "LAYERS", '{"l":{"ttl_sec":0}}');
    const entries = range((at) =>
      JSON.stringify({
        cmd: "ADD",
        layer: "l",
        path: `day/${at}/f.1.parquet`,
        size_bytes: 1,
        writer_id: "w",
        str_min_time: "1",
        str_max_time: "2",
        str_chunk_time: "1",
      }),
    );
    for (let from = 0; from < COUNT; from += 1000)
      await call("patch_index", "d", "t", ...entries.slice(from, from + 1000));
    await Promise.all(range((at) => call("upsert_product", "v", JSON.stringify({ sku: `s${at}`, name: "n" }))));
  });

  it("lists folders", async () => {
    const [, ...folders] = (await read("list_folders", "d", "t", "COUNT", 10_000)) as [string, ...[string, number][]];
    expect(new Set(folders.map(([folder]) => folder)).size).toBe(COUNT);
  });

  it("finds products", async () => {
    const [total, ...ids] = (await read("find_products", "COUNT", 10_000)) as [number, ...string[]];
    expect([total, new Set(ids).size]).toEqual([COUNT, COUNT]);
  });
});
