/* The rights that the build finds in compiled code: commands and keys, by following what each function mentions. */
import { describe, expect, it } from "vitest";
import "../support/lua-globals";
import { integerReply, type Declaration } from "../../functions/runtime/declare";
import type { FunctionRights } from "../../host/deploy/acl/rights";
import { readBundle } from "../../host/deploy/libraries";
import { checkDeclarations } from "../../scripts/build/declarations";
import { changesOf, KNOWN_COMMANDS } from "../../scripts/build/rights/commands";
import { keyPattern } from "../../scripts/build/rights/key-patterns";
import { readProgram } from "../../scripts/build/rights/lua-program";
import { findRights } from "../../scripts/build/rights/rights";
import { useServer } from "../support/server";

const server = useServer();

const declaration = (
  name: string,
  role: Declaration["role"] = "admin",
  flags: Declaration["flags"] = [],
): Declaration => ({
  name,
  summary: `Does ${name}`,
  role,
  flags,
  positional: [],
  options: [],
  reply: integerReply,
  errors: ["BADARG"],
  answer: { doc: "1", always: 1 },
  ...(role !== "reader" && { repeat: "same" }),
});

/** A chunk as the compiler makes it. */
function chunkOf(modules: Record<string, string>): string {
  const fields = Object.entries(modules).map(
    ([name, body]) =>
      `["functions.${name}"] = function(...)\nlocal ____exports = {}\n${body}\nreturn ____exports\nend,`,
  );
  return `local ____modules = {}\n____modules = {\n${fields.join("\n")}\n}\nlocal ____entry = require("functions.x.library", ...)\nreturn ____entry`;
}

/** As the key module is compiled, in short. */
const KEYS = `
local partition = ""
function ____exports.usePartition(tag) partition = tag end
function ____exports.family(keyType, name, dimension) return keyType .. ":" .. name .. ":" .. dimension .. ":" end
function ____exports.key(keyType, name, dimension, id, timestamp, metric)
return keyType .. ":" .. name .. ":" .. dimension .. ":" .. partition .. id .. ":" .. timestamp .. ":" .. metric
end`;

/** As onKey is compiled. */
const TYPES = `
function ____exports.onKey(commandName, name, ...)
local pass = redis.pcall
local found = pass(commandName, name, ...)
return found
end`;

const NAMES = `
local ____keys = require("functions.runtime.keys")
local key = ____keys.key
local TIERS = {{name = "DAY"}, {name = "YEAR"}}
local function tierNames(last)
local built = {}
do
local ____list = TIERS
for ____at = 1, #____list do
local tier = ____list[____at]
built[#built + 1] = tier.name .. last
end
end
return built
end
local OPEN = tierNames(".OPEN")
function ____exports.state() return key("H", "STATE", "", "", "", "") end
function ____exports.open(tier, id) return key(tier == 1 and "H" or "SS", OPEN[tier], "P", id, "", "") end
function ____exports.estimate(id) return key("HLL", "SEEN", "", id, "", "") end
function ____exports.list(subject) return "LIST:" .. subject end
function ____exports.stream(named) return named or key("ST", "IN", "", "", "", "") end
function ____exports.several() return {first = "a", second = "b"} end
____exports.END = "::"`;

const LIBRARY = `
local ____declare = require("functions.runtime.declare")
local command = ____declare.command`;

const DECLARE = `function ____exports.command(declaration, run, runKeys) return {declaration = declaration, run = run, runKeys = runKeys} end`;

/**
 * The rights of one function.
 *
 * @param body Lua in which `run` is declared
 */
function rightsOf(
  body: string,
  { modules = {}, of = declaration("f") }: { modules?: Record<string, string>; of?: Declaration } = {},
): FunctionRights {
  const library = `${LIBRARY}\nlocal names = require("functions.x.names")\nlocal ____types = require("functions.runtime.types")\nlocal onKey = ____types.onKey\n${body}\n____exports.commands = {command({name = "f"}, run)}`;
  const all = {
    "runtime.keys": KEYS,
    "runtime.types": TYPES,
    "runtime.declare": DECLARE,
    "x.names": NAMES,
    "x.library": library,
    ...modules,
  };
  return findRights(readProgram(chunkOf(all)), "x", [of])[0]!;
}

const commandsOf = (body: string, modules?: Record<string, string>): string[] =>
  rightsOf(body, modules && { modules }).commands;
const keysOf = (body: string): Record<string, string> =>
  Object.fromEntries(rightsOf(body).keys.map(({ pattern, access }) => [pattern, access]));

describe("commands", () => {
  it("of the function itself, of what it calls, and of what that calls; not of others", () => {
    const body = `
local function third() redis.call("HGET", "k", "f") end
local function second(x) if x then third() end end
local function unused() redis.call("DEL", "k") end
local function run(args) second(args.x) redis.pcall("ZADD", "k", 1, "m") end`;
    expect(commandsOf(body)).toEqual(["hget", "zadd"]);
  });

  it("of functions of other modules, under whatever name they are imported", () => {
    const other = `function ____exports.write() redis.call("XADD", "k", "*", "f", "v") end\nfunction ____exports.idle() redis.call("DEL", "k") end`;
    const modules = { "x.other": other };
    expect(
      commandsOf(
        `local ____other = require("functions.x.other")\nlocal put = ____other.write\nlocal function run() put() end`,
        modules,
      ),
    ).toEqual(["xadd"]);
    expect(
      commandsOf(`local other = require("functions.x.other")\nlocal function run() other.write() end`, modules),
    ).toEqual(["xadd"]);
    // A module that is handed on whole may have any of it used.
    expect(
      commandsOf(`local other = require("functions.x.other")\nlocal function run(f) f(other) end`, modules),
    ).toEqual(["del", "xadd"]);
  });

  it("of functions that are handed on, kept in tables, or set later", () => {
    expect(
      commandsOf(`local function each() redis.call("HDEL", "k", "f") end\nlocal function run() pcall(each) end`),
    ).toEqual(["hdel"]);
    expect(
      commandsOf(
        `local BY = {a = function() redis.call("SADD", "k", "m") end}\nlocal function run(args) BY[args.x]() end`,
      ),
    ).toEqual(["sadd"]);
    expect(
      commandsOf(
        `local BY = {}\nBY.a = function() redis.call("SREM", "k", "m") end\nlocal function run(args) BY[args.x]() end`,
      ),
    ).toEqual(["srem"]);
    expect(
      commandsOf(
        `local later\nlocal function run() return later() end\nlater = function() redis.call("HLEN", "k") end`,
      ),
    ).toEqual(["hlen"]);
    expect(
      commandsOf(`local later\nlocal function run() return later() end\nfunction later() redis.call("HLEN", "k") end`),
    ).toEqual(["hlen"]);
  });

  it("that a wrapper is given by its callers, each only those of its own", () => {
    const body = `local function other() onKey("DEL", "k") end\nlocal function run() onKey("HGET", "k", "f") pcall(onKey, "HLEN", "k") end`;
    expect(commandsOf(body)).toEqual(["hget", "hlen"]);
    const twice = `local function pass(name, key) return onKey(name, key) end\nlocal function run(args) pass(args.x and "ZCARD" or "SCARD", "k") end`;
    expect(commandsOf(twice)).toEqual(["scard", "zcard"]);
  });

  it("with their subcommand, where they have one", () => {
    expect(
      commandsOf(`local function run() redis.call("XINFO", "STREAM", "k") onKey("MEMORY", "USAGE", "k") end`),
    ).toEqual(["memory|usage", "xinfo|stream"]);
  });

  it("that run by the locals that the build makes of redis.call and redis.pcall", () => {
    expect(commandsOf(`local function run() redis_call("HGET", "k", "f") redis_pcall("HLEN", "k") end`)).toEqual([
      "hget",
      "hlen",
    ]);
    const types = `function ____exports.onKey(commandName, name, ...) return redis_pcall(commandName, name, ...) end`;
    const renamed = `function ____exports.onKey(commandName, name, ...)\nlocal pass = redis_pcall\nlocal again = pass\nreturn again(commandName, name, ...)\nend`;
    for (const body of [types, renamed])
      expect(commandsOf(`local function run() onKey("ZCARD", "k") end`, { "runtime.types": body })).toEqual(["zcard"]);
  });

  it("are found where variables are set to each other", () => {
    expect(
      commandsOf(
        `local function run(args) local a = args.a local b = a a = b while a do a, b = b, a end redis.call("HLEN", a) end`,
      ),
    ).toEqual(["hlen"]);
  });

  it("of variables that hide others are told apart", () => {
    const body = `
local function write() redis.call("DEL", "k") end
local function run()
local write = function() redis.call("HGET", "k", "f") end
write()
end`;
    expect(commandsOf(body)).toEqual(["hget"]);
  });

  it.each([
    ["an argument", `local function run(args) redis.call(args.command, "k") end`],
    [
      "a parameter of a function that is handed on",
      `local function any(name) redis.call(name, "k") end\nlocal function run(f) f(any) end`,
    ],
    ["the wrapper, handed on", `local function run(f) f(onKey) end`],
    ["redis.call, handed on", `local function run(f) f(redis.call) end`],
    ["something else of redis", `local function run() redis.other("DEL", "k") end`],
    ["a local that the build has made of something else", `local function run() redis_other("DEL", "k") end`],
    ["redis.call in a table", `local T = {}\nT.run = redis.call\nlocal function run() T.run("DEL", "k") end`],
    ["redis.call as an export", `____exports.run = redis_call\nlocal function run() ____exports.run("DEL", "k") end`],
    [
      "redis.call by a condition",
      `local function run(x) local pass = x and redis.call or redis.pcall\npass("DEL", "k") end`,
    ],
    ["the wrapper in a table", `local T = {}\nT.run = onKey\nlocal function run() T.run("DEL", "k") end`],
    ["redis as a whole", `local function run(f) f(redis) end`],
    ["a subcommand", `local function run(args) redis.call("XINFO", args.x, "k") end`],
    ["a command that the table does not have", `local function run() redis.call("FLUSHALL") end`],
  ])("that nobody can know fail the build: %s", (_, body) => {
    expect(() => rightsOf(body)).toThrow(/^x: rights\n {2}line \d+ of the compiled chunk (runs|hands on|reads) /);
  });

  it("are all in the table that says what they change, as the server says it", async () => {
    for (const name of KNOWN_COMMANDS) {
      const [info] = (await server.client.sendCommand(["COMMAND", "INFO", name])) as unknown as (
        [string, number, string[]] | null
      )[];
      expect(info, name).not.toBeNull();
      const [, , flags] = info!;
      const writes = flags.includes("write") || name === "pfcount";
      expect([name, changesOf(name) === "none"]).toEqual([name, !writes]);
    }
  });
});

describe("keys", () => {
  it("have the patterns of the names that are built, and the right to write where a command changes that type", () => {
    expect(keysOf(`local function run() redis.call("HGET", names.state(), "f") end`)).toEqual({ "H:STATE:*": "read" });
    expect(keysOf(`local function run() redis.call("HSET", names.state(), "f", "v") end`)).toEqual({
      "H:STATE:*": "write",
    });
    expect(
      keysOf(`local function run() redis.call("HGET", names.state(), "f") redis.call("SADD", "k", "m") end`),
    ).toEqual({ "H:STATE:*": "read" });
    expect(keysOf(`local function run() redis.call("DEL", names.state()) end`)).toEqual({ "H:STATE:*": "write" });
    expect(
      keysOf(
        `local function run() redis.call("PFCOUNT", names.estimate("x")) redis.call("HGET", names.state(), "f") end`,
      ),
    ).toEqual({
      "H:STATE:*": "read",
      "HLL:SEEN:*": "write",
    });
  });

  it("whose parts are chosen from tables or by conditions have a pattern for each", () => {
    expect(
      Object.keys(keysOf(`local function run(args) return redis.call("TYPE", names.open(args.tier, args.id)) end`)),
    ).toEqual(["H:DAY.OPEN:*", "H:YEAR.OPEN:*", "SS:DAY.OPEN:*", "SS:YEAR.OPEN:*"]);
  });

  it("in another scheme have what is known of them; parts of names and answers that are no text have none", () => {
    const body = `local function run(args) local s = names.several() redis.call("LLEN", names.list(args.x) .. names.END) end`;
    expect(keysOf(body)).toEqual({ "LIST:*": "read" });
  });

  it("that users may name are told, with what is done to them", () => {
    const reading = rightsOf(`local function run(args) redis.call("XLEN", names.stream(args.stream)) end`);
    expect(reading).toMatchObject({ keys: [{ pattern: "ST:IN:*", access: "read" }], userKeys: "read" });
    expect(
      rightsOf(`local function run(args) redis.call("XADD", names.stream(args.stream), "*", "f", "v") end`),
    ).toMatchObject({ userKeys: "write" });
    expect(rightsOf(`local function run() redis.call("HGET", names.state(), "f") end`)).toMatchObject({
      userKeys: null,
    });
  });

  it.each([
    ["H:STATE::*::", "H:STATE:*"],
    ["H:*.OPEN:P:*", "H:*.OPEN:*"],
    ["SS:A\\*B::", "SS:A\\*B:*"],
    ["H:*", "H:*"],
    ["files:*:*", "files:*"],
    ["SELLER:", "SELLER:*"],
    ["packages", "packages"],
    ["*", "*"],
    ["*:packages", "*"],
    [":*:UD", undefined],
    ["", undefined],
  ])("of '%s' match %s", (glob, pattern) => {
    expect(keyPattern(glob)?.pattern).toBe(pattern);
  });
});

describe("a declaration", () => {
  it("without a role does not build", () => {
    const { role, ...lacking } = declaration("f");
    expect(role).toBe("admin");
    expect(() => checkDeclarations(new Map([["x", [lacking as Declaration]]]), {})).toThrow("f: role is missing");
    expect(() => checkDeclarations(new Map([["x", [declaration("f")]]]), {})).not.toThrow();
  });

  it("of a reader that changes data does not build; counting devices is no change", () => {
    const of = declaration("f", "reader");
    expect(() => rightsOf(`local function run() redis.call("HSET", "k", "f", "v") end`, { of })).toThrow(
      "f: a reader changes no data, and this may run hset",
    );
    expect(rightsOf(`local function run() redis.call("PFCOUNT", "k") end`, { of }).commands).toEqual(["pfcount"]);
  });

  it("of no-writes whose code may write does not build", () => {
    const of = declaration("f", "reader", ["no-writes"]);
    expect(() => rightsOf(`local function run() redis.call("PFCOUNT", "k") end`, { of })).toThrow(
      "f: is declared no-writes, and may run pfcount",
    );
  });

  it("of a function that has keys and no command does not build: something was not found", () => {
    expect(() => rightsOf(`local function run() return names.state() end`)).toThrow(
      "f: builds names of keys, and no command was found that it runs on them",
    );
  });

  it("that the library's list does not match does not build", () => {
    const modules = { "x.library": `____exports.commands = make()` };
    expect(() => rightsOf("", { modules })).toThrow(
      "x: its library.ts must list its commands one by one; 0 of 1 were found",
    );
  });
});

describe("the built libraries", () => {
  const rights = new Map(readBundle().flatMap(({ rated }) => rated.map((each) => [each.name, each.rights] as const)));
  const patterns = (name: string): string[] => rights.get(name)!.keys.map(({ pattern }) => pattern);

  it("have rights as narrow as what each function does", () => {
    // Before every routed call its slot is looked at.
    const slot = { pattern: "H:SLOT:*", access: "read" };
    expect(rights.get("tracker_library")).toEqual({ commands: ["exists", "time"], keys: [slot], userKeys: null });
    expect(rights.get("range_pg")!.commands).toEqual(["exists", "hmget", "time"]);
    expect(patterns("range_pg")).toContain("H:5MINUTES.SERIES:*");
    expect(rights.get("count_ud")!.commands).toEqual(expect.arrayContaining(["pfcount", "time"]));
    expect(rights.get("get_topic")!.commands).toEqual(["exists", "hget", "time"]);
    // Every function that writes can keep its reply.
    const once = { pattern: "STR:ONCE:*", access: "write" };
    expect(rights.get("tracker_done")!.keys).toEqual([slot, { pattern: "H:TICK:*", access: "write" }, once]);
    expect(rights.get("configure_tracker")!.keys).toEqual([
      slot,
      { pattern: "H:TRACKER.HOSTS:*", access: "write" },
      { pattern: "H:TRACKER:*", access: "write" },
      { pattern: "SS:5MINUTES.PENDING:*", access: "write" },
      once,
    ]);
  });

  it("know the names that topics and streams have by themselves, and that users may give others", () => {
    expect(patterns("scan_item")).toEqual(expect.arrayContaining(["SELLER:*", "ITEMS:*", "packages"]));
    expect(patterns("ingest_events")).toContain("ST:TRACKER:*");
    for (const name of ["scan_item", "ingest_events", "claim_notifications"])
      expect(rights.get(name)!.userKeys, name).toBe("write");
    for (const name of ["get_tracker_status", "get_notifier_status"])
      expect(rights.get(name)!.userKeys, name).toBe("read");
    expect(rights.get("track_events")!.userKeys).toBeNull();
  });

  it("let nobody have all keys", () => {
    for (const [name, { keys }] of rights)
      for (const { pattern } of keys) expect([name, pattern]).not.toEqual([name, expect.stringMatching(/^\*/)]);
  });
});
