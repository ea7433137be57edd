import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { deploy } from "../../host/deploy/deploy";
import type { HotpathFunctions } from "../../host/contract";
import { functionsOf } from "../../host/deploy/client";
import { gateOf } from "../../host/jobs/gate";
import { readBundle } from "../../host/deploy/libraries";
import { runHotpath } from "../support/processes";
import { startReceiver, status } from "../support/receiver";
import { useServer } from "../support/server";

const SECRET = `whsec_${randomBytes(24).toString("base64")}`;
const server = useServer();
let connection: Connection;
let functions: HotpathFunctions;

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "hotpath-test-"));
  connection = await connect(server.url);
  functions = functionsOf(connection);
});
afterAll(async () => {
  connection.close();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  await server.flush();
  await deploy(connection, { libraries: readBundle() });
  await configure({ quietSeconds: 1 });
});

const path = (): string => join(dir, "config.json");
const configure = (packages: object) => writeFile(path(), JSON.stringify({ notifier: { topics: { packages } } }));

async function notify(...args: string[]): Promise<{ code: number | null; out: string; errors: string }> {
  const env = { REDIS_URL: server.url, CONFIG_PATH: path(), ENV: undefined, HOTPATH_WEBHOOK_SECRET: SECRET };
  const run = runHotpath(["notify", ...args], { env });
  const { code } = await run.exit;
  return { code, out: run.lines.join("\n"), errors: run.errors.join("\n") };
}

/** Makes notifications that have failed for the last time. */
async function die(...sellers: string[]): Promise<string[]> {
  await functions.configureTopic({ topic: "packages", quiet: 1, attempts: 1 });
  for (const subject of sellers)
    await functions.scanItem({ topic: "packages", subject, item: "AAAAAA", now: Date.now() - 1000 });
  const [, ...claimed] = await functions.claimNotifications({ topic: "packages", count: 1000 });
  const ids = claimed.map((json) => JSON.parse(json) as { id: string; token: string });
  for (const { id, token } of ids)
    await functions.failNotification({ topic: "packages", id, token, reason: "HTTP 500: \u001b[31mbroken" });
  expect(ids).toHaveLength(sellers.length);
  return ids.map(({ id }) => id);
}

it("lists topics, and what their receivers have said", async () => {
  await functions.scanItem({ topic: "packages", subject: "10", item: "AAAAAA" });
  await functions.configureTopic({ topic: "returns" });
  await gateOf(connection, { topic: "packages", partition: null, receiver: "x" }).disable(
    Date.UTC(2026, 10, 20, 12),
    "HTTP 410: gone",
  );
  const { code, out } = await notify("list");
  expect(code).toBe(0);
  expect(out).toMatch(/^topic +stream +unread +collecting +due +waiting +leased +dead +delivered +next$/m);
  expect(out).toMatch(/^packages +packages +0 +1 +0 +0 +0 +0 +0 +in (59 min|1 h)/m);
  expect(out).toMatch(/^returns +returns +0/m);
  expect(out).toMatch(/^packages: disabled since 2026-11-20 12:00 UTC: HTTP 410: gone$/m);
  const json = JSON.parse((await notify("list", "--json")).out) as { topic: string; gate: object; status: object }[];
  expect(json).toMatchObject([
    { topic: "packages", gate: { state: "disabled", reason: "HTTP 410: gone" }, status: { collecting: 1 } },
    { topic: "returns", gate: { state: "open" } },
  ]);
});

it("lists notifications by state, a page at a time", async () => {
  await functions.scanItem({ topic: "packages", subject: "10", item: "AAAAAA" });
  expect((await notify("list", "packages")).out).toMatch(
    /^[0-9a-f]{40} +10 +1 +0 +in .*\n\n1 to 1 of 1 waiting in packages$/m,
  );
  expect((await notify("list", "packages", "--state", "leased")).out).toBe("0 leased in packages");
  const ids = await die("20", "30", "40");
  const dead = await notify("dead", "packages");
  expect(dead.out).toMatch(/^id +subject +items +attempt +died +reason$/m);
  // What a receiver has said cannot move the cursor.
  expect(dead.out).toContain("HTTP 500: �[31mbroken");
  for (const id of ids) expect(dead.out).toContain(id);
  expect((await notify("dead", "packages", "--offset", "1", "--count", "1")).out).toMatch(
    /\n2 to 2 of 3 dead in packages$/,
  );
  const json = JSON.parse((await notify("dead", "packages", "--json")).out) as {
    total: number;
    notifications: { id: string }[];
  };
  expect(json.total).toBe(3);
  expect(json.notifications.map(({ id }) => id).sort()).toEqual([...ids].sort());
});

it("retries some, or all that are dead, and opens the gate", async () => {
  const [first] = await die("10", "20", "30");
  await gateOf(connection, { topic: "packages", partition: null, receiver: "x" }).disable(1, "gone");
  expect(await notify("retry", "packages", first!)).toEqual({
    code: 0,
    out: "1 of packages will be given out again; the receiver is delivered to again",
    errors: "",
  });
  expect(await functions.getNotifierStatus({ topic: "packages" })).toMatchObject({ dead: 2, waiting: 1 });
  expect(JSON.parse((await notify("retry", "packages", "--all", "--json")).out)).toEqual({
    topic: "packages",
    retried: 2,
    opened: false,
  });
  expect(await functions.getNotifierStatus({ topic: "packages" })).toMatchObject({ dead: 0, waiting: 3 });
  const [, ...claimed] = await functions.claimNotifications({ topic: "packages" });
  expect(claimed.map((json) => (JSON.parse(json) as { attempt: number }).attempt)).toEqual([1, 1, 1]);
});

it("sends a signed test to the receiver, and touches nothing in Redis but the gate", async () => {
  const receiver = await startReceiver();
  await configure({ courier: { type: "webhook", url: `${receiver.url}?key=hidden` } });
  const { code, out } = await notify("send-test", "packages", "--subject", "42", "--item", "A", "--item", "B");
  expect(code).toBe(0);
  expect(out).toMatch(/^delivered to http:\/\/127\.0\.0\.1:\d+\/hook as test-[0-9a-f-]{36}$/);
  const [{ body, headers }] = receiver.received as [(typeof receiver.received)[0]];
  expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({ data: { subject: "42", items: ["A", "B"] } });
  receiver.answer = status(500, {}, "broken");
  expect(await notify("send-test", "packages")).toMatchObject({
    code: 1,
    out: "",
    errors: expect.stringMatching(/^hotpath: http.*\/hook: HTTP 500: broken$/) as string,
  });
  const json = await notify("send-test", "packages", "--json");
  expect(json.code).toBe(1);
  expect(JSON.parse(json.out)).toMatchObject({ outcome: "failed", code: "http_500", opened: false });
  expect([json, { code, out }].map((each) => JSON.stringify(each)).join()).not.toMatch(/hidden|whsec_/);
});

it.each([
  [["list", "nonesuch"], 1, /^hotpath: list_notifications: NOTFOUND /],
  [["dead"], 2, /missing required argument 'topic'/],
  [
    ["list", "packages", "--state", "lost"],
    2,
    /argument 'lost' is invalid\. Allowed choices are waiting, leased, dead/,
  ],
  [["list", "--state", "dead"], 2, /--state needs a topic/],
  [["list", "packages", "--count", "0"], 2, /whole number from 1 to 1000/],
  [["retry", "packages"], 2, /name the ids to retry, or say --all/],
  [["retry", "packages", "x", "--all"], 2, /name the ids to retry, or say --all/],
  [["retry", "packages", "x"], 1, /^hotpath: retry_notification: BADARG/],
  [["retry", "packages", "0".repeat(40)], 1, /^hotpath: retry_notification: NOTFOUND/],
  [["send-test", "returns"], 2, /^hotpath: there is no topic 'returns' in the configuration; there is packages$/],
  [["send-test", "packages"], 2, /^hotpath: notifier\.topics\.packages: it has no courier/],
  [["pigeon"], 2, /unknown command 'pigeon'/],
])("refuses %j", async (args, code, message) => {
  expect(await notify(...args)).toEqual({ code, out: "", errors: expect.stringMatching(message) as string });
});

it("says that the library is not loaded", async () => {
  await server.client.sendCommand(["FUNCTION", "DELETE", "notifier"]);
  expect(await notify("list")).toMatchObject({
    code: 1,
    errors: expect.stringMatching(/^hotpath: the notifier is not loaded on redis:.*; run: hotpath deploy$/) as string,
  });
});
