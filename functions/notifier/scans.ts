/** Scans come in: from a call, or from a stream by a cursor that moves together with the lists. */
import { clock } from "../runtime/clock";
import { command, integer, integerReply, NOW, record, text } from "../runtime/declare";
import { isRepeated, keepIds, MAX_ID_BYTES, newIds, requireRoomFor, type Ids } from "../runtime/ids";
import { keepRejected, type Rejected } from "../runtime/rejected";
import { movePlace, placeOf, type Place } from "../runtime/stream";
import { requireType, scores } from "../runtime/types";
import { addScan, newBatch, prepare, write, type Batch } from "./collecting";
import * as names from "./names";
import { readTopic, TOPIC, type Topic } from "./topics";
import { trim } from "./trimming";

const MAX_SUBJECT_BYTES = 256;
const MAX_ITEM_BYTES = 1024;

/** The most entries that are read and checked before they are written. */
const MAX_STEP = 1000;

/** At about 150,000 scans a second this keeps a call under 2 ms. */
const DEFAULT_LIMIT = 250;

/** Why a scan is refused. */
export const REASONS = ["subject", "item", "id"] as const;
type Reason = (typeof REASONS)[number];

/** The field of an entry with the id by which it is known when it comes again. */
const ID_FIELD = "id";

/** Of a field that is too long the first bytes are kept. */
const KEPT_FIELD_BYTES = 1024;

export const scanItem = command(
  {
    name: "scan_item",
    summary: "Adds an item to a subject, and answers when the subject will have been quiet",
    doc:
      "The scan has the time of the call. Each scan restarts the quiet time, that of an item that is listed " +
      "already too. A scan with an ID counts once, by call or by stream, within ID_KEEP (configure_topic; ten minutes): a repeat " +
      "changes nothing, and answers when the subject will have been quiet as things are, or 0 if it waits no more.",
    role: "ingest",
    flags: [],
    positional: [
      TOPIC,
      { name: "subject", type: text(1, MAX_SUBJECT_BYTES), doc: "who is to be notified" },
      { name: "item", type: text(1, MAX_ITEM_BYTES), doc: "what was scanned" },
    ],
    options: [{ name: "ID", type: text(1, MAX_ID_BYTES), doc: "by which the scan is known when it comes again" }, NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT", "LIMIT"],
    answer: { doc: "when the subject will have been quiet", unit: "unix_ms" },
    repeat: "same",
    causes: { NOTFOUND: "there is no such topic" },
  },
  (args) => {
    const topic = readTopic(args.topic);
    const batch = newBatch(topic);
    const nowMs = clock(args.now);
    const ids = newIds();
    if (args.id !== undefined && isRepeated(ids, names.scanId(topic.name, args.id))) {
      const due = scores(topic.due, [args.subject])[0]!;
      return due === false ? 0 : tonumber(due)!;
    }
    requireRoomFor(ids);
    addScan(batch, args.subject, args.item, nowMs, `${nowMs}`);
    prepare(batch);
    const due = write(batch);
    keepIds(ids, topic.settings.id_keep);
    return due;
  },
);

/** The value of a field in field, value, field, value. */
function valueOf(flat: string[], field: string): string | undefined {
  for (const at of $range(1, flat.length, 2)) {
    if (flat[at - 1] === field) return flat[at];
  }
  return undefined;
}

/** An entry as it is kept when it is refused. */
function toJson(flat: string[]): string {
  const entry: Record<string, string> = {};
  for (const at of $range(1, flat.length, 2)) {
    entry[string.sub(flat[at - 1]!, 1, KEPT_FIELD_BYTES)] = string.sub(flat[at]!, 1, KEPT_FIELD_BYTES);
  }
  return cjson.encode(entry);
}

interface Step {
  read: number;
  rejected: number;
  more: boolean;
}

/** Adds an entry to a batch, unless it was before under its `id`; the reason if it is refused. */
function take(batch: Batch, ids: Ids, id: string, flat: string[], nowMs: number): Reason | undefined {
  const { subject: subjectField, item: itemField } = batch.topic.settings;
  const isPlain = flat[0] === subjectField && flat[2] === itemField;
  const subject = isPlain ? flat[1] : valueOf(flat, subjectField);
  if (subject === undefined || subject === "" || subject.length > MAX_SUBJECT_BYTES) return "subject";
  const item = isPlain ? flat[3] : valueOf(flat, itemField);
  if (item === undefined || item === "" || item.length > MAX_ITEM_BYTES) return "item";
  if (!isPlain || flat[4] !== undefined) {
    const own = valueOf(flat, ID_FIELD);
    if (own !== undefined && own.length > MAX_ID_BYTES) return "id";
    if (own !== undefined && own !== "" && isRepeated(ids, names.scanId(batch.topic.name, own))) return undefined;
  }
  const [at] = string.match(id, "^%d+");
  const atMs = tonumber(at)!;
  // An entry that was added by a clock that was ahead would be due too late.
  if (atMs > nowMs) addScan(batch, subject, item, nowMs, `${nowMs}`);
  else addScan(batch, subject, item, atMs, at!);
  return undefined;
}

/** Takes up to `limit` entries after a place and moves it; nothing is written unless all of it is. */
function ingestStep(topic: Topic, place: Place, limit: number, nowMs: number): Step {
  const { stream, state } = topic;
  const entries = redis.call("XRANGE", stream, `(${place.cursor}`, "+", "COUNT", limit + 1);
  const read = Math.min(entries.length, limit);
  const more = entries.length > limit;
  if (read === 0) {
    movePlace(state, stream, place, place.cursor, 0, true, nowMs);
    return { read, rejected: 0, more };
  }
  const batch = newBatch(topic);
  const ids = newIds();
  const rejected: Rejected<Reason>[] = [];
  for (const position of $range(1, read)) {
    const entry = entries[position - 1]!;
    const reason = take(batch, ids, entry[0], entry[1], nowMs);
    if (reason !== undefined) rejected.push({ reason, event: toJson(entry[1]) });
  }
  requireType(state, "hash");
  if (rejected.length > 0) requireType(topic.rejected, "stream");
  requireRoomFor(ids);
  prepare(batch);
  write(batch);
  keepIds(ids, topic.settings.id_keep);
  keepRejected(state, topic.rejected, rejected, nowMs);
  movePlace(state, stream, place, entries[read - 1]![0], read, !more, nowMs);
  return { read, rejected: rejected.length, more };
}

/**
 * One step. An error of the first one is the call's; a later one ends the call with what it has got done so far, and the
 * next call answers the error: a call that answers an error has written nothing.
 */
function attempt(
  isFirst: boolean,
  topic: Topic,
  place: Place,
  limit: number,
  nowMs: number,
): LuaMultiReturn<[ok: boolean, done: Step]> {
  if (isFirst) return $multi(true, ingestStep(topic, place, limit, nowMs));
  return pcall(ingestStep, topic, place, limit, nowMs) as LuaMultiReturn<[boolean, Step]>;
}

export const ingestScans = command(
  {
    name: "ingest_scans",
    summary: "Takes the scans that have arrived on a topic's stream, each exactly once",
    doc:
      "Entries have the topic's fields of subject (1 to 256 bytes) and item (1 to 1,024 bytes); others are " +
      "ignored, but for `id` (1 to 64 bytes), under which a scan counts once, as in scan_item. A scan has the time of its entry's id, or of the call if that is earlier. The cursor moves in the " +
      "same call as the lists. An entry that is refused is counted by reason and kept in " +
      "`ST:NOTIFIER.REJECTED::<topic>::`. Entries that were read are trimmed to about MAXLEN (configure_topic), " +
      "unread ones never.",
    role: "scheduler",
    flags: [],
    positional: [TOPIC],
    options: [
      { name: "LIMIT", type: integer(1, 10000), default: DEFAULT_LIMIT, doc: "most entries of this call" },
      NOW,
    ],
    reply: record([
      { name: "read", type: integerReply, doc: "entries read" },
      { name: "accepted", type: integerReply, doc: "scans taken" },
      { name: "rejected", type: integerReply, doc: "entries refused and kept" },
      { name: "remaining", type: integerReply, flag: true, doc: "1 if the same call, made again, reads more" },
    ]),
    errors: ["BADARG", "NOTFOUND", "CONFLICT", "LIMIT"],
    repeat: "next",
    paging: "remaining",
    causes: { NOTFOUND: "there is no such topic" },
  },
  (args) => {
    const nowMs = clock(args.now);
    const topic = readTopic(args.topic);
    requireType(topic.stream, "stream");
    const total = { read: 0, accepted: 0, rejected: 0, remaining: 0 };
    const place = placeOf(topic.state, topic.stream);
    let more = true;
    while (more && total.read < args.limit) {
      const [ok, done] = attempt(total.read === 0, topic, place, Math.min(MAX_STEP, args.limit - total.read), nowMs);
      if (!ok) break;
      total.read += done.read;
      total.rejected += done.rejected;
      more = done.more;
    }
    total.accepted = total.read - total.rejected;
    total.remaining = more ? 1 : 0;
    trim(topic, place);
    return total;
  },
);
