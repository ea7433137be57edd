/** The types of tasks that a host does, and how they are defined unless the configuration says otherwise. */

/**
 * `sync_links` brings the list of a vendor's product links up to date (of one year, or of all); `sync_products` looks at every
 * product on it, and `refresh_products` at those that were not looked at for long or never: both as one `sync_product` a link,
 * their children.
 */
export const TASK_TYPES = ["sync_links", "sync_products", "refresh_products", "sync_product"] as const;
export type TaskType = (typeof TASK_TYPES)[number];

export function isTaskType(type: string): type is TaskType {
  return (TASK_TYPES as readonly string[]).includes(type);
}

/** As `define_task` takes it; times in milliseconds. */
interface TaskDefinition {
  attempts: number;
  backoff: number;
  lease: number;
  pre: readonly TaskType[];
  post: readonly TaskType[];
}

/** The lease is extended while the work goes on: it only says how soon it is found out that a host has died. */
const COMMON: TaskDefinition = { attempts: 4, backoff: 30_000, lease: 60_000, pre: [], post: [] };

export const DEFINITIONS: Record<TaskType, TaskDefinition> = {
  sync_links: COMMON,
  // A product that is not on the list is not looked at.
  sync_products: { ...COMMON, pre: ["sync_links"] },
  refresh_products: COMMON,
  sync_product: COMMON,
};

/** 0 comes first. The list before the products, and what hands out work before the work. */
export const PRIORITIES: Record<TaskType, number> = {
  sync_links: 2,
  sync_products: 3,
  refresh_products: 4,
  sync_product: 5,
};

/** What the schedule does, and a sync on request. */
export const SCHEDULED = ["links", "products", "refresh"] as const;
export type Scheduled = (typeof SCHEDULED)[number];

export const SCHEDULED_TYPES: Record<Scheduled, TaskType> = {
  links: "sync_links",
  products: "sync_products",
  refresh: "refresh_products",
};
