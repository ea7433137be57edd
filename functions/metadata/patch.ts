/** Adds files to the index and deletes them from it: a batch in order, all of it or nothing. */
import { inChunks } from "../runtime/chunks";
import { clock } from "../runtime/clock";
import { command, integerReply, NOW, type Declaration } from "../runtime/declare";
import { requireType } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { courseOf, parseConfiguration, readConfiguration, type Configuration } from "./configuration";
import { newBudget, presume, search, want } from "./draft-search";
import { writeDraft } from "./draft-writing";
import { join, joinAll, newDraft, planMove, resize, takeOut, type Draft } from "./drafts";
import { keep, newReader, parseEntry, type Entry, type Place } from "./entry";
import { entryOf, load, nothingTouched, put, touch, write, type File, type Touched } from "./files";
import { newIds } from "./ids";
import { countOf, gather, newPlain, putAll, standingOf, type Group, type Plain } from "./plain";
import { IDLE, plannersKey, tableKey } from "./names";
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
    rest: {
      name: "entry",
      doc: "entries as JSON objects, with database and table; as many as come, empty ones are passed over",
    },
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
  /** The entries as they came, and their table, where it is one. */
  given: string[];
  place: Place | undefined;
  /** The entries in order, their texts, and the file of each; none while the batch may be one of new files alone. */
  entries: Entry[];
  texts: string[];
  files: File[];
  touched: Touched;
  /** Queues of merge and move plans by name, and in the order in which they were met. */
  byName: LuaMap<string, Draft>;
  drafts: Draft[];
  dropsByName: LuaMap<string, Drops>;
  drops: Drops[];
}

function newBatch(configuration: Configuration, nowMs: number, given: string[], place: Place | undefined): Batch {
  const nowS = Math.floor(nowMs / 1000);
  const [entries, texts, files]: [Entry[], string[], File[]] = [[], [], []];
  const touched = nothingTouched();
  return {
    configuration,
    nowS,
    given,
    place,
    entries,
    texts,
    files,
    touched,
    byName: new LuaMap(),
    drafts: [],
    dropsByName: new LuaMap(),
    drops: [],
  };
}

/** Reads the entries as new files alone; undefined if they are more than that. */
function readPlain({ configuration, given, place, touched }: Batch): Plain | undefined {
  const reader = newReader(place, configuration);
  const plain = newPlain();
  for (const at of $range(1, given.length)) {
    const text = given[at - 1]!;
    if (text !== "" && !gather(plain, touched, reader, parseEntry(reader, text, at - 1), text)) return undefined;
  }
  return plain;
}

/** Reads the entries to be applied file by file. */
function readEach({ configuration, given, place, entries, texts, files, touched }: Batch): void {
  const reader = newReader(place, configuration);
  let size = 0;
  for (const at of $range(1, given.length)) {
    const text = given[at - 1]!;
    if (text !== "") {
      const entry = keep(reader, parseEntry(reader, text, at - 1));
      entries[size] = entry;
      texts[size] = text;
      files[size] = touch(touched, entry);
      size += 1;
    }
  }
}

/** A queue by its name; begun to be drafted if the call has not met it. */
function draftOf({ byName, drafts }: Batch, queue: Queue): Draft {
  const known = byName.get(queue.name);
  if (known !== undefined) return known;
  const draft = newDraft(queue);
  byName.set(queue.name, draft);
  drafts.push(draft);
  return draft;
}

/** The queue in which files like this one wait to be merged. */
function mergeDraft(batch: Batch, { folder, iteration }: File, layer: string, writer: string): Draft {
  const last = folder.queue;
  if (last !== undefined) {
    const { queue } = last;
    if (folder.queueIteration === iteration && queue.layer === layer && queue.writer === writer) return last;
  }
  const { db, table } = folder.home.table;
  folder.queueIteration = iteration;
  folder.queue = draftOf(batch, mergeQueueOf(db, table, `${iteration}`, folder.name, layer, writer));
  return folder.queue;
}

/** The queue in which files of a layer wait to be moved. */
function moveDraft(batch: Batch, { folder }: File, layer: string, writer: string): Draft {
  const { db, table } = folder.home.table;
  return draftOf(batch, fileQueueOf("move", db, table, layer, writer));
}

/** Whether an entry may take a file that was there before out of its plan, or give it another size there. */
function mayChangePlan({ cmd, layer, writer_id: writer, size_bytes: size }: Entry, text: string, file: File): boolean {
  if (!file.wasStored || text === file.text) return false;
  const before = entryOf(file);
  return cmd === "DELETE" || layer !== before.layer || writer !== before.writer_id || size !== before.size_bytes;
}

/** Finds the plans of files that were there before and may leave them. */
function findPlans(batch: Batch): void {
  const { entries, files, texts, configuration } = batch;
  const wanted: File[] = [];
  for (const at of $range(1, entries.length)) {
    const file = files[at - 1]!;
    if (mayChangePlan(entries[at - 1]!, texts[at - 1]!, file)) {
      wanted.push(file);
      const { layer, writer_id: writer } = entryOf(file);
      if (file.iteration > 0) want(mergeDraft(batch, file, layer!, writer!), file);
    }
  }
  const budget = newBudget();
  for (const draft of batch.drafts) search(draft, budget);
  // A file that would be merged today waits for that, if for anything; moves, which may be many, are not looked through for it.
  const moves: Draft[] = [];
  for (const file of wanted) {
    const { layer, writer_id: writer } = entryOf(file);
    const course = courseOf(configuration, file.iteration, layer!);
    if (course === "merge") presume(mergeDraft(batch, file, layer!, writer!), file);
    if (course === "move" && file.plan === undefined) {
      const draft = moveDraft(batch, file, layer!, writer!);
      if (draft.wantedCount === 0) moves.push(draft);
      want(draft, file);
    }
  }
  for (const draft of moves) search(draft, budget);
  for (const draft of moves) {
    for (const [, file] of draft.wanted) presume(draft, file);
  }
}

/** Plans what is to be done with a file that comes. */
function plan(
  batch: Batch,
  file: File,
  { size_bytes: size, str_chunk_time: chunkNs }: Entry,
  layer: string,
  writer: string,
): void {
  const { configuration, nowS } = batch;
  const course = courseOf(configuration, file.iteration, layer);
  if (course === "merge") {
    const { timeoutS, maxSize } = configuration.steps[file.iteration - 1]!;
    join(mergeDraft(batch, file, layer, writer), file, size, maxSize, nowS + timeoutS);
  } else if (course === "move") {
    const chunkS = chunkNs === undefined || chunkNs === "" ? nowS : floorSeconds(chunkNs);
    planMove(moveDraft(batch, file, layer, writer), file, chunkS + configuration.layers.get(layer)!.ttlS);
  }
}

function add(batch: Batch, entry: Entry, text: string, file: File): void {
  if (text === file.text) return;
  const layer = entry.layer!;
  const writer = entry.writer_id!;
  if (file.text === undefined) {
    file.folder.gain += 1;
    plan(batch, file, entry, layer, writer);
  } else {
    const before = entryOf(file);
    if (before.layer !== layer || before.writer_id !== writer) {
      takeOut(file);
      plan(batch, file, entry, layer, writer);
    } else if (before.size_bytes !== entry.size_bytes) {
      resize(file, entry.size_bytes);
    }
  }
  put(file, entry, text);
}

/** The files that are to be dropped from a layer. CONFLICT if their list holds a foreign type. */
function dropsOf(batch: Batch, { folder }: File, layer: string, writer: string): Drops {
  const { db, table } = folder.home.table;
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

function remove(batch: Batch, { layer, writer_id: writer }: Entry, file: File): void {
  if (file.text === undefined) return;
  const before = entryOf(file);
  takeOut(file);
  file.folder.gain -= 1;
  dropsOf(batch, file, layer ?? before.layer!, writer ?? before.writer_id!).paths.push(file.path);
  file.text = undefined;
  file.entry = undefined;
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

/** Adds new files alone, or nothing where all are there as they come; answers whether that is what the batch does. */
function addAll(batch: Batch, plain: Plain): boolean {
  const { configuration, nowS, touched } = batch;
  load(touched);
  const standing = standingOf(plain);
  if (standing !== "new") return standing === "same";
  const merged: Group[] = [];
  for (const group of plain.groups) {
    if (courseOf(configuration, group.iteration, group.layer) === "merge") {
      if (draftOf(batch, group.queue).hasGone) return false;
      merged.push(group);
    }
  }
  for (const group of merged) {
    const { timeoutS, maxSize } = configuration.steps[group.iteration - 1]!;
    joinAll(draftOf(batch, group.queue), group.fields, group.sizes, maxSize, nowS + timeoutS);
  }
  putAll(plain);
  return true;
}

/** Applies the entries file by file. */
function applyEach(batch: Batch): void {
  readEach(batch);
  load(batch.touched);
  findPlans(batch);
  const { entries, texts, files } = batch;
  for (const at of $range(1, entries.length)) {
    const entry = entries[at - 1]!;
    if (entry.cmd === "DELETE") remove(batch, entry, files[at - 1]!);
    else add(batch, entry, texts[at - 1]!, files[at - 1]!);
  }
}

/** Applies all entries in order, first in memory; nothing is written unless all of it is. */
function apply(batch: Batch): number {
  const { touched, configuration, nowS } = batch;
  const plain = readPlain(batch);
  if (plain === undefined || !addAll(batch, plain)) applyEach(batch);
  write(touched);
  const ids = new LuaMap<string, (this: void) => string>();
  const idsOf = ({ db, table }: Queue): ((this: void) => string) => {
    const name = tableKey(db, table);
    const known = ids.get(name) ?? newIds(db, table);
    ids.set(name, known);
    return known;
  };
  for (const draft of batch.drafts) writeDraft(draft, configuration, idsOf(draft.queue));
  for (const drops of batch.drops) writeDrops(drops, nowS + DROP_DELAY_S, idsOf(drops.queue));
  return plain === undefined ? batch.entries.length : countOf(plain);
}

export const patchIndex = command(
  PATCH_INDEX,
  ({ db, table, rest, now }) => apply(newBatch(readConfiguration(db, table), clock(now), rest, { db, table })),
  (keys, args) => {
    const configuration = parseConfiguration(keys[0]!, keys[1]!, { merge: "merge_conf", layers: "layers" });
    return apply(newBatch(configuration, clock(undefined), args, undefined));
  },
);
