/** What a host does for each type of task. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { HotpathFunctions } from "../contract";
import type { VendorCourier } from "./courier/types";
import { TaskFailure, type Task, type Work } from "./tasks";
import { readLinks, storeLinks, type LinkFunctions, type LinkSums, type ListedLink } from "./links";
import type { ProductOutcome } from "./metrics";
import { failureOf, syncProduct, type ProductFunctions } from "./product-page";
import { isTaskType, PRIORITIES } from "./task-types";

type WorkFunctions = LinkFunctions & ProductFunctions & Pick<HotpathFunctions, "enqueueTask">;

interface WorkContext {
  functions: WorkFunctions;
  courier: VendorCourier;
  /** refresh_products looks at what nobody has looked at for so long. */
  staleMs: number;
  onProduct: (outcome: ProductOutcome) => void;
  /** Told when children were enqueued. */
  onEnqueued: () => void;
}

/** Children enqueued at a time, in one pipeline. */
const PIPELINE = 200;

const year = z.int().min(1).max(9999);
const ofYear = z.object({ vendor: z.string().optional(), year: year.optional() });
const ofLink = z.object({ vendor: z.string().optional(), url: z.string().min(1).max(2048) });

/** The work of one vendor's queue. */
export function workOf(context: WorkContext): Work {
  return async (task, signal) => {
    if (!isTaskType(task.type))
      throw new TaskFailure(`hosts do no tasks of the type '${task.type}'; give them a queue of their own`);
    switch (task.type) {
      case "sync_links":
        return syncYears(context, payloadOf(task, ofYear, context), signal);
      case "sync_products":
        return handOut(context, task, payloadOf(task, ofYear, context), undefined, signal);
      case "refresh_products":
        return handOut(context, task, payloadOf(task, ofYear, context), context.staleMs, signal);
      case "sync_product":
        return syncOne(context, payloadOf(task, ofLink, context), signal);
    }
  };
}

/** What the task is about: a hook is about what the task that it belongs to is about. */
function payloadOf<T extends { vendor?: string | undefined }>(
  { type, payload }: Task,
  schema: z.ZodType<T>,
  { courier }: WorkContext,
): T {
  const parsed = schema.safeParse("hook" in payload ? payload["payload"] : payload);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TaskFailure(`${type}: ${issue!.path.join(".") || "the task"}: ${issue!.message}`, { permanent: true });
  }
  const { vendor = courier.vendor } = parsed.data;
  if (vendor !== courier.vendor)
    throw new TaskFailure(`${type}: the vendor is '${vendor}', and this is the queue of '${courier.vendor}'`, {
      permanent: true,
    });
  return parsed.data;
}

async function syncYears(
  { functions, courier }: WorkContext,
  { year: only }: { year?: number | undefined },
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const sums: LinkSums & { years: number; links: number } = { years: 0, links: 0, added: 0, removed: 0 };
  for (const each of only === undefined ? courier.years() : [only]) {
    signal.throwIfAborted();
    const links = await blaming(() => courier.links(each, signal));
    const { added, removed } = await storeLinks(functions, courier.vendor, each, links);
    sums.years += 1;
    sums.links += Object.keys(links).length;
    sums.added += added;
    sums.removed += removed;
  }
  return { ...sums };
}

/** One child a link. All links are read before the first of them is looked at, and moves on the list by that. */
async function handOut(
  { functions, courier, onEnqueued }: WorkContext,
  task: Task,
  { year: only }: { year?: number | undefined },
  staleMs: number | undefined,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { vendor } = courier;
  const links: ListedLink[] = [];
  for (const each of only === undefined ? courier.years() : [only])
    links.push(...(await readLinks(functions, vendor, each, staleMs)));
  for (let at = 0; at < links.length; at += PIPELINE) {
    signal.throwIfAborted();
    await Promise.all(links.slice(at, at + PIPELINE).map((link) => enqueueChild(functions, vendor, task, link)));
    onEnqueued();
  }
  return { links: links.length };
}

/** The same id however often its parent is begun: no link is looked at twice for it. */
async function enqueueChild(
  functions: WorkFunctions,
  vendor: string,
  parent: Task,
  { url, year: of }: ListedLink,
): Promise<void> {
  const id = createHash("sha1").update(`${parent.id} ${parent.enqueuedAtMs} ${url}`).digest("hex");
  const task = JSON.stringify({ type: "sync_product", vendor, url, year: of });
  await functions.enqueueTask({
    queue: vendor,
    task,
    id,
    parent: parent.id,
    priority: PRIORITIES.sync_product,
    unless: "known",
  });
}

async function syncOne(
  { functions, courier, onProduct }: WorkContext,
  { url }: { url: string },
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  try {
    const synced = await syncProduct(functions, courier, url, signal);
    if (synced.outcome !== "unlisted") onProduct(synced.outcome);
    return { ...synced };
  } catch (error) {
    if (!signal.aborted) onProduct("failed");
    throw error;
  }
}

/** What the vendor is to blame for becomes a failure that says what to do about it. */
async function blaming<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error) ?? error;
  }
}
