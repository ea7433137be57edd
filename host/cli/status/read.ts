/** What is loaded where, and how the tracker is doing. */
import type { Connection, Primary } from "../../redis/connection";
import type { HotpathFunctions } from "../../contract";
import { describeError } from "../../runtime/errors";
import { functionsOf } from "../../deploy/client";
import { checkServer, listLoaded, type BundledLibrary, type LoadedLibrary } from "../../deploy/libraries";
import { routingOf } from "../../redis/partitions";
import { readMemory, readServerMemory, type PartMemory, type ServerMemory } from "./memory";

export type LibraryState = "in step" | "differs" | "missing" | "foreign";

export interface LibraryStatus {
  library: string;
  /** `foreign`: not of this package. */
  state: LibraryState;
  /** Null where the library is missing, or somebody else's. */
  version: string | null;
  hash: string | null;
  functions: number;
}

export interface PrimaryStatus {
  address: string;
  /** Why it is away; null where it answers. Of one that is away nothing else is known. */
  problem: string | null;
  /** For example `redis 7.0.15`. */
  server: string;
  libraries: LibraryStatus[];
  /** Null where it may not be asked for. */
  memory: ServerMemory | null;
}

/** One for each partition, or one without (partition null). */
export interface PartitionStatus {
  partition: string | null;
  /** What `get_tracker_status` answers. */
  status: TrackerStatus | null;
  /** What `get_tracker_delays` answers; null where the library is too old for it. */
  delays: TrackerDelays | null;
  /** An estimate, part by part; null where it cannot be had, and why. */
  memory: PartMemory[] | null;
  memoryError: string | null;
  /** Streams of the configuration that hold entries and were never ingested. */
  unread: { stream: string; entries: number }[];
  error: string | null;
}

/** A topic of the configuration: what went missing of its stream. */
export interface TopicStatus {
  topic: string;
  partition: string | null;
  stream: string;
  missing: number;
  missingAt: number;
  begunAnew: number;
}

/** A replica, as the cluster tells of it. */
export interface ReplicaStatus {
  address: string;
  health: string;
}

export interface Status {
  primaries: PrimaryStatus[];
  replicas: ReplicaStatus[];
  tracker: PartitionStatus[];
  topics: TopicStatus[];
}

export type TrackerStatus = Awaited<ReturnType<HotpathFunctions["getTrackerStatus"]>>;
export type TrackerDelays = Awaited<ReturnType<HotpathFunctions["getTrackerDelays"]>>;

/** An event stream of the configuration. */
export interface StatusStream {
  key: string;
  partition: string | null;
}

/** A topic of the configuration. */
export interface ConfiguredTopic {
  name: string;
  partition: string | null;
}

/**
 * Looks at every primary that is there, and names those that are not.
 *
 * @param partitions those of the configuration
 * @param streams those of the configuration
 * @param topics those of the configuration
 * @throws UserError if a server is too old
 */
export async function readStatus(
  connection: Connection,
  bundle: readonly BundledLibrary[],
  partitions: readonly (string | null)[],
  streams: readonly StatusStream[] = [],
  topics: readonly ConfiguredTopic[] = [],
): Promise<Status> {
  const primaries: PrimaryStatus[] = [];
  const replicas: ReplicaStatus[] = [];
  for (const { address, role, health, primary, problem } of await connection.servers()) {
    if (role === "replica") replicas.push({ address, health });
    else if (primary !== undefined) primaries.push(await readPrimary(primary, bundle));
    else primaries.push({ address, problem: problem ?? "", server: "", libraries: [], memory: null });
  }
  const hasTracker = primaries
    .filter(({ problem }) => problem === null)
    .some(({ libraries }) =>
      libraries.some(({ library, state }) => library === "tracker" && state !== "missing" && state !== "foreign"),
    );
  const tracker = hasTracker
    ? await Promise.all(partitions.map((partition) => readTracker(connection, partition, streams)))
    : [];
  const found = await Promise.all(topics.map((topic) => readTopic(connection, topic)));
  return { primaries, replicas, tracker, topics: found.flatMap((topic) => topic ?? []) };
}

/** Undefined where it cannot be had: no library, or one of before these figures. */
async function readTopic(
  connection: Connection,
  { name, partition }: ConfiguredTopic,
): Promise<TopicStatus | undefined> {
  try {
    const { stream, missing, missingAt, begunAnew } = await functionsOf(connection, { partition }).getNotifierStatus({
      topic: name,
    });
    return { topic: name, partition, stream, missing, missingAt, begunAnew };
  } catch {
    return undefined;
  }
}

/** Whether every library of this package is loaded as it is here, on every primary. */
export function isInStep(status: Status, bundle: readonly BundledLibrary[]): boolean {
  return status.primaries.every(({ libraries }) =>
    bundle.every(({ name }) => libraries.some(({ library, state }) => library === name && state === "in step")),
  );
}

async function readPrimary(primary: Primary, bundle: readonly BundledLibrary[]): Promise<PrimaryStatus> {
  const server = await checkServer(primary);
  const loaded = await listLoaded(
    primary,
    bundle.map(({ name }) => name),
  );
  const ours = bundle.map((library) =>
    compare(
      library,
      loaded.find(({ name }) => name === library.name),
    ),
  );
  const others = loaded.filter(({ name }) => !bundle.some((library) => library.name === name));
  return {
    address: primary.address,
    problem: null,
    server,
    libraries: [...ours, ...others.map(foreign)],
    memory: await readServerMemory(primary).catch(() => null),
  };
}

function compare(library: BundledLibrary, loaded: LoadedLibrary | undefined): LibraryStatus {
  if (!loaded) return { library: library.name, state: "missing", version: null, hash: null, functions: 0 };
  if (!loaded.own) return foreign(loaded);
  return {
    library: library.name,
    state: loaded.own.code === library.code ? "in step" : "differs",
    version: loaded.own.identity?.version ?? null,
    hash: loaded.own.identity?.hash ?? null,
    functions: loaded.functions.length,
  };
}

function foreign(loaded: LoadedLibrary): LibraryStatus {
  return { library: loaded.name, state: "foreign", version: null, hash: null, functions: loaded.functions.length };
}

async function readTracker(
  connection: Connection,
  partition: string | null,
  streams: readonly StatusStream[],
): Promise<PartitionStatus> {
  const functions = functionsOf(connection, { partition });
  const nothing = { partition, status: null, delays: null, memory: null, memoryError: null, unread: [] };
  try {
    const status = await functions.getTrackerStatus();
    const known = status.streams.map(([stream]) => stream);
    const others = streams.filter((stream) => stream.partition === partition && !known.includes(stream.key));
    const unread = await readUnread((key) => connection.send(["XLEN", key], routingOf(partition)), others);
    // A library of before these functions has its status all the same.
    const delays = await functions.getTrackerDelays().catch(() => null);
    return { ...nothing, status, delays, unread, ...(await estimateMemory(functions)), error: null };
  } catch (error) {
    return { ...nothing, error: describeError(error) };
  }
}

async function estimateMemory(functions: HotpathFunctions): Promise<Pick<PartitionStatus, "memory" | "memoryError">> {
  try {
    return { memory: await readMemory(functions), memoryError: null };
  } catch (error) {
    return { memory: null, memoryError: describeError(error) };
  }
}

async function readUnread(
  length: (key: string) => Promise<unknown>,
  streams: readonly StatusStream[],
): Promise<PartitionStatus["unread"]> {
  const found: PartitionStatus["unread"] = [];
  for (const { key } of streams) {
    const entries = (await length(key)) as number;
    if (entries > 0) found.push({ stream: key, entries });
  }
  return found;
}
