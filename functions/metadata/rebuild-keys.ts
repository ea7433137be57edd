/** What rebuild_index enters from each of GigAPI's keys, a step at a time. */
import { requireType } from "../runtime/types";
import { earlierNs, laterNs } from "./nanoseconds";
import { firstFolderOf, keepBounds, KNOWN_FOLDERS, parseBounds, register, widenBounds } from "./folders";
import { boundsKey, foldersKey, leaseKey, PROCESSING, tableKey } from "./names";
import { ownerOfFiles, ownerOfFolders, ownerOfPlans } from "./owner";
import { idOf } from "./plan-json";
import { keepLease, notePlanner, reindex, type PlanKind, type Queue } from "./queues";
import { timesOf } from "./stored";

/** Fields, entries or plans of one step. */
const STEP = 100;

/** How far a key has been gone through. */
export interface Progress {
  key: string;
  /** Where to go on; `0` to begin. */
  place: string;
  /** Of folders, how many there were at the beginning. */
  folders: string;
}

/** What a step came to. */
interface Step {
  /** Fields, entries or plans looked at. */
  examined: number;
  /** Where to go on in the key; `0` when it is done. */
  next: string;
  /** Whether the key looks like one of GigAPI's and it cannot be told whose it is. */
  isSkipped: boolean;
}

const SKIPPED: Step = { examined: 1, next: "0", isSkipped: true };

function stepTo(next: string, examined: number): Step {
  return { examined, next, isSkipped: false };
}

/** Enters the first folders of a table; once all are, notes how many folders that was. */
function enterFolders(progress: Progress): Step {
  const owner = ownerOfFolders(progress.key);
  if (owner === undefined) return SKIPPED;
  const { db, table } = owner;
  if (progress.place === "0") progress.folders = `${redis.call("HLEN", progress.key)}`;
  const [next, found] = redis.call("HSCAN", progress.key, progress.place, "COUNT", `${STEP}`);
  for (const at of $range(1, found.length, 2)) register(db, table, firstFolderOf(found[at - 1]!));
  const isWhole = next === "0" && progress.folders === `${redis.call("HLEN", foldersKey(db, table))}`;
  if (isWhole) redis.call("HSET", tableKey(db, table), KNOWN_FOLDERS, progress.folders);
  return stepTo(next, Math.max(STEP, found.length / 2));
}

/** The earliest and the latest time of entries: path, entry, path, entry. */
function timesOfAll(found: string[]): LuaMultiReturn<[minNs: string, maxNs: string]> {
  let [minNs, maxNs] = timesOf(found[1]!);
  for (const at of $range(3, found.length, 2)) {
    const [fromNs, toNs] = timesOf(found[at]!);
    minNs = earlierNs(minNs, fromNs);
    maxNs = laterNs(maxNs, toNs);
  }
  return $multi(minNs, maxNs);
}

/** Enters the times of the files of a first folder; complete once all of them have been looked at. */
function enterFiles(progress: Progress): Step {
  const owner = ownerOfFiles(progress.key);
  if (owner === undefined) return SKIPPED;
  const { db, table, first } = owner;
  let place = progress.place;
  let found: string[];
  // Bounds must be there from the first step on, so that what is added meanwhile widens them: on until there is an entry.
  do {
    [place, found] = redis.call("HSCAN", progress.key, place, "COUNT", `${STEP}`);
  } while (found.length === 0 && place !== "0");
  if (found.length > 0) {
    const [minNs, maxNs] = timesOfAll(found);
    register(db, table, first);
    if (!widenBounds(db, table, first, minNs, maxNs)) keepBounds(db, table, first, { minNs, maxNs, isComplete: false });
  }
  if (place === "0") completeBounds(db, table, first);
  return stepTo(place, Math.max(STEP, found.length / 2));
}

function completeBounds(db: string, table: string, first: string): void {
  const bounds = parseBounds(redis.call("HGET", boundsKey(db, table), first));
  if (bounds === undefined || bounds.isComplete) return;
  keepBounds(db, table, first, { minNs: bounds.minNs, maxNs: bounds.maxNs, isComplete: true });
}

/** Notes where plans that are out are found, from the end of the list on: plans that are ended go from its head. */
function enterLeases(list: string, queue: Queue, place: string): Step {
  const from = tonumber(place)!;
  const found = redis.call("LRANGE", list, `${-from - STEP}`, `${-from - 1}`);
  for (const text of found) {
    const id = idOf(text);
    if (id !== undefined && id !== "" && redis.call("EXISTS", leaseKey(queue.db, queue.table, id)) === 0)
      keepLease(queue, id, text);
  }
  return stepTo(found.length < STEP ? "0" : `${from + STEP}`, Math.max(1, found.length));
}

/** Enters a queue of plans in the index, and the plans of it that are out. */
function enterPlans(kind: PlanKind, { key, place }: Progress): Step {
  const queue = ownerOfPlans(kind, key);
  if (queue === undefined) return SKIPPED;
  if (queue.index !== "") requireType(queue.index, "zset");
  notePlanner(queue);
  reindex(queue);
  return string.sub(key, -PROCESSING.length) === PROCESSING ? enterLeases(key, queue, place) : stepTo("0", 1);
}

/** The kind of a key by its name; undefined for a key that is none of GigAPI's. */
export function kindOf(key: string): "folders" | "files" | PlanKind | undefined {
  const [kind] = string.match(key, "^(%l+):[^:]+:");
  if (kind === "files" || kind === "folders") return kind;
  if (kind !== "merge" && kind !== "move" && kind !== "drop") return undefined;
  const [isIdle] = string.find(key, ":idle$");
  const [isOut] = string.find(key, ":processing$");
  return isIdle === undefined && isOut === undefined ? undefined : kind;
}

/** Does one step of a key; a key that is gone, or of a foreign type, is done at once. */
export function enter(progress: Progress): Step {
  const kind = kindOf(progress.key);
  const found = redis.call("TYPE", progress.key).ok;
  if (found === "hash" && kind === "folders") return enterFolders(progress);
  if (found === "hash" && kind === "files") return enterFiles(progress);
  if (found === "list" && kind !== undefined && kind !== "folders" && kind !== "files")
    return enterPlans(kind, progress);
  return stepTo("0", 1);
}
