/** What the commands of `hotpath notify` reach Redis by. */
import type { Config } from "../../config";
import type { Connection } from "../../redis/connection";
import type { HotpathFunctions } from "../../contract";
import { UsageError } from "../../runtime/errors";
import { gateOf, type Gate, type GateState } from "../../jobs/gate";
import { topicsOf, type Topic } from "../../notifier/topics";
import { functionsOf } from "../../deploy/client";
import { withLibrary } from "../access";

export interface Notifier {
  config: Config;
  /** The functions, called where the topic lies. */
  functionsOf(topic: string): HotpathFunctions;
  /** @throws UsageError if the configuration does not name it */
  configured(topic: string): Topic;
  /** What the topic's receiver has said. */
  gateStateOf(topic: string): Promise<GateState>;
  /** Delivers to it again; true if it did not want anything. */
  openGate(topic: string): Promise<boolean>;
  /** Names of all topics, those of the configuration first; in a cluster, where each partition has its own, of no others. */
  topicNames(): Promise<string[]>;
}

/**
 * Connects for the time of `work`.
 *
 * @throws UserError if the library is not loaded; what `work` throws
 */
export async function withNotifier(work: (notifier: Notifier) => Promise<void>): Promise<void> {
  await withLibrary("notifier", (config, connection) => work(notifierOf(config, connection)));
}

function notifierOf(config: Config, connection: Connection): Notifier {
  const topics = topicsOf(config.notifier);
  const names = topics.map(({ name }) => name);
  const partitionOf = (topic: string): string | null => topics.find(({ name }) => name === topic)?.partition ?? null;
  const gate = (topic: string): Gate => gateOf(connection, { topic, partition: partitionOf(topic) });
  return {
    config,
    functionsOf: (topic) => functionsOf(connection, { partition: partitionOf(topic) }),
    configured: (topic) => {
      const found = topics.find(({ name }) => name === topic);
      if (!found)
        throw new UsageError(
          `there is no topic '${topic}' in the configuration; there is ${names.join(", ") || "none"}`,
        );
      return found;
    },
    gateStateOf: (topic) => gate(topic).read(),
    openGate: (topic) => gate(topic).open(),
    topicNames: async () => {
      const known = connection.isCluster ? [] : await functionsOf(connection).listTopics();
      return [...new Set([...names, ...known])];
    },
  };
}
