/** The typed client of websites that several partitions count: `hotpath` as a library. */
import { functionsOf, type ClientOptions } from "../deploy/client";
import type { Connection } from "../redis/connection";
import type { TrackResult } from "./events";
import { unitedReads, type TrackerReads } from "./shared";
import { partitionOfPage } from "./spread";
import type { HotpathFunctions } from "../contract";

export interface SharedTracker extends TrackerReads {
  /**
   * `track_events`, each event in the partition of its page. Not all or nothing: a call goes to each partition, and where one fails the
   * others have counted theirs. The index of an error is its place in `events`.
   *
   * @throws HotpathError, UnavailableError of the first call that failed, once all have ended
   */
  trackEvents(args: Parameters<HotpathFunctions["trackEvents"]>[0]): Promise<TrackResult>;
}

/**
 * The tracker of websites that several partitions count together, as `tracker.websites` of the configuration names them.
 *
 * @param partitions the same as in the configuration
 */
export function sharedTracker(
  connection: Connection,
  partitions: readonly string[],
  { heal = false }: Pick<ClientOptions, "heal"> = {},
): SharedTracker {
  const byName = new Map(partitions.map((partition) => [partition, functionsOf(connection, { partition, heal })]));
  return { ...unitedReads([...byName.values()]), trackEvents: (args) => trackEvents(byName, args) };
}

async function trackEvents(
  byName: ReadonlyMap<string, HotpathFunctions>,
  { events, now }: Parameters<HotpathFunctions["trackEvents"]>[0],
): Promise<TrackResult> {
  const names = [...byName.keys()];
  const chosen = events.map((event) => partitionOfPage(urlOf(event), names));
  const placed = names.map((name) => ({ name, own: [...events.keys()].filter((at) => chosen[at] === name) }));
  const calls = await Promise.allSettled(
    placed
      .filter(({ own }) => own.length > 0)
      .map(async ({ name, own }) => {
        const reply = await byName.get(name)!.trackEvents({
          events: own.map((at) => events[at]!),
          ...(now !== undefined && { now }),
        });
        return {
          ...reply,
          errors: reply.errors.map(([at, ...rest]): (typeof reply.errors)[number] => [own[at]!, ...rest]),
        };
      }),
  );
  const total: TrackResult = { accepted: 0, rejected: 0, late: 0, errors: [] };
  for (const call of calls) {
    if (call.status === "rejected") throw call.reason;
    total.accepted += call.value.accepted;
    total.rejected += call.value.rejected;
    total.late += call.value.late;
    total.errors.push(...call.value.errors);
  }
  total.errors.sort(([a], [b]) => a - b);
  return total;
}

/** What has no address is refused wherever it goes. */
function urlOf(event: string): string {
  try {
    const { url } = JSON.parse(event) as { url?: unknown };
    return typeof url === "string" ? url : "";
  } catch {
    return "";
  }
}
