/** Notifications go out under a lease, and end as delivered, failed, or dead. */
import { withHead } from "../runtime/chunks";
import { clock } from "../runtime/clock";
import { command, integer, integerReply, jsonReply, NOW, nullable, recordId, text, tuple } from "../runtime/declare";
import { fail } from "../runtime/errors";
import { failLease, finish, lease, readyIds, requireQueue, retry, takeBack, type Lease } from "../runtime/queue";
import { requireType } from "../runtime/types";
import { CONTENT, itemsKey, itemsUpTo, knownUntil, nextMs, sealDue, split } from "./sealing";
import { readTopic, TOPIC, type Topic } from "./topics";

/** The most items of one notification, and about as many in one reply: a message must not grow without bound. */
const MAX_ITEMS = 1000;

/** Leases that ran out are taken back by so many a call, or as many as are asked for. */
const MIN_TAKEN_BACK = 100;

const ID = { name: "id", type: recordId, doc: "id of the notification" } as const;
const TOKEN = { name: "TOKEN", type: text(1, 64), doc: "token of the lease, from the claim" } as const;

/**
 * Items of a notification, at most as many as may go out at once; the others become another notification. Empty if
 * somebody has deleted them.
 */
function takeItems(topic: Topic, id: string, nowMs: number): string[] {
  const items = itemsUpTo(itemsKey(topic, id), MAX_ITEMS);
  if (items.length <= MAX_ITEMS) return items;
  split(topic, id, MAX_ITEMS, nowMs);
  table.remove(items);
  return items;
}

function encode(topic: Topic, { id, token, attempt, content }: Lease, items: string[]): string {
  const [subject, firstAt, lastAt] = content as string[];
  return cjson.encode({
    id,
    token,
    topic: topic.name,
    subject,
    items,
    first_at: tonumber(firstAt),
    last_at: tonumber(lastAt),
    attempt,
  });
}

/** Gives out notifications that are ready, until they have about MAX_ITEMS items. */
function giveOut(topic: Topic, ready: string[], worker: string, nowMs: number): string[] {
  const given: string[] = [];
  let total = 0;
  for (const id of ready) {
    if (total >= MAX_ITEMS) break;
    const leased = lease(topic.queue, id, worker, topic.settings.lease, CONTENT, nowMs);
    if (leased !== undefined) {
      const items = takeItems(topic, id, nowMs);
      total += items.length;
      if (items.length > 0) given.push(encode(topic, leased, items));
      else finish(topic.queue, id, leased.token);
    }
  }
  return given;
}

export const claimNotifications = command(
  {
    name: "claim_notifications",
    summary: "Takes notifications of subjects that have been quiet, each under a lease",
    doc:
      "Each JSON has `id`, `token`, `topic`, `subject`, `items` (in order of first scan), `first_at`, `last_at` " +
      "(ms) and `attempt` (from 1). A notification takes the items out of its subject's list: a scan from now on " +
      "begins the next one. It has at most 1,000 items, and a reply about 1,000 altogether, so it may hold fewer " +
      "than COUNT; what a subject has more is given out as further notifications. A lease that is not ended in " +
      "time (LEASE of the topic) comes back and has used an attempt. Subjects are quiet as far as the stream was " +
      "read: while entries wait for ingest_scans, nobody is taken to be quiet beyond the time of the first of them.",
    role: "worker",
    flags: [],
    positional: [TOPIC],
    options: [
      { name: "COUNT", type: integer(1, 10000), default: 10, doc: "most notifications of this call" },
      { name: "WORKER", type: text(1, 128), default: "worker", doc: "who asks; shown in lists" },
      NOW,
    ],
    reply: tuple(
      [
        {
          name: "next",
          type: nullable(integerReply),
          unit: "unix_ms",
          doc: "when there is something to claim again, unix ms; nil if nothing waits",
        },
      ],
      jsonReply,
    ),
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "notifications, each under a lease of its own", schema: "Notification" },
    repeat: "takes",
    causes: { NOTFOUND: "there is no such topic" },
  },
  (args) => {
    const nowMs = clock(args.now);
    const topic = readTopic(args.topic);
    requireQueue(topic.queue);
    requireType(topic.due, "zset");
    requireType(topic.subjects, "hash");
    const untilMs = knownUntil(topic, nowMs);
    const count = Math.min(args.count, MAX_ITEMS);
    const taken = takeBack(topic.queue, Math.max(count, MIN_TAKEN_BACK), nowMs);
    const [sealed, foreign] = sealDue(topic, count, untilMs);
    const ready = readyIds(topic.queue, count, nowMs);
    if (foreign !== undefined && taken + sealed + ready.length === 0) fail("CONFLICT", `${foreign} is no list`);
    const given = giveOut(topic, ready, args.worker, nowMs);
    return withHead(nextMs(topic, untilMs, nowMs) ?? false, given);
  },
);

export const ackNotification = command(
  {
    name: "ack_notification",
    summary: "Ends a notification that was delivered, and removes it",
    doc: "Without TOKEN it is removed in any state, a dead one too.",
    role: "worker",
    flags: [],
    positional: [TOPIC, ID],
    options: [TOKEN, NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "differs",
    causes: {
      NOTFOUND: "there is no such topic or notification: it was ended before, perhaps by this call",
      CONFLICT: "its lease is over, or it is leased under another token; or a key holds a foreign type",
    },
  },
  (args) => {
    const topic = readTopic(args.topic);
    requireQueue(topic.queue);
    finish(topic.queue, args.id, args.token);
    redis.call("UNLINK", itemsKey(topic, args.id));
    redis.call("HINCRBY", topic.state, "delivered", "1");
    return 1;
  },
);

export const failNotification = command(
  {
    name: "fail_notification",
    summary: "Ends an attempt that failed: the notification waits for its back-off, or is dead if that was the last",
    doc: "It waits BACKOFF × 2^(attempt − 1), an hour at most. After ATTEMPTS it is kept as dead, and can be retried.",
    role: "worker",
    flags: [],
    positional: [TOPIC, ID],
    options: [
      TOKEN,
      { name: "REASON", type: text(1, 1024), default: "failed", doc: "what went wrong; shown in lists" },
      NOW,
    ],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "differs",
    causes: {
      NOTFOUND: "there is no such topic or notification",
      CONFLICT: "its lease is over, or it is leased under another token; or a key holds a foreign type",
    },
  },
  (args) => {
    const topic = readTopic(args.topic);
    requireQueue(topic.queue);
    failLease(topic.queue, args.id, args.token, args.reason, clock(args.now));
    return 1;
  },
);

export const retryNotification = command(
  {
    name: "retry_notification",
    summary: "Makes a notification that is dead, or waits for its back-off, ready now; its attempts start anew",
    role: "admin",
    flags: [],
    positional: [TOPIC, ID],
    options: [NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
    causes: {
      NOTFOUND: "there is no such topic or notification",
      CONFLICT: "it is out under a lease; or a key holds a foreign type",
    },
  },
  (args) => {
    const topic = readTopic(args.topic);
    requireQueue(topic.queue);
    retry(topic.queue, args.id, clock(args.now));
    return 1;
  },
);
