/**
 * What the tracker's keys take in memory, without scanning for them: their names follow from windows and ids that are known.
 * Keys that are few are all asked for; of those that there is one of for each id, some are drawn at random from each window
 * (stratified sampling) and the rest is taken to be like them. Where there are fewer than are drawn, nothing is estimated.
 */
import { clock } from "../runtime/clock";
import { choice, command, integer, integerReply, list, NOW, textReply, tuple } from "../runtime/declare";
import { fields, onKey } from "../runtime/types";
import { readRetention } from "./configuration";
import { pageSets, sectionSets } from "./document-index";
import { hasDocuments, type DocumentDimension } from "./documents";
import { drawRecords, type Stratum } from "./draw";
import { titleSets } from "./enrichment";
import * as names from "./names";
import { chunksOf, VIEWS_TIER } from "./series";
import { cursorStreams } from "./status";
import { COARSEST, FINEST, remainingMs, tierIndex, TIERS, windowStart } from "./windows";

const PARTS = ["1MINUTE", "5MINUTES", "10MINUTES", "1HOUR", "3HOURS", "DOCUMENTS", "STREAMS"] as const;

/** Windows that wait for rotation beyond the time they would be kept: this many are looked at for all of them. */
const MAX_OVERDUE = 20;

/** Keys of series asked for, as a multiple of SAMPLES: there are up to 80 for each id, and most do not exist. */
const SERIES_FACTOR = 4;

/** What was found of one sort of keys. Keys and bytes are of all, samples is how many were asked for and there. */
interface Sort {
  what: string;
  dimension: string;
  keys: number;
  bytes: number;
  samples: number;
}

/** Asks for a key that stands for `weight` of its sort. */
function measure(sort: Sort, name: string, weight: number): void {
  const bytes = redis.call("MEMORY", "USAGE", name);
  if (bytes === false) return;
  sort.keys += weight;
  sort.bytes += weight * bytes;
  sort.samples += 1;
}

function sortOf(what: string, dimension: string): Sort {
  return { what, dimension, keys: 0, bytes: 0, samples: 0 };
}

/** A window, and for how many it stands. */
interface Weighted {
  startMs: number;
  weight: number;
}

/** The kept windows of a tier, and some of those that rotation has let lie beyond their time. */
function windowsOf(tier: number, dimension: string, nowMs: number): Weighted[] {
  const { lengthMs, keepMs } = TIERS[tier]!;
  const found: Weighted[] = [];
  const firstMs = windowStart(lengthMs, nowMs - keepMs);
  for (const startMs of $range(firstMs, nowMs, lengthMs)) {
    if (remainingMs(TIERS[tier]!, startMs, nowMs) > 0) found.push({ startMs, weight: 1 });
  }
  if (tier === COARSEST) return found;
  const pending = names.pendingWindows(tier + 1, dimension, "PG");
  const parentMs = TIERS[tier + 1]!.lengthMs;
  const before = `(${windowStart(parentMs, firstMs)}`;
  const overdue = onKey("ZCOUNT", pending, "-inf", before);
  const drawn = onKey("ZRANGE", pending, "-inf", before, "BYSCORE", "LIMIT", 0, MAX_OVERDUE);
  for (const start of drawn) {
    const parent = tonumber(start)!;
    for (const startMs of $range(parent, parent + parentMs - 1, lengthMs)) {
      found.push({ startMs, weight: overdue / drawn.length });
    }
  }
  return found;
}

/** The HyperLogLogs of the ids in one key of views. */
function measureDevices(devices: Sort, tier: number, views: string, window: Weighted, wanted: number): void {
  const isHash = tier === FINEST;
  const size = isHash ? onKey("HLEN", views) : onKey("ZCARD", views);
  if (size === 0) return;
  const drawn = isHash ? onKey("HRANDFIELD", views, wanted, "WITHVALUES") : onKey("ZRANDMEMBER", views, wanted);
  const step = isHash ? 2 : 1;
  const weight = (window.weight * size) / (drawn.length / step);
  for (const at of $range(1, drawn.length, step)) {
    measure(devices, names.devices(tier, devices.dimension, drawn[at - 1]!, `${window.startMs}`), weight);
  }
}

function windowSorts(tier: number, dimension: string, samples: number, nowMs: number): Sort[] {
  const views = sortOf("views", dimension);
  const devices = sortOf("devices", dimension);
  const windows = windowsOf(tier, dimension, nowMs);
  const wanted = Math.ceil(samples / windows.length);
  for (const window of windows) {
    const start = `${window.startMs}`;
    for (const name of [names.mergedViews(tier, dimension, start), names.openViews(tier, dimension, start)]) {
      const before = views.samples;
      measure(views, name, window.weight);
      if (views.samples > before) measureDevices(devices, tier, name, window, wanted);
    }
  }
  return [views, devices];
}

/** What rotation keeps to know what it has to do. */
function waitingSort(tier: number, dimension: string): Sort {
  const waiting = sortOf("waiting", dimension);
  if (tier === FINEST) return waiting;
  measure(waiting, names.pendingWindows(tier, dimension, "PG"), 1);
  const pending = names.pendingWindows(tier, dimension, "UD");
  measure(waiting, pending, 1);
  const drawn = onKey("ZRANGE", pending, "0", MAX_OVERDUE - 1);
  const weight = onKey("ZCARD", pending) / Math.max(drawn.length, 1);
  for (const start of drawn) measure(waiting, names.openDevices(tier, dimension, start), weight);
  return waiting;
}

/** The points of ids that have documents: a few ids for each run of points, other ones for the next. */
function measureSeries(
  series: Sort,
  tier: number,
  metric: names.Metric,
  strata: Stratum[],
  samples: number,
  nowMs: number,
): void {
  const chunks = chunksOf(tier, readRetention(), nowMs);
  let records = 0;
  for (const { ids } of strata) records += ids.length;
  const share = Math.min(1, (SERIES_FACTOR * samples) / (records * chunks.length));
  for (const { ids, size } of strata) {
    const wanted = Math.max(1, Math.floor(ids.length * share));
    for (const at of $range(1, chunks.length)) {
      for (const offset of $range(1, wanted)) {
        const id = ids[(at * wanted + offset) % ids.length]!;
        measure(series, names.seriesChunk(tier, series.dimension, id, `${chunks[at - 1]!}`, metric), size / wanted);
      }
    }
  }
}

function seriesSorts(tier: number, dimension: DocumentDimension, samples: number, nowMs: number): Sort[] {
  if (tier === FINEST) return [];
  const strata = drawRecords(dimension, samples);
  const devices = sortOf("series_devices", dimension);
  measureSeries(devices, tier, "UD", strata, samples, nowMs);
  if (tier !== VIEWS_TIER) return [devices];
  const views = sortOf("series_views", dimension);
  measureSeries(views, tier, "PG", strata, samples, nowMs);
  return [views, devices];
}

function tierSorts(tier: number, dimension: string, samples: number, nowMs: number): Sort[] {
  const sorts = windowSorts(tier, dimension, samples, nowMs);
  sorts.push(waitingSort(tier, dimension));
  if (hasDocuments(dimension)) {
    for (const sort of seriesSorts(tier, dimension, samples, nowMs)) sorts.push(sort);
  }
  return sorts;
}

/** The sets that a document is found by, beside lists and indexes that there is one of. */
function setsOf(dimension: DocumentDimension, id: string): string[] {
  if (dimension === "W") return [];
  const [path, url, title] = fields(names.document(dimension, id), ["path", "url", "title"]);
  if (dimension === "S") return path === false ? [] : sectionSets(path!);
  if (url === false) return [];
  const sets = pageSets(url!);
  for (const set of titleSets(title)) sets.push(set);
  return sets;
}

/**
 * The sets of one document: each of its members stands for its share of a set, so that a set of which many were drawn does not
 * count many times (the estimator of Horvitz and Thompson, 1952).
 */
function measureSets(sets: Sort, id: string, weight: number): void {
  for (const name of setsOf(sets.dimension as DocumentDimension, id)) {
    const size = onKey("SCARD", name);
    if (size > 0) measure(sets, name, weight / size);
  }
}

/** Lists and indexes that there is one of. */
function measureIndexes(lists: Sort, dimension: DocumentDimension): void {
  measure(lists, names.visited(dimension), 1);
  if (dimension === "S") measure(lists, names.sectionNames(), 1);
  if (dimension === "P") measure(lists, names.pageUrls(), 1);
}

/** Documents, the lists of what belongs to them by last visit, and what they are found by. */
function documentSorts(dimension: string, samples: number): Sort[] {
  if (!hasDocuments(dimension)) return [];
  const documents = sortOf("documents", dimension);
  const lists = sortOf("lists", dimension);
  const sets = sortOf("sets", dimension);
  measureIndexes(lists, dimension);
  for (const { ids, size } of drawRecords(dimension, samples)) {
    for (const id of ids) {
      const weight = size / ids.length;
      measure(documents, names.document(dimension, id), weight);
      if (dimension === "W") measure(lists, names.sectionsOfWebsite(id), weight);
      if (dimension !== "P") measure(lists, names.pagesOf(dimension, id), weight);
      measureSets(sets, id, weight);
    }
  }
  return [documents, lists, sets];
}

function streamSorts(): Sort[] {
  const events = sortOf("events", "");
  for (const stream of cursorStreams()) measure(events, stream, 1);
  const rejected = sortOf("rejected", "");
  measure(rejected, names.rejectedStream(), 1);
  const announced = sortOf("announced", "");
  measure(announced, names.enrichmentStream(), 1);
  const state = sortOf("state", "");
  measure(state, names.state(), 1);
  measure(state, names.hosts(), 1);
  measure(state, names.abandonedPages(), 1);
  measure(state, names.backfills(), 1);
  return [events, rejected, announced, state];
}

type Row = [what: string, dimension: string, keys: number, bytes: number, samples: number];

function rowsOf(sorts: Sort[]): Row[] {
  const rows: Row[] = [];
  for (const { what, dimension, keys, bytes, samples } of sorts) {
    if (samples > 0) rows.push([what, dimension, Math.floor(keys + 0.5), Math.floor(bytes + 0.5), samples]);
  }
  return rows;
}

export const getTrackerMemory = command(
  {
    name: "get_tracker_memory",
    summary: "About how much memory the tracker's keys take",
    doc:
      "One part and one dimension a call: a tier with its windows and series, the documents, or the streams. Keys " +
      "there is one of for each record are sampled: an estimate, exact where there are no more than were sampled. " +
      "Series of audio, video and podcasts are left out. What Redis spends on a key is in (MEMORY USAGE), what is " +
      "common to all keys is not.",
    role: "reader",
    flags: ["no-writes"],
    positional: [{ name: "part", type: choice(PARTS), doc: "what to measure" }],
    options: [
      {
        name: "DIMENSION",
        type: choice(names.DIMENSIONS),
        default: "P",
        doc: "what the tier or the documents are of; streams are of all",
      },
      { name: "SAMPLES", type: integer(1, 1000), default: 50, doc: "about how many keys of each sort to look at" },
      NOW,
    ],
    reply: list(
      tuple([
        {
          name: "what",
          type: textReply,
          doc:
            "`views`, `devices`, `waiting`, `series_views`, `series_devices`; `documents`, `lists`, `sets`; " +
            "`events`, `rejected`, `announced`, `state`",
        },
        { name: "dimension", type: textReply, doc: "dimension, or empty" },
        { name: "keys", type: integerReply, doc: "keys of that sort" },
        { name: "bytes", type: integerReply, unit: "bytes", doc: "bytes that they take" },
        { name: "samples", type: integerReply, doc: "keys that were looked at" },
      ]),
    ),
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => {
    const { part, dimension, samples } = args;
    const tier = tierIndex(part);
    if (tier >= FINEST) return rowsOf(tierSorts(tier, dimension, samples, clock(args.now)));
    return rowsOf(part === "DOCUMENTS" ? documentSorts(dimension, samples) : streamSorts());
  },
);
