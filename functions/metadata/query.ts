/**
 * Which files a reader needs: by folder, time, iteration and layer. Only first folders (for most tables, days) that can
 * hold such files are looked at, and a call looks at so many files at most.
 */
import { withHead } from "../runtime/chunks";
import { command, integer, jsonReply, text, textReply, tuple } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey, requireType } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { firstFolderOf, inStep, parseBounds } from "./folders";
import { boundsKey, filesKey, firstFoldersKey, foldersKey, tableKey } from "./names";
import { compareNs, floorSeconds, isInRange, isNs, MAX_NS, mayBeInRange, MIN_NS } from "./nanoseconds";
import { literal, pathsIn } from "./match";
import { foldersInTime } from "./spans";
import { decodeEntry, timesOf } from "./stored";

/** About how many files a call looks at. */
const MOST_EXAMINED = 1000;

/** Files looked at in one step; between two of them a call can stop. */
const STEP = 100;

/** What a file that HSCAN passes by costs, in files that it hands over; measured. */
const PASSED_BY = 0.5;

/** Up to so many folders are listed from `folders:` itself, which everybody keeps; of more, our registry is read if it is in step. */
const FEW_FOLDERS = 4096;

/** More folders than these are never listed at once. */
const MOST_FOLDERS = 10000;

/** First folders whose bounds are read at once. */
const BOUNDS_STEP = 1000;

/** Longer ones would not fit into the 64 bits of a cursor of HSCAN. */
const MOST_CURSOR_DIGITS = 19;

const DAY_S = 86400;

interface Conditions {
  db: string;
  table: string;
  /** What a path begins and ends with. */
  prefix: string;
  suffix: string;
  afterNs: string;
  beforeNs: string;
  /** Whether every time will do. */
  isTimeless: boolean;
  layer: string | undefined;
}

/** What a call has found and looked at. */
interface Page {
  found: string[];
  examined: number;
  count: number;
}

function isFull(page: Page): boolean {
  return page.found.length >= page.count || page.examined >= MOST_EXAMINED;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar, by H. Hinnant's days_from_civil (years from 0 on). */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719468;
}

/** Whether a first folder is called `date=YYYY-MM-DD` after a day that has a time in question. */
function isNamedInTime(first: string, { afterNs, beforeNs }: Conditions): boolean {
  const [year, month, day] = string.match(first, "^date=(%d%d%d%d)%-(%d%d)%-(%d%d)$");
  if (year === undefined) return false;
  const startS = daysOf(tonumber(year)!, tonumber(month)!, tonumber(day)!) * DAY_S;
  return startS <= floorSeconds(beforeNs) && startS + DAY_S > floorSeconds(afterNs);
}

/** Whether a first folder may hold files in question: by its bounds, by its name for what others wrote, or because nothing is known. */
function mayHold(first: string, bounds: string | false | undefined, conditions: Conditions): boolean {
  if (string.sub(first, 1, conditions.prefix.length) !== string.sub(conditions.prefix, 1, first.length)) return false;
  if (conditions.isTimeless || isNamedInTime(first, conditions)) return true;
  const known = parseBounds(bounds);
  if (known === undefined || !known.isComplete) return true;
  return mayBeInRange(known.minNs, known.maxNs, conditions.afterNs, conditions.beforeNs);
}

/** By name; by itself because a parameter called `table` hides Lua's own. */
function sort(values: string[]): void {
  table.sort(values);
}

/** First folders from `folders:`, in order, those after `last`. */
function listed(db: string, table: string, last: string): string[] {
  const seen = new LuaSet<string>();
  const found: string[] = [];
  for (const folder of onKey("HKEYS", foldersKey(db, table))) {
    const first = firstFolderOf(folder);
    if (first > last && !seen.has(first)) {
      seen.add(first);
      found.push(first);
    }
  }
  sort(found);
  return found;
}

/**
 * First folders after `last`, in order, and whether there may be more of them.
 *
 * Errors: LIMIT where there are too many to list and our registry does not know all of them.
 */
function firstFolders({ db, table, prefix }: Conditions, last: string): LuaMultiReturn<[string[], boolean]> {
  const [slash] = string.find(prefix, "/", 1, true);
  if (slash !== undefined) {
    const only = firstFolderOf(prefix);
    return $multi(only > last ? [only] : [], false);
  }
  const folders = onKey("HLEN", foldersKey(db, table));
  if (folders <= FEW_FOLDERS) return $multi(listed(db, table, last), false);
  requireType(tableKey(db, table), "hash");
  if (inStep(db, table)) {
    const from = last === "" ? "-" : `(${last}`;
    const found = onKey("ZRANGE", firstFoldersKey(db, table), from, "+", "BYLEX", "LIMIT", "0", `${BOUNDS_STEP}`);
    return $multi(found, found.length === BOUNDS_STEP);
  }
  if (folders > MOST_FOLDERS) {
    fail(
      "LIMIT",
      `${folders} folders of ${quote(`${db}/${table}`)} are not all in the index of folders; rebuild_index enters them`,
    );
  }
  return $multi(listed(db, table, last), false);
}

/** Those of the first folders that may hold files in question. */
function holding(firsts: string[], conditions: Conditions): string[] {
  const { db, table: tableName, isTimeless } = conditions;
  const found: string[] = [];
  for (const from of $range(1, firsts.length, BOUNDS_STEP)) {
    const chunk: string[] = [];
    for (const at of $range(from, Math.min(from + BOUNDS_STEP - 1, firsts.length))) chunk.push(firsts[at - 1]!);
    const bounds = isTimeless ? [] : onKey("HMGET", boundsKey(db, tableName), ...chunk);
    for (const at of $range(1, chunk.length)) {
      if (mayHold(chunk[at - 1]!, bounds[at - 1], conditions)) found.push(chunk[at - 1]!);
    }
  }
  return found;
}

/** Whether an entry is in question; its path begins with the prefix already. */
function isWanted(path: string, stored: string, { suffix, afterNs, beforeNs, isTimeless, layer }: Conditions): boolean {
  if (suffix !== "" && string.sub(path, -suffix.length) !== suffix) return false;
  if (!isTimeless) {
    const [minNs, maxNs] = timesOf(stored);
    if (!isInRange(minNs, maxNs, afterNs, beforeNs)) return false;
  }
  return layer === undefined || decodeEntry(stored)?.layer === layer;
}

/** What to look at in a first folder. */
interface Part {
  /** Options of HSCAN. */
  match: string[];
  /** Folders in question; undefined for all that match. */
  folders: LuaSet<string> | undefined;
}

/** The part of a first folder that may hold files in question; undefined if none may. */
function partOf(first: string, { db, table, prefix, afterNs, beforeNs, isTimeless }: Conditions): Part | undefined {
  if (prefix.length > first.length) return { match: ["MATCH", `${literal(prefix)}*`], folders: undefined };
  const names = isTimeless ? undefined : foldersInTime(db, table, first, afterNs, beforeNs);
  if (names === undefined) return { match: [], folders: undefined };
  if (names.length === 0) return undefined;
  const folders = new LuaSet<string>();
  for (const name of names) folders.add(name);
  return { match: ["MATCH", pathsIn(names)], folders };
}

function isIn(folders: LuaSet<string> | undefined, path: string): boolean {
  if (folders === undefined) return true;
  const [folder] = string.match(path, "^(.*)/");
  return folders.has(folder ?? "");
}

/** Reads on in a first folder from a place until the page is full; the place to go on from, `0` at its end. */
function readFolder(first: string, from: string, page: Page, conditions: Conditions): string {
  const part = partOf(first, conditions);
  if (part === undefined) return "0";
  const files = filesKey(conditions.db, conditions.table, first);
  let place = from;
  do {
    const [next, found] = onKey("HSCAN", files, place, "COUNT", `${STEP}`, ...part.match);
    for (const at of $range(1, found.length, 2)) {
      const path = found[at - 1]!;
      if (isIn(part.folders, path) && isWanted(path, found[at]!, conditions)) page.found.push(found[at]!);
    }
    page.examined += STEP * PASSED_BY + found.length / 2;
    place = next;
  } while (place !== "0" && !isFull(page));
  return place;
}

/** Fills a page from where the last one ended; the cursor to go on with. */
function readPage(cursor: string, page: Page, conditions: Conditions): string {
  const [place, last] = string.match(cursor, "^(%d+)/(.*)$");
  const isPlace = place !== undefined && place.length <= MOST_CURSOR_DIGITS;
  if (!isPlace && cursor !== "0")
    fail("BADARG", `CURSOR must be 0 or as the last call answered it, got ${quote(cursor)}`);
  if (place !== undefined && place !== "0") {
    const next = readFolder(last!, place, page, conditions);
    if (next !== "0") return `${next}/${last}`;
  }
  let done = last ?? "";
  const [firsts, hasMore] = firstFolders(conditions, done);
  for (const first of holding(firsts, conditions)) {
    if (isFull(page)) return `0/${done}`;
    const next = readFolder(first, "0", page, conditions);
    if (next !== "0") return `${next}/${first}`;
    done = first;
  }
  return hasMore ? `0/${firsts[firsts.length - 1]}` : "0";
}

function timeOr(name: string, given: string | undefined, otherwise: string): string {
  if (given === undefined) return otherwise;
  if (!isNs(given))
    fail("BADARG", `${name} must be a time in nanoseconds, a whole number of 64 bits, got ${quote(given)}`);
  return given;
}

export const queryIndex = command(
  {
    name: "query_index",
    summary: "Files of a table by folder, time, iteration and layer",
    doc:
      "A file is found if its time overlaps [AFTER, BEFORE], to the nanosecond, both included; one without times, or " +
      "with both of them 0, always is. Each JSON is the " +
      "entry as it was added. Calls go on with the cursor of the last reply, `0` to begin and at the end; a reply " +
      "may be empty before that, and may hold some more than COUNT. A file that is there from the first call to " +
      "the last is found at least once; one that comes or goes meanwhile may be. Only days that can hold such " +
      "files are looked at; a call looks at about 1,000 files. Where clients of GigAPI write without us, a day's " +
      "files are looked for by its name too, and a file of another day's time is found once rebuild_index has " +
      "passed.",
    role: "reader",
    flags: ["no-writes"],
    positional: [DB, TABLE],
    options: [
      {
        name: "FOLDER",
        type: text(1, 4096),
        doc: "what the path begins with: `date=2024-01-15/hour=14`, or a part of it",
      },
      { name: "AFTER", type: text(1, 20), unit: "unix_ns", doc: "first time, unix ns" },
      { name: "BEFORE", type: text(1, 20), unit: "unix_ns", doc: "last time, unix ns" },
      { name: "ITERATION", type: integer(1, 1000), doc: "how often the file was merged, from 1" },
      { name: "LAYER", type: text(0, 256), doc: "name of the layer" },
      { name: "CURSOR", type: text(1, 4200), default: "0", doc: "from the last reply; 0 to begin" },
      { name: "COUNT", type: integer(1, 10000), default: 1000, doc: "about how many files to answer" },
    ],
    reply: tuple([{ name: "cursor", type: textReply, doc: "to go on with; 0 at the end" }], jsonReply),
    errors: ["BADARG", "LIMIT", "CONFLICT"],
    answer: { doc: "files", schema: "EntryStored" },
    paging: "cursor",
    causes: { LIMIT: "the table has more folders than a call can list: call rebuild_index" },
  },
  ({ db, table, folder, after, before, iteration, layer, cursor, count }) => {
    const afterNs = timeOr("AFTER", after, MIN_NS);
    const beforeNs = timeOr("BEFORE", before, MAX_NS);
    if (compareNs(afterNs, beforeNs) > 0)
      fail("BADARG", `AFTER must not be later than BEFORE, got ${quote(afterNs)} and ${quote(beforeNs)}`);
    const page: Page = { found: [], examined: 0, count };
    const next = readPage(cursor, page, {
      db,
      table,
      prefix: string.gsub(folder ?? "", "^/+", "")[0],
      suffix: iteration === undefined ? "" : `.${iteration}.parquet`,
      afterNs,
      beforeNs,
      isTimeless: after === undefined && before === undefined,
      layer,
    });
    return withHead(next, page.found);
  },
);
