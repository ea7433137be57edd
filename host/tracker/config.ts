/** The section `tracker` of the configuration: streams and partitions, what is kept, and when its jobs run. */
import { z } from "zod";
import { parsePattern } from "../jobs/slots";
import { BOUNDS, KEYS, UNKNOWN_HOSTS, type MadeTier } from "../contract";
import { UserError } from "../runtime/errors";
import { keyIn, partitionOf } from "../redis/partitions";
import { readable, type Issue } from "../runtime/config-issues";
import { enrichmentSchema } from "./enrichment/settings";

/** Each tier as soon as one of its windows can be over. */
const SCHEDULE: Record<MadeTier, string> = {
  "5MINUTES": "*/5 * * * *",
  "10MINUTES": "*/10 * * * *",
  "1HOUR": "0 * * * *",
  "3HOURS": "0 */3 * * *",
};

/** What is old: pages to be fetched again, and documents to be removed. */
const UPKEEP = { refresh: "23 * * * *", expire: "43 * * * *" };

const JOB_SCHEDULE = { ...SCHEDULE, ...UPKEEP };
const pattern = (job: keyof typeof JOB_SCHEDULE) => readable(parsePattern).default(JOB_SCHEDULE[job]);
const whole = ([least, most]: readonly [number, number]) => z.int().min(least).max(most);
const limit = whole(BOUNDS.rotatePg.limit);

const streamSchema = z.strictObject({ key: z.string().min(1).max(512), limit: z.int().min(1).max(1000).optional() });

const partitionSchema = z.string().regex(/^[^{}:\s]{1,128}$/, "must be text without braces, colons and spaces");

export const trackerSchema = z.strictObject({
  streams: z.array(streamSchema).optional(),
  partitions: z.array(partitionSchema).default([]),
  websites: z
    .record(z.string().min(1).max(128), z.strictObject({ partitions: z.array(partitionSchema).min(1).max(64) }))
    .default({}),
  hosts: z.record(z.string().min(1), z.string().min(1).max(128)).optional(),
  unknown: z.enum(UNKNOWN_HOSTS).optional(),
  maxlen: whole(BOUNDS.configureTracker.maxlen).optional(),
  documentDays: whole(BOUNDS.configureTracker.documentDays).optional(),
  seriesFineDays: whole(BOUNDS.configureTracker.seriesFineDays).optional(),
  seriesCoarseDays: whole(BOUNDS.configureTracker.seriesCoarseDays).optional(),
  idKeepSeconds: whole([1, 3600]).optional(),
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

type ParsedTracker = z.output<typeof trackerSchema>;

/** One event stream and where its calls go. */
export interface StreamConfig {
  key: string;
  /** Entries a call; the function's own default if undefined. */
  limit?: number | undefined;
  partition: string | null;
}

export type TrackerConfig = Omit<ParsedTracker, "streams" | "partitions"> & {
  streams: StreamConfig[];
  /** One without a name on a single server that names none; none in a cluster where the tracker is not used. */
  partitions: readonly (string | null)[];
  /** The same, those that count the same websites together. */
  groups: readonly (readonly (string | null)[])[];
};

const NEEDS_PARTITIONS = "a cluster needs at least one, which says where the keys are";

/** Partitions, and their streams: those of the configuration; without any, the one that each has by its name. */
export function resolveTracker(tracker: ParsedTracker, isCluster: boolean): TrackerConfig {
  const { streams } = tracker;
  const partitions = tracker.partitions.length > 0 || isCluster ? tracker.partitions : [null];
  return {
    ...tracker,
    partitions,
    groups: groupsOf(partitions, tracker.websites),
    streams: streams
      ? streams.map((stream) => ({ ...stream, partition: partitionOf(stream.key) ?? null }))
      : partitions.map((partition) => ({ key: keyIn(KEYS.events, partition), partition })),
  };
}

/** Partitions by what they count: those of a website together, every other one by itself. */
function groupsOf(
  partitions: readonly (string | null)[],
  websites: ParsedTracker["websites"],
): (readonly (string | null)[])[] {
  const together = Object.values(websites).map((website) => website.partitions);
  const groups = new Set(partitions.map((each) => together.find(([first]) => first === each) ?? [each]));
  const others = new Set<string | null>(together.flatMap((each) => each.slice(1)));
  return [...groups].filter(([first]) => !others.has(first!));
}

/**
 * The partitions of the tracker, for what is about nothing else.
 *
 * @throws UserError in a cluster whose configuration names none
 */
export function requirePartitions({ partitions }: Pick<TrackerConfig, "partitions">): readonly (string | null)[] {
  if (partitions.length === 0) throw new UserError(`tracker.partitions: ${NEEDS_PARTITIONS}`);
  return partitions;
}

/**
 * What is right by itself and wrong together.
 *
 * @param isUsed whether the configuration says anything about the tracker: in a cluster it then has to say where it is
 */
export function findTrackerContradictions(
  { partitions, websites, streams = [] }: ParsedTracker,
  { isCluster, isUsed }: { isCluster: boolean; isUsed: boolean },
): Issue[] {
  const issues: Issue[] = [];
  partitions.forEach((name, at) => {
    if (partitions.indexOf(name) !== at)
      issues.push({ path: ["tracker", "partitions", at], message: `'${name}' is named twice` });
  });
  issues.push(...findWebsiteContradictions(partitions, websites));
  streams.forEach(({ key }, at) => {
    const partition = partitionOf(key);
    if (partition === undefined ? partitions.length > 0 : !partitions.includes(partition)) {
      const message = `'${key}' must carry one of tracker.partitions in braces, or there must be neither`;
      issues.push({ path: ["tracker", "streams", at, "key"], message });
    }
  });
  if (isCluster && isUsed && partitions.length === 0)
    issues.push({ path: ["tracker", "partitions"], message: NEEDS_PARTITIONS });
  return issues;
}

/** Two websites share all of their partitions or none: what one has seen is brought to all others that count the same. */
function findWebsiteContradictions(partitions: readonly string[], websites: ParsedTracker["websites"]): Issue[] {
  const issues: Issue[] = [];
  const groups = new Map<string, readonly string[]>();
  for (const [name, { partitions: own }] of Object.entries(websites)) {
    own.forEach((partition, at) => {
      const path = ["tracker", "websites", name, "partitions", at];
      const others = groups.get(partition);
      if (!partitions.includes(partition))
        issues.push({ path, message: `'${partition}' is none of tracker.partitions` });
      else if (own.indexOf(partition) !== at) issues.push({ path, message: `'${partition}' is named twice` });
      else if (others !== undefined && others.join(" ") !== own.join(" "))
        issues.push({
          path,
          message: `'${partition}' belongs to ${others.join(", ")} already, and websites share all of their partitions or none`,
        });
    });
    for (const partition of own) groups.set(partition, groups.get(partition) ?? own);
  }
  return issues;
}
