/** A host at work: connection, functions, and what both need before the jobs may run. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Config } from "../config";
import type { TrackerConfig } from "../tracker/config";
import { connect, type Connection, type Primary } from "../redis/connection";
import type { HotpathFunctions } from "../contract";
import { healPrimary } from "../deploy/deploy";
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
  #opening: Promise<Connection> | undefined;
  /** Servers that are just being prepared, by address. */
  readonly #preparing = new Map<string, Promise<void>>();

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
  ) {
    this.topics = topicsOf(config.notifier);
  }

  /** Open once Redis has been reached for the first time. */
  get connection(): Connection {
    if (!this.#connection) throw new UnavailableError("not connected yet", false);
    return this.#connection;
  }

  /**
   * Reaches Redis and makes all of it ready for work; see {@link preparePlace}.
   *
   * @throws UnavailableError if any primary is away; UserError if one is too old or a library cannot be loaded
   */
  async prepare(): Promise<void> {
    const connection = await this.#open();
    for (const primary of await connection.primaries()) await this.#prepareServer(primary);
    for (const place of this.places) await this.#configure(place);
  }

  /**
   * Makes one place ready for work: the server that has its slot, and what is configured of it. A library that is missing is loaded,
   * because nothing works without it, and a server that came back empty must not wait for a person. One that differs is used as it is,
   * with a warning: versions are changed by `hotpath deploy` only, so that an old host does not undo a deploy.
   *
   * @throws UnavailableError if its server is away; UserError if it is too old or a library cannot be loaded
   */
  async preparePlace(place: string | null): Promise<void> {
    const connection = await this.#open();
    await this.#prepareServer(await connection.primaryOf(routingOf(place).routingKey));
    await this.#configure(place);
  }

  #open(): Promise<Connection> {
    this.#opening ??= connect(this.config.redis.url).then(
      (connection) => (this.#connection = connection),
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /** Once for all places of a server that ask for it at the same time. */
  #prepareServer(primary: Primary): Promise<void> {
    const { address } = primary;
    const known = this.#preparing.get(address);
    if (known) return known;
    const preparing = this.#checkAndHeal(primary).finally(() => this.#preparing.delete(address));
    this.#preparing.set(address, preparing);
    return preparing;
  }

  async #checkAndHeal(primary: Primary): Promise<void> {
    await primary.send(["PING"]);
    await checkServer(primary);
    await checkPrimary(primary);
    const loaded = await listLoaded(
      primary,
      this.#bundle.map(({ name }) => name),
    );
    let isWhole = true;
    for (const library of this.#bundle) {
      const present = loaded.find(({ name }) => name === library.name);
      if (!present) isWhole = false;
      else if (present.own?.code !== library.code) this.#warnOnce(primary.address, library.name);
    }
    if (!isWhole) await this.#heal(primary);
  }

  async #configure(place: string | null): Promise<void> {
    const { tracker } = this.config;
    const group = tracker.groups.find((each) => each.includes(place));
    if (group !== undefined) await configure(this.functions(place), tracker, group);
    for (const topic of this.topics.filter(({ partition }) => partition === place))
      this.#topicSettings.set(topic.name, await applyTopic(this.functions(place), topic));
  }

  /** What is in force for a topic of the configuration, once its place was prepared. */
  settingsOf({ name }: Topic): TopicSettings {
    const settings = this.#topicSettings.get(name);
    if (!settings) throw new UnavailableError("not connected yet", false);
    return settings;
  }

  /** Wherever this host has something to do: the partitions of all libraries. Each may be away by itself. */
  get places(): readonly (string | null)[] {
    const { tracker, catalog } = this.config;
    const vendors = catalog.vendors.length > 0 ? [catalog.partition ?? null] : [];
    return [...new Set([...tracker.partitions, ...this.topics.map(({ partition }) => partition), ...vendors])];
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
      // Work that is claimed, ended or given out. What the schedule calls goes on where it was, however often it is called.
      once: ({ role }) => role === "worker",
      heal: async () => this.#heal(await this.connection.primaryOf(routingOf(partition).routingKey)),
    });
  }

  /** Loads what a server misses, all of it: it came back empty, and the next call may be of any library. */
  async #heal(primary: Primary): Promise<void> {
    for (const library of await healPrimary(primary, this.#bundle))
      this.log.warn({ library, server: primary.address }, "library was missing and has been loaded");
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
  const {
    hosts,
    unknown,
    maxlen,
    documentDays,
    seriesFineDays,
    seriesCoarseDays,
    idKeepSeconds,
    enrichment,
    websites,
  } = tracker;
  const given: Parameters<HotpathFunctions["configureTracker"]>[0] = {
    ...(Object.keys(websites).length > 0 && { shared: group.length > 1 ? 1 : 0 }),
    ...(hosts && { hosts: JSON.stringify(hosts) }),
    ...(unknown !== undefined && { unknown }),
    ...(maxlen !== undefined && { maxlen }),
    ...(documentDays !== undefined && { documentDays }),
    ...(seriesFineDays !== undefined && { seriesFineDays }),
    ...(seriesCoarseDays !== undefined && { seriesCoarseDays }),
    ...(idKeepSeconds !== undefined && { idKeep: 1000 * idKeepSeconds }),
    ...(enrichment && { enrich: enrichment.enabled ? 1 : 0 }),
    ...(enrichment?.refreshDays !== undefined && { refreshDays: enrichment.refreshDays }),
  };
  if (Object.keys(given).length > 0) await functions.configureTracker(given);
}
