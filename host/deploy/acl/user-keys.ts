/** The keys that a configuration names otherwise than the functions do. */
import type { Config } from "../../config";
import { UserError, UsageError } from "../../runtime/errors";
import { KEYS } from "../../contract";
import { keyIn } from "../../redis/partitions";
import { escapePattern, type UserKeys } from "./users";

/** Rules are separated by spaces, and a selector stands in brackets. */
const UNFIT = /[\s()\0]/;

/**
 * The streams and lists that the configuration and the command line name.
 *
 * @param patterns of the command line, as globs
 * @throws UsageError or UserError if a rule of Redis cannot hold one
 */
export function namedKeys(
  { tracker, notifier }: Pick<Config, "tracker" | "notifier">,
  patterns: readonly string[],
): UserKeys[] {
  const unfit = patterns.find((each) => each === "" || UNFIT.test(each));
  if (unfit !== undefined) throw new UsageError(`--keys '${unfit}' is no pattern of keys without spaces and brackets`);
  const configured = [
    ...tracker.streams.filter(isNamed).map(({ key }) => ({ library: "tracker", pattern: escapePattern(key) })),
    ...Object.entries(notifier.topics).flatMap(([name, topic]) =>
      ofTopic(name, topic).map((pattern) => ({ library: "notifier", pattern })),
    ),
  ];
  const refused = configured.find(({ pattern }) => UNFIT.test(pattern));
  if (refused)
    throw new UserError(`a rule of Redis cannot name the key '${refused.pattern}', which holds spaces or brackets`);
  return [...configured, ...patterns.map((pattern) => ({ pattern }))];
}

function isNamed({ key, partition }: Config["tracker"]["streams"][number]): boolean {
  return key !== keyIn(KEYS.events, partition);
}

/** The stream of a topic, with its hash tag before it or without, and its lists. */
function ofTopic(
  name: string,
  { stream = name, prefix }: { stream?: string | undefined; prefix?: string | undefined },
): string[] {
  const key = escapePattern(stream);
  return [key, `{*}${key}`, ...(prefix === undefined ? [] : [`${escapePattern(prefix)}*`])];
}
