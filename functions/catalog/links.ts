/** The product links of a vendor, by year: which there are, and when each was looked at. */
import { clock } from "../runtime/clock";
import { command, integer, integerReply, json, MAX_TIME_MS, NOW, record } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { fields, requireType } from "../runtime/types";
import { isUtf8 } from "../runtime/utf8";
import * as names from "./names";
import { addVendor, requireVendor, requireVendorName, VENDOR } from "./vendors";

/** Links of one call. */
const MAX_LINKS = 1000;
const MAX_LINKS_BYTES = 4194304;
const MAX_URL_BYTES = 2048;
const MAX_NAME_BYTES = 512;

/** The argument, or option, that names a year. */
export const yearType = integer(1, 9999);

/** The id of a link: the same for one vendor and address, and for no other. */
export function linkId(vendor: string, url: string): string {
  return redis.sha1hex(`${vendor}/${url}`);
}

/** A link as a vendor's page of a year lists it. */
interface Listed {
  id: string;
  url: string;
  name: string;
}

function requireAddress(url: string): void {
  const [scheme] = string.find(url, "^[hH][tT][tT][pP][sS]?://[^/%s]");
  if (scheme === undefined || url.length > MAX_URL_BYTES || !isUtf8(url)) {
    fail("BADARG", `links: an address must be absolute http(s) of at most ${MAX_URL_BYTES} bytes, got ${quote(url)}`);
  }
}

/** The links of a call; LIMIT if there are too many. */
function parseLinks(vendor: string, text: string): Listed[] {
  const [ok, decoded] = pcall(cjson.decode, text);
  if (!ok || type(decoded) !== "table")
    fail("BADARG", `links must be a JSON object of address to name, got ${quote(text)}`);
  const found: Listed[] = [];
  for (const [url, name] of pairs(decoded as Record<string, unknown>)) {
    requireAddress(url);
    if (type(name) !== "string" || (name as string).length > MAX_NAME_BYTES || !isUtf8(name as string)) {
      fail("BADARG", `links: the name of ${quote(url)} must be text of at most ${MAX_NAME_BYTES} bytes`);
    }
    found.push({ id: linkId(vendor, url), url, name: name as string });
  }
  if (found.length > MAX_LINKS)
    fail("LIMIT", `at most ${MAX_LINKS} links a call, got ${found.length}; MORE 1 takes them in parts`);
  return found;
}

/** The lists of a vendor's year. */
interface YearLists {
  vendor: string;
  year: string;
  all: string;
  ofYear: string;
  listed: string;
}

function listsOf(vendor: string, year: string): YearLists {
  return {
    vendor,
    year,
    all: names.links(vendor),
    ofYear: names.linksOfYear(vendor, year),
    listed: names.linksListed(vendor, year),
  };
}

function requireLists({ all, ofYear, listed }: YearLists): void {
  requireType(all, "zset");
  requireType(ofYear, "zset");
  requireType(listed, "zset");
}

/** Links of the year that no call of this run has listed, one more than a call removes at most. */
function unlisted({ listed }: YearLists, links: Listed[], run: number): string[] {
  const given = new LuaSet<string>();
  for (const { id } of links) given.add(id);
  const gone: string[] = [];
  for (const id of redis.call(
    "ZRANGE",
    listed,
    "-inf",
    `(${run}`,
    "BYSCORE",
    "LIMIT",
    "0",
    `${links.length + MAX_LINKS + 1}`,
  )) {
    if (!given.has(id) && gone.length <= MAX_LINKS) gone.push(id);
  }
  return gone;
}

/** What is written of a link. */
interface Known {
  name: string | false;
  year: string | false;
  checked: string | false;
}

function readKnown(id: string): Known {
  const [name, year, checked] = fields(names.link(id), ["name", "year", "checked_at"]);
  return { name: name!, year: year!, checked: checked! };
}

/** Whether the link is new to the year. */
function list(lists: YearLists, { id, url, name }: Listed, known: Known, run: number): boolean {
  const { vendor, year, all, ofYear, listed } = lists;
  redis.call("ZADD", listed, "GT", `${run}`, id);
  if (known.year === year && known.name === name) return false;
  redis.call("HSET", names.link(id), "vendor", vendor, "url", url, "name", name, "year", year);
  if (known.year === year) return false;
  const checked = known.checked === false ? "0" : known.checked;
  redis.call("ZADD", all, checked, id);
  redis.call("ZADD", ofYear, checked, id);
  if (known.year !== false) {
    redis.call("ZREM", names.linksOfYear(vendor, known.year), id);
    redis.call("ZREM", names.linksListed(vendor, known.year), id);
  }
  return true;
}

/** CONFLICT if a list from which a link moves is foreign. */
function requireMoves(vendor: string, year: string, known: Known[]): void {
  const checked = new LuaSet<string>();
  for (const each of known) {
    if (each.year !== false && each.year !== year && !checked.has(each.year)) {
      checked.add(each.year);
      requireLists(listsOf(vendor, each.year));
    }
  }
}

/**
 * The number of the run that a call belongs to, and whether it is over already; CONFLICT if there is no such run.
 *
 * A new run gets the server's time, or one more than the last. A caller whose run was lost with the server's last writes must not go on
 * in one that another has begun since: what it had listed is lost as well, and the last part would remove it.
 */
function runOf(
  runs: string,
  year: string,
  given: number | undefined,
  nowMs: number,
): LuaMultiReturn<[run: number, isLate: boolean]> {
  const [last, at] = fields(runs, [`${year}:run`, `${year}:at`]);
  const latest = last === false || last === undefined ? 0 : tonumber(last)!;
  if (given === undefined) {
    const isLate = at !== false && at !== undefined && nowMs < tonumber(at)!;
    return $multi(isLate ? latest : Math.max(latest + 1, clock(undefined)), isLate);
  }
  if (given > latest) fail("CONFLICT", `RUN ${given} has not begun; the last of year ${year} is ${latest}`);
  return $multi(given, given < latest);
}

export const syncLinks = command(
  {
    name: "sync_links",
    summary: "Brings the list of a vendor's product links of a year up to date",
    doc:
      "The JSON has all links of the year, `{address: name}`; those that are on the list and not in it are " +
      "removed, those that stay keep what mark_link has noted. A link is of one year: that which listed it last. " +
      "More than 1,000 links come in parts: each call but the last with MORE 1, each call but the first with the " +
      "RUN that the first has answered; only the last one removes. If a run is cut off, nothing is removed and the " +
      "next one begins anew. Of more than 1,000 links to be removed, `remaining` is 1, and the same call removes " +
      "more. A call whose clock is before the last run's, or whose RUN is not the last, comes late: it removes " +
      "nothing, and without RUN it adds nothing either. 1,000 addresses of 2 kB in the place of as many others take the " +
      "server 30 ms; parts may be smaller.",
    role: "ingest",
    flags: [],
    positional: [
      VENDOR,
      { name: "year", type: yearType, doc: "year of release of what the links show" },
      { name: "links", type: json(MAX_LINKS_BYTES), schema: "Links", doc: "address to name, at most 1,000" },
    ],
    options: [
      { name: "MORE", type: integer(0, 1), flag: true, default: 0, doc: "1: more parts of the same run follow" },
      { name: "RUN", type: integer(1, MAX_TIME_MS), doc: "number of the run that this part belongs to" },
      NOW,
    ],
    reply: record([
      { name: "added", type: integerReply, doc: "links that are new to the year" },
      { name: "removed", type: integerReply, doc: "links that are gone" },
      { name: "run", type: integerReply, doc: "number of this run" },
      { name: "remaining", type: integerReply, flag: true, doc: "1 if there are more to remove" },
    ]),
    errors: ["BADARG", "LIMIT", "CONFLICT"],
    repeat: "differs",
    causes: {
      LIMIT: "more than 1,000 links; or there are as many vendors as there may be",
      CONFLICT: "RUN has not begun; or a key holds a foreign type",
    },
  },
  (args) => {
    const { vendor } = args;
    requireVendorName(vendor);
    const links = parseLinks(vendor, args.links);
    const nowMs = clock(args.now);
    const year = `${args.year}`;
    const lists = listsOf(vendor, year);
    const runs = names.linkRuns(vendor);
    const [run, isLate] = runOf(runs, year, args.run, nowMs);
    if (isLate && args.run === undefined) return { added: 0, removed: 0, run, remaining: 0 };
    requireVendor(vendor);
    requireLists(lists);
    const known: Known[] = [];
    for (const { id } of links) known.push(readKnown(id));
    requireMoves(vendor, year, known);
    const gone = args.more === 1 || isLate ? [] : unlisted(lists, links, run);
    const isMore = gone.length > MAX_LINKS;
    if (isMore) gone.pop();
    for (const id of gone) requireType(names.link(id), "hash");
    addVendor(vendor);
    if (!isLate) redis.call("HSET", runs, `${year}:run`, `${run}`, `${year}:at`, `${nowMs}`);
    let added = 0;
    for (const at of $range(0, links.length - 1)) if (list(lists, links[at]!, known[at]!, run)) added += 1;
    for (const id of gone) {
      redis.call("UNLINK", names.link(id));
      for (const each of [lists.all, lists.ofYear, lists.listed]) redis.call("ZREM", each, id);
    }
    return { added, removed: gone.length, run, remaining: isMore ? 1 : 0 };
  },
);
