/** Topics: the settings of each, where they are kept, and the functions for them. */
import { command, integer, integerReply, list, record, text, textReply, type ReplyType } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { KEEP_MS, MAX_KEEP_MS, MIN_KEEP_MS } from "../runtime/kept";
import { currentPartition, hashTag } from "../runtime/keys";
import type { Queue } from "../runtime/queue";
import { newMemory, recall, remember } from "../runtime/remembered";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../runtime/time";
import { onKey, requireType } from "../runtime/types";
import * as names from "./names";

/** A call that trims a stream looks at all topics. */
const MAX_TOPICS = 100;

/** The topic that is there without being configured. */
const DEFAULT_TOPIC = "packages";

/** What an operator can set, as it is stored. */
interface Settings {
  stream: string;
  subject: string;
  item: string;
  prefix: string;
  quiet: number;
  maxwait: number;
  lease: number;
  attempts: number;
  backoff: number;
  maxlen: number;
  id_keep: number;
}

/** A topic as a call works with it. */
export interface Topic {
  name: string;
  settings: Settings;
  /** The key of its stream. */
  stream: string;
  /** What stands before a subject in the key of its list. */
  prefix: string;
  state: string;
  subjects: string;
  due: string;
  rejected: string;
  queue: Queue;
}

/** The argument that names a topic. */
export const TOPIC = { name: "topic", type: text(1, 128), doc: "name of the topic" } as const;

function defaultsOf(topic: string): Settings {
  const isDefault = topic === DEFAULT_TOPIC;
  return {
    stream: topic,
    subject: isDefault ? "seller_id" : "subject",
    item: isDefault ? "package_id" : "item",
    prefix: isDefault ? "SELLER:" : `ITEMS:${topic}:`,
    quiet: HOUR_MS,
    maxwait: 0,
    lease: MINUTE_MS,
    attempts: 10,
    backoff: 30000,
    maxlen: 10000,
    id_keep: KEEP_MS,
  };
}

function queueOf(topic: string, { attempts, backoff }: Settings): Queue {
  const retry = { attempts, backoffMs: backoff, priority: 0 };
  return {
    noun: "notification",
    ready: names.notifications(topic, "READY"),
    leased: names.notifications(topic, "LEASED"),
    dead: names.notifications(topic, "DEAD"),
    counters: names.state(topic),
    entryStart: names.notificationStart("H", topic),
    entryEnd: names.END,
    retryOf: () => retry,
  };
}

const remembered = newMemory<Topic>(MAX_TOPICS);

/** A topic by its name and its stored settings. */
function topicOf(name: string, stored: string): Topic {
  const known = recall(remembered, name, stored);
  if (known !== undefined) return known;
  const options = defaultsOf(name) as unknown as Record<string, unknown>;
  for (const [option, value] of pairs(cjson.decode(stored) as Record<string, unknown>)) options[option] = value;
  const settings = options as unknown as Settings;
  const topic: Topic = {
    name,
    settings,
    stream: names.userStream(settings.stream),
    prefix: names.userPrefix(settings.prefix),
    state: names.state(name),
    subjects: names.subjects(name),
    due: names.due(name),
    rejected: names.rejected(name),
    queue: queueOf(name, settings),
  };
  remember(remembered, name, stored, topic);
  return topic;
}

/** The topic of a call. NOTFOUND, naming it, if nobody has configured it. */
export function readTopic(name: string): Topic {
  const stored = onKey("HGET", names.topics(), name);
  if (stored !== false) return topicOf(name, stored);
  if (name === DEFAULT_TOPIC) return topicOf(name, "{}");
  return fail("NOTFOUND", `there is no topic ${quote(name)}; configure_topic makes one`);
}

/** All topics that were configured. */
export function configuredTopics(): Topic[] {
  const flat = onKey("HGETALL", names.topics());
  const found: Topic[] = [];
  for (const at of $range(1, flat.length, 2)) found.push(topicOf(flat[at - 1]!, flat[at]!));
  return found;
}

/** All topics; the one that is there without being configured too. */
export function allTopics(): Topic[] {
  const found = configuredTopics();
  for (const topic of found) {
    if (topic.name === DEFAULT_TOPIC) return found;
  }
  found.push(topicOf(DEFAULT_TOPIC, "{}"));
  return found;
}

function startsWith(whole: string, start: string): boolean {
  return string.sub(whole, 1, start.length) === start;
}

/** What is wrong with the settings of a topic by themselves. */
function requireSound(name: string, { stream, subject, item, prefix, quiet, maxwait }: Settings): void {
  const [plain] = string.find(name, "^[%w._-]+$");
  if (plain === undefined)
    fail("BADARG", `topic must be made of letters, digits, '.', '_' and '-', got ${quote(name)}`);
  if (subject === item) fail("BADCONFIG", `SUBJECT and ITEM are the same field, ${quote(item)}`);
  if (maxwait > 0 && maxwait < quiet) {
    fail("BADCONFIG", `MAXWAIT (${maxwait}) is less than QUIET (${quiet}): nobody would ever have been quiet`);
  }
  if (startsWith(stream, prefix)) {
    fail("BADCONFIG", `STREAM ${quote(stream)} begins with PREFIX ${quote(prefix)}: it would be the list of a subject`);
  }
  const partition = currentPartition();
  for (const [option, value] of [
    ["STREAM", stream],
    ["PREFIX", prefix],
  ] as [string, string][]) {
    const tag = hashTag(value);
    if (partition !== "" && tag !== "" && tag !== partition) {
      fail("BADCONFIG", `${option} ${quote(value)} has another hash tag than the routing key, ${quote(partition)}`);
    }
  }
}

/** Lists of two topics must not be the same. */
function requireOwnPrefix(name: string, prefix: string): void {
  for (const other of allTopics()) {
    const taken = other.settings.prefix;
    if (other.name !== name && (startsWith(prefix, taken) || startsWith(taken, prefix))) {
      fail("BADCONFIG", `PREFIX ${quote(prefix)} and ${quote(taken)} of topic ${quote(other.name)} would share lists`);
    }
  }
}

/** What waits in lists under one prefix cannot be found under another. */
function requireNobodyWaits(topic: Topic, prefix: string): void {
  if (prefix === topic.settings.prefix) return;
  const waiting = onKey("ZCARD", topic.due);
  if (waiting > 0)
    fail("CONFLICT", `PREFIX cannot change while ${waiting} subjects wait under ${quote(topic.settings.prefix)}`);
}

/** In the order of the options. */
function describe({ name, settings, stream, prefix }: Topic): Record<string, unknown> {
  const { subject, item, quiet, maxwait, lease, attempts, backoff, maxlen, id_keep } = settings;
  return { topic: name, stream, subject, item, prefix, quiet, maxwait, lease, attempts, backoff, maxlen, id_keep };
}

const settingsReply: ReplyType = record([
  { name: "topic", type: textReply, doc: "name" },
  { name: "stream", type: textReply, doc: "key of the stream that ingest_scans reads" },
  { name: "subject", type: textReply, doc: "field of an entry with the subject" },
  { name: "item", type: textReply, doc: "field of an entry with the item" },
  { name: "prefix", type: textReply, doc: "what stands before a subject in the key of its list" },
  { name: "quiet", type: integerReply, unit: "ms", doc: "ms without a scan after which a subject is notified" },
  {
    name: "maxwait",
    type: integerReply,
    unit: "ms",
    doc: "most ms from a subject's first scan to its notification, 0 for any",
  },
  { name: "lease", type: integerReply, unit: "ms", doc: "ms that a claimed notification is out before it comes back" },
  { name: "attempts", type: integerReply, doc: "how often a notification is given out before it is dead" },
  {
    name: "backoff",
    type: integerReply,
    unit: "ms",
    doc: "ms to wait after the first failure, doubled by each, an hour at most",
  },
  { name: "maxlen", type: integerReply, doc: "about how many entries that were read the stream keeps" },
  { name: "id_keep", type: integerReply, doc: "how long ids of scans are kept, ms" },
]);

export const configureTopic = command(
  {
    name: "configure_topic",
    summary: "Makes a topic, or sets options of one; those not named stay as they are",
    doc:
      "A topic that is not there is made with the defaults: stream and name alike, fields `subject` and `item`, " +
      "lists `ITEMS:<topic>:<subject>`. The topic `packages` is there from the beginning: stream `packages`, " +
      "fields `seller_id` and `package_id`, lists `SELLER:<seller_id>`. QUIET and MAXWAIT apply to a subject from " +
      "its next scan on; subjects that wait keep the time at which they are due. ATTEMPTS and BACKOFF apply from " +
      "the next failure on, LEASE from the next claim on. PREFIX cannot change while subjects wait. Several topics " +
      "may read one stream: each has its own cursor, and entries are trimmed once all of them have read them. " +
      "Where the call has a routing key, its hash tag is put before STREAM and after PREFIX.",
    role: "admin",
    flags: [],
    positional: [TOPIC],
    options: [
      { name: "STREAM", type: text(1, 512), doc: "key of the stream that ingest_scans reads" },
      { name: "SUBJECT", type: text(1, 128), doc: "field of an entry with the subject" },
      { name: "ITEM", type: text(1, 128), doc: "field of an entry with the item" },
      { name: "PREFIX", type: text(1, 256), doc: "what stands before a subject in the key of its list" },
      {
        name: "QUIET",
        type: integer(1, 30 * DAY_MS),
        unit: "ms",
        doc: "ms without a scan after which a subject is notified",
      },
      {
        name: "MAXWAIT",
        type: integer(0, 365 * DAY_MS),
        unit: "ms",
        doc: "most ms from a subject's first scan to its notification, 0 for any",
      },
      {
        name: "LEASE",
        type: integer(1, DAY_MS),
        unit: "ms",
        doc: "ms that a claimed notification is out before it comes back",
      },
      { name: "ATTEMPTS", type: integer(1, 1000), doc: "how often a notification is given out before it is dead" },
      {
        name: "BACKOFF",
        type: integer(0, HOUR_MS),
        unit: "ms",
        doc: "ms to wait after the first failure, doubled by each, an hour at most",
      },
      { name: "MAXLEN", type: integer(0, 1000000000), doc: "about how many entries that were read the stream keeps" },
      {
        name: "ID_KEEP",
        type: integer(MIN_KEEP_MS, MAX_KEEP_MS),
        doc: "how long a scan with an id is known when it comes again, ms",
      },
    ],
    reply: settingsReply,
    errors: ["BADARG", "BADCONFIG", "LIMIT", "CONFLICT"],
    repeat: "same",
    causes: {
      CONFLICT: "PREFIX cannot change while subjects wait; or a key holds a foreign type",
      LIMIT: "there are as many topics as there may be",
    },
  },
  (args) => {
    const given = args as unknown as Record<string, unknown>;
    const stored = onKey("HGET", names.topics(), args.topic);
    const before = topicOf(args.topic, stored === false ? "{}" : stored);
    const chosen = stored === false ? {} : (cjson.decode(stored) as Record<string, unknown>);
    const after = defaultsOf(args.topic) as unknown as Record<string, unknown>;
    for (const [option] of pairs(after)) {
      if (given[option] !== undefined) chosen[option] = given[option];
      if (chosen[option] !== undefined) after[option] = chosen[option];
    }
    const settings = after as unknown as Settings;
    requireSound(args.topic, settings);
    requireOwnPrefix(args.topic, settings.prefix);
    requireNobodyWaits(before, settings.prefix);
    if (stored === false && onKey("HLEN", names.topics()) >= MAX_TOPICS)
      fail("LIMIT", `there are ${MAX_TOPICS} topics already`);
    const encoded = cjson.encode(chosen);
    redis.call("HSET", names.topics(), args.topic, encoded);
    return describe(topicOf(args.topic, encoded));
  },
);

export const getTopic = command(
  {
    name: "get_topic",
    summary: "The settings of a topic that are in force, defaults included",
    role: "reader",
    flags: ["no-writes"],
    positional: [TOPIC],
    options: [],
    reply: settingsReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    causes: { NOTFOUND: "there is no such topic" },
  },
  (args) => describe(readTopic(args.topic)),
);

export const listTopics = command(
  {
    name: "list_topics",
    summary: "Names of all topics",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [],
    reply: list(textReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "names" },
  },
  () => {
    requireType(names.topics(), "hash");
    const found: string[] = [];
    for (const { name } of allTopics()) found.push(name);
    table.sort(found);
    return found;
  },
);
