/** The general path: any call, planned entry by entry, as if each came alone. */
import { courseOf } from "../configuration";
import { floorSeconds } from "../nanoseconds";
import { fileQueueOf, mergeQueueOf } from "../queues";
import type { Changes } from "./changes";
import { noDrops, noteDrop } from "./drops";
import { clockOf, keep, newReader, parseEntry, type Call, type Entry } from "./entry";
import { entryOf, load, nothingTouched, put, touch, type File, type Touched } from "./files";
import { newBudget, noSearches, presume, searchPlans, want } from "./plan-search";
import { editOf, join, noEdits, planMove, resize, takeOut, type QueueEdit, type QueueEdits } from "./queue-edits";

/** The entries of a call in order, their texts, and the file of each. */
interface Entries {
  entries: Entry[];
  texts: string[];
  files: File[];
  touched: Touched;
}

function readEntries(call: Call): Entries {
  const { given } = call;
  const reader = newReader(call);
  const [entries, texts, files]: [Entry[], string[], File[]] = [[], [], []];
  const touched = nothingTouched();
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
  return { entries, texts, files, touched };
}

/** The queue in which files like this one wait to be merged. */
function mergeEdit(edits: QueueEdits, { folder, iteration }: File, layer: string, writer: string): QueueEdit {
  const { lastMerge: last } = folder;
  if (last !== undefined) {
    const { queue } = last;
    if (folder.lastIteration === iteration && queue.layer === layer && queue.writer === writer) return last;
  }
  const { db, table } = folder.home.table;
  const edit = editOf(edits, mergeQueueOf(db, table, `${iteration}`, folder.name, layer, writer));
  folder.lastMerge = edit;
  folder.lastIteration = iteration;
  return edit;
}

/** The queue in which files of a layer wait to be moved. */
function moveEdit(edits: QueueEdits, { folder }: File, layer: string, writer: string): QueueEdit {
  const { db, table } = folder.home.table;
  return editOf(edits, fileQueueOf("move", db, table, layer, writer));
}

/** Whether an entry may take a file that was there before out of its plan, or give it another size there. */
function mayChangePlan({ cmd, layer, writer_id: writer, size_bytes: size }: Entry, text: string, file: File): boolean {
  if (!file.wasStored || text === file.text) return false;
  const before = entryOf(file);
  return cmd === "DELETE" || layer !== before.layer || writer !== before.writer_id || size !== before.size_bytes;
}

/** Finds the plans of files that were there before and may leave them: `plan` and `at` of each such file. */
function findPlans({ configuration }: Call, { entries, texts, files }: Entries, edits: QueueEdits): void {
  const merges = noSearches();
  const moves = noSearches();
  const wanted: File[] = [];
  for (const at of $range(1, entries.length)) {
    const file = files[at - 1]!;
    if (mayChangePlan(entries[at - 1]!, texts[at - 1]!, file)) {
      wanted.push(file);
      const { layer, writer_id: writer } = entryOf(file);
      if (file.iteration > 0) want(merges, mergeEdit(edits, file, layer!, writer!), file);
    }
  }
  const budget = newBudget();
  for (const search of merges.all) searchPlans(search, budget);
  // A file that would be merged today waits for that, if for anything. There may be many moves: it is not looked for
  // among them. One of a layer that the configuration has no more may have been planned either way.
  for (const file of wanted) {
    const { layer, writer_id: writer } = entryOf(file);
    const course = courseOf(configuration, file.iteration, layer!);
    const mayMove = course === "move" || !configuration.layers.has(layer!);
    if (course === "merge") presume(merges.byEdit.get(mergeEdit(edits, file, layer!, writer!))!, file);
    if (mayMove && file.plan === undefined) want(moves, moveEdit(edits, file, layer!, writer!), file);
  }
  for (const search of moves.all) searchPlans(search, budget);
  for (const search of moves.all) {
    for (const [, file] of search.wanted) presume(search, file);
  }
}

/** Plans what is to be done with a file that comes. */
function plan(call: Call, edits: QueueEdits, file: File, entry: Entry): void {
  const { size_bytes: size, str_chunk_time: chunkNs } = entry;
  const { configuration } = call;
  const nowS = clockOf(call);
  const [layer, writer] = [entry.layer!, entry.writer_id!];
  const course = courseOf(configuration, file.iteration, layer);
  if (course === "merge") {
    const { timeoutS, maxSize } = configuration.steps[file.iteration - 1]!;
    join(mergeEdit(edits, file, layer, writer), file, size, maxSize, nowS + timeoutS);
  } else if (course === "move") {
    const chunkS = chunkNs === undefined || chunkNs === "" ? nowS : floorSeconds(chunkNs);
    const timeS = chunkS + configuration.layers.get(layer)!.ttlS;
    planMove(moveEdit(edits, file, layer, writer), file, file.folder.name, file.iteration, timeS);
  }
}

function add(call: Call, edits: QueueEdits, file: File, entry: Entry, text: string): void {
  if (text === file.text) return;
  if (file.text === undefined) {
    file.folder.gain += 1;
    plan(call, edits, file, entry);
  } else {
    const before = entryOf(file);
    if (before.layer !== entry.layer || before.writer_id !== entry.writer_id) {
      takeOut(file, before.size_bytes);
      plan(call, edits, file, entry);
    } else if (before.size_bytes !== entry.size_bytes) {
      resize(file, before.size_bytes, entry.size_bytes);
    }
  }
  put(file, entry, text);
}

/** Plans the entries of a call one after the other. */
export function planFileByFile(call: Call): Changes {
  const read = readEntries(call);
  const { entries, texts, files, touched } = read;
  const edits = noEdits();
  const drops = noDrops();
  load(touched);
  findPlans(call, read, edits);
  for (const at of $range(1, entries.length)) {
    const entry = entries[at - 1]!;
    const file = files[at - 1]!;
    if (entry.cmd !== "DELETE") {
      add(call, edits, file, entry, texts[at - 1]!);
    } else if (file.text !== undefined) {
      const { folder, path } = file;
      const { db, table } = folder.home.table;
      const before = entryOf(file);
      takeOut(file, before.size_bytes);
      folder.gain -= 1;
      noteDrop(drops, db, table, entry.layer ?? before.layer!, entry.writer_id ?? before.writer_id!, path);
      file.text = undefined;
      file.entry = undefined;
    }
  }
  return { touched, edits, drops, count: entries.length };
}
