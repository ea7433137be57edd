/** Vendors: their names, the list of them, and what is counted of each. */
import { text } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey, requireType } from "../runtime/types";
import * as names from "./names";

/** get_catalog_status looks at all of them. */
const MAX_VENDORS = 500;

/** The argument that names a vendor. */
export const VENDOR = {
  name: "vendor",
  type: text(1, 128),
  doc: "name of the vendor: letters, digits, `.`, `_` and `-`",
} as const;

/** The option that names one. */
export const OF_VENDOR = { name: "VENDOR", type: text(1, 128), doc: "only what is of this vendor" } as const;

/** What is counted of a vendor: calls of upsert_product by outcome, removals, and what mark_link was told. */
export const COUNTERS = ["created", "changed", "unchanged", "outdated", "removed", "gone", "failed"] as const;
type Counter = (typeof COUNTERS)[number];

/** BADARG unless it can be the name of a vendor. */
export function requireVendorName(vendor: string): void {
  const [plain] = string.find(vendor, "^[%w._-]+$");
  if (plain === undefined)
    fail("BADARG", `vendor must be made of letters, digits, '.', '_' and '-', got ${quote(vendor)}`);
}

/** Before a vendor's first write: CONFLICT if a key is foreign, LIMIT if there are too many vendors already. */
export function requireVendor(vendor: string): void {
  requireType(names.vendor(vendor), "hash");
  const [isKnown] = onKey("SMISMEMBER", names.vendors(), vendor);
  if (isKnown === 0 && redis.call("SCARD", names.vendors()) >= MAX_VENDORS)
    fail("LIMIT", `there are ${MAX_VENDORS} vendors already`);
}

/** Puts a vendor on the list of all. */
export function addVendor(vendor: string): void {
  redis.call("SADD", names.vendors(), vendor);
}

export function count(vendor: string, counter: Counter): void {
  redis.call("HINCRBY", names.vendor(vendor), counter, "1");
}

/** All vendors, sorted by name. */
export function allVendors(): string[] {
  const found = onKey("SMEMBERS", names.vendors());
  table.sort(found);
  return found;
}
