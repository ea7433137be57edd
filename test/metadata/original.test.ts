/*
 * Side by side with GigAPI's own scripts, where they are on this machine (HOTPATH_GIGAPI_SCRIPTS, else .hotpath/gigapi; they are
 * not part of this project): the same batches leave the same files, counts and plans, and either side goes on with what the
 * other has written.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { entryOf, useMetadata, type TestMetadata } from "../support/metadata";
import { fcallKeyed } from "../support/functions";

const FOLDER =
  process.env["HOTPATH_GIGAPI_SCRIPTS"] ?? fileURLToPath(new URL("../../.hotpath/gigapi", import.meta.url));
const SCRIPTS = ["patch_index", "get_merge_plan", "end_merge"] as const;
const isThere = SCRIPTS.every((name) => existsSync(join(FOLDER, `${name}.lua`)));

const MERGE = "[[10,100,1],[1000,250,2]]";
const LAYERS =
  '{"":{"ttl_sec":0,"layer_to":""},"l":{"ttl_sec":0,"layer_to":""},"hot":{"ttl_sec":100,"layer_to":"l"},"last":{"ttl_sec":5,"layer_to":""}}';
const RUNS = 30 * Number(process.env["HOTPATH_RUNS"] ?? 1);

/** Fresh paths, deleted only when they were added and once, and nothing of a plan: there the scripts do otherwise, on purpose. */
const stepArb = fc.array(
  fc.record({
    isDelete: fc.boolean(),
    layer: fc.constantFrom("", "l", "hot", "last"),
    iteration: fc.constantFrom(1, 1, 2, 3),
    folder: fc.constantFrom("date=2024-01-15/hour=11", "date=2024-01-16/hour=0"),
    size: fc.constantFrom(1, 40, 60, 100),
  }),
  { minLength: 1, maxLength: 25 },
);

describe.skipIf(!isThere)(`beside GigAPI's scripts${isThere ? "" : ` (skipped: ${FOLDER} has none)`}`, () => {
  const ours = useMetadata();
  const theirs = useMetadata();
  const shas: Record<string, string> = {};

  beforeAll(async () => {
    for (const name of SCRIPTS) {
      const code = readFileSync(join(FOLDER, `${name}.lua`), "utf8");
      for (const { client } of [ours, theirs]) shas[name] = String(await client.sendCommand(["SCRIPT", "LOAD", code]));
    }
  });

  const script = (on: TestMetadata, name: (typeof SCRIPTS)[number], keys: string[], args: string[]): Promise<unknown> =>
    on.client.sendCommand(["EVALSHA", shas[name]!, String(keys.length), ...keys, ...args]);
  const functionOf = (
    on: TestMetadata,
    name: (typeof SCRIPTS)[number],
    keys: string[],
    args: string[],
  ): Promise<unknown> => fcallKeyed(on.client, keys, name, args);
  type Side = typeof script;

  /** Everything that clients see, less what is random (ids, new names) and the second in which it was written. */
  async function seen({ client }: TestMetadata): Promise<Record<string, unknown>> {
    const content: Record<string, unknown> = {};
    for (const key of (await client.keys("*")).sort()) {
      if (/^(files|folders):/.test(key))
        content[key] = Object.fromEntries(
          Object.entries(await client.hGetAll(key)).map(([field, value]) => [field, JSON.parse(value) as unknown]),
        );
      if (/^(merge|move|drop):/.test(key)) {
        content[key] = (await client.lRange(key, 0, -1)).map((text) => {
          const plan = JSON.parse(text) as Record<string, unknown>;
          return {
            ...plan,
            id: typeof plan["id"],
            // The scripts forget the time of a move beyond the last step of merging.
            time_s: /\.3\.parquet$/.test(String(plan["path_from"])) ? "any" : typeof plan["time_s"],
            ...("path_to" in plan && { path_to: String(plan["path_to"]).replace(/[0-9a-f-]{36}/, "new") }),
          };
        });
      }
    }
    return content;
  }

  /** Entries by steps: an ADD of a new path, or a DELETE of one that is planned nowhere. */
  function entriesOf(steps: typeof stepArb extends fc.Arbitrary<infer T> ? T : never): string[] {
    const idle: string[] = [];
    return steps.map(({ isDelete, layer, iteration, folder, size }, at) => {
      const known = isDelete ? idle.pop() : undefined;
      if (known !== undefined) return known;
      const entry = entryOf({
        layer,
        path: `${folder}/f${at}.${iteration}.parquet`,
        size_bytes: size,
        str_chunk_time: "1705320000000000000",
        min: { a: 1 },
        max: { a: 2.5 },
      });
      // Without a step to merge it or a time to move it, such a file is planned nowhere.
      if (iteration === 3 && (layer === "" || layer === "l")) idle.push(JSON.stringify({ ...entry, cmd: "DELETE" }));
      return JSON.stringify(entry);
    });
  }

  it("leaves the same, call by call, whoever comes first", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(stepArb, fc.boolean()), { minLength: 1, maxLength: 5 }), async (batches) => {
        await Promise.all([ours.server.flush(), theirs.server.flush()]);
        let number = 0;
        for (const [steps, isScript] of batches) {
          number += 1;
          const entries = entriesOf(steps).map((each) => each.replaceAll("/f", `/b${number}-`));
          const side: Side = isScript ? script : functionOf;
          expect(await side(ours, "patch_index", [MERGE, LAYERS], entries)).toBe(
            await script(theirs, "patch_index", [MERGE, LAYERS], entries),
          );
          expect(await seen(ours)).toEqual(await seen(theirs));
        }
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  it.each([
    ["script", "function"],
    ["function", "script"],
    ["function", "function"],
  ])("what a %s planned, a %s takes and ends", async (planner, taker) => {
    const sides: Record<string, Side> = { script, function: functionOf };
    await ours.server.flush();
    const path = "date=2024-01-15/hour=12/a.1.parquet";
    const suffix = "1:date=2024-01-15/hour=12";
    await sides[planner]!(
      ours,
      "patch_index",
      ["[[0,100,1]]", LAYERS],
      [JSON.stringify(entryOf({ path, size_bytes: 1 }))],
    );
    const take = (): Promise<unknown> =>
      sides[taker]!(ours, "get_merge_plan", ["merge", "d", "t", suffix, "l", "w"], [""]);
    const beforeMs = Date.now();
    const plan = JSON.parse(String(await take())) as { id: string; paths: string[]; time_s: number };
    expect(plan.paths).toEqual([path]);
    expect(plan.time_s - beforeMs / 1000).toBeGreaterThan(1790);
    expect(await take()).toBe("");
    const out = `merge:d:t:${suffix}:l:w:processing`;
    expect((await ours.client.lRange(out, 0, -1)).map((each) => (JSON.parse(each) as { id: string }).id)).toEqual([
      plan.id,
    ]);
    expect(await sides[planner]!(ours, "end_merge", ["d", "t", suffix, "l", "w", plan.id], [])).toBe("");
    expect(await ours.client.exists(out)).toBe(0);
  });
});
