/** A host at work: connection, functions, and what both need before the jobs may run. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Config } from "../config";
import type { TrackerConfig } from "../tracker/config";
import { connect, type Connection } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { healLibrary } from "../deploy/deploy";
import { UnavailableError } from "../runtime/errors";
import { createFunctions } from "../redis/functions";
import { checkPrimary, checkServer, listLoaded, readBundle, type BundledLibrary } from "../deploy/libraries";
import type { Logger } from "../runtime/log";
import { routingOf } from "../redis/partitions";
import { applyTopic, topicsOf, type Topic, type TopicSettings, type NotifierHost } from "../notifier/topics";

export class Host implements NotifierHost {
  /** Names this process in leads: the same in all its calls, and never that of another. */
  readonly worker = `${hostname().slice(0, 64)}:${process.pid}:${randomUUID().slice(0, 8)}`;
  /** The topics of the configuration. */
  readonly topics: readonly Topic[];
  readonly #topicSettings = new Map<string, TopicSettings>();
  readonly #bundle: BundledLibrary[] = readBundle();
  readonly #warned = new Set<string>();
  #connection: Connection | undefined;

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
  ) {
    this.topics = topicsOf(config.notifier);
  }

  /** Open once {@link prepare} has returned for the first time. */
  get connection(): Connection {
    if (!this.#connection) throw new UnavailableError("not connected yet", false);
    return this.#connection;
  }

  /**
   * Reaches Redis and makes it ready for work. A library that is missing is loaded, because nothing works without it, and a
   * server that came back empty must not wait for a person. One that differs is used as it is, with a warning: versions are
   * changed by `hotpath deploy` only, so that an old host does not undo a deploy.
   *
   * @throws UnavailableError if Redis is away; UserError if it is too old or a library cannot be loaded
   */
  async prepare(): Promise<void> {
    this.#connection ??= await connect(this.config.redis.url);
    for (const primary of await this.#connection.primaries()) {
      await primary.send(["PING"]);
      await checkServer(primary);
      await checkPrimary(primary);
      const loaded = await listLoaded(
        primary,
        this.#bundle.map(({ name }) => name),
      );
      for (const library of this.#bundle) {
        const present = loaded.find(({ name }) => name === library.name);
        if (!present) await this.heal(library.name);
        else if (present.own?.code !== library.code) this.#warnOnce(primary.address, library.name);
      }
    }
    for (const group of this.config.tracker.groups)
      for (const partition of group) await configure(this.functions(partition), this.config.tracker, group);
    for (const topic of this.topics)
      this.#topicSettings.set(topic.name, await applyTopic(this.functions(topic.partition), topic));
  }

  /** What is in force for a topic of the configuration, once {@link prepare} has returned. */
  settingsOf({ name }: Topic): TopicSettings {
    const settings = this.#topicSettings.get(name);
    if (!settings) throw new UnavailableError("not connected yet", false);
    return settings;
  }

  /** Each partition of the tracker; one without a name on a single server, none where the tracker is not used. */
  get partitions(): readonly (string | null)[] {
    return this.config.tracker.partitions;
  }

  /** The functions, called in a partition. */
  functions(partition: string | null): HotpathFunctions {
    // Not by functionsOf: these may be made before the connection is, and healing is told in the log.
    return createFunctions((args, options) => this.connection.send(args, options), {
      ...routingOf(partition),
      heal: (library) => this.heal(library),
    });
  }

  /** Loads a library where it is missing. */
  async heal(library: string): Promise<void> {
    await healLibrary(this.connection, this.#bundle, library);
    this.log.warn({ library }, "library was missing and has been loaded");
  }

  close(): void {
    this.#connection?.close();
  }

  #warnOnce(address: string, library: string): void {
    const what = `${address} ${library}`;
    if (this.#warned.has(what)) return;
    this.#warned.add(what);
    this.log.warn(
      { library, server: address },
      "another version of the library is loaded and will be used; hotpath deploy replaces it",
    );
  }
}

/** Applies those settings that the configuration names; the others stay as they are in Redis. */
async function configure(
  functions: HotpathFunctions,
  tracker: TrackerConfig,
  group: readonly (string | null)[],
): Promise<void> {
  const { hosts, unknown, maxlen, documentDays, seriesFineDays, seriesCoarseDays, enrichment, websites } = tracker;
  const given: Parameters<HotpathFunctions["configureTracker"]>[0] = {
    ...(Object.keys(websites).length > 0 && { shared: group.length > 1 ? 1 : 0 }),
    ...(hosts && { hosts: JSON.stringify(hosts) }),
    ...(unknown !== undefined && { unknown }),
    ...(maxlen !== undefined && { maxlen }),
    ...(documentDays !== undefined && { documentDays }),
    ...(seriesFineDays !== undefined && { seriesFineDays }),
    ...(seriesCoarseDays !== undefined && { seriesCoarseDays }),
    ...(enrichment && { enrich: enrichment.enabled ? 1 : 0 }),
    ...(enrichment?.refreshDays !== undefined && { refreshDays: enrichment.refreshDays }),
  };
  if (Object.keys(given).length > 0) await functions.configureTracker(given);
}
