/**
 * Rankings over many windows, without adding up everybody.
 *
 * The threshold algorithm (R. Fagin, A. Lotem, M. Naor: Optimal aggregation algorithms for middleware, 2001): go down all
 * windows side by side, each most views first, add up whoever is met over all windows, and stop when the last of the wanted
 * has at least as many as all windows together show at this depth: nobody below can have more. On traffic as it is,
 * a few hundred pages are met.
 */
import { inChunks } from "../runtime/chunks";
import {
  choice,
  command,
  integer,
  integerReply,
  list,
  NOW,
  nullable,
  record,
  recordId,
  textReply,
  tuple,
} from "../runtime/declare";
import { fail } from "../runtime/errors";
import { fields, onKey, scores } from "../runtime/types";
import { addFields, MAX_FIELDS, readMinutes, type MinuteViews } from "./minute-views";
import * as names from "./names";
import { coverOf, FROM, TO, viewsKeys, type ViewsKey } from "./queries";
import type { Cover } from "./windows";

/**
 * Scores read and looked up in one call before it answers what it has. What a longer list, and more windows, are worth comes on top
 * of the first: the pages of an hour take some 5 ms at most, those of a week 10.
 */
const MAX_LOOKUPS = 4000;
const LOOKUPS_FOR_EACH_LISTED = 2;
const LOOKUPS_FOR_EACH_WINDOW = 100;

/** Keys behind one answer: a day and more of minutes without rotation. To look whether there is anything in them takes 2 ms. */
const MAX_KEYS = 2000;

/** Look-ups spent on the order of equals at the end of a ranking. */
const MAX_TIE_LOOKUPS = 2000;

/** How far down the windows to go at first, beyond what is asked for; doubled each round. */
const FIRST_DEPTH = 20;

interface Ranked {
  id: string;
  views: number;
}

/** A list of members, most views first, that can be read by rank. */
type Leaders = (this: void, from: number, to: number) => Ranked[];

interface Search {
  /** Sorted sets with something in them. */
  sets: string[];
  minutes: MinuteViews;
  leaders: Leaders[];
  belongs: Belongs;
  seen: LuaSet<string>;
  found: Ranked[];
  lookups: number;
  maxLookups: number;
  /** Whether somebody who was met was not added up. */
  isCut: boolean;
}

/** Which of the ids belong to the website asked for. */
type Belongs = (this: void, ids: string[]) => string[];

function byViews(a: Ranked, b: Ranked): boolean {
  return a.views > b.views || (a.views === b.views && a.id < b.id);
}

function leadersOfSet(name: string): Leaders {
  return (from, to) => {
    const flat = onKey("ZRANGE", name, `${from}`, `${to}`, "REV", "WITHSCORES");
    const ranked: Ranked[] = [];
    for (const at of $range(1, flat.length, 2)) ranked.push({ id: flat[at - 1]!, views: tonumber(flat[at])! });
    return ranked;
  };
}

/** Sorted by how many views they have, of which there are few different ones: half the price of sorting all. */
function leadersOfMinutes(sums: LuaMap<string, number>): Leaders {
  const byCount = new LuaMap<number, Ranked[]>();
  const counts: number[] = [];
  for (const [id, views] of sums) {
    let equals = byCount.get(views);
    if (equals === undefined) {
      equals = [];
      byCount.set(views, equals);
      counts.push(views);
    }
    equals.push({ id, views });
  }
  table.sort(counts, (a, b) => a > b);
  const ranked: Ranked[] = [];
  for (const views of counts) for (const each of byCount.get(views)!) ranked.push(each);
  return (from, to) => {
    const slice: Ranked[] = [];
    for (const position of $range(from + 1, Math.min(to + 1, ranked.length))) slice.push(ranked[position - 1]!);
    return slice;
  };
}

/** Look-ups that adding up one id takes. */
function lookupsOfOne({ sets, minutes }: Search): number {
  return sets.length + minutes.lookups + 1;
}

function addFound(sums: number[], found: (string | false)[]): void {
  for (const position of $range(1, sums.length)) {
    const views = found[position - 1]!;
    if (views !== false) sums[position - 1] = sums[position - 1]! + tonumber(views)!;
  }
}

/** Adds up ids over all windows; each is found once. */
function addUp(search: Search, ids: string[]): void {
  const { sets, minutes, found } = search;
  const { sums: summed, hashes } = minutes;
  inChunks(ids, (part) => {
    const sums: number[] = [];
    for (const id of part) sums.push(summed.get(id) ?? 0);
    for (const hash of hashes) addFound(sums, fields(hash, part));
    for (const set of sets) addFound(sums, scores(set, part));
    for (const position of $range(1, part.length)) found.push({ id: part[position - 1]!, views: sums[position - 1]! });
  });
  search.lookups += ids.length * lookupsOfOne(search);
}

/** As many of those who were met as may be added up, by what was seen of their views. */
function affordable(search: Search, met: string[], partial: LuaMap<string, number>): string[] {
  const most = Math.max(Math.floor((search.maxLookups - search.lookups) / lookupsOfOne(search)), 1);
  if (met.length <= most) return met;
  search.isCut = true;
  const ranked: Ranked[] = [];
  for (const id of met) ranked.push({ id, views: partial.get(id)! });
  table.sort(ranked, byViews);
  const first: string[] = [];
  for (const position of $range(1, most)) first.push(ranked[position - 1]!.id);
  return first;
}

/** Goes down every list from one depth to another; answers the most that anybody below can have. */
function descend(search: Search, from: number, to: number): number {
  const { seen } = search;
  const met: string[] = [];
  const partial = new LuaMap<string, number>();
  let bound = 0;
  for (const read of search.leaders) {
    const ranked = read(from, to);
    for (const { id, views } of ranked) {
      if (!seen.has(id)) {
        seen.add(id);
        met.push(id);
      }
      partial.set(id, (partial.get(id) ?? 0) + views);
    }
    const last = ranked[to - from];
    if (last !== undefined) bound += last.views;
    search.lookups += ranked.length;
  }
  addUp(search, affordable(search, search.belongs(met), partial));
  return bound;
}

/** Fills `search.found` with the first `count`, sorted; false where the search was cut off before it was sure. */
function findLeaders(search: Search, count: number): boolean {
  let from = 0;
  let depth = count + FIRST_DEPTH;
  for (;;) {
    const affordableDepth = Math.floor((search.maxLookups - search.lookups) / (2 * search.leaders.length));
    depth = Math.max(Math.min(depth, affordableDepth), FIRST_DEPTH);
    const bound = descend(search, from, from + depth - 1);
    table.sort(search.found, byViews);
    if (search.isCut) return false;
    const last = search.found[count - 1];
    if (bound === 0 || (last !== undefined && last.views > bound)) return true;
    // Sure of everything but the order of equals, which is worth a little more reading, not much.
    if (last !== undefined && last.views === bound && search.lookups >= MAX_TIE_LOOKUPS) return true;
    if (search.lookups >= search.maxLookups) return false;
    from += depth;
    depth *= 2;
  }
}

/** The set of the records that WEBSITE or SECTION leaves in question; undefined for all, and for a website itself. */
function membersOf(
  dimension: string,
  websiteId: string | undefined,
  sectionId: string | undefined,
): string | undefined {
  if (sectionId !== undefined) return names.pagesOf("S", sectionId);
  if (websiteId === undefined) return undefined;
  if (dimension === "P") return names.pagesOf("W", websiteId);
  return dimension === "S" ? names.sectionsOfWebsite(websiteId) : undefined;
}

function belongsTo(members: string | undefined): Belongs {
  if (members === undefined) return (ids) => ids;
  return (ids) => {
    const own: string[] = [];
    inChunks(ids, (part) => {
      const known = scores(members, part);
      for (const position of $range(1, part.length)) {
        if (known[position - 1] !== false) own.push(part[position - 1]!);
      }
    });
    return own;
  };
}

/** The sorted sets with something in them that are not read whole; few records are added to the sums at once. */
function setsOf(keys: ViewsKey[], minutes: MinuteViews): string[] {
  const sets: string[] = [];
  let size = 0;
  for (const { name, isHash } of keys) {
    const members = isHash ? 0 : onKey("ZCARD", name);
    if (members > 0) sets.push(name);
    size += members;
  }
  if (minutes.hashes.length > 0 || minutes.fieldsRead + size > MAX_FIELDS) return sets;
  for (const name of sets) addFields(minutes.sums, onKey("ZRANGE", name, "0", "-1", "WITHSCORES"));
  minutes.fieldsRead += size;
  return [];
}

function newSearch(covered: Cover, args: { dimension: string; count: number }, belongs: Belongs): Search {
  const { dimension, count } = args;
  const keys = viewsKeys(covered, dimension, MAX_KEYS);
  const minutes = readMinutes(keys, dimension, covered);
  const sets = setsOf(keys, minutes);
  const leaders = [leadersOfMinutes(minutes.leading)];
  for (const name of sets) leaders.push(leadersOfSet(name));
  for (const name of minutes.bounds) {
    if (onKey("ZCARD", name) > 0) leaders.push(leadersOfSet(name));
  }
  const maxLookups = MAX_LOOKUPS + count * LOOKUPS_FOR_EACH_LISTED + leaders.length * LOOKUPS_FOR_EACH_WINDOW;
  const lookups = minutes.fieldsRead;
  return { sets, minutes, leaders, belongs, seen: new LuaSet(), found: [], lookups, maxLookups, isCut: false };
}

/** Adds up all of some ids: surer than to meet them by going down everybody's lists. */
function addUpAll(search: Search, ids: string[]): void {
  addUp(search, ids);
  const found: Ranked[] = [];
  for (const ranked of search.found) if (ranked.views > 0) found.push(ranked);
  table.sort(found, byViews);
  search.found = found;
}

/** Adds up all members of a small website or section; false where it is not small. */
function addUpMembers(search: Search, members: string): boolean {
  if (onKey("ZCARD", members) * lookupsOfOne(search) > MAX_LOOKUPS) return false;
  addUpAll(search, onKey("ZRANGE", members, "0", "-1"));
  return true;
}

/** Fills `search.found`, sorted; false where somebody may be missing. */
function findFirst(search: Search, args: { website: string | undefined; count: number }, members?: string): boolean {
  const { website, count } = args;
  if (members === undefined && website !== undefined) {
    addUpAll(search, [website]);
    return true;
  }
  if (members !== undefined && addUpMembers(search, members)) return true;
  return findLeaders(search, count) && !search.minutes.isSampled;
}

export const rankPg = command(
  {
    name: "rank_pg",
    summary: "The most viewed of a stretch of time",
    doc:
      "Adds up exactly, by the threshold algorithm, whatever the number of records, in a bounded time. `exact` is 0 " +
      "where somebody may be missing, for one of two reasons: more than 3,500 records of minutes wait for rotate_pg " +
      "(minutes have no order); or the search was cut off after 4,000 look-ups, 2 more for each of COUNT and 100 " +
      "for each window, because many have nearly the same views, or those of WEBSITE or SECTION are far below " +
      "the views of others. The views of all that are listed are right then too, but there may be fewer than COUNT. " +
      "`from` and `to` are the bounds covered, as in count_pg. Equal views are ranked by id; where very many share " +
      "the last place, any of them. LIMIT where more than 2,000 windows are not merged yet. Nil where nothing is left.",
    role: "reader",
    flags: ["no-writes"],
    positional: [
      { name: "dimension", type: choice(names.DIMENSIONS), doc: "website, section, page, audio, video or podcast" },
    ],
    options: [
      FROM,
      TO,
      { name: "WEBSITE", type: recordId, doc: "id of a website: only its sections or pages" },
      { name: "SECTION", type: recordId, doc: "id of a section, in place of WEBSITE: only its pages" },
      {
        name: "COUNT",
        type: integer(1, 1000),
        default: 10,
        doc: "how many to list; up to 200 are answered in full in the middle of windows as well",
      },
      NOW,
    ],
    reply: nullable(
      record([
        { name: "from", type: integerReply, unit: "unix_ms", doc: "start of the time covered" },
        { name: "to", type: integerReply, unit: "unix_ms", doc: "end of the time covered" },
        { name: "exact", type: integerReply, flag: true, doc: "1, or 0 where the search was cut off" },
        {
          name: "ranking",
          type: list(
            tuple([
              { name: "id", type: textReply, doc: "id of the record" },
              { name: "views", type: integerReply, doc: "page views" },
            ]),
          ),
          doc: "id and page views, most first",
        },
      ]),
    ),
    errors: ["BADARG", "LIMIT", "CONFLICT"],
    excludes: [["WEBSITE", "SECTION"]],
    causes: { LIMIT: "more than 2,000 windows are not merged yet: call rotate_pg, or ask for less time" },
  },
  (args) => {
    const { dimension, website, section } = args;
    if (section !== undefined) {
      if (dimension !== "P") fail("BADARG", `SECTION applies to the dimension P, got '${dimension}'`);
      if (website !== undefined) fail("BADARG", "SECTION takes the place of WEBSITE, got both");
    }
    if (website !== undefined && dimension !== "S" && dimension !== "P" && dimension !== "W") {
      fail("BADARG", `WEBSITE applies to the dimensions W, S and P, got '${dimension}'`);
    }
    const covered = coverOf(args);
    if (covered === undefined) return undefined;
    const members = membersOf(dimension, website, section);
    const search = newSearch(covered, args, belongsTo(members));
    const isExact = findFirst(search, args, members);
    const ranking: [string, number][] = [];
    for (const { id, views } of search.found) {
      if (ranking.length === args.count) break;
      ranking.push([id, views]);
    }
    return { from: covered.fromMs, to: covered.toMs, exact: isExact ? 1 : 0, ranking };
  },
);
