/** Adds files to the index and deletes them from it: a batch in order, all of it or nothing. */
import { integerReply, NOW, type Declaration } from "../runtime/declare";
import { DB, TABLE } from "./arguments";

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
