/**
 * patch_index adds files to the index and deletes them from it, and plans what workers are to do with them.
 *
 * The problem. Writers of a time-series store flush a file every few seconds. Queries must find it at once; workers
 * later merge it with its neighbours, move it to a slower layer, and drop it. A call brings one file or twenty
 * thousand, adds and deletions mixed. All of a call is applied, in order, or nothing is. No call may stop the server
 * for long, although a plan may have 8,000 paths, and a queue thousands of plans.
 *
 * The data. Writer `w` adds the file `date=2024-01-15/hour=10/7c0e.1.parquet` of 1,000,000 bytes to table `test` of
 * database `default`, in layer `l1`. The 1 in its name is its iteration: it comes from a writer, not from a merge.
 * That leaves three keys:
 *
 *     files:default:test:date=2024-01-15    a hash: the path of each file of that day, and its entry as it came
 *     folders:default:test                  a hash: each folder, and how many files it has: date=2024-01-15/hour=10, 1
 *     merge:default:test:1:date=2024-01-15/hour=10:l1:w:idle
 *         a list of plans that wait, the last of which takes more files:
 *         {"id":"6f1c…","time_s":1705312810,"size":1000000,"paths":["date=2024-01-15/hour=10/7c0e.1.parquet"]}
 *
 * Moves wait in `move:default:test:l1:w:idle` and drops in `drop:default:test:l1:w:idle`, one file a plan. GigAPI's
 * clients read and write all of these keys without us, so their form is fixed, and anything may stand in them. Beside
 * them we keep our own: times of folders (../folders.ts, ../spans.ts), an index of merge queues by time
 * (../queues.ts), and for each queue a set of paths that count as taken out of plans which were too far from the end
 * of the list to be looked through (METADATA.GONE).
 *
 * Three stages. Each answers a record that the next one takes; only the last writes.
 *
 *     read     entry.ts          text → Entry, checked. An error names the entry by its place in the call.
 *              alike-calls.ts    text → FewFiles, of a call like the one before
 *     plan     few-files.ts      FewFiles, new and of a known folder: planned and written at once
 *              new-files.ts      Call → NewFiles → Changes, or undefined if the call is more than new files
 *              file-by-file.ts   Call → Changes, for every other call
 *     write    changes.ts        Changes → Redis
 *
 * Changes hold the files that the call touches (files.ts), the merge and move queues that it edits (queue-edits.ts;
 * plan-search.ts finds the plans of files that were there before, write-queues.ts writes each list once) and the files
 * to be dropped (drops.ts).
 *
 * Three shortcuts make long calls fast; alike-calls.ts and few-files.ts short ones:
 *
 *     alike-entries.ts    Entries of a call are alike, so a template reads them, in less time than cjson.
 *     new-files.ts        New files need no record each: they are gathered, looked up, planned and written by queue.
 *     ../plan-json.ts     A plan of half a megabyte is spliced, not decoded, where only its size or last paths change.
 *
 * None of them may change a reply, an error or a byte that is stored; test/metadata compares each with the long way.
 */
import { command, integerReply, NOW, type Declaration } from "../../runtime/declare";
import { DB, TABLE } from "../arguments";
import { parseConfiguration, readConfiguration } from "../configuration";
import { flowOf, learnerOf, readAlike } from "./alike-calls";
import { writeChanges } from "./changes";
import type { Call } from "./entry";
import { addFewFiles } from "./few-files";
import { planFileByFile } from "./file-by-file";
import { planNewFiles, readNewFiles } from "./new-files";

/** The most entries of a call, but for clients of GigAPI, which send all that they have. */
const MAX_ENTRIES = 1000;

const PATCH_INDEX = {
  name: "patch_index",
  summary: "Adds files to the index and deletes them, and plans what is to be done with them",
  doc:
    "An entry is a JSON object with cmd (`ADD` or `DELETE`), path (`<folder>/<name>.<iteration>.parquet`), " +
    "layer, size_bytes, writer_id, min and max, and the times str_min_time, str_max_time and str_chunk_time (ns, " +
    "decimal text); it is kept as the text that it came as. database and table may be left out. A batch is " +
    "applied in order, all of it or nothing; an error names the entry by its place, from 0. ADD stores the " +
    "entry, counts it in its folder, and puts its file into the open merge plan of its folder, iteration, layer " +
    "and writer, or into a new plan where the size of that one would exceed max_size; or it plans the file's " +
    "move to the next layer where that comes first. The move out of a layer with a time and no successor has an " +
    "empty layer_to: the file has had its time and is to be dropped. A path that is in the index already is replaced: it is " +
    "counted and planned once. DELETE removes the entry, takes the file out of plans that were not given out (an " +
    "emptied plan disappears), and queues its drop for 30 s later; layer and writer_id are those of the entry " +
    "where they are left out, and the layer need not be configured any more. A path that is not in the index is passed over.",
  role: "ingest",
  flags: [],
  positional: [DB, TABLE],
  rest: { name: "entry", max: MAX_ENTRIES, schema: "Entry", doc: "entries as JSON objects" },
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
  answer: { doc: "how many entries were processed" },
  repeat: "same",
  causes: { NOTFOUND: "the table was not configured, or an entry names a layer that it has not" },
} as const satisfies Declaration;

/** Applies all entries; answers how many they were. */
function apply(call: Call): number {
  const flow = flowOf(call);
  const alike = flow && readAlike(flow, call);
  if (alike !== undefined && addFewFiles(call, alike)) return alike.count;
  const newFiles = readNewFiles(call, learnerOf(flow, call));
  if (newFiles?.groups.length === 1 && addFewFiles(call, newFiles.groups[0]!)) return newFiles.count;
  const changes = (newFiles && planNewFiles(call, newFiles)) ?? planFileByFile(call);
  writeChanges(call, changes);
  return changes.count;
}

export const patchIndex = command(
  PATCH_INDEX,
  ({ db, table, rest: given, now }) => {
    const configuration = readConfiguration(db, table);
    return apply({ configuration, nowS: undefined, now, given, place: { db, table } });
  },
  (keys, given) => {
    const configuration = parseConfiguration(keys[0]!, keys[1]!, { merge: "merge_conf", layers: "layers" });
    return apply({ configuration, nowS: undefined, now: undefined, given, place: undefined });
  },
);
