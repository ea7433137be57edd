/* query_index against a plain filter, listing and status. What is stored here was written by GigAPI's clients, without us. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { DAY, entryOf, folderOf, HOUR, MINUTE, NOON, ns, SECOND, useMetadata, type Entry } from "../support/metadata";

const metadata = useMetadata();
const { call, query, read, record, refusal, send } = metadata;

beforeEach(() => metadata.server.flush());

const RUNS = 20 * Number(process.env["HOTPATH_RUNS"] ?? 1);

/** Writes entries as the original scripts do, without our index. */
async function store(...entries: Entry[]): Promise<void> {
  const place = ({ database, table }: Entry): string => `${database}:${table}`;
  await Promise.all(
    entries.flatMap((entry) => [
      send("HINCRBY", `folders:${place(entry)}`, entry.path.slice(0, entry.path.lastIndexOf("/")), 1),
      send("HSET", `files:${place(entry)}:${entry.path.split("/")[0]}`, entry.path, JSON.stringify(entry)),
    ]),
  );
}

/** A file of a time and a length, in its hour's folder. */
function fileAt(ms: number, name: string, given: Partial<Entry> = {}, lengthMs = 15 * SECOND): Entry {
  return entryOf({
    path: `${folderOf(ms)}/${name}.1.parquet`,
    str_min_time: ns(ms),
    str_max_time: ns(ms + lengthMs),
    str_chunk_time: ns(ms),
    ...given,
  });
}

const pathsOf = (entries: Entry[]): string[] => entries.map(({ path }) => path).sort();
const found = async (...args: (string | number)[]): Promise<string[]> =>
  pathsOf((await query("d", "t", ...args)).entries);

describe("query_index", () => {
  it("answers entries as they were added", async () => {
    const entry = fileAt(NOON, "a", { min: { host: "a", big: 1 }, max: { host: "z" } });
    await store(entry);
    expect(await read("query_index", "d", "t")).toEqual(["0", JSON.stringify(entry)]);
    expect(await read("query_index", "d", "other")).toEqual(["0"]);
  });

  it("finds what overlaps, to the nanosecond, both bounds included", async () => {
    const [from, to] = ["1705320000123456789", "1705320001123456789"];
    await store(fileAt(NOON, "a", { str_min_time: from, str_max_time: to }));
    const isFound = async (after: string, before: string): Promise<number> =>
      (await found("AFTER", after, "BEFORE", before)).length;
    expect(await isFound("1705320001123456789", "1705320009000000000")).toBe(1);
    expect(await isFound("1705320001123456790", "1705320009000000000")).toBe(0);
    expect(await isFound("0", "1705320000123456789")).toBe(1);
    expect(await isFound("0", "1705320000123456788")).toBe(0);
    expect(await found("AFTER", to)).toHaveLength(1);
    expect(await found("AFTER", "1705320001123456790")).toHaveLength(0);
    expect(await found("BEFORE", from)).toHaveLength(1);
    expect(await found("AFTER", "-9223372036854775808", "BEFORE", "9223372036854775807")).toHaveLength(1);
    await metadata.rebuild();
    expect(await isFound("1705320001123456789", "1705320009000000000")).toBe(1);
    expect(await isFound("1705320001123456790", "1705320009000000000")).toBe(0);
  });

  it("reads times in any form that JSON allows, and as GigAPI does where they are missing", async () => {
    const times = { str_min_time: "200", str_max_time: "300" };
    const path = (name: string): string => `f/${name}.1.parquet`;
    const written: Record<string, string> = {
      spaces: JSON.stringify({ path: path("spaces"), ...times }, null, 1),
      // A column of the table that is called as a field is.
      column: JSON.stringify({ min: { str_min_time: "1", str_max_time: "2" }, path: path("column"), ...times }),
      last: JSON.stringify({ ...times, path: path("last"), max: { str_min_time: "1", str_max_time: "2" } }),
      escaped: JSON.stringify({ path: path("escaped"), note: '"str_min_time":"1"', ...times }),
      numbers: JSON.stringify({ path: path("numbers"), str_min_time: "", min_time: 200, max_time: 300 }),
      none: JSON.stringify({ path: path("none") }),
      malformed: JSON.stringify({ path: path("malformed"), str_min_time: "yesterday", str_max_time: "1e3" }),
    };
    for (const [name, stored] of Object.entries(written)) await send("HSET", "files:d:t:f", path(name), stored);
    await send("HSET", "folders:d:t", "f", Object.keys(written).length);
    const named = async (after: number, before: number): Promise<string[]> =>
      (await found("AFTER", after, "BEFORE", before)).map((each) => each.slice(2, -".1.parquet".length));
    for (const round of ["before", "after"]) {
      const timeless = ["malformed", "none"];
      expect(await named(300, 400), round).toEqual(["column", "escaped", "last", ...timeless, "numbers", "spaces"]);
      expect(await named(301, 400), round).toEqual(timeless);
      expect(await named(100, 199), round).toEqual(timeless);
      expect(await named(0, 0), round).toEqual(timeless);
      await metadata.rebuild();
    }
  });

  it("keeps times as it reads them: of an entry that has only numbers, too", async () => {
    const layers = JSON.stringify({ l: { ttl_sec: 0 } });
    const entry = {
      path: "f/a.1.parquet",
      cmd: "ADD",
      layer: "l",
      database: "d",
      table: "t",
      size_bytes: 1,
      min_time: 200,
      max_time: 300,
    };
    await send(
      "FCALL",
      "patch_index",
      2,
      "[]",
      layers,
      JSON.stringify(entry),
      JSON.stringify({ ...entry, path: "f/b.1.parquet", str_min_time: "", str_max_time: "700" }),
    );
    expect(await send("HGET", "H:METADATA.BOUNDS::d/t::", "f")).toBe("200 700");
    expect(await found("AFTER", 250, "BEFORE", 260)).toEqual(["f/a.1.parquet", "f/b.1.parquet"]);
    expect(await found("AFTER", 301, "BEFORE", 900)).toEqual(["f/b.1.parquet"]);
  });

  it("does not stumble over an entry that nobody can read", async () => {
    await store(fileAt(NOON, "a"));
    await send("HSET", "files:d:t:date=2024-01-15", "date=2024-01-15/hour=12/b.1.parquet", "broken");
    const [cursor, ...stored] = (await read("query_index", "d", "t", "AFTER", ns(NOON), "LAYER", "l")) as string[];
    expect([cursor, stored.length]).toEqual(["0", 1]);
  });

  it("by folder: a part of the path, in which no character has a meaning of its own", async () => {
    const odd = ["a*b", "a?b", "a[b]", "a\\b", "axb", "ab"].map((name) =>
      entryOf({ path: `date=2024-01-15/${name}/f.1.parquet` }),
    );
    await store(...odd, entryOf({ path: "date=2024-01-16/ab/f.1.parquet" }), entryOf({ path: "other/ab/f.1.parquet" }));
    expect(await found("FOLDER", "date=2024-01-15")).toHaveLength(6);
    expect(await found("FOLDER", "date=2024-01")).toHaveLength(7);
    expect(await found("FOLDER", "date=2024-01-15/a")).toHaveLength(6);
    for (const name of ["a*b", "a?b", "a[b", "a\\b", "axb", "ab"]) {
      expect(await found("FOLDER", `date=2024-01-15/${name}`), name).toHaveLength(1);
    }
    expect(await found("FOLDER", "/date=2024-01-15/ab/")).toEqual(["date=2024-01-15/ab/f.1.parquet"]);
    expect(await found("FOLDER", "date=2024-01-17/ab")).toEqual([]);
    expect(await found("FOLDER", "date=2024-01-155")).toEqual([]);
  });

  it("by iteration and by layer", async () => {
    await store(
      fileAt(NOON, "a"),
      fileAt(NOON, "b", { path: `${folderOf(NOON)}/b.2.parquet` }),
      fileAt(NOON, "c", { path: `${folderOf(NOON)}/c.12.parquet`, layer: "cold" }),
    );
    expect(await found("ITERATION", 2)).toEqual([`${folderOf(NOON)}/b.2.parquet`]);
    expect(await found("LAYER", "cold")).toEqual([`${folderOf(NOON)}/c.12.parquet`]);
    expect(await found("LAYER", "cold", "ITERATION", 1)).toEqual([]);
    expect(await found("LAYER", "")).toEqual([]);
  });

  it("looks at no day that cannot hold what is asked for", async () => {
    await store(
      fileAt(NOON, "a"),
      fileAt(NOON + DAY, "b"),
      fileAt(NOON + 2 * DAY, "c"),
      entryOf({ path: "elsewhere/x.1.parquet", str_min_time: ns(NOON + DAY), str_max_time: ns(NOON + DAY) }),
    );
    await metadata.rebuild();
    // A day that is looked at would be an error now.
    for (const key of ["files:d:t:date=2024-01-15", "files:d:t:date=2024-01-17"]) {
      await send("DEL", key);
      await send("SET", key, "foreign");
    }
    const day = ["AFTER", ns(NOON + DAY), "BEFORE", ns(NOON + DAY + MINUTE)];
    expect(await found(...day)).toEqual(["date=2024-01-16/hour=12/b.1.parquet", "elsewhere/x.1.parquet"]);
    expect(await found("FOLDER", "date=2024-01-16")).toHaveLength(1);
    expect(await refusal("query_index", "d", "t", "AFTER", ns(NOON))).toBe(
      "CONFLICT files:d:t:date=2024-01-15 holds another type than HSCAN is for",
    );
  });

  it("finds a file of another day's time by what is known of its folder", async () => {
    await store(fileAt(NOON, "long", {}, 36 * HOUR), fileAt(NOON + DAY, "b"));
    const late = ["AFTER", ns(NOON + 30 * HOUR), "BEFORE", ns(NOON + 31 * HOUR)];
    expect(await found(...late)).toEqual(["date=2024-01-15/hour=12/long.1.parquet"]);
    await metadata.rebuild();
    expect(await found(...late)).toEqual(["date=2024-01-15/hour=12/long.1.parquet"]);
  });

  it("finds what old clients added to a day after our index had learned its times", async () => {
    await store(fileAt(NOON, "a"));
    await metadata.rebuild();
    await store(fileAt(NOON + HOUR, "b"), fileAt(NOON + DAY, "c"));
    expect(await found("AFTER", ns(NOON + HOUR), "BEFORE", ns(NOON + 2 * HOUR))).toEqual([
      "date=2024-01-15/hour=13/b.1.parquet",
    ]);
    expect(await found("AFTER", ns(NOON + DAY), "BEFORE", ns(NOON + DAY))).toEqual([
      "date=2024-01-16/hour=12/c.1.parquet",
    ]);
  });

  it("pages: every file once, in calls of bounded size", async () => {
    const files = Array.from({ length: 3000 }, (_, at) => fileAt(NOON + at * MINUTE, `f${at}`));
    await store(...files);
    for (const count of [1, 100, 10000]) {
      const { entries, calls } = await query("d", "t", "COUNT", count);
      expect(pathsOf(entries)).toEqual(pathsOf(files));
      expect(calls).toBeGreaterThanOrEqual(3);
    }
    let cursor = "0";
    do {
      const [next, ...page] = (await read("query_index", "d", "t", "COUNT", 10, "CURSOR", cursor)) as string[];
      expect(page.length).toBeLessThan(10 + 200);
      cursor = next!;
    } while (cursor !== "0");
  });

  it("what is there from the first page to the last is found, whatever comes and goes meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.boolean(), fc.nat(400), fc.nat(3)), { minLength: 1, maxLength: 40 }),
        async (changes) => {
          await metadata.server.flush();
          const lasting = Array.from({ length: 600 }, (_, at) => fileAt(NOON + (at % 4) * DAY, `f${at}`));
          await store(...lasting, ...Array.from({ length: 400 }, (_, at) => fileAt(NOON + (at % 4) * DAY, `old${at}`)));
          const seen = new Set<string>();
          let cursor = "0";
          let at = 0;
          do {
            const [next, ...page] = (await read("query_index", "d", "t", "COUNT", 1, "CURSOR", cursor)) as string[];
            for (const each of page) seen.add((JSON.parse(each) as Entry).path);
            cursor = next!;
            const [isAdded, many, day] = changes[(at += 1) % changes.length]!;
            const file = (name: string): Entry => fileAt(NOON + day * DAY, name);
            if (isAdded) await store(...Array.from({ length: many }, (_, each) => file(`new${at}-${each}`)));
            else
              await send(
                "HDEL",
                `files:d:t:${file("x").path.split("/")[0]}`,
                ...Array.from({ length: many + 1 }, (_, each) => file(`old${each}`).path),
              );
          } while (cursor !== "0");
          expect(lasting.filter(({ path }) => !seen.has(path))).toEqual([]);
        },
      ),
      { numRuns: Math.ceil(RUNS / 6) },
    );
  });

  it("answers what a plain filter does, before and after rebuild_index", async () => {
    const time = fc.integer({ min: -50, max: 50 }).map((hours) => NOON + hours * 37 * MINUTE);
    const file = fc.record({
      ms: time,
      wrong: fc.constantFrom(0, 0, 0, 30 * HOUR, -30 * HOUR),
      length: fc.constantFrom(0, 15 * SECOND, HOUR, 40 * HOUR),
      iteration: fc.integer({ min: 1, max: 3 }),
      layer: fc.constantFrom("l", "cold"),
    });
    const condition = fc.record({
      after: fc.option(time),
      length: fc.nat(30),
      hasEnd: fc.boolean(),
      iteration: fc.option(fc.integer({ min: 1, max: 3 })),
      layer: fc.option(fc.constantFrom("l", "cold")),
      folder: fc.option(fc.constantFrom("date=2024-01-15", "date=2024-01-15/hour=1", "date=2024-01-1")),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 60 }),
        fc.array(condition, { minLength: 1, maxLength: 6 }),
        async (files, conditions) => {
          await metadata.server.flush();
          const entries = files.map(({ ms, wrong, length, iteration, layer }, at) =>
            fileAt(ms, "", { path: `${folderOf(ms + wrong)}/f${at}.${iteration}.parquet`, layer }, length),
          );
          await store(...entries);
          for (const round of ["before", "after"]) {
            for (const { after, length, hasEnd, iteration, layer, folder } of conditions) {
              const from = BigInt(ns(after ?? 0));
              const to = hasEnd ? BigInt(ns((after ?? NOON) + length * HOUR)) : 2n ** 63n - 1n;
              const wanted = entries.filter(
                (each) =>
                  BigInt(each.str_max_time) >= (after === null ? -1n : from) &&
                  BigInt(each.str_min_time) <= to &&
                  (iteration === null || each.path.endsWith(`.${iteration}.parquet`)) &&
                  (layer === null || each.layer === layer) &&
                  each.path.startsWith(folder ?? ""),
              );
              const args: (string | number)[] = [];
              if (after !== null) args.push("AFTER", String(from));
              if (hasEnd) args.push("BEFORE", String(to));
              if (iteration !== null) args.push("ITERATION", iteration);
              if (layer !== null) args.push("LAYER", layer);
              if (folder !== null) args.push("FOLDER", folder);
              expect(await found(...args), round).toEqual(pathsOf(wanted));
            }
            await metadata.rebuild("LIMIT", 50);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("answers what a plain filter does, whoever added and deleted what", async () => {
    const change = fc.record({
      by: fc.constantFrom("us", "us", "us", "others"),
      isAdd: fc.constantFrom(true, true, false),
      hour: fc.integer({ min: 10, max: 16 }),
      wrong: fc.constantFrom(0, 0, 0, 0, 1, -2, 30),
      length: fc.constantFrom(0, 15 * SECOND, HOUR),
      name: fc.nat(5),
      count: fc.integer({ min: 1, max: 3 }),
    });
    const range = fc.record({ from: fc.integer({ min: 9 * 4, max: 18 * 4 }), length: fc.nat(8) });
    const layers = JSON.stringify({ l: { url: "", name: "l", type: "fs", ttl_sec: 0, layer_to: "" } });
    const midnight = NOON - 12 * HOUR;
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 30 }),
        fc.array(range, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (changes, ranges, isRebuilt) => {
          await metadata.server.flush();
          const there = new Map<string, Entry>();
          for (const [at, { by, isAdd, hour, wrong, length, name, count }] of changes.entries()) {
            const batch = Array.from({ length: count }, (_, each) =>
              fileAt(
                midnight + hour * HOUR + at * MINUTE,
                "",
                {
                  path: `${folderOf(midnight + hour * HOUR + wrong * HOUR)}/f${name + each}.1.parquet`,
                  cmd: isAdd ? "ADD" : "DELETE",
                },
                length,
              ),
            );
            if (by === "us")
              await send("FCALL", "patch_index", 2, "[]", layers, ...batch.map((each) => JSON.stringify(each)));
            for (const entry of batch) {
              const { path } = entry;
              const folder = path.slice(0, path.lastIndexOf("/"));
              if (by === "others" && isAdd && !there.has(path)) await store(entry);
              if (by === "others" && !isAdd && there.has(path)) {
                await send("HDEL", `files:d:t:${path.split("/")[0]}`, path);
                if (Number(await send("HINCRBY", "folders:d:t", folder, -1)) === 0)
                  await send("HDEL", "folders:d:t", folder);
              }
              if (by === "us" && isAdd) there.set(path, entry);
              if (by === "others" && isAdd && !there.has(path)) there.set(path, entry);
              if (!isAdd) there.delete(path);
            }
          }
          if (isRebuilt) await metadata.rebuild();
          const byOthers = changes.some(({ by, isAdd, wrong }) => by === "others" && isAdd && wrong > 1);
          for (const { from, length } of ranges) {
            const after = BigInt(ns(midnight + from * 15 * MINUTE));
            const before = BigInt(ns(midnight + (from + length) * 15 * MINUTE));
            const wanted = [...there.values()].filter(
              (each) => BigInt(each.str_max_time) >= after && BigInt(each.str_min_time) <= before,
            );
            const answered = await found("AFTER", String(after), "BEFORE", String(before));
            // What others put into another day's folder is looked for once rebuild_index has passed.
            if (byOthers && !isRebuilt) expect(pathsOf(wanted)).toEqual(expect.arrayContaining(answered));
            else expect(answered).toEqual(pathsOf(wanted));
          }
        },
      ),
      { numRuns: 2 * RUNS },
    );
  });

  it("looks at no hour of a day that cannot hold what is asked for", async () => {
    const layers = JSON.stringify({ l: { url: "", name: "l", type: "fs", ttl_sec: 0, layer_to: "" } });
    const files = Array.from({ length: 24 * 200 }, (_, at) => fileAt(NOON - 12 * HOUR + (at % 24) * HOUR, `f${at}`));
    await send("FCALL", "patch_index", 2, "[]", layers, ...files.map((each) => JSON.stringify(each)));
    const hour = ["AFTER", ns(NOON + HOUR), "BEFORE", ns(NOON + 2 * HOUR - 1)];
    const narrow = await query("d", "t", ...hour);
    expect(narrow.entries).toHaveLength(200);
    expect(narrow.calls).toBeLessThanOrEqual(3);
    expect(await query("d", "t", "AFTER", ns(NOON + 20 * MINUTE), "BEFORE", ns(NOON + 30 * MINUTE))).toEqual({
      entries: [],
      calls: 1,
    });
    // One file of which we know nothing, in a folder of which we know nothing: the whole day is looked at.
    await store(fileAt(NOON + HOUR, "", { path: "date=2024-01-15/odd/x.1.parquet" }));
    const wide = await query("d", "t", ...hour);
    expect(wide.entries).toHaveLength(201);
    expect(wide.calls).toBeGreaterThan(narrow.calls);
  });

  it("takes no times for known that others have added to before us", async () => {
    const patch = (entry: Entry): Promise<unknown> =>
      send("FCALL", "patch_index", 2, "[]", JSON.stringify({ l: { ttl_sec: 0 } }), JSON.stringify(entry));
    // Of another day than its folder's, and there before we write to that day.
    await store(fileAt(NOON, "theirs", {}, 40 * HOUR));
    await patch(fileAt(NOON, "ours"));
    expect(await found("AFTER", ns(NOON + 39 * HOUR), "BEFORE", ns(NOON + 39 * HOUR))).toEqual([
      `${folderOf(NOON)}/theirs.1.parquet`,
    ]);
    await metadata.server.flush();
    // Of another hour than its folder's, and there between two writes of ours.
    await patch(fileAt(NOON, "ours"));
    await store(fileAt(NOON, "theirs", {}, 5 * HOUR));
    await patch(fileAt(NOON, "more"));
    const late = ["AFTER", ns(NOON + 4 * HOUR), "BEFORE", ns(NOON + 4 * HOUR)];
    expect(await found(...late)).toEqual([`${folderOf(NOON)}/theirs.1.parquet`]);
    await send("HDEL", "files:d:t:date=2024-01-15", `${folderOf(NOON)}/ours.1.parquet`);
    await send("HINCRBY", "folders:d:t", folderOf(NOON), -1);
    expect(await found(...late)).toEqual([`${folderOf(NOON)}/theirs.1.parquet`]);
  });

  it("a table of very many folders needs rebuild_index once", async () => {
    const folders = (from: number, to: number): string[] =>
      Array.from({ length: to - from }, (_, at) => [`f${String(from + at).padStart(6, "0")}/x`, "1"]).flat();
    const many = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += 1000)
        await send("HSET", "folders:d:t", ...folders(at, Math.min(at + 1000, to)));
    };
    const lone = (first: string): Entry =>
      entryOf({ path: `${first}/x/a.1.parquet`, str_min_time: "100", str_max_time: "200" });
    await many(0, 5000);
    await store(lone("f004321"), lone("f000007"));
    expect(await found("AFTER", 100, "BEFORE", 100)).toHaveLength(2);
    await many(5000, 11000);
    expect(await refusal("query_index", "d", "t")).toBe(
      "LIMIT 11000 folders of 'd/t' are not all in the index of folders; rebuild_index enters them",
    );
    expect((await found("FOLDER", "f004321/")).length).toBe(1);
    expect((await record("get_table_status", "d", "t"))["known"]).toBe(0);
    await store(lone("f010999"));
    await metadata.rebuild();
    expect((await record("get_table_status", "d", "t"))["known"]).toBe(1);
    expect(await found("AFTER", 100, "BEFORE", 100)).toEqual([
      "f000007/x/a.1.parquet",
      "f004321/x/a.1.parquet",
      "f010999/x/a.1.parquet",
    ]);
    expect(await found("FOLDER", "f00")).toHaveLength(2);
  });

  it.each([
    [["AFTER", "soon"], "BADARG AFTER must be a time in nanoseconds, a whole number of 64 bits, got 'soon'"],
    [
      ["AFTER", "9223372036854775808"],
      "BADARG AFTER must be a time in nanoseconds, a whole number of 64 bits, got '9223372036854775808'",
    ],
    [["BEFORE", "1.5"], "BADARG BEFORE must be a time in nanoseconds, a whole number of 64 bits, got '1.5'"],
    [["AFTER", "2", "BEFORE", "1"], "BADARG AFTER must not be later than BEFORE, got '2' and '1'"],
    [["CURSOR", "1"], "BADARG CURSOR must be 0 or as the last call answered it, got '1'"],
    [
      ["CURSOR", "99999999999999999999/f"],
      "BADARG CURSOR must be 0 or as the last call answered it, got '99999999999999999999/f'",
    ],
  ])("refuses %j", async (args, message) => {
    expect(await refusal("query_index", "d", "t", ...args)).toBe(message);
  });

  it("names foreign types", async () => {
    await send("SET", "folders:d:t", "foreign");
    expect(await refusal("query_index", "d", "t")).toMatch(/^CONFLICT folders:d:t /);
    expect(await refusal("list_folders", "d", "t")).toMatch(/^CONFLICT folders:d:t /);
    expect(await refusal("get_table_status", "d", "t")).toMatch(/^CONFLICT folders:d:t /);
  });
});

describe("listing", () => {
  it("databases, tables and folders by name", async () => {
    await store(
      fileAt(NOON, "a"),
      fileAt(NOON, "b"),
      fileAt(NOON + HOUR, "c"),
      fileAt(NOON, "a", { table: "s" }),
      fileAt(NOON, "a", { database: "b", table: "x:y" }),
    );
    await metadata.rebuild();
    expect(await read("list_databases")).toEqual(["b", "d"]);
    expect(await read("list_tables", "d")).toEqual(["s", "t"]);
    expect(await read("list_tables", "b")).toEqual(["x:y"]);
    expect(await read("list_tables", "none")).toEqual([]);
    const [cursor, ...folders] = (await read("list_folders", "d", "t")) as [string, ...[string, number][]];
    expect(cursor).toBe("0");
    expect(folders.sort()).toEqual([
      ["date=2024-01-15/hour=12", 2],
      ["date=2024-01-15/hour=13", 1],
    ]);
  });

  it("folders page by page", async () => {
    const folders = Array.from({ length: 1500 }, (_, at) => `f${at}`);
    await send("HSET", "folders:d:t", ...folders.flatMap((each) => [each, 1]));
    const seen: string[] = [];
    let cursor = "0";
    do {
      const [next, ...page] = (await read("list_folders", "d", "t", "COUNT", 100, "CURSOR", cursor)) as [
        string,
        ...[string, number][],
      ];
      seen.push(...page.map(([folder]) => folder));
      cursor = next;
    } while (cursor !== "0");
    expect(seen.sort()).toEqual(folders.sort());
    expect(await refusal("list_folders", "d", "t", "CURSOR", "x")).toBe(
      "BADARG CURSOR must be 0 or as the last call answered it, got 'x'",
    );
  });
});

describe("get_table_status", () => {
  it("of a table that nobody has written to", async () => {
    expect(await record("get_table_status", "d", "t")).toEqual({
      folders: 0,
      known: 1,
      files: 0,
      min_ns: null,
      max_ns: null,
      configured: 0,
      unreadable: 0,
      plans: [],
    });
  });

  it("does not take our own writes for knowledge of what others wrote before", async () => {
    await store(fileAt(NOON + DAY, "theirs"));
    await send(
      "FCALL",
      "patch_index",
      2,
      "[]",
      JSON.stringify({ l: { ttl_sec: 0 } }),
      JSON.stringify(fileAt(NOON, "ours")),
    );
    expect(await record("get_table_status", "d", "t")).toMatchObject({ folders: 2, known: 0, files: null });
    await metadata.rebuild();
    await send(
      "FCALL",
      "patch_index",
      2,
      "[]",
      JSON.stringify({ l: { ttl_sec: 0 } }),
      JSON.stringify(fileAt(NOON + HOUR, "ours")),
    );
    expect(await record("get_table_status", "d", "t")).toMatchObject({ folders: 3, known: 1, files: 3 });
    await send(
      "FCALL",
      "patch_index",
      2,
      "[]",
      JSON.stringify({ l: { ttl_sec: 0 } }),
      ...[fileAt(NOON, "ours"), fileAt(NOON + HOUR, "ours")].map((each) => JSON.stringify({ ...each, cmd: "DELETE" })),
    );
    expect(await record("get_table_status", "d", "t")).toMatchObject({ folders: 1, known: 1, files: 1 });
  });

  it("counts files, folders and plans", async () => {
    await store(fileAt(NOON, "a"), fileAt(NOON + DAY, "b"), fileAt(NOON + DAY, "c"));
    const plan = (id: string, ms: number): string =>
      JSON.stringify({ id, time_s: ms / SECOND, paths: [`${folderOf(NOON)}/a.1.parquet`], size: 1 });
    await send("RPUSH", `merge:d:t:1:${folderOf(NOON)}:l:w:idle`, plan("p1", NOON), plan("p2", NOON + HOUR));
    await send("RPUSH", `merge:d:t:1:${folderOf(NOON)}:l:w:processing`, plan("p3", NOON + HOUR));
    await send("RPUSH", "drop:d:t:l:w:idle", JSON.stringify({ id: "x", path: "f/a", time_s: NOON / SECOND + 30 }));
    expect(await record("get_table_status", "d", "t")).toMatchObject({ folders: 2, known: 0, files: null, plans: [] });
    await metadata.rebuild();
    await call("configure_table", "d", "t", "MERGE", "[[10,100,1]]", "LAYERS", "{}");
    expect(await record("get_table_status", "d", "t", "NOW", NOON)).toEqual({
      folders: 2,
      known: 1,
      files: 3,
      min_ns: ns(NOON),
      max_ns: ns(NOON + DAY + 15 * SECOND),
      configured: 1,
      unreadable: 0,
      plans: [
        ["drop", null, "l", "w", 1, 0, 0],
        ["merge", 1, "l", "w", 2, 1, 1],
      ],
    });
  });
});
