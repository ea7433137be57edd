/**
 * Back-fill: chunks of a log or of another server's stream, each counted exactly once, because the position in the source
 * moves in the call that counts. What a position is, only the caller knows: a byte offset, the id of a stream entry.
 */
import { clock } from "../runtime/clock";
import { command, integer, integerReply, NOW, nullable, record, text, textReply } from "../runtime/declare";
import { fail } from "../runtime/errors";
import { DAY_MS, HOUR_MS } from "../runtime/time";
import { fields, requireType } from "../runtime/types";
import { announceBackfill, endBackfill, placeBackfill } from "./backfill";
import { readState, type State } from "./configuration";
import { rawFromJson, timeOf } from "./events";
import { useNaming } from "./identity";
import { countStep, ERRORS_REPLY, MAX_EVENTS, newStep, report, takeRaw, type Step } from "./ingest";
import * as names from "./names";

/** The position of a source of which nothing was imported yet. */
const NOTHING = "-";

/** As long as the coarsest points are kept by default: after that, an import has left no trace that a repeat would double. */
const KEPT_MS = 400 * DAY_MS;

const MAX_HOLD_MS = 7 * DAY_MS;
const DEFAULT_HOLD_MS = 6 * HOUR_MS;

const SOURCE = {
  name: "source",
  type: text(1, 512),
  doc: "what names the log or stream, the same in every call about it",
} as const;

interface Kept {
  position: string | undefined;
  accepted: number;
  rejected: number;
  movedAt: number;
}

const KEPT_FIELDS = ["position", "accepted", "rejected", "moved_at"];

function readKept(name: string): Kept {
  const [position, accepted, rejected, movedAt] = fields(name, KEPT_FIELDS);
  const numberOf = (value: string | false | undefined): number =>
    value === false || value === undefined ? 0 : tonumber(value)!;
  return {
    position: position === false ? undefined : position,
    accepted: numberOf(accepted),
    rejected: numberOf(rejected),
    movedAt: numberOf(movedAt),
  };
}

/** Reads a chunk into a step; the earliest of the events that count. */
function takeChunk(step: Step, events: string[], nowMs: number): number | undefined {
  let earliestMs: number | undefined;
  for (const position of $range(1, events.length)) {
    const event = events[position - 1]!;
    const raw = rawFromJson(event);
    const reason = raw === undefined ? "json" : takeRaw(step, raw, nowMs);
    if (reason !== undefined) {
      step.rejections.push({ index: position - 1, reason, event });
    } else {
      const [timeMs] = timeOf(raw!.dt, nowMs);
      if (earliestMs === undefined || timeMs! < earliestMs) earliestMs = timeMs;
    }
  }
  return earliestMs;
}

interface ChunkReply {
  counted: number;
  position: string | undefined;
  accepted: number;
  rejected: number;
  errors: [number, string, string][];
}

interface Chunk {
  source: string;
  from: string;
  to: string;
  events: string[];
  holdMs: number;
  nowMs: number;
}

/**
 * Pages that were last visited long ago would be removed as such, with the series that were just imported. The documents have
 * been written, or checked, by counting; a foreign key that has come in place of one since loses nothing but its mark.
 */
function markImported({ batch }: Step, nowMs: number): void {
  for (const [, minute] of batch.minutes) {
    for (const { id } of minute.pages.list) redis.pcall("HSET", names.document("P", id), "imported", `${nowMs}`);
  }
}

/** Counts a chunk that follows on what is kept, and moves the position. */
function countChunk(state: State, chunk: Chunk, kept: Kept, name: string, id: string): ChunkReply {
  const place = placeBackfill(id);
  const step = newStep(state);
  const earliestMs = takeChunk(step, chunk.events, chunk.nowMs);
  const { rejections } = countStep(step, chunk.nowMs);
  const accepted = chunk.events.length - rejections.length;
  if (chunk.nowMs < place.nowMs - DAY_MS) markImported(step, place.nowMs);
  const sums = { accepted: kept.accepted + accepted, rejected: kept.rejected + rejections.length };
  redis.call("HSET", name, "position", chunk.to, "accepted", `${sums.accepted}`, "rejected", `${sums.rejected}`);
  redis.call("HSET", name, "moved_at", `${place.nowMs}`, "source", chunk.source);
  redis.call("PEXPIRE", name, `${KEPT_MS}`);
  announceBackfill(place, earliestMs, chunk.holdMs);
  return { counted: 1, position: chunk.to, accepted, rejected: rejections.length, errors: report(rejections) };
}

/** What a call answers whose chunk is in already, or does not follow on what is kept; it still says that the source goes on. */
function skipChunk(chunk: Chunk, kept: Kept, id: string): ChunkReply {
  if (kept.position === chunk.to) announceBackfill(placeBackfill(id), undefined, chunk.holdMs);
  return { counted: 0, position: kept.position, accepted: 0, rejected: 0, errors: [] };
}

export const importEvents = command(
  {
    name: "import_events",
    summary: "Counts a chunk of a log or stream exactly once, and moves the kept position",
    doc:
      "The chunk counts if `from` is the position that is kept; then the position becomes `to`, in the same call. " +
      "Else nothing is counted, and `position` says where to go on: a repeated chunk, one that another importer " +
      "was faster with, and those sent after a failed one in the same pipeline cost nothing. Give NOW the time of " +
      "the log, so that its events are not too old. Unique devices of windows that are not kept any more are " +
      "merged once the back-fill has passed them, or is over (HOLD 0), or was silent for HOLD; page views at any " +
      "time. Positions are kept for 400 days. `late` of get_tracker_status does not count these events.",
    role: "ingest",
    flags: [],
    positional: [
      SOURCE,
      { name: "from", type: text(1, 256), doc: "position before the chunk; `-` where nothing is kept" },
      { name: "to", type: text(1, 256), doc: "position after it" },
    ],
    rest: {
      name: "event",
      schema: "Event",
      max: MAX_EVENTS,
      optional: true,
      doc: "events as JSON objects, as `track_events` takes them",
    },
    options: [
      {
        name: "HOLD",
        type: integer(0, MAX_HOLD_MS),
        unit: "ms",
        default: DEFAULT_HOLD_MS,
        doc: "ms that rotation waits for the next chunk before it takes up unfinished windows; 0 with the last one",
      },
      NOW,
    ],
    reply: record([
      {
        name: "counted",
        type: integerReply,
        flag: true,
        doc: "1 if this call counted the chunk, 0 if it did not follow on the kept position",
      },
      { name: "position", type: nullable(textReply), doc: "the position that is kept now; nil if none is" },
      { name: "accepted", type: integerReply, doc: "events counted" },
      { name: "rejected", type: integerReply, doc: "events refused and kept in `ST:REJECTED::::`" },
      ERRORS_REPLY,
    ]),
    errors: ["BADARG", "LIMIT", "CONFLICT"],
    repeat: "differs",
    causes: { LIMIT: "more than 1,000 events, or too many back-fills are in progress" },
  },
  (args) => {
    const chunk: Chunk = {
      source: args.source,
      from: args.from,
      to: args.to,
      events: args.rest,
      holdMs: args.hold,
      nowMs: clock(args.now),
    };
    if (chunk.to === NOTHING) fail("BADARG", "to must be a position, got '-', which stands for none");
    if (chunk.from === chunk.to && chunk.events.length > 0)
      fail("BADARG", "from and to must differ where there are events, or a repeat would count them again");
    const id = redis.sha1hex(chunk.source);
    const name = names.importOf(id);
    const state = readState();
    useNaming(state);
    const kept = readKept(name);
    requireType(names.backfills(), "hash");
    if ((kept.position ?? NOTHING) !== chunk.from) return skipChunk(chunk, kept, id);
    return countChunk(state, chunk, kept, name, id);
  },
);

export const getImport = command(
  {
    name: "get_import",
    summary: "How far a log or stream was imported",
    role: "reader",
    flags: ["no-writes"],
    positional: [SOURCE],
    options: [],
    reply: nullable(
      record([
        { name: "position", type: textReply, doc: "the position after the last chunk" },
        { name: "accepted", type: integerReply, doc: "events counted so far" },
        { name: "rejected", type: integerReply, doc: "events refused so far" },
        {
          name: "moved_at",
          type: integerReply,
          unit: "unix_ms",
          doc: "when the last chunk came, by the server's clock",
        },
      ]),
    ),
    errors: ["BADARG", "CONFLICT"],
  },
  ({ source }) => {
    const { position, accepted, rejected, movedAt } = readKept(names.importOf(redis.sha1hex(source)));
    if (position === undefined) return undefined;
    return { position, accepted, rejected, moved_at: movedAt };
  },
);

export const forgetImport = command(
  {
    name: "forget_import",
    summary: "Forgets how far a log or stream was imported, so that it counts anew",
    doc: "What was counted stays counted.",
    role: "admin",
    flags: [],
    positional: [SOURCE],
    options: [],
    reply: integerReply,
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "1, or 0 where nothing was kept", flag: true },
    repeat: "differs",
  },
  ({ source }) => {
    const id = redis.sha1hex(source);
    const name = names.importOf(id);
    requireType(name, "hash");
    requireType(names.backfills(), "hash");
    endBackfill(id);
    return redis.call("DEL", name);
  },
);
