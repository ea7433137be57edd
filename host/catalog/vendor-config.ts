/** The part `catalog.vendors` of the configuration: where a vendor's products are, and what on their pages is what. */
import { z } from "zod";
import { describeIssue } from "../runtime/config-issues";
import { contact, range, seconds, timeoutsSchema } from "../fetch/settings";
import { UserError } from "../runtime/errors";
import { linkRules, rules, selector } from "./vendor-rules";

const year = z.int().min(1000).max(9999);
const text = (most: number) => z.string().min(1).max(most);

/** Absolute, with nothing in it that is not part of an address. */
const site = text(2048).superRefine((value, context) => {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  const isPlain =
    parsed && parsed.username === "" && parsed.password === "" && parsed.search === "" && parsed.hash === "";
  if (!isPlain || !/^https?:$/.test(parsed.protocol)) {
    context.addIssue({ code: "custom", message: "must be an http or https address without user, query and fragment" });
  }
});

const host = text(255).refine(
  (value) => /^[^/?#@\s\\]+$/.test(value) && URL.canParse(`http://${value}`),
  "must be a host, or host:port",
);

/** An address, or a part of one; what it is relative to is the site. */
const address = text(2048).refine(
  (value) => URL.canParse(value, "http://site.example/"),
  "must be an address, or a part of one",
);

const query = z.record(text(100), z.string().max(500)).default({});

const yearsSchema = z
  .strictObject({
    from: year,
    to: year.optional(),
    page: address.includes("{year}", { error: "must have {year} in it" }).optional(),
    index: z
      .strictObject({ url: address, item: selector, link: linkRules.optional(), year: rules.optional() })
      .optional(),
    query,
  })
  .superRefine((years, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: "custom", path: [path], message });
    if (years.to !== undefined && years.to < years.from)
      refuse("to", `${years.to} is before from, which is ${years.from}`);
    if (years.page !== undefined && years.index !== undefined)
      refuse("index", "there is one of page and index, not both");
    if (years.page === undefined && years.index === undefined)
      refuse("page", "needed: page or index say where a year's products are");
  });

const listSchema = z.strictObject({
  item: selector,
  link: linkRules.optional(),
  name: rules.optional(),
  dropQuery: z.array(text(100)).max(50).default([]),
  empty: selector.optional(),
  more: z.strictObject({ link: linkRules, when: z.enum(["empty", "always"]).default("empty") }).optional(),
});

const suffix = text(200).includes("{page}", { error: "must have {page} in it" });

const pagingSchema = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("next"), link: linkRules }),
    z
      .strictObject({
        type: z.literal("page"),
        parameter: text(100).optional(),
        suffix: suffix.optional(),
        first: z.int().min(0).max(1).default(1),
        last: rules.optional(),
      })
      .refine(({ parameter, suffix }) => (parameter === undefined) !== (suffix === undefined), {
        path: ["parameter"],
        message: "there must be one of parameter and suffix",
      }),
    z.strictObject({
      type: z.literal("offset"),
      parameter: text(100),
      size: z.int().min(1).max(10_000),
      first: z.int().min(0).max(1).default(0),
    }),
  ],
  { error: "must have a type: next, page or offset" },
);

const word = text(100).regex(/[\p{L}\p{N}]/u, "must have a letter or a digit");

/** As much as upsert_product takes. */
const availability = text(64).refine((value) => Buffer.byteLength(value) <= 64, "must have 64 bytes at most");

const availabilitySchema = z.strictObject({
  from: rules,
  values: z
    .array(z.strictObject({ words: z.array(word).min(1).max(50), value: availability }))
    .min(1)
    .max(50),
  otherwise: availability.optional(),
  missing: availability.optional(),
});

const productSchema = z.strictObject({
  sku: rules,
  name: rules.optional(),
  brand: rules.optional(),
  price: z.strictObject({
    from: rules,
    decimal: z.enum([".", ","]).default("."),
    optional: z.boolean().default(false),
  }),
  availability: availabilitySchema,
  releaseYear: rules.optional(),
  gone: selector.optional(),
});

const settingsSchema = z.strictObject({
  site,
  hosts: z.array(host).max(20).default([]),
  years: yearsSchema,
  list: listSchema,
  paging: pagingSchema.optional(),
  product: productSchema,
  contact: contact.optional(),
  language: z
    .string()
    .regex(/^[A-Za-z0-9*][A-Za-z0-9*,;=. -]{0,99}$/, "must be languages such as en-US, en;q=0.8")
    .optional(),
  requestsPerSecond: z.number().min(0.001).max(1000).default(1),
  concurrency: z.int().min(1).max(64).default(1),
  attempts: z.int().min(1).max(10).default(3),
  backoffSeconds: seconds(0, 300).default(2),
  timeouts: timeoutsSchema.prefault({}),
  maxBytes: z.int().min(1024).max(67_108_864).default(4_194_304),
  maxPages: z.int().min(1).max(10_000).default(500),
  robots: z.boolean().default(true),
  robotsMinutes: z.number().min(1).max(1440).default(60),
  maxCrawlDelaySeconds: seconds(0, 3600).default(30),
  allow: z.array(range).default([]),
});

type Settings = z.output<typeof settingsSchema>;

/** Hosts of which pages are the vendor's, with their ports where these are not the usual ones. */
export function hostsOf({ site, hosts }: Pick<Settings, "site" | "hosts">): string[] {
  const { host, protocol } = new URL(site);
  return [host, ...hosts.map((each) => new URL(`${protocol}//${each}`).host)];
}

const vendorSchema = settingsSchema.superRefine((settings, context) => {
  const { page, index } = settings.years;
  // Told of each by itself already.
  if (![settings.site, ...settings.hosts.map((each) => `http://${each}`)].every((each) => URL.canParse(each))) return;
  const starts = [
    { path: ["years", "page"], address: page?.replaceAll("{year}", "2000") },
    { path: ["years", "index", "url"], address: index?.url },
  ];
  for (const { path, address: start } of starts) {
    if (start === undefined || !URL.canParse(start, settings.site)) continue;
    const { host } = new URL(start, settings.site);
    if (!hostsOf(settings).includes(host))
      context.addIssue({ code: "custom", path, message: `${host} is neither the site's host nor one of hosts` });
  }
});

/** What keys, files and metrics call a vendor. */
const vendorName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "a vendor's name has letters, digits, _ . and -, 64 at most");

/** The section itself: name → vendor. What is in files of their own has been put in by then (vendor-files.ts). */
export const vendorsSchema = z
  .record(vendorName, vendorSchema)
  .default({})
  .transform((vendors) => Object.entries(vendors).map(([vendor, settings]): VendorConfig => ({ vendor, ...settings })));

/** A vendor with its name; parts that were left out have their defaults. */
export type VendorConfig = z.output<typeof vendorSchema> & { vendor: string };

export type PagingConfig = NonNullable<VendorConfig["paging"]>;
export type ProductRules = VendorConfig["product"];

/**
 * Reads one vendor's settings.
 *
 * @param vendor its name
 * @param raw as it stands in the file
 * @throws UserError that names every problem with its path
 */
export function parseVendor(vendor: string, raw: unknown): VendorConfig {
  const name = vendorName.safeParse(vendor);
  if (!name.success) throw new UserError(`vendor '${vendor}': ${name.error.issues[0]!.message}`);
  const parsed = vendorSchema.safeParse(raw);
  if (!parsed.success)
    throw new UserError(`vendor ${vendor}: ${parsed.error.issues.flatMap(describeIssue).join("; ")}`);
  return { vendor, ...parsed.data };
}
