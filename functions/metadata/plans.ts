/** Plans are given out to workers under a lease, and ended by them. */
import { clock } from "../runtime/clock";
import {
  command,
  integer,
  integerReply,
  jsonReply,
  NOW,
  nullable,
  text,
  textReply,
  type Command,
} from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey, requireType } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { newIds } from "./ids";
import * as names from "./names";
import {
  endPlan,
  endPlanIn,
  fileQueueOf,
  mergeQueueOf,
  newEffort,
  reindex,
  take,
  takeNamed,
  type Plan,
  type PlanKind,
  type Queue,
  type Taken,
} from "./queues";

/** A call looks into so many folders at most whose queues are said to have a plan. */
const MOST_FOLDERS = 100;

const LAYER = { name: "layer", type: text(0, 256), doc: "name of the layer" } as const;
const WRITER = { name: "writer", type: text(0, 256), doc: "id of the writer whose files they are" } as const;
const PLAN_ID = { name: "id", type: text(1, 256), doc: "id of the plan" } as const;

const LEASE_DOC = "The plan is leased for 30 minutes: what is not ended until then is given out again";
const LESS_GONE_DOC = ", less the files that are gone from the index by then; a plan without files ends.";

function seconds(now: number | undefined): number {
  return Math.floor(clock(now) / 1000);
}

function folderOf(path: string): string {
  const [folder] = string.match(path, "^(.*)/[^/]*$");
  return folder ?? "";
}

/** Where the merged file is to be: beside the first of those that it is made of. */
function mergedPath(db: string, table: string, first: string, iteration: number): string {
  const folder = folderOf(first);
  const newId = newIds(db, table);
  return `${folder === "" ? "" : `${folder}/`}${newId()}.${iteration + 1}.parquet`;
}

/** The list of a queue that holds a foreign type; undefined if none does. */
function foreignOf({ name }: Queue): string | undefined {
  for (const list of [name + names.IDLE, name + names.PROCESSING]) {
    const found = redis.call("TYPE", list).ok;
    if (found !== "list" && found !== "none") return list;
  }
  return undefined;
}

/**
 * The first plan of the folders whose time has come; what others took meanwhile is put right on the way. A folder whose
 * lists hold a foreign type is passed over, and named only where nothing else is found.
 */
function takeMerge(
  db: string,
  table: string,
  iteration: string,
  layer: string,
  writer: string,
  nowS: number,
): Taken | undefined {
  const index = names.queuesKey(db, table, iteration, layer, writer);
  const due = onKey("ZRANGE", index, "-inf", `${nowS}`, "BYSCORE", "LIMIT", "0", `${MOST_FOLDERS}`);
  // It counts the ids that are made for merged files.
  if (due.length > 0) requireType(names.tableKey(db, table), "hash");
  const effort = newEffort();
  let foreign: string | undefined;
  for (const folder of due) {
    const queue = mergeQueueOf(db, table, iteration, folder, layer, writer);
    const found = foreignOf(queue);
    if (found === undefined) {
      const taken = take(queue, nowS, effort);
      if (taken !== undefined) return taken;
      reindex(queue);
    }
    foreign = foreign ?? found;
  }
  if (foreign !== undefined) fail("CONFLICT", `${foreign} is no list`);
  return undefined;
}

/** The queue that a client of GigAPI names: `prefix:db:table:[suffix:]layer:writer`. */
function namedQueue(kind: PlanKind, db: string, table: string, suffix: string, layer: string, writer: string): Queue {
  const [iteration, folder] = string.match(suffix, "^(%d+):(.*)$");
  if (kind === "merge" && iteration !== undefined) return mergeQueueOf(db, table, iteration, folder!, layer, writer);
  const middle = suffix === "" ? "" : `${suffix}:`;
  const name = `${kind}:${db}:${table}:${middle}${layer}:${writer}`;
  return { kind, db, table, iteration: "", layer, writer, name, index: "", folder: "" };
}

export const getMergePlan = command(
  {
    name: "get_merge_plan",
    summary: "Takes a plan to merge files, under a lease, or nil",
    doc:
      "Of the folders whose plans are ripe, or whose leases have ended, the one that waited longest comes first. " +
      "The JSON has `id`, `writer_id`, `layer`, `database`, `table`, `from` (paths), `to` (path of " +
      "the file to write, another one each time it is given out) and `iteration` (of the files in `from`). " +
      `${LEASE_DOC}${LESS_GONE_DOC} A plan that nobody can read is moved aside, and counted by get_table_status.`,
    role: "worker",
    flags: [],
    positional: [
      DB,
      TABLE,
      { name: "iteration", type: integer(1, 1000), doc: "iteration of the files to merge, from 1" },
      LAYER,
      WRITER,
    ],
    options: [NOW],
    keysForm: {
      keys: [
        { name: "prefix", doc: "merge, move or drop" },
        { name: "db", doc: "database" },
        { name: "table", doc: "table" },
        { name: "suffix", doc: "for merge `iteration:folder`, else empty" },
        { name: "layer", doc: "layer" },
        { name: "writer", doc: "writer" },
      ],
      rest: { name: "ignored", doc: "arguments are not looked at" },
      reply: textReply,
      doc:
        "Takes a plan of that one queue; the reply is the plan as it is stored, with the end of its lease as " +
        "`time_s`, or empty text.",
    },
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "the plan", schema: "MergePlan" },
    repeat: "takes",
  },
  ({ db, table, iteration, layer, writer, now }) => {
    const taken = takeMerge(db, table, `${iteration}`, layer, writer, seconds(now));
    if (taken === undefined) return undefined;
    const { id, paths } = taken.plan;
    const to = mergedPath(db, table, paths[0]!, iteration);
    return cjson.encode({ id, writer_id: writer, layer, database: db, table, from: paths, to, iteration });
  },
  (keys) => {
    const [kind, db, table, suffix, layer, writer] = keys as [string, string, string, string, string, string];
    if (kind !== "merge" && kind !== "move" && kind !== "drop")
      fail("BADARG", `prefix must be one of merge, move, drop, got ${quote(kind)}`);
    const queue = namedQueue(kind, db, table, suffix, layer, writer);
    return takeNamed(queue, seconds(undefined)) ?? "";
  },
);

/**
 * The function that gives out plans of one file each.
 *
 * @param work what they are for
 * @param shown names of the fields of the JSON, after `id` and `writer_id`
 * @param describe the JSON of a plan, as a record
 */
function takesFile(
  kind: "move" | "drop",
  work: string,
  shown: string,
  describe: (this: void, plan: Plan, queue: Queue) => Record<string, unknown>,
): Command {
  return command(
    {
      name: `get_${kind}_plan`,
      summary: `Takes a plan to ${work}, under a lease, or nil`,
      doc: `The JSON has \`id\`, \`writer_id\`, ${shown}. ${LEASE_DOC}${kind === "move" ? LESS_GONE_DOC : "."}`,
      role: "worker",
      flags: [],
      positional: [DB, TABLE, LAYER, WRITER],
      options: [NOW],
      reply: nullable(jsonReply),
      errors: ["BADARG", "CONFLICT"],
      answer: { doc: "the plan", schema: kind === "move" ? "MovePlan" : "DropPlan" },
      repeat: "takes",
    },
    ({ db, table, layer, writer, now }) => {
      const queue = fileQueueOf(kind, db, table, layer, writer);
      const taken = take(queue, seconds(now), newEffort());
      return taken === undefined ? undefined : cjson.encode(describe(taken.plan, queue));
    },
  );
}

export const getMovePlan = takesFile(
  "move",
  "move a file to the next layer",
  "`database`, `table`, `path_from`, `layer_from`, `path_to` and `layer_to` (empty where no layer follows: the file " +
    "has had its time, and its worker deletes it from the index and the disk)",
  ({ id, path_from, path_to, layer_to }, { db, table, layer, writer }) => ({
    id,
    writer_id: writer,
    database: db,
    table,
    path_from,
    layer_from: layer,
    path_to,
    layer_to,
  }),
);

export const getDropPlan = takesFile(
  "drop",
  "remove a file that was deleted from the index",
  "`layer`, `database`, `table` and `path`",
  ({ id, path }, { db, table, layer, writer }) => ({ id, writer_id: writer, layer, database: db, table, path }),
);

/** Ends a plan that is out; NOTFOUND if it is not. */
function end(kind: PlanKind, db: string, table: string, id: string): number {
  if (!endPlan(kind, db, table, id))
    fail("NOTFOUND", `no ${kind} plan ${quote(id)} of ${quote(`${db}/${table}`)} is out`);
  return 1;
}

const END_DOC =
  "A plan can be ended as long as it is out, after its lease too. One that a client took without us is found " +
  "once rebuild_index has passed.";

export const endMerge = command(
  {
    name: "end_merge",
    summary: "Ends a plan to merge files that was carried out",
    doc: END_DOC,
    role: "worker",
    flags: [],
    positional: [DB, TABLE, PLAN_ID],
    options: [],
    keysForm: {
      keys: [
        { name: "db", doc: "database" },
        { name: "table", doc: "table" },
        { name: "suffix", doc: "`iteration:folder`" },
        { name: "layer", doc: "layer" },
        { name: "writer", doc: "writer" },
        { name: "id", doc: "id of the plan" },
      ],
      rest: { name: "ignored", doc: "arguments are not looked at" },
      reply: textReply,
      doc: "Plans that others gave out are found too. Empty text, whether there was one or not.",
    },
    reply: integerReply,
    errors: ["BADARG", "NOTFOUND", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "differs",
    causes: { NOTFOUND: "no such plan is out: it was ended before, perhaps by this call" },
  },
  ({ db, table, id }) => end("merge", db, table, id),
  (keys) => {
    const [db, table, suffix, layer, writer, id] = keys as [string, string, string, string, string, string];
    endPlanIn(namedQueue("merge", db, table, suffix, layer, writer), id);
    return "";
  },
);

/** The function that ends plans of one file each. */
function endsFile(kind: "move" | "drop", work: string): Command {
  return command(
    {
      name: `end_${kind}`,
      summary: `Ends a plan to ${work} that was carried out`,
      doc: END_DOC,
      role: "worker",
      flags: [],
      positional: [DB, TABLE, PLAN_ID],
      options: [],
      reply: integerReply,
      errors: ["BADARG", "NOTFOUND", "CONFLICT"],
      answer: { doc: "1", always: 1 },
      repeat: "differs",
      causes: { NOTFOUND: "no such plan is out: it was ended before, perhaps by this call" },
    },
    ({ db, table, id }) => end(kind, db, table, id),
  );
}

export const endMove = endsFile("move", "move a file");
export const endDrop = endsFile("drop", "remove a file");
