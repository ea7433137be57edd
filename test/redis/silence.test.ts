/* Connections that stay open and say nothing: they are given up with the cause, and made again. */
import { describe, expect, it, onTestFinished } from "vitest";
import { Link } from "../../host/redis/link";
import { UnavailableError } from "../../host/runtime/errors";
import { startProxy, type TestProxy } from "../support/proxy";
import { useServer } from "../support/server";
import { until } from "../support/wait";

const SILENCE_MS = 200;

const server = useServer();

async function openLink(port: number, silenceMs = SILENCE_MS): Promise<Link> {
  const access = { tls: false, credentials: {}, database: 0 };
  const endpoint = { host: "127.0.0.1", port };
  const link = await new Link(() => Promise.resolve(endpoint), access, undefined, silenceMs).open();
  onTestFinished(() => link.close());
  return link;
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function fallenSilent(): Promise<{ proxy: TestProxy; link: Link }> {
  const proxy = await startProxy(server.port);
  const link = await openLink(proxy.port);
  expect(await link.send(["ECHO", "a"])).toBe("a");
  proxy.silence();
  return { proxy, link };
}

describe("a connection that fell silent", () => {
  it("is given up with its cause, however often something is written, and made again", async () => {
    const { proxy, link } = await fallenSilent();
    const asking: Promise<unknown>[] = [];
    const timer = setInterval(() => asking.push(failureOf(link.send(["PING"]))), SILENCE_MS / 10);
    const error = await failureOf(link.send(["INCR", "counter"]));
    clearInterval(timer);
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toMatchObject({
      message: `127.0.0.1:${proxy.port}: no reply for 0.2 s, though the connection is open; it is given up`,
      maybeExecuted: true,
    });
    await Promise.all(asking);
    proxy.recover();
    await until(async () => (await failureOf(link.send(["PING"]))) === undefined);
    expect(await link.send(["GET", "counter"])).toBe("1");
  });

  it("holds up nothing after close", async () => {
    const { proxy, link } = await fallenSilent();
    const under = failureOf(link.send(["PING"]));
    await until(() => proxy.connections > 1, { what: "the link to connect anew" });
    expect(await under).toBeInstanceOf(UnavailableError);
    link.close();
    expect(await failureOf(link.send(["PING"]))).toMatchObject({ maybeExecuted: false });
  });
});

describe("a slow connection", () => {
  it("is kept while replies come, though something has been waiting for longer than the limit", async () => {
    const proxy = await startProxy(server.port, 2 * SILENCE_MS);
    const link = await openLink(proxy.port, 5 * SILENCE_MS);
    const replies: Promise<unknown>[] = [];
    for (let at = 0; at < 30; at += 1) {
      replies.push(link.send(["ECHO", String(at)]));
      await new Promise((resolve) => setTimeout(resolve, SILENCE_MS / 4));
    }
    expect(await Promise.all(replies)).toEqual(Array.from({ length: 30 }, (_, at) => String(at)));
    expect(proxy.connections).toBe(1);
  });
});

it("60,000 commands of one turn pass", async () => {
  const link = await openLink(server.port, 30_000);
  const replies = await Promise.all(Array.from({ length: 60_000 }, (_, at) => link.send(["ECHO", String(at)])));
  expect(replies.filter((reply, at) => reply !== String(at))).toEqual([]);
});
