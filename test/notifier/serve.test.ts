import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { freePort } from "../../host/embedded/probe";
import { stopped, useHosts } from "../support/host";
import type { RunningProcess } from "../support/processes";
import { startReceiver, status, type Received } from "../support/receiver";
import { describeWithOwnServer } from "../support/server";
import { until } from "../support/wait";

const START = { timeoutMs: 30_000 };
const SECRET = `whsec_${randomBytes(32).toString("base64")}`;

/** A message as its receiver understands it. */
function messageOf({ body, headers }: Received): { id: string; subject: string; items: string[] } {
  const { data } = new Webhook(SECRET).verify(body, headers) as {
    data: { id: string; subject: string; items: string[] };
  };
  expect(headers["webhook-id"]).toBe(data.id);
  return data;
}

describeWithOwnServer("notifications", () => {
  const { server, functions, configure: write, hotpath } = useHosts({ persistence: true });

  /** Writes a configuration with the topic `packages`. */
  const configure = (topic: object, more: object = {}): Promise<string> =>
    write({ notifier: { topics: { packages: { quietSeconds: 0.3, ...topic } } }, ...more });
  const webhook = (url: string, more: object = {}) => ({ type: "webhook", url, timeoutSeconds: 2, ...more });
  const run = (path: string, command = ["serve"], env: Record<string, string | undefined> = {}): RunningProcess =>
    hotpath(path, command, { HOTPATH_WEBHOOK_SECRET: SECRET, ...env });
  const serve = async (topic: object, more: object = {}): Promise<RunningProcess> => run(await configure(topic, more));
  const ready = (host: RunningProcess) => host.line(/"redis is ready"/, START);
  const scan = (seller: string, item: string) =>
    server.client.xAdd("packages", "*", { seller_id: seller, package_id: item });
  const state = () => functions.getNotifierStatus({ topic: "packages" });

  it("one webhook follows a seller's scans, once the seller is quiet", async () => {
    const receiver = await startReceiver();
    const host = await serve({ courier: webhook(receiver.url) });
    // Sent at once: one after the other, the seller might be quiet in between.
    await Promise.all(["AAAAAA", "BBBBBB", "AAAAAA"].map((item) => scan("10", item)));
    await until(() => receiver.received.length > 0, START);
    await until(async () => (await state()).delivered === 1);
    await scan("10", "CCCCCC");
    await scan("20", "XXXXXX");
    await until(async () => (await state()).delivered === 3, START);
    const messages = receiver.received.map(messageOf).map(({ subject, items }) => `${subject}: ${items.join(" ")}`);
    expect(messages.sort()).toEqual(["10: AAAAAA BBBBBB", "10: CCCCCC", "20: XXXXXX"]);
    await stopped(host);
    expect(host.lines.join("\n")).not.toContain(SECRET.slice(6));
  });

  it("a failed delivery is made again under the same id, and is dead after its last attempt", async () => {
    const receiver = await startReceiver(status(500, {}, "not now"));
    const host = await serve({ attempts: 3, backoffSeconds: 0.05, courier: webhook(receiver.url) });
    await scan("10", "AAAAAA");
    await host.line(/"notification is dead/, START);
    const ids = receiver.received.map(messageOf).map(({ id }) => id);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(1);
    expect(await state()).toMatchObject({ dead: 1, leased: 0, delivered: 0 });
    receiver.answer = status(204);
    await functions.retryNotification({ topic: "packages", id: ids[0]! });
    await scan("20", "wakes");
    await until(async () => (await state()).delivered === 2, START);
    expect(receiver.received.map(messageOf).filter(({ id }) => id === ids[0])).toHaveLength(4);
    await stopped(host);
  });

  it("what was out when the host was killed is delivered again by the next one, under the same id", async () => {
    const receiver = await startReceiver(() => undefined);
    // Longer than it takes to kill the host; the lease has to outlast it by five seconds.
    const topic = { leaseSeconds: 9, courier: webhook(receiver.url, { timeoutSeconds: 4 }) };
    const first = await serve(topic);
    await scan("10", "AAAAAA");
    await until(() => receiver.received.length === 1, START);
    first.signal("SIGKILL");
    await first.exit;
    expect((await state()).leased).toBe(1);
    receiver.answer = status(204);
    const next = await serve(topic);
    await until(async () => (await state()).delivered === 1, START);
    const messages = receiver.received.map(messageOf);
    expect(messages).toHaveLength(2);
    expect(messages[1]).toEqual(messages[0]);
    await stopped(next);
  });

  it("SIGTERM waits for what is out, and leaves no lease behind", async () => {
    const answers: (() => void)[] = [];
    const receiver = await startReceiver(
      (_received, response) => void answers.push(() => response.writeHead(204).end()),
    );
    const host = await serve({ courier: webhook(receiver.url, { concurrency: 2, timeoutSeconds: 30 }) });
    for (const seller of ["10", "20", "30"]) await scan(seller, "AAAAAA");
    await until(() => answers.length === 2, START);
    host.signal("SIGTERM");
    await host.line(/"stopping"/);
    expect((await state()).leased).toBe(2);
    for (const answer of answers) answer();
    expect(await host.exit).toEqual({ code: 0, signal: null });
    expect(await state()).toMatchObject({ leased: 0, delivered: 2 });
    expect(receiver.received).toHaveLength(2);
  });

  it("SIGTERM gives back what the receiver does not answer", async () => {
    const receiver = await startReceiver(() => undefined);
    const host = await serve({ courier: webhook(receiver.url, { timeoutSeconds: 1 }) });
    await scan("10", "AAAAAA");
    await until(() => receiver.received.length === 1, START);
    await stopped(host);
    expect(await state()).toMatchObject({ leased: 0, waiting: 1 });
  });

  it("two hosts deliver each notification once", async () => {
    // Nothing is answered until more is out than one host has hands.
    const held: (() => void)[] = [];
    const receiver = await startReceiver((_received, response) => {
      held.push(() => response.writeHead(204).end());
      if (held.length > 3) for (const answer of held.splice(0)) answer();
      if (receiver.received.length > 3) receiver.answer = status(204);
    });
    const path = await configure({ courier: webhook(receiver.url, { concurrency: 3, timeoutSeconds: 30 }) });
    const hosts = [run(path), run(path)];
    await Promise.all(hosts.map(ready));
    const sellers = Array.from({ length: 60 }, (_, at) => `s${at}`);
    for (const seller of sellers) for (const item of ["A", "B"]) await scan(seller, `${seller}-${item}`);
    await until(async () => (await state()).delivered === 60, START);
    const messages = receiver.received.map(messageOf);
    expect(messages.map(({ subject }) => subject).sort()).toEqual([...sellers].sort());
    expect(new Set(messages.map(({ id }) => id)).size).toBe(60);
    await Promise.all(hosts.map(stopped));
    for (const host of hosts)
      expect(host.lines.filter((line) => line.includes('"delivered"')).length).toBeGreaterThan(0);
  });

  it("410 disables the receiver for all hosts, and loses nothing", async () => {
    const receiver = await startReceiver(status(410, {}, "gone for good"));
    const path = await configure(
      { backoffSeconds: 0.01, courier: webhook(receiver.url, { concurrency: 1 }) },
      { http: { port: await freePort() } },
    );
    const host = run(path);
    for (const seller of ["10", "20", "30"]) await scan(seller, "AAAAAA");
    await host.line(/"the receiver is gone; nothing is delivered until/, START);
    expect(receiver.received).toHaveLength(1);
    const { port } = JSON.parse((await host.line(/.*"listening".*/))[0]) as { port: number };
    const health = (await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()) as object;
    expect(health).toMatchObject({
      status: "ok",
      topics: { packages: { gate: "disabled", gateReason: "HTTP 410: gone for good", courier: receiver.url } },
    });
    await stopped(host);
    // Nor does a host that starts afterwards.
    const next = run(await configure({ backoffSeconds: 0.01, courier: webhook(receiver.url) }));
    await next.line(/"the receiver is gone/, START);
    await stopped(next);
    expect(receiver.received).toHaveLength(1);
    // A test that arrives opens it.
    receiver.answer = status(204);
    const test = run(path, ["notify", "send-test", "packages"]);
    expect((await test.exit).code, test.errors.join()).toBe(0);
    const last = run(path, ["run", "notify"]);
    expect((await last.exit).code).toBe(0);
    expect(JSON.parse(last.lines[0]!)).toMatchObject({ job: "notify", ok: true, delivered: 3, failed: 0 });
    expect(
      receiver.received
        .slice(2)
        .map(messageOf)
        .map(({ subject }) => subject)
        .sort(),
    ).toEqual(["10", "20", "30"]);
  });

  it("Retry-After holds for every host, and for those that start later", async () => {
    const receiver = await startReceiver(status(429, { "retry-after": "3600" }));
    const path = await configure({ backoffSeconds: 0, courier: webhook(receiver.url) });
    const host = run(path);
    await scan("10", "AAAAAA");
    await host.line(/"the receiver asks to wait"/, START);
    await stopped(host);
    const once = run(path, ["run", "notify"]);
    expect((await once.exit).code).toBe(1);
    expect(JSON.parse(once.lines[0]!)).toMatchObject({
      ok: false,
      delivered: 0,
      problems: [expect.stringMatching(/^packages: paused until .*HTTP 429/)],
    });
    expect(receiver.received).toHaveLength(1);
  });

  it("waits while Redis is away, and acknowledges what was delivered meanwhile", async () => {
    const answers: (() => void)[] = [];
    const receiver = await startReceiver(
      (_received, response) => void answers.push(() => response.writeHead(204).end()),
    );
    const host = await serve({ courier: webhook(receiver.url, { timeoutSeconds: 20 }) });
    await scan("10", "AAAAAA");
    await until(() => answers.length === 1, START);
    await server.kill();
    answers[0]!();
    await host.line(/"redis is away/, START);
    await server.restart();
    await until(async () => (await state().catch(() => undefined))?.delivered === 1, START);
    await scan("20", "BBBBBB");
    await until(() => answers.length === 2, START);
    answers[1]!();
    await until(async () => (await state()).delivered === 2);
    expect(receiver.received.map(messageOf).map(({ subject }) => subject)).toEqual(["10", "20"]);
    await stopped(host);
  });

  it("writes notifications to standard output, and its log to standard error", async () => {
    const host = await serve({ courier: { type: "stdout" } });
    await scan("10", "AAAAAA");
    const [line] = await host.line(/^\{.*\}$/, START);
    expect(JSON.parse(line)).toMatchObject({ topic: "packages", subject: "10", items: ["AAAAAA"], attempt: 1 });
    await until(async () => (await state()).delivered === 1);
    await stopped(host);
    expect(host.lines).toHaveLength(1);
    expect(host.errors.every((each) => each.startsWith("{"))).toBe(true);
  });

  it("goes on where entries are broken, and applies what is configured", async () => {
    const receiver = await startReceiver();
    const host = await serve({
      stream: "scans",
      subject: "who",
      item: "what",
      prefix: "WHO:",
      attempts: 4,
      courier: webhook(receiver.url),
    });
    await ready(host);
    expect(await functions.getTopic({ topic: "packages" })).toMatchObject({
      stream: "scans",
      subject: "who",
      item: "what",
      prefix: "WHO:",
      quiet: 300,
      attempts: 4,
      lease: 60_000,
    });
    await server.client.xAdd("scans", "*", { who: "10" });
    await server.client.xAdd("scans", "*", { what: "AAAAAA" });
    await server.client.xAdd("scans", "*", { who: "x".repeat(2 ** 20), what: "AAAAAA" });
    await server.client.xAdd("scans", "*", { who: "10", what: "AAAAAA" });
    await until(async () => (await state()).delivered === 1, START);
    expect((await state()).rejected.reduce((sum, [, count]) => sum + count, 0)).toBe(3);
    await stopped(host);
  });

  it("counts and measures", async () => {
    const receiver = await startReceiver(status(503));
    const port = await freePort();
    const host = await serve({ attempts: 2, backoffSeconds: 0.01, courier: webhook(receiver.url) }, { http: { port } });
    await scan("10", "AAAAAA");
    await host.line(/"notification is dead/, START);
    receiver.answer = status(204);
    await scan("20", "BBBBBB");
    await until(async () => (await state()).delivered === 1, START);
    await until(() => host.lines.some((line) => /"delivered"/.test(line)));
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    for (const line of [
      'hotpath_deliveries_total{topic="packages",outcome="delivered"} 1',
      'hotpath_deliveries_total{topic="packages",outcome="failed"} 2',
      'hotpath_delivery_failures_total{topic="packages",reason="http_503"} 2',
      'hotpath_notifications_died_total{topic="packages"} 1',
      'hotpath_delivery_duration_seconds_count{topic="packages"} 3',
      'hotpath_ingested_scans_total{topic="packages",outcome="accepted"} 2',
      'hotpath_notifications{topic="packages",state="dead"} 1',
      'hotpath_notification_lag_seconds{topic="packages"} 0',
      'hotpath_scan_lag_seconds{topic="packages"} 0',
      'hotpath_scan_missing_entries{topic="packages"} 0',
    ]) {
      expect(metrics.split("\n")).toContain(line);
    }
    await stopped(host);
  });

  describe("mistakes", () => {
    it.each([
      [
        { courier: webhook("http://127.0.0.1:1/") },
        {},
        /^hotpath: notifier\.topics\.packages\.courier\.secretEnv: the environment has no HOTPATH_WEBHOOK_SECRET/,
      ],
      [
        { courier: webhook("http://127.0.0.1:1/") },
        { HOTPATH_WEBHOOK_SECRET: "hunter2" },
        /^hotpath: HOTPATH_WEBHOOK_SECRET: its secret 1 of 1 must be whsec_/,
      ],
      [{ quietSeconds: 10, maxWaitSeconds: 5 }, {}, /^hotpath: .*maxWaitSeconds: 5 is less than quietSeconds/],
      [
        { courier: webhook("http://127.0.0.1:1/", { secretEnv: null, timeoutSeconds: 56 }) },
        {},
        /^hotpath: notifier\.topics\.packages\.courier\.timeoutSeconds: 56 must be at least 5 less than leaseSeconds, which is 60/,
      ],
    ])("%j", async (topic, env, message) => {
      const host = run(await configure(topic), ["serve"], { HOTPATH_WEBHOOK_SECRET: undefined, ...env });
      expect((await host.exit).code).toBe(1);
      expect(host.errors).toEqual([expect.stringMatching(message)]);
      expect([...host.lines, ...host.errors].join()).not.toContain("hunter2");
    });
  });
});
