/** What the fronts of all shops have in common: from an address and the stock to a page. */
import type { Availability, Stock, StockItem } from "../stock";

export interface ShopPage {
  html: string;
  /** Of the product that it shows. */
  changedAtMs?: number;
}

export interface Front {
  /** What the catalog calls the vendor. */
  vendor: string;
  /** Products of the whole shop. */
  total: number;
  availabilities: readonly Availability[];
  robots: string;
  /** Which headers tell versions of product pages apart. */
  versions: "etag" | "last-modified" | "both";
  /**
   * @param url as it was asked for, with the shop's own origin
   * @returns undefined for what is not there
   */
  page(url: URL, stock: Stock): ShopPage | undefined;
  /** Where a product's page is. */
  path(item: StockItem): string;
}

export function escapeHtml(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character]!,
  );
}

/** JSON within a script: no `</script>` of a name ends it. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c");
}

export function layout(title: string, body: string, head = ""): string {
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>${head}</head>\n<body>${body}</body></html>\n`;
}

/** `1973-felt-santa-1` */
export function slugOf(text: string): string {
  return text
    .normalize("NFD")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** The part of a list that a page shows, and whether there is more. */
export function pageOf<T>(items: readonly T[], page: number, size: number): { items: readonly T[]; isLast: boolean } {
  return { items: items.slice((page - 1) * size, page * size), isLast: page * size >= items.length };
}

/** A page's number from a query; 1 for none and for nonsense. */
export function pageNumber(url: URL): number {
  const page = Number(url.searchParams.get("page") ?? 1);
  return Number.isInteger(page) && page > 0 ? page : 1;
}
