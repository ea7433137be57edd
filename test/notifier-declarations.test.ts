/* Every function of the notifier driven through malformed calls made from its declaration: each is refused, and nothing is written. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Declaration, Option } from "../functions/runtime/declare";
import { NOON, readNotifierManifest, useNotifier } from "./support/notifier";
import { digest, refusalOf } from "./support/tracker";

const notifier = useNotifier();
const FUNCTIONS = readNotifierManifest();
const ID = "0123456789abcdef".repeat(3).slice(0, 40);

/** What each argument may be, where not just any text will do. */
const GOOD: Record<string, string> = { topic: "packages", id: ID, STATE: "dead", PREFIX: "P:", STREAM: "s", SUBJECT: "who", ITEM: "what" };
const NO_INTEGER = ["", "soon", "1.5", "1e3", " 1", "+1", "0x10", "9".repeat(16)];

type Named = Declaration["positional"][number] | Option;

function good({ name, type }: Named): string {
  const known = GOOD[name];
  if (known !== undefined) return known;
  if (type.kind === "time") return String(NOON);
  if (type.kind === "integer") return String(Math.max(type.min!, Math.min(type.max!, 5)));
  return "x";
}

function bad({ type }: Named): string[] {
  switch (type.kind) {
    case "text":
      return ["", "x".repeat(type.max! + 1)];
    case "integer":
    case "time":
      return [String(type.min! - 1), String(type.max! + 1), ...NO_INTEGER];
    case "choice":
      return ["", "X", type.values!.join(",")];
    default:
      return ["", "x", ID.slice(1), `${ID}0`, `g${ID.slice(1)}`];
  }
}

/** Both ends of what is allowed. */
function ends(each: Named): string[] {
  const { type } = each;
  if (type.kind === "integer" || type.kind === "time") return [String(type.min), String(type.max)];
  if (type.kind === "text") return each.name === "topic" ? ["packages"] : ["x".repeat(type.min!), "x".repeat(type.max!)];
  if (type.kind === "choice") return type.values!.flatMap((value) => [value, value.toUpperCase()]);
  return [ID, ID.toUpperCase()];
}

interface Malformed {
  what: string;
  args: string[];
  keys?: string[];
  names: string[];
}

function malformed({ positional, options }: Declaration): Malformed[] {
  const required = positional.map(good);
  const calls: Malformed[] = [];
  positional.forEach((each, at) => {
    calls.push({ what: `without ${each.name}`, args: required.slice(0, at), names: [each.name, "missing"] });
    for (const value of bad(each)) calls.push({ what: `${each.name} '${value}'`, args: required.with(at, value), names: [each.name, "must be"] });
  });
  for (const each of options) {
    const { name } = each;
    calls.push({ what: `${name} without a value`, args: [...required, name], names: [name, "no value"] });
    calls.push({ what: `${name} twice`, args: [...required, name, good(each), name.toLowerCase(), good(each)], names: [name, "twice"] });
    for (const value of bad(each)) calls.push({ what: `${name} '${value}'`, args: [...required, name, value], names: [name, "must be"] });
  }
  calls.push({ what: "an unknown option", args: [...required, "NOSUCH", "1"], names: ["NOSUCH"] });
  calls.push({ what: "an argument too many", args: [...required, "5"], names: ["'5'"] });
  calls.push({ what: "two routing keys", keys: ["{a}", "{b}"], args: required, names: ["routing key", "2"] });
  calls.push({ what: "a colon in the braces", keys: ["{a:b}"], args: required, names: ["routing key", "'{a:b}'"] });
  return calls;
}

/** A database with a little of everything in it. */
async function seed(): Promise<void> {
  await notifier.server.flush();
  await notifier.call("configure_topic", "orders");
  await notifier.call("scan_item", "packages", "10", "A", "NOW", NOON);
  await notifier.call("claim_notifications", "packages", "NOW", 2 * NOON);
  await notifier.call("scan_item", "packages", "20", "A", "NOW", NOON);
  await notifier.add("packages", "*", "seller_id", "30", "package_id", "B");
}

it("the manifest has functions", () => expect(FUNCTIONS.map(({ name }) => name)).toContain("claim_notifications"));

describe.each(FUNCTIONS.map((declaration) => [declaration.name, declaration] as const))("%s", (name, declaration) => {
  const calls = malformed(declaration);
  const required = declaration.positional.map(good);

  beforeAll(seed);

  it(`refuses ${calls.length} malformed calls, naming the argument, and writes nothing`, async () => {
    const before = await digest(notifier.client);
    for (const { what, keys = [], args, names } of calls) {
      const message = (await refusalOf(notifier.routed(keys, name, ...args))) ?? "no error";
      expect.soft(message, what).toMatch(/^BADARG /);
      for (const each of names) expect.soft(message, what).toContain(each);
      expect.soft(message.length, what).toBeLessThan(500);
    }
    expect(await digest(notifier.client)).toEqual(before);
  });

  it("takes both ends of each bound", async () => {
    for (const each of [...declaration.positional.entries()].map(([at, parameter]) => ({ at, parameter }))) {
      for (const value of ends(each.parameter)) {
        const message = await notifier.refusal(name, ...required.with(each.at, value));
        expect.soft(message ?? "", each.parameter.name).not.toMatch(/^(BADARG|ERR)/);
      }
    }
    for (const option of declaration.options) {
      for (const value of ends(option)) {
        const message = await notifier.refusal(name, ...required, option.name, value);
        expect.soft(message ?? "", `${option.name} ${value.slice(0, 20)}`).not.toMatch(/^(BADARG|ERR)/);
      }
    }
  });

  it("is callable with FCALL_RO if and only if it is no-writes", async () => {
    const message = (await refusalOf(notifier.read(name, ...required))) ?? "";
    if (declaration.flags.includes("no-writes")) expect(message).not.toMatch(/script|write/);
    else expect(message).toMatch(/write/);
  });

  it("leaves nothing behind if it only reads, and answers declared codes", async () => {
    const before = await digest(notifier.client);
    const message = await notifier.refusal(name, ...required);
    if (declaration.role === "reader") expect(await digest(notifier.client)).toEqual(before);
    if (message !== undefined) expect(declaration.errors as readonly string[]).toContain(message.split(" ")[0]);
  });
});

describe("routing keys", () => {
  beforeEach(seed);

  it.each(["{eu}", "any{eu}thing", "plain", ""])("'%s' is taken and never written", async (key) => {
    for (const { name, positional } of FUNCTIONS) await refusalOf(notifier.routed([key], name, ...positional.map(good)));
    expect(await notifier.client.exists(key)).toBe(0);
  });
});

it("roles are those of who calls", () => {
  const roles = Object.fromEntries(FUNCTIONS.map(({ name, role }) => [name, role]));
  expect(roles).toEqual({
    scan_item: "ingest",
    ingest_scans: "scheduler",
    claim_notifications: "worker",
    ack_notification: "worker",
    fail_notification: "worker",
    list_notifications: "reader",
    retry_notification: "admin",
    configure_topic: "admin",
    get_topic: "reader",
    list_topics: "reader",
    get_notifier_status: "reader",
    notifier_library: "reader",
  });
});
