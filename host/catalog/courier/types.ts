/** What a vendor's courier brings, and what can go wrong on the way. */

export type { RequestTiming } from "../../fetch/request";

/**
 * What a page said of its version, to be handed in when it is fetched again. To be kept as it is: it holds a mark of the rules
 * too, so that a page is read anew when its vendor's configuration has changed.
 */
export interface Validators {
  etag?: string;
  lastModified?: string;
}

/** A product as upsert_product takes it. */
export interface ProductInput {
  sku: string;
  name: string;
  /** Decimal: `3.98`; null where the page has none. */
  price: string | null;
  availability: string;
  /** Null where the page has none; left out where nobody looks for it. */
  brand?: string | null;
  release_year: number;
  /** Absolute URL of its page. */
  link: string;
}

/** A link of a vendor's year. */
export interface ProductLink {
  url: string;
  year: number;
  name: string;
  validators?: Validators;
}

export type ProductOutcome =
  | { outcome: "product"; product: ProductInput; validators?: Validators }
  /** Nothing has changed since the validators were had. */
  | { outcome: "unchanged" }
  /** 404 or 410, or a page that says that the product is no longer there. */
  | { outcome: "gone"; status: number };

export interface VendorCourier {
  readonly vendor: string;
  /** Years the vendor is configured for, oldest first; without an end, up to the present one. */
  years(): number[];
  /**
   * All product links of a year, through all of its pages: URL → name. Empty only where the vendor says that there is nothing.
   *
   * @throws VendorError
   */
  links(year: number, signal: AbortSignal): Promise<Record<string, string>>;
  /**
   * One product page.
   *
   * @throws VendorError
   */
  product(link: ProductLink, signal: AbortSignal): Promise<ProductOutcome>;
}

interface VendorErrorOptions {
  /** Trying again is of no use until somebody has changed something. */
  permanent: boolean;
  /** How long the vendor asked to be left alone, in milliseconds. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

export class VendorError extends Error {
  override name = "VendorError";
  readonly permanent: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    /** One word or two, always the same for the same cause: `timeout`, `status 500`, `robots`, `layout`, `price` … */
    readonly reason: string,
    message: string,
    options: VendorErrorOptions,
  ) {
    super(message, { cause: options.cause });
    this.permanent = options.permanent;
    this.retryAfterMs = options.retryAfterMs;
  }
}
