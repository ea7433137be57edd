/** The tracker's keys, by purpose; every one is built by the key module. */
import { currentPartition, family, key, member, prefix, suffix, type KeyType } from "../runtime/keys";
import { FINEST, TIERS } from "./windows";

/** What events are counted by: website, section, page, audio, video, podcast. */
export const DIMENSIONS = ["W", "S", "P", "A", "V", "PC"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

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

/** What stands before the id in the names of the HyperLogLogs of minutes; `devicesSuffix` stands after it. */
export function minuteDevicesPrefix(dimension: string): string {
  return prefix(MINUTE_DEVICES[dimension]!);
}

/** The names that all events of a minute share. */
export interface MinuteNames {
  startMs: number;
  partition: string;
  websites: string;
  sections: string;
  pages: string;
  websiteDevices: string;
  sectionDevices: string;
  pageDevices: string;
  devicesEnd: string;
}

let latestMinute: MinuteNames | undefined;

/** The names of a minute's open views; those of the latest minute are kept, because most calls are about one minute. */
export function minuteNames(startMs: number): MinuteNames {
  const partition = currentPartition();
  if (latestMinute !== undefined && latestMinute.startMs === startMs && latestMinute.partition === partition) {
    return latestMinute;
  }
  const start = `${startMs}`;
  latestMinute = {
    startMs,
    partition,
    websites: openViews(FINEST, "W", start),
    sections: openViews(FINEST, "S", start),
    pages: openViews(FINEST, "P", start),
    websiteDevices: minuteDevicesPrefix("W"),
    sectionDevices: minuteDevicesPrefix("S"),
    pageDevices: minuteDevicesPrefix("P"),
    devicesEnd: devicesSuffix(start),
  };
  return latestMinute;
}

/** The HyperLogLog of one id in one window. */
export function devices(tier: number, dimension: string, id: string, start: string): string {
  return key("HLL", TIER_NAMES[tier]!, dimension, id, start, "UD");
}

/** The ids with devices that a window of `tier` still has to take over from the tier before. */
export function openDevices(tier: number, dimension: string, start: string): string {
  return key("S", OPEN_NAMES[tier]!, dimension, "", start, "UD");
}

/** The windows of `tier` with something to take over from the tier before (start → start). */
export function pendingWindows(tier: number, dimension: string, metric: Metric): string {
  return key("SS", PENDING_NAMES[tier]!, dimension, "", "", metric);
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
  return key("SS", "VISITED", "W", "", "", "");
}

/** The sections of a website by last visit. */
export function sectionsOfWebsite(websiteId: string): string {
  return key("SS", "SECTIONS", "W", websiteId, "", "");
}

/** The pages of a website (`W`) or a section (`S`) by last visit. */
export function pagesOf(dimension: "W" | "S", id: string): string {
  return key("SS", "PAGES", dimension, id, "", "");
}

/** Options, counters, cursors and watermarks: one hash, so that a call reads all it needs at once. */
export function state(): string {
  return member(STATE, "", NO_SUFFIX);
}

const STATE = family("H", "TRACKER", "");
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

/** Where events arrive. */
export function eventStream(): string {
  return key("ST", "TRACKER", "", "", "", "");
}

/** What was refused, and why. */
export function rejectedStream(): string {
  return key("ST", "REJECTED", "", "", "", "");
}
