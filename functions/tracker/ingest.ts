/** Events come in: from a call, or from a stream by a cursor that moves together with the counters. */
import { clock } from "../runtime/clock";
import { command, integer, integerReply, list, NOW, record, text, textReply, tuple } from "../runtime/declare";
import { dropLast, isRepeated, keepIds, newIds, requireRoomFor, type Ids } from "../runtime/ids";
import { requireType } from "../runtime/types";
import { readIdKeep, readRetention, readState, type State } from "./configuration";
import { count, countMedia, countOne, newBatch, write, type Batch } from "./counting";
import {
  deviceOf,
  fromDigits,
  idOf,
  MAX_DEVICE_BYTES,
  mediaOf,
  rawFromEntry,
  rawFromJson,
  REASONS,
  timeOf,
  untimely,
  type Media,
  type RawEvent,
  type Reason,
} from "./events";
import { identify, useNaming } from "./identity";
import * as names from "./names";
import { keepRejections, type Rejection } from "./rejected";
import { movePlace, placeOf, trim, type Place } from "./stream";
import { MAX_AGE_MS, MAX_AHEAD_MS } from "./windows";

/** The most events of one call of track_events or import_events, and of one step of ingest_events. */
export const MAX_EVENTS = 1000;

/** How many refused events a reply lists. */
const MAX_REPORTED = 100;

/** At about 120,000 events a second this keeps a call under 2 ms. */
const DEFAULT_LIMIT = 250;

interface Outcome {
  late: number;
  rejections: Rejection[];
}

/** One step of counting: everything is read and checked before `commit` writes. */
export interface Step {
  state: State;
  batch: Batch;
  rejections: Rejection[];
  /** Of events that have one; made for the first of them. */
  ids: Ids | undefined;
}

/** An empty step. */
export function newStep(state: State): Step {
  return { state, batch: newBatch(), rejections: [], ids: undefined };
}

/** Adds an event to the step; the reason if it is refused. */
function take(
  step: Step,
  url: unknown,
  uui: unknown,
  dt: unknown,
  media: Media | undefined | false,
  nowMs: number,
): Reason | undefined {
  const [pageId, section, unidentified] = identify(url, step.state);
  if (pageId === undefined) return unidentified;
  const device = deviceOf(uui);
  if (device === undefined) return "uui";
  const [timeMs, noTime] = timeOf(dt, nowMs);
  if (timeMs === undefined) return noTime;
  if (media === false) return "media";
  count(step.batch, pageId, section!, url as string, device, timeMs);
  if (media !== undefined) countMedia(step.batch, media, section!, url as string, device, timeMs);
  return undefined;
}

/** Adds an event as it came to the step; the reason if it is refused. */
export function takeRaw(step: Step, raw: RawEvent, nowMs: number): Reason | undefined {
  return take(step, raw.url, raw.uui, raw.dt, mediaOf(raw), nowMs);
}

/** As `takeRaw`, for an event that may have been counted before under its id: then it is passed over. */
function takeNew(step: Step, raw: RawEvent, nowMs: number): Reason | undefined {
  const id = idOf(raw);
  if (id === undefined) return takeRaw(step, raw, nowMs);
  if (id === false) return "id";
  const ids = step.ids ?? newIds();
  step.ids = ids;
  if (isRepeated(ids, names.eventId(id))) return undefined;
  const reason = takeRaw(step, raw, nowMs);
  if (reason !== undefined) dropLast(ids);
  return reason;
}

/**
 * An entry of a stream. One of `url … uui … dt …` and nothing else, as most are, is taken apart without a table, and without
 * looking for other types and for media.
 */
function takeEntry(step: Step, flat: string[], nowMs: number): Reason | undefined {
  if (flat[0] !== "url" || flat[2] !== "uui" || flat[4] !== "dt" || flat[6] !== undefined)
    return takeNew(step, rawFromEntry(flat), nowMs);
  const url = flat[1]!;
  const device = flat[3]!;
  const [pageId, section, unidentified] = identify(url, step.state);
  if (pageId === undefined) return unidentified;
  // The limits of deviceOf and timeOf: a call for each of them would be a hundredth of an entry's price.
  if (device === "" || device === "null" || device.length > MAX_DEVICE_BYTES) return "uui";
  const timeMs = fromDigits(flat[5]!);
  if (timeMs === undefined) return "dt";
  if (timeMs > nowMs + MAX_AHEAD_MS || timeMs < nowMs - MAX_AGE_MS) return untimely(timeMs, nowMs);
  count(step.batch, pageId, section!, url, device, timeMs);
  return undefined;
}

/** Counts a step, and keeps what was refused. */
export function countStep(step: Step, nowMs: number): Outcome {
  if (step.rejections.length > 0) requireType(names.rejectedStream(), "stream");
  const late = write(step.batch, step.state);
  if (step.rejections.length > 0) keepRejections(step.rejections, nowMs);
  return { late, rejections: step.rejections };
}

function commit(step: Step, nowMs: number): Outcome {
  const { ids } = step;
  if (ids !== undefined) requireRoomFor(ids);
  const outcome = countStep(step, nowMs);
  if (ids !== undefined) keepIds(ids, readIdKeep());
  if (outcome.late > 0) redis.call("HINCRBY", names.state(), "late", `${outcome.late}`);
  return outcome;
}

/** The first refused events as a reply lists them: index, code, message. */
export function report(rejections: Rejection[]): [number, string, string][] {
  const reported: [number, string, string][] = [];
  for (const { index, reason } of rejections) {
    if (reported.length === MAX_REPORTED) break;
    reported.push([index, "BADEVENT", `${reason}: ${REASONS[reason]}`]);
  }
  return reported;
}

/** The short way for one event that is like others before it; false, with nothing written, if it is not. */
function trackOne(state: State, json: string, nowMs: number): boolean {
  const raw = rawFromJson(json);
  if (raw === undefined || raw.id !== undefined || mediaOf(raw) !== undefined) return false;
  const [pageId, section] = identify(raw.url, state);
  const device = deviceOf(raw.uui);
  const [timeMs] = timeOf(raw.dt, nowMs);
  if (pageId === undefined || device === undefined || timeMs === undefined) return false;
  return countOne(pageId, section!, device, timeMs, state);
}

/** What {@link report} answers. */
export const ERRORS_REPLY = {
  name: "errors",
  type: list(
    tuple([
      { name: "index", type: integerReply, doc: "position of the event, from 0" },
      { name: "code", type: textReply, doc: "BADEVENT" },
      { name: "message", type: textReply, doc: "reason and what was expected" },
    ]),
  ),
  doc: "the first 100 refused events: index from 0, code, message",
};

const COUNTED_ONE = ["accepted", 1, "rejected", 0, "late", 0, "errors", []];

export const trackEvents = command(
  {
    name: "track_events",
    summary: "Counts events given as JSON",
    doc:
      "An event is `{url, uui, dt}` with optional `audio`, `video`, `podcast` and `id`: `url` is an absolute http(s) address " +
      "of at most 2,048 bytes, `uui` the device's id of 1 to 256 bytes (not `null`), `dt` the time in unix milliseconds, at most 5 " +
      "minutes ahead of the clock and 7 days old. Good events count even where " +
      "others are refused; a refused one is in `errors` with BADEVENT and the reason, is counted by reason and kept in `ST:REJECTED::::`. A repeated call " +
      "counts again unless it is named by ONCE. An event with an `id` (1 to 64 bytes) counts once, by call or by stream, " +
      "within ID_KEEP (configure_tracker; ten minutes); its repeats are accepted and not counted. 1,000 events of pages " +
      "that were seen before take the server some 12 ms, of as many new pages with three media each 50 ms: fewer a call " +
      "leave more room to others.",
    role: "ingest",
    flags: [],
    positional: [],
    rest: { name: "event", max: MAX_EVENTS, schema: "Event", doc: "events as JSON objects" },
    options: [NOW],
    reply: record([
      { name: "accepted", type: integerReply, doc: "events counted, now or before under their id" },
      { name: "rejected", type: integerReply, doc: "events refused" },
      { name: "late", type: integerReply, doc: "events counted for a window that rotation had passed already" },
      ERRORS_REPLY,
    ]),
    errors: ["BADARG", "LIMIT", "CONFLICT"],
    repeat: "again",
  },
  (args) => {
    const nowMs = clock(args.now);
    const state = readState();
    useNaming(state);
    const events = args.rest;
    if (events.length === 1 && trackOne(state, events[0]!, nowMs)) return COUNTED_ONE;
    const step = newStep(state);
    for (const position of $range(1, events.length)) {
      const event = events[position - 1]!;
      const raw = rawFromJson(event);
      const reason = raw === undefined ? "json" : takeNew(step, raw, nowMs);
      if (reason !== undefined) step.rejections.push({ index: position - 1, reason, event });
    }
    const { late, rejections } = commit(step, nowMs);
    const rejected = rejections.length;
    return { accepted: events.length - rejected, rejected, late, errors: report(rejections) };
  },
);

/** Entries after the cursor: at most `limit`, and one more to tell whether there are more. */
function entriesAfter(stream: string, cursor: string, limit: number): RedisStreamEntry[] {
  return redis.call("XRANGE", stream, `(${cursor}`, "+", "COUNT", limit + 1);
}

interface StreamStep {
  outcome: Outcome;
  read: number;
  more: boolean;
}

/** Counts up to `limit` entries after a place and moves it; nothing is written unless all of it is. */
function ingestStep(state: State, stream: string, place: Place, limit: number, nowMs: number): StreamStep {
  const entries = entriesAfter(stream, place.cursor, limit);
  const read = Math.min(entries.length, limit);
  const step = newStep(state);
  for (const position of $range(1, read)) {
    const fields = entries[position - 1]![1];
    const reason = takeEntry(step, fields, nowMs);
    if (reason !== undefined) {
      step.rejections.push({ index: position - 1, reason, event: cjson.encode(rawFromEntry(fields)) });
    }
  }
  const outcome = commit(step, nowMs);
  const more = entries.length > limit;
  movePlace(stream, place, read > 0 ? entries[read - 1]![0] : place.cursor, read, !more, nowMs);
  return { outcome, read, more };
}

/**
 * One step. An error of the first one is the call's; a later one ends the call with what it has counted so far, and the
 * next call answers the error: a call that answers an error has written nothing.
 */
function attempt(
  isFirst: boolean,
  state: State,
  stream: string,
  place: Place,
  limit: number,
  nowMs: number,
): LuaMultiReturn<[ok: boolean, done: StreamStep]> {
  if (isFirst) return $multi(true, ingestStep(state, stream, place, limit, nowMs));
  return pcall(ingestStep, state, stream, place, limit, nowMs) as LuaMultiReturn<[boolean, StreamStep]>;
}

export const ingestEvents = command(
  {
    name: "ingest_events",
    summary: "Counts what has arrived on a stream, each entry exactly once",
    doc:
      "Entries have the fields of an event: `url`, `uui`, `dt`, and optionally `audio`, `video`, `podcast`, `id`. " +
      "One with an `id` counts once, as in track_events. The " +
      "cursor moves in the same call as the counters. Consumed entries are trimmed to about MAXLEN " +
      "(configure_tracker), unread ones never.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: [
      { name: "STREAM", type: text(1, 512), doc: "key of the stream (default `ST:TRACKER::::`)" },
      { name: "LIMIT", type: integer(1, 10000), default: DEFAULT_LIMIT, doc: "most entries of this call" },
      NOW,
    ],
    reply: record([
      { name: "read", type: integerReply, doc: "entries read" },
      { name: "accepted", type: integerReply, doc: "events counted, now or before under their id" },
      { name: "rejected", type: integerReply, doc: "events refused and kept in `ST:REJECTED::::`" },
      { name: "late", type: integerReply, doc: "events counted for a window that rotation had passed already" },
      { name: "remaining", type: integerReply, flag: true, doc: "1 if the same call, made again, reads more" },
    ]),
    errors: ["BADARG", "CONFLICT", "LIMIT"],
    repeat: "next",
    paging: "remaining",
  },
  (args) => {
    const nowMs = clock(args.now);
    const stream = names.eventStream(args.stream);
    const state = readState();
    useNaming(state);
    requireType(stream, "stream");
    const total = { read: 0, accepted: 0, rejected: 0, late: 0, remaining: 0 };
    const place = placeOf(stream);
    let more = true;
    while (more && total.read < args.limit) {
      const limit = Math.min(MAX_EVENTS, args.limit - total.read);
      const [ok, done] = attempt(total.read === 0, state, stream, place, limit, nowMs);
      if (!ok) break;
      total.read += done.read;
      total.rejected += done.outcome.rejections.length;
      total.late += done.outcome.late;
      more = done.more;
    }
    total.accepted = total.read - total.rejected;
    total.remaining = more ? 1 : 0;
    trim(stream, place, readRetention().maxlen);
    return total;
  },
);
