/** The section `catalog` of the configuration: vendors, what is done when, and how tasks are tried. */
import { z } from "zod";
import { readable, type Issue } from "../runtime/config-issues";
import { parsePattern } from "../jobs/slots";
import { TASK_TYPES, type TaskType } from "./task-types";
import { NEEDS_PARTITION } from "../redis/partitions";
import { vendorsSchema } from "./vendor-config";
import { DAY_SECONDS } from "../runtime/time";

const seconds = (least: number, most: number) => z.number().min(least).max(most).multipleOf(0.001);

/** A cron pattern, in UTC; null for never. */
const pattern = (fallback: string) => readable(parsePattern).nullable().default(fallback);

const typeSchema = z.strictObject({
  attempts: z.int().min(1).max(1000).optional(),
  backoffSeconds: seconds(0, 3600).optional(),
  leaseSeconds: seconds(1, DAY_SECONDS).optional(),
  pre: z.array(z.enum(TASK_TYPES)).max(10).optional(),
  post: z.array(z.enum(TASK_TYPES)).max(10).optional(),
});

export const catalogSchema = z.strictObject({
  vendors: vendorsSchema,
  partition: z
    .string()
    .regex(/^[^{}:\s]{1,128}$/, "must be text without braces, colons and spaces")
    .optional(),
  audit: z
    .strictObject({ product: z.array(z.string().regex(/^[a-z_]{1,64}$/, "must be the name of a field")).max(20) })
    .optional(),
  auditMaxlen: z.int().min(1).max(5000).optional(),
  auditDays: z.int().min(0).max(36_500).optional(),
  removedDays: z.int().min(0).max(36_500).optional(),
  schedule: z
    .strictObject({ links: pattern("7 * * * *"), products: pattern("17 3 * * *"), refresh: pattern("37 * * * *") })
    .prefault({}),
  staleHours: z
    .number()
    .min(0)
    .max(24 * 365)
    .default(25),
  tasks: z.partialRecord(z.enum(TASK_TYPES), typeSchema).default({}),
  maxSleepSeconds: seconds(0.05, 3600).default(5),
  patienceSeconds: seconds(0, 600).default(10),
  leaseSeconds: z.int().min(1).max(3600).default(30),
});

export type CatalogConfig = z.output<typeof catalogSchema>;
type TaskSettings = z.output<typeof typeSchema>;

/** What is right by itself and wrong together. */
export function findCatalogContradictions({ vendors, partition, tasks }: CatalogConfig, isCluster: boolean): Issue[] {
  const issues: Issue[] = [];
  if (isCluster && vendors.length > 0 && partition === undefined) {
    issues.push({ path: ["catalog", "partition"], message: NEEDS_PARTITION });
  }
  for (const [type, { pre, post }] of Object.entries(tasks) as [TaskType, TaskSettings][]) {
    for (const [name, hooks] of Object.entries({ pre, post })) {
      if (hooks?.includes(type))
        issues.push({ path: ["catalog", "tasks", type, name], message: "a task cannot come before or after itself" });
    }
  }
  return issues;
}
