/**
 * Rankings over many windows, without adding up everybody.
 *
 * The threshold algorithm (R. Fagin, A. Lotem, M. Naor: Optimal aggregation algorithms for middleware, 2001): go down all
 * windows side by side, each most views first, add up whoever is met over all windows, and stop when the last of the wanted
 * has at least as many as all windows together show at this depth: nobody below can have more. On traffic as it is,
 * a few hundred pages are met.
 */
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
import { onKey, requireType, scores } from "../runtime/types";
import * as names from "./names";
import { coverOf, FROM, TO, viewsKeys, type ViewsKey } from "./queries";

/** Scores looked up in one call before it answers what it has: keeps the longest call near 20 ms. */
const MAX_LOOKUPS = 50000;

/** Look-ups spent on the order of equals at the end of a ranking. */
const MAX_TIE_LOOKUPS = 5000;

/** How far down the windows to go at first; doubled each round. */
const FIRST_DEPTH = 100;

/** Members asked for in one command. */
const CHUNK = 1000;

interface Ranked {
  id: string;
  views: number;
}

/** A list of members, most views first, that can be read by rank. */
type Leaders = (this: void, from: number, to: number) => Ranked[];

interface Search {
  /** Sorted sets with something in them. */
  sets: string[];
  /** Views in hashes, summed. */
  hashed: LuaMap<string, number>;
  leaders: Leaders[];
  belongs: Belongs;
  seen: LuaSet<string>;
  found: Ranked[];
  lookups: number;
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

function leadersOfHashes(hashed: LuaMap<string, number>): Leaders {
  const ranked: Ranked[] = [];
  for (const [id, views] of hashed) ranked.push({ id, views });
  table.sort(ranked, byViews);
  return (from, to) => {
    const slice: Ranked[] = [];
    for (const position of $range(from + 1, Math.min(to + 1, ranked.length))) slice.push(ranked[position - 1]!);
    return slice;
  };
}

/** Adds up hashes, which know no order; false where they hold too much to read. */
function sumHashes(keys: ViewsKey[], hashed: LuaMap<string, number>): boolean {
  let size = 0;
  for (const { name, isHash } of keys) {
    if (!isHash) continue;
    requireType(name, "hash");
    size += onKey("HLEN", name);
    if (size > MAX_LOOKUPS) return false;
    const flat = onKey("HGETALL", name);
    for (const at of $range(1, flat.length, 2)) {
      const id = flat[at - 1]!;
      hashed.set(id, (hashed.get(id) ?? 0) + tonumber(flat[at])!);
    }
  }
  return true;
}

/** Adds up ids over all windows; each is found once. */
function addUp(search: Search, ids: string[]): void {
  for (const from of $range(0, ids.length - 1, CHUNK)) {
    const part: string[] = [];
    for (const position of $range(from + 1, Math.min(from + CHUNK, ids.length))) part.push(ids[position - 1]!);
    const sums: number[] = [];
    for (const id of part) sums.push(search.hashed.get(id) ?? 0);
    for (const set of search.sets) {
      const found = scores(set, part);
      for (const position of $range(1, part.length)) {
        const score = found[position - 1]!;
        if (score !== false) sums[position - 1] = sums[position - 1]! + tonumber(score)!;
      }
    }
    for (const position of $range(1, part.length))
      search.found.push({ id: part[position - 1]!, views: sums[position - 1]! });
    search.lookups += part.length * (search.sets.length + 1);
  }
}

/** Goes down every list from one depth to another; answers the most that anybody below can have. */
function descend(search: Search, from: number, to: number): number {
  const met: string[] = [];
  let bound = 0;
  for (const read of search.leaders) {
    const ranked = read(from, to);
    for (const { id } of ranked) {
      if (!search.seen.has(id)) {
        search.seen.add(id);
        met.push(id);
      }
    }
    const last = ranked[to - from];
    if (last !== undefined) bound += last.views;
    search.lookups += ranked.length;
  }
  addUp(search, search.belongs(met));
  return bound;
}

/** Fills `search.found` with at least the first `count`, sorted; false where the search was cut off before it was sure. */
function findLeaders(search: Search, count: number): boolean {
  let from = 0;
  let depth = Math.max(FIRST_DEPTH, count);
  for (;;) {
    const bound = descend(search, from, from + depth - 1);
    table.sort(search.found, byViews);
    const last = search.found[count - 1];
    if (bound === 0 || (last !== undefined && last.views > bound)) return true;
    // Sure of everything but the order of equals, which is worth a little more reading, not much.
    if (last !== undefined && last.views === bound && search.lookups >= MAX_TIE_LOOKUPS) return true;
    if (search.lookups >= MAX_LOOKUPS) return false;
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

function belongsTo(members: string | undefined, websiteId: string | undefined): Belongs {
  if (members === undefined && websiteId === undefined) return (ids) => ids;
  return (ids) => {
    const own: string[] = [];
    if (ids.length === 0) return own;
    const known = members === undefined ? [] : scores(members, ids);
    for (const position of $range(1, ids.length)) {
      const id = ids[position - 1]!;
      if (members === undefined ? id === websiteId : known[position - 1] !== false) own.push(id);
    }
    return own;
  };
}

function newSearch(keys: ViewsKey[], belongs: Belongs): LuaMultiReturn<[search: Search, isWhole: boolean]> {
  const hashed = new LuaMap<string, number>();
  const isWhole = sumHashes(keys, hashed);
  const sets: string[] = [];
  const leaders = [leadersOfHashes(hashed)];
  for (const { name, isHash } of keys) {
    if (isHash) continue;
    requireType(name, "zset");
    if (redis.call("EXISTS", name) === 1) {
      sets.push(name);
      leaders.push(leadersOfSet(name));
    }
  }
  return $multi({ sets, hashed, leaders, belongs, seen: new LuaSet(), found: [], lookups: 0 }, isWhole);
}

/** Adds up all members of a small website or section: surer and shorter than to meet them by going down everybody's lists. */
function addUpWebsite(search: Search, members: string): boolean {
  const size = onKey("ZCARD", members);
  if (size * (search.sets.length + 1) > MAX_LOOKUPS) return false;
  addUp(search, onKey("ZRANGE", members, "0", "-1"));
  const found: Ranked[] = [];
  for (const ranked of search.found) if (ranked.views > 0) found.push(ranked);
  table.sort(found, byViews);
  search.found = found;
  return true;
}

export const rankPg = command(
  {
    name: "rank_pg",
    summary: "The most viewed of a stretch of time",
    doc:
      "Adds up exactly, by the threshold algorithm, whatever the number of records; where it would take more than " +
      "50,000 look-ups, the leaders of each window are summed and `exact` is 0; minutes of more than 50,000 " +
      "records that rotation has not carried on yet are left out then. `from` and `to` are the bounds covered, as " +
      "in count_pg. Equal views are ranked by id; where very many share the last place, any of them. Nil where " +
      "nothing is left.",
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
      { name: "COUNT", type: integer(1, 1000), default: 10, doc: "how many to list" },
      NOW,
    ],
    reply: nullable(
      record([
        { name: "from", type: integerReply, doc: "start of the time covered" },
        { name: "to", type: integerReply, doc: "end of the time covered" },
        { name: "exact", type: integerReply, doc: "1, or 0 where the search was cut off" },
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
    const [search, isWhole] = newSearch(viewsKeys(covered, dimension), belongsTo(members, website));
    const isExact = (members !== undefined && addUpWebsite(search, members)) || findLeaders(search, args.count);
    const ranking: [string, number][] = [];
    for (const { id, views } of search.found) {
      if (ranking.length === args.count) break;
      ranking.push([id, views]);
    }
    return { from: covered.fromMs, to: covered.toMs, exact: isWhole && isExact ? 1 : 0, ranking };
  },
);
