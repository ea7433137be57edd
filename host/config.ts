/** The configuration: a file, REDIS_URL, and defaults; checked as a whole before anything starts. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { catalogSchema, findCatalogContradictions } from "./catalog/config";
import { inlineVendorFiles } from "./catalog/vendor-files";
import { BOUNDS, KEYS, UNKNOWN_HOSTS, type MadeTier } from "./contract";
import { describeIssue, formatIssue } from "./runtime/config-issues";
import { UserError } from "./runtime/errors";
import { enrichmentSchema } from "./tracker/enrichment/settings";
import { LOG_LEVELS } from "./runtime/log";
import { findNotifierContradictions, findSecrets, notifierSchema } from "./notifier/config";
import { keyIn, partitionOf } from "./redis/partitions";
import { parsePattern } from "./jobs/slots";
import { parseServerUrl } from "./redis/url";

/** Each tier as soon as one of its windows can be over. */
const SCHEDULE: Record<MadeTier, string> = {
  "5MINUTES": "*/5 * * * *",
  "10MINUTES": "*/10 * * * *",
  "1HOUR": "0 * * * *",
  "3HOURS": "0 */3 * * *",
};

/** Text that `read` accepts; its error becomes the problem. */
const readable = (read: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      read(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  });

/** What is old: pages to be fetched again, and documents to be removed. */
const UPKEEP = { refresh: "23 * * * *", expire: "43 * * * *" };

const JOB_SCHEDULE = { ...SCHEDULE, ...UPKEEP };
const pattern = (job: keyof typeof JOB_SCHEDULE) => readable(parsePattern).default(JOB_SCHEDULE[job]);
const whole = ([least, most]: readonly [number, number]) => z.int().min(least).max(most);
const limit = whole(BOUNDS.rotatePg.limit);

const streamSchema = z.strictObject({ key: z.string().min(1).max(512), limit: z.int().min(1).max(1000).optional() });

const trackerSchema = z.strictObject({
  streams: z.array(streamSchema).optional(),
  partitions: z
    .array(z.string().regex(/^[^{}:\s]{1,128}$/, "must be text without braces, colons and spaces"))
    .default([]),
  hosts: z.record(z.string().min(1), z.string().min(1).max(128)).optional(),
  unknown: z.enum(UNKNOWN_HOSTS).optional(),
  maxlen: whole(BOUNDS.configureTracker.maxlen).optional(),
  documentDays: whole(BOUNDS.configureTracker.documentDays).optional(),
  seriesFineDays: whole(BOUNDS.configureTracker.seriesFineDays).optional(),
  seriesCoarseDays: whole(BOUNDS.configureTracker.seriesCoarseDays).optional(),
  schedule: z
    .strictObject({
      "5MINUTES": pattern("5MINUTES"),
      "10MINUTES": pattern("10MINUTES"),
      "1HOUR": pattern("1HOUR"),
      "3HOURS": pattern("3HOURS"),
      refresh: pattern("refresh"),
      expire: pattern("expire"),
    })
    .prefault({}),
  settleSeconds: z.int().min(0).max(60).default(5),
  leaseSeconds: z.int().min(1).max(3600).default(30),
  rotation: z.strictObject({ pageViewsLimit: limit.optional(), uniqueDevicesLimit: limit.optional() }).prefault({}),
  enrichment: enrichmentSchema.optional(),
});

const schema = z.strictObject({
  redis: z.strictObject({ url: readable(parseServerUrl).default("redis://127.0.0.1:6379") }).prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default("info") }).prefault({}),
  http: z
    .strictObject({ port: z.int().min(0).max(65535).optional(), host: z.string().min(1).default("127.0.0.1") })
    .prefault({}),
  tracker: trackerSchema.prefault({}),
  notifier: notifierSchema.prefault({}),
  catalog: catalogSchema.prefault({}),
});

type Parsed = z.output<typeof schema>;

/** One event stream and where its calls go. */
export interface StreamConfig {
  key: string;
  /** Entries a call; the function's own default if undefined. */
  limit?: number | undefined;
  partition: string | null;
}

export type TrackerConfig = Omit<Parsed["tracker"], "streams"> & { streams: StreamConfig[] };

export type Config = Omit<Parsed, "tracker"> & {
  tracker: TrackerConfig;
  /** The file it was read from; undefined if there was none. */
  file: string | undefined;
};

export interface ConfigSource {
  env: Record<string, string | undefined>;
  /** Where `config/` is looked for. */
  cwd: string;
}

/**
 * Reads the configuration: the file that `CONFIG_PATH` names, else `config/$ENV.json` (`ENV` is `default` unless set; without
 * `config/default.json` the defaults hold). `REDIS_URL` takes the place of `redis.url`.
 *
 * @throws UserError that names the file and every problem with its path
 */
export function loadConfig({ env, cwd }: ConfigSource = { env: process.env, cwd: process.cwd() }): Config {
  const file = findFile(env, cwd);
  const raw = file === undefined ? {} : withVendorFiles(readJson(file), dirname(file));
  const parsed = schema.safeParse(withRedisUrl(raw, env));
  const secrets = findSecrets((raw as { notifier?: unknown } | null)?.notifier).map(formatIssue);
  const found = parsed.success ? findContradictions(parsed.data) : parsed.error.issues.flatMap(describeIssue);
  // Said better than that the setting is unknown.
  const problems = [
    ...secrets,
    ...found.filter((text) => !secrets.some((secret) => text.split(": ")[0] === secret.split(": ")[0])),
  ];
  if (!parsed.success || problems.length > 0) {
    const named = env["REDIS_URL"] ? problems.map((text) => text.replace(/^redis\.url:/, "REDIS_URL:")) : problems;
    throw new UserError(`${file ?? "configuration"}: ${named.join("; ")}`);
  }
  const { tracker, ...rest } = parsed.data;
  return { ...rest, tracker: { ...tracker, streams: resolveStreams(tracker) }, file };
}

function findFile(env: ConfigSource["env"], cwd: string): string | undefined {
  const named = env["CONFIG_PATH"] || (env["ENV"] ? `config/${env["ENV"]}.json` : undefined);
  const path = resolve(cwd, named ?? "config/default.json");
  if (existsSync(path)) return path;
  // Only `ENV=default` may lack its file as well: it says nothing that no ENV does not say.
  if (named === undefined || (!env["CONFIG_PATH"] && env["ENV"] === "default")) return undefined;
  throw new UserError(`${path}: there is no such file (${env["CONFIG_PATH"] ? "CONFIG_PATH" : "ENV"} names it)`);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UserError(`${path}: ${(error as Error).message.replace(/\s*\n\s*/g, " ")}`);
  }
}

/** Vendors may stand in files of their own, beside this one. */
function withVendorFiles(raw: unknown, directory: string): unknown {
  const catalog = isObject(raw) ? raw["catalog"] : undefined;
  if (!isObject(raw) || !isObject(catalog) || catalog["vendors"] === undefined) return raw;
  return { ...raw, catalog: { ...catalog, vendors: inlineVendorFiles(catalog["vendors"], directory) } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withRedisUrl(raw: unknown, env: ConfigSource["env"]): unknown {
  const url = env["REDIS_URL"];
  if (!url || !isObject(raw)) return raw;
  const { redis } = raw;
  return redis === undefined || isObject(redis) ? { ...raw, redis: { ...redis, url } } : raw;
}

/** What is right by itself and wrong together. */
function findContradictions({ tracker, notifier, catalog, redis }: Parsed): string[] {
  const { partitions } = tracker;
  const isCluster = parseServerUrl(redis.url).kind === "cluster";
  const problems = [
    ...findNotifierContradictions(notifier, isCluster),
    ...findCatalogContradictions(catalog, isCluster),
  ].map(formatIssue);
  partitions.forEach((name, at) => {
    if (partitions.indexOf(name) !== at) problems.push(`tracker.partitions[${at}]: '${name}' is named twice`);
  });
  tracker.streams?.forEach(({ key }, at) => {
    const partition = partitionOf(key);
    if (partition === undefined ? partitions.length > 0 : !partitions.includes(partition)) {
      problems.push(
        `tracker.streams[${at}].key: '${key}' must carry one of tracker.partitions in braces, or there must be neither`,
      );
    }
  });
  if (isCluster && partitions.length === 0) {
    problems.push("tracker.partitions: a cluster needs at least one, which says where the keys are");
  }
  return problems;
}

function resolveStreams(tracker: Parsed["tracker"]): StreamConfig[] {
  const { streams, partitions } = tracker;
  if (streams) return streams.map((stream) => ({ ...stream, partition: partitionOf(stream.key) ?? null }));
  if (partitions.length === 0) return [{ key: KEYS.events, partition: null }];
  return partitions.map((partition) => ({ key: keyIn(KEYS.events, partition), partition }));
}
