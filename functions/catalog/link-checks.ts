/** What came of looking at a link, and which links are to be looked at. */
import { withHead } from "../runtime/chunks";
import { clock } from "../runtime/clock";
import {
  choice,
  command,
  integer,
  integerReply,
  jsonReply,
  MAX_TIME_MS,
  NOW,
  nullable,
  recordId,
  text,
  tuple,
  type Arguments,
  type Declaration,
} from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { jsonText } from "../runtime/json";
import { fields, onKey, requireType } from "../runtime/types";
import { linkId, yearType } from "./links";
import * as names from "./names";
import { touchProduct } from "./products";
import { count, requireVendorName, VENDOR } from "./vendors";

const OUTCOMES = ["scraped", "unchanged", "gone", "failed"] as const;

const URL = { name: "url", type: text(1, 2048), doc: "address of the link, as sync_links had it" } as const;

const LINK_DOC =
  "`url`, `name`, `year`, `outcome` (of the last look), `checked_at` (when that was), `scraped_at` (when a look " +
  "last succeeded), `status` (HTTP), `etag` and `modified` (validators for a conditional request), `product` " +
  "(id), `failures` (in a row, null before the first look) and `reason` (of the last failure); null for what is " +
  "not known";

/** What is shown of a link: its address and name, numbers up to `failures`, and texts. */
const SHOWN = [
  "url",
  "name",
  "year",
  "checked_at",
  "scraped_at",
  "status",
  "failures",
  "outcome",
  "etag",
  "modified",
  "product",
  "reason",
];
const LAST_NUMBER = 6;

function linkJson(id: string): string | undefined {
  const found = onKey("HMGET", names.link(id), ...SHOWN);
  if (found[0] === false) return undefined;
  const parts: string[] = [];
  for (const at of $range(0, SHOWN.length - 1)) {
    const value = found[at]!;
    const isNumber = at >= 2 && at <= LAST_NUMBER;
    parts.push(`"${SHOWN[at]}":${value === false ? "null" : isNumber ? value : jsonText(value)}`);
  }
  return `{${parts.join(",")}}`;
}

/** The fields to set, and those to remove, as `mark_link` collects them. */
interface Note {
  set: string[];
  remove: string[];
}

function put({ set, remove }: Note, field: string, value: string | number | undefined): void {
  if (value === undefined) remove.push(field);
  else {
    set.push(field);
    set.push(`${value}`);
  }
}

function numberOf(digits: string | false | undefined): number {
  return digits === false || digits === undefined ? 0 : tonumber(digits)!;
}

const MARK_LINK = {
  name: "mark_link",
  summary: "Notes what came of looking at a link",
  doc:
    "`scraped`: there was a page, and upsert_product was called; ETAG, MODIFIED and PRODUCT take the place of " +
    "those before. `unchanged`: the vendor answered that the page is as it was (304); the link's product has been " +
    "synced then, its last_synced_at moves, and it counts as unchanged; validators not named stay, but where the " +
    "product has been removed: those go, so that the next look brings the page again. `gone`: there is no such " +
    "page (404, 410). `failed`: no answer, or none to be used; what was noted before stays, and failures count. " +
    "Call it after upsert_product: of a link that is marked and whose product is not stored, nothing would be " +
    "asked again. The answer is 0, and nothing is noted, where the clock is before the last look.",
  role: "worker",
  flags: [],
  positional: [VENDOR, URL],
  options: [
    { name: "OUTCOME", type: choice(OUTCOMES), default: "scraped", doc: "what came of it" },
    { name: "STATUS", type: integer(100, 599), doc: "HTTP status" },
    { name: "ETAG", type: text(1, 1024), doc: "validator of the page" },
    { name: "MODIFIED", type: text(1, 128), doc: "its Last-Modified, as the vendor wrote it" },
    { name: "PRODUCT", type: recordId, doc: "id of the product that the page shows" },
    { name: "REASON", type: text(1, 1024), doc: "what went wrong" },
    NOW,
  ],
  reply: integerReply,
  errors: ["BADARG", "NOTFOUND", "CONFLICT"],
  answer: { doc: "1, or 0 where the clock is before the last look", flag: true },
  repeat: "again",
  causes: { NOTFOUND: "the vendor has no such link" },
} as const satisfies Declaration;

/** What a call says of a link, before anything is known of its product. */
function noteOf(args: Arguments<typeof MARK_LINK>, failures: number, nowMs: number): Note {
  const { outcome } = args;
  const isSuccess = outcome !== "failed";
  const note: Note = { set: ["checked_at", `${nowMs}`, "outcome", outcome], remove: [] };
  put(note, "status", args.status);
  put(note, "reason", isSuccess ? undefined : (args.reason ?? "failed"));
  put(note, "failures", isSuccess ? 0 : failures + 1);
  if (isSuccess) put(note, "scraped_at", nowMs);
  for (const [field, value] of [
    ["etag", args.etag],
    ["modified", args.modified],
    ["product", args.product],
  ] as [string, string | undefined][]) {
    if (outcome === "scraped" || (isSuccess && value !== undefined)) put(note, field, value);
  }
  return note;
}

export const markLink = command(MARK_LINK, (args) => {
  const { vendor, outcome } = args;
  requireVendorName(vendor);
  const nowMs = clock(args.now);
  const id = linkId(vendor, args.url);
  const [year, checked, failures, product] = fields(names.link(id), ["year", "checked_at", "failures", "product"]);
  if (year === false || year === undefined)
    return fail("NOTFOUND", `vendor ${quote(vendor)} has no link ${quote(args.url)}`);
  if (nowMs < numberOf(checked)) return 0;
  const note = noteOf(args, numberOf(failures), nowMs);
  const all = names.links(vendor);
  const ofYear = names.linksOfYear(vendor, year);
  requireType(all, "zset");
  requireType(ofYear, "zset");
  requireType(names.vendor(vendor), "hash");
  const shown = args.product ?? product;
  if (outcome === "unchanged" && shown !== false && shown !== undefined && !touchProduct(shown, nowMs)) {
    // Asked with validators, the vendor would never show the page again, and the product would stay away.
    note.remove.push("etag");
    note.remove.push("modified");
  }
  redis.call("HSET", names.link(id), ...note.set);
  if (note.remove.length > 0) redis.call("HDEL", names.link(id), ...note.remove);
  redis.call("ZADD", all, `${nowMs}`, id);
  redis.call("ZADD", ofYear, `${nowMs}`, id);
  if (outcome !== "scraped") count(vendor, outcome);
  return 1;
});

export const getLink = command(
  {
    name: "get_link",
    summary: "A link, and what came of looking at it",
    doc: `The JSON has ${LINK_DOC}.`,
    role: "reader",
    flags: ["no-writes"],
    positional: [VENDOR, URL],
    options: [],
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "the link", schema: "Link" },
  },
  ({ vendor, url }) => {
    requireVendorName(vendor);
    return linkJson(linkId(vendor, url));
  },
);

export const listLinks = command(
  {
    name: "list_links",
    summary: "The links of a vendor, those never looked at first, then the longest ago",
    doc:
      `Each JSON has ${LINK_DOC}. A link that failed waits with the others for its time: it does not stand in the ` +
      "way of those behind it.",
    role: "reader",
    flags: ["no-writes"],
    positional: [VENDOR],
    options: [
      { name: "YEAR", type: yearType, doc: "only links of this year" },
      {
        name: "STALE",
        type: integer(0, MAX_TIME_MS),
        unit: "ms",
        doc: "only links at which nobody has looked for so many ms, or ever",
      },
      { name: "OFFSET", type: integer(0, 1000000000), default: 0, doc: "how many to pass over" },
      { name: "COUNT", type: integer(1, 1000), default: 100, doc: "how many to answer at most" },
      NOW,
    ],
    reply: tuple([{ name: "total", type: integerReply, doc: "how many there are in all" }], jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "links", schema: "Link" },
    paging: "offset",
  },
  (args) => {
    const { vendor, year, stale, offset, count: most } = args;
    requireVendorName(vendor);
    const links = year === undefined ? names.links(vendor) : names.linksOfYear(vendor, `${year}`);
    const total =
      stale === undefined
        ? onKey("ZCARD", links)
        : onKey("ZCOUNT", links, "-inf", `${Math.max(clock(args.now) - stale, 0)}`);
    const found: string[] = [];
    const last = Math.min(offset + most, total) - 1;
    if (last >= offset) {
      for (const id of redis.call("ZRANGE", links, `${offset}`, `${last}`)) {
        const json = linkJson(id);
        if (json !== undefined) found.push(json);
      }
    }
    return withHead(total, found);
  },
);
