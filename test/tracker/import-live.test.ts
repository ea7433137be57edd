/*
 * A back-fill beside live counting: whenever rotations come, in slices of any size, the log ends in the series as if it had been
 * counted in its own time, and nothing of today is different from a day without it. HOTPATH_RUNS multiplies the runs.
 */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { contents, DAY, event, HOUR, MINUTE, sha1, useTracker } from "../support/tracker";
import type { Argument } from "../support/functions";

const RUNS = 12 * Number(process.env["HOTPATH_RUNS"] ?? 1);
const tracker = useTracker();
const TODAY = Date.UTC(2026, 0, 15, 6);
const SOURCE = "log";

interface Visit {
  page: number;
  device: number;
  atMs: number;
}

const PAGES = 4;
const urlOf = (page: number): string => `https://${page % 2 === 0 ? "a" : "b"}.example/s${page % 3}/${page}.html`;
const jsonOf = ({ page, device, atMs }: Visit): string => event(urlOf(page), `device${device}`, atMs);

const IDS: [dimension: string, id: string][] = [
  ...["a.example", "b.example"].map((name): [string, string] => ["W", sha1(name)]),
  ...Array.from({ length: PAGES }, (_, page): [string, string] => ["P", sha1(urlOf(page).slice("https://".length))]),
];
const TIERS = ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"];

/** All series in a stretch of time. */
async function seriesOf(fromMs: number, toMs: number): Promise<Record<string, unknown>> {
  const series: Record<string, unknown> = {};
  for (const [dimension, id] of IDS) {
    for (const tier of TIERS) {
      for (const name of ["range_pg", "range_ud"]) {
        series[`${name} ${dimension} ${id} ${tier}`] = await tracker.read(
          name,
          dimension,
          id,
          "TIER",
          tier,
          "FROM",
          fromMs,
          "TO",
          toMs,
        );
      }
    }
  }
  return series;
}

async function drain(nowMs: number): Promise<void> {
  for (const name of ["rotate_pg", "rotate_ud"]) await tracker.drain(name, "LIMIT", 1000, "NOW", nowMs);
}

/** The log counted in its own time: every visit when it came, every window rotated when it was over. */
async function countInItsTime(log: readonly Visit[]): Promise<void> {
  let nowMs = 0;
  for (const visit of log) {
    const before = nowMs;
    nowMs = Math.max(nowMs, visit.atMs);
    if (before > 0 && Math.floor(before / (5 * MINUTE)) !== Math.floor(nowMs / (5 * MINUTE))) await drain(nowMs);
    await tracker.call("track_events", jsonOf(visit), "NOW", nowMs);
  }
  await drain(nowMs + 4 * HOUR);
}

/** What happens while a log is imported, at a time of today. */
type Step =
  | { do: "import"; size: number; repeats: number }
  | { do: "stale"; back: number }
  | { do: "visit"; page: number; device: number; agoMs: number }
  | { do: "rotate"; name: "rotate_pg" | "rotate_ud"; limit: number; times: number }
  | { do: "wait"; ms: number };

const stepArb: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("import" as const),
      size: fc.integer({ min: 0, max: 12 }),
      repeats: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stale" as const), back: fc.integer({ min: 0, max: 4 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("visit" as const),
      page: fc.nat(PAGES - 1),
      device: fc.nat(9),
      agoMs: fc.integer({ min: 0, max: 20 * MINUTE }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("rotate" as const),
      name: fc.constantFrom("rotate_pg" as const, "rotate_ud" as const),
      limit: fc.constantFrom(1, 5, 1000),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 40 * MINUTE }) }),
  },
);

/** The importer's side: chunks by their places in the log. */
class Importer {
  #at = 0;
  readonly #sent: [from: number, to: number][] = [];
  readonly #log: readonly Visit[];
  readonly #source: string;

  constructor(log: readonly Visit[], source = SOURCE) {
    this.#log = log;
    this.#source = source;
  }

  get isDone(): boolean {
    return this.#at >= this.#log.length;
  }

  async send(size: number): Promise<void> {
    const to = Math.min(this.#at + size, this.#log.length);
    if (to === this.#at) return;
    this.#sent.push([this.#at, to]);
    expect(await this.#chunk(this.#at, to)).toMatchObject({
      counted: 1,
      position: String(to),
      accepted: to - this.#at,
      rejected: 0,
    });
    this.#at = to;
  }

  /** A call that was sent before, again. */
  async sendAgain(back: number): Promise<void> {
    const [from, to] = this.#sent.at(-1 - back) ?? [0, 0];
    if (to > 0)
      expect(await this.#chunk(from, to)).toMatchObject({ counted: 0, position: String(this.#at), accepted: 0 });
  }

  async end(): Promise<void> {
    await tracker.call("import_events", this.#source, this.#at, this.#at, "HOLD", 0);
  }

  #chunk(from: number, to: number): Promise<Record<string, unknown>> {
    const visits = this.#log.slice(from, to);
    const clockMs = Math.max(...visits.map(({ atMs }) => atMs));
    return tracker.record(
      "import_events",
      this.#source,
      from === 0 ? "-" : from,
      to,
      ...visits.map(jsonOf),
      "NOW",
      clockMs,
    );
  }
}

/** A day with live visits and rotations; with importers, their work too. */
async function liveDay(steps: readonly Step[], importers: readonly Importer[]): Promise<number> {
  let nowMs = TODAY;
  let turn = 0;
  for (const step of steps) {
    const importer = importers[turn++ % Math.max(importers.length, 1)];
    if (step.do === "wait") nowMs += step.ms;
    else if (step.do === "visit")
      await tracker.call("track_events", jsonOf({ ...step, atMs: nowMs - step.agoMs }), "NOW", nowMs);
    else if (step.do === "rotate") await rotate(step, nowMs);
    else if (step.do === "stale") await importer?.sendAgain(step.back);
    else {
      await importer?.send(step.size);
      for (let time = 1; time < step.repeats; time += 1) await importer?.sendAgain(0);
    }
  }
  for (const importer of importers) {
    while (!importer.isDone) {
      await importer.send(9);
      await drain(nowMs);
    }
  }
  for (const importer of importers) await importer.end();
  await drain(nowMs);
  return nowMs;
}

async function rotate({ name, limit, times }: Extract<Step, { do: "rotate" }>, nowMs: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    const options: Argument[] = ["LIMIT", limit, "NOW", nowMs];
    await tracker.call(name, ...options);
  }
}

/** How long after its start a window is kept, by tier. */
const KEPT: Record<string, number> = {
  "1MINUTE": 61 * MINUTE,
  "5MINUTES": 35 * MINUTE,
  "10MINUTES": 70 * MINUTE,
  "1HOUR": 25 * HOUR,
  "3HOURS": 7 * DAY + 3 * HOUR,
};

/** Whether a key is of a window of today that is kept. */
function isKept(key: string, nowMs: number): boolean {
  const [, tier = "", start = ""] = /^\w+:(\w+)(?:\.OPEN)?:.*:(\d{13}):(?:PG|UD)$/.exec(key) ?? [];
  return Number(start) >= TODAY - DAY && Number(start) + (KEPT[tier] ?? 0) > nowMs;
}

/** What is held of windows of today, and what is answered about them. */
async function today(nowMs: number): Promise<unknown> {
  const held = Object.entries(await contents(tracker.client))
    .filter(([key]) => isKept(key, nowMs))
    .map(([key, { value }]) => [key, value]);
  const rankings = await Promise.all(
    ["W", "S", "P"].map((dimension) =>
      tracker.call("rank_pg", dimension, "FROM", TODAY - DAY, "TO", nowMs + 1, "NOW", nowMs),
    ),
  );
  return { held, rankings, series: await seriesOf(TODAY - DAY, nowMs + DAY) };
}

/** Visits with some disorder: a line is written when its request has ended. */
const logArb = (spanMs: number): fc.Arbitrary<Visit[]> =>
  fc
    .array(
      fc.record({ page: fc.nat(PAGES - 1), device: fc.nat(30), atMs: fc.nat(spanMs), lateMs: fc.nat(20 * MINUTE) }),
      { minLength: 1, maxLength: 90, size: "max" },
    )
    .map((visits) => visits.toSorted((a, b) => a.atMs + a.lateMs - b.atMs - b.lateMs));

/** Kept by today's clock, older than live counting takes, older than points are kept. */
const ageArb = fc.constantFrom(2 * DAY, 3 * DAY + 7 * MINUTE, 8 * DAY, 20 * DAY, 45 * DAY, 700 * DAY);

function at(visits: readonly Visit[], startMs: number): Visit[] {
  return visits.map((visit) => ({ ...visit, atMs: startMs + visit.atMs }));
}

describe("a log imported into a live server", () => {
  beforeEach(() => tracker.server.flush());

  it("ends in the series as if counted in its own time, and changes nothing of today", async () => {
    const span = 7 * HOUR;
    await fc.assert(
      fc.asyncProperty(
        logArb(span),
        ageArb,
        fc.array(stepArb, { maxLength: 60, size: "max" }),
        async (visits, ageMs, steps) => {
          const startMs = TODAY - ageMs;
          const log = at(visits, startMs);
          await tracker.server.flush();
          await countInItsTime(log);
          const expected = await seriesOf(startMs, startMs + span + 3 * HOUR);
          await tracker.server.flush();
          const withoutIt = await today(await liveDay(steps, []));
          await tracker.server.flush();
          const nowMs = await liveDay(steps, [new Importer(log)]);
          expect(await seriesOf(startMs, startMs + span + 3 * HOUR)).toEqual(expected);
          expect(await today(nowMs)).toEqual(withoutIt);
        },
      ),
      { numRuns: RUNS },
    );
  }, 600_000);

  it("of two servers, side by side, ends in the series as one log of both", async () => {
    const span = 7 * HOUR;
    await fc.assert(
      fc.asyncProperty(
        logArb(span),
        logArb(span),
        fc.array(stepArb, { maxLength: 60, size: "max" }),
        async (one, other, steps) => {
          const startMs = TODAY - 20 * DAY;
          const both = at(
            [...one, ...other].toSorted((a, b) => a.atMs - b.atMs),
            startMs,
          );
          await tracker.server.flush();
          await countInItsTime(both);
          const expected = await seriesOf(startMs, startMs + span + 3 * HOUR);
          await tracker.server.flush();
          const importers = [new Importer(at(one, startMs), "one"), new Importer(at(other, startMs), "other")];
          // Both are announced before either goes on.
          for (const importer of importers) await importer.send(1);
          await liveDay(steps, importers);
          expect(await seriesOf(startMs, startMs + span + 3 * HOUR)).toEqual(expected);
        },
      ),
      { numRuns: RUNS / 2 },
    );
  }, 600_000);
});
