/** From a product's page to the product. */
import type { ProductRules } from "../vendor-config";
import { oneLine, MAX_TITLE } from "../../fetch/text";
import { availabilityOf } from "./availability";
import { select, type Page } from "./dom";
import { parsePrice } from "./price";
import { findText, yearOf } from "./rules";
import { VendorError, type ProductInput, type ProductLink } from "./types";

/** In bytes. */
const MAX_SKU = 128;
const MAX_BRAND = 128;

/** Whether the page says that there is no such product, whatever its status. */
export function isGone(page: Page, { gone }: ProductRules): boolean {
  return gone !== undefined && select(page.document, gone).length > 0;
}

/**
 * Reads the product.
 *
 * @param link what the list said of it
 * @throws VendorError if something that is needed is not there, or not to be understood
 */
export function readProduct(page: Page, rules: ProductRules, link: ProductLink): ProductInput {
  const find = (some: ProductRules["sku"] | undefined): string | undefined =>
    some && findText(some, page.document, page);
  return {
    sku: readSku(page, find(rules.sku)),
    name: oneLine(find(rules.name) ?? link.name, MAX_TITLE) ?? missing(page, "name"),
    price: readPrice(page, rules.price),
    availability: readAvailability(page, rules.availability),
    ...(rules.brand && { brand: oneLine(find(rules.brand) ?? "", MAX_BRAND) ?? null }),
    release_year: readYear(page, find(rules.releaseYear), link.year),
    link: link.url,
  };
}

function readSku(page: Page, text: string | undefined): string {
  const sku = oneLine(text ?? "", Infinity) ?? missing(page, "sku");
  // Cut, it would be another product's.
  if (Buffer.byteLength(sku) > MAX_SKU) throw unreadable(page, "layout", "sku", sku);
  return sku;
}

function readYear(page: Page, text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : (yearOf(text) ?? raise(unreadable(page, "year", "release year", text)));
}

function readPrice(page: Page, { from, decimal, optional }: ProductRules["price"]): string | null {
  const text = findText(from, page.document, page);
  if (text === undefined) return optional ? null : missing(page, "price");
  return parsePrice(text, decimal) ?? raise(unreadable(page, "price", "price", text));
}

function readAvailability(page: Page, rules: ProductRules["availability"]): string {
  const text = findText(rules.from, page.document, page);
  if (text === undefined) return rules.missing ?? missing(page, "availability");
  return availabilityOf(text, rules) ?? raise(unreadable(page, "availability", "availability", text));
}

function missing(page: Page, what: string): never {
  const { href } = page.url;
  if (page.isCut)
    throw new VendorError("size", `${href} has more bytes than maxBytes, and no ${what} until there`, {
      permanent: true,
    });
  throw new VendorError("layout", `${href} has no ${what} where the configuration looks for it`, { permanent: true });
}

function unreadable(page: Page, reason: string, what: string, text: string): VendorError {
  return new VendorError(
    reason,
    `${page.url.href}: '${oneLine(text, 100) ?? ""}' is no ${what} that the configuration knows`,
    { permanent: true },
  );
}

function raise(error: VendorError): never {
  throw error;
}
