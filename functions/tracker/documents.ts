/**
 * Documents of websites, sections and pages in native types: a hash of what does not change, and sorted sets by last visit.
 * The last visit is known to the minute (it is the time of the first event of its minute): noting each event would cost as
 * much as counting it.
 *
 * This file is the seam for another way to keep documents: ingest calls `prepareVisits` and `writeVisits`, and who reads
 * goes through document-json.ts, search.ts and expiry.ts; nobody else knows how they are kept.
 */
import { fields, onKey, requireType, scores } from "../runtime/types";
import { readEnrichment } from "./configuration";
import { addPage, addSection, requirePage, requireSection } from "./document-index";
import { announce } from "./enrichment-stream";
import { pageOf, type Section } from "./identity";
import * as names from "./names";

export type DocumentDimension = "W" | "S" | "P";

/** Members of one sorted set with their visits in a batch. */
interface Visits {
  key: string;
  /** What its members are; undefined for a second listing, which makes no documents. */
  makes: DocumentDimension | undefined;
  members: LuaMap<string, Visit>;
}

interface Visit {
  section: Section;
  /** An address of it. */
  url: string;
  firstMs: number;
  lastMs: number;
}

/** The visits of a batch by sorted set. */
export type VisitedSets = LuaMap<string, Visits>;

/** A page that the table of hosts has given to another website. */
interface Move {
  id: string;
  section: Section;
  /** The lists that it leaves. */
  from: string[];
}

/** The visits of one sorted set, read and checked. */
interface PreparedVisits {
  visits: Visits;
  ids: string[];
  created: string[];
  moves: Move[];
  /** Ids with a visit before the first one known. */
  earlier: string[];
  /** Whether new pages are announced. */
  announces: boolean;
}

function note(sets: VisitedSets, key: string, makes: Visits["makes"], id: string, visit: Visit): void {
  let visits = sets.get(key);
  if (visits === undefined) {
    visits = { key, makes, members: new LuaMap() };
    sets.set(key, visits);
  }
  const known = visits.members.get(id);
  if (known === undefined) {
    visits.members.set(id, visit);
    return;
  }
  if (visit.lastMs > known.lastMs) known.lastMs = visit.lastMs;
  if (visit.firstMs < known.firstMs) known.firstMs = visit.firstMs;
}

/** Whether there are documents of a dimension. */
export function hasDocuments(dimension: string): dimension is DocumentDimension {
  return dimension === "W" || dimension === "S" || dimension === "P";
}

/** Notes that an id of a dimension was visited: a page by its address, a section, or its website. */
export function visit(
  sets: VisitedSets,
  dimension: string,
  id: string,
  section: Section,
  url: string,
  timeMs: number,
): void {
  const seen = { section, url, firstMs: timeMs, lastMs: timeMs };
  if (dimension === "W") {
    note(sets, names.websites(), "W", id, seen);
  } else if (dimension === "S") {
    note(sets, names.sectionsOfWebsite(section.websiteId), "S", id, seen);
  } else {
    note(sets, names.pagesOf("W", section.websiteId), "P", id, seen);
    note(sets, names.pagesOf("S", section.id), undefined, id, seen);
  }
}

/** Checks what a new document will write, or what one that moves will leave. */
function prepareAbsent(prepared: PreparedVisits, dimension: DocumentDimension, id: string): void {
  const { section, url } = prepared.visits.members.get(id)!;
  const [known, formerWebsite, formerSection] = fields(names.document(dimension, id), ["first", "website", "section"]);
  if (known === false) {
    if (dimension === "P") requirePage(pageOf(url));
    else if (dimension === "S") requireSection(section.path);
    prepared.created.push(id);
  } else if (dimension === "P") {
    const from = [names.pagesOf("W", formerWebsite as string), names.pagesOf("S", formerSection as string)];
    for (const list of from) requireType(list, "zset");
    prepared.moves.push({ id, section, from });
  }
}

/** Whether an event has come that is older than all before it. */
function isEarlier(dimension: DocumentDimension, id: string, timeMs: number, lastMs: number): boolean {
  if (timeMs >= lastMs) return false;
  const first = onKey("HGET", names.document(dimension, id), "first");
  return first === false || timeMs < tonumber(first)!;
}

function prepareDocuments(prepared: PreparedVisits, dimension: DocumentDimension, before: (string | false)[]): void {
  const { ids, visits } = prepared;
  for (const position of $range(1, ids.length)) {
    const id = ids[position - 1]!;
    const last = before[position - 1]!;
    if (last === false) prepareAbsent(prepared, dimension, id);
    else if (isEarlier(dimension, id, visits.members.get(id)!.firstMs, tonumber(last)!)) prepared.earlier.push(id);
  }
  if (dimension !== "W") requireType(names.visited(dimension), "zset");
  if (dimension !== "P" || prepared.created.length === 0) return;
  prepared.announces = readEnrichment().isOn;
  if (prepared.announces) requireType(names.enrichmentStream(), "stream");
}

/** Reads what is there, so that a foreign key is found before anything is written. */
export function prepareVisits(sets: VisitedSets): PreparedVisits[] {
  const all: PreparedVisits[] = [];
  for (const [, visits] of sets) {
    const ids: string[] = [];
    for (const [id] of visits.members) ids.push(id);
    const prepared = { visits, ids, created: [], moves: [], earlier: [], announces: false };
    const before = scores(visits.key, ids);
    if (visits.makes !== undefined) prepareDocuments(prepared, visits.makes, before);
    all.push(prepared);
  }
  return all;
}

/** The field of the state hash that counts the documents of a dimension. */
export function documentsField(dimension: DocumentDimension): string {
  return `documents:${dimension}`;
}

/** Writes a new document and makes it findable. */
function createDocument(
  dimension: DocumentDimension,
  id: string,
  { section, url, firstMs }: Visit,
  announces: boolean,
): void {
  const key = names.document(dimension, id);
  const first = `${firstMs}`;
  const website = section.websiteId;
  if (dimension === "W") {
    redis.call("HSET", key, "name", section.websiteName, "first", first);
  } else if (dimension === "S") {
    redis.call("HSET", key, "name", section.name, "website", website, "path", section.path, "first", first);
    addSection(id, section.name, section.path);
  } else {
    const page = pageOf(url);
    redis.call("HSET", key, "url", page, "website", website, "section", section.id, "first", first);
    addPage(id, page);
    if (announces) announce(id, page);
  }
}

/** A page is in one website and one section: those that the table of hosts gives it to. */
function movePage({ id, section, from }: Move): void {
  for (const list of from) redis.call("ZREM", list, id);
  redis.call("HSET", names.document("P", id), "website", section.websiteId, "section", section.id);
}

function writeDocuments(
  { visits, created, moves, earlier, announces }: PreparedVisits,
  dimension: DocumentDimension,
): void {
  for (const id of created) createDocument(dimension, id, visits.members.get(id)!, announces);
  for (const move of moves) movePage(move);
  for (const id of earlier)
    redis.call("HSET", names.document(dimension, id), "first", `${visits.members.get(id)!.firstMs}`);
  if (created.length > 0) redis.call("HINCRBY", names.state(), documentsField(dimension), `${created.length}`);
}

function writeSet(prepared: PreparedVisits): void {
  const { visits, ids } = prepared;
  const { makes } = visits;
  const timesAndIds: string[] = [];
  for (const id of ids) {
    timesAndIds.push(`${visits.members.get(id)!.lastMs}`);
    timesAndIds.push(id);
  }
  if (makes !== undefined) writeDocuments(prepared, makes);
  redis.call("ZADD", visits.key, "GT", ...timesAndIds);
  if (makes === "S" || makes === "P") redis.call("ZADD", names.visited(makes), "GT", ...timesAndIds);
}

/** Writes prepared visits; a time before the one that is known changes nothing. */
export function writeVisits(prepared: PreparedVisits[]): void {
  for (const each of prepared) writeSet(each);
}
