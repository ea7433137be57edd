/* Every function of the notifier driven through malformed calls made from its declaration: each is refused, and nothing is written. */
import { beforeEach, describe, expect, it } from "vitest";
import { Calls, flat, itRefusesMalformedCalls, itTakesBothEnds } from "../support/malformed";
import { NOON, useNotifier } from "../support/notifier";
import { readDeclarations, refusalOf } from "../support/functions";
import { digest } from "../support/tracker";

const notifier = useNotifier();
const FUNCTIONS = readDeclarations("notifier");
const calls = new Calls({
  good: { topic: "packages", PREFIX: "P:", STREAM: "s", SUBJECT: "who", ITEM: "what" },
  id: "0123456789abcdef".repeat(3).slice(0, 40),
  timeMs: NOON,
});

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
  const good = flat(calls.goodCall(declaration));

  itRefusesMalformedCalls(notifier, calls, declaration, seed);
  itTakesBothEnds(notifier, calls, declaration);

  it("is callable with FCALL_RO if and only if it is no-writes", async () => {
    const message = (await refusalOf(notifier.read(name, ...good))) ?? "";
    if (declaration.flags.includes("no-writes")) expect(message).not.toMatch(/script|write/);
    else expect(message).toMatch(/write/);
  });

  it("leaves nothing behind if it only reads, and answers declared codes", async () => {
    const before = await digest(notifier.client);
    const message = await notifier.refusal(name, ...good);
    if (declaration.role === "reader") expect(await digest(notifier.client)).toEqual(before);
    if (message !== undefined) expect(declaration.errors as readonly string[]).toContain(message.split(" ")[0]);
  });
});

describe("routing keys", () => {
  beforeEach(seed);

  it.each(["{eu}", "any{eu}thing", "plain", ""])("'%s' is taken and never written", async (key) => {
    for (const declaration of FUNCTIONS)
      await refusalOf(notifier.routed([key], declaration.name, ...flat(calls.goodCall(declaration))));
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
