import { LIMITS, type RefusalReason } from "../../host/contract";
import type { TrafficEvent } from "../../host/tracker/import/event";
import { DAY_MS } from "../../host/runtime/time";

interface Spoiler {
  reason: RefusalReason;
  spoil: (event: TrafficEvent, arrivalMs: number) => TrafficEvent;
}

/**
 * How a good event is spoiled. The times keep clear of the tracker's bounds (7 days back, 5 minutes ahead) by a wide
 * margin, because a feeder hands in a whole batch with one `NOW` that is a little off the arrival of each event.
 */
const SPOILERS = {
  "missing url": { reason: "url", spoil: (event) => ({ ...event, url: "" }) },
  "relative url": { reason: "url", spoil: (event) => ({ ...event, url: new URL(event.url).pathname }) },
  "long url": {
    reason: "url",
    spoil: (event) => ({ ...event, url: `${event.url}?pad=${"x".repeat(LIMITS.urlBytes)}` }),
  },
  "empty uui": { reason: "uui", spoil: (event) => ({ ...event, uui: "" }) },
  "null uui": { reason: "uui", spoil: (event) => ({ ...event, uui: "null" }) },
  "long uui": { reason: "uui", spoil: (event) => ({ ...event, uui: event.uui.padEnd(LIMITS.deviceBytes + 1, "x") }) },
  "malformed dt": { reason: "dt", spoil: (event) => ({ ...event, dt: "yesterday" }) },
  "too old": { reason: "old", spoil: (event, arrivalMs) => ({ ...event, dt: arrivalMs - 8 * DAY_MS }) },
  "in the future": { reason: "future", spoil: (event, arrivalMs) => ({ ...event, dt: arrivalMs + DAY_MS }) },
} satisfies Record<string, Spoiler>;

/** What is wrong with a bad event. */
export type BadKind = keyof typeof SPOILERS;

/** Why the tracker refuses a bad event; its counters go by it. */
export type BadReason = (typeof SPOILERS)[BadKind]["reason"];

/** All kinds, in a fixed order. */
export const BAD_KINDS = Object.keys(SPOILERS) as readonly BadKind[];

/**
 * Tells how the tracker counts a kind of bad event.
 *
 * @param kind what is wrong
 * @returns the reason under which it is refused
 */
export function reasonOf(kind: BadKind): BadReason {
  return SPOILERS[kind].reason;
}

/**
 * Spoils a good event.
 *
 * @param event a good event; it is left as it is
 * @param kind what shall be wrong with it
 * @param arrivalMs when it arrives, unix milliseconds; ages are relative to it
 * @returns the bad event, wrong in this respect and no other
 */
export function spoil(event: TrafficEvent, kind: BadKind, arrivalMs: number): TrafficEvent {
  return SPOILERS[kind].spoil(event, arrivalMs);
}
