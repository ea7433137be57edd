/** Traffic as it is: few pages get most views (Zipf, exponent 1), and a third of the addresses carry a query. */
import { createHash } from "node:crypto";
import { encode } from "./pipeline";
import { MINUTE_MS } from "../../host/runtime/time";

/** Seed of the generator: every run and every side sees the same events. */
const SEED = 20_231_114;

export interface Page {
  url: string;
  websiteId: string;
  sectionId: string;
  pageId: string;
}

export interface Event {
  page: Page;
  url: string;
  device: string;
  timeMs: number;
}

export type Random = () => number;

/** Numbers in [0, 1) from a seed (mulberry32). */
export function random(seed = SEED): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** SHA-1 in hex, as ids are made. */
export function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** Pages of several websites, the most viewed first; 31 by 7 sections. */
export function makePages(count: number, websites: number): Page[] {
  return Array.from({ length: count }, (_, rank) => {
    const website = `site${rank % websites}.example`;
    const section = `section-${rank % 31}/part-${rank % 7}`;
    const address = `www.${website}/${section}/a/${1_000_000 + rank}.html`;
    return {
      url: `https://${address}`,
      websiteId: sha1(website),
      sectionId: sha1(`${website}/${section}`),
      pageId: sha1(address),
    };
  });
}

/** Draws ranks from 0 by Zipf's law with exponent 1. */
export function zipf(count: number, next: Random): () => number {
  const sums = new Float64Array(count);
  let total = 0;
  for (let rank = 0; rank < count; rank += 1) sums[rank] = total += 1 / (rank + 1);
  return () => {
    const wanted = next() * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

interface TrafficOptions {
  count: number;
  perMinute: number;
  devices: number;
  startMs: number;
}

/** Events in the order of their times, evenly spread. */
export function makeEvents(pages: readonly Page[], options: TrafficOptions): Event[] {
  const next = random();
  const pick = zipf(pages.length, next);
  return Array.from({ length: options.count }, (_, index) => {
    const page = pages[pick()]!;
    return {
      page,
      url: index % 3 === 0 ? `${page.url}?utm_source=mail&n=${index % 11}` : page.url,
      device: `device-${Math.floor(next() * options.devices)}`,
      timeMs: options.startMs + Math.floor((index * MINUTE_MS) / options.perMinute),
    };
  });
}

/** One event for each page, in the minute that starts at `startMs`: afterwards every document is there. */
export function oneOfEach(pages: readonly Page[], startMs: number): Event[] {
  return pages.map((page, index) => ({ page, url: page.url, device: `warm-${index}`, timeMs: startMs }));
}

/** What a client without functions would send: one counter and one HyperLogLog for each dimension. */
export function rawCommands(events: readonly Event[]): Buffer[] {
  return events.flatMap(({ page, device, timeMs }) => {
    const start = timeMs - (timeMs % MINUTE_MS);
    const ids = [
      ["W", page.websiteId],
      ["S", page.sectionId],
      ["P", page.pageId],
    ] as const;
    return ids.flatMap(([dimension, id]) => [
      encode(["ZINCRBY", `SS:1MINUTE:${dimension}::${start}:PG`, 1, id]),
      encode(["PFADD", `HLL:1MINUTE:${dimension}:${id}:${start}:UD`, device]),
    ]);
  });
}

function eventJson({ url, device, timeMs }: Event): string {
  return JSON.stringify({ url, uui: device, dt: timeMs });
}

/** Calls of track_events (or its twin) with so many events each. */
export function trackCommands(name: string, events: readonly Event[], perCall: number): Buffer[] {
  const calls: Buffer[] = [];
  for (let at = 0; at < events.length; at += perCall) {
    calls.push(encode(["FCALL", name, 0, ...events.slice(at, at + perCall).map(eventJson)]));
  }
  return calls;
}

/** Calls of track_events with one event each, every one named by ONCE. */
export function namedTrackCommands(events: readonly Event[]): Buffer[] {
  return events.map((each, at) =>
    encode(["FCALL", "track_events", 0, eventJson(each), "ONCE", `bench-${at.toString(36).padStart(10, "0")}`]),
  );
}

/** Entries of the stream; ids are given, so that every run writes the same. */
export function streamCommands(events: readonly Event[]): Buffer[] {
  return events.map(({ url, device, timeMs }, index) =>
    encode(["XADD", "ST:TRACKER::::", `${timeMs}-${index}`, "url", url, "uui", device, "dt", timeMs]),
  );
}

/** As many calls of ingest_events (or its twin) as read so many entries. */
export function ingestCommands(name: string, count: number, limit: number): Buffer[] {
  return Array.from({ length: Math.ceil(count / limit) }, () => encode(["FCALL", name, 0, "LIMIT", limit]));
}
