/** The catalogue's keys, by purpose; every one is built by the key module, but for those that its users know. */
import { currentPartition, key } from "../runtime/keys";

/** Options of the catalogue. */
export function state(): string {
  return key("H", "CATALOG", "", "", "", "");
}

/** Names of all vendors. */
export function vendors(): string {
  return key("S", "CATALOG.VENDORS", "", "", "", "");
}

/** Counters of a vendor. */
export function vendor(name: string): string {
  return key("H", "CATALOG.VENDOR", "", name, "", "");
}

/** A product's record. */
export function product(id: string): string {
  return key("H", "PRODUCT", "", id, "", "");
}

/** All products by the time at which they were created; so are all lists but the two that say otherwise. */
export function products(): string {
  return key("SS", "PRODUCTS", "", "", "", "");
}

/** The products of a vendor. */
export function productsOfVendor(vendorName: string): string {
  return key("SS", "PRODUCTS.VENDOR", "", vendorName, "", "");
}

/** The products of a year; of one vendor, unless `vendorName` is empty. */
export function productsOfYear(vendorName: string, year: string): string {
  return key("SS", "PRODUCTS.YEAR", "", `${vendorName}/${year}`, "", "");
}

/** The products that are available in this way. */
export function productsAvailable(availability: string): string {
  return key("SS", "PRODUCTS.AVAILABILITY", "", redis.sha1hex(availability), "", "");
}

/** Products by price. */
export function productPrices(): string {
  return key("SS", "PRODUCTS.PRICE", "", "", "", "");
}

/** Products by the time at which they were last synced. */
export function productsSynced(): string {
  return key("SS", "PRODUCTS.SYNCED", "", "", "", "");
}

/** How many SKUs each year has; of one vendor, unless `vendorName` is empty. */
export function yearCounts(vendorName: string): string {
  return key("H", "CATALOG.YEARS", "", vendorName, "", "");
}

/** SKUs of a year, and how many vendors have each. */
export function skus(year: string): string {
  return key("H", "CATALOG.SKUS", "", year, "", "");
}

/** What changed in a record, in order. */
export function history(model: string, id: string): string {
  return key("L", "CATALOG.HISTORY", "", `${model}/${id}`, "", "");
}

/** The values that an audited field has had, by the time (s) from which it last had each: the name its users know. */
export function audit(model: string, id: string, field: string): string {
  return `ornaments:${model}:${currentPartition()}${id}:${field}`;
}

/** A link's record. */
export function link(id: string): string {
  return key("H", "LINK", "", id, "", "");
}

/** The links of a vendor by the time at which each was last looked at, 0 for never. */
export function links(vendorName: string): string {
  return key("SS", "LINKS", "", vendorName, "", "");
}

/** The same of one year. */
export function linksOfYear(vendorName: string, year: string): string {
  return key("SS", "LINKS.YEAR", "", `${vendorName}/${year}`, "", "");
}

/** The links of a year by the run of sync_links that listed each last. */
export function linksListed(vendorName: string, year: string): string {
  return key("SS", "LINKS.LISTED", "", `${vendorName}/${year}`, "", "");
}

/** Number and time of the last run of sync_links of each year. */
export function linkRuns(vendorName: string): string {
  return key("H", "LINKS.RUNS", "", vendorName, "", "");
}
