/**
 * find_documents: from the filters of a call the lists by last visit to go through and the conditions to test, and then one of
 * three ways, by what is the least work: through the lists alone, from the condition that the fewest records meet, or through
 * the lists and testing each. No way looks at more than LIMIT records.
 */
import { withHead } from "../runtime/chunks";
import {
  choice,
  command,
  integer,
  integerReply,
  nullable,
  pair,
  text,
  textReply,
  tuple,
  unixMs,
  type Arguments,
  type Declaration,
} from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey } from "../runtime/types";
import type { DocumentDimension } from "./documents";
import * as names from "./names";
import {
  amongIds,
  forEachScore,
  ID_LENGTH,
  inList,
  inSet,
  isAnySlow,
  keepAll,
  nameBeginsWith,
  nameIs,
  narrowest,
  urlBeginsWith,
  type Condition,
} from "./search-conditions";
import { forEachInAll, isSingle, merge, next, skip, type Merged, type Visited } from "./search-lists";
import { DIRECTORY_LEVELS, SECTION_LEVELS } from "./url";
import { words } from "./words";

/** At 1 µs a record that is tested, and 2 to 3 µs one that is brought in order, this keeps a call to a millisecond or two. */
const DEFAULT_LIMIT = 1000;

/** Sections whose pages are gone through side by side. */
const MAX_SECTIONS = 200;

/** Sections looked at to find those. */
const MAX_SECTIONS_EXAMINED = 2000;

/**
 * What a record counts for in LIMIT where looking at it takes about this many times as long: among several lists the next one
 * has to be found, and an address or a name has to be read from its document.
 */
const SLOW = 3;

/** How many records the server intersects while one is looked at. */
const INTERSECTED = 2;

/** Conditions that a record is tested for at the price of one look; of more words than these it counts for more in LIMIT. */
const TESTED_AT_ONCE = 4;

/** Records tested at once. */
const BATCH = 200;

const MAX_OFFSET = 1000000;

/** What is looked for. */
interface Query {
  dimension: DocumentDimension;
  /** By last visit; what is found is in one of them. */
  lists: string[];
  /** The sections that the lists are of, where there are several. */
  sections: LuaSet<string> | undefined;
  conditions: Condition[];
  visited: Visited;
}

/** A part of what is found. */
interface Page {
  offset: number;
  count: number;
  limit: number;
}

/** Undefined for `total` where not all that could be meant was looked at. */
interface Found {
  total: number | undefined;
  ids: string[];
}

const FIND_DOCUMENTS = {
  name: "find_documents",
  summary: "Websites, sections or pages, most recently visited first",
  doc:
    "Filters are combined: all of them hold for what is found. W takes WEBSITE and VISITED, S also SECTION and " +
    "LEVEL, P all of them. The reply is the total and then the ids asked for; those of equal last visits are in " +
    "the reverse order of their ids. At most LIMIT records are looked at: where that is too few, the total is nil: " +
    "there may be more than the ids of the reply, which are found among the most recently visited. Then ask for " +
    "less time (VISITED), or with a larger LIMIT. Filters by website, section, level 1 or 2 and last visit, alone " +
    "or together, always give the total; all others do if one filter, or these four together, meet at most LIMIT " +
    "records. A page is found by its title from enrich_document on. In titles, case and accents of Latin, Greek " +
    "and Cyrillic letters make no difference; words are separated by punctuation and spaces.",
  role: "reader",
  flags: ["no-writes"],
  positional: [{ name: "dimension", type: choice(["W", "S", "P"]), doc: "website, section or page" }],
  options: [
    { name: "WEBSITE", type: text(1, 128), doc: "id or name of a website, in any case" },
    {
      name: "SECTION",
      type: text(1, 2048),
      doc: "name of a section, as `news/national`, or how it begins with a `*` after it: `news*`",
    },
    {
      name: "LEVEL",
      type: pair({ name: "n", type: integer(0, DIRECTORY_LEVELS) }, { name: "value", type: text(1, 2048) }),
      doc:
        "a directory of the path: 1 is the first one, percent-decoded as in documents; level 0 is `/`, above all. " +
        "Sections have levels 1 and 2",
    },
    {
      name: "URL",
      type: text(1, 2048),
      doc: "how the address begins: `www.rtl.lu/news/`; a scheme before it and a `*` after it change nothing",
    },
    { name: "TITLE", type: text(1, 512), doc: "a word of the title; of several words all must be in it" },
    {
      name: "VISITED",
      type: pair({ name: "from", type: unixMs }, { name: "to", type: unixMs }),
      doc: "last visited in this time; `to` is not included",
    },
    { name: "OFFSET", type: integer(0, MAX_OFFSET), default: 0, doc: "how many to pass over" },
    { name: "COUNT", type: integer(1, 10000), default: 100, doc: "how many ids to answer at most" },
    {
      name: "LIMIT",
      type: integer(1, 10000),
      default: DEFAULT_LIMIT,
      doc:
        "most records to look at, those that are passed over in several sections included; where they are too many " +
        "to look at all, one of several sections counts for three, and so does one whose address or name is " +
        "tested; two that have all words and directories asked for count for one. Of more than four words and other " +
        "filters, all of these count for more: for twice as much with eight",
    },
  ],
  reply: tuple(
    [
      {
        name: "total",
        type: nullable(integerReply),
        doc: "how many there are in all; nil where LIMIT was too few to know",
      },
    ],
    textReply,
  ),
  errors: ["BADARG", "LIMIT", "CONFLICT"],
  answer: { doc: "ids of documents" },
  paging: "offset",
} as const satisfies Declaration;

type Filters = Arguments<typeof FIND_DOCUMENTS>;

const NOTHING: Found = { total: 0, ids: [] };

// From filters to a query

function requireApplicable({ dimension, section, level, url, title }: Filters): void {
  const only = (name: string, value: unknown, dimensions: string): void => {
    const [found] = string.find(dimensions, dimension, 1, true);
    if (value !== undefined && found === undefined) fail("BADARG", `${name} is no filter for ${dimension}`);
  };
  only("SECTION", section, "SP");
  only("LEVEL", level, "SP");
  only("URL", url, "P");
  only("TITLE", title, "P");
}

function websiteId(given: string): string {
  const [hex] = string.match(given, "^%x+$");
  return hex !== undefined && hex.length === ID_LENGTH ? string.lower(given) : redis.sha1hex(string.lower(given));
}

function withoutStar(given: string): string {
  return string.sub(given, -1) === "*" ? string.sub(given, 1, -2) : given;
}

/** How an address begins, as documents have it: without scheme, the host in lower case. */
function urlPrefix(given: string): string {
  const [scheme] = string.match(given, "^%a+://");
  const address = withoutStar(scheme === undefined ? given : string.sub(given, scheme.length + 1));
  const [slash] = string.find(address, "/", 1, true);
  const hostLength = slash === undefined ? address.length : slash - 1;
  return string.lower(string.sub(address, 1, hostLength)) + string.sub(address, hostLength + 1);
}

/** Conditions of a section's own. */
function sectionConditions({ section, level }: Filters): Condition[] {
  const conditions: Condition[] = [];
  if (section !== undefined) {
    const prefix = withoutStar(section);
    if (prefix === section) conditions.push(nameIs(section));
    else if (prefix !== "") conditions.push(nameBeginsWith(prefix));
  }
  if (level !== undefined && level[0] >= 1 && level[0] <= SECTION_LEVELS) {
    conditions.push(inSet(names.directory("S", level[0], level[1])));
  }
  return conditions;
}

/** The sections that conditions ask for; LIMIT where they are too many. */
function findSections(conditions: Condition[]): string[] {
  const least = narrowest(conditions)!;
  const ids = least.size > MAX_SECTIONS_EXAMINED ? undefined : keepAll(conditions, least, least.list());
  if (ids === undefined || ids.length > MAX_SECTIONS) {
    const found = ids === undefined ? `more than ${MAX_SECTIONS_EXAMINED}` : `${ids.length}`;
    fail(
      "LIMIT",
      `SECTION and LEVEL ask for the pages of ${found} sections, at most ${MAX_SECTIONS} are allowed; name a ` +
        "WEBSITE, or more of the name",
    );
  }
  return ids;
}

function pageConditions({ level, url, title }: Filters): Condition[] {
  const conditions: Condition[] = [];
  if (level !== undefined && level[0] > SECTION_LEVELS)
    conditions.push(inSet(names.directory("P", level[0], level[1])));
  if (url !== undefined) conditions.push(urlBeginsWith(urlPrefix(url)));
  if (title === undefined) return conditions;
  const wanted = words(title);
  if (wanted.length === 0) fail("BADARG", `TITLE must hold a word, got ${quote(title)}`);
  for (const word of wanted) conditions.push(inSet(names.titleWord(word)));
  return conditions;
}

function pagesQuery(filters: Filters, website: string | undefined): Query {
  const { visited } = filters;
  const query: Query = { dimension: "P", lists: [], sections: undefined, conditions: pageConditions(filters), visited };
  const ofSections = sectionConditions(filters);
  if (ofSections.length === 0) {
    query.lists.push(website === undefined ? names.visited("P") : names.pagesOf("W", website));
    return query;
  }
  if (website !== undefined) ofSections.push(inList(names.sectionsOfWebsite(website)));
  query.sections = new LuaSet();
  for (const id of findSections(ofSections)) {
    query.lists.push(names.pagesOf("S", id));
    query.sections.add(id);
  }
  return query;
}

/** Undefined where nothing can be meant. */
function queryOf(filters: Filters): Query | undefined {
  const { dimension, level, visited } = filters;
  if (level !== undefined && level[0] === 0 && level[1] !== "/") return undefined;
  const website = filters.website === undefined ? undefined : websiteId(filters.website);
  if (dimension === "P") return pagesQuery(filters, website);
  if (dimension === "W") {
    const conditions = website === undefined ? [] : [amongIds([website])];
    return { dimension, lists: [names.websites()], sections: undefined, conditions, visited };
  }
  if (level !== undefined && level[0] > SECTION_LEVELS) return undefined;
  const list = website === undefined ? names.visited("S") : names.sectionsOfWebsite(website);
  return { dimension, lists: [list], sections: undefined, conditions: sectionConditions(filters), visited };
}

// From a query to what is found

/** Those of the ids that are in the lists of a query, with their last visits. */
function forEachListed(query: Query, ids: string[], visit: (this: void, id: string, lastMs: number) => void): void {
  const { sections, visited, dimension } = query;
  const list = sections === undefined ? query.lists[0]! : names.visited(dimension);
  forEachScore(list, ids, (id, lastMs) => {
    if (visited !== undefined && (lastMs < visited[0] || lastMs >= visited[1])) return;
    if (sections !== undefined) {
      const section = onKey("HGET", names.document("P", id), "section");
      if (section === false || !sections.has(section)) return;
    }
    visit(id, lastMs);
  });
}

/** Doubles are whole up to here. */
const MAX_WHOLE = 2 ** 53;

/**
 * Positions of times, latest last. A time and its position make one number, because a sort of numbers is several times as fast
 * as one that asks a function; times of very many years are too far apart for that.
 */
function sortedPositions(times: number[]): number[] {
  let minMs = times[0] ?? 0;
  let maxMs = minMs;
  for (const timeMs of times) {
    minMs = Math.min(minMs, timeMs);
    maxMs = Math.max(maxMs, timeMs);
  }
  const count = times.length;
  const sorted: number[] = [];
  if ((maxMs - minMs + 1) * count >= MAX_WHOLE) {
    for (const position of $range(0, count - 1)) sorted.push(position);
    table.sort(sorted, (a, b) => times[a]! < times[b]!);
    return sorted;
  }
  for (const position of $range(0, count - 1)) sorted.push((times[position]! - minMs) * count + position);
  table.sort(sorted);
  for (const at of $range(0, count - 1)) sorted[at] = sorted[at]! % count;
  return sorted;
}

/** The part of ids that a page asks for, most recently visited first; those of equal times in the reverse order of ids. */
function pageOf(ids: string[], times: number[], { offset, count }: Page): string[] {
  const sorted = sortedPositions(times);
  const found: string[] = [];
  let at = sorted.length - 1;
  let passed = 0;
  while (at >= 0 && found.length < count) {
    const timeMs = times[sorted[at]!]!;
    const same: string[] = [];
    while (at >= 0 && times[sorted[at]!]! === timeMs) {
      same.push(ids[sorted[at]!]!);
      at -= 1;
    }
    if (same.length > 1 && passed + same.length > offset) table.sort(same, (a, b) => a > b);
    for (const id of same) {
      passed += 1;
      if (passed > offset && found.length < count) found.push(id);
    }
  }
  return found;
}

/** The sets of all conditions; undefined where something has to be tested, or where there are several lists. */
function setsOf({ sections, conditions }: Query): string[] | undefined {
  if (sections !== undefined) return undefined;
  const sets: string[] = [];
  for (const { key } of conditions) {
    if (key === undefined) return undefined;
    sets.push(key);
  }
  return sets;
}

/**
 * From sets and one list: the server intersects them, beginning with the smallest, and brings what is in all of them in the order of
 * last visits, for a third of what it costs to ask about each. That all keys are what they should be is known by their sizes.
 */
function intersect({ lists, visited }: Query, sets: string[], { offset, count }: Page): Found {
  const args = [`${sets.length + 1}`, lists[0]!];
  for (const set of sets) args.push(set);
  args.push("WEIGHTS");
  args.push("1");
  for (const _ of sets) args.push("0");
  if (visited !== undefined) args.push("WITHSCORES");
  const flat = redis.call("ZINTER", ...args);
  const step = visited === undefined ? 1 : 2;
  const ids: string[] = [];
  let total = 0;
  for (const at of $range(flat.length - step, 0, -step)) {
    const lastMs = visited === undefined ? 0 : tonumber(flat[at + 1])!;
    if (visited !== undefined && (lastMs < visited[0] || lastMs >= visited[1])) continue;
    total += 1;
    if (total > offset && ids.length < count) ids.push(flat[at]!);
  }
  return { total, ids };
}

/** From the condition that the fewest meet: all of those are looked at. */
function findFrom(least: Condition, query: Query, page: Page): Found {
  const ids: string[] = [];
  const times: number[] = [];
  forEachListed(query, keepAll(query.conditions, least, least.list()), (id, lastMs) => {
    ids.push(id);
    times.push(lastMs);
  });
  return { total: ids.length, ids: pageOf(ids, times, page) };
}

/** Through the lists, nothing to test. */
function listAll(merged: Merged, { offset, count, limit }: Page): Found {
  const { total } = merged;
  if (offset >= total) return { total, ids: [] };
  if (offset > limit && !isSingle(merged)) return { total: undefined, ids: [] };
  if (offset > 0) skip(merged, offset);
  return { total, ids: next(merged, count) };
}

/** All of several lists, tested and then brought in order, which is less work than to read them side by side. */
function findInAll(merged: Merged, conditions: Condition[], page: Page): Found {
  const lastMs = new LuaMap<string, number>();
  const all: string[] = [];
  forEachInAll(merged, (id, timeMs) => {
    lastMs.set(id, timeMs);
    all.push(id);
  });
  const ids = keepAll(conditions, undefined, all);
  const times: number[] = [];
  for (const id of ids) times.push(lastMs.get(id)!);
  return { total: ids.length, ids: pageOf(ids, times, page) };
}

/**
 * Through the lists, testing each: to their end if that is within the limit, else until the page is full.
 *
 * @param known how many there are to find, where that is known
 */
function walk(
  merged: Merged,
  conditions: Condition[],
  { offset, count, limit }: Page,
  known: number | undefined,
): Found {
  const isWhole = merged.total <= limit;
  const ids: string[] = [];
  let matched = 0;
  let left = isWhole || (isSingle(merged) && !isAnySlow(conditions)) ? limit : Math.ceil(limit / SLOW);
  while (left > 0) {
    const some = next(merged, Math.min(BATCH, left));
    if (some.length === 0) break;
    left -= some.length;
    for (const id of keepAll(conditions, undefined, some)) {
      matched += 1;
      if (matched > offset && ids.length < count) ids.push(id);
    }
    if (!isWhole && ids.length === count) break;
  }
  if (isWhole) return { total: matched, ids };
  return { total: ids.length === count ? known : undefined, ids };
}

/** How many meet the only condition of a query, where its lists hold all records. */
function knownTotal({ dimension, lists, conditions, visited }: Query): number | undefined {
  const only = conditions[0]!;
  if (conditions.length > 1 || !only.isExact || visited !== undefined || lists[0] !== names.visited(dimension))
    return undefined;
  return only.size;
}

function find(query: Query, { offset, count, limit: given }: Page): Found {
  const { conditions } = query;
  const limit = Math.ceil((given * TESTED_AT_ONCE) / Math.max(conditions.length, TESTED_AT_ONCE));
  const page = { offset, count, limit };
  const least = narrowest(conditions);
  if (query.lists.length === 0 || least?.size === 0) return NOTHING;
  const merged = merge(query.lists, query.visited);
  if (least === undefined) return listAll(merged, page);
  const sets = setsOf(query);
  if (sets !== undefined && least.size <= INTERSECTED * page.limit && least.size <= merged.total)
    return intersect(query, sets, page);
  if (least.size <= page.limit && least.size <= merged.total) return findFrom(least, query, page);
  if (!isSingle(merged) && merged.total <= page.limit) return findInAll(merged, conditions, page);
  return walk(merged, conditions, page, knownTotal(query));
}

export const findDocuments = command(FIND_DOCUMENTS, (filters) => {
  const { visited, offset, count, limit } = filters;
  requireApplicable(filters);
  if (visited !== undefined && visited[0] >= visited[1]) {
    fail("BADARG", `VISITED from must be before to, got ${visited[0]} and ${visited[1]}`);
  }
  const query = queryOf(filters);
  const { total, ids } = query === undefined ? NOTHING : find(query, { offset, count, limit });
  return withHead(total ?? false, ids);
});
