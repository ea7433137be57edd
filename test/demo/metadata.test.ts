import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeFiles } from "../../demo/metadata/files";
import { renderThreeDays } from "../../demo/metadata/report";
import type { ThreeDaysResult } from "../../demo/metadata/result";
import { useDemo } from "../support/demo";
import { useServer } from "../support/server";

const DAY_MS = 86_400_000;

const run = useDemo("metadata");

const differing = ({ checks }: ThreeDaysResult) => checks.filter(({ expected, counted }) => expected !== counted);

describe("the days of the demo", () => {
  it("have the files of the guide: one every 15 seconds for three days, the same for the same seed", () => {
    const files = makeFiles(0, 1);
    expect(files).toHaveLength(17_280);
    expect(makeFiles(0, 1)).toEqual(files);
    expect(makeFiles(0, 2)).not.toEqual(files);
    expect(new Set(files.map(({ path }) => path)).size).toBe(17_280);
    expect(files[240]).toMatchObject({
      minTime: 3_600_000_000_000n,
      maxTime: 3_614_999_999_999n,
      sizeBytes: 1_000_000,
    });
    expect(files[240]!.path).toMatch(
      /^date=1970-01-01\/hour=01\/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}\.1\.parquet$/,
    );
  });

  it("are drawn so that they fit", () => {
    const result: ThreeDaysResult = {
      server: "redis 7.0.15",
      fromMs: 0,
      toMs: 3 * DAY_MS,
      files: 17_280,
      before: [{ layer: "hot", iteration: 1, files: 17_280, bytes: 17_280_000_000 }],
      after: [{ layer: "cold", iteration: 3, files: 72, bytes: 17_280_000_000 }],
      samples: Array.from({ length: 74 }, (_, at) => ({ written: Math.min(17_280, (at + 1) * 240), indexed: at + 40 })),
      plans: [{ kind: "move", taken: 2, cameBack: 1, ended: 1, leftDone: 0 }],
      deaths: 1,
      mostStored: 500,
      question: {
        fromMs: DAY_MS,
        toMs: DAY_MS + 3_600_000,
        writtenFiles: 240,
        answer: [
          {
            path: "date=1970-01-02/hour=00/a81bc81b-dead-4e5d-abff-90865d1e13b1.3.parquet",
            layer: "cold",
            bytes: 240_000_000,
            rows: 5,
            minTime: "86400000000000",
            maxTime: "5",
          },
        ],
      },
      checks: [{ name: "one", expected: 1, counted: 2 }],
      elapsedMs: 10,
    };
    for (const width of [40, 80, 120]) {
      const text = renderThreeDays(result, { width });
      expect(text).toMatch(/^written [▁▂▃▄▅▆▇█]+ {3}17,280$/m);
      expect(text).toMatch(/^merged {2}▂+ +113$/m);
      expect(text).toMatch(/^one +1 +2 +✗ differs$/m);
      expect(text).toContain("240.0 MB");
      expect(text).not.toContain("\u001b");
    }
    expect(
      Math.max(
        ...renderThreeDays(result, { width: 80 })
          .split("\n")
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
  });

  it.each([
    [
      ["--events", "5"],
      "hotpath: --events is for the demo of the tracker; that of the metadata takes --seed and --json",
    ],
    [["--keep"], "hotpath: --keep is for the demo of the tracker; that of the metadata takes --seed and --json"],
  ])("refuses %j before it starts anything", async (args, message) => {
    const { code, errors, out, cwd } = await run(args);
    expect({ code, errors, out }).toEqual({ code: 2, errors: message, out: "" });
    expect(existsSync(join(cwd, ".hotpath"))).toBe(false);
  });
});

describe("the demo of the metadata index", () => {
  const server = useServer();

  it("keeps every row through merges, moves, drops and two workers that die, and keeps out of a database of its own name", async () => {
    await server.client.hSet("files:default:hits:date=2026-11-20", "date=2026-11-20/hour=12/a.1.parquet", "{}");
    const { code, out, errors } = await run(["--json", "--seed", "2"], server.url);
    expect({ code, errors }).toEqual({
      code: 0,
      errors: expect.stringMatching(/^Indexing: 17,280 files in /m) as string,
    });
    const result = JSON.parse(out) as ThreeDaysResult;
    expect(differing(result)).toEqual([]);
    expect(result.deaths).toBe(2);
    expect(result.question.answer).toHaveLength(1);
    expect(result.mostStored).toBeLessThan(500);
    const picture = renderThreeDays(result, { width: 80 });
    expect(picture).toMatch(/^merge of 15 s +433 +1 +431$/m);
    expect(picture).toMatch(/^now +hot +3 +\d+ /m);
    expect(picture).toMatch(/^ +cold +3 +\d+ +1\d\.\d GB +23\d\.\d MB$/m);
    expect(picture).toMatch(/^files merged once +17,280 +17,280 +✓$/m);
    expect(picture).not.toContain("✗");
    expect(await run([], server.url)).toMatchObject({
      code: 1,
      out: "",
      errors: expect.stringMatching(
        /hotpath: the index of redis:.* has a database 'demo' already, and the demo would merge and drop its files/,
      ) as string,
    });
    expect(await server.client.hLen("files:default:hits:date=2026-11-20")).toBe(1);
  });
});
