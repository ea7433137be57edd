/* Every function of the index driven through malformed calls made from its declaration: each is refused, and nothing is written. */
import { beforeEach, describe, expect, it } from "vitest";
import { Calls, flat, itRefusesMalformedCalls, itTakesBothEnds } from "../support/malformed";
import { readDeclarations, refusalOf } from "../support/functions";
import { entryOf, NOON, useMetadata } from "../support/metadata";
import { digest } from "../support/tracker";

const metadata = useMetadata();
const FUNCTIONS = readDeclarations("metadata");

const MERGE = "[[10,1000,1]]";
const LAYERS = '{"l":{"ttl_sec":0,"layer_to":""}}';
const entry = (at: number): string => JSON.stringify(entryOf({ path: `date=2024-01-15/hour=12/f${at}.1.parquet` }));

const calls = new Calls({
  good: {
    db: "d",
    table: "t",
    path: "date=2024-01-15/hour=12/f1.1.parquet",
    layer: "l",
    writer: "w",
    MERGE,
    LAYERS,
    AFTER: "0",
    BEFORE: "5",
    CURSOR: "0",
    ITERATION: "1",
    iteration: "1",
  },
  id: "0123456789abcdef".repeat(3).slice(0, 40),
  timeMs: NOON,
  rest: entry,
});

/** A table with files, plans that wait, and plans that are out. */
async function seed(): Promise<void> {
  await metadata.server.flush();
  await metadata.call("configure_table", "d", "t", "MERGE", MERGE, "LAYERS", LAYERS);
  await metadata.call("patch_index", "d", "t", entry(1), entry(2), entry(3), "NOW", NOON);
  await metadata.call("patch_index", "d", "t", entry(3).replace('"ADD"', '"DELETE"'), "NOW", NOON);
  await metadata.call("get_merge_plan", "d", "t", 1, "l", "w", "NOW", 2 * NOON);
  await metadata.call("patch_index", "d", "t", entry(4), "NOW", NOON);
}

it("the manifest has functions", () => expect(FUNCTIONS.map(({ name }) => name)).toContain("patch_index"));

describe.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s", (name, declaration) => {
  const good = flat(calls.goodCall(declaration));

  itRefusesMalformedCalls(metadata, calls, declaration, seed);
  itTakesBothEnds(metadata, calls, declaration);

  it("is callable with FCALL_RO if and only if it is no-writes", async () => {
    const message = (await refusalOf(metadata.read(name, ...good))) ?? "";
    if (declaration.flags.includes("no-writes")) expect(message).not.toMatch(/script|write/);
    else expect(message).toMatch(/write/);
  });

  it("leaves nothing behind if it only reads, and answers declared codes", async () => {
    const before = await digest(metadata.client);
    const message = await metadata.refusal(name, ...good);
    if (declaration.role === "reader") expect(await digest(metadata.client)).toEqual(before);
    if (message !== undefined) expect(declaration.errors as readonly string[]).toContain(message.split(" ")[0]);
  });
});

describe("routing keys", () => {
  beforeEach(seed);

  it.each(["{eu}", "any{eu}thing", "plain", ""])("'%s' is taken and never written", async (key) => {
    for (const declaration of FUNCTIONS)
      await refusalOf(metadata.routed([key], declaration.name, ...flat(calls.goodCall(declaration))));
    expect(await metadata.client.exists(key)).toBe(0);
  });
});
