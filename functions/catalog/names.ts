/** The catalogue's keys, by purpose; every one is built by the key module, but for those that its users know. */
import { currentPartition, family, member, suffix } from "../runtime/keys";

const END = suffix("", "");
const CATALOG_H = family("H", "CATALOG", "");
const CATALOG_VENDORS_S = family("S", "CATALOG.VENDORS", "");
const CATALOG_VENDOR_H = family("H", "CATALOG.VENDOR", "");
const PRODUCT_H = family("H", "PRODUCT", "");
const PRODUCTS_SS = family("SS", "PRODUCTS", "");
const PRODUCTS_VENDOR_SS = family("SS", "PRODUCTS.VENDOR", "");
const PRODUCTS_YEAR_SS = family("SS", "PRODUCTS.YEAR", "");
const PRODUCTS_AVAILABILITY_SS = family("SS", "PRODUCTS.AVAILABILITY", "");
const PRODUCTS_PRICE_SS = family("SS", "PRODUCTS.PRICE", "");
const PRODUCTS_SYNCED_SS = family("SS", "PRODUCTS.SYNCED", "");
const CATALOG_YEARS_H = family("H", "CATALOG.YEARS", "");
const CATALOG_SKUS_H = family("H", "CATALOG.SKUS", "");
const CATALOG_HISTORY_L = family("L", "CATALOG.HISTORY", "");
const LINK_H = family("H", "LINK", "");
const LINKS_SS = family("SS", "LINKS", "");
const LINKS_YEAR_SS = family("SS", "LINKS.YEAR", "");
const LINKS_LISTED_SS = family("SS", "LINKS.LISTED", "");
const LINKS_RUNS_H = family("H", "LINKS.RUNS", "");

/** Options of the catalogue. */
export function state(): string {
  return member(CATALOG_H, "", END);
}

/** Names of all vendors. */
export function vendors(): string {
  return member(CATALOG_VENDORS_S, "", END);
}

/** Counters of a vendor. */
export function vendor(name: string): string {
  return member(CATALOG_VENDOR_H, name, END);
}

/** A product's record. */
export function product(id: string): string {
  return member(PRODUCT_H, id, END);
}

/** All products by the time at which they were created; so are all lists but the two that say otherwise. */
export function products(): string {
  return member(PRODUCTS_SS, "", END);
}

/** The products of a vendor. */
export function productsOfVendor(vendorName: string): string {
  return member(PRODUCTS_VENDOR_SS, vendorName, END);
}

/** The products of a year; of one vendor, unless `vendorName` is empty. */
export function productsOfYear(vendorName: string, year: string): string {
  return member(PRODUCTS_YEAR_SS, `${vendorName}/${year}`, END);
}

/** The products that are available in this way. */
export function productsAvailable(availability: string): string {
  return member(PRODUCTS_AVAILABILITY_SS, redis.sha1hex(availability), END);
}

/** Products by price. */
export function productPrices(): string {
  return member(PRODUCTS_PRICE_SS, "", END);
}

/** Products by the time at which they were last synced. */
export function productsSynced(): string {
  return member(PRODUCTS_SYNCED_SS, "", END);
}

/** How many SKUs each year has; of one vendor, unless `vendorName` is empty. */
export function yearCounts(vendorName: string): string {
  return member(CATALOG_YEARS_H, vendorName, END);
}

/** SKUs of a year, and how many vendors have each. */
export function skus(year: string): string {
  return member(CATALOG_SKUS_H, year, END);
}

/** What changed in a record, in order. */
export function history(model: string, id: string): string {
  return member(CATALOG_HISTORY_L, `${model}/${id}`, END);
}

/** The values that an audited field has had, by the time (s) from which it last had each: the name its users know. */
export function audit(model: string, id: string, field: string): string {
  return `ornaments:${model}:${currentPartition()}${id}:${field}`;
}

/** A link's record. */
export function link(id: string): string {
  return member(LINK_H, id, END);
}

/** The links of a vendor by the time at which each was last looked at, 0 for never. */
export function links(vendorName: string): string {
  return member(LINKS_SS, vendorName, END);
}

/** The same of one year. */
export function linksOfYear(vendorName: string, year: string): string {
  return member(LINKS_YEAR_SS, `${vendorName}/${year}`, END);
}

/** The links of a year by the run of sync_links that listed each last. */
export function linksListed(vendorName: string, year: string): string {
  return member(LINKS_LISTED_SS, `${vendorName}/${year}`, END);
}

/** Number and time of the last run of sync_links of each year. */
export function linkRuns(vendorName: string): string {
  return member(LINKS_RUNS_H, vendorName, END);
}
