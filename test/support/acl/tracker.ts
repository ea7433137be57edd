/** The tracker's functions, each at work. */
import { expect } from "vitest";
import { DAY, event, HOUR, MINUTE, NOON, sha1 } from "../tracker";
import { record, type Step } from "./step";

const PATH = "a.example/news/national/x.html";
const PAGE = sha1(PATH);
const OTHER = sha1("a.example/news/national/y.html");
const WEBSITE = sha1("a.example");
const SECTION = sha1("a.example/news/national");
/** Runs of registers that happen to be ASCII. */
const EMPTY_HYPERLOGLOG = `HYLL\x01${"\0".repeat(11)}${"?".repeat(256)}`;
const view = (device: string, atMs: number, path = PATH): string =>
  event(`http://${path}`, device, atMs, { audio: "song", video: "film", podcast: "talk" });
const SPAN = ["FROM", NOON, "TO", NOON + HOUR] as const;
const LATER = NOON + 4 * HOUR;
const DIMENSIONS = ["W", "S", "P", "A", "V", "PC"];
const MEMORY = [
  ...["1MINUTE", "5MINUTES", "10MINUTES", "1HOUR", "3HOURS", "DOCUMENTS"].flatMap((part) =>
    DIMENSIONS.slice(0, 3).map((dimension) => [part, "DIMENSION", dimension]),
  ),
  ["STREAMS"],
];

export const TRACKER_STEPS: Step[] = [
  {
    name: "configure_tracker",
    args: ["HOSTS", '{"b.example":"b"}', "ENRICH", 1, "DOCUMENT_DAYS", 8, "REFRESH_DAYS", 1, "MAXLEN", 0],
    reply: 1,
  },
  { name: "configure_tracker", args: ["HOSTS", "{}"], reply: 1 },
  { name: "get_tracker_config", args: [], reply: record({ enrich: 1, maxlen: 0 }) },
  {
    name: "track_events",
    args: [view("a", NOON), view("b", NOON), view("c", NOON, "a.example/news/national/y.html"), "{}", "NOW", NOON],
    reply: record({ accepted: 3, rejected: 1 }),
  },
  { name: "track_events", args: [view("a", NOON), "NOW", NOON], keys: ["{rtl}"], reply: record({ accepted: 1 }) },
  {
    name: "XADD",
    as: "ingest",
    args: ["ST:TRACKER::::", "*", "url", `http://${PATH}`, "uui", "d", "dt", NOON + 1],
    reply: expect.any(String),
  },
  {
    name: "XADD",
    as: "ingest",
    args: ["ST:TRACKER::::", "*", "url", "none", "uui", "d", "dt", NOON + 1],
    reply: expect.any(String),
  },
  { name: "get_tracker_delays", args: ["NOW", NOON + 20 * MINUTE], reply: expect.any(Array) },
  { name: "ingest_events", args: ["NOW", NOON + MINUTE], reply: record({ read: 2, accepted: 1, rejected: 1 }) },
  {
    name: "import_events",
    args: ["log", "-", "1", view("e", NOON + 2, "b.example/z.html"), "NOW", NOON + MINUTE],
    reply: record({ counted: 1, accepted: 1 }),
  },
  { name: "get_import", args: ["log"], reply: record({ position: "1" }) },
  { name: "count_pg", args: ["P", PAGE, ...SPAN, "NOW", NOON + HOUR], reply: record({ value: 3 }) },
  { name: "count_ud", args: ["P", PAGE, ...SPAN, "NOW", NOON + HOUR], reply: record({ value: 3 }) },
  {
    name: "rank_pg",
    args: ["P", ...SPAN, "WEBSITE", WEBSITE, "NOW", NOON + HOUR],
    reply: record({
      ranking: [
        [PAGE, 3],
        [OTHER, 1],
      ],
    }),
  },
  { name: "rank_pg", args: ["P", ...SPAN, "SECTION", SECTION, "NOW", NOON + HOUR], reply: record({ exact: 1 }) },
  {
    name: "get_tracker_status",
    args: ["NOW", NOON + HOUR],
    reply: record({ rejected: expect.arrayContaining([["url", 2]]) }),
  },
  { name: "get_tracker_delays", args: ["NOW", LATER], reply: expect.any(Array) },
  ...MEMORY.map((args): Step => ({
    name: "get_tracker_memory",
    args: [...args, "NOW", NOON + MINUTE],
    reply: expect.any(Array),
  })),
  { name: "forget_import", args: ["log"], reply: 1 },
  {
    name: "rotate_pg",
    args: ["LIMIT", 10_000, "NOW", LATER],
    reply: record({ remaining: 0, merged: expect.toSatisfy((merged: number) => merged > 10) }),
  },
  {
    name: "rotate_ud",
    args: ["LIMIT", 10_000, "NOW", LATER],
    reply: record({ remaining: 0, merged: expect.toSatisfy((merged: number) => merged > 10) }),
  },
  { name: "configure_tracker", args: ["SHARED", 1], reply: 1 },
  {
    name: "put_carry",
    args: ["W", WEBSITE, "5MINUTES", NOON, EMPTY_HYPERLOGLOG, "NOW", LATER],
    reply: 1,
  },
  {
    name: "get_devices",
    args: ["P", PAGE, ...SPAN, "NOW", LATER],
    reply: record({ devices: expect.arrayContaining([expect.any(String)]) }),
  },
  ...["5MINUTES", "10MINUTES", "1HOUR", "3HOURS"].map((part): Step => ({
    name: "get_tracker_memory",
    args: [part, "NOW", LATER],
    reply: expect.arrayContaining([expect.any(Array)]),
  })),
  {
    name: "track_events",
    args: [view("f", NOON + 3), view("f", NOON + 30 * MINUTE), "NOW", LATER],
    reply: record({ accepted: 2, late: 2 }),
  },
  { name: "rotate_pg", args: ["LIMIT", 10_000, "NOW", LATER], reply: record({ remaining: 0 }) },
  {
    name: "rotate_ud",
    args: ["LIMIT", 10_000, "NOW", LATER],
    reply: record({ remaining: 0, merged: expect.toSatisfy((merged: number) => merged > 0) }),
  },
  { name: "get_carry", args: [], reply: expect.arrayContaining([expect.any(Array)]) },
  {
    name: "end_carry",
    args: (replies) => [(replies.get("get_carry") as string[][]).at(-1)![0]!],
    reply: expect.toSatisfy((ended: number) => ended > 0),
  },
  { name: "configure_tracker", args: ["SHARED", 0], reply: 1 },
  { name: "count_pg", args: ["P", PAGE, ...SPAN, "NOW", LATER], reply: record({ value: 5 }) },
  { name: "count_ud", args: ["P", PAGE, ...SPAN, "NOW", LATER], reply: record({ value: 4 }) },
  {
    name: "rank_pg",
    args: ["S", ...SPAN, "NOW", LATER],
    reply: record({
      ranking: [
        [SECTION, 6],
        [expect.any(String), 1],
      ],
    }),
  },
  {
    name: "range_pg",
    args: ["P", PAGE, "TIER", "5MINUTES", ...SPAN],
    reply: [
      [NOON, 4],
      [NOON + 30 * MINUTE, 1],
    ],
  },
  { name: "range_ud", args: ["P", PAGE, "TIER", "1HOUR", ...SPAN], reply: [[NOON, 4]] },
  {
    name: "enrich_document",
    args: ["P", PAGE, '{"title":"An apple","kicker":"","display_date":1700000000000}', "NOW", LATER],
    reply: 1,
  },
  {
    name: "enrich_document",
    args: ["P", PAGE, '{"title":"A pear","kicker":"","display_date":1700000000000}', "NOW", LATER],
    reply: 1,
  },
  { name: "abandon_enrichment", args: ["P", OTHER, "REASON", "gone", "NOW", LATER], reply: 1 },
  ...["W", "S", "P"].map((dimension, at): Step => ({
    name: "get_document",
    args: [dimension, [WEBSITE, SECTION, PAGE][at]!],
    reply: expect.stringContaining(PAGE),
  })),
  { name: "find_documents", args: ["P", "TITLE", "pear"], reply: [1, PAGE] },
  {
    name: "find_documents",
    args: ["P", "WEBSITE", "a.example", "LEVEL", 1, "news", "TITLE", "pear"],
    reply: [1, PAGE],
  },
  {
    name: "find_documents",
    args: ["P", "URL", "a.example/news/*"],
    reply: [2, expect.any(String), expect.any(String)],
  },
  {
    name: "find_documents",
    args: ["P", "SECTION", "news/*", "VISITED", NOON, LATER],
    reply: [2, expect.any(String), expect.any(String)],
  },
  { name: "find_documents", args: ["S", "SECTION", "news/national"], reply: [1, SECTION] },
  { name: "refresh_documents", args: ["NOW", LATER + 2 * DAY], reply: record({ remaining: 0 }) },
  { name: "identify_url", args: [`http://${PATH}`], reply: record({ page_id: PAGE }) },
  { name: "identify_name", args: ["a.example", "SECTION", "news/national"], reply: record({ section_id: SECTION }) },
  { name: "tracker_lead", args: ["job", LATER, "me", "NOW", LATER], reply: 1 },
  { name: "tracker_done", args: ["job", LATER, "me"], reply: 1 },
  {
    name: "expire_documents",
    args: ["NOW", LATER + 30 * DAY],
    reply: record({ removed: expect.toSatisfy((removed: number) => removed === 4) }),
  },
  { name: "tracker_library", args: [], reply: record({ library: "tracker" }) },
];
