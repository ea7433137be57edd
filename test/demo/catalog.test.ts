import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderCatalog } from "../../demo/catalog/report";
import type { CatalogResult } from "../../demo/catalog/result";
import { useDemo } from "../support/demo";
import { describeWithOwnServer, useServer } from "../support/server";

const run = useDemo("catalog");

describe("the report of the demo", () => {
  it("fits, and shows what differs", () => {
    const result: CatalogResult = {
      server: "redis 7.0.15",
      elapsedMs: 1000,
      products: 3,
      byVendor: [
        ["hallmark_ornaments_com", 10_270],
        ["hookedonhallmark_com", 6689],
      ],
      byYear: {
        vendor: "hallmark_ornaments_com",
        counts: [
          ["1973", 21],
          ["1974", 19],
          ["1975", 30],
          ["1976", 49],
          ["1977", 50],
        ],
      },
      recent: [
        {
          ...{
            id: "x",
            vendor: "hallmark_ornaments_com",
            sku: "1",
            name: "2014 Felt Snowflake And Mittens Ornaments Set, \u001b[31mred",
            price: "15.95",
          },
          ...{
            release_year: 2014,
            link: "https://v.example/1",
            created_at: Date.UTC(2020, 9, 17, 18, 9, 8),
            last_synced_at: 0,
          },
        },
      ],
      parents: [{ vendor: "hallmark_ornaments_com", links: 3, finished: 2, failed: 1, ms: 1500 }],
      first: { created: 3 },
      second: { "not modified": 2, changed: 1 },
      abandoned: 2,
      failures: 1,
      latencies: [
        { vendor: "hallmark_ornaments_com", latencies: { requests: 10, total: [1, 2, 3], firstByte: [0.5, 1, 2] } },
      ],
      history: undefined,
      checks: [{ name: "one", expected: 1, counted: 2 }],
    };
    const text = renderCatalog(result, { width: 80 });
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).not.toContain("\u001b");
    expect(text).toMatch(/^hallmark_ornaments_com {2}10,270\nhookedonhallmark_com +6,689$/m);
    expect(text).toMatch(/^release_year {2}count\n1973 +21\n1974 +19\n1975 +30\n1976 +49\n…$/m);
    expect(text).toMatch(/15\.95 +2014 +2020-10-17 18:09:08$/m);
    expect(text).toMatch(/^hallmark_ornaments_com +10 +first byte +0\.5 +1\.0 +2\.0\n +last byte +1\.0 +2\.0 +3\.0$/m);
    expect(text).toMatch(/^one +1 +2 +✗ differs$/m);
    expect(renderCatalog(result, { width: 80, colors: true })).toContain("\u001b[32m");
  });

  it.each([
    [
      ["--events", "5"],
      "hotpath: --events is for the demo of the tracker; that of the catalogue takes --seed and --json",
    ],
    [["--keep"], "hotpath: --keep is for the demo of the tracker; that of the catalogue takes --seed and --json"],
  ])("refuses %j before it starts anything", async (args, message) => {
    const { code, errors, out, cwd } = await run(args);
    expect({ code, errors, out }).toEqual({ code: 2, errors: message, out: "" });
    expect(existsSync(join(cwd, ".hotpath"))).toBe(false);
  });
});

describeWithOwnServer("the demo of the catalogue", () => {
  it("syncs three shops whole, through a host that dies, and finds what has changed", async () => {
    const { code, out, errors } = await run(["--seed", "3"]);
    expect({ code, errors }).toEqual({ code: 0, errors: expect.not.stringContaining("hotpath:") as string });
    expect(errors).not.toContain("Warning");
    expect(errors).toMatch(/^First sync: links: 144 years in /m);
    expect(errors).toMatch(/^Second sync: products: [\d,]+ products in /m);
    expect(out).toMatch(/^Hotpath · a catalogue of 3 vendors on /);
    expect(out).toMatch(/done by the other after that: [1-9]\d*\.$/m);
    expect(out.match(/✓/g)).toHaveLength(10);
    expect(out).not.toContain("✗");
  });
});

describe("on the server of REDIS_URL", () => {
  const server = useServer();

  it("runs on an empty database, and keeps out of one that the catalogue uses", async () => {
    const first = await run(["--json"], server.url);
    expect(first.code, first.errors).toBe(0);
    const result = JSON.parse(first.out) as CatalogResult;
    expect(result.checks.filter(({ expected, counted }) => expected !== counted)).toEqual([]);
    expect(result.abandoned).toBeGreaterThan(0);
    expect(result.recent).toHaveLength(5);
    expect(result.history!.changes.length).toBeGreaterThan(2);
    expect(await run([], server.url)).toMatchObject({
      code: 1,
      out: "",
      errors: expect.stringMatching(
        /hotpath: the database of redis:.* is in use by the catalogue \([\d,]+ products of 3 vendors, tasks of 3 queues\)/,
      ) as string,
    });
  });
});
