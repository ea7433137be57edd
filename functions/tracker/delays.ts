/**
 * What is really stuck. A late event makes an old window wait again, and an event after a quiet night lies hours after the
 * cursor: neither is a fault, and the lags of get_tracker_status do not tell them from one.
 */
import { clock } from "../runtime/clock";
import { command, integerReply, NOW, record } from "../runtime/declare";
import { idMs } from "../runtime/stream";
import { onKey, requireType } from "../runtime/types";
import type { Metric } from "./names";
import * as names from "./names";
import { cursorStreams, streamsReply, tiersReply } from "./status";
import { placeOf, unreadOf } from "./stream";
import { COARSEST, FINEST, TIERS } from "./windows";

/** Ids asked for before a window counts as one that has none of them. */
const IDS = 5;

type StreamDelay = [stream: string, unread: number, waitedMs: number];

function streamDelay(stream: string, nowMs: number): StreamDelay {
  if (redis.call("TYPE", stream).ok !== "stream") return [stream, 0, 0];
  const place = placeOf(stream);
  const [oldest] = onKey("XRANGE", stream, `(${place.cursor}`, "+", "COUNT", 1);
  if (oldest === undefined) return [stream, 0, 0];
  return [stream, unreadOf(stream, place), Math.max(nowMs - idMs(oldest[0]), 0)];
}

/** Whether nothing was ever carried into a window: what waits for it is not late. */
function isUntouched(tier: number, metric: Metric, start: string): boolean {
  if (metric === "PG") {
    return redis.call("EXISTS", names.mergedViews(tier, "W", start), names.openViews(tier, "W", start)) === 0;
  }
  const waiting = onKey("SRANDMEMBER", names.openDevices(tier, "W", start), IDS);
  for (const id of waiting) {
    if (redis.call("EXISTS", names.devices(tier, "W", id, start)) === 1) return false;
  }
  return waiting.length > 0;
}

/**
 * How long the oldest window that was never made has been over. Every event has a website, so that websites say it for
 * all dimensions. Only as far back as made windows are kept: before that, made and never made look the same.
 */
function tierDelay(tier: number, metric: Metric, nowMs: number): number {
  const { lengthMs, keepMs } = TIERS[tier]!;
  const pending = names.pendingWindows(tier, "W", metric);
  requireType(pending, "zset");
  for (const start of onKey("ZRANGE", pending, `(${nowMs - keepMs - lengthMs}`, `${nowMs - lengthMs}`, "BYSCORE")) {
    if (isUntouched(tier, metric, start)) return nowMs - tonumber(start)! - lengthMs;
  }
  return 0;
}

export const getTrackerDelays = command(
  {
    name: "get_tracker_delays",
    summary: "How long streams and tiers have been waiting for somebody to do their work",
    doc:
      "For alarms: unlike the lags of get_tracker_status, these are 0 while ingest and rotation are called as " +
      "often as they should be, whatever late events come.",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [NOW],
    reply: record([
      {
        name: "streams",
        type: streamsReply([
          { name: "unread", type: integerReply, doc: "about how many entries are not counted yet, never too few" },
          { name: "waited_ms", type: integerReply, unit: "ms", doc: "how long ago the oldest of them was written" },
        ]),
        doc: "streams that were ingested: key, entries that wait, ms that the oldest of them has waited",
      },
      {
        name: "tiers",
        type: tiersReply([
          {
            name: "pg_ms",
            type: integerReply,
            unit: "ms",
            doc: "how long the oldest window without page views that wait for it has been over",
          },
          { name: "ud_ms", type: integerReply, unit: "ms", doc: "the same for devices" },
        ]),
        doc: "tier, ms since the oldest window that was never made was over, for page views and for devices",
      },
    ]),
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => {
    const nowMs = clock(args.now);
    const streams: StreamDelay[] = [];
    for (const stream of cursorStreams()) streams.push(streamDelay(stream, nowMs));
    const tiers: [string, number, number][] = [];
    for (const tier of $range(FINEST + 1, COARSEST)) {
      tiers.push([TIERS[tier]!.name, tierDelay(tier, "PG", nowMs), tierDelay(tier, "UD", nowMs)]);
    }
    return { streams, tiers };
  },
);
