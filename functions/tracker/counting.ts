/**
 * Counting events: a batch is grouped by minute and page, and from the pages by section and website; then one command a
 * group counts it.
 *
 * Views of a minute go into its *open* hash, from which rotation takes them; so an event may come at any time, before, in
 * or after a merge, and is carried on exactly once. Devices go into the minute's HyperLogLog, and its id among those
 * that the next tier has to take over. An id that has open views in its minute was announced and its keys were checked
 * then, so a further event of it is only counted.
 *
 * Whether an id is new in its minute is what counting its views answers. So views are counted first, the keys of new ids are
 * checked then, and the views are taken back where one of them is foreign: to look before would cost as much again.
 */
import { asRaised, fail } from "../runtime/errors";
import { requireHyperLogLog, requireType } from "../runtime/types";
import type { State } from "./configuration";
import { hasDocuments, prepareVisits, visit, writeVisits, type VisitedSets } from "./documents";
import type { Media } from "./events";
import { mediaId, type Section } from "./identity";
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
  section: Section;
  /** The address of the first event. */
  url: string;
  views: number;
  devices: string[];
  /** When the first event of the batch came. */
  timeMs: number;
}

/** What the ids of one dimension got in one minute, in the order of their first events. */
interface Tallies {
  list: Tally[];
  byId: LuaMap<string, Tally>;
}

interface Minute {
  startMs: number;
  pages: Tallies;
  /** Audio, video and podcasts, where there are any. */
  media: Record<string, Tallies>;
}

/** Events by minute. */
export interface Batch {
  minutes: LuaMap<number, Minute>;
  /** The minute of the event before: most events of a batch follow each other in one. */
  latest: Minute | undefined;
}

/** What a window is held against. */
type Bounds = Pick<State, "rotatedMs" | "renamedMs">;

/** One dimension of one minute. */
interface Group {
  dimension: Dimension;
  minute: Minute;
  list: Tally[];
  /** How many of the list are counted: what has to be taken back if the call fails. */
  counted: number;
  /** Whether rotation has come by already. */
  isLate: boolean;
  /** Whether its pages may have been counted for another website before. */
  isRenamed: boolean;
  /** Ids that rotation has to hear of. */
  announced: Tally[];
  /** Whether rotation has to hear of the window. */
  opensWindow: boolean;
}

export function newBatch(): Batch {
  return { minutes: new LuaMap(), latest: undefined };
}

function newTallies(): Tallies {
  return { list: [], byId: new LuaMap() };
}

function addFirst(tallies: Tallies, id: string, section: Section, url: string, device: string, timeMs: number): void {
  const tally = { id, section, url, views: 1, devices: [device], timeMs };
  tallies.byId.set(id, tally);
  tallies.list.push(tally);
}

function addAnother(tally: Tally, device: string): void {
  const { views, devices } = tally;
  devices[views] = device;
  tally.views = views + 1;
}

function minuteOf(batch: Batch, startMs: number): Minute {
  let minute = batch.minutes.get(startMs);
  if (minute === undefined) {
    minute = { startMs, pages: newTallies(), media: {} };
    batch.minutes.set(startMs, minute);
  }
  batch.latest = minute;
  return minute;
}

/** Adds an event to a batch. */
export function count(
  batch: Batch,
  pageId: string,
  section: Section,
  url: string,
  device: string,
  timeMs: number,
): void {
  const startMs = timeMs - (timeMs % MINUTE_MS);
  let minute = batch.latest;
  if (minute === undefined || minute.startMs !== startMs) minute = minuteOf(batch, startMs);
  const { pages } = minute;
  const known = pages.byId.get(pageId);
  if (known === undefined) addFirst(pages, pageId, section, url, device, timeMs);
  else addAnother(known, device);
}

/** Adds what was played in an event that is in the batch already. */
export function countMedia(
  batch: Batch,
  media: Media,
  section: Section,
  url: string,
  device: string,
  timeMs: number,
): void {
  const minute = minuteOf(batch, windowStart(MINUTE_MS, timeMs));
  for (const [dimension, medium] of media) {
    const tallies = minute.media[dimension] ?? newTallies();
    minute.media[dimension] = tallies;
    const id = mediaId(section.websiteName, medium);
    const known = tallies.byId.get(id);
    if (known === undefined) addFirst(tallies, id, section, url, device, timeMs);
    else addAnother(known, device);
  }
}

/** Adds what a page got to its website or section. */
function addAll(tallies: Tallies, id: string, page: Tally): void {
  const { views: more, devices: others } = page;
  let known = tallies.byId.get(id);
  if (known === undefined) {
    known = { id, section: page.section, url: page.url, views: 0, devices: [], timeMs: page.timeMs };
    tallies.byId.set(id, known);
    tallies.list.push(known);
  }
  const { views, devices } = known;
  for (const position of $range(1, more)) devices[views + position - 1] = others[position - 1]!;
  known.views = views + more;
}

function parentStart(minute: Minute): number {
  return windowStart(PARENT_MS, minute.startMs);
}

function newGroup(dimension: Dimension, minute: Minute, list: Tally[], bounds: Bounds): Group {
  const endMs = parentStart(minute) + PARENT_MS;
  const isLate = endMs <= bounds.rotatedMs;
  const isRenamed = dimension === "P" && endMs <= bounds.renamedMs;
  return { dimension, minute, list, counted: 0, isLate, isRenamed, announced: [], opensWindow: false };
}

/** The groups of one minute: websites before their sections, and sections before their pages. */
function groupMinute(minute: Minute, bounds: Bounds, groups: Group[]): void {
  const { pages, media } = minute;
  const websites = newTallies();
  const sections = newTallies();
  for (const page of pages.list) {
    addAll(websites, page.section.websiteId, page);
    addAll(sections, page.section.id, page);
  }
  groups.push(newGroup("W", minute, websites.list, bounds));
  groups.push(newGroup("S", minute, sections.list, bounds));
  groups.push(newGroup("P", minute, pages.list, bounds));
  for (const dimension of names.MEDIA_DIMENSIONS) {
    const tallies = media[dimension];
    if (tallies !== undefined) groups.push(newGroup(dimension, minute, tallies.list, bounds));
  }
}

/** Small numbers as text: most ids of a batch have few views, and to print a number costs as much as to count it. */
const DIGITS: string[] = [];
for (const views of $range(1, 64)) DIGITS.push(`${views}`);

/**
 * The hash to which views are being added, else nothing: an error is raised there as the command's own, and then is about
 * this key. To look at each reply for one would cost a tenth of a batch.
 */
let countingIn: string | undefined;

/** Counts a group's views; what its documents and rotation have to hear of. */
function addViews(group: Group): Tally[] {
  const { list, isLate, isRenamed, announced } = group;
  const open = names.minuteNames(group.minute.startMs).openViews[group.dimension];
  const fresh: Tally[] = [];
  countingIn = open;
  for (const position of $range(1, list.length)) {
    const tally = list[position - 1]!;
    const { id, views } = tally;
    const total = redis.call("HINCRBY", open, id, DIGITS[views - 1] ?? `${views}`);
    group.counted = position;
    if (total === views || isRenamed) {
      fresh.push(tally);
      announced.push(tally);
    } else if (isLate) {
      announced.push(tally);
    }
  }
  countingIn = undefined;
  return fresh;
}

/** Checks every key that announcing a group writes. */
function checkAnnounced({ dimension, minute, announced, opensWindow }: Group): void {
  if (announced.length === 0) return;
  const { devicesBefore, devicesAfter } = names.minuteNames(minute.startMs);
  for (const { id } of announced) requireHyperLogLog(devicesBefore[dimension] + id + devicesAfter);
  requireType(names.openDevices(PARENT, dimension, `${parentStart(minute)}`), "set");
  if (!opensWindow) return;
  requireType(names.pendingWindows(PARENT, dimension, "PG"), "zset");
  requireType(names.pendingWindows(PARENT, dimension, "UD"), "zset");
}

/**
 * Counts the views of all groups, and checks what else will be written. Rotation hears of a minute's window when a website is
 * new in it (no section and no page is counted without its website, so theirs is known by then), when a medium is, and
 * always after it has come by.
 */
function countViews(groups: Group[], visited: VisitedSets): void {
  let opensWindow = false;
  for (const group of groups) {
    const { dimension } = group;
    const fresh = addViews(group);
    const hasDocument = hasDocuments(dimension);
    if (dimension === "W" || !hasDocument) opensWindow = group.announced.length > 0;
    group.opensWindow = opensWindow;
    checkAnnounced(group);
    if (!hasDocument) continue;
    for (const { id, section, url, timeMs } of fresh) visit(visited, dimension, id, section, url, timeMs);
  }
}

/** Takes views back; a field that is left with none was not there before. */
function takeBackViews(open: string, id: string, views: number): void {
  if (redis.call("HINCRBY", open, id, `${-views}`) === 0) redis.call("HDEL", open, id);
}

/** Takes back what was counted, so that a call that answers an error has written nothing. */
function takeBack(groups: Group[]): void {
  for (const { dimension, minute, list, counted } of groups) {
    const open = names.minuteNames(minute.startMs).openViews[dimension];
    for (const position of $range(1, counted)) {
      const { id, views } = list[position - 1]!;
      takeBackViews(open, id, views);
    }
  }
}

function addDevices(group: Group): void {
  const { devicesBefore, devicesAfter } = names.minuteNames(group.minute.startMs);
  const before = devicesBefore[group.dimension];
  for (const { id, devices } of group.list) {
    const name = before + id + devicesAfter;
    const added = redis.pcall("PFADD", name, ...devices);
    if (added !== 1 && added !== 0) fail("CONFLICT", `${name} holds something that is no HyperLogLog`);
  }
}

/**
 * Tells rotation what the window above the minute has to take over. An id is announced when it is new in its minute; after
 * rotation has come by, always, because then its devices may be taken over already while its views are still open.
 */
function announce(group: Group): void {
  const { dimension, minute, announced } = group;
  const { openViews, devicesBefore, devicesAfter } = names.minuteNames(minute.startMs);
  const parent = `${parentStart(minute)}`;
  const openDevices = names.openDevices(PARENT, dimension, parent);
  const ids: string[] = [];
  for (const { id } of announced) {
    ids.push(id);
    redis.call("PEXPIRE", devicesBefore[dimension] + id + devicesAfter, UNMERGED_KEEP);
  }
  redis.call("SADD", openDevices, ...ids);
  if (!group.opensWindow) return;
  redis.call("ZADD", names.pendingWindows(PARENT, dimension, "PG"), parent, parent);
  redis.call("ZADD", names.pendingWindows(PARENT, dimension, "UD"), parent, parent);
  redis.call("PEXPIRE", openViews[dimension], UNMERGED_KEEP);
  redis.call("PEXPIRE", openDevices, UNMERGED_KEEP);
}

/**
 * Everything that may still find a foreign key. Devices come last of that: there it can only be in place of the HyperLogLog
 * of an id that was seen, and checked, before in its minute. They are a union, so that the call may then be repeated.
 */
function countGroups(groups: Group[]): ReturnType<typeof prepareVisits> {
  const visited: VisitedSets = new LuaMap();
  countViews(groups, visited);
  const visits = prepareVisits(visited);
  for (const group of groups) addDevices(group);
  return visits;
}

/** Leaves everything as it was, and raises why. */
function giveUp(groups: Group[], raised: RedisError): never {
  const open = countingIn;
  countingIn = undefined;
  takeBack(groups);
  if (open !== undefined) fail("CONFLICT", `${open} holds something that is no hash of views`);
  return error(raised);
}

/**
 * Counts a batch, or leaves everything as it was.
 *
 * @returns how many events were late
 */
export function write(batch: Batch, bounds: Bounds): number {
  const groups: Group[] = [];
  for (const [, minute] of batch.minutes) groupMinute(minute, bounds, groups);
  const [ok, visits] = xpcall(() => countGroups(groups), asRaised);
  if (!ok) giveUp(groups, visits as RedisError);
  let late = 0;
  for (const group of groups) {
    if (group.announced.length > 0) announce(group);
    if (!group.isLate || group.dimension !== "W") continue;
    for (const { views } of group.list) late += views;
  }
  writeVisits(visits);
  return late;
}

/** Adds a view to an id that has some; leaves everything as it was if it has none, or if the key is something else. */
function addToSeen(name: string, id: string): boolean {
  const views = redis.pcall("HINCRBY", name, id, "1");
  if (views !== 1) return type(views) === "number";
  redis.call("HDEL", name, id);
  return false;
}

/**
 * Adds a device of one event to its website, section and page; false if one of the keys is something else, which the long
 * way then reports.
 */
function addToAll(
  { devicesBefore, devicesAfter }: names.MinuteNames,
  section: Section,
  devicesOfPage: string,
  device: string,
): boolean {
  const ofWebsite = redis.pcall("PFADD", devicesBefore.W + section.websiteId + devicesAfter, device);
  if (ofWebsite !== 0 && ofWebsite !== 1) return false;
  const ofSection = redis.pcall("PFADD", devicesBefore.S + section.id + devicesAfter, device);
  if (ofSection !== 0 && ofSection !== 1) return false;
  const ofPage = redis.pcall("PFADD", devicesOfPage, device);
  return ofPage === 0 || ofPage === 1;
}

/**
 * Whether the page of a first view in its minute is known, was not visited later, and every key that is written is what it
 * should be.
 */
function isReady(pageId: string, section: Section, devices: string, openDevices: string, timeMs: number): boolean {
  for (const list of [names.pagesOf("W", section.websiteId), names.pagesOf("S", section.id), names.visited("P")]) {
    const lastMs = redis.pcall("ZSCORE", list, pageId);
    if (type(lastMs) !== "string" || tonumber(lastMs)! > timeMs) return false;
  }
  const magic = redis.pcall("GETRANGE", devices, "0", "3");
  return (magic === "" || magic === "HYLL") && redis.call("TYPE", openDevices).ok === "set";
}

/** Tells rotation and the documents of the first view of a known page in its minute. */
function announceOne(pageId: string, section: Section, devices: string, openDevices: string, timeMs: number): void {
  redis.call("PEXPIRE", devices, UNMERGED_KEEP);
  redis.call("SADD", openDevices, pageId);
  const time = `${timeMs}`;
  redis.call("ZADD", names.pagesOf("W", section.websiteId), time, pageId);
  redis.call("ZADD", names.pagesOf("S", section.id), time, pageId);
  redis.call("ZADD", names.visited("P"), time, pageId);
}

/**
 * The short way for one event, as most are on a busy site: its website and section were seen in its minute before, its page
 * was too or is at least known. Three counters and three HyperLogLogs, and little to announce. Answers false, with nothing
 * written, for any other event.
 */
export function countOne(pageId: string, section: Section, device: string, timeMs: number, state: Bounds): boolean {
  const startMs = timeMs - (timeMs % MINUTE_MS);
  const endMs = startMs - (startMs % PARENT_MS) + PARENT_MS;
  if (endMs <= state.rotatedMs || endMs <= state.renamedMs) return false;
  const minute = names.minuteNames(startMs);
  const { W: websites, S: sections, P: pages } = minute.openViews;
  if (!addToSeen(sections, section.id)) return false;
  if (!addToSeen(websites, section.websiteId)) {
    takeBackViews(sections, section.id, 1);
    return false;
  }
  const views = redis.pcall("HINCRBY", pages, pageId, "1");
  const devices = minute.devicesBefore.P + pageId + minute.devicesAfter;
  const openDevices = minute.openDevicesOfPages;
  const isFirst = views === 1;
  const isCounted = isFirst ? isReady(pageId, section, devices, openDevices, timeMs) : type(views) === "number";
  if (isCounted && addToAll(minute, section, devices, device)) {
    if (isFirst) announceOne(pageId, section, devices, openDevices, timeMs);
    return true;
  }
  if (type(views) === "number") takeBackViews(pages, pageId, 1);
  takeBackViews(sections, section.id, 1);
  takeBackViews(websites, section.websiteId, 1);
  return false;
}
