/** The topics of the configuration, and how they are applied. */
import type { HotpathFunctions } from "../contract";
import type { WorkerHost } from "../jobs/service";
import { UserError } from "../runtime/errors";
import { LEASE_MARGIN_SECONDS, timeoutProblem, type NotifierConfig, type TopicConfig } from "./config";

/** What is in force in Redis. */
export type TopicSettings = Awaited<ReturnType<HotpathFunctions["getTopic"]>>;

/** A topic of the configuration. */
export interface Topic {
  name: string;
  partition: string | null;
  config: TopicConfig;
}

/** A host that has topics. */
export interface NotifierHost extends WorkerHost {
  /** Those of the configuration. */
  readonly topics: readonly Topic[];
  /** What is in force for a topic of the configuration. */
  settingsOf(topic: Topic): TopicSettings;
}

/** All topics of the configuration. */
export function topicsOf({ topics }: NotifierConfig): Topic[] {
  return Object.entries(topics).map(([name, config]) => ({ name, partition: config.partition ?? null, config }));
}

/**
 * Applies those settings that the configuration names; the others stay as they are in Redis. A topic that is not there is made.
 *
 * @returns all that is in force
 * @throws UserError if a delivery could outlast the lease that is in force
 */
export async function applyTopic(
  functions: Pick<HotpathFunctions, "configureTopic">,
  { name, config }: Topic,
): Promise<TopicSettings> {
  const settings = await functions.configureTopic({ topic: name, ...argumentsOf(config) });
  const leaseSeconds = settings.lease / 1000;
  const timeoutSeconds = config.courier?.timeoutSeconds ?? 0;
  if (config.courier && timeoutSeconds + LEASE_MARGIN_SECONDS > leaseSeconds) {
    throw new UserError(
      `notifier.topics.${name}.courier.timeoutSeconds: ${timeoutProblem(timeoutSeconds, leaseSeconds)}`,
    );
  }
  return settings;
}

type ConfigureArguments = Omit<Parameters<HotpathFunctions["configureTopic"]>[0], "topic" | "once" | "onceFor">;

function argumentsOf(config: TopicConfig): ConfigureArguments {
  const { stream, subject, item, prefix, attempts, maxlen } = config;
  const given: Record<keyof ConfigureArguments, string | number | undefined> = {
    ...{ stream, subject, item, prefix, attempts, maxlen },
    quiet: toMs(config.quietSeconds),
    maxwait: toMs(config.maxWaitSeconds),
    lease: toMs(config.leaseSeconds),
    backoff: toMs(config.backoffSeconds),
    idKeep: toMs(config.idKeepSeconds),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function toMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}
