/**
 * Documents of websites, sections and pages in native types: a hash of what does not change, and sorted sets by last visit.
 * The last visit is known to the minute (it is the time of the first event of its minute): noting each event would cost as
 * much as counting it.
 *
 * This file is the seam for another way to keep documents: ingest calls `prepareVisits` and `writeVisits`, get_document
 * calls `renderDocument`, and nobody else knows how they are kept.
 */
import { choice, command, integer, jsonReply, nullable, recordId } from "../runtime/declare";
import { onKey, requireType, scores } from "../runtime/types";
import { pageOf, type Section } from "./identity";
import * as names from "./names";
import { articleId, directories, escapeNonUtf8, isUtf8, SECTION_LEVELS } from "./url";

const MAX_LISTED = 10000;

/** Levels of a document: `/` and up to four directories, as in the tracker this was made after. */
const DIRECTORY_LEVELS = 4;

/** Members of one sorted set with the time of their last visit in a batch. */
interface Visits {
  key: string;
  /** What its members are; undefined for a second listing, which makes no documents. */
  makes: "W" | "S" | "P" | undefined;
  members: LuaMap<string, Visit>;
}

interface Visit {
  section: Section;
  url: string;
  lastMs: number;
}

/** The visits of a batch by sorted set. */
export type VisitedSets = LuaMap<string, Visits>;

export interface PreparedVisits {
  visits: Visits;
  ids: string[];
  before: (string | false)[];
}

function note(sets: VisitedSets, key: string, makes: Visits["makes"], id: string, visit: Visit): void {
  let visits = sets.get(key);
  if (visits === undefined) {
    visits = { key, makes, members: new LuaMap() };
    sets.set(key, visits);
  }
  const known = visits.members.get(id);
  if (known === undefined || known.lastMs < visit.lastMs) visits.members.set(id, visit);
}

/** Whether there are documents of a dimension. */
export function hasDocuments(dimension: string): boolean {
  return dimension === "W" || dimension === "S" || dimension === "P";
}

/** Notes that an id of a dimension was visited: a page by its address, a section, or its website. */
export function visit(sets: VisitedSets, dimension: string, id: string, section: Section, url: string, lastMs: number): void {
  const seen = { section, url, lastMs };
  if (dimension === "W") {
    note(sets, names.websites(), "W", id, seen);
  } else if (dimension === "S") {
    note(sets, names.sectionsOfWebsite(section.websiteId), "S", id, seen);
  } else {
    note(sets, names.pagesOf("W", section.websiteId), "P", id, seen);
    note(sets, names.pagesOf("S", section.id), undefined, id, seen);
  }
}

function requireFreeDocuments(dimension: "W" | "S" | "P", ids: string[], before: (string | false)[]): void {
  for (const position of $range(1, ids.length)) {
    if (before[position - 1] === false) requireType(names.document(dimension, ids[position - 1]!), "hash");
  }
}

/** Reads what is there, so that a foreign key is found before anything is written. */
export function prepareVisits(sets: VisitedSets): PreparedVisits[] {
  const prepared: PreparedVisits[] = [];
  for (const [, visits] of sets) {
    const ids: string[] = [];
    for (const [id] of visits.members) ids.push(id);
    const before = scores(visits.key, ids);
    if (visits.makes !== undefined) requireFreeDocuments(visits.makes, ids, before);
    prepared.push({ visits, ids, before });
  }
  return prepared;
}

/** The field of the state hash that counts the documents of a dimension. */
export function documentsField(dimension: "W" | "S" | "P"): string {
  return `documents:${dimension}`;
}

/** Writes a document; false if it was there, as a page's is when a change of hosts gives it to another website. */
function createDocument(dimension: "W" | "S" | "P", id: string, { section, url }: Visit): boolean {
  const key = names.document(dimension, id);
  const website = section.websiteId;
  if (dimension === "W") return redis.call("HSET", key, "name", section.websiteName) > 0;
  if (dimension === "S") return redis.call("HSET", key, "name", section.name, "website", website, "path", section.path) > 0;
  return redis.call("HSET", key, "url", pageOf(url), "website", website, "section", section.id) > 0;
}

function writeSet({ visits, ids, before }: PreparedVisits): void {
  const timesAndIds: string[] = [];
  let created = 0;
  for (const position of $range(1, ids.length)) {
    const id = ids[position - 1]!;
    const latest = visits.members.get(id)!;
    const isNew = visits.makes !== undefined && before[position - 1] === false;
    if (isNew && createDocument(visits.makes!, id, latest)) created += 1;
    timesAndIds.push(`${latest.lastMs}`);
    timesAndIds.push(id);
  }
  redis.call("ZADD", visits.key, "GT", ...timesAndIds);
  if (created > 0) redis.call("HINCRBY", names.state(), documentsField(visits.makes!), `${created}`);
}

/** Writes prepared visits; a time before the one that is known changes nothing. */
export function writeVisits(prepared: PreparedVisits[]): void {
  for (const each of prepared) writeSet(each);
}

/** A JSON array is put together from text: cjson would print an empty one as an object. */
function jsonArray(items: string[]): string {
  return `[${items.join(",")}]`;
}

/**
 * Text as a JSON string. Bytes of an address that are no UTF-8 are shown as the percent escapes they would have been sent
 * as; cjson's escaped slashes, which JSON does not ask for and nobody wants to read, are undone.
 */
function jsonString(text: string): string {
  const [unescaped] = string.gsub(cjson.encode(isUtf8(text) ? text : escapeNonUtf8(text)), "\\/", "/");
  return unescaped;
}

function numberOrNull(text: string | false | undefined): string {
  return text === false || text === undefined || text === "" ? "null" : text;
}

/** A member's JSON from its id and the time of its last visit. */
type RenderMember = (this: void, id: string, lastVisited: string) => string;

/** The most recently visited members, each rendered. */
function mostRecent(set: string, count: number, render: RenderMember): string {
  const flat = onKey("ZRANGE", set, 0, count - 1, "REV", "WITHSCORES");
  const items: string[] = [];
  for (const at of $range(1, flat.length, 2)) items.push(render(flat[at - 1]!, flat[at]!));
  return jsonArray(items);
}

const renderSectionOf: RenderMember = (id, lastVisited) => {
  const name = onKey("HGET", names.document("S", id), "name");
  return `{"id":"${id}","name":${jsonString(name === false ? "" : name)},"last_visited":${lastVisited}}`;
};

const renderPageOf: RenderMember = (id, lastVisited) => {
  const found = onKey("HGET", names.document("P", id), "url");
  const url = found === false ? "" : found;
  return `{"id":"${id}","url":${jsonString(url)},"article_id":${articleOf(url)},"last_visited":${lastVisited}}`;
};

function pathOf(url: string): string {
  const [slash] = string.find(url, "/", 1, true);
  return slash === undefined ? "/" : string.sub(url, slash);
}

function articleOf(url: string): string {
  const article = articleId(pathOf(url));
  const [withoutZeros] = string.match(article, "^0*(%d+)$");
  return numberOrNull(withoutZeros);
}

function renderLevels(directoryNames: string[]): string {
  const levels = ['"level_0":"/"'];
  for (const level of $range(1, DIRECTORY_LEVELS)) {
    levels.push(`"level_${level}":${jsonString(directoryNames[level - 1] ?? "")}`);
  }
  return `{${levels.join(",")}}`;
}

function renderWebsiteOf(websiteId: string): string {
  const name = onKey("HGET", names.document("W", websiteId), "name");
  return `{"id":"${websiteId}","name":${jsonString(string.upper(name === false ? "" : name))}}`;
}

function renderWebsite(id: string, count: number): string | undefined {
  const [name] = onKey("HMGET", names.document("W", id), "name");
  if (name === false || name === undefined) return undefined;
  const visited = onKey("ZSCORE", names.websites(), id);
  const sections = mostRecent(names.sectionsOfWebsite(id), count, renderSectionOf);
  const pages = mostRecent(names.pagesOf("W", id), count, renderPageOf);
  const head = `"id":"${id}","name":${jsonString(string.upper(name))},"last_visited":${numberOrNull(visited)}`;
  return `{${head},"sections":${sections},"pages":${pages}}`;
}

function renderSection(id: string, count: number): string | undefined {
  const [name, websiteId, path] = onKey("HMGET", names.document("S", id), "name", "website", "path");
  if (name === false || name === undefined) return undefined;
  const website = websiteId as string;
  const visited = onKey("ZSCORE", names.sectionsOfWebsite(website), id);
  const levels = renderLevels(directories(path as string, SECTION_LEVELS));
  const pages = mostRecent(names.pagesOf("S", id), count, renderPageOf);
  const head = `"id":"${id}","name":${jsonString(name)},"levels":${levels},"last_visited":${numberOrNull(visited)}`;
  return `{${head},"website":${renderWebsiteOf(website)},"pages":${pages}}`;
}

function renderMetadata(title: string | false, kicker: string | false, displayDate: string | false): string {
  const text = (value: string | false): string => (value === false ? "null" : jsonString(value));
  return `{"title":${text(title)},"kicker":${text(kicker)},"display_date":${numberOrNull(displayDate)}}`;
}

function renderPage(id: string): string | undefined {
  const [url, websiteId, sectionId, title, kicker, displayDate] = onKey(
    "HMGET",
    names.document("P", id),
    "url",
    "website",
    "section",
    "title",
    "kicker",
    "display_date",
  ) as [string | false, string, string, string | false, string | false, string | false];
  if (url === false) return undefined;
  const visited = onKey("ZSCORE", names.pagesOf("S", sectionId), id);
  const sectionName = onKey("HGET", names.document("S", sectionId), "name");
  const levels = renderLevels(directories(pathOf(url), DIRECTORY_LEVELS));
  const head = `"id":"${id}","url":${jsonString(url)},"article_id":${articleOf(url)},"last_visited":${numberOrNull(visited)}`;
  const section = `{"id":"${sectionId}","name":${jsonString(sectionName === false ? "" : sectionName)},"levels":${levels}}`;
  const metadata = renderMetadata(title, kicker, displayDate);
  return `{${head},"metadata":${metadata},"website":${renderWebsiteOf(websiteId)},"section":${section}}`;
}

export const getDocument = command(
  {
    name: "get_document",
    summary: "The document of a website, a section or a page",
    doc: "`name` of a website is upper case; `levels` of a section are its own directories, those of a page's section all directories of the page, up to four; `metadata` is null until the page was enriched.",
    role: "reader",
    flags: ["no-writes"],
    positional: [
      { name: "dimension", type: choice(["W", "S", "P"]), doc: "website, section or page" },
      { name: "id", type: recordId, doc: "id of the record" },
    ],
    options: [
      { name: "COUNT", type: integer(1, MAX_LISTED), default: 100, doc: "how many sections and pages to list, most recently visited first" },
    ],
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
  },
  ({ dimension, id, count }) => {
    if (dimension === "W") return renderWebsite(id, count);
    if (dimension === "S") return renderSection(id, count);
    return renderPage(id);
  },
);
