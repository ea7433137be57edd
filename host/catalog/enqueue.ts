/** Enqueueing what is to be done about vendors: by the schedule, or because somebody asks. */
import type { HotpathFunctions } from "../contract";
import type { Vendor } from "./catalog";
import { PRIORITIES, type TaskType } from "./task-types";

export type EnqueueFunctions = Pick<HotpathFunctions, "enqueueTask">;

/** What the schedule does. */
export const SCHEDULED = ["links", "products", "refresh"] as const;
export type Scheduled = (typeof SCHEDULED)[number];

const TYPES: Record<Scheduled, TaskType> = {
  links: "sync_links",
  products: "sync_products",
  refresh: "refresh_products",
};

/**
 * Enqueues a task for a vendor; for links, one a year, so that one year that fails does not hold up the others.
 *
 * The ids tell what is done: while a task is under way, the same is not enqueued again.
 *
 * @param year only that one
 * @returns the ids
 */
export async function enqueueFor(
  functions: EnqueueFunctions,
  vendor: Vendor,
  what: Scheduled,
  year?: number,
): Promise<string[]> {
  const type = TYPES[what];
  const years = year !== undefined ? [year] : what === "links" ? vendor.courier.years() : [undefined];
  return Promise.all(
    years.map((each) => {
      const task = JSON.stringify({ type, vendor: vendor.name, year: each });
      const id = [type, vendor.name, ...(each === undefined ? [] : [each])].join("/");
      return functions.enqueueTask({ queue: vendor.name, task, id, priority: PRIORITIES[type] });
    }),
  );
}
