/* `hotpath mirror`: another server's stream, each entry counted once, and a gap never passed over in silence. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { connect, type Connection } from "../../host/redis/connection";
import { functionsOf } from "../../host/deploy/client";
import { GapError, mirror, type MirrorOptions, type MirrorSummary } from "../../host/tracker/mirror/mirror";
import { compareIds } from "../../host/tracker/mirror/source";
import { runHotpath, type RunningProcess } from "../support/processes";
import { describeWithOwnServer, useServer } from "../support/server";
import { sha1, useTracker } from "../support/tracker";
import { until } from "../support/wait";

const STREAM = "ST:TRACKER::::";
const tracker = useTracker();
const source = useServer();
let here: Connection;

beforeAll(async () => void (here = await connect(tracker.server.url)));
afterAll(() => here.close());
beforeEach(async () => {
  await tracker.server.flush();
  await source.flush();
});

const nowMs = (): number => Date.now();

/** Adds entries to the source's stream. */
async function add(count: number, stream = STREAM): Promise<void> {
  const dt = String(nowMs());
  await Promise.all(
    Array.from({ length: count }, (_, at) =>
      source.client.xAdd(stream, "*", { url: `http://a.example/${at % 5}`, uui: `d${at % 30}`, dt, other: "x" }),
    ),
  );
}

/** Page views here. */
async function views(): Promise<number> {
  const reply = await tracker.call(
    "count_pg",
    "W",
    sha1("a.example"),
    "FROM",
    nowMs() - 3_600_000,
    "TO",
    nowMs() + 60_000,
  );
  return Number((reply as unknown[])[1]);
}

const said: string[] = [];
beforeEach(() => void (said.length = 0));

function options(more: Partial<MirrorOptions> = {}): MirrorOptions {
  return {
    url: source.url,
    stream: STREAM,
    untilEmpty: true,
    acceptGap: false,
    again: false,
    say: (text) => said.push(text),
    signal: new AbortController().signal,
    ...more,
  };
}

const once = (more: Partial<MirrorOptions> = {}): Promise<MirrorSummary> => mirror(functionsOf(here), options(more));

describe("a mirror", () => {
  it("counts each entry once, goes on where it ended, and leaves the source as it was", async () => {
    await add(2600);
    const before = await source.client.sendCommand(["XINFO", "STREAM", STREAM]);
    expect(await once()).toMatchObject({ entries: 2600, accepted: 2600, rejected: 0, missing: 0, done: true });
    expect(await once()).toMatchObject({ entries: 0, accepted: 0, done: true });
    expect(await source.client.sendCommand(["XINFO", "STREAM", STREAM])).toEqual(before);
    expect(await source.client.keys("*")).toEqual([STREAM]);
    await add(10);
    expect(await once()).toMatchObject({ entries: 10, accepted: 10 });
    expect(await views()).toBe(2610);
    expect(await tracker.client.exists("H:BACKFILL::::")).toBe(0);
  });

  it("refuses what the source would refuse, and counts anew if asked to", async () => {
    await add(3);
    await source.client.xAdd(STREAM, "*", { url: "http://a.example/", uui: "", dt: String(nowMs()) });
    expect(await once()).toMatchObject({ entries: 4, accepted: 3, rejected: 1 });
    expect(await once({ again: true })).toMatchObject({ accepted: 3 });
    expect(await views()).toBe(6);
  });

  it("counts entries by the clock of their ids: what was in time then is not too old now", async () => {
    const ms = nowMs() - 20 * 86_400_000;
    await source.client.xAdd(STREAM, `${ms}-0`, { url: "http://a.example/", uui: "d", dt: String(ms - 1000) });
    await source.client.xAdd(STREAM, `${ms + 1}-0`, { url: "http://a.example/", uui: "d", dt: String(ms + 3_600_000) });
    expect(await once()).toMatchObject({ accepted: 1, rejected: 1 });
  });

  it("keeps streams apart, and sources of another name", async () => {
    await add(5);
    await add(7, "other");
    expect(await once()).toMatchObject({ accepted: 5 });
    expect(await once({ stream: "other" })).toMatchObject({ accepted: 7 });
    expect(await once({ name: "cluster-a" })).toMatchObject({ accepted: 5, source: `mirror:cluster-a:${STREAM}` });
    expect(await once({ name: "cluster-a" })).toMatchObject({ accepted: 0 });
  });

  it("waits for what is to come, and stops at a signal", async () => {
    const stop = new AbortController();
    let seen = 0;
    const following = once({ untilEmpty: false, signal: stop.signal, onProgress: (entries) => void (seen = entries) });
    await add(3);
    await until(() => seen === 3);
    await add(4);
    await until(() => seen === 7);
    stop.abort();
    expect(await following).toMatchObject({ entries: 7, accepted: 7, done: false });
    expect(await views()).toBe(7);
  });

  it("several at once: each entry counts once", async () => {
    await add(5000);
    const summaries = await Promise.all([once(), once(), once()]);
    expect(summaries.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(5000);
    expect(await views()).toBe(5000);
  });

  it("works as a user who may only read", async () => {
    await add(5);
    await source.client.sendCommand([
      "ACL",
      "SETUSER",
      "mirror",
      "reset",
      "on",
      ">secret",
      "~*",
      "+xrange",
      "+xread",
      "+xinfo",
      "+ping",
      "+client",
      "+hello",
      "+select",
    ]);
    onTestFinished(async () => void (await source.client.sendCommand(["ACL", "DELUSER", "mirror"])));
    const url = new URL(source.url);
    url.username = "mirror";
    url.password = "secret";
    expect(await once({ url: url.href })).toMatchObject({ accepted: 5 });
    // Who logs in does not matter: it is the same source.
    expect(await once()).toMatchObject({ accepted: 0 });
  });

  it("answers what is wrong with the source", async () => {
    await source.client.set(STREAM, "text");
    await expect(once()).rejects.toThrow(/WRONGTYPE/);
    await source.flush();
    expect(await once()).toMatchObject({ entries: 0, done: true });
  });
});

describe("entries that went missing", () => {
  /** Some entries counted, then more that are added and trimmed. */
  async function lose(count: number, left: number): Promise<void> {
    await add(20);
    await once();
    await add(count + left);
    await source.client.xTrim(STREAM, "MAXLEN", left);
  }

  it("end it with their number, and are passed over only if that is accepted", async () => {
    await lose(30, 10);
    const failed = once();
    await expect(failed).rejects.toThrow(GapError);
    await expect(failed).rejects.toThrow(
      /30 entries of ST:TRACKER:::: of redis:.* after \d+-\d+ were removed before they could be counted; --accept-gap/,
    );
    expect(await views()).toBe(20);
    expect(await once({ acceptGap: true })).toMatchObject({ accepted: 10, missing: 30, done: true });
    expect(said.join()).toContain("GAP: 30 entries");
    expect(await once()).toMatchObject({ accepted: 0, missing: 0 });
    expect(await views()).toBe(30);
  });

  it("all of them", async () => {
    await lose(30, 0);
    await expect(once()).rejects.toThrow(/30 entries/);
    expect(await once({ acceptGap: true })).toMatchObject({ accepted: 0, missing: 30 });
    expect(await once()).toMatchObject({ missing: 0 });
    await add(2);
    expect(await once()).toMatchObject({ accepted: 2, missing: 0 });
  });

  it("are none where only counted ones were trimmed, to the last", async () => {
    await add(20);
    await once();
    await source.client.xTrim(STREAM, "MAXLEN", 0);
    expect(await once()).toMatchObject({ missing: 0 });
    await add(3);
    expect(await once()).toMatchObject({ accepted: 3, missing: 0 });
    await add(3);
    await source.client.xTrim(STREAM, "MAXLEN", 3);
    expect(await once()).toMatchObject({ accepted: 3, missing: 0 });
  });

  it("before the first entry there is are no gap: nothing was counted there", async () => {
    await add(20);
    await source.client.xTrim(STREAM, "MAXLEN", 5);
    expect(await once()).toMatchObject({ accepted: 5, missing: 0 });
    await source.client.xTrim(STREAM, "MAXLEN", 0);
    await add(2);
    await source.client.xTrim(STREAM, "MAXLEN", 1);
    await expect(once()).rejects.toThrow(/1 entries/);
  });

  it.each([3, 40])("a stream that was deleted and begun anew, with %i entries, is no silent matter", async (count) => {
    await add(20);
    await once();
    await source.client.del(STREAM);
    expect(await once()).toMatchObject({ missing: 0, accepted: 0 });
    await add(count);
    await expect(once()).rejects.toThrow(/was deleted and begun anew/);
    expect(await once({ acceptGap: true })).toMatchObject({ accepted: count });
    expect(await once()).toMatchObject({ accepted: 0 });
    expect(await views()).toBe(20 + count);
  });

  it("while it reads, under a source that trims all the time: counted and missing are all there ever were", async () => {
    const total = 6000;
    let accepted = 0;
    let missing = 0;
    const adding = (async () => {
      for (let at = 0; at < total; at += 200) {
        await add(200);
        await source.client.xTrim(STREAM, "MAXLEN", 50);
      }
    })();
    let isAdded = false;
    void adding.then(() => (isAdded = true));
    // The first look fixes where counting begins.
    await until(async () => (await source.client.xLen(STREAM)) > 0);
    const begun = await once({ acceptGap: true });
    accepted += begun.accepted;
    for (let last = false; !last;) {
      last = isAdded;
      const summary = await once({ acceptGap: true });
      accepted += summary.accepted;
      missing += summary.missing;
    }
    const kept = await tracker.record("get_import", begun.source);
    expect(Number(String(kept["position"]).split(":")[1])).toBe(total);
    expect(accepted + missing).toBeLessThanOrEqual(total);
    expect(await views()).toBe(accepted);
  });
});

it("ids are compared as numbers", () => {
  expect([
    compareIds("9-0", "10-0"),
    compareIds("10-2", "10-10"),
    compareIds("5-5", "5-5"),
    compareIds("18446744073709551615-1", "18446744073709551614-9"),
  ]).toEqual([-1, -1, 0, 1]);
});

describe("a mirror as a process", () => {
  const run = (...args: string[]): RunningProcess =>
    runHotpath(["mirror", source.url, "--json", ...args], {
      env: { REDIS_URL: tracker.server.url, ENV: undefined, CONFIG_PATH: undefined },
    });
  const counted = async (): Promise<number> =>
    Number(await tracker.client.hGet((await tracker.client.keys("H:IMPORT::*"))[0] ?? "none", "accepted"));

  it("killed with -9 again and again counts each entry once", async () => {
    await add(30_000);
    for (const share of [0.05, 0.3, 0.6]) {
      const process = run();
      await until(async () => (await counted()) >= share * 30_000, { timeoutMs: 60_000, intervalMs: 1 });
      process.signal("SIGKILL");
      await process.exit;
    }
    const last = run("--until-empty");
    expect(await last.exit).toEqual({ code: 0, signal: null });
    expect(await counted()).toBe(30_000);
    expect(await views()).toBe(30_000);
  }, 120_000);

  it("ends at SIGTERM with what it has done, and with 1 at a gap", async () => {
    await add(5);
    const process = run();
    await until(async () => (await counted()) === 5, { timeoutMs: 30_000 });
    process.signal("SIGTERM");
    expect(await process.exit).toEqual({ code: 0, signal: null });
    expect(JSON.parse(process.lines.join(""))).toMatchObject({ entries: 5, accepted: 5 });
    await add(3);
    await source.client.xTrim(STREAM, "MAXLEN", 1);
    const gap = run("--until-empty");
    expect((await gap.exit).code).toBe(1);
    expect(gap.errors.join("\n")).toMatch(/hotpath: 2 entries .* --accept-gap/);
  }, 60_000);
});

describeWithOwnServer("a source that goes away", () => {
  const moving = useServer({ persistence: true });

  it("is waited for, and followed on", async () => {
    const stop = new AbortController();
    let seen = 0;
    const visit = (): Promise<unknown> =>
      moving.client.xAdd(STREAM, "*", { url: "http://a.example/", uui: "d", dt: String(nowMs()) });
    await visit();
    const following = once({
      url: moving.url,
      untilEmpty: false,
      signal: stop.signal,
      onProgress: (entries) => void (seen = entries),
    });
    await until(() => seen === 1);
    await moving.restart({ signal: "SIGKILL" });
    await visit();
    await until(() => seen === 2, { timeoutMs: 20_000 });
    stop.abort();
    expect(await following).toMatchObject({ accepted: 2, missing: 0 });
  }, 40_000);
});
