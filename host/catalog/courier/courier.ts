/** A vendor's courier: what its configuration describes, fetched politely. */
import { createHash } from "node:crypto";
import type { VendorConfig } from "../vendor-config";
import type { Logger } from "../../runtime/log";
import { VendorLinks } from "./links";
import { VendorPages, type PagesOptions, type Version } from "./pages";
import { isGone, readProduct } from "./product";
import {
  VendorError,
  type ProductLink,
  type ProductOutcome,
  type RequestTiming,
  type Validators,
  type VendorCourier,
} from "./types";

export * from "./types";

export interface VendorCourierOptions extends Pick<PagesOptions, "clock" | "resolve"> {
  /** Told of each request when it is over. */
  onRequest: (timing: RequestTiming) => void;
  log: Pick<Logger, "debug">;
  /** Unix milliseconds; for tests. */
  nowMs?: () => number;
}

/**
 * Makes the courier of a vendor. Its pace is its own: one for each vendor and host process.
 */
export function createVendorCourier(config: VendorConfig, options: VendorCourierOptions): VendorCourier {
  const { onRequest, log, clock, resolve, nowMs = Date.now } = options;
  const { vendor } = config;
  const told = (timing: RequestTiming): void => {
    log.debug({ vendor, ...timing }, "request");
    onRequest(timing);
  };
  const pages = new VendorPages(config, { onRequest: told, clock, resolve });
  const links = new VendorLinks(config, pages, clock);
  const mark = markOf(config);
  return {
    vendor,
    years: () => yearsOf(config, nowMs()),
    links: (year, signal) => links.ofYear(year, signal),
    product: (link, signal) => fetchProduct(config, pages, mark, link, signal),
  };
}

function yearsOf({ years: { from, to } }: VendorConfig, nowMs: number): number[] {
  const last = to ?? new Date(nowMs).getUTCFullYear();
  return Array.from({ length: Math.max(0, last - from + 1) }, (_, at) => from + at);
}

async function fetchProduct(
  config: VendorConfig,
  pages: VendorPages,
  mark: string,
  link: ProductLink,
  signal: AbortSignal,
): Promise<ProductOutcome> {
  const url = pages.address(link.url);
  if (!url)
    throw new VendorError("url", `${link.url.slice(0, 200)} is none of ${config.vendor}'s addresses`, {
      permanent: true,
    });
  const fetched = await pages.fetch(url, signal, unmarked(link.validators, mark));
  if (fetched.status === 304) return { outcome: "unchanged" };
  if (fetched.status !== 200) return { outcome: "gone", status: fetched.status };
  const { page, version } = fetched;
  if (isGone(page, config.product)) return { outcome: "gone", status: 200 };
  const validators = page.isCut ? undefined : marked(version, mark);
  return { outcome: "product", product: readProduct(page, config.product, link), ...(validators && { validators }) };
}

/** Stands for the rules by which pages are read: with others, a page that has not changed is read anew. */
function markOf({ product }: VendorConfig): string {
  const text = JSON.stringify(product, (_key, value: unknown) => (value instanceof RegExp ? value.source : value));
  return createHash("sha1").update(text).digest("hex").slice(0, 8);
}

function marked({ etag, lastModified }: Version, mark: string): Validators | undefined {
  if (etag === undefined && lastModified === undefined) return undefined;
  return {
    ...(etag !== undefined && { etag: `${mark} ${etag}` }),
    ...(lastModified !== undefined && { lastModified: `${mark} ${lastModified}` }),
  };
}

function unmarked(validators: Validators | undefined, mark: string): Version {
  const known = (text: string | undefined): string | undefined =>
    text?.startsWith(`${mark} `) ? text.slice(mark.length + 1) : undefined;
  return { etag: known(validators?.etag), lastModified: known(validators?.lastModified) };
}
