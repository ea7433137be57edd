/** The catalogue's products in plain TypeScript: one list of products and one of changes, without a thought for speed. */
import { idOf, type ChangeJson, type ProductJson } from "./catalog";

const CONTENT = ["name", "price", "availability", "brand", "release_year", "link"] as const;
type Field = (typeof CONTENT)[number];

/** What a vendor says of a product; a price as it is stored. */
export interface Said {
  sku: string;
  name?: string;
  price?: string | null;
  availability?: string | null;
  release_year?: number | null;
}

export interface Filters {
  vendor?: string;
  year?: number;
  availability?: string;
  price?: [number, number];
  syncedBefore?: number;
}

export class CatalogModel {
  readonly products = new Map<string, ProductJson>();
  readonly history = new Map<string, ChangeJson[]>();
  readonly outcomes = new Map<string, number>();
  audited: string[] = ["price", "availability"];

  upsert(vendor: string, said: Said, nowMs: number): { outcome: string; fields: string[] } {
    const id = idOf(vendor, said.sku);
    const found = this.products.get(id);
    const outcome = found === undefined ? this.#create(vendor, said, nowMs) : this.#update(found, said, nowMs);
    this.#count(vendor, outcome.outcome);
    return outcome;
  }

  #create(vendor: string, said: Said, nowMs: number): { outcome: string; fields: string[] } {
    const { sku, name, price = null, availability = null, release_year: year = null } = said;
    const id = idOf(vendor, sku);
    const product = {
      id,
      vendor,
      sku,
      name: name!,
      price,
      availability,
      brand: null,
      release_year: year,
      link: null,
      created_at: nowMs,
      last_synced_at: nowMs,
    };
    this.products.set(id, product);
    for (const field of CONTENT)
      if (product[field] !== null) this.#note(id, { at: nowMs, field, old: null, new: product[field] });
    return { outcome: "created", fields: [] };
  }

  #update(product: ProductJson, said: Said, nowMs: number): { outcome: string; fields: string[] } {
    if (nowMs < product.last_synced_at) return { outcome: "outdated", fields: [] };
    product.last_synced_at = nowMs;
    const fields = CONTENT.filter(
      (field) => field in said && !isSame(field, said[field as keyof Said] ?? null, product[field]),
    );
    for (const field of fields) {
      const after = said[field as keyof Said] ?? null;
      this.#note(product.id, { at: nowMs, field, old: product[field], new: after });
      Object.assign(product, { [field]: after });
    }
    return { outcome: fields.length === 0 ? "unchanged" : "changed", fields };
  }

  remove(id: string, nowMs: number): boolean {
    const product = this.products.get(id);
    if (product === undefined) return false;
    const at = Math.max(nowMs, product.last_synced_at);
    for (const field of CONTENT)
      if (product[field] !== null) this.#note(id, { at, field, old: product[field], new: null });
    this.products.delete(id);
    this.#count(product.vendor, "removed");
    return true;
  }

  #note(id: string, change: ChangeJson): void {
    if (!this.audited.includes(change.field)) return;
    this.history.set(id, [...(this.history.get(id) ?? []), change]);
  }

  #count(vendor: string, outcome: string): void {
    const key = `${vendor} ${outcome}`;
    this.outcomes.set(key, (this.outcomes.get(key) ?? 0) + 1);
  }

  /** Value and second of each value that a field has had, as the audit has them. */
  auditOf(id: string, field: string): Map<string, number> {
    const values = new Map<string, number>();
    for (const each of this.history.get(id) ?? [])
      if (each.field === field && each.new !== null) values.set(String(each.new), Math.floor(each.at / 1000));
    return values;
  }

  /** Distinct SKUs of each year, of one vendor or of all; no year comes last. */
  countByYear(vendor?: string): [string | null, number][] {
    const skus = new Map<number | null, Set<string>>();
    for (const each of this.products.values()) {
      if (vendor === undefined || each.vendor === vendor)
        skus.set(each.release_year, (skus.get(each.release_year) ?? new Set()).add(each.sku));
    }
    const sorted = [...skus].sort(([a], [b]) => (a ?? Infinity) - (b ?? Infinity));
    return sorted.map(([year, found]) => [year === null ? null : String(year), found.size]);
  }

  countByVendor(): [string, number][] {
    const vendors = [...new Set([...this.products.values()].map(({ vendor }) => vendor))].sort();
    return vendors.map((vendor) => [vendor, this.find({ vendor }).length]);
  }

  /** Ids in the order in which find_products answers them. */
  find({ vendor, year, availability, price, syncedBefore }: Filters): string[] {
    const found = [...this.products.values()].filter(
      (each) =>
        (vendor === undefined || each.vendor === vendor) &&
        (year === undefined || each.release_year === year) &&
        (availability === undefined || each.availability === availability) &&
        (price === undefined ||
          (each.price !== null && Number(each.price) >= price[0] && Number(each.price) <= price[1])) &&
        (syncedBefore === undefined || each.last_synced_at < syncedBefore),
    );
    const isRising = syncedBefore !== undefined || price !== undefined;
    const scoreOf = (each: ProductJson): number =>
      syncedBefore !== undefined ? each.last_synced_at : price !== undefined ? Number(each.price) : each.created_at;
    found.sort((a, b) => scoreOf(a) - scoreOf(b) || (a.id < b.id ? -1 : 1));
    const ids = found.map(({ id }) => id);
    return isRising ? ids : ids.reverse();
  }
}

function isSame(field: Field, a: string | number | null, b: string | number | null): boolean {
  return a === b || (field === "price" && a !== null && b !== null && Number(a) === Number(b));
}
