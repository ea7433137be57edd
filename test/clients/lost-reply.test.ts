/*
 * A reply that is lost between Redis and a client with its default settings: what the client does by itself, and that nothing is
 * done twice under ONCE. Other languages' programs run where their client is installed.
 */
import { createClient } from "@redis/client";
import { Redis as IoRedis } from "ioredis";
import { Redis as IoValkey } from "iovalkey";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { functionsOf } from "../../host/deploy/client";
import { connect } from "../../host/redis/connection";
import { goRedis, redisPy, type Commands, type Program } from "../support/programs";
import { startProxy } from "../support/proxy";
import { event, useTracker } from "../support/tracker";

const tracker = useTracker();
beforeEach(() => tracker.server.flush());

/** What a client does by itself with a call whose connection was cut before the reply came, or fell silent. */
interface Habits {
  /** How often one FCALL, sent without ONCE, was made. */
  cut: 1 | 2;
  /** The same where the connection stays open and is silent; `waits` for a client that waits for ever. */
  stall: 1 | 2 | "waits";
}

type Client = Program & { name: string; habits: Habits };

const words = ([name, ...args]: string[]): [string, string[]] => [name!, args];

async function byIoredis(client: IoRedis | IoValkey, commands: Commands): Promise<unknown[]> {
  onTestFinished(() => client.disconnect());
  client.on("error", () => undefined);
  return Promise.all(commands.map((each) => client.call(...words(each))));
}

async function byNodeRedis(port: number, commands: Commands): Promise<unknown[]> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", () => undefined);
  onTestFinished(() => client.destroy());
  await client.connect();
  return Promise.all(commands.map((each) => client.sendCommand(each)));
}

const CLIENTS: Client[] = [
  {
    name: "ioredis",
    send: (port, commands) => byIoredis(new IoRedis(port), commands),
    habits: { cut: 2, stall: "waits" },
  },
  {
    name: "iovalkey",
    send: (port, commands) => byIoredis(new IoValkey(port), commands),
    habits: { cut: 2, stall: "waits" },
  },
  {
    name: "ioredis with maxRetriesPerRequest 0",
    send: (port, commands) => byIoredis(new IoRedis(port, { maxRetriesPerRequest: 0 }), commands),
    habits: { cut: 1, stall: "waits" },
  },
  { name: "node-redis", send: byNodeRedis, habits: { cut: 1, stall: "waits" } },
  { name: "redis-py", ...redisPy("sync"), habits: { cut: 2, stall: "waits" } },
  { name: "redis-py asyncio", ...redisPy("asyncio"), habits: { cut: 2, stall: "waits" } },
  { name: "redis-py without retries", ...redisPy("off"), habits: { cut: 1, stall: "waits" } },
  { name: "go-redis", ...goRedis("default"), habits: { cut: 2, stall: 2 } },
  { name: "go-redis with MaxRetries -1", ...goRedis("off"), habits: { cut: 1, stall: 1 } },
];

const COUNTED = ["accepted", 1, "rejected", 0, "late", 0, "errors", []];

/** How many events were counted. */
async function counted(): Promise<number> {
  const minutes = await tracker.client.keys("H:1MINUTE.OPEN:W:*");
  const views = await Promise.all(minutes.map((each) => tracker.client.hVals(each)));
  return views.flat().reduce((sum, each) => sum + Number(each), 0);
}

describe.each(CLIENTS)("$name", ({ send, habits, missing }) => {
  if (send === undefined) return it.skip(`is not on this machine: ${missing}`, () => undefined);

  const track = (mark: string, ...more: string[]): string[] => [
    "FCALL",
    "track_events",
    "0",
    event("http://a.example/x", mark, Date.now()),
    ...more,
  ];
  const lossy = async (mark: string, how: "cut" | "stall"): Promise<number> => {
    const proxy = await startProxy(tracker.server.port);
    proxy.lose(mark, how);
    return proxy.port;
  };

  it(`makes a call ${habits.cut === 2 ? "twice" : "once"} by itself when its connection is cut`, async () => {
    const port = await lossy("a-device", "cut");
    const outcome = await send(port, [track("a-device")]).catch((error: unknown) => error);
    if (habits.cut === 1) expect(outcome).toBeInstanceOf(Error);
    else expect(outcome).toEqual([COUNTED]);
    expect(await counted()).toBe(habits.cut);
  });

  it("counts once under ONCE, and a repeat of it is answered", async () => {
    const port = await lossy("a-device", "cut");
    const call = track("a-device", "ONCE", "a");
    const outcome = await send(port, [call]).catch((error: unknown) => error);
    if (habits.cut === 2) expect(outcome).toEqual([COUNTED]);
    expect(await counted()).toBe(1);
    expect(await send(port, [call])).toEqual([COUNTED]);
    expect(await counted()).toBe(1);
  });

  it("counts each call of a pipeline once", async () => {
    const port = await lossy("b-device", "cut");
    const calls = ["a", "b", "c"].map((each) => track(`${each}-device`, "ONCE", each));
    const outcome = await send(port, calls).catch((error: unknown) => error);
    if (habits.cut === 2) expect(outcome).toEqual([COUNTED, COUNTED, COUNTED]);
    expect(await send(port, calls)).toEqual([COUNTED, COUNTED, COUNTED]);
    expect(await counted()).toBe(3);
  });

  if (habits.stall === "waits") return;

  it(`makes a call ${habits.stall === 2 ? "twice" : "once"} when its connection falls silent, and once under ONCE`, async () => {
    const port = await lossy("a-device", "stall");
    await send(port, [track("a-device")]).catch(() => undefined);
    expect(await counted()).toBe(habits.stall);
    await tracker.server.flush();
    const other = await lossy("a-device", "stall");
    const call = track("a-device", "ONCE", "a");
    await send(other, [call]).catch(() => undefined);
    expect(await send(other, [call])).toEqual([COUNTED]);
    expect(await counted()).toBe(1);
  });
});

describe("this package", () => {
  it.each(["cut"] as const)("makes a call again whose connection was %s, and it counts once", async (how) => {
    const proxy = await startProxy(tracker.server.port);
    const connection = await connect(`redis://127.0.0.1:${proxy.port}`);
    onTestFinished(() => connection.close());
    proxy.lose("a-device", how);
    const events = [event("http://a.example/x", "a-device", Date.now())];
    expect(await functionsOf(connection).trackEvents({ events })).toMatchObject({ accepted: 1 });
    expect(await counted()).toBe(1);
  });

  it("makes it only once where it may not be named", async () => {
    const proxy = await startProxy(tracker.server.port);
    const connection = await connect(`redis://127.0.0.1:${proxy.port}`);
    onTestFinished(() => connection.close());
    proxy.lose("a-device", "cut");
    const events = [event("http://a.example/x", "a-device", Date.now())];
    await expect(functionsOf(connection, { once: false }).trackEvents({ events })).rejects.toMatchObject({
      maybeExecuted: true,
    });
    expect(await counted()).toBe(1);
  });
});
