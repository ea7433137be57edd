/** Working off the queue of a vendor, as host and configuration want it. */
import type { WorkOptions } from "../jobs/work";
import type { Wakeup } from "../runtime/wakeup";
import type { Catalog, Vendor } from "./catalog";
import type { ProductOutcome } from "./metrics";
import { workOf } from "./work";
import { HOUR_MS } from "../runtime/time";

/** Milliseconds after which a product is looked at again. */
export function staleMsOf({ config }: Catalog): number {
  return Math.round(config.staleHours * HOUR_MS);
}

/**
 * All of a vendor's work but who is told of it, and when it ends.
 *
 * @param wakeup woken when something was enqueued for the vendor
 */
export function workingOf(
  catalog: Catalog,
  vendor: Vendor,
  wakeup: Wakeup,
  onProduct: (outcome: ProductOutcome) => void,
): Omit<WorkOptions, "signal" | "onReport"> {
  const { maxSleepSeconds, patienceSeconds } = catalog.config;
  const work = workOf({
    functions: catalog.functions,
    courier: vendor.courier,
    staleMs: staleMsOf(catalog),
    onProduct,
    onEnqueued: () => wakeup.wake(),
  });
  return {
    queue: catalog.queueOf(vendor),
    gate: catalog.gateOf(vendor),
    concurrency: vendor.concurrency,
    maxSleepMs: maxSleepSeconds * 1000,
    patienceMs: patienceSeconds * 1000,
    wakeup,
    work,
  };
}
