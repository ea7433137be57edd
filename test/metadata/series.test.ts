/*
 * Entries that are alike are read by templates: what comes out is what cjson makes of each, and a batch leaves what its entries leave
 * one by one. Text is bytes, one character a byte.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { HOT } from "../../scripts/build/assemble";
import { compileLibrary } from "../../scripts/build/compile";
import { toBytes } from "../../scripts/lua-globals";
import { entryOf, ns, NOON, useMetadata, type Entry, type TestMetadata } from "../support/metadata";
import { loadLibrary } from "../support/functions";
import { useServer } from "../support/server";

const RUNS = Number(process.env["HOTPATH_RUNS"] ?? 1);

/** Entries of a batch as Go prints them; Python puts blanks after colons and commas. */
const entry = (at: number, more: Partial<Entry> = {}): Entry =>
  entryOf({
    path: `day/${at}.1.parquet`,
    size_bytes: 10 + at,
    row_count: at,
    str_min_time: ns(NOON, at),
    str_max_time: ns(NOON, at + 1),
    str_chunk_time: ns(NOON),
    ...more,
  });
const asGo = (given: object): string => toBytes(JSON.stringify(given));
const asPython = (given: object): string =>
  toBytes(JSON.stringify(given, null, 1))
    .replaceAll(/\n */g, " ")
    .replaceAll(/([{[]) | ([}\]])/g, "$1$2");
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

// Entries that went wrong, or only look as if they had.

const WHOLE = ["0", "7", "10", "1000", "9007199254740993", "18446744073709551616", "1" + "0".repeat(400)];
const ODD_NUMBERS = [
  "-0",
  "-1",
  "00",
  "007",
  "1.0",
  "0.5",
  "1.",
  ".5",
  "1e3",
  "1E-3",
  "1e",
  "0x10",
  "0x",
  "+1",
  "nan",
  "NaN",
  "Infinity",
  "-inf",
  "1 2",
  "",
  " 1",
  "1\t",
  "1\x0b",
  "1\x00",
  "1_0",
  "1a",
  "null",
  "true",
  '"1"',
  "{}",
  "[1]",
];
const TIMES = [
  "0",
  "00",
  "-0",
  "-1",
  "+1",
  "1e3",
  "",
  " 1",
  "1 ",
  "1705320000000000000",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "-9223372036854775809",
  "01",
  "1\x00",
  "1\n",
];
const TEXTS = [
  "a",
  "day/x.1.parquet",
  "day/\xc3\xa9/x.1.parquet",
  "day/%d+.1.parquet",
  "day/^$().[]*+-?.1.parquet",
  "/x.1.parquet",
  "day/x",
  "day\\/x.1.parquet",
  "day/\\u0078.1.parquet",
  "day/\\ud83d\\ude00.1.parquet",
  "day/\\ud83d.1.parquet",
  "day/\\x.1.parquet",
  "day/\\",
  'day/\\".1.parquet',
  "day/\x01.1.parquet",
  "day/\x7f\x80\xff.1.parquet",
  "day/\x00.1.parquet",
  "day/\n.1.parquet",
  'day/x.1.parquet","path":"day/y.1.parquet',
  '","size_bytes":1,"',
  "%",
  ":",
  ",",
  "}",
];
const INSERTED = [
  '"',
  "\\",
  "\x00",
  "\x01",
  "\n",
  "\x1f",
  "\x7f",
  "\x80",
  "\xc3",
  "\xff",
  "0",
  "1",
  "9",
  "-",
  ".",
  "e",
  "E",
  "x",
  " ",
  "\t",
  ",",
  ":",
  "{",
  "}",
  "[",
  "]",
  "%",
  "/",
  "a",
  '\\"',
  "\\u0041",
  '"path"',
  '"a":1,',
  "null",
];
const FIELDS = [
  "layer",
  "database",
  "table",
  "path",
  "size_bytes",
  "row_count",
  "chunk_time",
  "min",
  "max",
  "min_time",
  "max_time",
  "writer_id",
  "str_min_time",
  "str_max_time",
  "str_chunk_time",
  "cmd",
];
const quoted = (text: string): string => `"${text}"`;
const LITERALS = [
  ...WHOLE,
  ...ODD_NUMBERS,
  ...[...TIMES, ...TEXTS].map(quoted),
  '{"path":"day/z.1.parquet"}',
  '{"size_bytes":3}',
  '{"a":{"path":1}}',
  "[[]]",
  "tru",
  "nul",
];

const literalArb = fc.constantFrom(...LITERALS);
const fieldArb = fc.constantFrom(...FIELDS, "path", "size_bytes", "str_min_time", "str_max_time", "row_count");
/** The span of a field's value: up to the next field, or to the end. */
const valueOf = (field: string): RegExp => new RegExp(`("${field}": ?)("[^"]*"|null|[^,}"{]+|\\{[^{}]*\\})`);

/** A way to change a text. */
type Change = (text: string) => string;
const put =
  (field: string, literal: string): Change =>
  (text) =>
    text.replace(valueOf(field), (_, name: string) => name + literal);
const changeArb: fc.Arbitrary<Change> = fc.oneof(
  fc
    .tuple(fc.constantFrom("size_bytes", "size_bytes", "row_count"), fc.constantFrom(...WHOLE, ...ODD_NUMBERS))
    .map(([field, literal]) => put(field, literal)),
  fc
    .tuple(fc.constantFrom("str_min_time", "str_max_time", "str_chunk_time"), fc.constantFrom(...TIMES))
    .map(([field, time]) => put(field, quoted(time))),
  fc.constantFrom(...TEXTS).map((text) => put("path", quoted(text))),
  fc.tuple(fieldArb, literalArb).map(([field, literal]) => put(field, literal)),
  fc.tuple(fieldArb, literalArb, fc.boolean()).map(
    ([field, literal, isLast]): Change =>
      (text) =>
        isLast
          ? text.replace(/\}$/, () => `,"${field}":${literal}}`)
          : text.replace("{", () => `{"${field}":${literal},`),
  ),
  fc.tuple(fieldArb, fieldArb).map(
    ([one, other]): Change =>
      (text) =>
        text.replaceAll(new RegExp(`"(${one}|${other})"`, "g"), (_, name: string) => `"${name === one ? other : one}"`),
  ),
  fc.tuple(fc.nat(400), fc.constantFrom(...INSERTED)).map(
    ([at, more]): Change =>
      (text) =>
        text.slice(0, at) + more + text.slice(at),
  ),
  fc.tuple(fc.nat(400), fc.nat(3)).map(
    ([at, count]): Change =>
      (text) =>
        text.slice(0, at) + text.slice(at + 1 + count),
  ),
  fc.tuple(fc.nat(400), fc.nat(255)).map(
    ([at, byte]): Change =>
      (text) =>
        text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1),
  ),
  fc.tuple(fieldArb, fc.constantFrom(...INSERTED), fc.nat(30)).map(
    ([field, more, at]): Change =>
      (text) =>
        text.replace(
          valueOf(field),
          (_, name: string, value: string) => name + value.slice(0, at) + more + value.slice(at),
        ),
  ),
  fc.constantFrom<Change[]>(
    (text) => ` ${text}`,
    (text) => `${text} `,
    (text) => `${text}x`,
    (text) => `${text}\x00`,
    (text) => `${text}\x00x`,
    (text) => text.slice(0, -1),
    (text) => `[${text}]`,
    (text) => text + text,
    () => "{}",
    () => "[]",
    () => "7",
    (text) => text.replaceAll(",", " ,\n"),
  ),
);

/** A column named as a field of an entry, in the objects within it. */
const columnsArb = fc.constantFrom(
  null,
  null,
  {},
  { a: 1 },
  { path: "day/q.1.parquet" },
  { size_bytes: 3, str_min_time: "5" },
  { path: { path: "x" } },
);
const givenArb = fc.record({
  min: columnsArb,
  max: columnsArb,
  layer: fc.constantFrom("l", "cold"),
  cmd: fc.constantFrom("ADD" as const, "ADD" as const, "ADD" as const, "DELETE" as const),
});
const printArb = fc.constantFrom(asGo, asGo, asPython);

/** Batches: entries alike, and among them so many at most that are changed in a few ways. */
const batchArb = (most: number): fc.Arbitrary<string[]> =>
  fc
    .tuple(
      givenArb,
      printArb,
      fc.array(fc.array(changeArb, { maxLength: 2 }), { minLength: 1, maxLength: most }),
      fc.array(fc.tuple(fc.nat(400), fc.constantFrom(...INSERTED)), { maxLength: 1 }),
    )
    .map(([more, print, changes, all]) => {
      const alike = (at: number): string => print(entry(at, more));
      const texts = [
        alike(0),
        alike(1),
        alike(2),
        ...changes.flatMap((each, at) => [
          each.reduce((text, change) => change(text), alike(10 + 2 * at)),
          ...(at % 2 === 0 ? [alike(11 + 2 * at)] : []),
        ]),
      ];
      // What is odd in the same place of every entry is part of the template.
      return texts.map((text) =>
        all.reduce((changed, [at, inserted]) => changed.slice(0, at) + inserted + changed.slice(at), text),
      );
    });

// What is read

const DRIVER = `
local READ = { 'cmd', 'database', 'table', 'path', 'layer', 'writer_id', 'size_bytes', 'str_min_time', 'str_max_time', 'str_chunk_time' }
local modules
local function isSame(one, other)
  return one == other or (type(one) == 'table' and type(other) == 'table') or (one ~= one and other ~= other)
end
local function compare(given, text)
  local ok, expected = pcall(cjson.decode, text)
  if not ok or type(expected) ~= 'table' then return given == nil and 'refused' or 'not refused' end
  if given == nil then return 'refused, but sound' end
  for _, field in ipairs(READ) do
    if not isSame(given[field], expected[field]) then return 'differs in ' .. field end
  end
  return 'same'
end
redis.register_function('read_series', function(numbers, texts)
  modules = modules or load()
  cjson.decode_invalid_numbers(numbers[1] == 'any')
  local series = modules.series.newSeries()
  local answers = {}
  for at, text in ipairs(texts) do
    local given = modules.series.decodeNext(series, text)
    local isTemplate = given ~= nil and series.before == nil
    answers[at] = compare(given, text) .. (isTemplate and ' by template' or '')
  end
  return answers
end)
`;

describe("entries that are read in series", () => {
  const server = useServer();
  beforeAll(async () => {
    // compileLibrary takes a folder of functions/.
    const chunk = compileLibrary(new URL("../..", import.meta.url).pathname, "../test/support/series");
    await server.client.sendCommand([
      "FUNCTION",
      "LOAD",
      "REPLACE",
      `#!lua name=read_series\nlocal require\nlocal function load(...)\n${HOT}\n${chunk.trim()}\nend\n${DRIVER}`,
    ]);
  });
  /** @param numbers which of them cjson takes: any that C can read, as it does unless told otherwise, or those of JSON */
  const read = async (texts: readonly string[], numbers: "any" | "strict" = "any"): Promise<string[]> =>
    await server.client.sendCommand<string[]>(["FCALL", "read_series", "1", numbers, ...texts.map(bytes)]);

  it.each(["any", "strict"] as const)(
    "are what cjson makes of each, with %s numbers",
    async (numbers) => {
      let byTemplate = 0;
      await fc.assert(
        fc.asyncProperty(batchArb(8), async (texts) => {
          const answers = await read(texts, numbers);
          byTemplate += answers.filter((each) => each === "same by template").length;
          for (const each of answers) expect(each).toMatch(/^(same( by template)?|refused)$/);
        }),
        { numRuns: 3000 * RUNS },
      );
      expect(byTemplate).toBeGreaterThan(0);
    },
    240_000,
  );

  it.each([
    ["Go", asGo],
    ["Python", asPython],
  ])("are read by a template from the third on, as %s prints them", async (_, print) => {
    const answers = await read(Array.from({ length: 300 }, (_, at) => print(entry(at, { min: { a: 1 } }))));
    expect(answers.slice(0, 2)).toEqual(["same", "same"]);
    expect(answers.filter((each) => each === "same by template").length).toBeGreaterThan(290);
  });

  it("are told by their fields, not by text that looks like one", async () => {
    const looksLikeOne = (at: number, digit: number): string =>
      asGo({ ...entry(at), ":": at, ",": at, writer_id: `:${digit},`, cmd: `:${digit}` });
    const answers = await read([
      looksLikeOne(1, 5),
      looksLikeOne(2, 5),
      looksLikeOne(3, 5),
      looksLikeOne(4, 6),
      looksLikeOne(5, 5),
    ]);
    expect(answers).toEqual(["same", "same", "same by template", "same", "same by template"]);
  });

  it("are read by another template where they become others", async () => {
    const ofWriter =
      (writer_id: string) =>
      (at: number): string =>
        asGo(entry(at, { writer_id }));
    const batch = ["a", "b", "c", "d"].flatMap((writer) =>
      Array.from({ length: 100 }, (_, at) => ofWriter(writer)(at)),
    );
    const answers = await read(batch);
    expect(answers.filter((each) => each === "same by template")).toHaveLength(4 * 98);
  });

  it("are read by a template again after many that fit none", async () => {
    const odd = Array.from({ length: 300 }, (_, at) => asGo({ ...entry(at), [`odd${at}`]: at }));
    const answers = await read([...odd, ...Array.from({ length: 300 }, (_, at) => asGo(entry(at)))]);
    expect(answers.slice(300).filter((each) => each === "same by template").length).toBeGreaterThan(150);
  });
});

// What is left

const MERGE = "[[10,100,1]]";
const LAYERS = JSON.stringify({ l: { ttl_sec: 0 }, cold: { ttl_sec: 100, layer_to: "l" } });

/** A time (s), unless it is that of the clock. */
const unlessNow = (seconds: number): number | "now" => (Math.abs(seconds - Date.now() / 1000) < 600 ? "now" : seconds);

/** A plan as it stands in its list, but for its id. */
const planOf = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "id")
    .replace(/(?<="time_s":)\d+/, (seconds) => String(unlessNow(Number(seconds))));

/** Everything that is stored, but for ids, how many calls made some, and the time. */
async function stored({ client }: TestMetadata): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {};
  for (const key of (await client.keys("*")).sort()) {
    const kind = await client.type(key);
    if (kind === "hash") content[key] = { ...(await client.hGetAll(key)), ids: undefined };
    else if (kind === "string" || kind === "set") content[key] = kind;
    else if (kind === "list") content[key] = (await client.lRange(key, 0, -1)).map(planOf);
    else
      content[key] = (await client.zRangeWithScores(key, 0, -1)).map(({ value, score }) => ({
        value,
        score: unlessNow(score),
      }));
  }
  return content;
}

describe("a batch of entries that are alike", () => {
  const together = useMetadata();
  const oneByOne = useMetadata();
  // In the form of GigAPI's clients, which takes any text for an entry.
  const patch = async ({ client }: TestMetadata, texts: readonly string[]): Promise<string | undefined> => {
    const reply = client.sendCommand(["FCALL", "patch_index", "2", MERGE, LAYERS, ...texts.map(bytes)]);
    return reply.then(
      () => undefined,
      (error: Error) => error.message,
    );
  };

  it("leaves what its entries leave one by one, and is refused for what one of them is", async () => {
    await fc.assert(
      fc.asyncProperty(batchArb(2), async (texts) => {
        for (const side of [together, oneByOne]) await side.server.flush();
        const refusal = await patch(together, texts);
        let expected: string | undefined;
        for (const [at, text] of texts.entries()) {
          expected ??= (await patch(oneByOne, [text]))?.replace("entry 0:", `entry ${at}:`);
        }
        expect(refusal).toBe(expected);
        expect(await stored(together)).toEqual(expected === undefined ? await stored(oneByOne) : {});
      }),
      { numRuns: 600 * RUNS },
    );
  }, 240_000);
});

describe("calls that are alike", () => {
  const warm = useMetadata();
  /** Its library is loaded anew before each call: it knows nothing of the one before. */
  const cold = useMetadata();

  const fileArb = fc.record({
    name: fc.integer({ min: 0, max: 60 }),
    folder: fc.constantFrom("day/1", "day/1", "day/1", "day/1", "day/2"),
    iteration: fc.constantFrom(1, 1, 1, 1, 1, 2),
    layer: fc.constantFrom("l", "l", "l", "l", "cold"),
    writer_id: fc.constantFrom("a", "a", "a", "b"),
    size: fc.constantFrom(1, 30, 60),
    time: fc.oneof(
      { arbitrary: fc.constantFrom(ns(NOON), ns(NOON, 9), ns(NOON, 20)), weight: 9 },
      { arbitrary: fc.constantFrom("0", "-1", "", "x"), weight: 1 },
    ),
    cmd: fc.oneof(
      { arbitrary: fc.constant("ADD" as const), weight: 9 },
      { arbitrary: fc.constant("DELETE" as const), weight: 1 },
    ),
  });
  const flushArb = fc.array(fileArb, { minLength: 1, maxLength: 3 }).map((files) => [
    "FCALL",
    "patch_index",
    "2",
    MERGE,
    LAYERS,
    ...files.map(({ name, folder, iteration, layer, writer_id, size, time, cmd }) =>
      asGo(
        entry(name, {
          path: `${folder}/${name}.${iteration}.parquet`,
          ...{ layer, writer_id, size_bytes: size, str_max_time: time, cmd },
        }),
      ),
    ),
  ]);
  /** What clients without the functions do meanwhile. */
  const foreignArb = fc.constantFrom(
    ["HINCRBY", "folders:d:t", "day/1", "1"],
    ["HSET", "folders:d:t", "day/1", "many"],
    ["DEL", "folders:d:t"],
    ["DEL", "files:d:t:day"],
    ["SET", "files:d:t:day", "foreign"],
    ["HSET", "files:d:t:day", "day/1/7.1.parquet", "{}"],
    ["DEL", "merge:d:t:1:day/1:l:a:idle"],
    ["RPUSH", "merge:d:t:1:day/1:l:a:idle", '{ "id": "x", "time_s": 1, "size": 1, "paths": ["a.parquet"] }'],
    ["SADD", "S:METADATA.GONE::a::", "b"],
    ["FLUSHALL"],
  );
  const sent = async ({ client }: TestMetadata, command: readonly string[]): Promise<unknown> =>
    client.sendCommand(command.map(bytes)).catch((error: Error) => error.message);

  it("leave what calls leave that know nothing of one another", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ arbitrary: flushArb, weight: 12 }, { arbitrary: foreignArb, weight: 1 }), {
          maxLength: 25,
        }),
        async (commands) => {
          for (const side of [warm, cold]) {
            await side.server.flush();
            await loadLibrary(side.client, "metadata");
          }
          for (const command of commands) {
            await loadLibrary(cold.client, "metadata");
            expect(await sent(warm, command)).toEqual(await sent(cold, command));
          }
          expect(await stored(warm)).toEqual(await stored(cold));
        },
      ),
      { numRuns: 25 * RUNS },
    );
  }, 240_000);
});
