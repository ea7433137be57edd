/**
 * Metadata of pages, which something outside fetches: it reads announcements, and says what became of each.
 *
 * A page is *waiting* while its document holds the id of its announcement, and *enriched* or *given up* by its last outcome
 * (`tried`: when; `abandoned`: why). A page may be waiting again after an outcome: its metadata stay until new ones come.
 */
import { clock } from "../runtime/clock";
import {
  choice,
  command,
  integer,
  integerReply,
  json,
  MAX_TIME_MS,
  NOW,
  record,
  recordId,
  text,
} from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { DAY_MS } from "../runtime/time";
import { fields, onKey, requireType, scores } from "../runtime/types";
import { isUtf8 } from "../runtime/utf8";
import { readEnrichment } from "./configuration";
import { listAfter } from "./document-index";
import { announce, isOnStream, MAX_WAITING, WAITING_FIELD } from "./enrichment-stream";
import * as names from "./names";
import { words } from "./words";

/** As long as an address may be; a word of a title is one entry of an index. */
const MAX_TITLE_BYTES = 512;
const MAX_METADATA_BYTES = 16384;

/** Reasons are words of whoever gives up: a slip of theirs must not fill the server. */
const MAX_REASONS = 100;

const OTHER_REASON = "other";

/** The field of the state hash that counts pages whose metadata have come. */
export const ENRICHED_FIELD = "enrich:enriched";

/** What the document of a page holds of its enrichment. */
interface Marks {
  title: string | false;
  announced: string | false;
  tried: string | false;
  abandoned: string | false;
}

const MARKS = ["url", "title", "announced", "tried", "abandoned"];

/** The marks of a page, with everything checked that its next outcome will write; NOTFOUND if there is no such page. */
function readMarks(id: string): Marks {
  const [url, title, announced, tried, abandoned] = fields(names.document("P", id), MARKS);
  if (url === false) fail("NOTFOUND", `no page has the id ${id}`);
  requireType(names.state(), "hash");
  requireType(names.abandonedPages(), "hash");
  return { title: title!, announced: announced!, tried: tried!, abandoned: abandoned! };
}

/** Takes a page out of the counts that its marks put it into. */
export function uncount({ announced, tried, abandoned }: Omit<Marks, "title">): void {
  if (announced !== false) redis.call("HINCRBY", names.state(), WAITING_FIELD, "-1");
  if (abandoned !== false) {
    const left = redis.call("HINCRBY", names.abandonedPages(), abandoned, "-1");
    if (left <= 0) redis.call("HDEL", names.abandonedPages(), abandoned);
  } else if (tried !== false) {
    redis.call("HINCRBY", names.state(), ENRICHED_FIELD, "-1");
  }
}

/** Fields of metadata as they are stored; undefined for what is null. */
interface Metadata {
  title: string | undefined;
  kicker: string | undefined;
  display_date: string | undefined;
}

function textOf(given: Record<string, unknown>, field: string): string | undefined {
  const value = given[field];
  if (value === undefined || value === cjson.null || value === "") return undefined;
  if (type(value) !== "string" || (value as string).length > MAX_TITLE_BYTES || !isUtf8(value as string)) {
    fail(
      "BADARG",
      `metadata: ${field} must be null or text of at most ${MAX_TITLE_BYTES} bytes of UTF-8, got ` +
        `${quote(tostring(value))}`,
    );
  }
  return value as string;
}

function dateOf(given: Record<string, unknown>): string | undefined {
  const value = given["display_date"];
  if (value === undefined || value === cjson.null) return undefined;
  const date = value as number;
  if (type(value) !== "number" || date < 0 || date > MAX_TIME_MS || date !== Math.floor(date)) {
    fail("BADARG", `metadata: display_date must be null or a unix time in milliseconds, got ${quote(tostring(value))}`);
  }
  return `${date}`;
}

const METADATA: Record<string, boolean> = { title: true, kicker: true, display_date: true };

function parseMetadata(given: string): Metadata {
  const [ok, decoded] = pcall(cjson.decode, given);
  if (!ok || type(decoded) !== "table") fail("BADARG", `metadata must be a JSON object, got ${quote(given)}`);
  const table = decoded as Record<string, unknown>;
  for (const [field] of pairs(table)) {
    if (METADATA[field] !== true)
      fail("BADARG", `metadata: ${quote(tostring(field))} is none of title, kicker, display_date`);
  }
  return { title: textOf(table, "title"), kicker: textOf(table, "kicker"), display_date: dateOf(table) };
}

/** The sets of the words of a title. */
export function titleSets(title: string | false | undefined): string[] {
  if (title === false || title === undefined) return [];
  const sets: string[] = [];
  for (const word of words(title)) sets.push(names.titleWord(word));
  return sets;
}

function setOf(list: string[]): LuaSet<string> {
  const members = new LuaSet<string>();
  for (const each of list) members.add(each);
  return members;
}

function writeMetadata(id: string, metadata: Metadata, nowMs: number): void {
  const key = names.document("P", id);
  const put: string[] = ["tried", `${nowMs}`];
  const gone: string[] = ["announced", "abandoned"];
  const set = (field: string, value: string | undefined): void => {
    if (value === undefined) {
      gone.push(field);
      return;
    }
    put.push(field);
    put.push(value);
  };
  set("title", metadata.title);
  set("kicker", metadata.kicker);
  set("display_date", metadata.display_date);
  redis.call("HSET", key, ...put);
  redis.call("HDEL", key, ...gone);
}

const PAGE = { name: "dimension", type: choice(["P"]), doc: "page" } as const;
const ID = { name: "id", type: recordId, doc: "id of the page, as it was announced" } as const;

export const enrichDocument = command(
  {
    name: "enrich_document",
    summary: "Sets title, kicker and display date of a page, and ends its wait for them",
    doc:
      `\`metadata\` is \`{title, kicker, display_date}\`: two texts of at most ${MAX_TITLE_BYTES} bytes and a unix ` +
      "time in ms, each of them null or left out where there is none; it replaces what was known before. May be " +
      "repeated. A reader of `ST:ENRICH:P:::` calls this (or abandon_enrichment) for an entry, and then XACK and " +
      "XDEL; NOTFOUND says that the page was removed meanwhile, and the entry is done as well.",
    role: "worker",
    flags: [],
    positional: [
      PAGE,
      ID,
      {
        name: "metadata",
        type: json(MAX_METADATA_BYTES),
        schema: "Metadata",
        doc: "JSON object with title, kicker and display_date",
      },
    ],
    options: [NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
    causes: { NOTFOUND: "no page has that id (any more)" },
  },
  ({ id, metadata, now }) => {
    const parsed = parseMetadata(metadata);
    const marks = readMarks(id);
    const before = titleSets(marks.title);
    const after = titleSets(parsed.title);
    for (const set of before) requireType(set, "set");
    for (const set of after) requireType(set, "set");
    const kept = setOf(after);
    for (const set of before) if (!kept.has(set)) redis.call("SREM", set, id);
    for (const set of after) redis.call("SADD", set, id);
    uncount(marks);
    redis.call("HINCRBY", names.state(), ENRICHED_FIELD, "1");
    writeMetadata(id, parsed, clock(now));
    return 1;
  },
);

/** The reason as it is counted. */
function countedReason(reason: string): string {
  const isKnown = onKey("HGET", names.abandonedPages(), reason) !== false;
  return isKnown || redis.call("HLEN", names.abandonedPages()) < MAX_REASONS ? reason : OTHER_REASON;
}

export const abandonEnrichment = command(
  {
    name: "abandon_enrichment",
    summary: "Notes that the metadata of a page could not be had, and ends its wait for them",
    doc:
      "What is known of the page stays. Pages given up are counted by reason in get_tracker_status: use few " +
      `reasons, as \`timeout\` or \`http_404\`; beyond ${MAX_REASONS} of them they are counted as \`other\`. ` +
      "refresh_documents asks again after REFRESH_DAYS (configure_tracker), if the page was visited since.",
    role: "worker",
    flags: [],
    positional: [PAGE, ID],
    options: [{ name: "REASON", type: text(1, 64), required: true, doc: "why, in a word" }, NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "again",
    causes: { NOTFOUND: "no page has that id (any more)" },
  },
  ({ id, reason, now }) => {
    const marks = readMarks(id);
    const counted = countedReason(reason);
    uncount(marks);
    redis.call("HINCRBY", names.abandonedPages(), counted, "1");
    redis.call("HSET", names.document("P", id), "tried", `${clock(now)}`, "abandoned", counted);
    redis.call("HDEL", names.document("P", id), "announced");
    return 1;
  },
);

/** The field of the state hash with the address of the last page that refresh_documents has looked at. */
const CURSOR_FIELD = "refresh:cursor";

/** A page as refresh_documents looks at it. */
interface Candidate extends Omit<Marks, "title" | "abandoned"> {
  id: string;
  url: string;
  visitedMs: number;
}

/** Whether a page has to be announced (again). */
function isDue({ announced, tried, visitedMs }: Candidate, refreshMs: number, nowMs: number): boolean {
  if (announced !== false) return !isOnStream(announced);
  if (tried === false) return true;
  const triedMs = tonumber(tried)!;
  return triedMs + refreshMs <= nowMs && visitedMs > triedMs;
}

/** Pages by their addresses; one whose document is gone is left out. */
function candidates(urls: string[]): Candidate[] {
  const ids: string[] = [];
  for (const url of urls) ids.push(redis.sha1hex(url));
  const visits = ids.length > 0 ? scores(names.visited("P"), ids) : [];
  const found: Candidate[] = [];
  for (const position of $range(1, ids.length)) {
    const id = ids[position - 1]!;
    const [url, announced, tried] = fields(names.document("P", id), ["url", "announced", "tried"]);
    if (url === false) continue;
    const visited = visits[position - 1]!;
    const visitedMs = visited === false ? 0 : tonumber(visited)!;
    found.push({ id, url: url!, announced: announced!, tried: tried!, visitedMs });
  }
  return found;
}

/** Announces what is due; the address of the last page looked at, undefined if all were. */
function announceDue(
  pages: Candidate[],
  refreshMs: number,
  nowMs: number,
  room: number,
): LuaMultiReturn<[announced: number, stoppedAt: string | undefined]> {
  let announced = 0;
  let last = "";
  for (const page of pages) {
    if (isDue(page, refreshMs, nowMs)) {
      if (announced >= room) return $multi(announced, last);
      if (page.announced !== false) redis.call("HINCRBY", names.state(), WAITING_FIELD, "-1");
      announce(page.id, page.url);
      announced += 1;
    }
    last = page.url;
  }
  return $multi(announced, undefined);
}

function keepCursor(cursor: string | undefined): void {
  if (cursor === undefined) redis.call("HDEL", names.state(), CURSOR_FIELD);
  else redis.call("HSET", names.state(), CURSOR_FIELD, cursor);
}

export const refreshDocuments = command(
  {
    name: "refresh_documents",
    summary: "Announces pages whose metadata are old, or never came",
    doc:
      "Goes through all pages, in the order of their addresses, some in each call, and begins anew after the last " +
      "one. A page is announced again REFRESH_DAYS (configure_tracker) after its last outcome, if it was visited " +
      "since; and one that never had an outcome, if it was not announced or its announcement is no longer on the " +
      `stream (which is trimmed to about ${MAX_WAITING}). When so many wait, nothing is announced until some are ` +
      "done. Does nothing unless ENRICH is 1. Call it by the hour, until `remaining` is 0.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: [{ name: "LIMIT", type: integer(1, 10000), default: 250, doc: "most pages to look at" }, NOW],
    reply: record([
      { name: "announced", type: integerReply, doc: "pages announced" },
      {
        name: "remaining",
        type: integerReply,
        flag: true,
        doc: "1 if the same call, made again, gets further; 0 once all pages were looked at",
      },
    ]),
    errors: ["BADARG", "CONFLICT"],
    repeat: "next",
    paging: "remaining",
  },
  ({ limit, now }) => {
    const nowMs = clock(now);
    const { isOn, refreshDays } = readEnrichment();
    if (!isOn) return { announced: 0, remaining: 0 };
    requireType(names.enrichmentStream(), "stream");
    const [cursor] = fields(names.state(), [CURSOR_FIELD]);
    const urls = listAfter(names.pageUrls(), cursor === false || cursor === undefined ? "" : cursor, limit);
    const pages = candidates(urls);
    const room = MAX_WAITING - redis.call("XLEN", names.enrichmentStream());
    const [announced, stoppedAt] = announceDue(pages, refreshDays * DAY_MS, nowMs, room);
    const isEnd = urls.length < limit;
    if (stoppedAt === undefined) keepCursor(isEnd ? undefined : urls[urls.length - 1]!);
    else if (stoppedAt !== "") keepCursor(stoppedAt);
    return { announced, remaining: isEnd || stoppedAt !== undefined ? 0 : 1 };
  },
);
