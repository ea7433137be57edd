/*
 * Ingest and rotation against a plain model: any events, in any order, with rotations of any kind in between, by a clock that
 * goes on, jumps and goes back. HOTPATH_RUNS multiplies the number of runs.
 */
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useServer } from "../support/server";
import {
  age,
  DEVICES,
  expectCounts,
  expectFinished,
  expectRanking,
  expectSettled,
  options,
  requireExactDevices,
} from "../support/tracker-checks";
import {
  DAY_MS,
  drainRotations,
  EPOCH_MS,
  HOUR_MS,
  MINUTE_MS,
  record,
  type Dimension,
  type SentEvent,
} from "../support/tracker-model";
import { fcall, loadLibrary } from "../support/functions";
import { DIMENSIONS, MADE_TIERS, Reference, TIERS } from "../support/tracker-reference";

const RUNS = 40 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const STEPS = 30;
const SECOND_MS = 1000;

/** Points of five minutes are kept 30 days: the clock stays where none of them ends. */
const LAST_MS = EPOCH_MS + 18 * DAY_MS;

/** What is not merged is kept for 8 days from its last write; the host is never away for longer. */
const MAX_AWAY_MS = 7 * DAY_MS;

const HOSTS = ["a.example", "www.a.example", "b.example"];
const TABLES: Record<string, string>[] = [{}, { "a.example": "one" }, { "b.example": "one", "www.a.example": "two" }];

/** An event by its place in the tables above, and how long before the clock it happened. */
const eventArb = fc.record(
  {
    host: fc.constantFrom(...HOSTS),
    folder: fc.constantFrom("", "news/", "news/national/"),
    page: fc.integer({ min: 0, max: 2 }),
    device: fc.constantFrom(...DEVICES.slice(0, 8)),
    agoMs: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 90 * SECOND_MS }) },
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 20 * MINUTE_MS }) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 4 * HOUR_MS }) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 7 * DAY_MS }) },
      { weight: 1, arbitrary: fc.integer({ min: -5 * MINUTE_MS, max: 0 }) },
      { weight: 1, arbitrary: fc.constantFrom(7 * DAY_MS, 7 * DAY_MS + 1, -5 * MINUTE_MS, -5 * MINUTE_MS - 1) },
    ),
    audio: fc.constantFrom("song", "news"),
    video: fc.constant("film"),
    podcast: fc.constant("talk"),
  },
  { requiredKeys: ["host", "folder", "page", "device", "agoMs"] },
);
type EventPlan = typeof eventArb extends fc.Arbitrary<infer T> ? T : never;

const limitArb = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(10_000));
const stepArb = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("track"),
      how: fc.constantFrom("one by one", "in a batch", "through the stream"),
      events: fc.array(eventArb, { minLength: 1, maxLength: 8, size: "max" }),
      repeats: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("ingest"), limit: limitArb }) },
  {
    weight: 8,
    arbitrary: fc.record(
      {
        do: fc.constant("rotate"),
        metric: fc.constantFrom("rotate_pg", "rotate_ud"),
        tier: fc.constantFrom(...MADE_TIERS),
        dimension: fc.constantFrom(...DIMENSIONS),
        limit: limitArb,
        times: fc.integer({ min: 1, max: 3 }),
      },
      { requiredKeys: ["do", "metric", "limit", "times"] },
    ),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("go on"),
      ms: fc.oneof(
        { weight: 3, arbitrary: fc.integer({ min: SECOND_MS, max: 6 * MINUTE_MS }) },
        { weight: 3, arbitrary: fc.integer({ min: MINUTE_MS, max: 2 * HOUR_MS }) },
        { weight: 1, arbitrary: fc.integer({ min: HOUR_MS, max: 3 * DAY_MS }) },
      ),
      // A clock that jumps leaves all keys as they are; time that passes ends those whose life is over.
      passes: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("go back"), ms: fc.integer({ min: SECOND_MS, max: DAY_MS }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("name hosts"), table: fc.constantFrom(...TABLES) }) },
);

/**
 * In a slow history what would be days are hours, so that windows of the finer tiers are still kept when they are changed
 * again; in a fast one they are gone.
 */
const paceArb = fc.constantFrom("slow", "fast");
const SLOWER = 24;

/** Where the counts after a step look: a stretch of time before the clock. */
const probeArb = fc.record({
  endMs: fc.oneof(fc.integer({ min: -6 * MINUTE_MS, max: 2 * HOUR_MS }), fc.integer({ min: 0, max: 8 * DAY_MS })),
  lengthMs: fc.oneof(
    fc.integer({ min: 1, max: 2 * HOUR_MS }),
    fc.integer({ min: 1, max: 9 * DAY_MS }),
    fc.constantFrom(...TIERS.map((tier) => tier.lengthMs)),
  ),
  isAligned: fc.boolean(),
  at: fc.nat(1000),
  count: fc.integer({ min: 1, max: 5 }),
});

type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;
type Probe = typeof probeArb extends fc.Arbitrary<infer T> ? T : never;

const redis = useServer();

beforeAll(async () => {
  await loadLibrary(redis.client, "tracker");
  await requireExactDevices(redis.client);
});
beforeEach(() => redis.flush());

function paced(ms: number, pace: string): number {
  return pace === "slow" && ms > 10 * MINUTE_MS && ms < 7 * DAY_MS ? Math.floor(ms / SLOWER) : ms;
}

function eventOf({ host, folder, page, device, agoMs, ...media }: EventPlan, nowMs: number): SentEvent {
  return { url: `https://${host}/${folder}${page}.html`, uui: device, dt: nowMs - agoMs, ...media };
}

/** A server and its model side by side. */
class Session {
  readonly reference = new Reference();
  nowMs = EPOCH_MS;
  readonly #pace: string;
  /** How much time has passed since rotation had nothing left to do. */
  #awayMs = 0;
  /** What waits on the stream. */
  readonly #stream: SentEvent[] = [];

  constructor(pace: string) {
    this.#pace = pace;
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case "track":
        return this.#track(step);
      case "ingest":
        return this.#ingest(step.limit);
      case "rotate":
        return this.#rotate(step);
      case "go on":
        return this.#goOn({ ...step, ms: paced(step.ms, this.#pace) });
      case "go back":
        this.nowMs -= paced(step.ms, this.#pace);
        return;
      case "name hosts":
        return this.#nameHosts(step.table);
    }
  }

  async #track({ how, events, repeats }: Extract<Step, { do: "track" }>): Promise<void> {
    const planned = events.map((each) => eventOf({ ...each, agoMs: paced(each.agoMs, this.#pace) }, this.nowMs));
    const sent = Array.from({ length: repeats }, () => planned).flat();
    if (how === "through the stream") {
      for (const each of sent) {
        await redis.client.xAdd(
          "ST:TRACKER::::",
          "*",
          Object.fromEntries(Object.entries(each).map(([key, value]) => [key, String(value)])),
        );
      }
      this.#stream.push(...sent);
      return;
    }
    const batches = how === "one by one" ? sent.map((each) => [each]) : [sent];
    for (const batch of batches) {
      const expected = this.#count(batch);
      const reply = await record(
        redis.client,
        "track_events",
        ...batch.map((each) => JSON.stringify(each)),
        "NOW",
        this.nowMs,
      );
      expect(reply).toMatchObject(expected);
    }
  }

  async #ingest(limit: number): Promise<void> {
    const taken = this.#stream.splice(0, limit);
    const expected = { read: taken.length, ...this.#count(taken), remaining: this.#stream.length > 0 ? 1 : 0 };
    expect(await record(redis.client, "ingest_events", "LIMIT", limit, "NOW", this.nowMs)).toEqual(expected);
  }

  #count(events: SentEvent[]): { accepted: number; rejected: number; late: number } {
    const { accepted, rejected, late } = this.reference;
    for (const each of events) this.reference.add(each, this.nowMs);
    return {
      accepted: this.reference.accepted - accepted,
      rejected: this.reference.rejected - rejected,
      late: this.reference.late - late,
    };
  }

  async #rotate({ metric, tier, dimension, limit, times }: Omit<Extract<Step, { do: "rotate" }>, "do">): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      const given = options({ TIER: tier, DIMENSION: dimension, LIMIT: limit, NOW: this.nowMs });
      const reply = await record(redis.client, metric, ...given);
      expect(reply!["merged"]).toBeLessThanOrEqual(limit);
    }
    this.reference.rotated(this.nowMs, tier);
  }

  async #goOn({ ms, passes }: Extract<Step, { do: "go on" }>): Promise<void> {
    if (this.nowMs + ms > LAST_MS) return;
    // Where the clock was ahead and is set back, lives that were given by it are shorter than by the clock that goes on.
    const isAge = passes && this.nowMs >= this.reference.clockMs;
    if (isAge) {
      if (this.#awayMs + ms > MAX_AWAY_MS) await this.drain();
      await age(redis.client, ms);
      this.#awayMs += ms;
    }
    this.nowMs += ms;
    // A clock that comes back later finds what time has ended only where a rotation has gone by it.
    if (isAge) await this.#rotate({ metric: "rotate_pg", tier: "3HOURS", dimension: "PC", limit: 1, times: 1 });
  }

  async #nameHosts(table: Record<string, string>): Promise<void> {
    await fcall(redis.client, "configure_tracker", "HOSTS", JSON.stringify(table));
    this.reference.hosts = table;
  }

  async drain(): Promise<void> {
    await drainRotations(redis.client, this.nowMs);
    this.reference.rotated(this.nowMs, undefined);
    this.#awayMs = 0;
  }

  /** Compares what is asked about a stretch of time, whatever is in progress. */
  async probe({ endMs, lengthMs, isAligned, at, count }: Probe): Promise<void> {
    const to = this.nowMs - endMs;
    const toMs = isAligned ? to - (to % lengthMs) : to;
    const bounds = [toMs - lengthMs, toMs] as const;
    const ids: [Dimension, string][] = [];
    for (const dimension of DIMENSIONS) {
      const known = this.reference.ids(dimension);
      if (known.length > 0) ids.push([dimension, known[at % known.length]!]);
    }
    await expectCounts(redis.client, this.reference, ids, bounds, this.nowMs);
    await expectCounts(redis.client, this.reference, ids, [this.nowMs - 8 * DAY_MS, this.nowMs + HOUR_MS], this.nowMs);
    await expectRanking(redis.client, this.reference, DIMENSIONS[at % DIMENSIONS.length]!, bounds, this.nowMs, {
      count,
    });
    const website = [...this.reference.websites.keys()][at % 2];
    if (website === undefined) return;
    const dimension = (["W", "S", "P"] as const)[at % 3]!;
    await expectRanking(redis.client, this.reference, dimension, bounds, this.nowMs, { count, website });
  }

  /** Works off everything, and compares all that is held. */
  async finish(): Promise<void> {
    while (this.#stream.length > 0) await this.#ingest(10_000);
    await this.drain();
    await expectSettled(redis.client, this.reference, this.nowMs);
    this.nowMs = Math.max(this.reference.effectiveClock(this.nowMs), this.reference.span()?.lastMs ?? 0) + 4 * HOUR_MS;
    await this.drain();
    await expectFinished(redis.client, this.reference, this.nowMs);
  }
}

describe("any history", () => {
  it("is counted as by the model, at any moment", async () => {
    const history = fc.array(fc.record({ step: stepArb, probe: probeArb }), {
      minLength: 1,
      maxLength: STEPS,
      size: "max",
    });
    await fc.assert(
      fc.asyncProperty(paceArb, history, async (pace, moments) => {
        await redis.flush();
        const session = new Session(pace);
        for (const { step, probe } of moments) {
          await session.do(step);
          await session.probe({ ...probe, endMs: paced(probe.endMs, pace), lengthMs: paced(probe.lengthMs, pace) });
        }
        await session.finish();
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});
