import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import { createWebhookCourier, type WebhookOptions } from "../../host/notifier/couriers/webhook";
import { deliver, notification, using } from "../support/notification";
import { startReceiver, status, type Answer } from "../support/receiver";
import { until } from "../support/wait";

const SECOND_MS = 1000;
const newSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

function courierOf(url: string, options: Partial<WebhookOptions> = {}) {
  const defaults = { secrets: [], connectTimeoutMs: 5000, answerTimeoutMs: 10_000, connections: 2 };
  return using(createWebhookCourier({ url, ...defaults, ...options }));
}

/** What becomes of a delivery to a receiver that answers so. */
async function deliveredTo(answer: Answer, timeoutMs?: number) {
  const receiver = await startReceiver(answer);
  return deliver(courierOf(receiver.url), notification(), timeoutMs);
}

describe("a webhook", () => {
  it("is a POST of JSON that the library of Standard Webhooks verifies, with each of several secrets", async () => {
    const receiver = await startReceiver(status(204));
    const secrets = [newSecret(), newSecret()];
    expect(await deliver(courierOf(receiver.url, { secrets }))).toEqual({ outcome: "delivered" });
    const [{ method, path, headers, body }] = receiver.received as [(typeof receiver.received)[0]];
    expect([method, path, headers["content-type"]]).toEqual(["POST", "/hook", "application/json"]);
    expect(headers["webhook-id"]).toBe("id-of-10");
    expect(headers["webhook-signature"]).toMatch(/^v1,\S+ v1,\S+$/);
    for (const secret of secrets) {
      expect(new Webhook(secret).verify(body, headers)).toEqual({
        type: "notifier.packages",
        timestamp: "2026-11-20T12:01:30.000Z",
        data: {
          id: "id-of-10",
          topic: "packages",
          subject: "10",
          items: ["AAAAAA", "BBBBBB", "CCCCCC"],
          first_at: 1795176000000,
          last_at: 1795176090000,
        },
      });
    }
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow(/No matching signature/);
    expect(() => new Webhook(secrets[0]!).verify(`${body} `, headers)).toThrow(/No matching signature/);
  });

  it("is the same text with the same id in every attempt", async () => {
    const receiver = await startReceiver();
    const courier = courierOf(receiver.url);
    for (const attempt of [1, 2]) await deliver(courier, notification({ attempt, token: `t${attempt}` }));
    const [first, second] = receiver.received;
    expect(second!.body).toBe(first!.body);
    expect(second!.headers["webhook-id"]).toBe(first!.headers["webhook-id"]);
    expect(first!.headers).not.toHaveProperty("webhook-signature");
  });

  it.each([200, 201, 202, 204, 299])("is delivered at %i", async (code) => {
    expect(await deliveredTo(status(code))).toEqual({ outcome: "delivered" });
  });

  it.each([
    [400, false],
    [401, false],
    [404, false],
    [408, true],
    [425, true],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
  ])("has failed at %i; retryable: %s", async (code, retryable) => {
    const delivery = await deliveredTo(status(code, {}, "the receiver's\n  own\u001b[31m words"));
    expect(delivery).toEqual({
      outcome: "failed",
      code: `http_${code}`,
      reason: `HTTP ${code}: the receiver's own�[31m words`,
      retryable,
    });
  });

  it.each([301, 302, 303, 307, 308])("does not follow a redirect: %i", async (code) => {
    const other = await startReceiver();
    const delivery = await deliveredTo(status(code, { location: `${other.url}?token=hidden` }));
    expect(delivery).toEqual({
      outcome: "failed",
      code: `http_${code}`,
      reason: `HTTP ${code} redirects to ${other.url}; redirects are not followed, change the url`,
      retryable: false,
    });
    expect(other.received).toEqual([]);
  });

  it("is wanted no more at 410", async () => {
    expect(await deliveredTo(status(410, {}, "moved out"))).toEqual({
      outcome: "disabled",
      code: "http_410",
      reason: "HTTP 410: moved out",
    });
  });

  it.each([429, 503])("obeys Retry-After of %i, in seconds and as a date", async (code) => {
    expect(await deliveredTo(status(code, { "retry-after": "120" }))).toMatchObject({ retryAfterMs: 120 * SECOND_MS });
    const date = new Date(Date.now() + 3600 * SECOND_MS);
    const { retryAfterMs } = (await deliveredTo(status(code, { "retry-after": date.toUTCString() }))) as {
      retryAfterMs: number;
    };
    expect(retryAfterMs).toBeGreaterThan(3500 * SECOND_MS);
    expect(retryAfterMs).toBeLessThanOrEqual(3600 * SECOND_MS);
    expect(await deliveredTo(status(code, { "retry-after": "soon" }))).not.toHaveProperty("retryAfterMs");
    expect(await deliveredTo(status(500, { "retry-after": "120" }))).not.toHaveProperty("retryAfterMs");
  });

  it.each(["86401", "9".repeat(400), "Fri, 20 Nov 2099 12:00:00 GMT"])(
    "waits a day at most, not %.30s",
    async (header) => {
      expect(await deliveredTo(status(429, { "retry-after": header }))).toMatchObject({
        retryAfterMs: 86_400 * SECOND_MS,
      });
    },
  );

  it("has failed where nobody listens", async () => {
    const receiver = await startReceiver();
    receiver.close();
    expect(await deliver(courierOf(receiver.url))).toMatchObject({
      outcome: "failed",
      code: "connection",
      retryable: true,
      reason: expect.stringContaining("ECONNREFUSED") as string,
    });
  });

  it("has failed where the receiver never answers, or closes early", async () => {
    expect(await deliveredTo(() => undefined, 300)).toEqual({
      outcome: "failed",
      code: "timeout",
      reason: "no answer within 300 ms",
      retryable: true,
    });
    expect(await deliveredTo((_received, response) => response.destroy())).toMatchObject({
      code: "connection",
      retryable: true,
    });
  });

  it("has failed where somebody answers who does not speak HTTP", async () => {
    const server = createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
    onTestFinished(() => void server.close());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    expect(await deliver(courierOf(`http://127.0.0.1:${port}/`))).toMatchObject({
      outcome: "failed",
      code: "connection",
    });
  });

  it("waits for a receiver that is slow, as long as it is in time", async () => {
    const receiver = await startReceiver((_received, response) => {
      setTimeout(() => response.writeHead(200).end(), 50);
    });
    expect(await deliver(courierOf(receiver.url))).toEqual({ outcome: "delivered" });
  });

  it.each([200, 500])("does not read an answer of a gigabyte: %i", async (code) => {
    const chunk = Buffer.alloc(65_536, "x");
    let written = 0;
    let closed = false;
    const delivery = await deliveredTo((_received, response) => {
      response.on("close", () => (closed = true));
      response.writeHead(code, { "content-length": String(2 ** 30) });
      const pour = (): void => {
        while (!closed && (written += chunk.length) < 2 ** 30 && response.write(chunk));
      };
      response.on("drain", pour);
      pour();
    });
    expect(delivery.outcome).toBe(code === 200 ? "delivered" : "failed");
    await until(() => closed, { what: "the connection to be closed" });
    // What the buffers of both ends hold, and no more.
    expect(written).toBeLessThan(32 * 2 ** 20);
    if (delivery.outcome === "failed") expect(delivery.reason).toHaveLength(300);
  });

  it("does not wait for the body of an answer whose status says it all", async () => {
    expect(await deliveredTo((_received, response) => void response.writeHead(200).write("…"), 5000)).toEqual({
      outcome: "delivered",
    });
  });

  it("keeps its connection", async () => {
    const receiver = await startReceiver(status(200, {}, "thank you"));
    const courier = courierOf(receiver.url, { connections: 1 });
    const ports = new Set<number | undefined>();
    receiver.answer = (_received, response) => {
      ports.add(response.socket?.remotePort);
      response.end("thank you");
    };
    for (let at = 0; at < 5; at += 1) await deliver(courier);
    expect(ports.size).toBe(1);
  });

  it("shows where it goes without what may be secret", () => {
    expect(courierOf("https://hooks.example/a/b?key=hidden").shown).toBe("https://hooks.example/a/b");
  });
});
