/** The notifier's functions, each at work. */
import { expect } from "vitest";
import { HOUR, NOON } from "../notifier";
import { record, type Replies, type Step } from "./step";

const TOPIC = "packages";
const ITEMS = Array.from({ length: 70 }, (_, at) => `P${at}`);
const LATER = NOON + HOUR;
const tokenOf = (replies: Replies): [id: string, token: string] => {
  const [, json] = replies.get("claim_notifications") as [unknown, string];
  const { id, token } = JSON.parse(json) as { id: string; token: string };
  return [id, token];
};

export const NOTIFIER_STEPS: Step[] = [
  {
    name: "configure_topic",
    args: [TOPIC, "MAXLEN", 0, "ATTEMPTS", 1, "BACKOFF", 0],
    reply: record({ prefix: "SELLER:" }),
  },
  { name: "configure_topic", args: ["others", "QUIET", 1000], reply: record({ prefix: "ITEMS:others:" }) },
  { name: "get_topic", args: [TOPIC], reply: record({ stream: "packages", maxlen: 0 }) },
  { name: "list_topics", args: [], reply: ["others", TOPIC] },
  // A long list has a set beside it.
  ...ITEMS.map((item): Step => ({ name: "scan_item", args: [TOPIC, "10", item, "NOW", NOON], reply: LATER })),
  { name: "scan_item", args: ["others", "10", "A", "NOW", NOON], reply: NOON + 1000 },
  { name: "scan_item", args: [TOPIC, "10", "A", "NOW", NOON], keys: ["{rtl}"], reply: LATER },
  {
    name: "XADD",
    as: "ingest",
    args: ["packages", `${NOON}-1`, "seller_id", "11", "package_id", "A"],
    reply: `${NOON}-1`,
  },
  {
    name: "XADD",
    as: "ingest",
    args: ["packages", `${NOON}-2`, "seller_id", "", "package_id", "A"],
    reply: `${NOON}-2`,
  },
  {
    name: "XADD",
    as: "ingest",
    args: ["{rtl}packages", `${NOON}-2`, "seller_id", "11", "package_id", "A"],
    reply: `${NOON}-2`,
  },
  { name: "ingest_scans", args: [TOPIC, "NOW", NOON], reply: record({ read: 2, accepted: 1, rejected: 1 }) },
  { name: "ingest_scans", args: [TOPIC, "NOW", NOON], keys: ["{rtl}"], reply: record({ read: 1, accepted: 1 }) },
  {
    name: "get_notifier_status",
    args: [TOPIC, "NOW", LATER],
    reply: record({ collecting: 2, due: 2, rejected: [["subject", 1]] }),
  },
  {
    name: "claim_notifications",
    args: [TOPIC, "COUNT", 1, "NOW", LATER],
    reply: [LATER, expect.stringContaining('"P0"')],
  },
  { name: "list_notifications", args: [TOPIC, "STATE", "leased"], reply: [1, expect.any(String)] },
  {
    name: "fail_notification",
    args: (replies) => [TOPIC, tokenOf(replies)[0], "TOKEN", tokenOf(replies)[1], "NOW", LATER],
    reply: 1,
  },
  { name: "list_notifications", args: [TOPIC, "STATE", "dead"], reply: [1, expect.stringContaining('"P0"')] },
  { name: "retry_notification", args: (replies) => [TOPIC, tokenOf(replies)[0], "NOW", LATER], reply: 1 },
  {
    name: "claim_notifications",
    args: [TOPIC, "COUNT", 1, "NOW", LATER + 1],
    reply: [expect.any(Number), expect.any(String)],
  },
  { name: "ack_notification", args: (replies) => [TOPIC, tokenOf(replies)[0], "TOKEN", tokenOf(replies)[1]], reply: 1 },
  // The lease of the second one ends.
  { name: "claim_notifications", args: [TOPIC, "NOW", LATER + 2], reply: [expect.any(Number), expect.any(String)] },
  { name: "claim_notifications", args: [TOPIC, "NOW", LATER + HOUR], reply: [null] },
  { name: "list_notifications", args: [TOPIC, "STATE", "waiting"], reply: [0] },
  { name: "notifier_library", args: [], reply: record({ library: "notifier" }) },
];
