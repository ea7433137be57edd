import { describe, expect, test } from "vitest";
import { BAD_KINDS, type BadKind } from "../../demo/tracker/bad-events";
import { DEMO_SITES, pathsOf } from "../../demo/tracker/demo-sites";
import type { Arrival, TrafficEvent } from "../../host/tracker/import/event";
import { generateTraffic, type GenerateOptions } from "../../demo/tracker/generate";
import { seededRandom, weightedSampler, zipfWeights } from "../../demo/tracker/random";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const END_MS = Date.UTC(2026, 10, 20, 10, 5, 7);

function generated(options: Partial<GenerateOptions> = {}) {
  const traffic = generateTraffic({ endMs: END_MS, events: 20_000, ...options });
  const batches = [...traffic.batches()];
  return { traffic, batches, arrivals: batches.flat() };
}

/** Says by the tracker's rules, written anew here, why an event is bad; undefined where it is good. */
function badKindOf({ arrivalMs, event }: Arrival): BadKind | undefined {
  const wrong: Record<BadKind, boolean> = {
    "missing url": event.url === "",
    "relative url": event.url !== "" && !URL.canParse(event.url),
    "long url": Buffer.byteLength(event.url) > 2048,
    "empty uui": event.uui === "",
    "null uui": event.uui === "null",
    "long uui": Buffer.byteLength(event.uui) > 256,
    "malformed dt": !/^\d+$/.test(String(event.dt)),
    "too old": Number(event.dt) < arrivalMs - 7 * DAY_MS,
    "in the future": Number(event.dt) > arrivalMs + 5 * MINUTE_MS,
  };
  const kinds = BAD_KINDS.filter((kind) => wrong[kind]);
  expect(kinds.length, `more than one thing is wrong: ${kinds.join(", ")}`).toBeLessThanOrEqual(1);
  return kinds[0];
}

function pageOf(event: TrafficEvent): string {
  const url = new URL(event.url);
  return url.host + url.pathname;
}

function countBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, number> {
  const counts = new Map<K, number>();
  for (const item of items) {
    counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  }
  return counts;
}

describe("generateTraffic", () => {
  test("is the same for the same seed, and another for another", () => {
    expect(generated({ events: 2_000 }).arrivals).toEqual(generated({ events: 2_000 }).arrivals);
    expect(generated({ events: 2_000, seed: 2 }).arrivals).not.toEqual(generated({ events: 2_000 }).arrivals);
  });

  test("reads the same a second time, and its truth begins anew", () => {
    const { traffic, arrivals } = generated({ events: 2_000 });
    const truth = traffic.truth();
    expect([...traffic.batches()].flat()).toEqual(arrivals);
    expect(traffic.truth()).toEqual(truth);
  });

  test.each([1, 7, 199, 200, 1_001, 20_000])("yields %i events, exactly, in full batches", (events) => {
    const { batches, arrivals } = generated({ events, batchSize: 300 });
    expect(arrivals.length).toBe(events);
    expect(batches.slice(0, -1).every((batch) => batch.length === 300)).toBe(true);
    expect(batches.at(-1)!.length).toBe(events % 300 || 300);
  });

  test("arrives in order, within the simulated time, never before it was viewed", () => {
    const { traffic, arrivals } = generated();
    expect(traffic.startMs).toBe(END_MS - 26 * HOUR_MS);
    const times = arrivals.map(({ arrivalMs }) => arrivalMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(traffic.startMs);
    expect(times.at(-1)).toBeLessThanOrEqual(END_MS);
    const good = arrivals.filter((arrival) => badKindOf(arrival) === undefined);
    expect(good.filter(({ arrivalMs, event }) => Number(event.dt) > arrivalMs)).toEqual([]);
    expect(good.filter(({ event }) => Number(event.dt) < traffic.startMs)).toEqual([]);
  });

  test("its truth is what an independent count finds", () => {
    const { traffic, arrivals } = generated();
    const kinds = countBy(arrivals, badKindOf);
    const good = arrivals.filter((arrival) => badKindOf(arrival) === undefined);
    const truth = traffic.truth();

    expect(truth.good).toBe(kinds.get(undefined));
    expect(truth.bad).toBe(100);
    expect(truth.good + truth.bad).toBe(20_000);
    expect(truth.badByKind).toEqual(Object.fromEntries(BAD_KINDS.map((kind) => [kind, kinds.get(kind)])));
    // 100 bad events, nine kinds in turn: the first kind has one more. Three kinds of url, three of uui.
    expect(truth.badByReason).toEqual({ url: 34, uui: 33, dt: 11, old: 11, future: 11 });
    expect(truth.devices).toBe(new Set(good.map(({ event }) => event.uui)).size);
    expect(truth.late).toBe(good.filter(({ arrivalMs, event }) => arrivalMs - Number(event.dt) > MINUTE_MS).length);

    const websiteOf = ({ event }: Arrival) => new URL(event.url).host.replace(/^www\./, "");
    const views = countBy(good, websiteOf);
    expect(truth.sites.map((site) => site.website)).toEqual(DEMO_SITES.map((site) => site.website));
    for (const site of truth.sites) {
      const devices = new Set(good.filter((each) => websiteOf(each) === site.website).map(({ event }) => event.uui));
      expect(site).toEqual({ website: site.website, pageViews: views.get(site.website), devices: devices.size });
    }

    const pages = [...countBy(good, ({ event }) => pageOf(event))]
      .map(([page, pageViews]) => ({ page, pageViews }))
      .sort((a, b) => b.pageViews - a.pageViews || (a.page < b.page ? -1 : 1));
    expect(traffic.topPages(25)).toEqual(pages.slice(0, 25));
  });

  test("its truth in the middle is of what was read so far", () => {
    const traffic = generateTraffic({ endMs: END_MS, events: 1_000, batchSize: 10 });
    const batches = traffic.batches();
    batches.next();
    batches.next();
    expect(traffic.truth().good + traffic.truth().bad).toBe(20);
  });

  test("has every kind of bad event, spread over the time", () => {
    const { arrivals } = generated();
    const places = arrivals.flatMap((arrival, index) => (badKindOf(arrival) === undefined ? [] : [index]));
    expect(new Set(arrivals.map(badKindOf))).toEqual(new Set([undefined, ...BAD_KINDS]));
    expect(places[0]).toBeLessThan(1_000);
    expect(places.at(-1)).toBeGreaterThan(19_000);
  });

  test("a few percent are minutes late, some hours", () => {
    const { arrivals } = generated();
    const delays = arrivals
      .filter((arrival) => badKindOf(arrival) === undefined)
      .map(({ arrivalMs, event }) => arrivalMs - Number(event.dt));
    const share = (from: number, to: number) => delays.filter((ms) => ms > from && ms <= to).length / delays.length;
    expect(share(MINUTE_MS, HOUR_MS)).toBeGreaterThan(0.02);
    expect(share(MINUTE_MS, HOUR_MS)).toBeLessThan(0.05);
    expect(share(HOUR_MS, DAY_MS)).toBeGreaterThan(0.001);
    expect(share(HOUR_MS, DAY_MS)).toBeLessThan(0.01);
  });

  test("follows the day: far more in the evening than at night", () => {
    const { arrivals } = generated({ hours: 24 });
    const hours = countBy(arrivals, ({ arrivalMs }) => new Date(arrivalMs).getUTCHours());
    expect(hours.get(19)! / hours.get(3)!).toBeGreaterThan(5);
  });

  test("is Zipf over pages, and devices come back", () => {
    const { traffic } = generated({ events: 50_000 });
    const home = DEMO_SITES[0]!;
    const ofHome = traffic.topPages(5_000).filter(({ page }) => page.startsWith(home.host));
    // Rank 1 has twice the views of rank 2, three times those of rank 3.
    expect(ofHome[0]!.pageViews / ofHome[1]!.pageViews).toBeCloseTo(2, 0);
    expect(ofHome[0]!.pageViews / ofHome[2]!.pageViews).toBeGreaterThan(2.5);
    const { good, devices } = traffic.truth();
    expect(good / devices).toBeGreaterThan(3);
  });

  test("counts the traffic before an end in early 1970 too", () => {
    expect(generated({ endMs: HOUR_MS, events: 500 }).arrivals.length).toBe(500);
  });

  test.each([
    [{ events: 0 }, "events must be a positive whole number, got 0"],
    [{ events: 1.5 }, "events must be a positive whole number, got 1.5"],
    [{ hours: -1 }, "hours must be a positive whole number, got -1"],
    [{ batchSize: Number.NaN }, "batchSize must be a positive whole number, got NaN"],
    [{ endMs: Infinity }, "endMs must be a positive whole number, got Infinity"],
  ])("refuses %j", (options, message) => {
    expect(() => generateTraffic({ endMs: END_MS, ...options })).toThrow(new RangeError(message));
  });
});

describe("the sites", () => {
  test("have distinct paths, as many as said, in sections of no, one and two directories", () => {
    const paths = DEMO_SITES.map(pathsOf);
    expect(paths.map((each) => new Set(each).size)).toEqual(DEMO_SITES.map((site) => site.pages));
    expect(paths.flat().length).toBe(3_200);
    expect(paths[0]!.slice(0, 3)).toEqual(["/", "/news/national/", "/news/world/"]);
    expect(paths[0]).toContain("/1874304.html");
    expect(paths[0]).toContain("/news/world/a/1874305.html");
    expect(paths[0]).toContain("/opinion/a/1874317.html");
    expect(DEMO_SITES.filter((site) => site.host.startsWith("www.")).map((site) => site.website)).toEqual([
      "daily.example",
    ]);
  });

  test("have paths that a URL leaves as they are", () => {
    for (const site of DEMO_SITES) {
      for (const path of pathsOf(site)) {
        expect(new URL(`https://${site.host}${path}`).pathname).toBe(path);
      }
    }
  });
});

describe("random", () => {
  test("is uniform in [0, 1)", () => {
    const random = seededRandom(7);
    const draws = Array.from({ length: 20_000 }, random);
    const tenths = countBy(draws, (draw) => Math.floor(draw * 10));
    expect([...tenths.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const count of tenths.values()) {
      expect(Math.abs(count - 2_000)).toBeLessThan(200);
    }
  });

  test("the sampler keeps to the weights, and to their bounds", () => {
    const draws = [0, 0.2499, 0.25, 0.9999999];
    const sample = weightedSampler([1, 3], () => draws.shift()!);
    expect([sample(), sample(), sample(), sample()]).toEqual([0, 0, 1, 1]);
    expect(zipfWeights(4, 1)).toEqual([1, 1 / 2, 1 / 3, 1 / 4]);
  });
});
