import { createHash } from "node:crypto";
import { BAD_KINDS, reasonOf, spoil, type BadKind, type BadReason } from "./bad-events";
import { DEMO_SITES, pathsOf, type DemoSite } from "./demo-sites";
import type { Arrival, TrafficEvent } from "../../host/tracker/import/event";
import { seededRandom, weightedSampler, zipfWeights, type Random } from "./random";
import { HOUR_MS, MINUTE_MS } from "../../host/runtime/time";

/** Relative traffic of each hour of the day in UTC: a trough at night, peaks at breakfast, lunch and in the evening. */
const DAILY_CURVE = [
  22, 14, 10, 8, 9, 18, 42, 78, 92, 84, 76, 80, 95, 88, 72, 70, 74, 82, 90, 98, 100, 86, 60, 38,
] as const;

/** One event in 200 is bad; the kinds take turns, so that a small run has each of them too. */
const BAD_EVERY = 200;
/** An event is late for the reader's purposes once the window of its minute is surely over. */
const LATE_MS = MINUTE_MS;
const MINUTES_LATE_SHARE = 0.03;
const HOURS_LATE_SHARE = 0.003;
/** Share of views by a device that was here a moment ago and stays on the site. */
const SAME_VISIT_SHARE = 0.55;
const OPEN_VISITS = 256;
const EVENTS_PER_DEVICE = 6;
const QUERY_SHARE = 0.1;

/** What to generate. */
export interface GenerateOptions {
  /** End of the simulated time, unix milliseconds; no event arrives after it. */
  endMs: number;
  /** All events together, bad ones included. Default 200,000. */
  events?: number;
  /** Simulated hours before `endMs`. Default 26. */
  hours?: number;
  /** Equal seeds and options give equal traffic. Default 1. */
  seed?: number;
  /** Arrivals in a batch, at most. Default 1,000, the most one call of a function takes. */
  batchSize?: number;
}

/** What a site was sent. */
export interface SiteTruth {
  /** Name as the tracker derives it by default. */
  website: string;
  /** Good events sent. */
  pageViews: number;
  /** Distinct devices in them, exactly. */
  devices: number;
}

/** What was sent so far, counted by the generator itself; the tracker must arrive at the same. */
export interface GroundTruth {
  good: number;
  bad: number;
  /** What was wrong; every kind is there, 0 where it did not occur. */
  badByKind: Record<BadKind, number>;
  /** The same in the words of the tracker's counters. */
  badByReason: Record<BadReason, number>;
  /** Distinct devices in all good events. */
  devices: number;
  /** Good events that arrived more than a minute after their time. */
  late: number;
  /** Most viewed first. */
  sites: SiteTruth[];
}

/** A page and how often it was sent. */
export interface PageTruth {
  /** Host and path, as the tracker names a page. */
  page: string;
  pageViews: number;
}

/** Generated traffic: read once, in order of arrival; what was read is known exactly. */
export interface GeneratedTraffic {
  /** Start of the simulated time, unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  /** Number of arrivals that `batches` yields in all. */
  readonly events: number;
  /** Yields the arrivals in ascending order. Each call begins anew, and so does the truth. */
  batches(): Generator<Arrival[], void, undefined>;
  /** Answers what has been yielded so far. */
  truth(): GroundTruth;
  /** Answers the most viewed pages of what has been yielded so far, most first, equal ones by name. */
  topPages(count: number): PageTruth[];
}

/**
 * Makes traffic of several websites: Zipf over pages, returning devices, a daily curve, late and bad events. Memory is
 * bounded by pages, devices and the few events under way, not by the number of events.
 *
 * @param options see {@link GenerateOptions}
 * @returns the traffic, see {@link GeneratedTraffic}
 * @throws RangeError naming the option that is not a positive whole number
 */
export function generateTraffic(options: GenerateOptions): GeneratedTraffic {
  const { endMs, events = 200_000, hours = 26, seed = 1, batchSize = 1_000 } = options;
  requirePositive({ endMs, events, hours, batchSize });
  const startMs = endMs - hours * HOUR_MS;
  let tally = new Tally();

  return {
    startMs,
    endMs,
    events,
    *batches() {
      tally = new Tally();
      const visitors = new Visitors(seed, events);
      let batch: Arrival[] = [];
      for (const { arrival, view, bad } of departures(visitors, startMs, endMs, events)) {
        tally.count(view, arrival, bad);
        batch.push(arrival);
        if (batch.length === batchSize) {
          yield batch;
          batch = [];
        }
      }
      if (batch.length > 0) {
        yield batch;
      }
    },
    truth: () => tally.truth(),
    topPages: (count) => tally.topPages(count),
  };
}

function requirePositive(options: Record<string, number>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`${name} must be a positive whole number, got ${value}`);
    }
  }
}

/** A page view before it becomes an event. */
interface View {
  site: DemoSite;
  path: string;
  device: number;
}

interface Departure {
  arrival: Arrival;
  view: View;
  bad: BadKind | undefined;
}

/** Who views what. All randomness of one run is drawn here, in a fixed order. */
class Visitors {
  readonly random: Random;
  private readonly siteIndex: () => number;
  private readonly deviceIndex: () => number;
  private readonly pageOf: (() => string)[];
  private readonly visits: { device: number; site: number }[] = [];
  private readonly ids = new Map<number, string>();

  constructor(
    private readonly seed: number,
    events: number,
  ) {
    this.random = seededRandom(seed);
    this.siteIndex = weightedSampler(
      DEMO_SITES.map((site) => site.weight),
      this.random,
    );
    // Flatter than pages: a few devices come all day, most come a few times.
    const devices = Math.max(10, Math.ceil(events / EVENTS_PER_DEVICE));
    this.deviceIndex = weightedSampler(zipfWeights(devices, 0.6), this.random);
    this.pageOf = DEMO_SITES.map((site) => this.pageSampler(site));
  }

  next(): View {
    const slot = Math.floor(this.random() * OPEN_VISITS);
    const open = this.visits[slot];
    const visit =
      open !== undefined && this.random() < SAME_VISIT_SHARE
        ? open
        : { device: this.deviceIndex(), site: this.siteIndex() };
    this.visits[slot] = visit;
    return { site: DEMO_SITES[visit.site]!, path: this.pageOf[visit.site]!(), device: visit.device };
  }

  eventOf(view: View, dt: number): TrafficEvent {
    // Tracking parameters and anchors belong to the address that is sent, and never to the page that is counted.
    const tail = this.random() < QUERY_SHARE ? "?utm_source=newsletter#comments" : "";
    return { url: `https://${view.site.host}${view.path}${tail}`, uui: this.idOf(view.device), dt };
  }

  /** Milliseconds from the view to its arrival. */
  delayMs(): number {
    const draw = this.random();
    const size = this.random();
    if (draw < HOURS_LATE_SHARE) {
      return Math.floor((1 + size * 5) * HOUR_MS);
    }
    if (draw < HOURS_LATE_SHARE + MINUTES_LATE_SHARE) {
      return Math.floor((1 + size * 20) * MINUTE_MS);
    }
    return Math.floor(20 + size * 1_500);
  }

  private pageSampler(site: DemoSite): () => string {
    const paths = pathsOf(site);
    const index = weightedSampler(zipfWeights(paths.length, 1), this.random);
    return () => paths[index()]!;
  }

  private idOf(device: number): string {
    let id = this.ids.get(device);
    if (id === undefined) {
      id = createHash("sha256").update(`${this.seed}/${device}`).digest("hex").slice(0, 32);
      this.ids.set(device, id);
    }
    return id;
  }
}

/**
 * Yields all events in order of arrival. Views are made minute by minute and wait in the bucket of the minute in which
 * they arrive, so that only what is under way is held and sorted.
 */
function* departures(visitors: Visitors, startMs: number, endMs: number, events: number): Generator<Departure> {
  const buckets = new Map<number, Departure[]>();
  const minutes = (endMs - startMs) / MINUTE_MS;
  const made = cumulativeEvents(startMs, minutes, events);
  let index = 0;

  // One round more than there are minutes: what arrives exactly at the end has a bucket of its own.
  for (let minute = 0; minute <= minutes; minute++) {
    for (; index < (made[minute] ?? events); index++) {
      const departure = depart(visitors, index, startMs + minute * MINUTE_MS, endMs);
      const bucketIndex = Math.floor((departure.arrival.arrivalMs - startMs) / MINUTE_MS);
      const bucket = buckets.get(bucketIndex);
      if (bucket === undefined) {
        buckets.set(bucketIndex, [departure]);
      } else {
        bucket.push(departure);
      }
    }
    const due = buckets.get(minute) ?? [];
    buckets.delete(minute);
    yield* due.sort((a, b) => a.arrival.arrivalMs - b.arrival.arrivalMs);
  }
}

function depart(visitors: Visitors, index: number, minuteMs: number, endMs: number): Departure {
  const view = visitors.next();
  const viewedMs = minuteMs + Math.floor(visitors.random() * MINUTE_MS);
  // What would arrive after the end arrives at the end: the simulation owes its whole count.
  const arrivalMs = Math.min(viewedMs + visitors.delayMs(), endMs);
  const good = visitors.eventOf(view, viewedMs);
  const bad = badKindOf(index);
  const event = bad === undefined ? good : spoil(good, bad, arrivalMs);
  return { arrival: { arrivalMs, event }, view, bad };
}

function badKindOf(index: number): BadKind | undefined {
  const position = index + 1;
  return position % BAD_EVERY === 0 ? BAD_KINDS[(position / BAD_EVERY - 1) % BAD_KINDS.length] : undefined;
}

/** For each minute the number of events made up to its end; the last is the total, exactly. */
function cumulativeEvents(startMs: number, minutes: number, events: number): number[] {
  let sum = 0;
  const sums = Array.from({ length: minutes }, (_, minute) => (sum += trafficAt(startMs + minute * MINUTE_MS)));
  return sums.map((upTo) => Math.round((upTo / sum) * events));
}

/** Relative traffic at a time: the daily curve, straight between the full hours. */
function trafficAt(ms: number): number {
  const hour = (((ms / HOUR_MS) % 24) + 24) % 24;
  const from = DAILY_CURVE[Math.floor(hour)]!;
  const to = DAILY_CURVE[(Math.floor(hour) + 1) % 24]!;
  return from + (to - from) * (hour % 1);
}

/** Counts what is handed out. */
class Tally {
  private good = 0;
  private late = 0;
  private readonly badByKind = Object.fromEntries(BAD_KINDS.map((kind) => [kind, 0])) as Record<BadKind, number>;
  private readonly devices = new Set<number>();
  private readonly sites = new Map<string, { pageViews: number; devices: Set<number> }>();
  private readonly pages = new Map<string, number>();

  count(view: View, arrival: Arrival, bad: BadKind | undefined): void {
    if (bad !== undefined) {
      this.badByKind[bad]++;
      return;
    }
    this.good++;
    this.devices.add(view.device);
    this.late += arrival.arrivalMs - Number(arrival.event.dt) > LATE_MS ? 1 : 0;
    const page = view.site.host + view.path;
    this.pages.set(page, (this.pages.get(page) ?? 0) + 1);
    const site = this.siteOf(view.site.website);
    site.pageViews++;
    site.devices.add(view.device);
  }

  truth(): GroundTruth {
    const sites = [...this.sites].map(([website, site]) => ({
      website,
      pageViews: site.pageViews,
      devices: site.devices.size,
    }));
    return {
      good: this.good,
      bad: Object.values(this.badByKind).reduce((sum, count) => sum + count, 0),
      badByKind: { ...this.badByKind },
      badByReason: byReason(this.badByKind),
      devices: this.devices.size,
      late: this.late,
      sites: sites.sort((a, b) => b.pageViews - a.pageViews),
    };
  }

  topPages(count: number): PageTruth[] {
    return [...this.pages]
      .map(([page, pageViews]) => ({ page, pageViews }))
      .sort((a, b) => b.pageViews - a.pageViews || (a.page < b.page ? -1 : 1))
      .slice(0, count);
  }

  private siteOf(website: string): { pageViews: number; devices: Set<number> } {
    let site = this.sites.get(website);
    if (site === undefined) {
      site = { pageViews: 0, devices: new Set() };
      this.sites.set(website, site);
    }
    return site;
  }
}

function byReason(byKind: Readonly<Record<BadKind, number>>): Record<BadReason, number> {
  const counts: Record<BadReason, number> = { url: 0, uui: 0, dt: 0, old: 0, future: 0 };
  for (const kind of BAD_KINDS) {
    counts[reasonOf(kind)] += byKind[kind];
  }
  return counts;
}
