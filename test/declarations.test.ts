/*
 * Every function of the manifest driven through malformed calls made from its declaration: each is refused with a code
 * and a sentence, and leaves nothing behind.
 */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ArgumentType, Option, Parameter } from "../functions/runtime/declare";
import { digest, event, MINUTE, NOON, readManifest, refusalOf, sha1, useTracker, type Argument, type ManifestFunction } from "./support/tracker";

const tracker = useTracker();
const FUNCTIONS = readManifest();

/** A call that is wrong in one way. */
interface Malformed {
  what: string;
  keys?: string[];
  args: Argument[];
  code: "BADARG" | "BADCONFIG" | "LIMIT";
  /** What the sentence must hold: the argument's name, and the offending value where there is one. */
  names: string[];
}

const MAX_QUOTED = 64;
/** As messages show a value: in quotes, cut, without control characters. */
const quoted = (value: string): string =>
   
  value.length > MAX_QUOTED ? `'${value.slice(0, MAX_QUOTED)}...'` : `'${value.replaceAll(/[\x00-\x1f\x7f]/g, "?")}'`;

/** A page that `seed` makes: a function that needs a document finds one. */
const ID = sha1("a.example/x");

/** A value that the type allows; near the middle, so that calls with it work. */
function goodValue(type: ArgumentType<unknown>): string {
  switch (type.kind) {
    case "text":
      return "x".repeat(Math.max(type.min!, 1));
    case "integer":
      return String(Math.max(type.min!, Math.min(type.max!, 1000)));
    case "time":
      return String(NOON);
    case "choice":
      return type.values![0]!;
    case "id":
      return ID;
    case "json":
      return "{}";
    case "pair":
      throw new Error("a pair has two values");
  }
}

/** The values that an option allows: one, or two in order. */
function goodValues({ type, name }: Parameter): string[] {
  if (name === "TO") return [String(NOON + MINUTE)];
  return type.parts ? type.parts.map((part, at) => (part.type.kind === "time" ? String(NOON + at) : goodValue(part.type))) : [goodValue(type)];
}

/** Values that the type does not allow. */
function badValues(type: ArgumentType<unknown>): string[] {
  const noInteger = ["", "yesterday", "1.5", "1e3", " 1", "+1", "0x10", "1 ", "--1", "nan", "9".repeat(16), "9".repeat(400), "1\r\n2"];
  switch (type.kind) {
    case "text":
      return [...(type.min! > 0 ? ["x".repeat(type.min! - 1)] : []), "x".repeat(type.max! + 1)];
    case "integer":
    case "time":
      return [String(type.min! - 1), String(type.max! + 1), "-99999", ...noInteger];
    case "choice":
      return ["", "X", `${type.values![0]} `, `${type.values!.join(",")},`, "\0"];
    case "id":
      return ["", "rtl", ID.slice(1), `${ID}0`, `g${ID.slice(1)}`, `${ID.slice(1)} `, `${ID.slice(1)}\n`];
    case "pair":
      return [];
    case "json":
      return ["", "[]", "null", "5", '"text"', "hosts", `{${" ".repeat(type.max!)}}`];
  }
}

/** The ends of what the type allows. */
function boundValues(type: ArgumentType<unknown>): string[] {
  if (type.kind === "integer" || type.kind === "time") return [String(type.min), String(type.max)];
  if (type.kind === "text") return ["x".repeat(type.min!), "x".repeat(type.max!)];
  if (type.kind === "choice") return type.values!.flatMap((value) => [value, value.toLowerCase(), value.toUpperCase()]);
  return type.kind === "id" ? [ID, ID.toUpperCase()] : ["{}", " \n{}"];
}

/** Texts that say more than their length: an address, and where an import begins. */
const GOOD_TEXTS: Record<string, string> = { url: "http://a.example/x", from: "-" };
const goodPositional = ({ name, type }: Parameter): string => GOOD_TEXTS[name] ?? goodValue(type);

/** Options that take the place of others, or go with another dimension than the first. */
const EXCLUSIVE: Record<string, string[]> = { rank_pg: ["SECTION"] };

/** Where FROM and TO are asked for, they must be in order. */
const goodOption = (option: Option): string[] => [option.name, ...goodValues(option)];

const isHost = (parameter: Parameter): boolean => parameter.name === "HOSTS";

/** The arguments of a good call: what is positional, events, and the options asked for. */
interface GoodCall {
  positional: string[];
  rest: string[];
  options: string[][];
}

function goodCall({ positional, rest, options }: ManifestFunction): GoodCall {
  return {
    positional: positional.map(goodPositional),
    rest: rest ? [event("http://a.example/x", "d", NOON)] : [],
    options: options.filter(({ required, name }) => required === true || name === "NOW").map(goodOption),
  };
}

const flat = ({ positional, rest, options }: GoodCall): string[] => [...positional, ...rest, ...options.flat()];

/** The good call with one option set or left out. */
function withOption(declaration: ManifestFunction, name: string, ...put: string[]): string[] {
  const good = goodCall(declaration);
  return flat({ ...good, options: [...good.options.filter(([each]) => each !== name), put] });
}

function malformed(declaration: ManifestFunction): Malformed[] {
  const good = goodCall(declaration);
  const { positional, rest, options } = declaration;
  const calls: Malformed[] = [];
  const add = (what: string, args: Argument[], names: string[], code: Malformed["code"] = "BADARG"): void => {
    calls.push({ what, args, names, code });
  };
  positional.forEach((parameter, at) => {
    const { name, type } = parameter;
    add(`without ${name}`, good.positional.slice(0, at), [name, "missing"]);
    for (const value of badValues(type)) {
      add(`${name} ${quoted(value)}`, flat({ ...good, positional: good.positional.with(at, value) }), [name, "must be", quoted(value)]);
    }
  });
  if (rest) {
    if (!rest.optional) {
      add("without events", [...good.positional], [rest.name, "nothing"]);
      for (const value of ["", "[]", "null", "url", "NOW"]) add(`${quoted(value)} for an event`, [...good.positional, value], [rest.name, quoted(value)]);
    }
    const many = Array.from({ length: rest.max + 1 }, (_, at) => event(`http://a.example/${at}`, "d", NOON));
    add("too many events", flat({ ...good, rest: many }), [rest.name, String(rest.max), String(rest.max + 1)], "LIMIT");
  }
  add("an option that there is none of", [...flat(good), "NOSUCH", "1"], ["NOSUCH"]);
  add("an option that there is none of, without a value", [...flat(good), "no such"], ["'no such'"]);
  add("an empty option", [...flat(good), ""], ["''"]);
  add("an argument too many", [...flat(good), "5"], ["'5'"]);
  for (const option of options) {
    const { name, type, required } = option;
    if (required) add(`without ${name}`, flat({ ...good, options: good.options.filter(([each]) => each !== name) }), [name, "missing"]);
    add(`${name} without a value`, [...withOption(declaration, name, name)], [name, "no value"]);
    add(`${name} twice`, withOption(declaration, name, ...goodOption(option), ...goodOption(option)), [name, "twice"]);
    add(`${name} twice, in two spellings`, withOption(declaration, name, name, ...goodValues(option), name.toLowerCase(), ...goodValues(option)), [name, "twice"]);
    for (const value of badValues(type)) add(`${name} ${quoted(value)}`, withOption(declaration, name, name, value), [name, "must be", quoted(value)]);
    for (const [at, part] of (type.parts ?? []).entries()) {
      const good = goodValues(option);
      add(`${name} without ${part.name}`, withOption(declaration, name, name, ...good.slice(0, at)), [name, part.name, "no value"]);
      for (const value of badValues(part.type)) {
        add(`${name} ${part.name} ${quoted(value)}`, withOption(declaration, name, name, ...good.with(at, value)), [name, part.name, "must be", quoted(value)]);
      }
    }
    if (isHost(option)) for (const [value, named] of BAD_HOSTS) add(`${name} ${quoted(value)}`, withOption(declaration, name, name, value), [name, ...named], "BADCONFIG");
    if (isHost(option)) add("too many hosts", withOption(declaration, name, name, manyHosts(10_001)), [name, "10001", "10000"], "LIMIT");
  }
  calls.push({ what: "two routing keys", keys: ["{a}", "{b}"], args: flat(good), code: "BADARG", names: ["routing key", "2"] });
  calls.push({ what: "a colon in the braces of the routing key", keys: ["x{a:b}y"], args: flat(good), code: "BADARG", names: ["routing key", "'x{a:b}y'"] });
  return calls;
}

const manyHosts = (count: number): string => JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`h${at}`, "x"])));

const BAD_HOSTS: [value: string, named: string[]][] = [
  ["{", ["'{'"]],
  ["{}}", ["'{}}'"]],
  ['{"a.example":}', [`'{"a.example":}'`]],
  ['{"a.example":""}', ["'a.example'"]],
  ['{"a.example":null}', ["'a.example'"]],
  ['{"a.example":5}', ["'a.example'"]],
  ['{"a.example":["x"]}', ["'a.example'"]],
  ['{"b.example":"x","a.example":{"x":"y"}}', ["'a.example'"]],
  [`{"a.example":"${"x".repeat(129)}"}`, ["'a.example'"]],
  [`${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`, [`'{"a":`]],
];

/** What no reply may show: where in a script something went wrong. */
const TRACE = /user_function|@user|script:|\.lua|\.ts\b|stack traceback|attempt to|\[string/;

const routedCall = ({ keys = [], args }: Malformed, name: string): Promise<unknown> => tracker.routed(keys, name, ...args);

/** A database with a little of everything in it, so that a call that writes what it should not changes something. */
async function seed(): Promise<void> {
  await tracker.server.flush();
  await tracker.call("configure_tracker", "HOSTS", '{"b.example":"b"}', "MAXLEN", 100);
  const events = [0, 1, 2].map((minute) => event("http://a.example/x", `device${minute}`, NOON - (minute + 4) * MINUTE, { audio: "a" }));
  await tracker.call("track_events", ...events, "{}", "NOW", NOON);
  await tracker.client.sendCommand(["XADD", "ST:TRACKER::::", "*", "url", "http://a.example/y", "uui", "d", "dt", String(NOON)]);
  await tracker.call("tracker_lead", "job", NOON, "worker", "NOW", NOON);
}

it("the manifest has functions", () => expect(FUNCTIONS.length).toBeGreaterThan(10));

describe.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s", (name, declaration) => {
  const calls = malformed(declaration);
  let before: Record<string, string>;

  beforeAll(async () => {
    await seed();
    before = await digest(tracker.client);
  });

  it(`refuses ${calls.length} malformed calls with a code, naming the argument and the value, and writes nothing`, async () => {
    for (const each of calls) {
      const message = (await refusalOf(routedCall(each, name))) ?? "no error";
      expect.soft(message, each.what).toMatch(new RegExp(`^${each.code} `));
      for (const named of each.names) expect.soft(message, each.what).toContain(named);
      expect.soft(message, each.what).not.toMatch(TRACE);
      expect.soft(message.length, each.what).toBeLessThan(500);
      const after = await digest(tracker.client);
      expect.soft(after, `${each.what}: something was written`).toEqual(before);
      // One is told apart from the next only if the next starts from the same.
      before = after;
    }
  });

  it("declares the codes that it answers", () => {
    const codes = new Set(calls.map(({ code }) => code));
    expect([...codes].filter((code) => !declaration.errors.includes(code))).toEqual([]);
  });
});

it("a defect of the library is no word about its insides: the position is in the server's log", async () => {
  await seed();
  // What nobody but the library writes, spoilt: the number of a time.
  await tracker.client.hSet("H:TRACKER::::", "rotated", "spoilt");
  const message = await tracker.refusal("track_events", event("http://a.example/x", "d", NOON), "NOW", NOON);
  expect(message).toBe("ERR internal error in track_events, see the log of the server");
});

describe("good calls", () => {
  beforeEach(seed);

  const outOfRange = (name: string): RegExp => new RegExp(`${name} must be (an? |one |text )`);

  it.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s takes both ends of each bound", async (name, declaration) => {
    const good = goodCall(declaration);
    await tracker.call(name, ...flat(good));
    for (const [at, { name: argument, type }] of declaration.positional.entries()) {
      for (const value of boundValues(type)) {
        const message = await tracker.refusal(name, ...flat({ ...good, positional: good.positional.with(at, value) }));
        expect.soft(message ?? "", `${argument} ${quoted(value)}`).not.toMatch(outOfRange(argument));
      }
    }
    for (const { name: argument, type } of declaration.options) {
      if (type.parts) continue;
      for (const value of boundValues(type)) {
        const message = await tracker.refusal(name, ...withOption(declaration, argument, argument, value));
        expect.soft(message ?? "", `${argument} ${quoted(value)}`).not.toMatch(outOfRange(argument));
      }
    }
  });

  it.each(FUNCTIONS.filter(({ options }) => options.length > 0).map((declaration) => [declaration.name, declaration] as const))(
    "%s takes its options in any order and case",
    async (name, declaration) => {
      const { positional: first, rest } = goodCall(declaration);
      // Only pages have all the filters.
      const positional = name === "find_documents" ? ["P"] : first;
      const options = declaration.options.filter((option) => !EXCLUSIVE[name]?.includes(option.name)).map(goodOption);
      // FROM and TO read alike; WEBSITE goes with W, the first of the dimensions.
      const replies: unknown[] = [];
      for (const order of [options, options.toReversed(), [...options.slice(1), ...options.slice(0, 1)]]) {
        for (const spell of [(word: string) => word, (word: string) => word.toLowerCase(), (word: string) => word[0] + word.slice(1).toLowerCase()]) {
          await seed();
          replies.push(await tracker.call(name, ...positional, ...rest, ...order.flatMap(([word, ...values]) => [spell(word!), ...values])));
        }
      }
      for (const reply of replies) expect(reply).toEqual(replies[0]);
    },
  );

  it.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s takes a routing key, with a hash tag or without, and never writes it", async (name, declaration) => {
    const args = flat(goodCall(declaration));
    for (const key of ["{rtl}", "any{rtl}thing", "plain", "a:b:c", "", "{}"]) {
      // The page of the call is in no partition but that without a name.
      const message = await refusalOf(tracker.routed([key], name, ...args));
      expect(message ?? "NOTFOUND").toMatch(/^NOTFOUND/);
      expect(await tracker.client.exists(key)).toBe(0);
    }
  });

  it.each(FUNCTIONS.filter(({ options }) => options.some(({ name }) => name === "NOW")).map((declaration) => [declaration.name, declaration] as const))(
    "%s takes NOW, and the server's clock without it",
    async (name, declaration) => {
      const good = goodCall(declaration);
      // Any time will do; 0 has no window before it, and no slot ahead of it.
      const atStart = name === "tracker_lead" ? good.positional.with(1, "0") : good.positional;
      await tracker.call(name, ...atStart, ...good.rest, ...good.options.filter(([word]) => word !== "NOW").flat(), "NOW", 0);
      await tracker.call(name, ...flat({ ...good, options: good.options.filter(([word]) => word !== "NOW") }));
    },
  );

  it("every function whose result depends on the clock has NOW", () => {
    const without = FUNCTIONS.filter(({ options }) => !options.some(({ name }) => name === "NOW")).map(({ name }) => name);
    expect(without.sort()).toEqual(
      ["configure_tracker", "find_documents", "forget_import", "get_document", "get_import", "get_tracker_config", "identify_name", "identify_url", "range_pg", "range_ud", "tracker_done", "tracker_library"].sort(),
    );
  });
});

describe("what Redis knows of the functions", () => {
  interface Listed {
    name: string;
    description: string | null;
    flags: string[];
  }

  const listed = async (): Promise<Listed[]> => {
    const [library] = (await tracker.client.sendCommand(["FUNCTION", "LIST", "LIBRARYNAME", "tracker"])) as unknown as [unknown[]];
    const functions = library[library.indexOf("functions") + 1] as unknown[][];
    return functions.map(([, name, , description, , flags]) => ({ name, description, flags: [...(flags as string[])].sort() }) as Listed);
  };

  it("name, description and flags are those of the manifest", async () => {
    const byName = (a: Listed, b: Listed): number => (a.name < b.name ? -1 : 1);
    const declared = FUNCTIONS.map(({ name, summary, flags }) => ({ name, description: summary, flags: [...flags].sort() }));
    expect((await listed()).sort(byName)).toEqual(declared.sort(byName));
  });

  it("FCALL_RO calls those that are no-writes, and no other", async () => {
    await seed();
    for (const declaration of FUNCTIONS) {
      const message = await refusalOf(tracker.read(declaration.name, ...flat(goodCall(declaration))));
      if (declaration.flags.includes("no-writes")) expect.soft(message, declaration.name).toBeUndefined();
      else expect.soft(message, declaration.name).toMatch(/write/);
    }
  });

  it("readers that write nothing are no-writes; count_ud cannot be", () => {
    const readers = FUNCTIONS.filter(({ role }) => role === "reader");
    expect(readers.filter(({ flags }) => !flags.includes("no-writes")).map(({ name }) => name)).toEqual(["count_ud"]);
    expect(FUNCTIONS.filter(({ flags, role }) => flags.includes("no-writes") && role !== "reader")).toEqual([]);
  });

  it("readers leave nothing behind", async () => {
    await seed();
    const before = await digest(tracker.client);
    for (const declaration of FUNCTIONS.filter(({ flags }) => flags.includes("no-writes"))) await tracker.call(declaration.name, ...flat(goodCall(declaration)));
    expect(await digest(tracker.client)).toEqual(before);
  });
});
