/*
 * Every function of the manifest driven through malformed calls made from its declaration: each is refused with a code
 * and a sentence, and leaves nothing behind.
 */
import { beforeEach, describe, expect, it } from "vitest";
import type { Declaration } from "../../functions/runtime/declare";
import { Calls, flat, itRefusesMalformedCalls, itTakesBothEnds, quoted, type Malformed } from "../support/malformed";
import { digest, event, MINUTE, NOON, sha1, useTracker } from "../support/tracker";
import { readDeclarations, refusalOf } from "../support/functions";

const tracker = useTracker();
const FUNCTIONS = readDeclarations("tracker");

const manyHosts = (count: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`h${at}`, "x"])));

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

/** What is wrong with a table of hosts. */
function badHosts(declaration: Declaration, calls: Calls): Malformed[] {
  if (!declaration.options.some(({ name }) => name === "HOSTS")) return [];
  const put = (what: string, value: string, code: Malformed["code"], ...names: string[]): Malformed => {
    return { what, args: calls.withOption(declaration, "HOSTS", "HOSTS", value), code, names: ["HOSTS", ...names] };
  };
  const bad = BAD_HOSTS.map(([value, named]) => put(`HOSTS ${quoted(value)}`, value, "BADCONFIG", ...named));
  return [...bad, put("too many hosts", manyHosts(10_001), "LIMIT", "10001", "10000")];
}

const calls = new Calls({
  /** Texts that say more than their length: an address, and where an import begins; TO is after FROM. */
  good: {
    url: "http://a.example/x",
    from: "-",
    TO: String(NOON + MINUTE),
    serial: "1",
    // An empty HyperLogLog whose runs happen to be ASCII.
    devices: `HYLL\x01${"\0".repeat(11)}${"?".repeat(256)}`,
  },
  shaped: ["serial", "devices"],
  /** A page that `seed` makes: a function that needs a document finds one. */
  id: sha1("a.example/x"),
  timeMs: NOON,
  rest: (at) => event(`http://a.example/${at === 0 ? "x" : at}`, "d", NOON),
  more: badHosts,
});

/** Options that take the place of others, or go with another dimension than the first. */
const EXCLUSIVE: Record<string, string[]> = { rank_pg: ["SECTION"] };

/** A database with a little of everything in it, so that a call that writes what it should not changes something. */
async function seed(): Promise<void> {
  await tracker.server.flush();
  await tracker.call("configure_tracker", "HOSTS", '{"b.example":"b"}', "MAXLEN", 100);
  const events = [0, 1, 2].map((minute) =>
    event("http://a.example/x", `device${minute}`, NOON - (minute + 4) * MINUTE, { audio: "a" }),
  );
  await tracker.call("track_events", ...events, "{}", "NOW", NOON);
  await tracker.client.sendCommand([
    "XADD",
    "ST:TRACKER::::",
    "*",
    "url",
    "http://a.example/y",
    "uui",
    "d",
    "dt",
    String(NOON),
  ]);
  await tracker.call("tracker_lead", "job", NOON, "worker", "NOW", NOON);
}

it("the manifest has functions", () => expect(FUNCTIONS.length).toBeGreaterThan(10));
describe.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s", (_, declaration) => {
  itRefusesMalformedCalls(tracker, calls, declaration, seed);
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

  describe.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s", (_, declaration) => {
    itTakesBothEnds(tracker, calls, declaration);
  });

  it.each(
    FUNCTIONS.filter(({ options }) => options.length > 0).map(
      (declaration) => [declaration.name, declaration] as const,
    ),
  )("%s takes its options in any order and case", async (name, declaration) => {
    const { positional: first, rest } = calls.goodCall(declaration);
    // Only pages have all the filters.
    const positional = name === "find_documents" ? ["P"] : first;
    const options = declaration.options
      .filter((option) => !EXCLUSIVE[name]?.includes(option.name))
      .map((option) => [option.name, ...calls.good(option)]);
    // FROM and TO read alike; WEBSITE goes with W, the first of the dimensions.
    const replies: unknown[] = [];
    for (const order of [options, options.toReversed(), [...options.slice(1), ...options.slice(0, 1)]]) {
      for (const spell of [
        (word: string) => word,
        (word: string) => word.toLowerCase(),
        (word: string) => word[0] + word.slice(1).toLowerCase(),
      ]) {
        await seed();
        replies.push(
          await tracker.call(
            name,
            ...positional,
            ...rest,
            ...order.flatMap(([word, ...values]) => [spell(word!), ...values]),
          ),
        );
      }
    }
    for (const reply of replies) expect(reply).toEqual(replies[0]);
  });

  it.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))(
    "%s takes a routing key, with a hash tag or without, and never writes it",
    async (name, declaration) => {
      const args = flat(calls.goodCall(declaration));
      for (const key of ["{rtl}", "any{rtl}thing", "plain", "a:b:c", "", "{}"]) {
        // The page of the call is in no partition but that without a name.
        const message = await refusalOf(tracker.routed([key], name, ...args));
        expect(message ?? "NOTFOUND").toMatch(/^NOTFOUND/);
        expect(await tracker.client.exists(key)).toBe(0);
      }
    },
  );

  it.each(
    FUNCTIONS.filter(({ options }) => options.some(({ name }) => name === "NOW")).map(
      (declaration) => [declaration.name, declaration] as const,
    ),
  )("%s takes NOW, and the server's clock without it", async (name, declaration) => {
    const good = calls.goodCall(declaration);
    // Any time will do; 0 has no window before it, and no slot ahead of it.
    const atStart = name === "tracker_lead" ? good.positional.with(1, "0") : good.positional;
    await tracker.call(
      name,
      ...atStart,
      ...good.rest,
      ...good.options.filter(([word]) => word !== "NOW").flat(),
      "NOW",
      0,
    );
    await tracker.call(name, ...flat({ ...good, options: good.options.filter(([word]) => word !== "NOW") }));
  });

  it("every function whose result depends on the clock has NOW", () => {
    const without = FUNCTIONS.filter(({ options }) => !options.some(({ name }) => name === "NOW")).map(
      ({ name }) => name,
    );
    expect(without.sort()).toEqual(
      [
        "configure_tracker",
        "end_carry",
        "find_documents",
        "forget_import",
        "get_carry",
        "get_document",
        "get_import",
        "get_tracker_config",
        "identify_name",
        "identify_url",
        "range_pg",
        "range_ud",
        "tracker_done",
        "tracker_library",
      ].sort(),
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
    const [library] = (await tracker.client.sendCommand(["FUNCTION", "LIST", "LIBRARYNAME", "tracker"])) as unknown as [
      unknown[],
    ];
    const functions = library[library.indexOf("functions") + 1] as unknown[][];
    return functions.map(
      ([, name, , description, , flags]) => ({ name, description, flags: [...(flags as string[])].sort() }) as Listed,
    );
  };

  it("name, description and flags are those of the manifest", async () => {
    const byName = (a: Listed, b: Listed): number => (a.name < b.name ? -1 : 1);
    const declared = FUNCTIONS.map(({ name, summary, flags }) => ({
      name,
      description: summary,
      flags: [...flags].sort(),
    }));
    expect((await listed()).sort(byName)).toEqual(declared.sort(byName));
  });

  it("FCALL_RO calls those that are no-writes, and no other", async () => {
    await seed();
    for (const declaration of FUNCTIONS) {
      const message = await refusalOf(tracker.read(declaration.name, ...flat(calls.goodCall(declaration))));
      if (declaration.flags.includes("no-writes")) expect.soft(message, declaration.name).toBeUndefined();
      else expect.soft(message, declaration.name).toMatch(/write/);
    }
  });

  it("readers that write nothing are no-writes; count_ud cannot be", () => {
    const readers = FUNCTIONS.filter(({ role }) => role === "reader");
    expect(readers.filter(({ flags }) => !flags.includes("no-writes")).map(({ name }) => name)).toEqual(["count_ud"]);
    const others = FUNCTIONS.filter(({ flags, role }) => flags.includes("no-writes") && role !== "reader");
    expect(others.map(({ name }) => name)).toEqual(["get_carry"]);
  });

  it("readers leave nothing behind", async () => {
    await seed();
    const before = await digest(tracker.client);
    for (const declaration of FUNCTIONS.filter(({ flags }) => flags.includes("no-writes")))
      await tracker.call(declaration.name, ...flat(calls.goodCall(declaration)));
    expect(await digest(tracker.client)).toEqual(before);
  });
});
