/**
 * What the tracker must answer, in plain TypeScript: every accepted event by dimension, id and minute. Written from the
 * contract, and nothing of `functions/` is imported: what both had in common, no test would find wrong.
 */
import { DAY_MS, HOUR_MS, idOf, MINUTE_MS, type Dimension, type SentEvent } from "./tracker-model";

export interface ReferenceTier {
  name: string;
  lengthMs: number;
  keepMs: number;
}

/** Finest first. */
export const TIERS: readonly ReferenceTier[] = [
  { name: "1MINUTE", lengthMs: MINUTE_MS, keepMs: HOUR_MS },
  { name: "5MINUTES", lengthMs: 5 * MINUTE_MS, keepMs: 30 * MINUTE_MS },
  { name: "10MINUTES", lengthMs: 10 * MINUTE_MS, keepMs: HOUR_MS },
  { name: "1HOUR", lengthMs: HOUR_MS, keepMs: DAY_MS },
  { name: "3HOURS", lengthMs: 3 * HOUR_MS, keepMs: 7 * DAY_MS },
];

export const MADE_TIERS = ["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"] as const;
export const DIMENSIONS: readonly Dimension[] = ["W", "S", "P", "A", "V", "PC"];

const MAX_AHEAD_MS = 5 * MINUTE_MS;
const MAX_AGE_MS = 7 * DAY_MS;

export interface Tally {
  views: number;
  devices: Set<string>;
}

export type Ranked = [id: string, views: number];

/** When each member of a list was last visited. */
export type Listing = Map<string, number>;

interface Names {
  website: string;
  section: string;
  page: string;
}

export function floorTo(lengthMs: number, timeMs: number): number {
  return timeMs - (timeMs % lengthMs);
}

/** By value, as numbers: Array.sort alone would compare texts. */
const ascending = (a: number, b: number): number => a - b;

function emptyTally(): Tally {
  return { views: 0, devices: new Set() };
}

function addTo(tally: Tally, other: Tally): void {
  tally.views += other.views;
  for (const device of other.devices) tally.devices.add(device);
}

/** The entry of a map, made where there is none. */
function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

export class Reference {
  accepted = 0;
  rejected = 0;
  late = 0;
  /** The latest clock a rotation went by, and how far one that makes five minutes has looked. */
  clockMs = 0;
  rotatedMs = 0;
  hosts: Record<string, string> = {};

  /** Dimension → id → minute → tally. */
  readonly #minutes = new Map<Dimension, Map<string, Map<number, Tally>>>(DIMENSIONS.map((each) => [each, new Map()]));
  readonly websites: Listing = new Map();
  readonly sectionsOf = new Map<string, Listing>();
  readonly pagesOf = new Map<string, Listing>();

  /** Counts an event, or refuses it. */
  add(event: SentEvent, nowMs: number): boolean {
    if (event.dt > nowMs + MAX_AHEAD_MS || event.dt < nowMs - MAX_AGE_MS) {
      this.rejected += 1;
      return false;
    }
    this.accepted += 1;
    if (floorTo(5 * MINUTE_MS, event.dt) + 5 * MINUTE_MS <= this.rotatedMs) this.late += 1;
    const names = this.#namesOf(event);
    this.#count("W", idOf(names.website), event);
    this.#count("S", idOf(names.section), event);
    this.#count("P", idOf(names.page), event);
    if (event.audio) this.#count("A", idOf(`${names.website}/${event.audio}`), event);
    if (event.video) this.#count("V", idOf(`${names.website}/${event.video}`), event);
    if (event.podcast) this.#count("PC", idOf(`${names.website}/${event.podcast}`), event);
    this.#visit(names, event.dt);
    return true;
  }

  /** Notes a rotation. */
  rotated(nowMs: number, tier: string | undefined): void {
    this.clockMs = Math.max(this.clockMs, nowMs);
    if (tier === undefined || tier === "5MINUTES")
      this.rotatedMs = Math.max(this.rotatedMs, floorTo(5 * MINUTE_MS, nowMs));
  }

  /** Ids that have anything. */
  ids(dimension: Dimension): string[] {
    return [...this.#minutes.get(dimension)!.keys()];
  }

  /** Views and devices of an id in [fromMs, toMs), whole minutes. */
  count(dimension: Dimension, id: string, fromMs: number, toMs: number): Tally {
    const sum = emptyTally();
    for (const [minuteMs, tally] of this.#minutes.get(dimension)!.get(id) ?? []) {
      if (minuteMs >= fromMs && minuteMs < toMs) addTo(sum, tally);
    }
    return sum;
  }

  /** The windows of a length in which an id has anything, in order. */
  windows(dimension: Dimension, id: string, lengthMs: number): [startMs: number, tally: Tally][] {
    const windows = new Map<number, Tally>();
    for (const [minuteMs, tally] of this.#minutes.get(dimension)!.get(id) ?? []) {
      addTo(entry(windows, floorTo(lengthMs, minuteMs), emptyTally), tally);
    }
    return [...windows].sort(([a], [b]) => ascending(a, b));
  }

  /** Most views first, equal views by id; `of` restricts it. */
  ranking(dimension: Dimension, fromMs: number, toMs: number, of: readonly string[] = this.ids(dimension)): Ranked[] {
    return of
      .map((id): Ranked => [id, this.count(dimension, id, fromMs, toMs).views])
      .filter(([, views]) => views > 0)
      .sort(([aId, a], [bId, b]) => b - a || (aId < bId ? -1 : 1));
  }

  /** What a call by this clock goes by. */
  effectiveClock(nowMs: number): number {
    return Math.max(nowMs, this.clockMs);
  }

  isKept(tier: ReferenceTier, startMs: number, nowMs: number): boolean {
    return startMs + tier.lengthMs + tier.keepMs > this.effectiveClock(nowMs);
  }

  /** The bounds that a count of [fromMs, toMs) covers: step by step the narrowest window that is kept. */
  bounds(fromMs: number, toMs: number, nowMs: number): { from: number; to: number } | undefined {
    const clockMs = this.effectiveClock(nowMs);
    const endMs = Math.min(toMs, floorTo(MINUTE_MS, clockMs + MAX_AHEAD_MS) + MINUTE_MS);
    const oldest = TIERS.at(-1)!;
    let atMs = Math.max(fromMs, floorTo(oldest.lengthMs, clockMs - oldest.keepMs));
    if (atMs >= endMs) return undefined;
    let from: number | undefined;
    while (atMs < endMs) {
      const tier = TIERS.find((each) => this.isKept(each, floorTo(each.lengthMs, atMs), nowMs));
      if (tier === undefined) return undefined;
      const startMs = floorTo(tier.lengthMs, atMs);
      from ??= startMs;
      atMs = startMs + tier.lengthMs;
    }
    return { from: from!, to: atMs };
  }

  /** First and last minute with an event; undefined where there is none. */
  span(): { firstMs: number; lastMs: number } | undefined {
    const minutes = [...this.#minutes.get("W")!.values()].flatMap((each) => [...each.keys()]);
    if (minutes.length === 0) return undefined;
    return { firstMs: Math.min(...minutes), lastMs: Math.max(...minutes) };
  }

  #namesOf({ url }: SentEvent): Names {
    const { host, pathname } = new URL(url);
    const website = this.hosts[host] ?? host.replace(/^www\./, "");
    const section = pathname.split("/").slice(1, -1).slice(0, 2).join("/") || "/";
    return { website, section: `${website}/${section}`, page: host + pathname };
  }

  #count(dimension: Dimension, id: string, { dt, uui }: SentEvent): void {
    const minutes = entry(this.#minutes.get(dimension)!, id, () => new Map<number, Tally>());
    addTo(entry(minutes, floorTo(MINUTE_MS, dt), emptyTally), { views: 1, devices: new Set([uui]) });
  }

  #visit(names: Names, timeMs: number): void {
    const note = (listing: Listing, id: string): void => void listing.set(id, Math.max(listing.get(id) ?? 0, timeMs));
    const [website, section, page] = [idOf(names.website), idOf(names.section), idOf(names.page)];
    note(this.websites, website);
    // A page is in one website and one section: those that the table of hosts gave it to last.
    for (const [id, listing] of this.pagesOf) if (id !== website && id !== section) listing.delete(page);
    note(
      entry(this.sectionsOf, website, () => new Map<string, number>()),
      section,
    );
    note(
      entry(this.pagesOf, website, () => new Map<string, number>()),
      page,
    );
    note(
      entry(this.pagesOf, section, () => new Map<string, number>()),
      page,
    );
  }
}
