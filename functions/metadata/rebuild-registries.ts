/** What rebuild_index takes out of our registries: what others have deleted. */
import { forget, forgetTable } from "./folders";
import {
  databasesKey,
  dropQueue,
  filesKey,
  firstFoldersKey,
  foldersKey,
  IDLE,
  moveQueue,
  plannersKey,
  PROCESSING,
  queuesKey,
  tablesKey,
} from "./names";

/** Names looked at in one step. */
const STEP = 100;

/** How far the registries have been gone through; empty for nothing yet. */
export interface Place {
  db: string;
  table: string;
  first: string;
  /** The table that is being gone through; empty between two. */
  within: string;
}

/** Names of a registry after one, in order. */
function namesAfter(registry: string, last: string, count: number): string[] {
  return redis.call("ZRANGE", registry, last === "" ? "-" : `(${last}`, "+", "BYLEX", "LIMIT", "0", `${count}`);
}

/** Takes out those who plan in a table and have no plans. */
function forgetPlanners(db: string, table: string): number {
  const planners = plannersKey(db, table);
  const found = redis.call("ZRANGE", planners, "0", `${STEP - 1}`);
  for (const member of found) {
    const [kind, iteration, layer, writer] = cjson.decode(member) as [string, string, string, string];
    const queue = kind === "move" ? moveQueue(db, table, layer, writer) : dropQueue(db, table, layer, writer);
    const left =
      kind === "merge"
        ? redis.call("EXISTS", queuesKey(db, table, iteration, layer, writer))
        : redis.call("EXISTS", queue + IDLE, queue + PROCESSING);
    if (left === 0) redis.call("ZREM", planners, member);
  }
  return found.length;
}

/** Goes on in a table; how many names were looked at. */
function stepInTable(place: Place): number {
  const { db, within: table } = place;
  const firsts = namesAfter(firstFoldersKey(db, table), place.first, STEP);
  for (const first of firsts) {
    if (redis.call("EXISTS", filesKey(db, table, first)) === 0) forget(db, table, first);
  }
  const last = firsts[firsts.length - 1];
  if (last !== undefined) {
    place.first = last;
    return firsts.length;
  }
  place.table = table;
  place.within = "";
  place.first = "";
  return 1 + forgetPlanners(db, table);
}

/** Goes on to the next table of the database, or from it to the next; undefined if there is none. */
function stepToTable(place: Place): number | undefined {
  if (place.db !== "") {
    const [table] = namesAfter(tablesKey(place.db), place.table, 1);
    if (table !== undefined) {
      if (redis.call("EXISTS", foldersKey(place.db, table)) === 0) forgetTable(place.db, table);
      place.table = table;
      place.within = table;
      return 1;
    }
  }
  const [db] = namesAfter(databasesKey(), place.db, 1);
  if (db === undefined) return undefined;
  if (redis.call("EXISTS", tablesKey(db)) === 0) redis.call("ZREM", databasesKey(), db);
  place.db = db;
  place.table = "";
  return 1;
}

/** Does one step; how many names were looked at, or undefined if all have been. */
export function verify(place: Place): number | undefined {
  return place.within === "" ? stepToTable(place) : stepInTable(place);
}
