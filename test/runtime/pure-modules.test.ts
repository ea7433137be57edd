/*
 * Names, addresses and windows: the same table of cases in Node and, compiled to Lua, inside a server. Text is bytes in
 * both, one character a byte.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as match from "../../functions/metadata/match";
import * as nanoseconds from "../../functions/metadata/nanoseconds";
import * as price from "../../functions/catalog/price";
import * as keys from "../../functions/runtime/keys";
import * as utf8 from "../../functions/runtime/utf8";
import * as url from "../../functions/tracker/url";
import * as windows from "../../functions/tracker/windows";
import { toBytes } from "../../scripts/lua-globals";
import { HOT } from "../../scripts/build/assemble";
import { compileLibrary } from "../../scripts/build/compile";
import { useServer } from "../support/server";
import { DAY, HOUR, MINUTE, NOON } from "../support/tracker";

const server = useServer();

type Value = string | number | boolean | undefined | Value[] | { [name: string]: Value };

/** A function of the modules with its arguments. */
interface Call {
  name: string;
  args: Value[];
}

interface Case extends Call {
  /** What the function answers; several values where it has several results. */
  expected: Value;
}

const MODULES = { keys, match, nanoseconds, price, url, utf8, windows } as unknown as Record<
  string,
  Record<string, (...args: Value[]) => Value>
>;

/** Functions with several results: an array in Node. */
const SEVERAL = new Set(["url.parseAddress"]);

/**
 * `pure_call <json>` makes a list of calls, `[[module, function, argument …] …]`, and answers the results of each. Text
 * travels as hex, because JSON holds no bytes.
 */
const DRIVER = `
local function unhex(hex) return (string.gsub(hex, '%x%x', function(pair) return string.char(tonumber(pair, 16)) end)) end
local function tohex(text) return (string.gsub(text, '.', function(c) return string.format('%02x', string.byte(c)) end)) end
local decode
function decode(sent)
  if sent.text then return unhex(sent.text) end
  if sent.number then return tonumber(sent.number) end
  if sent.list then
    local items = {}
    for at, each in ipairs(sent.list) do items[at] = decode(each) end
    return items
  end
  local fields = {}
  for name, value in pairs(sent.fields) do fields[name] = decode(value) end
  return fields
end
local encode
local function encodeAll(values, count)
  local items = {}
  for at = 1, count do items[at] = encode(values[at]) end
  return '[' .. table.concat(items, ',') .. ']'
end
function encode(value)
  local kind = type(value)
  if kind == 'nil' then return '{"nil":true}' end
  if kind == 'string' then return '{"text":"' .. tohex(value) .. '"}' end
  if kind == 'boolean' then return '{"boolean":' .. tostring(value) .. '}' end
  if kind == 'number' then return '{"number":"' .. string.format('%.17g', value) .. '"}' end
  if #value > 0 or next(value) == nil then return '{"list":' .. encodeAll(value, #value) .. '}' end
  local fields = {}
  for name, each in pairs(value) do fields[#fields + 1] = '"' .. name .. '":' .. encode(each) end
  return '{"fields":{' .. table.concat(fields, ',') .. '}}'
end
local function results(...) return encodeAll({ ... }, select('#', ...)) end
local modules
redis.register_function('pure_call', function(_, args)
  modules = modules or load()
  local answers = {}
  for at, each in ipairs(cjson.decode(args[1])) do
    local given = {}
    for position, sent in ipairs(each.args) do given[position] = decode(sent) end
    answers[at] = results(modules[each.module][each.name](unpack(given)))
  end
  return '[' .. table.concat(answers, ',') .. ']'
end)
`;

interface Sent {
  text?: string;
  number?: string;
  boolean?: boolean;
  list?: Sent[];
  fields?: Record<string, Sent>;
}

function encode(value: Value): Sent {
  if (typeof value === "string") return { text: Buffer.from(value, "latin1").toString("hex") };
  if (typeof value === "number") return { number: String(value) };
  if (Array.isArray(value)) return { list: value.map((each) => encode(each)) };
  return {
    fields: Object.fromEntries(Object.entries(value as object).map(([name, each]) => [name, encode(each as Value)])),
  };
}

function decode(sent: Sent): Value {
  if (sent.text !== undefined) return Buffer.from(sent.text, "hex").toString("latin1");
  if (sent.number !== undefined) return Number(sent.number);
  if (sent.list) return sent.list.map((each) => decode(each));
  if (sent.fields) return Object.fromEntries(Object.entries(sent.fields).map(([name, each]) => [name, decode(each)]));
  return sent.boolean;
}

async function inLua(calls: Call[]): Promise<Value[]> {
  const request = calls.map(({ name, args }) => {
    const [module, functionName] = name.split(".");
    return { module, name: functionName, args: args.map(encode) };
  });
  const reply = await server.client.sendCommand(["FCALL", "pure_call", "0", JSON.stringify(request)]);
  return (JSON.parse(String(reply)) as Sent[][]).map((results, at) => {
    const decoded = results.map((each) => decode(each));
    return SEVERAL.has(calls[at]!.name) ? decoded : decoded[0];
  });
}

function inNode({ name, args }: Call): Value {
  const [module, functionName] = name.split(".") as [string, string];
  return MODULES[module]![functionName]!(...args);
}

beforeAll(async () => {
  // compileLibrary takes a folder of functions/.
  const chunk = compileLibrary(new URL("../..", import.meta.url).pathname, "../test/support/pure");
  const code = `#!lua name=pure_modules\nlocal require\nlocal function load(...)\n${HOT}\n${chunk.trim()}\nend\n${DRIVER}`;
  await server.client.sendCommand(["FUNCTION", "LOAD", "REPLACE", code]);
});

/** Runs a table in both worlds, a test for each row. */
function table(title: string, cases: Case[]): void {
  describe(title, () => {
    let fromLua: Value[];
    beforeAll(async () => {
      fromLua = await inLua(cases);
    });
    it.each(cases.map((each, at) => [shorten(each), each, at] as const))("%s", (_, each, at) => {
      expect(inNode(each), "in Node").toEqual(each.expected);
      expect(fromLua[at], "in Lua").toEqual(each.expected);
    });
  });
}

function shorten({ name, args }: Case): string {
  const shown = JSON.stringify(args);
  return `${name} ${shown.length > 100 ? `${shown.slice(0, 90)}… (${shown.length})` : shown}`;
}

const cases = (name: string, rows: [args: Value[], expected: Value][]): Case[] =>
  rows.map(([args, expected]) => ({ name, args, expected }));

// Names

const ID = "a9993e364706816aba3e25717850c26c9cd0d89d";

table("names", [
  ...cases("keys.key", [
    [["J", "", "P", "001", "", ""], "J::P:001::"],
    [["TS", "5MINUTES", "S", "001", "", "UD"], "TS:5MINUTES:S:001::UD"],
    [["ST", "TRACKER", "", "", "", ""], "ST:TRACKER::::"],
    [["ST", "REJECTED", "", "", "", ""], "ST:REJECTED::::"],
    [["ST", "ENRICH", "P", "", "", ""], "ST:ENRICH:P:::"],
    [["I", "", "W", "", "", ""], "I::W:::"],
    [["HLL", "1MINUTE", "PC", ID, "1700000040000", "UD"], `HLL:1MINUTE:PC:${ID}:1700000040000:UD`],
  ]),
  ...cases("keys.family", [[["HLL", "1MINUTE", "P"], "HLL:1MINUTE:P:"]]),
  ...cases("keys.suffix", [
    [["1700000040000", "UD"], ":1700000040000:UD"],
    [["", ""], "::"],
  ]),
  ...cases("keys.member", [[["HLL:1MINUTE:P:", ID, ":1700000040000:UD"], `HLL:1MINUTE:P:${ID}:1700000040000:UD`]]),
  ...cases("keys.hashTag", [
    [["{user1000}.following"], "{user1000}"],
    [["H:TRACKER::{rtl}::"], "{rtl}"],
    [["foo{}{bar}"], ""],
    [["foo{{bar}}zap"], "{{bar}"],
    [["foo{bar}{zap}"], "{bar}"],
    [["foo}bar{zap}"], "{zap}"],
    [["no tag"], ""],
    [["{open"], ""],
    [["closed}"], ""],
    [[""], ""],
    [[toBytes("{lëtzebuerg}")], toBytes("{lëtzebuerg}")],
    [[`{${"x".repeat(100_000)}}y`], `{${"x".repeat(100_000)}}`],
  ]),
]);

describe("names in a partition", () => {
  const calls: Call[] = [
    { name: "keys.usePartition", args: ["{rtl}"] },
    { name: "keys.key", args: ["H", "DOCUMENT", "P", ID, "", ""] },
    { name: "keys.member", args: ["HLL:1MINUTE:P:", ID, ":60000:UD"] },
    { name: "keys.key", args: ["H", "TRACKER", "", "", "", ""] },
    { name: "keys.usePartition", args: [""] },
    { name: "keys.key", args: ["H", "TRACKER", "", "", "", ""] },
  ];

  it("have its braces before the id, in both worlds, until there is another partition", async () => {
    const expected = [
      undefined,
      `H:DOCUMENT:P:{rtl}${ID}::`,
      `HLL:1MINUTE:P:{rtl}${ID}:60000:UD`,
      "H:TRACKER::{rtl}::",
      undefined,
      "H:TRACKER::::",
    ];
    expect(calls.map(inNode)).toEqual(expected);
    expect(await inLua(calls)).toEqual(expected);
  });

  it("come apart into what they were made of", () => {
    const field = fc
      .string({ maxLength: 12 })
      .map(toBytes)
      .map((text) => text.replaceAll(/[:{}]/g, ""));
    const id = fc.constantFrom("", ID, "00");
    const tag = fc.constantFrom("", "{rtl}", "{a b}");
    fc.assert(
      fc.property(
        fc.constantFrom("H", "SS", "HLL"),
        field,
        field,
        tag,
        id,
        field,
        field,
        (type, name, dimension, partition, recordId, timestamp, metric) => {
          keys.usePartition(partition);
          const whole = keys.key(type, name, dimension, recordId, timestamp, metric);
          const put = keys.member(keys.family(type, name, dimension), recordId, keys.suffix(timestamp, metric));
          keys.usePartition("");
          expect(put).toBe(whole);
          expect(whole.split(":")).toEqual([type, name, dimension, partition + recordId, timestamp, metric]);
        },
      ),
    );
  });
});

// Addresses

/** Host, port and path; no host where the address is refused. */
const ADDRESSES: [address: string, host?: string, port?: string, path?: string][] = [
  // The examples of the contract.
  ["http://www.rtl.lu/meenung/carte-blanche/a/1874304.html", "www.rtl.lu", "", "/meenung/carte-blanche/a/1874304.html"],
  ["https://www.rtl.lu/1972529.html", "www.rtl.lu", "", "/1972529.html"],
  // User name, password, query, fragment, default port, no path, repeated slashes.
  ["https://user:pass@www.rtl.lu/a", "www.rtl.lu", "", "/a"],
  ["https://user@www.rtl.lu", "www.rtl.lu", "", "/"],
  ["https://@www.rtl.lu/", "www.rtl.lu", "", "/"],
  ["https://a@b@www.rtl.lu/c@d", "www.rtl.lu", "", "/c@d"],
  ["https://user:8080@www.rtl.lu:81/", "www.rtl.lu", ":81", "/"],
  ["https://www.rtl.lu?x=1", "www.rtl.lu", "", "/"],
  ["https://www.rtl.lu#top", "www.rtl.lu", "", "/"],
  ["https://www.rtl.lu/a?u=http://b/c//d#e?f", "www.rtl.lu", "", "/a"],
  ["https://www.rtl.lu/a#b?c", "www.rtl.lu", "", "/a"],
  ["https://www.rtl.lu/?@x", "www.rtl.lu", "", "/"],
  ["https://www.rtl.lu?user@x/", "www.rtl.lu", "", "/"],
  ["HTTPS://WWW.RTL.LU/News/A.HTML", "www.rtl.lu", "", "/News/A.HTML"],
  ["http://www.rtl.lu//a///b//", "www.rtl.lu", "", "/a/b/"],
  ["http://www.rtl.lu//", "www.rtl.lu", "", "/"],
  ["http://www.rtl.lu/a/", "www.rtl.lu", "", "/a/"],
  ["http://www.rtl.lu/a;b=1/c,d", "www.rtl.lu", "", "/a;b=1/c,d"],
  ["http://www.rtl.lu/a b", "www.rtl.lu", "", "/a b"],
  ["http://www.rtl.lu/%2F%41%zz", "www.rtl.lu", "", "/%2F%41%zz"],
  ["http://www.rtl.lu/../a/./b", "www.rtl.lu", "", "/../a/./b"],
  // Ports.
  ["http://h:80/", "h", "", "/"],
  ["https://h:443/", "h", "", "/"],
  ["HTTP://h:80", "h", "", "/"],
  ["http://h:443/", "h", ":443", "/"],
  ["https://h:80/", "h", ":80", "/"],
  ["http://h:8080/x", "h", ":8080", "/x"],
  ["http://h:0080/", "h", "", "/"],
  ["http://h:00008080/", "h", ":8080", "/"],
  ["http://h:65535/", "h", ":65535", "/"],
  ["http://h:/x", "h", "", "/x"],
  ["http://h:65536/"],
  ["http://h:99999999999999999999/"],
  ["http://h:-1/"],
  ["http://h:8x/"],
  ["http://h:80:81/"],
  ["http://h: 80/"],
  // IPv4 and IPv6.
  ["http://192.0.2.7:8080/a", "192.0.2.7", ":8080", "/a"],
  ["http://[2001:DB8::1]/a", "[2001:db8::1]", "", "/a"],
  ["http://[2001:db8::1]:80/", "[2001:db8::1]", "", "/"],
  ["https://user@[::ffff:192.0.2.1]:8443", "[::ffff:192.0.2.1]", ":8443", "/"],
  ["http://[::1"],
  ["http://[]/"],
  ["http://[::1]x/"],
  ["http://[::1]8080/"],
  ["http://[fe80::1%25eth0]/"],
  ["http://x[::1]/y:z@w", undefined],
  // Hosts that are odd, and those that are none.
  ["http://localhost/", "localhost", "", "/"],
  ["http://a_b-c.example/", "a_b-c.example", "", "/"],
  [toBytes("http://bücher.ÉXAMPLE/ä"), toBytes("bücher.Éxample"), "", toBytes("/ä")],
  ["http://xn--bcher-kva.example/", "xn--bcher-kva.example", "", "/"],
  ["http://a b/"],
  ["http://a\tb/"],
  ["http://a\0b/"],
  ["http://a\\b/"],
  ["http://<a>/"],
  ["http://a|b/"],
  ["http:///a"],
  ["http://"],
  ["http://?x"],
  ["http://user@/a"],
  ["http://:80/a"],
  // What is no absolute http(s) address.
  ["/meenung/a.html"],
  ["//www.rtl.lu/a"],
  ["www.rtl.lu/a"],
  ["ftp://www.rtl.lu/a"],
  ["httpx://www.rtl.lu/a"],
  ["http:/www.rtl.lu/a"],
  ["http:www.rtl.lu"],
  [" http://www.rtl.lu/"],
  ["javascript:alert(1)//http://x/"],
  ["about:blank"],
  [""],
  ["null"],
  // Bytes that are no text, and much of everything.
  ["http://www.rtl.lu/\xff\xfe", "www.rtl.lu", "", "/\xff\xfe"],
  ["http://www.rtl.lu/a\0b", "www.rtl.lu", "", "/a\0b"],
  [`http://${"h".repeat(100_000)}/`, "h".repeat(100_000), "", "/"],
  [`http://h${"/".repeat(100_000)}a`, "h", "", "/a"],
  [`http://${"u@".repeat(50_000)}h/`, "h", "", "/"],
  [`http://h/${"a/".repeat(50_000)}`, "h", "", `/${"a/".repeat(50_000)}`],
  [`${"x".repeat(100_000)}://h/`],
];

table("addresses", [
  ...ADDRESSES.map(([address, host, port = "", path = ""]) => ({
    name: "url.parseAddress",
    args: [address],
    expected: [host, port, path],
  })),
  ...cases("url.bareHost", [
    [["www.rtl.lu"], "rtl.lu"],
    [["www.www.rtl.lu"], "www.rtl.lu"],
    [["www2.rtl.lu"], "www2.rtl.lu"],
    [["wwwrtl.lu"], "wwwrtl.lu"],
    [["rtl.www.lu"], "rtl.www.lu"],
    [["www."], "www."],
    [["www"], "www"],
    [["rtl.lu"], "rtl.lu"],
  ]),
]);

table("sections and articles", [
  ...cases("url.sectionName", [
    [["/meenung/carte-blanche/a/1874304.html"], "meenung/carte-blanche"],
    [["/news"], "/"],
    [["/news/"], "news"],
    [["/news/national"], "news"],
    [["/news/national/"], "news/national"],
    [["/news/national/x"], "news/national"],
    [["/news/national/x/y/z"], "news/national"],
    [["/1972529.html"], "/"],
    [["/"], "/"],
    // Decoded after splitting: a slash that was escaped is part of its directory.
    [["/a%2Fb/c/d"], "a/b/c"],
    [["/News/x"], "News"],
    [["/a+b/c%20d/e"], "a+b/c d"],
    [["/caf%C3%A9/x"], toBytes("café")],
    [[toBytes("/café/x")], toBytes("café")],
    [["/%F0%9F%98%80/%zz/x"], toBytes("😀/%zz")],
    [[`/${"a".repeat(100_000)}/b`], "a".repeat(100_000)],
  ]),
  ...cases("url.directories", [
    [["/", 4], []],
    [["/a", 4], []],
    [["/a/", 4], ["a"]],
    [
      ["/a/b/c/d/e/f", 4],
      ["a", "b", "c", "d"],
    ],
    [
      ["/a/b/c/d/e/f", 2],
      ["a", "b"],
    ],
    [["/%41/%42/x", 1], ["A"]],
    [["/%41/%42/x", 0], []],
  ]),
  ...cases("url.articleId", [
    [["/meenung/carte-blanche/a/1874304.html"], "1874304"],
    [["/1972529.html"], "1972529"],
    [["/1972529"], "1972529"],
    [["/a/5."], "5"],
    [["/a/5.tar.gz"], "5"],
    [["/a/007.html"], "007"],
    [["/1/2.html/3"], "3"],
    [["/"], ""],
    [["/a/"], ""],
    [["/123/"], ""],
    [["/123.html/"], ""],
    [["/12.html/x"], ""],
    [["/12a.html"], ""],
    [["/a12.html"], ""],
    [["/-12.html"], ""],
    [["/.html"], ""],
    [["/.12"], ""],
    [[toBytes("/１２.html")], ""],
    [[`/${"9".repeat(100_000)}.html`], "9".repeat(100_000)],
    [[`/${"9".repeat(100_000)}x`], ""],
  ]),
]);

table("percent escapes", [
  ...cases("url.percentDecode", [
    [["plain"], "plain"],
    [[""], ""],
    [["%41"], "A"],
    [["%4a%4A"], "JJ"],
    [["a%20b+c"], "a b+c"],
    [["%00"], "\0"],
    [["%C3%A9"], toBytes("é")],
    [["%e2%82%ac"], toBytes("€")],
    [["%F0%9F%98%80"], toBytes("😀")],
    [["%F4%8F%BF%BF"], toBytes("\u{10ffff}")],
    [["%E0%A0%80"], toBytes("\u0800")],
    [["%ED%9F%BF"], toBytes("\ud7ff")],
    // Once only.
    [["%2541"], "%41"],
    [["%25zz"], "%zz"],
    // A bad escape is left as it is, and does not spoil a good one.
    [["%"], "%"],
    [["%4"], "%4"],
    [["100%"], "100%"],
    [["%zz"], "%zz"],
    [["%%41"], "%A"],
    [["%zz%41"], "%zzA"],
    [["%4%41"], "%4A"],
    // What would not be UTF-8: a lone byte, an overlong form, a surrogate, beyond U+10FFFF, a sequence cut short.
    [["%ff"], "%ff"],
    [["%80"], "%80"],
    [["%C3"], "%C3"],
    [["%C3x"], "%C3x"],
    [["%C0%AF"], "%C0%AF"],
    [["%C1%81"], "%C1%81"],
    [["%E0%80%80"], "%E0%80%80"],
    [["%ED%A0%80"], "%ED%A0%80"],
    [["%F0%80%80%80"], "%F0%80%80%80"],
    [["%F4%90%80%80"], "%F4%90%80%80"],
    [["%F5%80%80%80"], "%F5%80%80%80"],
    [["%E2%82"], "%E2%82"],
    [["%F0%9F%98"], "%F0%9F%98"],
    [["%41%ff"], "A%ff"],
    [["%C3%A9%ff%20"], toBytes("é%ff ")],
    // A character half raw and half escaped is one all the same.
    [["\xc3%A9"], toBytes("é")],
    [["%41".repeat(50_000)], "A".repeat(50_000)],
    [["%".repeat(100_000)], "%".repeat(100_000)],
  ]),
  ...["", "plain", toBytes("é€😀"), toBytes("\u{10ffff}"), "\0", "\x7f"].map((text) => ({
    name: "utf8.isUtf8",
    args: [text],
    expected: true,
  })),
  ...[
    "\xff",
    "\x80",
    "\xc3",
    "\xc3(",
    "\xc0\xaf",
    "\xe0\x80\x80",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xe2\x82",
    "a\xf0\x9f\x98",
    "\xf8\x88\x80\x80\x80",
  ].map((text) => ({ name: "utf8.isUtf8", args: [text], expected: false })),
]);

describe("addresses at random", () => {
  const fragment = fc.oneof(
    fc.constantFrom(
      "http",
      "https",
      "://",
      "/",
      "//",
      ":",
      "@",
      "?",
      "#",
      "%",
      "%4",
      "%41",
      "%C3%A9",
      "%ff",
      "[::1]",
      "www.",
      "rtl.lu",
      ".html",
      "80",
      "443",
      "123",
      ".",
      "\\",
      "\xff",
      "\0",
    ),
    fc.string({ maxLength: 4 }).map(toBytes),
  );
  const address = fc.oneof(
    fc.array(fragment, { maxLength: 12 }).map((found) => found.join("")),
    fc.array(fragment, { maxLength: 10 }).map((found) => `http://${found.join("")}`),
    fc.array(fragment, { maxLength: 8 }).map((found) => `https://h/${found.join("")}`),
  );

  it("are taken apart alike in Node and in Lua", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(address, { minLength: 100, maxLength: 100 }), async (addresses) => {
        const calls = addresses.flatMap((each) => {
          const path = `/${each}`;
          return [
            { name: "url.parseAddress", args: [each] },
            { name: "url.sectionName", args: [path] },
            { name: "url.articleId", args: [path] },
            { name: "url.percentDecode", args: [each] },
            { name: "utf8.isUtf8", args: [each] },
            { name: "keys.hashTag", args: [each] },
          ];
        });
        expect(await inLua(calls)).toEqual(calls.map(inNode));
      }),
      { numRuns: 20 },
    );
  });

  it("whatever they were, their path begins with one slash and their sections are UTF-8 where they came as UTF-8", () => {
    fc.assert(
      fc.property(address, (each) => {
        const [host, port, path] = url.parseAddress(each) as unknown as [string | undefined, string, string];
        if (host === undefined) return;
        expect(host).toBe(host.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()));
        expect(port).toMatch(/^(:\d{1,5})?$/);
        expect(path).toMatch(/^\//);
        expect(path).not.toMatch(/\/\/|[?#]/);
        expect(url.parseAddress(`http://${host}${port}${path}`)).toEqual([host, port === ":80" ? "" : port, path]);
        if (utf8.isUtf8(path)) expect(utf8.isUtf8(url.sectionName(path))).toBe(true);
      }),
    );
  });

  it("isUtf8 agrees with the decoder of Node", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const decodes = (bytes: Uint8Array): boolean => {
      try {
        decoder.decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc
        .array(
          fc.constantFrom(
            0x00,
            0x41,
            0x7f,
            0x80,
            0x8f,
            0x90,
            0x9f,
            0xa0,
            0xbf,
            0xc0,
            0xc1,
            0xc2,
            0xdf,
            0xe0,
            0xe1,
            0xec,
            0xed,
            0xee,
            0xef,
            0xf0,
            0xf1,
            0xf3,
            0xf4,
            0xf5,
            0xff,
          ),
          { maxLength: 6 },
        )
        .map((found) => Uint8Array.from(found)),
    );
    fc.assert(
      fc.property(bytes, (found) => {
        expect(utf8.isUtf8(Buffer.from(found).toString("latin1"))).toBe(decodes(found));
      }),
      { numRuns: 2000 },
    );
  });
});

// Windows

/** The tiers as the contract has them. */
const TIERS = [
  { name: "1MINUTE", lengthMs: MINUTE, keepMs: 60 * MINUTE },
  { name: "5MINUTES", lengthMs: 5 * MINUTE, keepMs: 30 * MINUTE },
  { name: "10MINUTES", lengthMs: 10 * MINUTE, keepMs: 60 * MINUTE },
  { name: "1HOUR", lengthMs: HOUR, keepMs: 24 * HOUR },
  { name: "3HOURS", lengthMs: 3 * HOUR, keepMs: 7 * DAY },
];

const NOW = NOON + 37 * MINUTE + 12_345;

type Cover = { fromMs: number; toMs: number; windows: { tier: number; startMs: number }[] };

/** A cover written as tier and start in minutes after noon. */
function covering(fromMs: number, toMs: number, ...found: [tier: number, minutes: number][]): Value {
  return { fromMs, toMs, windows: found.map(([tier, minutes]) => ({ tier, startMs: NOON + minutes * MINUTE })) };
}

/** A cover knows the clock that it was made by, which is the last argument. */
function byClock(rows: [args: Value[], cover: Value][]): [args: Value[], cover: Value][] {
  return rows.map(([args, cover]) => [args, cover === undefined ? cover : { ...(cover as Cover), nowMs: args[2] }]);
}

const at = (minutes: number, ms = 0): number => NOON + minutes * MINUTE + ms;

table("prices", [
  ...cases("price.parsePrice", [
    [["3.98"], "3.98"],
    [["$3.98"], "3.98"],
    [["$ 1,299.00"], "1299.00"],
    [["1,299.00 $"], "1299.00"],
    [[toBytes("1.299,00 €")], "1299.00"],
    [[toBytes("1.299.000 €")], "1299000"],
    [["12,345,678.9"], "12345678.9"],
    [["3,9"], "3.9"],
    [["3,98"], "3.98"],
    // Three digits after a comma are thousands, after a point decimals.
    [["3,980"], "3980"],
    [["3.980"], "3.980"],
    [["0.5"], "0.5"],
    [["0"], "0"],
    [["000"], "0"],
    [["0012.50"], "12.50"],
    [["12.00 USD"], "12.00"],
    [["US$12"], "12"],
    [["999999999999.99"], "999999999999.99"],
    [["123456789012345"], "123456789012345"],
    [["1234567890123456"], undefined],
    [["1234567890123.456"], undefined],
    [[""], undefined],
    [["$"], undefined],
    [["free"], undefined],
    [["from $5.00"], undefined],
    [["-5.00"], undefined],
    [["+5"], undefined],
    [["5.00-9.00"], undefined],
    [["2 for 5"], undefined],
    [["50%"], undefined],
    [["(3.98)"], undefined],
    [["3."], undefined],
    [["3,"], undefined],
    [[".5"], undefined],
    [["1,2345"], undefined],
    [["1234,567"], undefined],
    [["1,23,456"], undefined],
    [["1.2.3"], undefined],
    [["1.234,567.8"], undefined],
    [["1,234.567,8"], undefined],
    [["1e5"], undefined],
    [["nan"], undefined],
    [["5\n"], "5"],
  ]),
]);

it("prices at random are read alike in Node and in Lua, and what is read is a price of the same amount", async () => {
  const printed = fc
    .array(fc.constantFrom("0", "1", "9", "000", "299", ".", ",", "$", " ", "€", "USD", "-", "x", "%"), {
      maxLength: 8,
    })
    .map((parts) => toBytes(parts.join("")));
  await fc.assert(
    fc.asyncProperty(fc.array(printed, { minLength: 100, maxLength: 100 }), async (all) => {
      const calls = all.map((each) => ({ name: "price.parsePrice", args: [each] }));
      expect(await inLua(calls)).toEqual(calls.map(inNode));
      for (const each of all) {
        const found = price.parsePrice(each);
        if (found === undefined) continue;
        expect(found).toMatch(/^(0|[1-9]\d*)(\.\d+)?$/);
        expect(price.parsePrice(found)).toBe(found);
      }
    }),
    { numRuns: 10 },
  );
});

table("windows", [
  ...cases("windows.windowStart", [
    [[MINUTE, NOON], NOON],
    [[MINUTE, NOON - 1], NOON - MINUTE],
    [[MINUTE, NOON + 59_999], NOON],
    [[3 * HOUR, NOON + 3 * HOUR - 1], NOON],
    [[3 * HOUR, 0], 0],
    [[3 * HOUR, 99_999_999_999_999], 99_999_997_200_000],
  ]),
  ...cases("windows.tierIndex", [
    ...TIERS.map(({ name }, index): [Value[], Value] => [[name], index]),
    [["1minute"], -1],
    [["2HOURS"], -1],
    [[""], -1],
  ]),
  ...cases("windows.remainingMs", [
    [[TIERS[0]!, NOON, NOON], 61 * MINUTE],
    [[TIERS[0]!, NOON, at(61) - 1], 1],
    [[TIERS[0]!, NOON, at(61)], 0],
    [[TIERS[4]!, NOON, NOON + 3 * HOUR + 7 * DAY + 5], -5],
  ]),
  ...cases(
    "windows.cover",
    byClock([
      // Whole minutes of the last hour, the coarsest that fit.
      [[at(0), at(3), NOW], covering(at(0), at(3), [0, 0], [0, 1], [0, 2])],
      [[at(3), at(21), NOW], covering(at(3), at(21), [0, 3], [0, 4], [1, 5], [2, 10], [0, 20])],
      [[at(7), at(8), NOW], covering(at(7), at(8), [0, 7])],
      // Rounded outwards to the minute.
      [[at(7, 1), at(8, 1), NOW], covering(at(7), at(9), [0, 7], [0, 8])],
      [[at(7, 1), at(7, 2), NOW], covering(at(7), at(8), [0, 7])],
      // The last minute that is kept: 11:37 until 12:38 less the clock's 37:12.345; the one before is gone.
      [[at(-23), at(-22), NOW], covering(at(-23), at(-22), [0, -23])],
      [[at(-24), at(-23), NOW], covering(at(-30), at(-20), [2, -30])],
      // Five minutes are gone after 30, minutes and ten minutes are not.
      [[at(-10), at(-5), at(25)], covering(at(-10), at(-5), ...range(-10, -5, 0))],
      [[at(-10), at(-5), at(25) - 1], covering(at(-10), at(-5), [1, -10])],
      // Only hours are kept, then only three hours.
      [[at(-190), at(-130), NOW], covering(at(-240), at(-120), [3, -240], [3, -180])],
      [[at(-5 * 60), at(-4 * 60), NOW], covering(at(-300), at(-240), [3, -300])],
      [[at(-6 * 60), at(-3 * 60), NOW], covering(at(-360), at(-180), [4, -360])],
      [
        [NOON - DAY - 5 * HOUR, NOON - DAY - 4 * HOUR, NOW],
        covering(NOON - DAY - 6 * HOUR, NOON - DAY - 3 * HOUR, [4, -1800]),
      ],
      // Before everything that is kept, cut where it begins; after, nothing.
      [[0, NOON - 7 * DAY + 3 * HOUR, NOW], covering(NOON - 7 * DAY, NOON - 7 * DAY + 3 * HOUR, [4, -7 * 1440])],
      [[0, NOON - 7 * DAY + 1, NOW], covering(NOON - 7 * DAY, NOON - 7 * DAY + 3 * HOUR, [4, -7 * 1440])],
      [[0, NOON - 7 * DAY, NOW], undefined],
      [[0, NOON - 7 * DAY + 1, NOON], covering(NOON - 7 * DAY, NOON - 7 * DAY + 3 * HOUR, [4, -7 * 1440])],
      [[0, NOON - 7 * DAY, NOON - 1], covering(NOON - 7 * DAY - 3 * HOUR, NOON - 7 * DAY, [4, -7 * 1440 - 180])],
      // Events may be five minutes ahead of the clock, and no later.
      [[at(42), at(43), NOW], covering(at(42), at(43), [0, 42])],
      [[at(42), at(50), NOW], covering(at(42), at(43), [0, 42])],
      [[at(43), at(50), NOW], undefined],
      [[at(42), 99_999_999_999_999, NOW], covering(at(42), at(43), [0, 42])],
      // A clock near its beginning.
      [[0, 1, 0], { fromMs: 0, toMs: MINUTE, windows: [{ tier: 0, startMs: 0 }] }],
    ]),
  ),
]);

function range(from: number, to: number, tier: number): [number, number][] {
  return Array.from({ length: to - from }, (_, index) => [tier, from + index]);
}

describe("cover", () => {
  const isKept = (tier: number, startMs: number, nowMs: number): boolean =>
    startMs + TIERS[tier]!.lengthMs + TIERS[tier]!.keepMs > nowMs;
  const floor = (ms: number, lengthMs: number): number => Math.floor(ms / lengthMs) * lengthMs;
  const ceil = (ms: number, lengthMs: number): number => Math.ceil(ms / lengthMs) * lengthMs;

  /** Clocks that are round now and then; questions from long ago to the future, short and long. */
  const question = fc
    .tuple(
      fc.oneof(
        fc.integer({ min: 0, max: 3 * HOUR }),
        fc.integer({ min: 0, max: 180 }).map((minutes) => minutes * MINUTE),
      ),
      fc.oneof(
        fc.integer({ min: -8 * DAY, max: 10 * MINUTE }),
        fc.integer({ min: -90, max: 6 }).map((minutes) => minutes * MINUTE),
        fc.integer({ min: -30 * 60, max: 6 }).map((minutes) => minutes * MINUTE),
      ),
      fc.oneof(
        fc.integer({ min: 1, max: 9 * DAY }),
        fc.integer({ min: 1, max: 90 }).map((minutes) => minutes * MINUTE),
      ),
    )
    .map(([clock, from, length]) => {
      const nowMs = NOON + clock;
      // Half of them round, so that bounds fall on windows.
      const fromMs = from % MINUTE === 0 ? floor(nowMs, MINUTE) + from : nowMs + from;
      return { nowMs, fromMs, toMs: fromMs + length };
    });

  /** The earliest time that is kept at all, and the end of the last minute an event may be in. */
  const bounds = (nowMs: number): [first: number, end: number] => {
    let first = floor(nowMs - 8 * DAY, 3 * HOUR);
    while (!isKept(4, first, nowMs)) first += 3 * HOUR;
    return [first, floor(nowMs + 5 * MINUTE, MINUTE) + MINUTE];
  };

  const check = (
    verify: (found: Cover, asked: { fromMs: number; toMs: number }, nowMs: number) => void,
    numRuns = 500,
  ): void => {
    fc.assert(
      fc.property(question, ({ nowMs, fromMs, toMs }) => {
        const [first, end] = bounds(nowMs);
        const asked = { fromMs: Math.max(fromMs, first), toMs: Math.min(toMs, end) };
        const found = windows.cover(fromMs, toMs, nowMs);
        if (asked.fromMs >= asked.toMs) expect(found).toBeUndefined();
        else verify(found!, asked, nowMs);
      }),
      { numRuns },
    );
  };

  it("is there wherever something is kept, and contains all of that", () => {
    check((found, asked) => {
      expect(found).toBeDefined();
      expect(found.fromMs).toBeLessThanOrEqual(asked.fromMs);
      expect(found.toMs).toBeGreaterThanOrEqual(asked.toMs);
    });
  });

  it("has windows that are aligned, disjoint, consecutive, and make up its bounds", () => {
    check((found) => {
      let atMs = found.fromMs;
      for (const { tier, startMs } of found.windows) {
        expect(startMs % TIERS[tier]!.lengthMs).toBe(0);
        expect(startMs).toBe(atMs);
        atMs = startMs + TIERS[tier]!.lengthMs;
      }
      expect(found.windows.length).toBeGreaterThan(0);
      expect(atMs).toBe(found.toMs);
    });
  });

  it("has only windows that are kept by the clock", () => {
    check((found, _, nowMs) => {
      expect(found.windows.filter(({ tier, startMs }) => !isKept(tier, startMs, nowMs))).toEqual([]);
    });
  });

  it("covers exactly what was asked for, to the minute, where minutes are kept", () => {
    check((found, asked, nowMs) => {
      if (!isKept(0, floor(asked.fromMs, MINUTE), nowMs)) return;
      expect([found.fromMs, found.toMs]).toEqual([floor(asked.fromMs, MINUTE), ceil(asked.toMs, MINUTE)]);
    });
  });

  it("begins with the finest window kept, ends as near as kept windows can, and takes as few of them as can be", () => {
    check((found, asked, nowMs) => {
      const finest = TIERS.findIndex((tier, index) => isKept(index, floor(asked.fromMs, tier.lengthMs), nowMs));
      expect(found.fromMs).toBe(floor(asked.fromMs, TIERS[finest]!.lengthMs));
      // Every end that kept windows reach, with the fewest windows to it.
      const fewest = new Map([[found.fromMs, 0]]);
      for (let atMs = found.fromMs; atMs < asked.toMs; atMs += MINUTE) {
        const count = fewest.get(atMs);
        if (count === undefined) continue;
        TIERS.forEach(({ lengthMs }, tier) => {
          const endMs = atMs + lengthMs;
          if (atMs % lengthMs === 0 && isKept(tier, atMs, nowMs))
            fewest.set(endMs, Math.min(count + 1, fewest.get(endMs) ?? Infinity));
        });
      }
      const nearest = Math.min(...[...fewest.keys()].filter((endMs) => endMs >= asked.toMs));
      expect(found.toMs).toBe(nearest);
      const isRounded = found.fromMs !== asked.fromMs || found.toMs !== asked.toMs;
      if (!isRounded) expect(found.windows.length).toBe(fewest.get(nearest));
    }, 200);
  });

  it("is the same in Lua", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(question, { minLength: 50, maxLength: 50 }), async (questions) => {
        const calls = questions.map(({ fromMs, toMs, nowMs }) => ({
          name: "windows.cover",
          args: [fromMs, toMs, nowMs],
        }));
        expect(await inLua(calls)).toEqual(calls.map(inNode));
      }),
      { numRuns: 5 },
    );
  });
});

it("the tiers are those of the contract", () => {
  expect(windows.TIERS).toEqual(TIERS);
  expect(windows.MADE_TIERS).toEqual(TIERS.slice(1).map(({ name }) => name));
});

// Times in nanoseconds

const NS = "1700000000000000000";

table("times in nanoseconds", [
  ...cases("nanoseconds.compareNs", [
    [[NS, NS], 0],
    [["1700000000000000001", NS], 1],
    [[NS, "1700000000000000001"], -1],
    // Doubles cannot tell these two apart.
    [["9007199254740993", "9007199254740992"], 1],
    [["999999999999999999", NS], -1],
    [["0", "-1"], 1],
    [["-2", "-1"], -1],
    [["-10", "-9"], -1],
    [["-9", "-10"], 1],
    [["-1", "0"], -1],
    [["9223372036854775807", "-9223372036854775808"], 1],
  ]),
  ...cases("nanoseconds.isNs", [
    [["0"], true],
    [["-1"], true],
    [[NS], true],
    [["9223372036854775807"], true],
    [["9223372036854775808"], false],
    [["-9223372036854775808"], true],
    [["-9223372036854775809"], false],
    [["10000000000000000000"], false],
    [["99999999999999999999999"], false],
    [["-0"], false],
    [["00"], false],
    [["+1"], false],
    [["1.0"], false],
    [["1e9"], false],
    [["-"], false],
    [[" 1"], false],
    [["1\n"], false],
    [[""], false],
  ]),
  ...cases("nanoseconds.earlierNs", [
    [["2", "10"], "2"],
    [["-2", "-10"], "-10"],
  ]),
  ...cases("nanoseconds.laterNs", [
    [["2", "10"], "10"],
    [["-2", "-10"], "-2"],
  ]),
  ...cases("nanoseconds.floorSeconds", [
    [[NS], 1700000000],
    [["1700000000999999999"], 1700000000],
    [["1000000000"], 1],
    [["999999999"], 0],
    [["0"], 0],
    [["-1"], -1],
    [["-1000000000"], -1],
    [["-1000000001"], -2],
    [["9223372036854775807"], 9223372036],
  ]),
]);

// Patterns for MATCH

table("patterns", [
  ...cases("match.literal", [
    [["date=2024-01-15"], "date=2024-01-15"],
    [["a*b?c[d]e\\f"], "a\\*b\\?c\\[d\\]e\\\\f"],
    [[""], ""],
  ]),
  ...cases("match.pathsIn", [
    [[["d/hour=14"]], "d/hour=14/*"],
    [[["d/hour=13", "d/hour=14"]], "d/hour=1[34]*"],
    [[["d/hour=13", "d/hour=14", "d/hour=20", "d/hour=21"]], "d/hour=[12]*"],
    [[["d/a", "d/a/b"]], "d/a*"],
    [[["d/a", "d/a"]], "d/a*"],
    [[["d/a-", "d/a]"]], "d/a*"],
    [[["d/[x", "d/[y"]], "d/\\[[xy]*"],
    [[["a", "b"]], "[ab]*"],
  ]),
]);
