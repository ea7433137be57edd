/** The configuration: a file, REDIS_URL, and defaults; checked as a whole before anything starts. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { catalogSchema, findCatalogContradictions } from "./catalog/config";
import { inlineVendorFiles } from "./catalog/vendor-files";
import { describeIssue, formatIssue, readable } from "./runtime/config-issues";
import { UserError } from "./runtime/errors";
import { LOG_LEVELS } from "./runtime/log";
import { findNotifierContradictions, findSecrets, notifierSchema } from "./notifier/config";
import { parseServerUrl } from "./redis/url";
import { findTrackerContradictions, resolveTracker, trackerSchema, type TrackerConfig } from "./tracker/config";

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

export type Config = Omit<Parsed, "tracker"> & {
  tracker: TrackerConfig;
  /** The file it was read from; undefined if there was none. */
  file: string | undefined;
};

interface ConfigSource {
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
  const found = parsed.success ? findContradictions(parsed.data, raw) : parsed.error.issues.flatMap(describeIssue);
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
  return { ...rest, tracker: resolveTracker(tracker, isCluster(parsed.data)), file };
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
function findContradictions(parsed: Parsed, raw: unknown): string[] {
  const { tracker, notifier, catalog } = parsed;
  const cluster = isCluster(parsed);
  const isUsed = isObject(raw) && isObject(raw["tracker"]) && Object.keys(raw["tracker"]).length > 0;
  return [
    ...findNotifierContradictions(notifier, cluster),
    ...findCatalogContradictions(catalog, cluster),
    ...findTrackerContradictions(tracker, { isCluster: cluster, isUsed }),
  ].map(formatIssue);
}

function isCluster({ redis }: Parsed): boolean {
  return parseServerUrl(redis.url).kind === "cluster";
}
