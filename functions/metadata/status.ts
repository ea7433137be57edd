/** How a table is doing. */
import { clock } from "../runtime/clock";
import { command, integerReply, list, NOW, nullable, record, textReply, tuple } from "../runtime/declare";
import { onKey, requireType } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { inStep, parseBounds } from "./folders";
import {
  boundsKey,
  filesKey,
  firstFoldersKey,
  foldersKey,
  IDLE,
  plannersKey,
  PROCESSING,
  tableKey,
  queuesKey,
} from "./names";
import { earlierNs, laterNs } from "./nanoseconds";
import { fileQueueOf, mergeQueueOf, nextTime, UNREADABLE, type PlanKind } from "./queues";

/** What has more parts than these is not added up. */
const MOST_COUNTED = 1000;

/** Of so many queues that are said to be due, the plans are looked at; more are taken at their word. */
const MOST_LOOKED_AT = 100;

interface Sums {
  files: number;
  minNs: string | undefined;
  maxNs: string | undefined;
}

/** Adds up the first folders of a table; undefined where there are too many, or not all of them are known. */
function sumsOf(db: string, table: string): Sums | undefined {
  const firsts = onKey("ZRANGE", firstFoldersKey(db, table), "0", `${MOST_COUNTED}`);
  if (firsts.length > MOST_COUNTED || !inStep(db, table)) return undefined;
  const sums: Sums = { files: 0, minNs: undefined, maxNs: undefined };
  if (firsts.length === 0) return sums;
  let isComplete = true;
  const stored = onKey("HMGET", boundsKey(db, table), ...firsts);
  for (const at of $range(1, firsts.length)) {
    sums.files += onKey("HLEN", filesKey(db, table, firsts[at - 1]!));
    const bounds = parseBounds(stored[at - 1]);
    if (bounds === undefined || !bounds.isComplete) {
      isComplete = false;
    } else {
      sums.minNs = sums.minNs === undefined ? bounds.minNs : earlierNs(sums.minNs, bounds.minNs);
      sums.maxNs = sums.maxNs === undefined ? bounds.maxNs : laterNs(sums.maxNs, bounds.maxNs);
    }
  }
  return isComplete ? sums : { files: sums.files, minNs: undefined, maxNs: undefined };
}

/** What waits, what is out, and of how many queues there is something to take; nil in place of what is too much to count. */
type Counted = [waiting: number | false, out: number | false, due: number];

/** The merge queues of all folders of an iteration, layer and writer. */
function countMerges(
  db: string,
  table: string,
  iteration: string,
  layer: string,
  writer: string,
  nowS: number,
): Counted {
  const index = queuesKey(db, table, iteration, layer, writer);
  const early = onKey("ZCOUNT", index, "-inf", `${nowS}`);
  const folders = onKey("ZRANGE", index, "0", `${MOST_COUNTED}`);
  let waiting = 0;
  let out = 0;
  let due = early;
  for (const at of $range(1, Math.min(folders.length, MOST_COUNTED))) {
    const { name } = mergeQueueOf(db, table, iteration, folders[at - 1]!, layer, writer);
    waiting += onKey("LLEN", name + IDLE);
    out += onKey("LLEN", name + PROCESSING);
    // The index may be early, as where a plan was taken by the name of its queue.
    if (at <= Math.min(early, MOST_LOOKED_AT) && (nextTime(name) ?? math.huge) > nowS) due -= 1;
  }
  return folders.length > MOST_COUNTED ? [false, false, due] : [waiting, out, due];
}

function countFiles(
  kind: "move" | "drop",
  db: string,
  table: string,
  layer: string,
  writer: string,
  nowS: number,
): Counted {
  const { name } = fileQueueOf(kind, db, table, layer, writer);
  const timeS = nextTime(name);
  return [onKey("LLEN", name + IDLE), onKey("LLEN", name + PROCESSING), timeS !== undefined && timeS <= nowS ? 1 : 0];
}

/** Those who plan in a table, and what they have. */
function planners(db: string, table: string, nowS: number): unknown[][] {
  const found: unknown[][] = [];
  for (const member of onKey("ZRANGE", plannersKey(db, table), "0", `${MOST_COUNTED - 1}`)) {
    const [kind, iteration, layer, writer] = cjson.decode(member) as [PlanKind, string, string, string];
    const [waiting, out, due] =
      kind === "merge"
        ? countMerges(db, table, iteration, layer, writer, nowS)
        : countFiles(kind, db, table, layer, writer, nowS);
    found.push([kind, iteration === "" ? false : tonumber(iteration)!, layer, writer, waiting, out, due]);
  }
  return found;
}

export const getTableStatus = command(
  {
    name: "get_table_status",
    summary: "How many files and folders a table has, from when to when, and what is planned",
    doc:
      "A table that nobody has written to has no folders. Sums are nil where they are of more than 1,000 parts, or " +
      "where clients of GigAPI wrote without us and rebuild_index has not passed (`known` 0).",
    role: "reader",
    flags: ["no-writes"],
    positional: [DB, TABLE],
    options: [NOW],
    reply: record([
      { name: "folders", type: integerReply, doc: "folders with files" },
      { name: "known", type: integerReply, flag: true, doc: "1 if our index knows as many folders as there are" },
      { name: "files", type: nullable(integerReply), doc: "files" },
      {
        name: "min_ns",
        type: nullable(textReply),
        unit: "unix_ns",
        doc: "earliest time of a file there was, unix ns; nil if it is not known",
      },
      {
        name: "max_ns",
        type: nullable(textReply),
        unit: "unix_ns",
        doc: "latest time of a file there was, unix ns; nil if it is not known",
      },
      { name: "configured", type: integerReply, flag: true, doc: "1 if configure_table was called" },
      { name: "unreadable", type: integerReply, doc: "plans that nobody could read, and that were moved aside" },
      {
        name: "plans",
        type: list(
          tuple([
            { name: "kind", type: textReply, words: ["merge", "move", "drop"], doc: "merge, move or drop" },
            {
              name: "iteration",
              type: nullable(integerReply),
              doc: "of the files that are merged; nil for move and drop",
            },
            { name: "layer", type: textReply, doc: "layer" },
            { name: "writer", type: textReply, doc: "writer" },
            { name: "waiting", type: nullable(integerReply), doc: "plans that wait, ripe or not" },
            { name: "out", type: nullable(integerReply), doc: "plans that were given out and not ended" },
            {
              name: "due",
              type: integerReply,
              doc: "queues with something to take now: a folder is one, for move and drop all is one",
            },
          ]),
        ),
        doc: "what is planned for each layer and writer",
      },
    ]),
    errors: ["BADARG", "CONFLICT"],
  },
  ({ db, table, now }) => {
    const nowS = Math.floor(clock(now) / 1000);
    const state = tableKey(db, table);
    requireType(state, "hash");
    requireType(foldersKey(db, table), "hash");
    const sums = sumsOf(db, table);
    const [merge, unreadable] = redis.call("HMGET", state, "merge", UNREADABLE);
    return {
      folders: redis.call("HLEN", foldersKey(db, table)),
      known: inStep(db, table) ? 1 : 0,
      files: sums?.files,
      min_ns: sums?.minNs,
      max_ns: sums?.maxNs,
      configured: merge === false ? 0 : 1,
      unreadable: unreadable === false ? 0 : tonumber(unreadable)!,
      plans: planners(db, table, nowS),
    };
  },
);
