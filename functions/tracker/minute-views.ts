/**
 * Page views of minutes, which are kept in hashes: these know no order. A few are read whole and summed. Of more than that:
 *
 * - what rotation has carried on is in the sorted sets of the windows above too, and nobody has fewer views there;
 * - of what it has not, some whole minutes are read, spread over all of them. A page that leads an hour stands high in nearly each of
 *   its minutes, so they tell whose views are worth adding up, but not that nobody is missing.
 */
import { onKey } from "../runtime/types";
import * as names from "./names";
import type { ViewsKey } from "./queries";
import { FINEST, remainingMs, TIERS, windowStart, type Cover } from "./windows";

/** Records that are read whole: some 3 ms of the server. */
export const MAX_FIELDS = 3500;

/** Fields read where there are more: what is left of a call's time goes to adding up. */
const MAX_SAMPLED_FIELDS = 1800;

/** Up to so many fields a hash is a list by the server's defaults, in which looking up one field goes through others. */
const MAX_LISTED = 512;

/** Fields that are gone through in the time of one look-up. */
const LISTED_FIELDS_PER_LOOKUP = 200;

export interface MinuteViews {
  /** Views summed of the minutes that were read whole. */
  sums: LuaMap<string, number>;
  /** Views of those who are worth adding up: the sums, or what some of the minutes show. */
  leading: LuaMap<string, number>;
  /** The hashes in which ids are looked up. */
  hashes: string[];
  /** Sorted sets in which nobody has fewer views than in some of these hashes. */
  bounds: string[];
  /** Whether somebody may lead in minutes that nothing is known of. */
  isSampled: boolean;
  fieldsRead: number;
  /** What it takes to look one id up, in look-ups of a sorted set. */
  lookups: number;
}

interface Minute {
  key: ViewsKey;
  size: number;
}

/** Adds id, views, id, views to sums. */
export function addFields(sums: LuaMap<string, number>, flat: string[]): void {
  for (const at of $range(1, flat.length, 2)) {
    const id = flat[at - 1]!;
    sums.set(id, (sums.get(id) ?? 0) + tonumber(flat[at])!);
  }
}

/** Reads minutes evenly spread; of one that holds more than may be read, a part. */
function readSome(views: MinuteViews, minutes: Minute[], total: number): void {
  const wanted = Math.max(Math.floor((minutes.length * MAX_SAMPLED_FIELDS) / total), 1);
  const step = minutes.length / wanted;
  for (const turn of $range(1, wanted)) {
    if (views.fieldsRead >= MAX_SAMPLED_FIELDS) return;
    const { key } = minutes[Math.floor((turn - 0.5) * step)]!;
    const [, flat] = onKey("HSCAN", key.name, "0", "COUNT", `${MAX_FIELDS - views.fieldsRead}`);
    addFields(views.leading, flat);
    views.fieldsRead += flat.length / 2;
  }
}

function lookUpIn(views: MinuteViews, minutes: Minute[]): void {
  for (const { key, size } of minutes) {
    views.hashes.push(key.name);
    views.lookups += size > MAX_LISTED ? 1 : 1 + size / LISTED_FIELDS_PER_LOOKUP;
  }
}

/** The sorted sets that hold at least the views of a minute that rotation has carried on. */
function setsAbove(dimension: string, minuteMs: number, nowMs: number): string[] {
  const tier = FINEST + 1;
  const startMs = windowStart(TIERS[tier]!.lengthMs, minuteMs);
  const start = `${startMs}`;
  const open = names.openViews(tier, dimension, start);
  if (remainingMs(TIERS[tier]!, startMs, nowMs) > 0) return [open, names.mergedViews(tier, dimension, start)];
  const above = tier + 1;
  const aboveStart = `${windowStart(TIERS[above]!.lengthMs, minuteMs)}`;
  return [open, names.openViews(above, dimension, aboveStart), names.mergedViews(above, dimension, aboveStart)];
}

function addBounds(views: MinuteViews, minutes: Minute[], dimension: string, nowMs: number): void {
  const known = new LuaSet<string>();
  for (const { key } of minutes) {
    for (const name of setsAbove(dimension, key.mergedMs!, nowMs)) {
      if (!known.has(name)) views.bounds.push(name);
      known.add(name);
    }
  }
}

function readWhole(views: MinuteViews, minutes: Minute[]): void {
  for (const { key, size } of minutes) {
    addFields(views.sums, onKey("HGETALL", key.name));
    views.fieldsRead += size;
  }
}

/** Reads the minutes among the keys behind an answer. */
export function readMinutes(keys: ViewsKey[], dimension: string, { nowMs }: Cover): MinuteViews {
  const open: Minute[] = [];
  const merged: Minute[] = [];
  let openFields = 0;
  let mergedFields = 0;
  for (const key of keys) {
    if (!key.isHash) continue;
    const size = onKey("HLEN", key.name);
    if (size === 0) continue;
    if (key.mergedMs === undefined) {
      open.push({ key, size });
      openFields += size;
    } else {
      merged.push({ key, size });
      mergedFields += size;
    }
  }
  const sums = new LuaMap<string, number>();
  const isSampled = openFields > MAX_FIELDS;
  const leading = isSampled ? new LuaMap<string, number>() : sums;
  const views: MinuteViews = { sums, leading, hashes: [], bounds: [], isSampled, fieldsRead: 0, lookups: 0 };
  if (isSampled) {
    readSome(views, open, openFields);
    lookUpIn(views, open);
  } else {
    readWhole(views, open);
  }
  if (views.fieldsRead + mergedFields > MAX_FIELDS) {
    addBounds(views, merged, dimension, nowMs);
    lookUpIn(views, merged);
  } else {
    readWhole(views, merged);
  }
  return views;
}
