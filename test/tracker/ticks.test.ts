/* Which of several hosts leads a tick: tracker_lead and tracker_done. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useServer } from "../support/server";
import { EPOCH_MS, HOUR_MS, MINUTE_MS } from "../support/tracker-model";
import { fcall, loadLibrary, type Argument } from "../support/functions";

const redis = useServer();
const SECOND_MS = 1000;
const SLOT = EPOCH_MS;
const DEFAULT_LEASE_MS = 30 * SECOND_MS;

beforeAll(() => loadLibrary(redis.client, "tracker"));
beforeEach(() => redis.flush());

const lead = (
  worker: string,
  nowMs: number,
  { slot = SLOT, job = "rotate-5m", lease }: { slot?: number; job?: string; lease?: number } = {},
): Promise<unknown> => {
  const options: Argument[] = lease === undefined ? [] : ["LEASE", lease];
  return fcall(redis.client, "tracker_lead", job, slot, worker, ...options, "NOW", nowMs);
};
const done = (worker: string, slot = SLOT, job = "rotate-5m"): Promise<unknown> =>
  fcall(redis.client, "tracker_done", job, slot, worker);

describe("a slot that many ask for", () => {
  it("is led by one of 20 that ask at once", async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => redis.connect()));
    const answers = await Promise.all(
      clients.map((client, at) => fcall(client, "tracker_lead", "rotate-5m", SLOT, `host-${at}`, "NOW", SLOT)),
    );
    expect([...answers].sort()).toEqual([...Array<number>(19).fill(0), 1]);
  });

  it("has a leader for each job", async () => {
    expect(await lead("one", SLOT, { job: "rotate-5m" })).toBe(1);
    expect(await lead("two", SLOT, { job: "rotate-10m" })).toBe(1);
  });
});

describe("a lease", () => {
  it.each([
    { given: "by default", lease: undefined, endMs: DEFAULT_LEASE_MS },
    { given: "of a second", lease: 1000, endMs: 1000 },
  ])("$given ends after $endMs ms, and another host takes over", async ({ lease, endMs }) => {
    expect(await lead("one", SLOT, lease === undefined ? {} : { lease })).toBe(1);
    expect(await lead("two", SLOT + endMs - 1)).toBe(0);
    expect(await lead("two", SLOT + endMs)).toBe(1);
    expect(await lead("one", SLOT + endMs)).toBe(0);
  });

  it("is renewed by asking again", async () => {
    await lead("one", SLOT);
    expect(await lead("one", SLOT + 20 * SECOND_MS)).toBe(1);
    expect(await lead("two", SLOT + 49 * SECOND_MS)).toBe(0);
    expect(await lead("two", SLOT + 50 * SECOND_MS)).toBe(1);
  });

  it("may be renewed after its end where nobody took over", async () => {
    await lead("one", SLOT);
    expect(await lead("one", SLOT + HOUR_MS)).toBe(1);
    expect(await lead("two", SLOT + HOUR_MS)).toBe(0);
  });
});

describe("a tick that is done", () => {
  it("is led by nobody again", async () => {
    await lead("one", SLOT);
    expect(await done("one")).toBe(1);
    expect(await lead("two", SLOT + HOUR_MS)).toBe(0);
    expect(await lead("one", SLOT + HOUR_MS)).toBe(0);
  });

  it("can be said to be done twice", async () => {
    await lead("one", SLOT);
    expect(await done("one")).toBe(1);
    expect(await done("one")).toBe(1);
  });

  it("leaves the next slot free", async () => {
    await lead("one", SLOT);
    await done("one");
    const slot = SLOT + 5 * MINUTE_MS;
    expect(await lead("two", slot, { slot })).toBe(1);
    expect(await lead("one", slot, { slot })).toBe(0);
  });

  it("is ended by its leader alone", async () => {
    expect(await done("one")).toBe(0);
    await lead("one", SLOT);
    expect(await done("two")).toBe(0);
    await lead("two", SLOT + DEFAULT_LEASE_MS);
    expect(await done("one")).toBe(0);
    expect(await lead("three", SLOT + 2 * DEFAULT_LEASE_MS)).toBe(1);
  });

  it("is not ended by one of an earlier slot", async () => {
    await lead("one", SLOT);
    const slot = SLOT + 5 * MINUTE_MS;
    await lead("one", slot, { slot });
    expect(await done("one", SLOT)).toBe(0);
    expect(await done("one", slot)).toBe(1);
  });
});

describe("a slot that is refused", () => {
  it("is one before the last that was led", async () => {
    await lead("one", SLOT);
    await done("one");
    expect(await lead("one", SLOT, { slot: SLOT - 1 })).toBe(0);
    expect(await lead("two", SLOT, { slot: SLOT - 5 * MINUTE_MS })).toBe(0);
  });

  it("is one more than a minute ahead of the clock", async () => {
    const ahead = lead("one", SLOT, { slot: SLOT + MINUTE_MS + 1 });
    await expect(ahead).rejects.toThrow(
      `BADARG slot is ${MINUTE_MS + 1} ms ahead of the clock, at most ${MINUTE_MS} are allowed`,
    );
    expect(await redis.client.keys("*")).toEqual([]);
    expect(await lead("one", SLOT, { slot: SLOT + MINUTE_MS })).toBe(1);
  });

  it("is one ahead of the server's clock, where NOW is left out", async () => {
    const nowMs = Number(((await redis.client.sendCommand(["TIME"])) as unknown as string[])[0]) * SECOND_MS;
    await expect(fcall(redis.client, "tracker_lead", "rotate-5m", nowMs + HOUR_MS, "one")).rejects.toThrow(
      /^BADARG slot is \d+ ms ahead/,
    );
    expect(await fcall(redis.client, "tracker_lead", "rotate-5m", nowMs, "one")).toBe(1);
  });

  it.each(["tracker_lead", "tracker_done"])("is one of a job with a colon, in %s", async (name) => {
    await expect(fcall(redis.client, name, "rotate:5m", SLOT, "one")).rejects.toThrow(
      "BADARG job must have no colon, got 'rotate:5m'",
    );
    expect(await redis.client.keys("*")).toEqual([]);
  });

  it.each(["tracker_lead", "tracker_done"])("is one of a job whose key holds something else, in %s", async (name) => {
    await redis.client.set("H:TICK::rotate-5m::", "foreign");
    await expect(fcall(redis.client, name, "rotate-5m", SLOT, "one")).rejects.toThrow(
      /^CONFLICT .*H:TICK::rotate-5m::/,
    );
  });
});
