/** One announced page: fetching it, and telling Redis what came of it. */
import type { HotpathFunctions } from "../../contract";
import type { Announcement, Announcements } from "./announcements";
import type { PageAddress } from "./courier";
import { PageFailure } from "../../fetch/failure";
import type { Metadata } from "./metadata";
import { describeError, HotpathError } from "../../runtime/errors";

type EnrichFunctions = Pick<HotpathFunctions, "enrichDocument" | "abandonEnrichment">;

/** What fetches pages; see `PageCourier`. */
export interface Courier {
  /** How many more pages could be fetched at once. */
  readonly room: number;
  collect(address: PageAddress, signal: AbortSignal): Promise<Metadata>;
}

export interface EnrichLimits {
  /** Tries until a page is given up. */
  attempts: number;
  /** Between the first try and the second; it doubles from try to try. In milliseconds. */
  backoffMs: number;
  maxBackoffMs: number;
  /** After so long without a sign of life an entry is taken over, in milliseconds. */
  leaseMs: number;
}

/**
 * `enriched`; `gone`: the document was removed meanwhile; `twice`: its page is being fetched for another entry; `failed`: will
 * be tried again; `abandoned`: will not; `postponed`: its site rests, and this was no try.
 */
export type EnrichOutcome = "enriched" | "gone" | "twice" | "failed" | "abandoned" | "postponed";

/** How a try ended. */
export interface Ending {
  outcome: EnrichOutcome;
  /** Of a failure. */
  reason?: string;
  message?: string;
  /** Redis refused what was to be written. */
  error?: HotpathError;
  /** When it is to be tried again, in milliseconds. */
  againInMs?: number;
}

/** What a try needs. */
export interface EnrichContext {
  functions: EnrichFunctions;
  announcements: Announcements;
  courier: Courier;
  limits: EnrichLimits;
}

/**
 * How long an entry must have been idle to be due.
 *
 * @param deliveries as often as it was tried; 0 for one that was put back
 * @returns milliseconds; the lease at least, within which its host may still be at work
 */
export function restMs(
  deliveries: number,
  limits: Pick<EnrichLimits, "backoffMs" | "maxBackoffMs" | "leaseMs">,
): number {
  const backoffMs =
    deliveries > 0 ? Math.min(limits.backoffMs * 2 ** Math.min(deliveries - 1, 30), limits.maxBackoffMs) : 0;
  return Math.max(limits.leaseMs, backoffMs);
}

/**
 * Tries to enrich the page of an entry. What is done with is taken off the stream; what is to be tried again stays pending.
 *
 * @param attempt from 1
 * @param stopping ends it
 * @returns undefined if it was ended, with nothing written
 * @throws UnavailableError if Redis is away
 */
export async function tryEntry(
  context: EnrichContext,
  announcement: Announcement,
  attempt: number,
  stopping: AbortSignal,
): Promise<Ending | undefined> {
  const result = await fetchPage(context, announcement, attempt, stopping);
  if (stopping.aborted) return undefined;
  try {
    if (result instanceof PageFailure) return await settleFailure(context, announcement, attempt, result);
    return await settle(context, announcement, result);
  } catch (error) {
    // The other pages go on; this one is tried again, because it stays pending.
    if (!(error instanceof HotpathError)) throw error;
    const againInMs = restMs(attempt, context.limits);
    return { outcome: "failed", reason: error.code, message: describeError(error), error, againInMs };
  }
}

async function fetchPage(
  { courier, limits }: EnrichContext,
  address: Announcement,
  attempt: number,
  stopping: AbortSignal,
): Promise<Metadata | PageFailure> {
  const { attempts } = limits;
  // The last try had no outcome: its host died, perhaps of this page.
  if (attempt > attempts) return new PageFailure("attempts", `none of ${attempts} tries came to an end`);
  try {
    return await courier.collect(address, stopping);
  } catch (error) {
    if (error instanceof PageFailure) return error;
    return new PageFailure("internal", describeError(error), { passing: true, cause: error });
  }
}

async function settle(
  { functions, announcements }: EnrichContext,
  { pageId, entryId }: Announcement,
  { title, kicker, displayDate }: Metadata,
): Promise<Ending> {
  const metadata = JSON.stringify({ title, kicker, display_date: displayDate });
  const isThere = await isFound(functions.enrichDocument({ dimension: "P", id: pageId, metadata }));
  await announcements.finish(entryId);
  return { outcome: isThere ? "enriched" : "gone" };
}

async function settleFailure(
  { functions, announcements, limits }: EnrichContext,
  { pageId, entryId }: Announcement,
  attempt: number,
  { reason, message, passing, untried, retryAfterMs }: PageFailure,
): Promise<Ending> {
  if (untried) {
    await announcements.putBack(entryId, attempt - 1, 0);
    return { outcome: "postponed", reason, message, againInMs: Math.max(restMs(attempt - 1, limits), retryAfterMs) };
  }
  if (passing && attempt < limits.attempts) {
    return { outcome: "failed", reason, message, againInMs: Math.max(restMs(attempt, limits), retryAfterMs) };
  }
  const isThere = await isFound(functions.abandonEnrichment({ dimension: "P", id: pageId, reason }));
  await announcements.finish(entryId);
  return { outcome: isThere ? "abandoned" : "gone", reason, message };
}

/** False if the document is not there any more. */
async function isFound(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof HotpathError && error.code === "NOTFOUND") return false;
    throw error;
  }
}
