/** One product: its page is fetched, and what stands on it is kept. */
import type { HotpathFunctions } from "../contract";
import { VendorError, type ProductOutcome as Fetched, type Validators, type VendorCourier } from "./courier/types";
import { describeError, HotpathError } from "../runtime/errors";
import { TaskFailure } from "./tasks";
import type { ProductOutcome } from "./metrics";

export type ProductFunctions = Pick<HotpathFunctions, "getLink" | "upsertProduct" | "markLink">;

/** As `get_link` answers it. */
interface Link {
  url: string;
  name: string;
  year: number;
  etag: string | null;
  modified: string | null;
}

/** What is longer is no validator that mark_link takes; the page is then fetched whole. */
const MAX_ETAG = 1024;
const MAX_MODIFIED = 128;
const MAX_REASON = 1000;

/** What became of a product, and its id where it is known. */
interface Synced {
  outcome: ProductOutcome | "unlisted";
  product?: string;
  fields?: string[];
}

/**
 * Syncs the product of a link. The product is stored before the link is marked: a host that dies in between does it again.
 *
 * @returns `unlisted` where the link is on the list no more
 * @throws TaskFailure if it could not be done
 */
export async function syncProduct(
  functions: ProductFunctions,
  courier: VendorCourier,
  url: string,
  signal: AbortSignal,
): Promise<Synced> {
  const { vendor } = courier;
  const json = await functions.getLink({ vendor, url });
  if (json === null) return { outcome: "unlisted" };
  const link = JSON.parse(json) as Link;
  try {
    const fetched = await courier.product({ url, year: link.year, name: link.name, ...validatorsOf(link) }, signal);
    return await keep(functions, vendor, url, fetched);
  } catch (error) {
    const failure = failureOf(error);
    // What was interrupted says nothing of the link.
    if (!failure || signal.aborted) throw error;
    await mark(functions, { vendor, url, outcome: "failed", reason: failure.message.slice(0, MAX_REASON) });
    throw failure;
  }
}

async function keep(functions: ProductFunctions, vendor: string, url: string, fetched: Fetched): Promise<Synced> {
  if (fetched.outcome === "unchanged") {
    await mark(functions, { vendor, url, outcome: "unchanged", status: 304 });
    return { outcome: "not modified" };
  }
  if (fetched.outcome === "gone") {
    await mark(functions, { vendor, url, outcome: "gone", status: fetched.status });
    return { outcome: "gone" };
  }
  const { id, outcome, fields } = await functions.upsertProduct({ vendor, product: JSON.stringify(fetched.product) });
  await mark(functions, { vendor, url, outcome: "scraped", status: 200, product: id, ...markOf(fetched.validators) });
  return { outcome: outcome as ProductOutcome, product: id, fields };
}

/** A link that has left the list meanwhile needs no mark. */
async function mark(functions: ProductFunctions, args: Parameters<HotpathFunctions["markLink"]>[0]): Promise<void> {
  try {
    await functions.markLink(args);
  } catch (error) {
    if (!(error instanceof HotpathError) || error.code !== "NOTFOUND") throw error;
  }
}

function validatorsOf({ etag, modified }: Link): { validators?: Validators } {
  if (etag === null && modified === null) return {};
  return { validators: { ...(etag !== null && { etag }), ...(modified !== null && { lastModified: modified }) } };
}

function markOf({ etag, lastModified }: Validators = {}): { etag?: string; modified?: string } {
  return {
    ...(etag !== undefined && Buffer.byteLength(etag) <= MAX_ETAG && { etag }),
    ...(lastModified !== undefined && Buffer.byteLength(lastModified) <= MAX_MODIFIED && { modified: lastModified }),
  };
}

/** What the page or the vendor is to blame for; undefined for everything else. */
export function failureOf(error: unknown): TaskFailure | undefined {
  if (error instanceof VendorError) {
    const { reason, permanent, retryAfterMs } = error;
    return new TaskFailure(`${reason}: ${describeError(error)}`, {
      permanent,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  // A product that upsert_product does not take will not be taken the next time.
  if (error instanceof HotpathError && error.code === "BADARG")
    return new TaskFailure(describeError(error), { permanent: true });
  return undefined;
}
