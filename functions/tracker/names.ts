/** The tracker's keys, by purpose; every one is built by the key module. */
import { asId } from "../runtime/kept";
import { currentPartition, family, key, member, prefix, suffix, type KeyType } from "../runtime/keys";
import { FINEST, TIERS, windowStart } from "./windows";

/** What events are counted by: website, section, page, audio, video, podcast. */
export const DIMENSIONS = ["W", "S", "P", "A", "V", "PC"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Those that only some events have. */
export const MEDIA_DIMENSIONS = ["A", "V", "PC"] as const;

function tierNames(end: string): string[] {
  const built: string[] = [];
  for (const tier of TIERS) built.push(tier.name + end);
  return built;
}

const TIER_NAMES = tierNames("");
const OPEN_NAMES = tierNames(".OPEN");
const PENDING_NAMES = tierNames(".PENDING");
const SERIES_NAMES = tierNames(".SERIES");

/** Page views, and unique devices. */
export type Metric = "PG" | "UD";

/**
 * Page views of a window that the next tier has already: id → views, a hash for minutes, a sorted set for the others.
 */
export function mergedViews(tier: number, dimension: string, start: string): string {
  return key(tier === FINEST ? "H" : "SS", TIER_NAMES[tier]!, dimension, "", start, "PG");
}

/** Page views of a window that the next tier does not have yet, in the same shape. */
export function openViews(tier: number, dimension: string, start: string): string {
  return key(tier === FINEST ? "H" : "SS", OPEN_NAMES[tier]!, dimension, "", start, "PG");
}

/** One constant family a dimension: the hottest names are built from these in one concatenation. */
function families(keyType: KeyType, name: string): Record<string, string> {
  const built: Record<string, string> = {};
  for (const dimension of DIMENSIONS) built[dimension] = family(keyType, name, dimension);
  return built;
}

const MINUTE_DEVICES = families("HLL", TIERS[FINEST]!.name);

/** The end of the name of a HyperLogLog in a window. */
export function devicesSuffix(start: string): string {
  return suffix(start, "UD");
}

/** The names that all events of a minute share, by dimension. */
export interface MinuteNames {
  startMs: number;
  partition: string;
  openViews: Record<Dimension, string>;
  /** What stands before the id in the names of HyperLogLogs, and after it. */
  devicesBefore: Record<Dimension, string>;
  devicesAfter: string;
  /** The pages that the window above has to take over. */
  openDevicesOfPages: string;
}

function buildMinuteNames(startMs: number): MinuteNames {
  const start = `${startMs}`;
  const openOf: Record<string, string> = {};
  const devicesBefore: Record<string, string> = {};
  for (const dimension of DIMENSIONS) {
    openOf[dimension] = openViews(FINEST, dimension, start);
    devicesBefore[dimension] = prefix(MINUTE_DEVICES[dimension]!);
  }
  const parent = FINEST + 1;
  return {
    startMs,
    partition: currentPartition(),
    openViews: openOf,
    devicesBefore,
    devicesAfter: devicesSuffix(start),
    openDevicesOfPages: openDevices(parent, "P", `${windowStart(TIERS[parent]!.lengthMs, startMs)}`),
  };
}

let latestMinute: MinuteNames | undefined;

/** The names of a minute; those of the latest minute are kept, because most calls are about one minute. */
export function minuteNames(startMs: number): MinuteNames {
  if (latestMinute === undefined || latestMinute.startMs !== startMs || latestMinute.partition !== currentPartition()) {
    latestMinute = buildMinuteNames(startMs);
  }
  return latestMinute;
}

/** The HyperLogLog of one id in one window. */
export function devices(tier: number, dimension: string, id: string, start: string): string {
  return key("HLL", TIER_NAMES[tier]!, dimension, id, start, "UD");
}

/** A HyperLogLog of another partition, there for one call alone. */
export function lentDevices(): string {
  return key("HLL", "LENT", "", "", "", "UD");
}

/** What other partitions have to learn: `dimension tier window id`, by serial number. */
export function carriedDevices(): string {
  return key("SS", "CARRY", "", "", "", "UD");
}

/** The ids with devices that a window of `tier` still has to take over from the tier before. */
export function openDevices(tier: number, dimension: string, start: string): string {
  return key("S", OPEN_NAMES[tier]!, dimension, "", start, "UD");
}

/** Every call of rotation names them all. */
const PENDING: Record<string, string>[] = [];
for (const name of PENDING_NAMES) PENDING.push(families("SS", name));
const NO_TIME_VIEWS = suffix("", "PG");
const NO_TIME_DEVICES = suffix("", "UD");

/** The windows of `tier` with something to take over from the tier before (start → start). */
export function pendingWindows(tier: number, dimension: string, metric: Metric): string {
  return member(PENDING[tier]![dimension]!, "", metric === "PG" ? NO_TIME_VIEWS : NO_TIME_DEVICES);
}

/**
 * The windows of five minutes that hold views of pages which rotation has not taken over: one of the above, named by itself
 * so that who changes options needs rights on this key alone.
 */
export function openWindowsOfPages(): string {
  return key("SS", "5MINUTES.PENDING", "P", "", "", "PG");
}

/** The beginning of the names of HyperLogLogs of a tier. */
export function devicesFamily(tier: number, dimension: string): string {
  return family("HLL", TIER_NAMES[tier]!, dimension);
}

/** The beginning of the names of series. */
export function seriesFamily(tier: number, dimension: string): string {
  return family("H", SERIES_NAMES[tier]!, dimension);
}

/** A run of points of one series: hash of position → value. */
export function seriesChunk(tier: number, dimension: string, id: string, start: string, metric: Metric): string {
  return key("H", SERIES_NAMES[tier]!, dimension, id, start, metric);
}

/** The fields of a document. */
export function document(dimension: string, id: string): string {
  return key("H", "DOCUMENT", dimension, id, "", "");
}

/** All websites by last visit. */
export function websites(): string {
  return visited("W");
}

/** All records of a dimension that has documents, by last visit. */
export function visited(dimension: "W" | "S" | "P"): string {
  return key("SS", "VISITED", dimension, "", "", "");
}

/** The sections of a website by last visit. */
export function sectionsOfWebsite(websiteId: string): string {
  return key("SS", "SECTIONS", "W", websiteId, "", "");
}

/** The pages of a website (`W`) or a section (`S`) by last visit. */
export function pagesOf(dimension: "W" | "S", id: string): string {
  return key("SS", "PAGES", dimension, id, "", "");
}

/** `name`, NUL, id of every section, in the order of bytes. */
export function sectionNames(): string {
  return key("SS", "NAMES", "S", "", "", "");
}

/** The addresses of all pages, in the order of bytes; a page's id is the SHA-1 of its address. */
export function pageUrls(): string {
  return key("SS", "URLS", "P", "", "", "");
}

/** The sections (levels 1 and 2) or pages (3 and 4) with a directory at a level. */
export function directory(dimension: "S" | "P", level: number, name: string): string {
  return key("S", `LEVEL.${level}`, dimension, redis.sha1hex(name), "", "");
}

/** The pages with a word in their title; a word holds letters and digits alone, so it can stand in a name as it is. */
export function titleWord(word: string): string {
  return key("S", "TITLE", "P", word, "", "");
}

/** Pages that wait for their metadata. */
export function enrichmentStream(): string {
  return key("ST", "ENRICH", "P", "", "", "");
}

/** Why pages were given up: reason → pages. */
export function abandonedPages(): string {
  return key("H", "ABANDONED", "P", "", "", "");
}

/** Options, counters, cursors and watermarks: one hash, so that a call reads all it needs at once. */
export function state(): string {
  const partition = currentPartition();
  // Every call of every function reads it.
  if (partition !== statePartition) {
    statePartition = partition;
    stateName = member(STATE, "", NO_SUFFIX);
  }
  return stateName;
}

const STATE = family("H", "TRACKER", "");
let statePartition: string | undefined;
let stateName: string;
const NO_SUFFIX = suffix("", "");

/** Up to where a source was imported: its position, and what was counted. */
export function importOf(id: string): string {
  return key("H", "IMPORT", "", id, "", "");
}

/** The back-fills in progress that rotation has to wait for: id of the source → clock and deadline. */
export function backfills(): string {
  return key("H", "BACKFILL", "", "", "", "");
}

/** Host → website, set by configure_tracker. */
export function hosts(): string {
  return key("H", "TRACKER.HOSTS", "W", "", "", "");
}

/**
 * Where events arrive. Every name of such a stream comes through here, also one that Redis has kept: by this the build
 * knows which functions work on keys that users name.
 *
 * @param named what users call it, if they have given it a name
 */
export function eventStream(named?: string): string {
  return named ?? key("ST", "TRACKER", "", "", "", "");
}

/** An event that was counted under an id. */
export function eventId(id: string): string {
  return key("STR", "EVENT", "", asId(id), "", "");
}

/** What was refused, and why. */
export function rejectedStream(): string {
  return key("ST", "REJECTED", "", "", "", "");
}
