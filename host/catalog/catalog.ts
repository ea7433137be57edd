/**
 * The catalogue of a host: its vendors, their couriers, and how its tasks are defined in Redis.
 *
 * To be read in this order: task-types.ts (the tasks that there are), this file (vendors, and enqueueing), tasks.ts (a queue is worked
 * off), work.ts (each type of task is done), crew.ts (hands for all vendors), serve.ts (a serving host), sync.ts (a command). Pages
 * are fetched and read in courier/.
 */
import type { HotpathFunctions } from "../contract";
import type { RequestTiming, VendorCourier } from "./courier/types";
import { createVendorCourier } from "./courier/courier";
import { gateOf, type Gate } from "../jobs/gate";
import { readClock } from "../redis/clock";
import type { WorkerHost } from "../jobs/service";
import type { Logger } from "../runtime/log";
import type { CatalogConfig } from "./config";
import { DEFINITIONS, PRIORITIES, SCHEDULED_TYPES, TASK_TYPES, type Scheduled, type TaskType } from "./task-types";
import { taskQueueOf, type TaskQueue } from "./tasks";

/** A vendor of the configuration. Its queue has its name. */
export interface Vendor {
  name: string;
  courier: VendorCourier;
  /** Tasks at once. */
  concurrency: number;
}

interface CatalogOptions {
  log: Pick<Logger, "debug">;
  /** Told of each request when it is over. */
  onRequest: (vendor: string, timing: RequestTiming) => void;
}

type DefineArguments = Omit<Parameters<HotpathFunctions["defineTask"]>[0], "type">;

export class Catalog {
  /** In the order of the configuration. */
  readonly vendors: readonly Vendor[];

  constructor(
    private readonly host: WorkerHost,
    readonly config: CatalogConfig,
    { log, onRequest }: CatalogOptions,
  ) {
    this.vendors = config.vendors.map((vendor) => ({
      name: vendor.vendor,
      courier: createVendorCourier(vendor, { log, onRequest: (timing) => onRequest(vendor.vendor, timing) }),
      concurrency: vendor.concurrency,
    }));
  }

  /** Where the catalogue lies in a cluster; null without one. */
  get partition(): string | null {
    return this.config.partition ?? null;
  }

  /** To be asked for when the host is connected. */
  get functions(): HotpathFunctions {
    return this.host.functions(this.partition);
  }

  /** The tasks of a vendor. */
  queueOf({ name }: Vendor): TaskQueue {
    const { host, partition } = this;
    return taskQueueOf(this.functions, name, host.worker, () => readClock(host.connection, partition));
  }

  /** Whether a vendor wants to be left alone: what it says holds for all hosts. */
  gateOf({ name }: Vendor): Gate {
    return gateOf(this.host.connection, { topic: `vendor/${name}`, partition: this.partition });
  }

  /**
   * Enqueues a task for a vendor; for links, one a year, so that one year that fails does not hold up the others.
   *
   * The ids tell what is done: while a task is under way, the same is not enqueued again.
   *
   * @param year only that one
   * @returns the ids
   */
  async enqueue(vendor: Vendor, what: Scheduled, year?: number): Promise<string[]> {
    const { functions } = this;
    const type = SCHEDULED_TYPES[what];
    const years = year !== undefined ? [year] : what === "links" ? vendor.courier.years() : [undefined];
    return Promise.all(
      years.map((each) => {
        const task = JSON.stringify({ type, vendor: vendor.name, year: each });
        const id = [type, vendor.name, ...(each === undefined ? [] : [each])].join("/");
        return functions.enqueueTask({ queue: vendor.name, task, id, priority: PRIORITIES[type] });
      }),
    );
  }

  /**
   * Applies those settings that the configuration names; the others stay as they are in Redis. A type of task that is not there
   * is made. Costs a dozen calls, and may be repeated.
   */
  async apply(): Promise<void> {
    const { functions } = this;
    const isDefined = new Map<TaskType, boolean>();
    for (const type of TASK_TYPES) isDefined.set(type, (await functions.getTaskType({ type })) !== null);
    for (const type of TASK_TYPES) await this.#define(functions, type, isDefined, []);
    await this.#configure(functions);
  }

  /** In one call, hooks included: whatever is enqueued after it has them. They must be there before they can be named. */
  async #define(
    functions: HotpathFunctions,
    type: TaskType,
    isDefined: Map<TaskType, boolean>,
    forWhom: readonly TaskType[],
  ): Promise<void> {
    const { attempts, backoff, lease, pre, post } = DEFINITIONS[type];
    const isNew = !isDefined.get(type);
    const settings = this.config.tasks[type] ?? {};
    const hooks = isNew ? { pre, post, ...definedOf({ pre: settings.pre, post: settings.post }) } : settings;
    for (const hook of [...(hooks.pre ?? []), ...(hooks.post ?? [])]) {
      if (isDefined.get(hook)) continue;
      // In a circle of hooks, one has to be there without its own for a moment.
      if (forWhom.includes(hook)) await functions.defineTask({ type: hook });
      else await this.#define(functions, hook, isDefined, [...forWhom, type]);
    }
    const given = { ...(isNew && { attempts, backoff, lease }), ...this.#settingsOf(type), ...hooksOf(hooks) };
    if (Object.keys(given).length > 0) await functions.defineTask({ type, ...given });
    isDefined.set(type, true);
  }

  #settingsOf(type: TaskType): DefineArguments {
    const { attempts, backoffSeconds, leaseSeconds } = this.config.tasks[type] ?? {};
    return {
      ...(attempts !== undefined && { attempts }),
      ...(backoffSeconds !== undefined && { backoff: Math.round(backoffSeconds * 1000) }),
      ...(leaseSeconds !== undefined && { lease: Math.round(leaseSeconds * 1000) }),
    };
  }

  async #configure(functions: HotpathFunctions): Promise<void> {
    const { audit, auditMaxlen, auditDays, removedDays } = this.config;
    const given: Parameters<HotpathFunctions["configureCatalog"]>[0] = {
      ...(audit && { audit: ["product", audit.product.join(",")] }),
      ...(auditMaxlen !== undefined && { auditMaxlen }),
      ...(auditDays !== undefined && { auditDays }),
      ...(removedDays !== undefined && { removedDays }),
    };
    if (Object.keys(given).length > 0) await functions.configureCatalog(given);
  }
}

function definedOf<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function hooksOf({
  pre,
  post,
}: {
  pre?: readonly TaskType[] | undefined;
  post?: readonly TaskType[] | undefined;
}): DefineArguments {
  return { ...(pre && { pre: pre.join(",") }), ...(post && { post: post.join(",") }) };
}
