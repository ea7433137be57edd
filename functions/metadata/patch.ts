/** Adds files to the index and deletes them from it: a batch in order, all of it or nothing. */
import { inChunks } from "../runtime/chunks";
import { clock } from "../runtime/clock";
import { command, integerReply, NOW, type Declaration } from "../runtime/declare";
import { requireType } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { courseOf, parseConfiguration, readConfiguration, type Configuration } from "./configuration";
import { newBudget, presume, search, want } from "./draft-search";
import { writeDraft } from "./draft-writing";
import { join, newDraft, planMove, resize, takeOut, type Draft } from "./drafts";
import { parseEntry, type Entry, type Place } from "./entry";
import { count, load, nothingTouched, put, touch, write, type File, type Touched } from "./files";
import { newIds } from "./ids";
import { IDLE, mergeQueue, moveQueue, plannersKey, tableKey } from "./names";
import { floorSeconds } from "./nanoseconds";
import { fileQueueOf, mergeQueueOf, notePlanner, type Queue } from "./queues";

/** The most entries of a call, but for clients of GigAPI, which send what they have. */
const MAX_ENTRIES = 1000;

export const PATCH_INDEX = {
  name: "patch_index",
  summary: "Adds files to the index and deletes them, and plans what is to be done with them",
  doc: "An entry is a JSON object with cmd (`ADD` or `DELETE`), path (`<folder>/<name>.<iteration>.parquet`), layer, size_bytes, writer_id, min and max, and the times str_min_time, str_max_time and str_chunk_time (ns, decimal text); it is kept as the text that it came as. database and table may be left out. A batch is applied in order, all of it or nothing; an error names the entry by its place, from 0. ADD stores the entry, counts it in its folder, and puts its file into the open merge plan of its folder, iteration, layer and writer, or into a new plan where the size of that one would exceed max_size; or it plans the file's move to the next layer where that comes first. A path that is in the index already is replaced: it is counted and planned once. DELETE removes the entry, takes the file out of plans that were not given out (an emptied plan disappears), and queues its drop for 30 s later; layer and writer_id are those of the entry where they are left out. A path that is not in the index is passed over.",
  role: "ingest",
  flags: [],
  positional: [DB, TABLE],
  rest: { name: "entry", max: MAX_ENTRIES, doc: "entries as JSON objects" },
  options: [NOW],
  keysForm: {
    keys: [
      { name: "merge_conf", doc: "JSON array of steps of merging: [[timeout_sec, max_size, id], ...]" },
      { name: "layers", doc: "JSON object of layers by name" },
    ],
    rest: { name: "entry", doc: "entries as JSON objects, with database and table; as many as come, empty ones are passed over" },
    reply: integerReply,
    doc: "For GigAPI's clients: the configuration comes with the call.",
  },
  reply: integerReply,
  errors: ["BADARG", "BADCONFIG", "NOTFOUND", "LIMIT", "CONFLICT"],
} as const satisfies Declaration;

/** A file is dropped so many seconds after it was deleted: who reads it may finish. */
const DROP_DELAY_S = 30;

/** Files to be dropped from a layer. */
interface Drops {
  queue: Queue;
  paths: string[];
}

/** What a call is going to do. */
interface Batch {
  configuration: Configuration;
  nowS: number;
  entries: Entry[];
  /** The file of each entry. */
  files: File[];
  touched: Touched;
  /** Queues of merge and move plans by name, and in the order in which they were met. */
  byName: LuaMap<string, Draft>;
  drafts: Draft[];
  dropsByName: LuaMap<string, Drops>;
  drops: Drops[];
}

function newBatch(configuration: Configuration, nowMs: number): Batch {
  const nowS = Math.floor(nowMs / 1000);
  const touched = nothingTouched();
  return { configuration, nowS, entries: [], files: [], touched, byName: new LuaMap(), drafts: [], dropsByName: new LuaMap(), drops: [] };
}

function addEntry(batch: Batch, text: string, at: number, place: Place | undefined): void {
  const entry = parseEntry(text, at, place, batch.configuration);
  batch.entries.push(entry);
  batch.files.push(touch(batch.touched, entry));
}

function keepDraft(batch: Batch, queue: Queue): Draft {
  const draft = newDraft(queue);
  batch.byName.set(queue.name, draft);
  batch.drafts.push(draft);
  return draft;
}

/** The queue in which files like this one wait to be merged. */
function mergeDraft(batch: Batch, { home, iteration, folder }: File, layer: string, writer: string): Draft {
  const { db, table } = home.table;
  const known = batch.byName.get(mergeQueue(db, table, `${iteration}`, folder, layer, writer));
  return known ?? keepDraft(batch, mergeQueueOf(db, table, `${iteration}`, folder, layer, writer));
}

/** The queue in which files of a layer wait to be moved. */
function moveDraft(batch: Batch, { home }: File, layer: string, writer: string): Draft {
  const { db, table } = home.table;
  const known = batch.byName.get(moveQueue(db, table, layer, writer));
  return known ?? keepDraft(batch, fileQueueOf("move", db, table, layer, writer));
}

/** Whether a stored file may be taken out of its plan, or weigh another size there. */
function mayChangePlan({ isDelete, layer, writer, sizeBytes }: Entry, file: File): boolean {
  return file.stored !== false && (isDelete || layer !== file.layer || writer !== file.writer || sizeBytes !== file.sizeBytes);
}

/** Finds the plans of files that were there before and may leave them. */
function findPlans(batch: Batch): void {
  const { entries, files, configuration } = batch;
  const wanted: File[] = [];
  for (const at of $range(1, entries.length)) {
    const file = files[at - 1]!;
    if (mayChangePlan(entries[at - 1]!, file)) {
      wanted.push(file);
      if (file.iteration > 0) want(mergeDraft(batch, file, file.layer, file.writer), file);
    }
  }
  const budget = newBudget();
  for (const draft of batch.drafts) search(draft, budget);
  // Where files like it are merged it waits for that; a queue of moves, which may be long, is not looked through for it.
  const moves: Draft[] = [];
  for (const file of wanted) {
    const course = courseOf(configuration, file.iteration, file.layer);
    if (course === "merge") presume(mergeDraft(batch, file, file.layer, file.writer), file);
    if (course === "move" && file.spot === undefined) {
      const draft = moveDraft(batch, file, file.layer, file.writer);
      if (draft.wantedCount === 0) moves.push(draft);
      want(draft, file);
    }
  }
  for (const draft of moves) search(draft, budget);
  for (const file of wanted) {
    if (courseOf(configuration, file.iteration, file.layer) === "move") presume(moveDraft(batch, file, file.layer, file.writer), file);
  }
}

/** Plans what is to be done with a file that comes. */
function plan(batch: Batch, file: File, { sizeBytes, chunkNs }: Entry, layer: string, writer: string): void {
  const { configuration, nowS } = batch;
  const course = courseOf(configuration, file.iteration, layer);
  if (course === "merge") {
    const { timeoutS, maxSize } = configuration.steps[file.iteration - 1]!;
    join(mergeDraft(batch, file, layer, writer), file, sizeBytes, maxSize, nowS + timeoutS);
  } else if (course === "move") {
    const chunkS = chunkNs === undefined ? nowS : floorSeconds(chunkNs);
    planMove(moveDraft(batch, file, layer, writer), file, chunkS + configuration.layers.get(layer)!.ttlS);
  }
}

function add(batch: Batch, entry: Entry, file: File): void {
  const layer = entry.layer!;
  const writer = entry.writer!;
  if (file.text === undefined) {
    count(file, 1);
    plan(batch, file, entry, layer, writer);
  } else if (file.layer !== layer || file.writer !== writer) {
    takeOut(file);
    plan(batch, file, entry, layer, writer);
  } else if (file.sizeBytes !== entry.sizeBytes) {
    resize(file, entry.sizeBytes);
  }
  put(file, entry, layer, writer);
}

/** The files that are to be dropped from a layer. CONFLICT if their list holds a foreign type. */
function dropsOf(batch: Batch, { home }: File, layer: string, writer: string): Drops {
  const { db, table } = home.table;
  const queue = fileQueueOf("drop", db, table, layer, writer);
  const known = batch.dropsByName.get(queue.name);
  if (known !== undefined) return known;
  requireType(queue.name + IDLE, "list");
  requireType(plannersKey(db, table), "zset");
  const drops = { queue, paths: [] };
  batch.dropsByName.set(queue.name, drops);
  batch.drops.push(drops);
  return drops;
}

function remove(batch: Batch, entry: Entry, file: File): void {
  if (file.text === undefined) return;
  takeOut(file);
  count(file, -1);
  dropsOf(batch, file, entry.layer ?? file.layer, entry.writer ?? file.writer).paths.push(file.path);
  file.text = undefined;
}

function writeDrops({ queue, paths }: Drops, timeS: number, newId: (this: void) => string): void {
  const { db, table, layer, writer } = queue;
  // What all of them have alike is encoded once.
  const alike = cjson.encode({ writer_id: writer, layer, database: db, table, time_s: timeS });
  const rest = string.sub(alike, 2);
  const texts: string[] = [];
  for (const path of paths) texts.push(`{"id":"${newId()}","path":${cjson.encode(path)},${rest}`);
  inChunks(texts, (part) => redis.call("RPUSH", queue.name + IDLE, ...part));
  notePlanner(queue);
}

/** Applies all entries in order, first in memory; nothing is written unless all of it is. */
function apply(batch: Batch): number {
  const { entries, files, configuration, nowS } = batch;
  load(batch.touched);
  findPlans(batch);
  for (const at of $range(1, entries.length)) {
    const entry = entries[at - 1]!;
    if (entry.isDelete) remove(batch, entry, files[at - 1]!);
    else add(batch, entry, files[at - 1]!);
  }
  write(batch.touched);
  const ids = new LuaMap<string, (this: void) => string>();
  const idsOf = ({ db, table }: Queue): ((this: void) => string) => {
    const name = tableKey(db, table);
    const known = ids.get(name) ?? newIds(db, table);
    ids.set(name, known);
    return known;
  };
  for (const draft of batch.drafts) writeDraft(draft, configuration, idsOf(draft.queue));
  for (const drops of batch.drops) writeDrops(drops, nowS + DROP_DELAY_S, idsOf(drops.queue));
  return entries.length;
}

export const patchIndex = command(
  PATCH_INDEX,
  ({ db, table, rest, now }) => {
    const batch = newBatch(readConfiguration(db, table), clock(now));
    const place = { db, table };
    for (const at of $range(1, rest.length)) addEntry(batch, rest[at - 1]!, at - 1, place);
    return apply(batch);
  },
  (keys, args) => {
    const configuration = parseConfiguration(keys[0]!, keys[1]!, { merge: "merge_conf", layers: "layers" });
    const batch = newBatch(configuration, clock(undefined));
    for (const at of $range(1, args.length)) {
      const text = args[at - 1]!;
      if (text !== "") addEntry(batch, text, at - 1, undefined);
    }
    return apply(batch);
  },
);
