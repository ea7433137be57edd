/** Sending any number of events with a function that takes a bounded number. */
import type { HotpathFunctions } from "../contract";

/** Most events that one call of `track_events` takes. */
const MAX_EVENTS_PER_CALL = 1000;

export type TrackResult = Awaited<ReturnType<HotpathFunctions["trackEvents"]>>;

/**
 * Calls `track_events` as often as it takes, one call after the other.
 *
 * Not all or nothing: where a call fails, the events of the calls before it have been counted. What must be counted exactly
 * once is written to the stream instead.
 *
 * @param events JSON objects, any number
 * @param now clock of the calls, unix milliseconds; the server's if undefined
 * @returns the sums; the index of an error is its place in `events`
 */
export async function trackEventsInChunks(
  functions: Pick<HotpathFunctions, "trackEvents">,
  events: readonly string[],
  now?: number,
): Promise<TrackResult> {
  const total: TrackResult = { accepted: 0, rejected: 0, late: 0, errors: [] };
  for (let from = 0; from < events.length; from += MAX_EVENTS_PER_CALL) {
    const chunk = events.slice(from, from + MAX_EVENTS_PER_CALL);
    const { accepted, rejected, late, errors } = await functions.trackEvents({
      events: chunk,
      ...(now !== undefined && { now }),
    });
    total.accepted += accepted;
    total.rejected += rejected;
    total.late += late;
    for (const [index, code, message] of errors) total.errors.push([from + index, code, message]);
  }
  return total;
}
