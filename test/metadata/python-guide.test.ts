/* GigAPI's guide for clients in Python, as a program; skipped where there is no python3. */
import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { useMetadata } from "../support/metadata";

const GUIDE = fileURLToPath(new URL("python-guide.py", import.meta.url));
const isThere = spawnSync("python3", ["--version"]).status === 0;

describe.skipIf(!isThere)(`a client in Python${isThere ? "" : " (skipped: there is no python3)"}`, () => {
  const metadata = useMetadata();

  it("adds the three days of its guide in one call, 17,280 files, finds one and removes it", async () => {
    const { stdout } = await promisify(execFile)("python3", [
      "-B",
      GUIDE,
      `redis://127.0.0.1:${metadata.server.port}/0`,
    ]);
    expect(JSON.parse(stdout)).toEqual({ added: 17_280, found: true, removed: 1, left: null });
    const counts = await metadata.client.hVals("folders:default:test");
    expect(counts).toHaveLength(72);
    expect(counts.reduce((sum, each) => sum + Number(each), 0)).toBe(17_279);
    const keys = await metadata.client.keys("merge:default:test:1:*:::idle");
    expect(keys).toHaveLength(72);
    const plans = (await Promise.all(keys.map((each) => metadata.client.lRange(each, 0, -1)))).flat();
    expect(plans.flatMap((each) => (JSON.parse(each) as { paths: string[] }).paths)).toHaveLength(17_279);
  });
});
