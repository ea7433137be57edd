/*
 * A reply that is lost between Redis and a client with its default settings: what the client does by itself, and that nothing is
 * done twice under ONCE. Other languages' programs run where their client is installed.
 */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "@redis/client";
import { Redis as IoRedis } from "ioredis";
import { Redis as IoValkey } from "iovalkey";
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { functionsOf } from "../../host/deploy/client";
import { connect } from "../../host/redis/connection";
import { startProxy } from "../support/proxy";
import { event, useTracker } from "../support/tracker";

const tracker = useTracker();
beforeEach(() => tracker.server.flush());

type Commands = string[][];

/** Sends commands over a port with a client's default settings, several in a pipeline; rejects as the client does. */
type Sender = (port: number, commands: Commands) => Promise<unknown[]>;

/** What a client does by itself with a call whose connection was cut before the reply came, or fell silent. */
interface Habits {
  /** How often one FCALL, sent without ONCE, was made. */
  cut: 1 | 2;
  /** The same where the connection stays open and is silent; `waits` for a client that waits for ever. */
  stall: 1 | 2 | "waits";
}

interface Client {
  name: string;
  send: Sender | undefined;
  habits: Habits;
  /** Why it does not run here. */
  missing?: string;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A program that is given a port and commands as JSON, and prints what came. */
function program(file: string, args: string[]): Sender {
  return async (port, commands) => {
    const given = [...args, String(port), JSON.stringify(commands)];
    const { stdout } = await promisify(execFile)(file, given, { timeout: 50_000 });
    const { replies, error } = JSON.parse(stdout) as { replies?: unknown[]; error?: string };
    if (replies === undefined) throw new Error(error);
    return replies;
  };
}

const PYTHON = "python3";
const hasRedisPy = spawnSync(PYTHON, ["-c", "import redis.asyncio"]).status === 0;
const python = (kind: string): Pick<Client, "send" | "missing"> =>
  hasRedisPy
    ? { send: program(PYTHON, [here("lost-reply.py"), kind]) }
    : { send: undefined, missing: "python3 has no redis-py" };

const goDir = mkdtempSync(join(tmpdir(), "hotpath-go-"));
afterAll(() => rmSync(goDir, { recursive: true, force: true }));

/** Built from what is on this machine alone. */
function buildGo(): string | undefined {
  const target = join(goDir, "lost-reply");
  try {
    const env = { ...process.env, GOPROXY: "off", GOFLAGS: "-mod=mod", GOTOOLCHAIN: "local" };
    execFileSync("go", ["build", "-o", target, "."], { cwd: here("go"), env, stdio: "ignore" });
    return target;
  } catch {
    return undefined;
  }
}
const goProgram = buildGo();
const go = (kind: string): Pick<Client, "send" | "missing"> =>
  goProgram ? { send: program(goProgram, [kind]) } : { send: undefined, missing: "Go has no go-redis here" };

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
  { name: "redis-py", ...python("sync"), habits: { cut: 2, stall: "waits" } },
  { name: "redis-py asyncio", ...python("asyncio"), habits: { cut: 2, stall: "waits" } },
  { name: "redis-py without retries", ...python("off"), habits: { cut: 1, stall: "waits" } },
  { name: "go-redis", ...go("default"), habits: { cut: 2, stall: 2 } },
  { name: "go-redis with MaxRetries -1", ...go("off"), habits: { cut: 1, stall: 1 } },
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
