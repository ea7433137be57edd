/**
 * find_products: each filter is a sorted set, or a range of one. The one that gives the order is gone along, and the others are
 * asked about what stands in it; or, where the fewest products meet another one, all of those are taken and brought in order.
 */
import { withHead } from "../runtime/chunks";
import {
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
import { yearType } from "./links";
import * as names from "./names";
import { parsePrice } from "./price";
import { requireVendorName, OF_VENDOR } from "./vendors";

/** At 1 µs a product that is tested, or 2 µs one that is brought in order, this keeps a call to a millisecond or two. */
const DEFAULT_LIMIT = 1000;

/** Products asked about at once. */
const BATCH = 200;

/** Being in a sorted set, between two scores where they are given, both included. */
interface Condition {
  list: string;
  range: [min: number, max: number] | undefined;
  /** How many products meet it. */
  size: number;
}

/** From 0, in the order of the condition that gives it. */
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

const FIND_PRODUCTS = {
  name: "find_products",
  summary: "Products that meet all of the filters given",
  doc:
    "With SYNCED_BEFORE those come first that were synced longest ago; else, with PRICE, the cheapest; else those " +
    "created last. At most LIMIT products are looked at: where that is too few, the total is nil, and the ids are " +
    "those found by then; narrow it down, or ask with a larger LIMIT. The total is always there with one filter, " +
    "with VENDOR and YEAR, and if at most LIMIT products meet one of the filters.",
  role: "reader",
  flags: ["no-writes"],
  positional: [],
  options: [
    OF_VENDOR,
    { name: "YEAR", type: yearType, doc: "products released in this year" },
    { name: "AVAILABILITY", type: text(1, 64), doc: "products whose availability is this word" },
    {
      name: "PRICE",
      type: pair({ name: "from", type: text(1, 32) }, { name: "to", type: text(1, 32) }),
      doc: "products of these prices and between, both included; without a price, none",
    },
    { name: "SYNCED_BEFORE", type: unixMs, doc: "products last synced before this time" },
    { name: "OFFSET", type: integer(0, 1000000), default: 0, doc: "how many to pass over" },
    { name: "COUNT", type: integer(1, 10000), default: 100, doc: "how many ids to answer at most" },
    { name: "LIMIT", type: integer(1, 10000), default: DEFAULT_LIMIT, doc: "how many products to look at, at most" },
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
  errors: ["BADARG", "CONFLICT"],
  answer: { doc: "ids of products" },
  paging: "offset",
} as const satisfies Declaration;

type Filters = Arguments<typeof FIND_PRODUCTS>;

function inList(list: string): Condition {
  return { list, range: undefined, size: onKey("ZCARD", list) };
}

function inRange(list: string, min: number, max: number): Condition {
  return { list, range: [min, max], size: onKey("ZCOUNT", list, bound(min), bound(max)) };
}

/** As Redis reads it: `%.17g` gives a double back as it was. */
function bound(score: number): string {
  return score === -Infinity ? "-inf" : string.format("%.17g", score);
}

function priceOf(name: string, given: string): number {
  const price = parsePrice(given);
  if (price === undefined) fail("BADARG", `PRICE ${name} must be a price, got ${quote(given)}`);
  return tonumber(price)!;
}

function requireSound({ vendor }: Filters): void {
  if (vendor !== undefined) requireVendorName(vendor);
}

/** The conditions of a call; the first gives the order. */
function conditionsOf({ vendor, year, availability, price, synced_before: before }: Filters): Condition[] {
  const conditions: Condition[] = [];
  if (before !== undefined) conditions.push(inRange(names.productsSynced(), -Infinity, before - 1));
  if (price !== undefined)
    conditions.push(inRange(names.productPrices(), priceOf("from", price[0]), priceOf("to", price[1])));
  if (year !== undefined) conditions.push(inList(names.productsOfYear(vendor ?? "", `${year}`)));
  else if (vendor !== undefined) conditions.push(inList(names.productsOfVendor(vendor)));
  if (availability !== undefined) conditions.push(inList(names.productsAvailable(availability)));
  if (conditions.length === 0) conditions.push(inList(names.products()));
  return conditions;
}

/** Ids of a condition in its order, from a place on: ranges from their least score, lists from the latest. */
function part({ list, range, size }: Condition, from: number, count: number): string[] {
  const last = Math.min(from + count, size) - 1;
  if (last < from) return [];
  if (range === undefined) return redis.call("ZRANGE", list, `${from}`, `${last}`, "REV");
  const before = range[0] === -Infinity ? 0 : redis.call("ZCOUNT", list, "-inf", `(${bound(range[0])}`);
  return redis.call("ZRANGE", list, `${before + from}`, `${before + last}`);
}

/** Visits those of the ids that meet a condition, with their scores. */
function forEachMet(
  { list, range }: Condition,
  ids: string[],
  visit: (this: void, id: string, score: number) => void,
): void {
  if (ids.length === 0) return;
  const scores = redis.call("ZMSCORE", list, ...ids);
  for (const at of $range(0, ids.length - 1)) {
    const found = scores[at]!;
    if (found !== false) {
      const score = tonumber(found)!;
      if (range === undefined || (score >= range[0] && score <= range[1])) visit(ids[at]!, score);
    }
  }
}

/** Those of the ids that meet all conditions but one. */
function keepAll(conditions: Condition[], except: Condition, ids: string[]): string[] {
  let kept = ids;
  for (const each of conditions) {
    if (each !== except) {
      const met: string[] = [];
      forEachMet(each, kept, (id) => met.push(id));
      kept = met;
    }
  }
  return kept;
}

function pageOf(ids: string[], { offset, count }: Page): string[] {
  const page: string[] = [];
  for (const at of $range(offset, Math.min(offset + count, ids.length) - 1)) page.push(ids[at]!);
  return page;
}

/** All that meet the condition that the fewest meet, tested, and brought in the order of the first. */
function takeAll(conditions: Condition[], least: Condition, page: Page): Found {
  const first = conditions[0]!;
  const scores = new LuaMap<string, number>();
  const found: string[] = [];
  for (const from of $range(0, least.size - 1, BATCH)) {
    const batch = part(least, from, BATCH);
    const kept = least === first ? keepAll(conditions, first, batch) : keepAll(conditions, least, batch);
    if (least === first) for (const id of kept) found.push(id);
    else
      forEachMet(first, kept, (id, score) => {
        scores.set(id, score);
        found.push(id);
      });
  }
  if (least !== first) {
    const isRising = first.range !== undefined;
    table.sort(found, (a, b) => {
      const [scoreA, scoreB] = [scores.get(a)!, scores.get(b)!];
      if (scoreA === scoreB) return isRising ? a < b : a > b;
      return isRising ? scoreA < scoreB : scoreA > scoreB;
    });
  }
  return { total: found.length, ids: pageOf(found, page) };
}

/** Along the first condition, as far as LIMIT goes. */
function goAlong(conditions: Condition[], page: Page): Found {
  const first = conditions[0]!;
  const wanted = page.offset + page.count;
  const found: string[] = [];
  let from = 0;
  while (from < page.limit && found.length < wanted) {
    const size = Math.min(BATCH, page.limit - from);
    for (const id of keepAll(conditions, first, part(first, from, size))) found.push(id);
    from += size;
  }
  return { total: undefined, ids: pageOf(found, page) };
}

function find(conditions: Condition[], page: Page): Found {
  const first = conditions[0]!;
  if (conditions.length === 1) return { total: first.size, ids: part(first, page.offset, page.count) };
  let least = first;
  for (const each of conditions) if (each.size < least.size) least = each;
  return least.size <= page.limit ? takeAll(conditions, least, page) : goAlong(conditions, page);
}

export const findProducts = command(FIND_PRODUCTS, (args) => {
  requireSound(args);
  const { total, ids } = find(conditionsOf(args), args);
  return withHead(total ?? false, ids);
});
