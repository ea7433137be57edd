/** How the tracker is doing. */
import { clock } from "../runtime/clock";
import {
  command,
  integerReply,
  list,
  NOW,
  nullable,
  record,
  textReply,
  tuple,
  type ReplyField,
  type ReplyType,
} from "../runtime/declare";
import { mostFirst, reasonsReply } from "../runtime/rejected";
import { idMs, readInfo } from "../runtime/stream";
import { onKey, requireType } from "../runtime/types";
import { documentsField } from "./documents";
import { ENRICHED_FIELD } from "./enrichment";
import { WAITING_FIELD } from "./enrichment-stream";
import { REASONS } from "./events";
import type { Metric } from "./names";
import * as names from "./names";
import { rejectedField } from "./rejected";
import { lossOf, placeOf, type Place } from "./stream";
import { FINEST, remainingMs, TIERS, windowStart } from "./windows";

const CURSOR_PREFIX = "cursor:";

/** Fields of the state hash as a table. */
function readFields(): Record<string, string> {
  requireType(names.state(), "hash");
  const flat = onKey("HGETALL", names.state());
  const stored: Record<string, string> = {};
  for (const at of $range(1, flat.length, 2)) stored[flat[at - 1]!] = flat[at]!;
  return stored;
}

function numberField(stored: Record<string, string>, field: string): number {
  return tonumber(stored[field] ?? "0")!;
}

type StreamStatus = [
  stream: string,
  cursor: string,
  length: number,
  lagMs: number,
  missing: number,
  missingAt: number,
  begunAnew: number,
];

const NOTHING_THERE: Place = { cursor: "0-0", position: 0, added: 0, missing: 0, anew: 0 };

function streamStatus(stream: string, cursor: string): StreamStatus {
  const isThere = redis.call("TYPE", stream).ok === "stream";
  const [missing, anew, at] = lossOf(stream, isThere ? placeOf(stream) : NOTHING_THERE);
  if (!isThere) return [stream, cursor, 0, 0, missing, at, anew];
  const { length, lastId } = readInfo(stream);
  return [stream, cursor, length, Math.max(idMs(lastId) - idMs(cursor), 0), missing, at, anew];
}

/** The streams with a cursor, by name. */
function streamsIn(stored: Record<string, string>): string[] {
  const found: string[] = [];
  for (const [field] of pairs(stored)) {
    if (string.sub(field, 1, CURSOR_PREFIX.length) === CURSOR_PREFIX)
      found.push(names.eventStream(string.sub(field, CURSOR_PREFIX.length + 1)));
  }
  table.sort(found);
  return found;
}

/** The streams that were ever ingested, by name. */
export function cursorStreams(): string[] {
  return streamsIn(readFields());
}

function streams(stored: Record<string, string>): StreamStatus[] {
  const found: StreamStatus[] = [];
  for (const stream of streamsIn(stored)) found.push(streamStatus(stream, stored[CURSOR_PREFIX + stream]!));
  return found;
}

function rejected(stored: Record<string, string>): [string, number][] {
  const counts: [string, number][] = [];
  for (const [reason] of pairs(REASONS)) {
    const count = numberField(stored, rejectedField(reason));
    if (count > 0) counts.push([reason, count]);
  }
  return mostFirst(counts);
}

/** Reasons and how many pages were given up for them, most first. */
function abandoned(): [string, number][] {
  const flat = onKey("HGETALL", names.abandonedPages());
  const counts: [string, number][] = [];
  for (const at of $range(1, flat.length, 2)) counts.push([flat[at - 1]!, tonumber(flat[at])!]);
  return mostFirst(counts);
}

/** How many windows of a tier wait, in all dimensions, and since when the oldest of them is over. */
function pending(tier: number, metric: Metric, nowMs: number): LuaMultiReturn<[count: number, lagMs: number]> {
  let count = 0;
  let lagMs = 0;
  for (const dimension of names.DIMENSIONS) {
    const name = names.pendingWindows(tier, dimension, metric);
    requireType(name, "zset");
    count += onKey("ZCARD", name);
    const [oldest] = onKey("ZRANGE", name, "0", "0");
    if (oldest !== undefined) lagMs = Math.max(lagMs, nowMs - tonumber(oldest)! - TIERS[tier]!.lengthMs);
  }
  return $multi(count, lagMs);
}

/** The kept windows of a tier that hold pages, and how many pages they hold. */
function held(tier: number, nowMs: number): LuaMultiReturn<[windows: number, records: number]> {
  const { lengthMs, keepMs } = TIERS[tier]!;
  let windows = 0;
  let records = 0;
  for (const startMs of $range(windowStart(lengthMs, nowMs - keepMs), nowMs, lengthMs)) {
    if (remainingMs(TIERS[tier]!, startMs, nowMs) <= 0) continue;
    const merged = names.mergedViews(tier, "P", `${startMs}`);
    const open = names.openViews(tier, "P", `${startMs}`);
    const size =
      tier === FINEST ? onKey("HLEN", merged) + onKey("HLEN", open) : onKey("ZCARD", merged) + onKey("ZCARD", open);
    if (size > 0) windows += 1;
    records += size;
  }
  return $multi(windows, records);
}

/** How long the first that other partitions have to learn waits: its serial number is the time it was noted at. */
function carryLag(): number {
  const [, serial] = onKey("ZRANGE", names.carriedDevices(), "0", "0", "WITHSCORES");
  return serial === undefined ? 0 : Math.max(0, clock(undefined) - Math.floor(tonumber(serial)! / 1000));
}

type TierStatus = [
  tier: string,
  windows: number,
  records: number,
  pgPending: number,
  pgLagMs: number,
  udPending: number,
  udLagMs: number,
];

function tierStatus(tier: number, nowMs: number): TierStatus {
  const [windows, records] = held(tier, nowMs);
  if (tier === FINEST) return [TIERS[tier]!.name, windows, records, 0, 0, 0, 0];
  const [pgPending, pgLagMs] = pending(tier, "PG", nowMs);
  const [udPending, udLagMs] = pending(tier, "UD", nowMs);
  return [TIERS[tier]!.name, windows, records, pgPending, pgLagMs, udPending, udLagMs];
}

/** A reply of one row a stream: its key, then figures. */
export function streamsReply(figures: readonly ReplyField[]): ReplyType {
  return list(tuple([{ name: "stream", type: textReply, doc: "key" }, ...figures]));
}

/** A reply of one row a tier: its name, then figures. */
export function tiersReply(figures: readonly ReplyField[]): ReplyType {
  return list(tuple([{ name: "tier", type: textReply, doc: "tier" }, ...figures]));
}

export const getTrackerStatus = command(
  {
    name: "get_tracker_status",
    summary: "Lag of streams and tiers, what was refused and why, and how much there is",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [NOW],
    reply: record([
      {
        name: "streams",
        type: streamsReply([
          { name: "cursor", type: textReply, doc: "id of the last entry counted" },
          { name: "length", type: integerReply, doc: "entries in the stream, consumed ones included" },
          { name: "lag_ms", type: integerReply, unit: "ms", doc: "time between the cursor and the last entry" },
          {
            name: "missing",
            type: integerReply,
            doc: "entries that others trimmed or deleted before they were counted",
          },
          {
            name: "missing_at",
            type: integerReply,
            unit: "unix_ms",
            doc: "when that was last seen, unix ms; 0 for never",
          },
          {
            name: "begun_anew",
            type: integerReply,
            doc: "how often it was deleted and begun anew; what it held unread then is in no count",
          },
        ]),
        doc:
          "streams that were ingested: key, cursor, length, lag in ms, entries that went missing, when that was seen, how " +
          "often it was begun anew",
      },
      {
        name: "tiers",
        type: tiersReply([
          { name: "windows", type: integerReply, doc: "kept windows with pages" },
          { name: "records", type: integerReply, doc: "pages in them" },
          { name: "pg_pending", type: integerReply, doc: "windows with page views to merge, over or not" },
          { name: "pg_lag_ms", type: integerReply, unit: "ms", doc: "how long the oldest of them has been over" },
          { name: "ud_pending", type: integerReply, doc: "windows with devices to merge, over or not" },
          { name: "ud_lag_ms", type: integerReply, unit: "ms", doc: "how long the oldest of them has been over" },
        ]),
        doc:
          "tier, kept windows with pages, pages in them, windows with page views to merge, ms since the oldest of " +
          "them was over, the same for devices",
      },
      {
        name: "rejected",
        type: reasonsReply("events"),
        doc: "reason and number of refused events, most first",
      },
      { name: "late", type: integerReply, doc: "events counted for a window that rotation had passed already" },
      { name: "websites", type: integerReply, doc: "documents of websites" },
      { name: "sections", type: integerReply, doc: "documents of sections" },
      { name: "pages", type: integerReply, doc: "documents of pages" },
      { name: "enrich_waiting", type: integerReply, doc: "pages that were announced for enrichment and are not done" },
      { name: "enriched", type: integerReply, doc: "pages whose metadata have come" },
      {
        name: "enrich_abandoned",
        type: reasonsReply("pages"),
        doc: "reason and number of pages whose metadata could not be had, most first",
      },
      {
        name: "rotated_until",
        type: nullable(integerReply),
        unit: "unix_ms",
        doc: "end of the last five-minute window that rotation has looked at, or nil",
      },
      {
        name: "carry_waiting",
        type: integerReply,
        doc: "with SHARED: windows of a record whose devices other partitions may have to learn",
      },
      { name: "carry_lag_ms", type: integerReply, doc: "how long the oldest of them waits, by the server's clock" },
    ]),
    errors: ["BADARG", "CONFLICT"],
  },
  (args) => {
    const nowMs = clock(args.now);
    const stored = readFields();
    const tiers: TierStatus[] = [];
    for (const tier of $range(FINEST, TIERS.length - 1)) tiers.push(tierStatus(tier, nowMs));
    return {
      streams: streams(stored),
      tiers,
      rejected: rejected(stored),
      late: numberField(stored, "late"),
      websites: numberField(stored, documentsField("W")),
      sections: numberField(stored, documentsField("S")),
      pages: numberField(stored, documentsField("P")),
      enrich_waiting: numberField(stored, WAITING_FIELD),
      enriched: numberField(stored, ENRICHED_FIELD),
      enrich_abandoned: abandoned(),
      rotated_until: stored["rotated"] === undefined ? undefined : tonumber(stored["rotated"]),
      carry_waiting: onKey("ZCARD", names.carriedDevices()),
      carry_lag_ms: carryLag(),
    };
  },
);
