/** A product as a vendor's page says it is: JSON, checked field by field. */
import { fail, quote } from "../runtime/errors";
import { isUtf8 } from "../runtime/utf8";
import { parsePrice } from "./price";
import { productId, type ContentField } from "./product";

/** A value that was given: text, or none (`null`). */
type Given = string | false;

/** What was given; a field that was not named is not there. */
export interface ProductInput {
  sku: string;
  content: LuaMap<ContentField, Given>;
}

/** Most bytes of each text. */
const MAX_BYTES = { sku: 128, name: 512, availability: 64, brand: 128, link: 2048 };

function shown(value: unknown): string {
  const kind = type(value);
  if (kind === "string") return quote(value as string);
  if (kind === "number" || kind === "boolean") return tostring(value);
  return kind === "table" ? "an object or array" : "null";
}

function refuse(field: string, expected: string, value: unknown): never {
  return fail("BADARG", `product: ${field} must be ${expected}, got ${shown(value)}`);
}

function textOf(field: keyof typeof MAX_BYTES, value: unknown): string {
  const most = MAX_BYTES[field];
  const given = type(value) === "string" ? (value as string) : "";
  if (given === "" || given.length > most || !isUtf8(given))
    refuse(field, `text of 1 to ${most} bytes of UTF-8`, value);
  return given;
}

function linkOf(value: unknown): string {
  const link = textOf("link", value);
  const [scheme] = string.find(link, "^[hH][tT][tT][pP][sS]?://[^/%s]");
  if (scheme === undefined) refuse("link", "an absolute http(s) address", value);
  return link;
}

function priceOf(value: unknown): string {
  const kind = type(value);
  const price = kind === "string" || kind === "number" ? parsePrice(tostring(value)) : undefined;
  if (price === undefined) refuse("price", "a price of at most 15 digits, as '3.98' or '$1,299.00'", value);
  return price;
}

function yearOf(value: unknown): string {
  const kind = type(value);
  const [year] = string.match(kind === "string" || kind === "number" ? tostring(value) : "", "^0*([1-9]%d?%d?%d?)$");
  if (year === undefined) refuse("release_year", "a year from 1 to 9999", value);
  return year;
}

function contentOf(field: ContentField, value: unknown): string {
  switch (field) {
    case "price":
      return priceOf(value);
    case "release_year":
      return yearOf(value);
    case "link":
      return linkOf(value);
    default:
      return textOf(field, value);
  }
}

/** What get_product answers may come back; what it says beside the content must be of this product. */
function requireOwn(field: string, value: unknown, vendor: string, sku: string): void {
  if (field === "vendor" && value !== vendor) refuse("vendor", `the vendor of the call, ${quote(vendor)}`, value);
  if (field === "id" && value !== productId(vendor, sku)) refuse("id", "SHA-1 of vendor/sku", value);
}

const CONTENT_FIELDS = new LuaSet<string>();
for (const field of ["name", "price", "availability", "brand", "release_year", "link"]) CONTENT_FIELDS.add(field);
const OTHER_FIELDS = new LuaSet<string>();
for (const field of ["id", "vendor", "sku", "created_at", "last_synced_at"]) OTHER_FIELDS.add(field);

/**
 * A product from JSON.
 *
 * Errors: BADARG, naming the field and its value.
 */
export function parseProduct(vendor: string, json: string): ProductInput {
  const [ok, decoded] = pcall(cjson.decode, json);
  if (!ok || type(decoded) !== "table") fail("BADARG", `product must be a JSON object, got ${quote(json)}`);
  const raw = decoded as Record<string, unknown>;
  const sku = textOf("sku", raw["sku"]);
  const content = new LuaMap<ContentField, Given>();
  for (const [field, value] of pairs(raw)) {
    if (OTHER_FIELDS.has(field)) requireOwn(field, value, vendor, sku);
    else if (!CONTENT_FIELDS.has(field)) fail("BADARG", `product has no field ${quote(tostring(field))}`);
    else content.set(field as ContentField, value === cjson.null ? false : contentOf(field as ContentField, value));
  }
  if (content.get("name") === false) refuse("name", `text of 1 to ${MAX_BYTES.name} bytes of UTF-8`, undefined);
  return { sku, content };
}
