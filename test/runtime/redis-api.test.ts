/*
 * functions/runtime/redis.d.ts against a server: what redis.call really answers inside a function has the type that
 * the file says, and every alternative of that type is met.
 */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useServer } from "../support/server";
import { sha1 } from "../support/tracker";

const server = useServer();

/** A Lua value as the probe describes it. */
type Described =
  | { nil: true }
  | { boolean: boolean }
  | { number: string }
  | { string: string }
  | { status: string }
  | { error: string }
  | { list: Described[] };

const PROBE = `#!lua name=redis_api_probe
local function describe(value)
  local kind = type(value)
  if kind == 'nil' then return '{"nil":true}' end
  if kind == 'boolean' then return '{"boolean":' .. tostring(value) .. '}' end
  if kind == 'number' then return '{"number":"' .. string.format('%.17g', value) .. '"}' end
  if kind == 'string' then return '{"string":' .. cjson.encode(value) .. '}' end
  if kind ~= 'table' then return '{"' .. kind .. '":true}' end
  if value.ok then return '{"status":' .. cjson.encode(value.ok) .. '}' end
  if value.err then return '{"error":' .. cjson.encode(value.err) .. '}' end
  local items = {}
  for at = 1, #value do items[at] = describe(value[at]) end
  return '{"list":[' .. table.concat(items, ',') .. ']}'
end
redis.register_function('api_call', function(_, args)
  return describe(redis.call(unpack(cjson.decode(args[1]))))
end)
redis.register_function('api_pcall', function(_, args)
  return describe(redis.pcall(unpack(cjson.decode(args[1]))))
end)
redis.register_function('api_thrown', function(_, args)
  local _, raised = xpcall(function() redis.call(unpack(cjson.decode(args[1]))) end, function(raised) return raised end)
  return describe(raised)
end)
redis.register_function('api_error', function(_, args)
  error({ err = args[1] })
end)
redis.register_function('api_sha1', function(_, args)
  return redis.sha1hex(args[1])
end)
redis.register_function('api_log', function()
  return { describe(redis.LOG_WARNING), describe(redis.log(redis.LOG_WARNING, 'a line of test/redis-api.test.ts')) }
end)
redis.register_function('api_json', function(_, args)
  local decoded = cjson.decode(args[1])
  return { describe(decoded.value), tostring(decoded.value == cjson.null), cjson.encode(decoded) }
end)
redis.register_function('api_json_error', function(_, args)
  local ok, raised = pcall(cjson.decode, args[1])
  return { tostring(ok), type(raised) }
end)
redis.register_function('api_replies', function()
  return { 1.9, false, true, 'text', { 'nested', {} }, { named = 1 }, { ok = 'FINE' } }
end)
`;

type Command = keyof RedisCommands;

interface Sample<C extends Command> {
  /** Commands that prepare the database. */
  given?: string[][];
  args: Parameters<RedisCommands[C]>;
}

const HASH = [["HSET", "h", "f", "v", "g", "w"]];
const SET = [["SADD", "s", "a", "b"]];
const LIST = [["RPUSH", "l", "a", "b", "c"]];
const SORTED = [["ZADD", "z", "1.5", "a", "2", "b"]];
const STREAM = [
  ["XADD", "x", "1-1", "f", "v"],
  ["XADD", "x", "1-2", "g", "w"],
];

/** At least one sample a command; together they must show every alternative of its reply. */
const SAMPLES: { [C in Command]: Sample<C>[] } = {
  DEL: [{ args: ["no"] }, { given: HASH, args: ["h", "no"] }],
  UNLINK: [{ given: HASH, args: ["h", "no"] }],
  EXISTS: [{ args: ["no"] }, { given: HASH, args: ["h", "h"] }],
  MEMORY: [{ args: ["USAGE", "no"] }, { given: HASH, args: ["USAGE", "h"] }],
  COPY: [{ args: ["no", "copy"] }, { given: HASH, args: ["h", "copy"] }],
  SCAN: [{ args: ["0"] }, { given: HASH, args: ["0", "COUNT", "100"] }],
  RENAME: [{ given: HASH, args: ["h", "renamed"] }],
  TYPE: [{ args: ["no"] }, { given: HASH, args: ["h"] }],
  PEXPIRE: [{ args: ["no", 5] }, { given: HASH, args: ["h", "100000"] }, { given: HASH, args: ["h", 100_000] }],
  PERSIST: [
    { given: HASH, args: ["h"] },
    { given: [...HASH, ["PEXPIRE", "h", "100000"]], args: ["h"] },
  ],
  TIME: [{ args: [] }],
  GET: [{ args: ["no"] }, { given: [["SET", "t", "text"]], args: ["t"] }],
  SET: [{ args: ["t", "text", "PX", 1000] }],
  GETRANGE: [{ args: ["no", 0, "3"] }, { given: [["SET", "t", "text"]], args: ["t", "0", 2] }],
  STRLEN: [{ args: ["no"] }, { given: [["SET", "t", "text"]], args: ["t"] }],
  HDEL: [{ args: ["no", "f"] }, { given: HASH, args: ["h", "f", "g"] }],
  HEXISTS: [{ args: ["no", "f"] }, { given: HASH, args: ["h", "f"] }],
  HGET: [
    { args: ["no", "f"] },
    { given: HASH, args: ["h", "f"] },
    { given: [["HSET", "h", "7", "v"]], args: ["h", 7] },
  ],
  HMGET: [{ args: ["no", "f"] }, { given: HASH, args: ["h", "f", "no", 7] }],
  HGETALL: [{ args: ["no"] }, { given: HASH, args: ["h"] }],
  HKEYS: [{ args: ["no"] }, { given: HASH, args: ["h"] }],
  HLEN: [{ args: ["no"] }, { given: HASH, args: ["h"] }],
  HRANDFIELD: [{ args: ["no", 5, "WITHVALUES"] }, { given: HASH, args: ["h", "5", "WITHVALUES"] }],
  HINCRBY: [{ args: ["h", "n", 2] }, { given: [["HSET", "h", "n", "5"]], args: ["h", "n", "-7"] }],
  HSETNX: [{ args: ["no", "f", "v"] }, { given: HASH, args: ["h", "f", 1] }],
  HSCAN: [{ args: ["no", "0"] }, { given: HASH, args: ["h", "0", "MATCH", "*", "COUNT", 10] }],
  HSET: [{ args: ["h", "f", 1, "g", "w"] }, { given: HASH, args: ["h", "f", "v"] }],
  LINDEX: [{ args: ["no", 0] }, { given: LIST, args: ["l", "-1"] }],
  LLEN: [{ args: ["no"] }, { given: LIST, args: ["l"] }],
  LPOP: [{ args: ["no"] }, { given: LIST, args: ["l"] }],
  LPOS: [
    { given: LIST, args: ["l", "c", "MAXLEN", 2] },
    { given: LIST, args: ["l", "c", "MAXLEN", "3"] },
  ],
  LRANGE: [{ args: ["no", 0, -1] }, { given: LIST, args: ["l", "0", "1"] }],
  LREM: [{ args: ["no", 1, "a"] }, { given: LIST, args: ["l", "1", "b"] }],
  LSET: [{ given: LIST, args: ["l", "-1", "d"] }],
  LTRIM: [{ args: ["no", 1, -1] }, { given: LIST, args: ["l", "1", "-1"] }],
  RPUSH: [{ args: ["l", "a"] }, { given: LIST, args: ["l", "d", "e"] }],
  PFADD: [{ args: ["p", "a", "b"] }, { given: [["PFADD", "p", "a"]], args: ["p", "a"] }],
  PFCOUNT: [
    { args: ["no"] },
    {
      given: [
        ["PFADD", "p", "a"],
        ["PFADD", "q", "b"],
      ],
      args: ["p", "q", "no"],
    },
  ],
  PFMERGE: [{ given: [["PFADD", "p", "a"]], args: ["merged", "p", "no"] }],
  SADD: [{ args: ["s", "a", "b"] }, { given: SET, args: ["s", "a"] }],
  SCARD: [{ args: ["no"] }, { given: SET, args: ["s"] }],
  SMEMBERS: [{ args: ["no"] }, { given: SET, args: ["s"] }],
  SMISMEMBER: [{ args: ["no", "a"] }, { given: SET, args: ["s", "a", "no"] }],
  SRANDMEMBER: [{ args: ["no", 2] }, { given: SET, args: ["s", "5"] }],
  SREM: [{ args: ["no", "a"] }, { given: SET, args: ["s", "a", "b"] }],
  ZADD: [
    { args: ["z", 1.5, "a"] },
    { given: SORTED, args: ["z", "GT", "9", "a"] },
    { args: ["z", "NX", 1, "a", 2, "b"] },
  ],
  ZCARD: [{ args: ["no"] }, { given: SORTED, args: ["z"] }],
  ZLEXCOUNT: [{ args: ["no", "-", "+"] }, { given: [["ZADD", "z", "0", "a", "0", "b"]], args: ["z", "[a", "(b"] }],
  ZCOUNT: [{ args: ["no", "-inf", "+inf"] }, { given: SORTED, args: ["z", 1.5, "(2"] }],
  ZINCRBY: [{ args: ["z", 2, "a"] }, { given: SORTED, args: ["z", "0.25", "a"] }],
  ZINTER: [{ args: [1, "no"] }, { given: SORTED, args: [1, "z"] }, { given: SORTED, args: [1, "z", "WITHSCORES"] }],
  ZMSCORE: [{ args: ["no", "a"] }, { given: SORTED, args: ["z", "a", "no"] }],
  ZRANDMEMBER: [{ args: ["no", 2] }, { given: SORTED, args: ["z", "5"] }],
  ZRANGE: [
    { args: ["no", 0, -1] },
    { given: SORTED, args: ["z", "0", "-1", "REV", "WITHSCORES"] },
    { given: SORTED, args: ["z", "-inf", 2, "BYSCORE", "LIMIT", 0, 1] },
  ],
  ZREMRANGEBYRANK: [{ args: ["no", 0, 1] }, { given: SORTED, args: ["z", "0", "-2"] }],
  ZREMRANGEBYSCORE: [{ args: ["no", "-inf", 1] }, { given: SORTED, args: ["z", "-inf", "(2"] }],
  ZREM: [{ args: ["no", "a"] }, { given: SORTED, args: ["z", "a", "b"] }],
  ZSCORE: [{ args: ["no", "a"] }, { given: SORTED, args: ["z", "a"] }],
  XDEL: [{ args: ["no", "1-1"] }, { given: STREAM, args: ["x", "1-1", "9-9"] }],
  XADD: [{ args: ["x", "*", "f", "v", "n", 1] }, { args: ["x", "MAXLEN", "~", 10, "5-1", "f", "v"] }],
  XINFO: [
    { given: STREAM, args: ["STREAM", "x"] },
    { given: [...STREAM, ["XDEL", "x", "1-1", "1-2"]], args: ["STREAM", "x"] },
  ],
  XLEN: [{ args: ["no"] }, { given: STREAM, args: ["x"] }],
  XRANGE: [{ args: ["no", "-", "+"] }, { given: STREAM, args: ["x", "(1-1", "+", "COUNT", 5] }],
  XTRIM: [
    { args: ["no", "MAXLEN", "~", 5] },
    { given: STREAM, args: ["x", "MAXLEN", "=", "1"] },
    { given: STREAM, args: ["x", "MINID", "=", "1-2"] },
  ],
};

const DECLARATIONS = ts.createSourceFile(
  "redis.d.ts",
  readFileSync(new URL("../../functions/runtime/redis.d.ts", import.meta.url), "utf8"),
  ts.ScriptTarget.Latest,
  true,
);

/** Return types by command, as the file spells them. */
function declaredReplies(): Map<string, ts.TypeNode> {
  const commands = DECLARATIONS.statements
    .filter(ts.isInterfaceDeclaration)
    .find(({ name }) => name.text === "RedisCommands")!;
  return new Map(
    commands.members.filter(ts.isMethodSignature).map((method) => [(method.name as ts.Identifier).text, method.type!]),
  );
}

/** `A | B` and aliases of it as the list of their alternatives. */
function alternatives(type: ts.TypeNode): ts.TypeNode[] {
  if (ts.isParenthesizedTypeNode(type)) return alternatives(type.type);
  if (ts.isUnionTypeNode(type)) return type.types.flatMap(alternatives);
  const alias = ts.isTypeReferenceNode(type)
    ? DECLARATIONS.statements.filter(ts.isTypeAliasDeclaration).find(({ name }) => name.text === type.getText())
    : undefined;
  return alias === undefined ? [type] : alternatives(alias.type);
}

/** Notes in `met` each alternative that was seen; throws where a value has none of them. */
function match(value: Described, type: ts.TypeNode, met: Set<ts.TypeNode>): void {
  const fitting = alternatives(type).find((each) => fits(value, each, met));
  if (fitting === undefined) throw new Error(`${JSON.stringify(value)} is no ${type.getText()}`);
  met.add(fitting);
}

function fits(value: Described, type: ts.TypeNode, met: Set<ts.TypeNode>): boolean {
  if (ts.isTupleTypeNode(type)) {
    if (!("list" in value) || value.list.length !== type.elements.length) return false;
    value.list.forEach((each, at) => match(each, elementType(type.elements[at]!), met));
    return true;
  }
  if (ts.isArrayTypeNode(type)) {
    if (!("list" in value)) return false;
    value.list.forEach((each) => match(each, type.elementType, met));
    return true;
  }
  switch (type.getText()) {
    case "number":
      return "number" in value && /^-?\d+$/.test(value.number);
    case "string":
      return "string" in value;
    case "false":
      return "boolean" in value && !value.boolean;
    case "RedisStatus":
      return "status" in value;
    default:
      throw new Error(`the test does not know the type ${type.getText()}`);
  }
}

function elementType(element: ts.TypeNode): ts.TypeNode {
  return ts.isNamedTupleMember(element) ? element.type : element;
}

/** Every alternative that a reply of this type may show, through arrays and tuples. */
function everyAlternative(type: ts.TypeNode): ts.TypeNode[] {
  return alternatives(type).flatMap((each) => {
    if (ts.isTupleTypeNode(each))
      return [each, ...each.elements.flatMap((element) => everyAlternative(elementType(element)))];
    return ts.isArrayTypeNode(each) ? [each, ...everyAlternative(each.elementType)] : [each];
  });
}

const REPLIES = declaredReplies();

async function probe(functionName: string, command: string, args: readonly (string | number)[]): Promise<Described> {
  const reply = await server.client.sendCommand(["FCALL", functionName, "0", JSON.stringify([command, ...args])]);
  return JSON.parse(String(reply)) as Described;
}

beforeAll(async () => {
  await server.client.sendCommand(["FUNCTION", "LOAD", "REPLACE", PROBE]);
});

beforeEach(() => server.flush());

describe("redis.call answers what redis.d.ts says", () => {
  it("declares commands", () => expect(REPLIES.size).toBeGreaterThan(20));

  it.each([...REPLIES])("%s", async (command, type) => {
    const samples = (SAMPLES as Record<string, { given?: string[][]; args: (string | number)[] }[] | undefined>)[
      command
    ];
    expect(samples, "a command without a sample").toBeDefined();
    const met = new Set<ts.TypeNode>();
    for (const { given = [], args } of samples!) {
      await server.flush();
      for (const each of given) await server.client.sendCommand(each);
      match(await probe("api_call", command, args), type, met);
    }
    const unmet = everyAlternative(type).filter((each) => !met.has(each));
    expect(
      unmet.map((each) => each.getText()),
      "alternatives that no sample shows",
    ).toEqual([]);
  });

  it("has no sample of a command that is not declared", () => {
    expect(Object.keys(SAMPLES).filter((command) => !REPLIES.has(command))).toEqual([]);
  });
});

describe("values that surprise", () => {
  const call = async (given: string[][], command: string, ...args: (string | number)[]): Promise<Described> => {
    for (const each of given) await server.client.sendCommand(each);
    return probe("api_call", command, args);
  };

  it("a missing bulk reply is false, in arrays too", async () => {
    expect(await call([], "HGET", "no", "f")).toEqual({ boolean: false });
    expect(await call(HASH, "HMGET", "h", "f", "no")).toEqual({ list: [{ string: "v" }, { boolean: false }] });
    expect(await call(SORTED, "ZMSCORE", "z", "no", "a")).toEqual({ list: [{ boolean: false }, { string: "1.5" }] });
  });

  it("a status is a table with ok, the type of a missing key is none", async () => {
    expect(await call(HASH, "RENAME", "h", "other")).toEqual({ status: "OK" });
    expect(await call([], "TYPE", "no")).toEqual({ status: "none" });
  });

  it("scores and what ZINCRBY answers are text", async () => {
    expect(await call(SORTED, "ZSCORE", "z", "b")).toEqual({ string: "2" });
    expect(await call([], "ZINCRBY", "n", 3, "m")).toEqual({ string: "3" });
    expect(await call([], "HINCRBY", "h2", "f", 3)).toEqual({ number: "3" });
  });

  it("a missing GETRANGE is empty text, a missing collection an empty table", async () => {
    expect(await call([], "GETRANGE", "no", 0, 3)).toEqual({ string: "" });
    expect(await call([], "HGETALL", "no")).toEqual({ list: [] });
    expect(await call([], "SRANDMEMBER", "no", 3)).toEqual({ list: [] });
  });

  it("numbers are sent with 17 digits, so that 15 arrive", async () => {
    await call([], "HSET", "h", "whole", 99_999_999_999_999, "half", 0.5);
    expect(await call([], "HMGET", "h", "whole", "half")).toEqual({
      list: [{ string: "99999999999999" }, { string: "0.5" }],
    });
  });

  it("entries of a stream are id, then field, value", async () => {
    expect(await call(STREAM, "XRANGE", "x", "(1-1", "+", "COUNT", 1)).toEqual({
      list: [{ list: [{ string: "1-2" }, { list: [{ string: "g" }, { string: "w" }] }] }],
    });
  });

  it("XINFO STREAM names last-generated-id among its fields", async () => {
    const { list } = (await call(STREAM, "XINFO", "STREAM", "x")) as { list: Described[] };
    const at = list.findIndex((each) => "string" in each && each.string === "last-generated-id");
    expect(at % 2).toBe(0);
    expect(list[at + 1]).toEqual({ string: "1-2" });
  });
});

describe("errors", () => {
  it("redis.pcall answers them, redis.call throws them, as a table with err", async () => {
    await server.client.sendCommand(["SET", "t", "text"]);
    expect(await probe("api_pcall", "HGET", ["t", "f"])).toEqual({
      error: expect.stringMatching(/^WRONGTYPE /) as unknown,
    });
    expect(await probe("api_thrown", "HGET", ["t", "f"])).toEqual({
      error: expect.stringMatching(/^WRONGTYPE /) as unknown,
    });
  });

  it("redis.pcall answers a reply as redis.call does", async () => {
    expect(await probe("api_pcall", "HLEN", ["no"])).toEqual({ number: "0" });
    expect(await probe("api_pcall", "GETRANGE", ["no", 0, 3])).toEqual({ string: "" });
  });

  it("error() takes a table with err; the code stays its first word", async () => {
    await expect(server.client.sendCommand(["FCALL", "api_error", "0", "BADARG it is bad"])).rejects.toThrow(
      /^BADARG it is bad/,
    );
  });
});

describe("the rest of the API", () => {
  const call = (name: string, ...args: (string | Buffer)[]): Promise<unknown> =>
    server.client.sendCommand(["FCALL", name, "0", ...args]);

  it("sha1hex hashes bytes", async () => {
    expect(await call("api_sha1", "abc")).toBe("a9993e364706816aba3e25717850c26c9cd0d89d");
    const bytes = Buffer.from([0xff, 0x00, 0xc3]);
    expect(await call("api_sha1", bytes)).toBe(sha1(bytes));
  });

  it("log takes a level and answers nothing", async () => {
    expect(await call("api_log")).toEqual([expect.stringMatching(/^\{"number":"\d"\}$/), '{"nil":true}']);
  });

  it("cjson: null is cjson.null, numbers keep 14 digits, an empty array becomes an object, slashes are escaped", async () => {
    expect(await call("api_json", '{"value":null}')).toEqual(['{"userdata":true}', "true", '{"value":null}']);
    expect(await call("api_json", '{"value":99999999999999}')).toEqual([
      '{"number":"99999999999999"}',
      "false",
      '{"value":99999999999999}',
    ]);
    expect(await call("api_json", '{"value":123456789012345}')).toEqual([
      '{"number":"123456789012345"}',
      "false",
      '{"value":1.2345678901234e+14}',
    ]);
    expect(await call("api_json", '{"value":[]}')).toEqual(['{"list":[]}', "false", '{"value":{}}']);
    expect(await call("api_json", '{"value":"a/b"}')).toEqual(['{"string":"a\\/b"}', "false", '{"value":"a\\/b"}']);
  });

  it("cjson.decode throws text", async () => {
    expect(await call("api_json_error", "{")).toEqual(["false", "string"]);
  });

  it("in replies floats are cut, false is nil, true is 1, and a table without an array part is empty", async () => {
    expect(await call("api_replies")).toEqual([1, null, 1, "text", ["nested", []], [], "FINE"]);
  });
});
