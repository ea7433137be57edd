/** The catalogue's functions, each at work. */
import { expect } from "vitest";
import { sha1 } from "../tracker";
import { record, type Replies, type Step } from "./step";

const NOON = Date.UTC(2024, 0, 15, 12);
const DAY = 86_400_000;
const VENDOR = "hallmark_ornaments_com";
const LINK = "https://a.example/1";
const ID = sha1(`${VENDOR}/A`);
const product = (given: object = {}): string =>
  JSON.stringify({
    sku: "A",
    name: "a",
    price: "$3.98",
    availability: "in_stock",
    brand: "b",
    release_year: 1999,
    link: LINK,
    ...given,
  });
const task = (type: string): string => JSON.stringify({ type });
const claimed = (replies: Replies): { id: string; token: string } =>
  JSON.parse(replies.get("claim_task") as string) as { id: string; token: string };
const withToken = (replies: Replies): string[] => [claimed(replies).id, "TOKEN", claimed(replies).token];
const claim = (id: string, atMs: number): Step => ({
  name: "claim_task",
  args: ["q", "WORKER", "me", "NOW", atMs],
  reply: expect.stringContaining(`"${id}"`),
});

export const CATALOG_STEPS: Step[] = [
  {
    name: "configure_catalog",
    args: ["AUDIT", "product", "price,availability", "AUDIT_MAXLEN", 1],
    reply: expect.anything(),
  },
  { name: "get_catalog_config", args: [], reply: expect.any(Array) },
  { name: "upsert_product", args: [VENDOR, product(), "NOW", NOON], reply: record({ id: ID, outcome: "created" }) },
  { name: "upsert_product", args: [VENDOR, product(), "NOW", NOON + 1000], reply: record({ outcome: "unchanged" }) },
  ...[1, 2, 3].map((time): Step => ({
    name: "upsert_product",
    args: [
      VENDOR,
      product({ price: `$${time}.00`, availability: `state ${time}`, release_year: 1999 + time }),
      "NOW",
      NOON + 2000 * time,
    ],
    reply: record({ outcome: "changed" }),
  })),
  {
    name: "upsert_product",
    args: [VENDOR, product({ sku: "B" }), "NOW", NOON],
    keys: ["{rtl}"],
    reply: record({ outcome: "created" }),
  },
  { name: "get_product", args: [ID], reply: expect.stringContaining('"3.00"') },
  {
    name: "find_products",
    args: ["VENDOR", VENDOR, "YEAR", 2002, "AVAILABILITY", "state 3", "PRICE", "1", "5"],
    reply: [1, ID],
  },
  { name: "find_products", args: ["SYNCED_BEFORE", NOON + DAY], reply: [1, ID] },
  { name: "count_products", args: ["BY", "vendor"], reply: [[VENDOR, 1]] },
  { name: "count_products", args: ["BY", "year", "VENDOR", VENDOR], reply: [["2002", 1]] },
  { name: "recent_products", args: ["COUNT", 5], reply: [expect.stringContaining(ID)] },
  { name: "recent_products", args: ["VENDOR", VENDOR], reply: [expect.stringContaining(ID)] },
  { name: "get_history", args: ["product", ID], reply: expect.any(Array) },
  {
    name: "sync_links",
    args: [VENDOR, 1999, JSON.stringify({ [LINK]: "a", "https://a.example/2": "b" }), "NOW", NOON],
    reply: record({ added: 2, removed: 0 }),
  },
  {
    name: "sync_links",
    args: [VENDOR, 1999, JSON.stringify({ [LINK]: "a" }), "NOW", NOON + 1000],
    reply: record({ removed: 1 }),
  },
  { name: "list_links", args: [VENDOR, "STALE", 1000, "NOW", NOON + DAY], reply: [1, expect.stringContaining(LINK)] },
  { name: "list_links", args: [VENDOR, "YEAR", 1999], reply: [1, expect.stringContaining(LINK)] },
  {
    name: "mark_link",
    args: [VENDOR, LINK, "OUTCOME", "scraped", "STATUS", 200, "ETAG", "x", "PRODUCT", ID, "NOW", NOON + DAY],
    reply: 1,
  },
  { name: "mark_link", args: [VENDOR, LINK, "OUTCOME", "failed", "REASON", "x", "NOW", NOON + DAY], reply: 1 },
  { name: "get_link", args: [VENDOR, LINK], reply: expect.stringContaining(LINK) },
  {
    name: "get_catalog_status",
    args: ["STALE", 1000, "NOW", NOON + DAY],
    reply: expect.arrayContaining([expect.anything()]),
  },
  { name: "remove_product", args: [ID, "NOW", NOON + DAY], reply: 1 },
  ...["before", "after"].map((type): Step => ({ name: "define_task", args: [type], reply: 1 })),
  { name: "define_task", args: ["job", "ATTEMPTS", 1, "BACKOFF", 0, "LEASE", 1000], reply: 1 },
  { name: "define_task", args: ["hooked", "PRE", "before", "POST", "after"], reply: 1 },
  { name: "get_task_type", args: ["hooked"], reply: expect.arrayContaining(["before", "after"]) },
  { name: "list_task_types", args: [], reply: ["after", "before", "hooked", "job"] },
  { name: "enqueue_task", args: ["q", task("job"), "ID", "parent", "PRIORITY", 0, "NOW", NOON], reply: "parent" },
  {
    name: "enqueue_task",
    args: ["q", task("job"), "ID", "child", "PARENT", "parent", "PRIORITY", 1, "NOW", NOON],
    reply: "child",
  },
  { name: "enqueue_task", args: ["q", task("job"), "ID", "parent", "NOW", NOON], reply: "parent" },
  claim("parent", NOON),
  { name: "release_task", args: (replies) => [...withToken(replies), "NOW", NOON], reply: 1 },
  claim("parent", NOON),
  { name: "extend_task", args: (replies) => [...withToken(replies), "LEASE", 2000, "NOW", NOON], reply: 1 },
  { name: "finish_task", args: (replies) => [...withToken(replies), "RESULT", "{}", "NOW", NOON], reply: 1 },
  { name: "list_tasks", args: ["q", "STATE", "waiting_children"], reply: [1, expect.stringContaining("parent")] },
  claim("child", NOON),
  { name: "fail_task", args: (replies) => [...withToken(replies), "REASON", "x", "NOW", NOON], reply: 1 },
  { name: "list_tasks", args: ["q", "STATE", "dead"], reply: [1, expect.stringContaining("child")] },
  { name: "get_task", args: ["parent"], reply: expect.stringContaining('"children_failed":1') },
  { name: "retry_task", args: ["child", "NOW", NOON], reply: 1 },
  { name: "get_queue_status", args: ["q", "NOW", NOON], reply: expect.any(Array) },
  claim("child", NOON),
  // Its lease ends, and it was the last.
  { name: "claim_task", args: ["q", "NOW", NOON + DAY], reply: null },
  { name: "enqueue_task", args: ["q", task("hooked"), "ID", "hooked", "NOW", NOON], reply: "hooked" },
  { name: "claim_task", args: ["q", "NOW", NOON], reply: expect.stringContaining('"before"') },
  { name: "finish_task", args: (replies) => [...withToken(replies), "NOW", NOON], reply: 1 },
  claim("hooked", NOON),
  { name: "finish_task", args: (replies) => [...withToken(replies), "NOW", NOON], reply: 1 },
  { name: "claim_task", args: ["q", "NOW", NOON], reply: expect.stringContaining('"after"') },
  { name: "cancel_task", args: (replies) => [...withToken(replies), "NOW", NOON], reply: 1 },
  { name: "list_queues", args: [], reply: ["q"] },
  // What has ended long ago is removed on the way.
  { name: "enqueue_task", args: ["q", task("job"), "ID", "late", "NOW", NOON + 900 * DAY], reply: "late" },
  claim("late", NOON + 900 * DAY),
  // Without an ID it is given one.
  { name: "enqueue_task", args: ["others", task("job"), "NOW", NOON + 900 * DAY], reply: expect.any(String) },
  { name: "catalog_library", args: [], reply: record({ library: "catalog" }) },
];
