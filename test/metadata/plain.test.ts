/*
 * A batch of new files alone is gathered by queue and any other is applied file by file: both leave the same. A DELETE of a file
 * that is not there, which is passed over, makes a batch one of the second kind.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entryOf, NOON, SECOND, useMetadata, type TestMetadata } from "../support/metadata";
import { sha1 } from "../support/tracker";

const RUNS = 150 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const MERGE = "[[10,100,1],[1000,250,2]]";
const LAYERS = JSON.stringify({
  "": { ttl_sec: 0 },
  hot: { ttl_sec: 100, layer_to: "cold" },
  cold: { ttl_sec: 0 },
  "a:b": {},
  a: {},
  b: {},
});
const NOTHING = JSON.stringify({ cmd: "DELETE", path: "none/none.1.parquet" });

const timeArb = fc.constantFrom(
  "-5",
  "0",
  "7",
  "-9223372036854775808",
  "999999999",
  "1705320000000000000",
  "1705320000000000001",
  "9223372036854775807",
);
const entryArb = fc
  .record({
    folder: fc.constantFrom("day", "day/1", "day/1/x", "day:a", "late/1", "1"),
    name: fc.constantFrom("a.", "b.", "c.2.", "d.1.", ".", ""),
    more: fc.nat(40),
    iteration: fc.constantFrom("0", "1", "1", "1", "01", "2", "11", "3", "1234567890"),
    layer: fc.constantFrom("", "hot", "cold", "cold", "cold", "a:b", "a", "unknown"),
    writer_id: fc.constantFrom("", "w", "w", "b:w"),
    size_bytes: fc.constantFrom(0, 1, 40, 0.5, 60, 100, 101),
    str_min_time: timeArb,
    str_max_time: timeArb,
    lacks: fc.constantFrom(undefined, undefined, undefined, "str_min_time", "str_max_time", "layer", "writer_id"),
  })
  .map(({ folder, name, more, iteration, lacks, ...rest }) => {
    const isWrong = name === "" || iteration.length > 9 || rest.layer === "unknown";
    // Few are refused, so that long batches are not.
    if (isWrong && more > 0)
      return JSON.stringify(entryOf({ ...rest, layer: "cold", path: `${folder}/${more}.1.parquet` }));
    const entry = entryOf({ ...rest, path: `${folder}/${name === "" ? "" : `${more}${name}`}${iteration}.parquet` });
    return JSON.stringify({ ...entry, ...(lacks !== undefined && { [lacks]: undefined }) });
  });

/** Everything that is stored, but for ids. */
async function stored({ client }: TestMetadata): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {};
  for (const key of (await client.keys("*")).sort()) {
    const kind = await client.type(key);
    if (kind === "hash") content[key] = { ...(await client.hGetAll(key)) };
    else if (kind === "list")
      content[key] = (await client.lRange(key, 0, -1)).map((text) =>
        text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "id"),
      );
    else if (kind === "zset") content[key] = await client.zRangeWithScores(key, 0, -1);
    else content[key] = (await client.sMembers(key)).sort();
  }
  return content;
}

const together = useMetadata();
const oneByOne = useMetadata();

async function patch(on: TestMetadata, batch: readonly string[], place: number): Promise<string | undefined> {
  const refusal = await on.refusal("patch_index", "d", "t", ...batch, "NOW", NOON + place * SECOND);
  return refusal?.replace(/entry (\d+)/, (_, at: string) => `entry ${Number(at) - (batch[0] === NOTHING ? 1 : 0)}`);
}

describe("a batch of new files alone", () => {
  it("leaves what it leaves file by file, after any other, and is refused for the same", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(entryArb, { minLength: 1, maxLength: 12, size: "max" }), { minLength: 1, maxLength: 4 }),
        async (batches) => {
          for (const side of [together, oneByOne]) {
            await side.server.flush();
            await side.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
          }
          for (const [place, batch] of batches.entries()) {
            expect(await patch(together, batch, place)).toBe(await patch(oneByOne, [NOTHING, ...batch], place));
            expect(await stored(together)).toEqual(await stored(oneByOne));
          }
        },
      ),
      { numRuns: RUNS },
    );
  }, 120_000);

  it("changes nothing when it is repeated, and all that differs when it is not quite the same", async () => {
    const add = (at: number, size = 10, folder = `day/${at % 3}`): string =>
      JSON.stringify(entryOf({ path: `${folder}/${at}.1.parquet`, layer: "cold", size_bytes: size }));
    const batch = Array.from({ length: 30 }, (_, at) => add(at));
    for (const side of [together, oneByOne]) {
      await side.server.flush();
      await side.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
      await side.call("patch_index", "d", "t", ...batch, "NOW", NOON);
    }
    const before = await stored(together);
    const writes = async (): Promise<number> =>
      Number(/rdb_changes_since_last_save:(\d+)/.exec(await together.client.info("persistence"))![1]);
    const changes = await writes();
    expect(await together.call("patch_index", "d", "t", ...batch, "NOW", NOON + SECOND)).toBe(30);
    expect(await together.call("patch_index", "d", "t", ...[...batch].reverse(), "NOW", NOON + SECOND)).toBe(30);
    expect(await writes()).toBe(changes);
    expect(await stored(together)).toEqual(before);
    // One that is new, in a folder of its own or not; one with another size; one twice.
    for (const [place, odd] of [add(30), add(31, 10, "another"), add(0, 90), add(7)].entries()) {
      const mixed = [...batch.slice(1), odd];
      expect(await patch(together, mixed, place)).toBe(await patch(oneByOne, [NOTHING, ...mixed], place));
      expect(await stored(together)).toEqual(await stored(oneByOne));
    }
    expect({ ...(await together.client.hGetAll("folders:d:t")) }).toEqual({
      "day/0": "11",
      "day/1": "10",
      "day/2": "10",
      another: "1",
    });
  });

  it("tells the folder of a path from that of the path before", async () => {
    await together.server.flush();
    await together.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
    const add = (path: string): string => JSON.stringify(entryOf({ path, layer: "cold" }));
    await together.call(
      "patch_index",
      "d",
      "t",
      add("1/a.1.parquet"),
      add("day/1/b.1.parquet"),
      add("1/1/c.1.parquet"),
    );
    expect({ ...(await together.client.hGetAll("folders:d:t")) }).toEqual({ "1": "1", "day/1": "1", "1/1": "1" });
    // What ends the name is no name.
    expect(await together.refusal("patch_index", "d", "t", add("day/a.1.parquet"), add("day/.1.parquet"))).toContain(
      "entry 1: path must be",
    );
  });

  it("counts in two folders what goes to one queue, as names have colons", async () => {
    await together.server.flush();
    const entries = [
      entryOf({ path: "day/a.1.parquet", layer: "a", writer_id: "b:w" }),
      entryOf({ path: "day:a/a.1.parquet", layer: "b", writer_id: "w" }),
    ].map((each) => JSON.stringify(each));
    await together.client.sendCommand(["FCALL", "patch_index", "2", "[[10,5000,1]]", LAYERS, ...entries]);
    expect({ ...(await together.client.hGetAll("folders:d:t")) }).toEqual({ day: "1", "day:a": "1" });
  });

  it("plans no file again that counts as taken out of a plan", async () => {
    await together.server.flush();
    const queue = "merge:d:t:1:day:cold:w";
    const path = "day/a.1.parquet";
    const add = [
      "FCALL",
      "patch_index",
      "2",
      "[[10,5000,1]]",
      LAYERS,
      JSON.stringify(entryOf({ path, layer: "cold" })),
    ];
    await together.client.sendCommand(add);
    await together.client.del(["files:d:t:day", "folders:d:t"]);
    const gone = `S:METADATA.GONE::${sha1(queue)}::`;
    await together.client.sAdd(gone, path);
    await together.client.sendCommand(add);
    const plans = await together.client.lRange(`${queue}:idle`, 0, -1);
    expect(plans.map((text) => (JSON.parse(text) as { paths: string[] }).paths)).toEqual([[path]]);
    expect(await together.client.exists(gone)).toBe(0);
  });
});
