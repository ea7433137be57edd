/** The lists and counts in which a product stands; all of them move in the call that moves the product. */
import { requireType } from "../runtime/types";
import * as names from "./names";
import type { ContentField, Product } from "./product";

/** The fields of which lists or counts are kept. */
const LISTED: readonly ContentField[] = ["price", "availability", "release_year"];

/** A product's list of one of its fields, and its place there. */
function placeOf(
  { createdMs }: Product,
  field: ContentField,
  value: string,
): LuaMultiReturn<[list: string, score: string]> {
  if (field === "price") return $multi(names.productPrices(), value);
  return $multi(names.productsAvailable(value), `${createdMs}`);
}

/** Before the first write: CONFLICT if a list of a new or removed product is foreign. */
export function requireLists({ vendor, content }: Product): void {
  requireType(names.products(), "zset");
  requireType(names.productsOfVendor(vendor), "zset");
  requireType(names.productsSynced(), "zset");
  for (const field of LISTED) requireFieldLists(vendor, field, content.get(field));
}

/** Before the first write: CONFLICT if a list of a value is foreign. No release year is counted too. */
export function requireFieldLists(vendor: string, field: ContentField, value: string | undefined): void {
  if (field === "release_year") {
    const year = value ?? "";
    for (const each of ["", vendor]) {
      requireType(names.productsOfYear(each, year), "zset");
      requireType(names.yearCounts(each), "hash");
    }
    requireType(names.skus(year), "hash");
  } else if (value !== undefined && field === "price") {
    requireType(names.productPrices(), "zset");
  } else if (value !== undefined && field === "availability") {
    requireType(names.productsAvailable(value), "zset");
  }
}

function addToYear({ id, vendor, sku, createdMs }: Product, year: string): void {
  redis.call("ZADD", names.productsOfYear("", year), `${createdMs}`, id);
  redis.call("ZADD", names.productsOfYear(vendor, year), `${createdMs}`, id);
  redis.call("HINCRBY", names.yearCounts(vendor), year, "1");
  if (redis.call("HINCRBY", names.skus(year), sku, "1") === 1) redis.call("HINCRBY", names.yearCounts(""), year, "1");
}

/** One less of a count that is not kept at nothing; whether nothing is left. */
function countDown(counts: string, field: string): boolean {
  if (redis.call("HINCRBY", counts, field, "-1") > 0) return false;
  redis.call("HDEL", counts, field);
  return true;
}

function removeFromYear({ id, vendor, sku }: Product, year: string): void {
  redis.call("ZREM", names.productsOfYear("", year), id);
  redis.call("ZREM", names.productsOfYear(vendor, year), id);
  countDown(names.yearCounts(vendor), year);
  if (countDown(names.skus(year), sku)) countDown(names.yearCounts(""), year);
}

/** Puts a product into the lists of a value, or of having none. */
export function addValue(product: Product, field: ContentField, value: string | undefined): void {
  if (field === "release_year") addToYear(product, value ?? "");
  else if (value !== undefined && (field === "price" || field === "availability")) {
    const [list, score] = placeOf(product, field, value);
    redis.call("ZADD", list, score, product.id);
  }
}

/** Takes a product out of the lists of a value, or of having none. */
export function removeValue(product: Product, field: ContentField, value: string | undefined): void {
  if (field === "release_year") removeFromYear(product, value ?? "");
  else if (value !== undefined && (field === "price" || field === "availability")) {
    const [list] = placeOf(product, field, value);
    redis.call("ZREM", list, product.id);
  }
}

/** Puts a new product into all its lists. */
export function addToLists(product: Product): void {
  const { id, vendor, createdMs, syncedMs, content } = product;
  redis.call("ZADD", names.products(), `${createdMs}`, id);
  redis.call("ZADD", names.productsOfVendor(vendor), `${createdMs}`, id);
  redis.call("ZADD", names.productsSynced(), `${syncedMs}`, id);
  for (const field of LISTED) addValue(product, field, content.get(field));
}

/** Takes a product out of all its lists. */
export function removeFromLists(product: Product): void {
  const { id, vendor, content } = product;
  redis.call("ZREM", names.products(), id);
  redis.call("ZREM", names.productsOfVendor(vendor), id);
  redis.call("ZREM", names.productsSynced(), id);
  for (const field of LISTED) removeValue(product, field, content.get(field));
}
