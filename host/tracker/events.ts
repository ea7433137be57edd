/** Sending any number of events with a function that takes a bounded number. */
import { LIMITS, type HotpathFunctions } from "../contract";

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
  for (let from = 0; from < events.length; from += LIMITS.eventsPerCall) {
    const chunk = events.slice(from, from + LIMITS.eventsPerCall);
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
