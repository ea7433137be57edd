/* Many at once: streams, rotations and tracking, and a new version of the library under them. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useServer, type TestClient } from "../support/server";
import { allIds, DEVICES, expectCounts, expectFinished, requireExactDevices } from "../support/tracker-checks";
import { drainRotations, EPOCH_MS, HOUR_MS, MINUTE_MS, record, type SentEvent } from "../support/tracker-model";
import { loadLibrary } from "../support/functions";
import { until } from "../support/wait";
import { MADE_TIERS, Reference } from "../support/tracker-reference";

const redis = useServer();
const CLIENTS = 20;
const NOW_MS = EPOCH_MS + 2 * HOUR_MS;
const END_MS = NOW_MS + 4 * HOUR_MS;
const SLICES = [1, 2, 7, 50, 10_000];
let clients: TestClient[] = [];

beforeAll(async () => {
  await loadLibrary(redis.client, "tracker");
  await requireExactDevices(redis.client);
  clients = await Promise.all(Array.from({ length: CLIENTS }, () => redis.connect()));
});
beforeEach(() => redis.flush());

/** Events of the last two hours on a few pages of two websites. */
function events(count: number, reference: Reference): SentEvent[] {
  const made = Array.from({ length: count }, (_, at): SentEvent => {
    const url = `https://${at % 2 === 0 ? "a" : "b"}.example/s${at % 3}/${at % 7}.html`;
    return { url, uui: DEVICES[at % DEVICES.length]!, dt: NOW_MS - ((at * 7919) % (2 * HOUR_MS)) };
  });
  for (const each of made) reference.add(each, NOW_MS);
  return made;
}

async function addToStream(sent: SentEvent[]): Promise<void> {
  await Promise.all(
    sent.map(({ url, uui, dt }) => redis.client.xAdd("ST:TRACKER::::", "*", { url, uui, dt: String(dt) })),
  );
}

/** Calls ingest_events until nothing remains, and at most so often; how many entries its calls have read. */
async function ingest(client: TestClient, limit: number, calls = Infinity): Promise<number> {
  let read = 0;
  for (let remaining: unknown = 1, call = 0; remaining === 1 && call < calls; call += 1) {
    const reply = await record(client, "ingest_events", "LIMIT", limit, "NOW", NOW_MS);
    read += reply!["read"] as number;
    remaining = reply!["remaining"];
  }
  return read;
}

/** Calls a rotation, with other options each time, until told to stop. */
async function rotate(client: TestClient, at: number, goesOn: () => boolean): Promise<void> {
  for (let call = at; goesOn(); call += 1) {
    const tier = MADE_TIERS[call % 5];
    // Each tier with each limit.
    const limit = SLICES[(call + Math.floor(call / 5)) % SLICES.length]!;
    const options = tier === undefined ? [] : ["TIER", tier];
    await record(client, call % 2 === 0 ? "rotate_pg" : "rotate_ud", ...options, "LIMIT", limit, "NOW", NOW_MS);
  }
}

/** Runs until the first tasks are done; the others are told then. */
async function alongside(
  tasks: Promise<unknown>[],
  others: (goesOn: () => boolean) => Promise<unknown>[],
): Promise<void> {
  let isDone = false;
  const all = others(() => !isDone);
  await Promise.all(tasks).finally(() => (isDone = true));
  await Promise.all(all);
}

async function expectAll(reference: Reference): Promise<void> {
  reference.rotated(NOW_MS, undefined);
  await expectCounts(redis.client, reference, allIds(reference), [EPOCH_MS - HOUR_MS, NOW_MS + MINUTE_MS], NOW_MS);
  await drainRotations(redis.client, END_MS, "LIMIT", 30);
  reference.rotated(END_MS, undefined);
  // Which events were late is the race's to say.
  const status = await record(redis.client, "get_tracker_status", "NOW", END_MS);
  reference.late = status!["late"] as number;
  await expectFinished(redis.client, reference, END_MS);
}

describe("20 clients at once", () => {
  it("ingest one stream, each entry once in total", async () => {
    const reference = new Reference();
    await addToStream(events(3000, reference));
    // Each has a slice before any has two: nobody has it all to himself, or nothing would be raced for.
    const first = await Promise.all(clients.map((client, at) => ingest(client, SLICES[at % 3]!, 1)));
    expect(first).toEqual(clients.map((_, at) => SLICES[at % 3]));
    const read = await Promise.all(clients.map((client, at) => ingest(client, SLICES[at % 3]!)));
    expect([...first, ...read].reduce((sum, each) => sum + each, 0)).toBe(3000);
    await expectAll(reference);
  });

  it("ingest a stream that is written to meanwhile", async () => {
    const reference = new Reference();
    const sent = events(2000, reference);
    let isSent = false;
    const followers = clients.slice(1).map(async (client, at) => {
      let read = 0;
      for (let isLast = false; !isLast;) {
        isLast = isSent;
        read += await ingest(client, SLICES[at % SLICES.length]!);
      }
      return read;
    });
    for (let at = 0; at < sent.length; at += 50) await addToStream(sent.slice(at, at + 50));
    isSent = true;
    expect((await Promise.all(followers)).reduce((sum, each) => sum + each, 0)).toBe(2000);
    await expectAll(reference);
  });

  it("rotate while others track and ingest", async () => {
    const reference = new Reference();
    const sent = events(2400, reference);
    await addToStream(sent.slice(0, 800));
    const trackers = clients.slice(0, 6).map(async (client, at) => {
      const own = sent.slice(800).filter((_, position) => position % 6 === at);
      // One by one and in batches.
      const size = at < 3 ? 1 : 40;
      for (let from = 0; from < own.length; from += size) {
        const batch = own.slice(from, from + size).map((each) => JSON.stringify(each));
        expect(await record(client, "track_events", ...batch, "NOW", NOW_MS)).toMatchObject({ accepted: batch.length });
      }
    });
    const ingesters = clients.slice(6, 10).map((client) => ingest(client, 7));
    await alongside([...trackers, ...ingesters], (goesOn) =>
      clients.slice(10).map((client, at) => rotate(client, at, goesOn)),
    );
    await expectAll(reference);
  });

  it("rotate one backlog, each record once in total", async () => {
    const reference = new Reference();
    const sent = events(1500, reference);
    await Promise.all(
      clients.map((client, at) => {
        const own = sent.filter((_, position) => position % CLIENTS === at).map((each) => JSON.stringify(each));
        return record(client, "track_events", ...own, "NOW", NOW_MS);
      }),
    );
    // Small slices only: one large one would leave nothing for the others.
    await Promise.all(clients.map((client, at) => drainRotations(client, END_MS, "LIMIT", 5 + at)));
    reference.rotated(END_MS, undefined);
    await expectAll(reference);
  });

  it("go on while the library is loaded again and again", async () => {
    const reference = new Reference();
    const sent = events(1600, reference);
    await addToStream(sent.slice(0, 800));
    let loads = 0;
    const trackers = clients.slice(0, 8).map(async (client, at) => {
      const own = sent.slice(800).filter((_, position) => position % 8 === at);
      for (const [position, each] of own.entries()) {
        // The second half not before the library was loaded twice.
        if (position === own.length / 2) await until(() => loads > 1);
        expect(await record(client, "track_events", JSON.stringify(each), "NOW", NOW_MS)).toMatchObject({
          accepted: 1,
        });
      }
    });
    const loading = async (client: TestClient, goesOn: () => boolean): Promise<void> => {
      for (; goesOn(); loads += 1) await loadLibrary(client, "tracker");
    };
    await alongside([...trackers, ...clients.slice(8, 12).map((client) => ingest(client, 2))], (goesOn) => [
      loading(clients[12]!, goesOn),
      ...clients.slice(13).map((client, at) => rotate(client, at, goesOn)),
    ]);
    await expectAll(reference);
  });
});
