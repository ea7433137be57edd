import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderDay } from "../../demo/notifier/report";
import type { DayResult } from "../../demo/notifier/result";
import { makeScans } from "../../demo/notifier/scans";
import { useDemo } from "../support/demo";
import { describeWithOwnServer, useServer } from "../support/server";

const HOUR_MS = 3_600_000;

const run = useDemo("notifier");

const differing = ({ checks }: DayResult) => checks.filter(({ expected, counted }) => expected !== counted);

describe("the day of the demo", () => {
  it("is the same for the same seed, in the order of time, with some packages scanned twice", () => {
    const scans = makeScans(0, 1);
    expect(makeScans(0, 1)).toEqual(scans);
    expect(makeScans(0, 2)).not.toEqual(scans);
    expect(scans.map(({ atMs }) => atMs)).toEqual(scans.map(({ atMs }) => atMs).sort((a, b) => a - b));
    expect(new Set(scans.map((scan) => scan.package)).size).toBeLessThan(scans.length);
  });

  it("is drawn so that it fits", () => {
    const result: DayResult = {
      server: "redis 7.0.15",
      fromMs: 8 * HOUR_MS,
      toMs: 19 * HOUR_MS,
      sellers: [
        {
          seller: "10",
          scans: [8 * HOUR_MS, 8 * HOUR_MS + 1000, 12 * HOUR_MS],
          messages: [
            { id: "a", atMs: 9 * HOUR_MS + 1000, packages: 2, requests: 1, afterLastScanMs: HOUR_MS },
            { id: "b", atMs: 13 * HOUR_MS, packages: 1, requests: 3, afterLastScanMs: HOUR_MS },
          ],
          failures: [10 * HOUR_MS],
        },
      ],
      scans: 3,
      packages: 3,
      manners: [{ manner: "takes it", requests: 2 }],
      repeats: 0,
      abandoned: 1,
      checks: [{ name: "one", expected: 1, counted: 2 }],
      elapsedMs: 10,
    };
    for (const width of [40, 80, 120]) {
      const lines = renderDay(result, { width }).split("\n");
      const line = lines.find((each) => each.startsWith("10"))!;
      expect(line).toMatch(/^10 {6}█·*●·*×·*▄·*3·* +3 +2$/);
      expect(lines.join("\n")).toMatch(/^one +1 +2 +✗ differs$/m);
    }
    expect(
      Math.max(
        ...renderDay(result, { width: 80 })
          .split("\n")
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
    expect(renderDay(result, { width: 80 })).not.toContain("\u001b");
  });

  it.each([
    [
      ["--events", "5"],
      "hotpath: --events is for the demo of the tracker; that of the notifier takes --seed and --json",
    ],
    [["--keep"], "hotpath: --keep is for the demo of the tracker; that of the notifier takes --seed and --json"],
  ])("refuses %j before it starts anything", async (args, message) => {
    const { code, errors, out, cwd } = await run(args);
    expect({ code, errors, out }).toEqual({ code: 2, errors: message, out: "" });
    expect(existsSync(join(cwd, ".hotpath"))).toBe(false);
  });
});

describeWithOwnServer("the demo of the notifier", () => {
  it.each([1, 2, 3])(
    "delivers every package once, through a receiver that fails and a host that dies: seed %i",
    async (seed) => {
      const { code, out, errors } = await run(["--json", "--seed", String(seed)]);
      expect({ code, errors }).toEqual({ code: 0, errors: expect.not.stringContaining("hotpath:") as string });
      const result = JSON.parse(out) as DayResult;
      expect(differing(result)).toEqual([]);
      expect(result.abandoned).toBeGreaterThan(0);
      expect(result.manners.map(({ manner }) => manner)).toEqual(expect.arrayContaining(["takes it", "answers 500"]));
      expect(result.sellers).toHaveLength(20);
    },
  );

  it("prints a picture", async () => {
    const { code, out } = await run([]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Hotpath · a day of sellers on /);
    expect(out).toMatch(/^1001 {4}[▁▂▃▄▅▆▇█·●×2-9]+ +\d+ +\d$/m);
    expect(out).not.toContain("✗");
  });
});

describe("on the server of REDIS_URL", () => {
  const server = useServer();

  it("runs on an empty database, and keeps out of one that the notifier uses", async () => {
    const first = await run(["--json"], server.url);
    expect(first.code, first.errors).toBe(0);
    expect(differing(JSON.parse(first.out) as DayResult)).toEqual([]);
    expect(await run([], server.url)).toMatchObject({
      code: 1,
      out: "",
      errors: expect.stringMatching(
        /hotpath: the database of redis:.* is in use by the notifier \(\d+ entries in packages, notifications of packages\)/,
      ) as string,
    });
    await server.flush();
    await server.client.sendCommand(["FCALL", "scan_item", "0", "packages", "10", "A"]);
    expect((await run([], server.url)).code).toBe(1);
    expect(await server.client.lRange("SELLER:10", 0, -1)).toEqual(["A"]);
  });
});
