/** The section `tracker.enrichment` of the configuration. */
import { z } from "zod";
import { contact, propertyPath, range, seconds, timeoutsSchema } from "../../fetch/settings";

const timeZone = z.string().superRefine((name, context) => {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
  } catch {
    context.addIssue({ code: "custom", message: `there is no time zone '${name}'` });
  }
});

const itemUrl = z.string().superRefine((text, context) => {
  const sample = text.replaceAll("{article_id}", "1");
  const isWeb = URL.canParse(sample) && /^https?:$/.test(new URL(sample).protocol);
  if (!isWeb || !text.includes("{article_id}")) {
    context.addIssue({ code: "custom", message: "must be an http or https address with {article_id} in it" });
  }
});

const itemSchema = z.strictObject({
  url: itemUrl,
  title: propertyPath,
  kicker: propertyPath.optional(),
  date: propertyPath.optional(),
  headers: z
    .record(
      z.string().regex(/^[\w-]{1,100}$/, "must be the name of a header"),
      z.string().regex(/^[\t\x20-\x7e]*$/, "must be printable ASCII"),
    )
    .default({}),
});

export const enrichmentSchema = z.strictObject({
  enabled: z.boolean().default(true),
  contact: contact.optional(),
  concurrency: z.int().min(1).max(256).default(8),
  perHost: z.int().min(1).max(64).default(1),
  attempts: z.int().min(1).max(100).default(5),
  backoffSeconds: seconds(0.05, 86_400).default(60),
  maxBackoffSeconds: seconds(0.05, 604_800).default(21_600),
  refreshDays: z.int().min(1).max(3650).optional(),
  timeouts: timeoutsSchema.prefault({}),
  maxBytes: z.int().min(1024).max(16_777_216).default(524_288),
  ports: z.array(z.int().min(1).max(65_535)).min(1).default([80, 443]),
  allow: z.array(range).default([]),
  robots: z.boolean().default(true),
  robotsMinutes: z.number().min(1).max(1440).default(60),
  maxCrawlDelaySeconds: seconds(0, 3600).default(30),
  timeZone: timeZone.default("UTC"),
  items: z.record(z.string().min(1).max(255).toLowerCase(), itemSchema).default({}),
});

/** How pages are fetched; undefined parts have their defaults. */
export type EnrichmentConfig = z.output<typeof enrichmentSchema>;

/** Where a website's items are had from, and what is what in them. */
export type ItemSource = z.output<typeof itemSchema>;
