/** Products: upserted, read, removed. */
import { clock } from "../runtime/clock";
import {
  command,
  integerReply,
  json,
  jsonReply,
  list,
  NOW,
  nullable,
  record,
  recordId,
  textReply,
} from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey, requireType } from "../runtime/types";
import { audited, keepChanges, keepOn, letGo, requireAudit, requireLetGo, type Change } from "./audit";
import { readAuditing } from "./configuration";
import * as names from "./names";
import { CONTENT, productId, productJson, readProduct, type ContentField, type Product } from "./product";
import { parseProduct, type ProductInput } from "./product-input";
import { addToLists, addValue, removeFromLists, removeValue, requireFieldLists, requireLists } from "./product-lists";
import { addVendor, count, requireVendor, requireVendorName, VENDOR } from "./vendors";

const MAX_PRODUCT_BYTES = 16384;

const ID = { name: "id", type: recordId, doc: "id of the product: SHA-1 of `vendor/sku`" } as const;

/** Prices are the same if their amounts are: `15.9` and `15.90`. */
function isSamePrice(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && tonumber(a) === tonumber(b);
}

/** What a product's fields change to, in the order of CONTENT; fields that were not named stay. */
function changesOf(before: LuaMap<ContentField, string>, { content }: ProductInput): Change[] {
  const changes: Change[] = [];
  for (const field of CONTENT) {
    const given = content.get(field);
    const old = before.get(field);
    if (given !== undefined && given !== old) {
      const after = given === false ? undefined : given;
      const isChanged = after !== old && !(field === "price" && isSamePrice(old, after));
      if (isChanged) changes.push({ field, old, new: after });
    }
  }
  return changes;
}

/** Changes of a record that begins to be there, or stops. */
function wholeOf(content: LuaMap<ContentField, string>, isNew: boolean): Change[] {
  const changes: Change[] = [];
  for (const field of CONTENT) {
    const value = content.get(field);
    if (value !== undefined)
      changes.push(isNew ? { field, old: undefined, new: value } : { field, old: value, new: undefined });
  }
  return changes;
}

function create(id: string, vendor: string, { sku, content }: ProductInput, nowMs: number): void {
  const product: Product = { id, vendor, sku, createdMs: nowMs, syncedMs: nowMs, content: new LuaMap() };
  const stored = ["vendor", vendor, "sku", sku, "created_at", `${nowMs}`, "last_synced_at", `${nowMs}`];
  for (const field of CONTENT) {
    const given = content.get(field);
    if (given !== undefined && given !== false) {
      product.content.set(field, given);
      stored.push(field);
      stored.push(given);
    }
  }
  const auditing = readAuditing();
  const changes = audited(wholeOf(product.content, true), auditing);
  requireAudit("product", id, changes);
  requireVendor(vendor);
  requireLists(product);
  addVendor(vendor);
  redis.call("HSET", names.product(id), ...stored);
  addToLists(product);
  keepOn("product", id, CONTENT);
  keepChanges("product", id, changes, nowMs, auditing);
}

function change(product: Product, changes: Change[], nowMs: number): void {
  const { id, vendor } = product;
  const auditing = readAuditing();
  const kept = audited(changes, auditing);
  requireAudit("product", id, kept);
  requireType(names.vendor(vendor), "hash");
  requireType(names.productsSynced(), "zset");
  for (const { field, old, new: after } of changes) {
    requireFieldLists(vendor, field as ContentField, old);
    requireFieldLists(vendor, field as ContentField, after);
  }
  const stored = ["last_synced_at", `${nowMs}`];
  for (const { field, old, new: after } of changes) {
    removeValue(product, field as ContentField, old);
    addValue(product, field as ContentField, after);
    if (after === undefined) redis.call("HDEL", names.product(id), field);
    else {
      stored.push(field);
      stored.push(after);
    }
  }
  redis.call("HSET", names.product(id), ...stored);
  redis.call("ZADD", names.productsSynced(), `${nowMs}`, id);
  keepChanges("product", id, kept, nowMs, auditing);
}

/** Notes that a product was looked at and is as it was. */
function touch({ id, vendor }: Product, nowMs: number): void {
  requireType(names.vendor(vendor), "hash");
  const now = `${nowMs}`;
  // The first write: if its key is foreign, nothing was written.
  onKey("ZADD", names.productsSynced(), now, id);
  redis.call("HSET", names.product(id), "last_synced_at", now);
}

/** Notes that a product was looked at and is as it was, if it is there and nobody has looked later; whether it is there. */
export function touchProduct(id: string, nowMs: number): boolean {
  const product = readProduct(id);
  if (product !== undefined && nowMs >= product.syncedMs) touch(product, nowMs);
  return product !== undefined;
}

/** The reply as it goes on the wire: products come by the ten thousand. */
function replyOf(id: string, outcome: string, fields: string[]): unknown[] {
  return ["id", id, "outcome", outcome, "fields", fields];
}

export const upsertProduct = command(
  {
    name: "upsert_product",
    summary: "Makes a product of a vendor, or brings it up to date, and keeps each change of an audited field",
    doc:
      "The JSON has `sku` (text of at most 128 bytes) and any of `name` (512; a new product must have one), " +
      "`price`, `availability` (64), `brand` (128), `release_year` (1 to 9999) and `link` (an absolute http(s) " +
      "address, 2048). A field that is not named stays as it is; null removes it. Another field is refused, but " +
      "for those that get_product answers beside: `vendor` and `id` must be of this product, times are ignored. A " +
      "price is text as it is printed, `$3.98`, `1,299.00 $` or `1.299,00 €`, or a number, and is stored as " +
      "`3.98`, `1299.00`; prices of the same amount are the same. `availability` is any word of the vendor's; " +
      "equal words make a list for find_products. The outcome is `unchanged` where all fields named are as they " +
      "were: only last_synced_at moves then. A call whose clock is before last_synced_at comes late: it changes " +
      "nothing, and the outcome is `outdated`. A product that was removed is made anew by whatever call comes " +
      "next, a late one too.",
    role: "ingest",
    flags: [],
    positional: [
      VENDOR,
      { name: "product", type: json(MAX_PRODUCT_BYTES), schema: "ProductInput", doc: "the product" },
    ],
    options: [NOW],
    reply: record([
      { name: "id", type: textReply, doc: "SHA-1 of `vendor/sku`" },
      {
        name: "outcome",
        type: textReply,
        words: ["created", "changed", "unchanged", "outdated"],
        doc: "`created`, `changed`, `unchanged` or `outdated`",
      },
      { name: "fields", type: list(textReply), doc: "which fields changed; none of a new product" },
    ]),
    errors: ["BADARG", "CONFLICT", "LIMIT"],
    repeat: "differs",
    causes: { LIMIT: "there are as many vendors as there may be" },
  },
  (args) => {
    const { vendor } = args;
    requireVendorName(vendor);
    const input = parseProduct(vendor, args.product);
    const id = productId(vendor, input.sku);
    const nowMs = clock(args.now);
    const before = readProduct(id);
    if (before === undefined) {
      if (input.content.get("name") === undefined)
        fail("BADARG", `product: name is missing, and there is no product of sku ${quote(input.sku)} yet`);
      create(id, vendor, input, nowMs);
      count(vendor, "created");
      return replyOf(id, "created", []);
    }
    if (nowMs < before.syncedMs) {
      requireType(names.vendor(vendor), "hash");
      count(vendor, "outdated");
      return replyOf(id, "outdated", []);
    }
    const changes = changesOf(before.content, input);
    if (changes.length === 0) touch(before, nowMs);
    else change(before, changes, nowMs);
    const outcome = changes.length === 0 ? "unchanged" : "changed";
    count(vendor, outcome);
    const fields: string[] = [];
    for (const { field } of changes) fields.push(field);
    return replyOf(id, outcome, fields);
  },
);

export const getProduct = command(
  {
    name: "get_product",
    summary: "A product as it is now",
    doc:
      "`id`, `vendor`, `sku`, `name`, `price` (text), `availability`, `brand`, `release_year` (number), `link`, " +
      "`created_at` and `last_synced_at` (unix ms); null for what it does not have.",
    role: "reader",
    flags: ["no-writes"],
    positional: [ID],
    options: [],
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "the product", schema: "Product" },
  },
  ({ id }) => {
    const product = readProduct(id);
    return product === undefined ? undefined : productJson(product);
  },
);

export const removeProduct = command(
  {
    name: "remove_product",
    summary: "Removes a product from all lists and counts",
    doc:
      "What its audited fields were is a last change, to none. Its history is kept for REMOVED_DAYS of " +
      "configure_catalog, and goes on if the product comes back before.",
    role: "admin",
    flags: [],
    positional: [ID],
    options: [NOW],
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "differs",
    causes: { NOTFOUND: "there is no such product: it was removed before, perhaps by this call" },
  },
  (args) => {
    const { id } = args;
    const product = readProduct(id);
    if (product === undefined) return fail("NOTFOUND", `there is no product ${quote(id)}`);
    const auditing = readAuditing();
    const changes = audited(wholeOf(product.content, false), auditing);
    requireLetGo("product", id, CONTENT);
    requireType(names.vendor(product.vendor), "hash");
    requireLists(product);
    removeFromLists(product);
    redis.call("UNLINK", names.product(id));
    keepChanges("product", id, changes, Math.max(clock(args.now), product.syncedMs), auditing);
    letGo("product", id, CONTENT, auditing);
    count(product.vendor, "removed");
    return 1;
  },
);
