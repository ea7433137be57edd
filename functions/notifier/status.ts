/** How a topic is doing. */
import { clock } from "../runtime/clock";
import { command, integerReply, NOW, nullable, record, textReply } from "../runtime/declare";
import { countOf, requireQueue } from "../runtime/queue";
import { mostFirst, reasonsReply, rejectedField } from "../runtime/rejected";
import { idMs, lossOf, placeOf, unreadOf } from "../runtime/stream";
import { fields, requireType } from "../runtime/types";
import { REASONS } from "./scans";
import { knownUntil, nextMs } from "./sealing";
import { readTopic, TOPIC, type Topic } from "./topics";

function rejected({ state }: Topic): [string, number][] {
  const counts: [string, number][] = [];
  for (const reason of REASONS) {
    const [count] = fields(state, [rejectedField(reason)]);
    if (count !== false) counts.push([reason, tonumber(count)!]);
  }
  return mostFirst(counts);
}

interface StreamStatus {
  cursor: string;
  length: number;
  unread: number;
  lag_ms: number;
  missing: number;
  missing_at: number;
  begun_anew: number;
}

function streamStatus({ state, stream }: Topic, nowMs: number): StreamStatus {
  const place = placeOf(state, stream);
  const [first] = redis.call("XRANGE", stream, `(${place.cursor}`, "+", "COUNT", 1);
  const length = redis.call("XLEN", stream);
  const [missing, anew, at] = lossOf(state, stream, place);
  return {
    cursor: place.cursor,
    length,
    unread: first === undefined ? 0 : Math.min(unreadOf(stream, place), length),
    lag_ms: first === undefined ? 0 : Math.max(nowMs - idMs(first[0]), 0),
    missing,
    missing_at: at,
    begun_anew: anew,
  };
}

export const getNotifierStatus = command(
  {
    name: "get_notifier_status",
    summary: "How many notifications of a topic are in each state, lag of its stream, and what was refused and why",
    role: "reader",
    flags: ["no-writes"],
    positional: [TOPIC],
    options: [NOW],
    reply: record([
      { name: "topic", type: textReply, doc: "name" },
      { name: "stream", type: textReply, doc: "key of its stream" },
      { name: "cursor", type: textReply, doc: "id of the last entry read" },
      { name: "length", type: integerReply, doc: "entries in the stream, those that were read included" },
      { name: "unread", type: integerReply, doc: "entries not yet read, at most" },
      { name: "lag_ms", type: integerReply, unit: "ms", doc: "age of the first entry not yet read" },
      { name: "collecting", type: integerReply, doc: "subjects that wait to be quiet" },
      { name: "due", type: integerReply, doc: "those of them that have been quiet by now" },
      { name: "waiting", type: integerReply, doc: "notifications that wait to be given out again" },
      { name: "leased", type: integerReply, doc: "notifications that are out" },
      { name: "dead", type: integerReply, doc: "notifications that were given up" },
      { name: "delivered", type: integerReply, doc: "notifications that were acknowledged" },
      {
        name: "rejected",
        type: reasonsReply("entries"),
        doc: "reason and number of refused entries, most first",
      },
      {
        name: "next",
        type: nullable(integerReply),
        unit: "unix_ms",
        doc: "when there is something to claim, unix ms; nil if nothing waits",
      },
      {
        name: "missing",
        type: integerReply,
        doc: "entries that others trimmed or deleted before they were read",
      },
      { name: "missing_at", type: integerReply, unit: "unix_ms", doc: "when that was last seen, unix ms; 0 for never" },
      {
        name: "begun_anew",
        type: integerReply,
        doc: "how often the stream was deleted and begun anew; what it held unread then is in no count",
      },
    ]),
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    causes: { NOTFOUND: "there is no such topic" },
  },
  (args) => {
    const nowMs = clock(args.now);
    const topic = readTopic(args.topic);
    requireQueue(topic.queue);
    requireType(topic.due, "zset");
    requireType(topic.stream, "stream");
    const status = streamStatus(topic, nowMs);
    const [delivered] = fields(topic.state, ["delivered"]);
    return {
      topic: topic.name,
      stream: topic.stream,
      cursor: status.cursor,
      length: status.length,
      unread: status.unread,
      lag_ms: status.lag_ms,
      collecting: redis.call("ZCARD", topic.due),
      due: redis.call("ZCOUNT", topic.due, "-inf", `${knownUntil(topic, nowMs)}`),
      waiting: countOf(topic.queue, "ready"),
      leased: countOf(topic.queue, "leased"),
      dead: countOf(topic.queue, "dead"),
      delivered: delivered === false || delivered === undefined ? 0 : tonumber(delivered)!,
      rejected: rejected(topic),
      next: nextMs(topic, nowMs, nowMs),
      missing: status.missing,
      missing_at: status.missing_at,
      begun_anew: status.begun_anew,
    };
  },
);
