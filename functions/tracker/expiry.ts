/**
 * Documents that nobody has visited for long are removed, with all that refers to them: lists, indexes, words of titles, series,
 * announcements and counts. Pages go first; a section goes when it has no pages, a website when it has neither. Nothing of what is
 * going on is remembered but how many records were passed over: what is due is what the lists by last visit say at the time of each
 * call. What was imported of long ago is kept as if it had been visited when it was imported.
 *
 * Audio, video and podcasts have no documents. All that there is of them are windows and series, which expire by themselves.
 */
import { clock } from "../runtime/clock";
import { command, integer, integerReply, NOW, record } from "../runtime/declare";
import { asRaised } from "../runtime/errors";
import { DAY_MS, MINUTE_MS } from "../runtime/time";
import { fields, onKey, requireType } from "../runtime/types";
import { readRetention, type Retention } from "./configuration";
import { removePage, removeSection, requirePage, requireSection } from "./document-index";
import { documentsField, type DocumentDimension } from "./documents";
import { titleSets, uncount } from "./enrichment";
import * as names from "./names";
import { chunkNames } from "./series";

/** A page may be seen up to a minute later than the visit that its section notes of the same minute. */
const SLACK_MS: Record<DocumentDimension, number> = { P: 0, S: MINUTE_MS, W: 2 * MINUTE_MS };

/** Records that a call passes over: those that a foreign key stands in the way of, and those that still have something in them. */
const MAX_PASSED_OVER = 100;

/** Names of series that a call may remove, beside those of its first record: a record of many years has some hundreds. */
const MAX_NAMES = 1000;

/** Lua passes at most some thousand arguments. */
const MAX_ARGUMENTS = 1000;

/** What a call may still do, and what it has done. */
interface Work {
  nowMs: number;
  cutoffMs: number;
  retention: Retention;
  left: number;
  namesLeft: number;
  removed: number;
  /** How many pages were imported lately: to pass over these is to get something done. */
  kept: number;
  /** The first error that a foreign key raised. */
  problem: unknown;
}

/** Writes that remove a document; prepared before any of them is made. */
type Removal = (this: void) => void;

/** Checks a document; undefined where something is left in it. */
type Prepare = (this: void, id: string, cutoffMs: number) => Removal | undefined;

function removeFrom(list: string, id: string): void {
  redis.call("ZREM", list, id);
}

const preparePage: Prepare = (id, cutoffMs) => {
  const key = names.document("P", id);
  const wanted = ["url", "website", "section", "title", "announced", "tried", "abandoned", "imported"];
  const [url, website, section, title, announced, tried, abandoned, imported] = fields(key, wanted);
  if (url === false) return () => undefined;
  if (imported !== false && tonumber(imported)! >= cutoffMs) return undefined;
  const lists = [names.pagesOf("W", website as string), names.pagesOf("S", section as string)];
  for (const list of lists) requireType(list, "zset");
  requirePage(url!);
  const sets = titleSets(title);
  for (const set of sets) requireType(set, "set");
  requireType(names.abandonedPages(), "hash");
  if (announced !== false) requireType(names.enrichmentStream(), "stream");
  return () => {
    for (const list of lists) removeFrom(list, id);
    removePage(id, url!);
    for (const set of sets) redis.call("SREM", set, id);
    uncount({ announced: announced!, tried: tried!, abandoned: abandoned! });
    if (announced !== false) redis.call("XDEL", names.enrichmentStream(), announced!);
  };
};

const prepareSection: Prepare = (id) => {
  if (onKey("ZCARD", names.pagesOf("S", id)) > 0) return undefined;
  const [name, website, path] = fields(names.document("S", id), ["name", "website", "path"]);
  if (name === false) return () => undefined;
  const list = names.sectionsOfWebsite(website as string);
  requireType(list, "zset");
  requireSection(path as string);
  return () => {
    removeFrom(list, id);
    removeSection(id, name!, path as string);
  };
};

const prepareWebsite: Prepare = (id) => {
  if (onKey("ZCARD", names.pagesOf("W", id)) > 0 || onKey("ZCARD", names.sectionsOfWebsite(id)) > 0) return undefined;
  requireType(names.document("W", id), "hash");
  return () => undefined;
};

/** The hashes of a record's series; a document without its first visit has none that could be known. */
function seriesOf(dimension: DocumentDimension, id: string, lastMs: number, work: Work): string[] {
  const [first] = fields(names.document(dimension, id), ["first"]);
  return first === false ? [] : chunkNames(dimension, id, tonumber(first)!, lastMs, work.retention, work.nowMs);
}

function unlink(keys: string[]): void {
  for (const from of $range(0, keys.length - 1, MAX_ARGUMENTS)) {
    const part: string[] = [];
    for (const at of $range(from, Math.min(from + MAX_ARGUMENTS, keys.length) - 1)) part.push(keys[at]!);
    redis.call("UNLINK", ...part);
  }
}

/** Removes one record; false, with it left as it was, where a foreign key or something in it stands in the way. */
function remove(dimension: DocumentDimension, id: string, lastMs: number, prepare: Prepare, work: Work): boolean {
  const [ok, result] = xpcall(() => prepare(id, work.cutoffMs), asRaised);
  if (!ok) {
    work.problem = work.problem ?? result;
    return false;
  }
  const removal = result;
  if (removal === undefined) {
    if (dimension === "P") work.kept += 1;
    return false;
  }
  const gone = seriesOf(dimension, id, lastMs, work);
  gone.push(names.document(dimension, id));
  removal();
  redis.call("ZREM", names.visited(dimension), id);
  redis.call("HINCRBY", names.state(), documentsField(dimension), "-1");
  unlink(gone);
  work.left -= 1;
  work.namesLeft -= gone.length;
  work.removed += 1;
  return true;
}

/** The field of the state hash with how many of the longest unvisited the calls before have passed over. */
function passedField(dimension: DocumentDimension): string {
  return `expire:${dimension}`;
}

/** How far one call has come in a dimension. */
interface Reached {
  dimension: DocumentDimension;
  before: number;
  passed: number;
  isDone: boolean;
}

/** Removes what is due of a dimension, after those that the calls before have passed over. */
function removeDue(dimension: DocumentDimension, prepare: Prepare, work: Work): Reached {
  const [stored] = fields(names.state(), [passedField(dimension)]);
  const before = stored === false ? 0 : tonumber(stored)!;
  const reached = { dimension, before, passed: before, isDone: false };
  const count = work.left + MAX_PASSED_OVER;
  const oldest = onKey("ZRANGE", names.visited(dimension), `${before}`, `${before + count - 1}`, "WITHSCORES");
  for (const at of $range(1, oldest.length, 2)) {
    const lastMs = tonumber(oldest[at])!;
    reached.isDone = lastMs >= work.cutoffMs - SLACK_MS[dimension];
    if (reached.isDone || work.left <= 0 || work.namesLeft <= 0) return reached;
    if (!remove(dimension, oldest[at - 1]!, lastMs, prepare, work)) reached.passed += 1;
  }
  reached.isDone = oldest.length < 2 * count;
  return reached;
}

/** Once all is looked at, the next call begins with the longest unvisited again. */
function keepReached({ dimension, before, passed, isDone }: Reached): void {
  if (isDone && before > 0) redis.call("HDEL", names.state(), passedField(dimension));
  else if (!isDone && passed !== before) redis.call("HSET", names.state(), passedField(dimension), `${passed}`);
}

const PREPARES: [dimension: DocumentDimension, prepare: Prepare][] = [
  ["P", preparePage],
  ["S", prepareSection],
  ["W", prepareWebsite],
];

export const expireDocuments = command(
  {
    name: "expire_documents",
    summary: "Removes documents that were not visited for DOCUMENT_DAYS, with all that refers to them",
    doc:
      "Pages first; sections and websites when nothing is left in them. Lists, indexes, series and announcements " +
      "of what is removed go with it. A page that is visited again in time stays; one that is visited later is " +
      "new. What was imported of long ago stays for DOCUMENT_DAYS after its import. Call it until `remaining` is " +
      "0, once a day or by the hour. What a foreign key stands in the way of is passed over; a call that gets " +
      "nothing else done answers the error.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: [{ name: "LIMIT", type: integer(1, 10000), default: 15, doc: "most documents to remove" }, NOW],
    reply: record([
      { name: "removed", type: integerReply, doc: "documents removed" },
      { name: "remaining", type: integerReply, flag: true, doc: "1 if the same call, made again, gets further" },
    ]),
    errors: ["BADARG", "CONFLICT"],
    repeat: "next",
    paging: "remaining",
  },
  (args) => {
    const nowMs = clock(args.now);
    requireType(names.state(), "hash");
    const retention = readRetention();
    const cutoffMs = nowMs - retention.documentDays * DAY_MS;
    const work: Work = {
      nowMs,
      cutoffMs,
      retention,
      left: args.limit,
      namesLeft: MAX_NAMES,
      removed: 0,
      kept: 0,
      problem: undefined,
    };
    for (const dimension of ["P", "S", "W"] as const) requireType(names.visited(dimension), "zset");
    const all: Reached[] = [];
    let isDone = true;
    for (const [dimension, prepare] of PREPARES) {
      if (!isDone) break;
      const reached = removeDue(dimension, prepare, work);
      all.push(reached);
      isDone = reached.isDone;
    }
    if (work.problem !== undefined && work.removed === 0 && work.kept === 0) error(work.problem as RedisError);
    for (const reached of all) keepReached(reached);
    return { removed: work.removed, remaining: isDone ? 0 : 1 };
  },
);
