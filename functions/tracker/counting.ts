/**
 * Counting events: a batch is grouped by minute, dimension and id, checked, and then written, one command a group.
 *
 * Views of a minute go into its *open* hash, from which rotation takes them; so an event may come at any time, before, in
 * or after a merge, and is carried on exactly once. Devices go into the minute's HyperLogLog, and its id among those
 * that the next tier has to take over. An id that has open views in its minute was announced and its keys were checked
 * then, so a further event of it is only counted.
 */
import { fail } from "../runtime/errors";
import { fields, requireHyperLogLog, requireType } from "../runtime/types";
import { hasDocuments, prepareVisits, visit, writeVisits, type PreparedVisits, type VisitedSets } from "./documents";
import type { Media } from "./events";
import { mediaId, type Identity } from "./identity";
import type { Dimension } from "./names";
import * as names from "./names";
import { FINEST, TIERS, UNMERGED_KEEP_MS, windowStart } from "./windows";

const PARENT = FINEST + 1;
const MINUTE_MS = TIERS[FINEST]!.lengthMs;
const PARENT_MS = TIERS[PARENT]!.lengthMs;
const UNMERGED_KEEP = `${UNMERGED_KEEP_MS}`;

/** What one id got in one minute: a device for each view. */
interface Tally {
  id: string;
  identity: Identity;
  devices: string[];
  /** When the first event of the batch came. */
  timeMs: number;
}

/** What the ids of one dimension got in one minute. */
interface Tallies {
  list: Tally[];
  byId: LuaMap<string, Tally>;
}

interface Minute {
  startMs: number;
  events: number;
  tallies: Record<string, Tallies>;
}

export interface Batch {
  minutes: LuaMap<number, Minute>;
}

/** One dimension of one minute, read and checked. */
interface Group {
  dimension: Dimension;
  minute: Minute;
  list: Tally[];
  openViews: (string | false)[];
  /** Whether rotation has come by already. */
  isLate: boolean;
  /** Ids that rotation has to hear of. */
  announced: Tally[];
  /** Those of them that are new in their minute, which the documents have to hear of. */
  fresh: Tally[];
  /** Whether rotation has to hear of the window. */
  opensWindow: boolean;
}

export interface Prepared {
  groups: Group[];
  visits: PreparedVisits[];
}

export function newBatch(): Batch {
  return { minutes: new LuaMap() };
}

function newTallies(): Tallies {
  return { list: [], byId: new LuaMap() };
}

function add(tallies: Tallies, id: string, identity: Identity, device: string, timeMs: number): void {
  const known = tallies.byId.get(id);
  if (known !== undefined) {
    known.devices.push(device);
    return;
  }
  const tally = { id, identity, devices: [device], timeMs };
  tallies.byId.set(id, tally);
  tallies.list.push(tally);
}

function minuteOf(batch: Batch, startMs: number): Minute {
  let minute = batch.minutes.get(startMs);
  if (minute === undefined) {
    minute = { startMs, events: 0, tallies: { W: newTallies(), S: newTallies(), P: newTallies() } };
    batch.minutes.set(startMs, minute);
  }
  return minute;
}

/** Adds an event to a batch. */
export function count(batch: Batch, identity: Identity, device: string, timeMs: number): void {
  const minute = minuteOf(batch, windowStart(MINUTE_MS, timeMs));
  minute.events += 1;
  const { W, S, P } = minute.tallies;
  add(W!, identity.websiteId, identity, device, timeMs);
  add(S!, identity.sectionId, identity, device, timeMs);
  add(P!, identity.pageId, identity, device, timeMs);
}

/** Adds what was played in an event that is in the batch already. */
export function countMedia(batch: Batch, identity: Identity, media: Media, device: string, timeMs: number): void {
  const minute = minuteOf(batch, windowStart(MINUTE_MS, timeMs));
  for (const [dimension, medium] of media) {
    const tallies = minute.tallies[dimension] ?? newTallies();
    minute.tallies[dimension] = tallies;
    add(tallies, mediaId(identity, medium), identity, device, timeMs);
  }
}

function parentStart(minute: Minute): number {
  return windowStart(PARENT_MS, minute.startMs);
}

/** Reads what is open and checks every HyperLogLog that is new. */
function prepareGroup(dimension: Dimension, minute: Minute, list: Tally[], rotatedMs: number, newSections: LuaSet<string>): Group {
  const start = `${minute.startMs}`;
  const before = names.minuteDevicesPrefix(dimension);
  const end = names.devicesSuffix(start);
  const isLate = parentStart(minute) + PARENT_MS <= rotatedMs;
  const ids: string[] = [];
  for (const tally of list) ids.push(tally.id);
  const openViews = fields(names.openViews(FINEST, dimension, start), ids);
  const announced: Tally[] = [];
  const fresh: Tally[] = [];
  for (const position of $range(1, list.length)) {
    const tally = list[position - 1]!;
    const isMoved = dimension === "P" && newSections.has(tally.identity.sectionId);
    const isFresh = isMoved || openViews[position - 1] === false;
    if (isFresh) fresh.push(tally);
    if (isFresh && dimension === "S") newSections.add(tally.id);
    if (isFresh || isLate) {
      requireHyperLogLog(before + tally.id + end);
      announced.push(tally);
    }
  }
  if (announced.length > 0) requireType(names.openDevices(PARENT, dimension, `${parentStart(minute)}`), "set");
  return { dimension, minute, list, openViews, isLate, announced, fresh, opensWindow: false };
}

function checkWindow({ dimension }: Group): void {
  requireType(names.pendingWindows(PARENT, dimension, "PG"), "zset");
  requireType(names.pendingWindows(PARENT, dimension, "UD"), "zset");
}

/**
 * The groups of one minute. Rotation hears of the minute's window when a website is new in it (no section and no page is
 * counted without its website, so theirs is known by then), when a medium is, and always after it has come by.
 */
function prepareMinute(minute: Minute, rotatedMs: number, groups: Group[], visited: VisitedSets): void {
  let opensWindow = false;
  // A page that was seen in its minute is new to a section that was not: the table of hosts was changed.
  const newSections = new LuaSet<string>();
  for (const dimension of names.DIMENSIONS) {
    const tallies = minute.tallies[dimension];
    if (tallies === undefined) continue;
    const group = prepareGroup(dimension, minute, tallies.list, rotatedMs, newSections);
    const hasDocument = hasDocuments(dimension);
    if (dimension === "W" || !hasDocument) opensWindow = group.announced.length > 0;
    group.opensWindow = opensWindow;
    if (opensWindow) checkWindow(group);
    groups.push(group);
    if (!hasDocument) continue;
    for (const { identity, timeMs } of group.fresh) visit(visited, dimension, identity, timeMs);
  }
}

/**
 * The groups of a batch with every key that they will write checked.
 *
 * @param rotatedMs end of the last five-minute window that rotation has looked at
 */
export function prepare(batch: Batch, rotatedMs: number): Prepared {
  const groups: Group[] = [];
  const visited: VisitedSets = new LuaMap();
  for (const [, minute] of batch.minutes) prepareMinute(minute, rotatedMs, groups, visited);
  return { groups, visits: prepareVisits(visited) };
}

function writeViews(group: Group): void {
  const idsAndViews: string[] = [];
  for (const position of $range(1, group.list.length)) {
    const { id, devices } = group.list[position - 1]!;
    const open = group.openViews[position - 1]!;
    idsAndViews.push(id);
    idsAndViews.push(`${open === false ? devices.length : tonumber(open)! + devices.length}`);
  }
  redis.call("HSET", names.openViews(FINEST, group.dimension, `${group.minute.startMs}`), ...idsAndViews);
}

function writeDevices(group: Group): void {
  const before = names.minuteDevicesPrefix(group.dimension);
  const end = names.devicesSuffix(`${group.minute.startMs}`);
  for (const { id, devices } of group.list) {
    const name = before + id + end;
    const added = redis.pcall("PFADD", name, ...devices);
    if (type(added) !== "number") fail("CONFLICT", `${name} holds something that is no HyperLogLog`);
  }
  for (const { id } of group.announced) redis.call("PEXPIRE", before + id + end, UNMERGED_KEEP);
}

/**
 * Tells rotation what the window above the minute has to take over. An id is announced when it is new in its minute; after
 * rotation has come by, always, because then its devices may be taken over already while its views are still open.
 */
function announce(group: Group): void {
  const { dimension } = group;
  const parent = `${parentStart(group.minute)}`;
  const openDevices = names.openDevices(PARENT, dimension, parent);
  const ids: string[] = [];
  for (const { id } of group.announced) ids.push(id);
  redis.call("SADD", openDevices, ...ids);
  if (!group.opensWindow) return;
  redis.call("ZADD", names.pendingWindows(PARENT, dimension, "PG"), parent, parent);
  redis.call("ZADD", names.pendingWindows(PARENT, dimension, "UD"), parent, parent);
  redis.call("PEXPIRE", names.openViews(FINEST, dimension, `${group.minute.startMs}`), UNMERGED_KEEP);
  redis.call("PEXPIRE", openDevices, UNMERGED_KEEP);
}

/**
 * Writes what was prepared. Devices come first: only there a foreign key may still turn up, in place of the HyperLogLog
 * of an id that was seen, and checked, before in its minute. Devices are a union, so that the call may then be repeated.
 *
 * @returns how many events were late
 */
export function write(prepared: Prepared): number {
  let late = 0;
  for (const group of prepared.groups) writeDevices(group);
  for (const group of prepared.groups) {
    writeViews(group);
    if (group.announced.length > 0) announce(group);
    if (group.isLate && group.dimension === "W") late += group.minute.events;
  }
  writeVisits(prepared.visits);
  return late;
}

/** Adds a view to an id that has some; leaves everything as it was if it has none, or if the key is something else. */
function addToSeen(name: string, id: string): boolean {
  const views = redis.pcall("HINCRBY", name, id, "1");
  if (views === 1) redis.call("HDEL", name, id);
  return views !== 1 && type(views) === "number";
}

/** Adds a device; false if its key is something else, which the long way then reports. */
function addDevice(name: string, device: string): boolean {
  return type(redis.pcall("PFADD", name, device)) === "number";
}

/**
 * Counts one event whose page has open views in its minute, which is the rule on a busy site: three counters and three
 * HyperLogLogs, nothing to announce. Answers false, with nothing written, for any other event.
 */
export function countSeen(identity: Identity, device: string, timeMs: number, rotatedMs: number): boolean {
  const startMs = windowStart(MINUTE_MS, timeMs);
  if (windowStart(PARENT_MS, startMs) + PARENT_MS <= rotatedMs) return false;
  const minute = names.minuteNames(startMs);
  const { websites, sections, pages, devicesEnd } = minute;
  if (!addToSeen(pages, identity.pageId)) return false;
  // After a change of hosts a page that was seen belongs to a section that was not; the website was seen with its section.
  if (!addToSeen(sections, identity.sectionId)) {
    redis.call("HINCRBY", pages, identity.pageId, "-1");
    return false;
  }
  if (!addToSeen(websites, identity.websiteId)) {
    redis.call("HINCRBY", pages, identity.pageId, "-1");
    redis.call("HINCRBY", sections, identity.sectionId, "-1");
    return false;
  }
  const isAdded =
    addDevice(minute.websiteDevices + identity.websiteId + devicesEnd, device) &&
    addDevice(minute.sectionDevices + identity.sectionId + devicesEnd, device) &&
    addDevice(minute.pageDevices + identity.pageId + devicesEnd, device);
  if (isAdded) return true;
  redis.call("HINCRBY", pages, identity.pageId, "-1");
  redis.call("HINCRBY", sections, identity.sectionId, "-1");
  redis.call("HINCRBY", websites, identity.websiteId, "-1");
  return false;
}
