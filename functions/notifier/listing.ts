/** What waits, is out, or is dead. */
import { withHead } from "../runtime/chunks";
import { choice, command, integer, integerReply, jsonReply, tuple } from "../runtime/declare";
import { countOf, entryFields, pageOf, requireQueue, type QueueState } from "../runtime/queue";
import { onKey, requireType } from "../runtime/types";
import { idOf, parseRecord } from "./records";
import { CONTENT, itemsKey, itemsUpTo } from "./sealing";
import { readTopic, TOPIC, type Topic } from "./topics";

const STATES = ["waiting", "leased", "dead"] as const;

/** How many items are shown of a notification. */
const SHOWN_ITEMS = 10;

const QUEUE_FIELDS = ["token", "worker", "reason", ...CONTENT];

interface Listed {
  id: string;
  state: string;
  topic: string;
  subject: string;
  items: string[];
  count: number;
  first_at: number;
  last_at: number;
  attempt: number;
  at: number;
  worker?: string;
  reason?: string;
}

/** The first items of a list, and how many it has; none if it is gone. */
function look(list: string): LuaMultiReturn<[items: string[], count: number]> {
  const items = itemsUpTo(list, SHOWN_ITEMS - 1);
  return $multi(items, items.length < SHOWN_ITEMS ? items.length : redis.call("LLEN", list));
}

/** As JSON; a list without items is `[]`, which cjson would print as an object. */
function encode(listed: Listed): string {
  const json = cjson.encode(listed);
  return listed.items.length > 0 ? json : string.gsub(json, '"items":{}', '"items":[]', 1)[0];
}

function textOr(value: string | false | undefined): string | undefined {
  return value === false || value === "" ? undefined : value;
}

/** Notifications of the queue in a state. */
function queued(topic: Topic, state: (typeof STATES)[number], offset: number, count: number): string[] {
  const found: string[] = [];
  const queueState: QueueState = state === "waiting" ? "ready" : state;
  const page = pageOf(topic.queue, queueState, offset, count);
  for (const at of $range(1, page.length, 2)) {
    const id = page[at - 1]!;
    const fields = entryFields(topic.queue, id, QUEUE_FIELDS);
    if (fields !== undefined) {
      const [attempt, , worker, reason, subject, firstAt, lastAt] = fields as string[];
      const [items, total] = look(itemsKey(topic, id));
      found.push(
        encode({
          id,
          state,
          topic: topic.name,
          subject: subject!,
          items,
          count: total,
          first_at: tonumber(firstAt)!,
          last_at: tonumber(lastAt)!,
          attempt: tonumber(attempt)!,
          at: tonumber(page[at])!,
          worker: textOr(worker),
          reason: textOr(reason),
        }),
      );
    }
  }
  return found;
}

/** Subjects that wait to be quiet: notifications that were never out. */
function collecting(topic: Topic, offset: number, count: number): string[] {
  const found: string[] = [];
  const page = onKey("ZRANGE", topic.due, `${offset}`, `${offset + count - 1}`, "WITHSCORES");
  for (const at of $range(1, page.length, 2)) {
    const subject = page[at - 1]!;
    const stored = onKey("HGET", topic.subjects, subject);
    if (stored !== false) {
      const [first, last, serial] = parseRecord(stored);
      const [items, total] = look(topic.prefix + subject);
      found.push(
        encode({
          id: idOf(topic, subject, serial),
          state: "waiting",
          topic: topic.name,
          subject,
          items,
          count: total,
          first_at: tonumber(first)!,
          last_at: tonumber(last)!,
          attempt: 0,
          at: tonumber(page[at])!,
        }),
      );
    }
  }
  return found;
}

export const listNotifications = command(
  {
    name: "list_notifications",
    summary: "Notifications of a topic in a state",
    doc:
      "Each JSON has `id`, `state`, `topic`, `subject`, `items` (the first ten), `count` (of all its items), " +
      "`first_at`, `last_at`, `attempt` (how often it was out), `at` (ms: when it is due or may go out again, when " +
      "its lease ends, or when it died), and once it was out `worker` and `reason` (of its last failure). Those " +
      "that wait are, in this order, those that were due or out before, and those whose subjects are not quiet " +
      "yet; each by `at`.",
    role: "reader",
    flags: ["no-writes"],
    positional: [TOPIC],
    options: [
      { name: "STATE", type: choice(STATES), default: "waiting", doc: "waiting, out under a lease, or given up" },
      { name: "OFFSET", type: integer(0, 1000000000), default: 0, doc: "how many to leave out" },
      { name: "COUNT", type: integer(1, 1000), default: 100, doc: "most to answer" },
    ],
    reply: tuple([{ name: "total", type: integerReply, doc: "how many are in that state" }], jsonReply),
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "notifications", schema: "NotificationListed" },
    paging: "offset",
    causes: { NOTFOUND: "there is no such topic" },
  },
  (args) => {
    const topic = readTopic(args.topic);
    requireQueue(topic.queue);
    requireType(topic.due, "zset");
    const { state, offset, count } = args;
    if (state !== "waiting") return withHead(countOf(topic.queue, state), queued(topic, state, offset, count));
    const before = countOf(topic.queue, "ready");
    const found = offset < before ? queued(topic, state, offset, count) : [];
    const left = count - Math.max(Math.min(before - offset, count), 0);
    if (left > 0) {
      for (const each of collecting(topic, Math.max(offset - before, 0), left)) found.push(each);
    }
    return withHead(before + redis.call("ZCARD", topic.due), found);
  },
);
