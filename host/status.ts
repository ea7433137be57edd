/** What is loaded where, and how the tracker is doing. */
import type { Connection, Primary } from "./connection";
import type { HotpathFunctions } from "./contract";
import { describeError } from "./errors";
import { createFunctions } from "./functions";
import { checkServer, listLoaded, type BundledLibrary, type LoadedLibrary } from "./libraries";

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
  /** For example `redis 7.0.15`. */
  server: string;
  libraries: LibraryStatus[];
}

export interface Status {
  primaries: PrimaryStatus[];
  /** What `get_tracker_status` answers; one for each partition, or one without (partition null). */
  tracker: { partition: string | null; status: TrackerStatus | null; error: string | null }[];
}

export type TrackerStatus = Awaited<ReturnType<HotpathFunctions["getTrackerStatus"]>>;

/**
 * Looks at every primary.
 *
 * @param partitions those of the configuration; none without a cluster
 * @throws UserError if a server is too old
 */
export async function readStatus(
  connection: Connection,
  bundle: readonly BundledLibrary[],
  partitions: readonly string[],
): Promise<Status> {
  const primaries: PrimaryStatus[] = [];
  for (const primary of await connection.primaries()) primaries.push(await readPrimary(primary, bundle));
  const hasTracker = primaries.every(({ libraries }) =>
    libraries.some(({ library, state }) => library === "tracker" && state !== "missing" && state !== "foreign"),
  );
  const wanted = partitions.length > 0 ? partitions : connection.isCluster ? [] : [null];
  const tracker = hasTracker ? await Promise.all(wanted.map((partition) => readTracker(connection, partition))) : [];
  return { primaries, tracker };
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
  return { address: primary.address, server, libraries: [...ours, ...others.map(foreign)] };
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

async function readTracker(connection: Connection, partition: string | null): Promise<Status["tracker"][number]> {
  const functions = createFunctions((args, options) => connection.send(args, options), {
    ...(partition === null ? {} : { routingKey: `{${partition}}` }),
  });
  try {
    return { partition, status: await functions.getTrackerStatus(), error: null };
  } catch (error) {
    return { partition, status: null, error: describeError(error) };
  }
}
