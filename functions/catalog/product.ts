/** A product's record: its fields, its id, and how it is read and shown. */
import { jsonNumber, jsonText } from "../runtime/json";
import { onKey } from "../runtime/types";
import * as names from "./names";

/** What a vendor says of a product; `sku` never changes. */
export const CONTENT = ["name", "price", "availability", "brand", "release_year", "link"] as const;
export type ContentField = (typeof CONTENT)[number];

const RECORD = ["vendor", "sku", "created_at", "last_synced_at", ...CONTENT] as const;

/** A product as it is stored; a field that it does not have is undefined. */
export interface Product {
  id: string;
  vendor: string;
  sku: string;
  createdMs: number;
  syncedMs: number;
  content: LuaMap<ContentField, string>;
}

/** The id of a product: the same for one vendor and SKU, and for no other, a vendor's name having no slash. */
export function productId(vendor: string, sku: string): string {
  return redis.sha1hex(`${vendor}/${sku}`);
}

/** A product; undefined if it is not there, CONFLICT if its key is foreign. */
export function readProduct(id: string): Product | undefined {
  const found = onKey("HMGET", names.product(id), ...RECORD);
  const [vendor, sku, created, synced] = found;
  if (vendor === false) return undefined;
  const content = new LuaMap<ContentField, string>();
  for (const at of $range(0, CONTENT.length - 1)) {
    const value = found[at + 4];
    if (value !== false && value !== undefined) content.set(CONTENT[at]!, value);
  }
  return {
    id,
    vendor: vendor!,
    sku: sku as string,
    createdMs: tonumber(created)!,
    syncedMs: tonumber(synced)!,
    content,
  };
}

/** A product as JSON, its fields always in this order, those it does not have null. */
export function productJson({ id, vendor, sku, createdMs, syncedMs, content }: Product): string {
  const optional = (field: ContentField): string => {
    const value = content.get(field);
    return value === undefined ? "null" : jsonText(value);
  };
  const head =
    `"id":"${id}","vendor":${jsonText(vendor)},"sku":${jsonText(sku)},"name":${optional("name")}` +
    `,"price":${optional("price")}`;
  const middle =
    `"availability":${optional("availability")},"brand":${optional("brand")}` +
    `,"release_year":${jsonNumber(content.get("release_year"))}`;
  return `{${head},${middle},"link":${optional("link")},"created_at":${createdMs},"last_synced_at":${syncedMs}}`;
}
