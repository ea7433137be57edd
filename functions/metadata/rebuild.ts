/**
 * Enters in our own keys what clients of GigAPI wrote without us, and takes out what they deleted: first the keyspace,
 * then our registries. Progress is kept in Redis, so that no call does much, and any call can be the last or be repeated.
 */
import { command, integer, integerReply, record } from "../runtime/declare";
import { onKey, requireType } from "../runtime/types";
import { databasesKey, rebuildKey } from "./names";
import { enter, kindOf, type Progress } from "./rebuild-keys";
import { verify, type Place } from "./rebuild-registries";

/** Keys asked for in one step of SCAN. */
const SCAN_STEP = 250;

interface Rebuild {
  /** Cursor of SCAN; empty once the keyspace has been gone through. */
  cursor: string;
  /** Keys of the last step of SCAN that are left; the first of them is the one in progress. */
  keys: string[];
  progress: Progress;
  place: Place;
}

interface Counts {
  scanned: number;
  examined: number;
  skipped: number;
}

function readRebuild(): Rebuild {
  const names = ["cursor", "keys", "place", "folders", "db", "table", "first", "within"];
  const found = onKey("HMGET", rebuildKey(), ...names);
  const at = (position: number): string => (found[position] as string | false) || "";
  const isBegun = found[0] !== false;
  const keys = at(1) === "" ? [] : (cjson.decode(at(1)) as string[]);
  return {
    cursor: isBegun ? at(0) : "0",
    keys,
    progress: { key: keys[0] ?? "", place: at(2), folders: at(3) },
    place: { db: at(4), table: at(5), first: at(6), within: at(7) },
  };
}

function keepRebuild({ cursor, keys, progress, place }: Rebuild): void {
  redis.call(
    "HSET",
    rebuildKey(),
    "cursor",
    cursor,
    "keys",
    keys.length === 0 ? "" : cjson.encode(keys),
    "place",
    progress.place,
    "folders",
    progress.folders,
    "db",
    place.db,
    "table",
    place.table,
    "first",
    place.first,
    "within",
    place.within,
  );
}

/** Takes the next keys of the keyspace. */
function scan(rebuild: Rebuild, counts: Counts): void {
  const [next, found] = redis.call("SCAN", rebuild.cursor, "COUNT", `${SCAN_STEP}`);
  for (const key of found) {
    if (kindOf(key) !== undefined) rebuild.keys.push(key);
  }
  counts.scanned += found.length;
  rebuild.cursor = next === "0" ? "" : next;
  rebuild.progress = { key: rebuild.keys[0] ?? "", place: "0", folders: "" };
}

/** Does one step of the key in progress. */
function enterKey(rebuild: Rebuild, counts: Counts): void {
  const { progress, keys } = rebuild;
  const { examined, next, isSkipped } = enter(progress);
  counts.examined += examined;
  if (isSkipped) counts.skipped += 1;
  progress.place = next;
  if (next !== "0") return;
  const left: string[] = [];
  for (const at of $range(2, keys.length)) left.push(keys[at - 1]!);
  rebuild.keys = left;
  rebuild.progress = { key: left[0] ?? "", place: "0", folders: "" };
}

/** Does one step of whatever comes next; false once everything is done. */
function step(rebuild: Rebuild, counts: Counts): boolean {
  if (rebuild.keys.length > 0) {
    enterKey(rebuild, counts);
  } else if (rebuild.cursor !== "") {
    scan(rebuild, counts);
  } else {
    const examined = verify(rebuild.place);
    if (examined === undefined) return false;
    counts.examined += examined;
  }
  return true;
}

export const rebuildIndex = command(
  {
    name: "rebuild_index",
    summary:
      "Goes on entering what clients of GigAPI wrote without us in the index of tables, folders, times and queues",
    doc:
      "Needed once for data that was there before, and from time to time where such clients write beside us; a " +
      "call goes on where the last one ended, through the whole keyspace, and after the last (`remaining` 0) the " +
      "next begins anew. What a table holds is read and planned rightly all the time; what is missing from the " +
      "index is found by looking at more of it, or after this. Keys that cannot be told apart (names with colons " +
      "of which nothing says where they end) are skipped.",
    role: "scheduler",
    flags: [],
    positional: [],
    options: [
      {
        name: "LIMIT",
        type: integer(1, 10000),
        default: 500,
        doc: "about how many keys, files, folders and plans to look at",
      },
    ],
    reply: record([
      { name: "scanned", type: integerReply, doc: "keys of the keyspace that this call went over" },
      { name: "examined", type: integerReply, doc: "files, folders, plans and names that it looked at" },
      { name: "skipped", type: integerReply, doc: "keys of which it could not be told whose they are" },
      {
        name: "remaining",
        type: integerReply,
        flag: true,
        doc: "1 if the same call gets further; 0 once everything was gone through",
      },
    ]),
    errors: ["BADARG", "CONFLICT"],
    repeat: "next",
    paging: "remaining",
  },
  ({ limit }) => {
    requireType(databasesKey(), "zset");
    const rebuild = readRebuild();
    const counts: Counts = { scanned: 0, examined: 0, skipped: 0 };
    let hasMore = true;
    while (hasMore && counts.scanned + counts.examined < limit) hasMore = step(rebuild, counts);
    if (hasMore) keepRebuild(rebuild);
    else redis.call("UNLINK", rebuildKey());
    return { scanned: counts.scanned, examined: counts.examined, skipped: counts.skipped, remaining: hasMore ? 1 : 0 };
  },
);
