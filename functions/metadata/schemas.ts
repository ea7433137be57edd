/** JSON that the index takes and answers; for the build alone. */
import { anything, arrayOf, integer, mapOf, object, orNull, ref, string, word, type Schemas } from "../runtime/schema";

const NAMES = { database: string(), table: string() };
const PLAN = { id: string("for the call that ends it"), writer_id: string(), ...NAMES };
const VALUES = mapOf(anything("a value of a column"));

const ENTRY = {
  size_bytes: integer("size of the file", "bytes"),
  row_count: integer("rows in it"),
  min: orNull({ ...VALUES, description: "Least value by column. Integers may have 64 bits." }),
  max: orNull({ ...VALUES, description: "Greatest value by column." }),
  min_time: integer("0: see str_min_time"),
  max_time: integer("0: see str_max_time"),
  chunk_time: integer("0: see str_chunk_time"),
  str_min_time: string("time of the first row", "unix_ns"),
  str_max_time: string("time of the last row", "unix_ns"),
  str_chunk_time: string("when it was made", "unix_ns"),
  writer_id: string("whose file it is; plans are given out by writer"),
};

export const schemas: Schemas = {
  Entry: object(
    "A file that is added to the index or deleted.",
    {
      cmd: word(["ADD", "DELETE"]),
      path: string("`<folder>/<name>.<iteration>.parquet`, as in `date=2026-11-20/hour=10/a81b.1.parquet`"),
    },
    { layer: string("name of a layer of the table; of an ADD, one that is configured"), ...NAMES, ...ENTRY },
    true,
  ),
  EntryStored: object(
    "A file of the index, as it was added.",
    { path: string() },
    {
      layer: string(),
      ...NAMES,
      ...ENTRY,
      cmd: word(["ADD"]),
    },
    true,
  ),
  MergePlan: object("Files of a folder that are to become one.", {
    ...PLAN,
    layer: string(),
    from: arrayOf(string(), "paths of the files to be merged"),
    to: string("path of the file that they become: another one each time the plan is given out"),
    iteration: integer("of the files to be merged, from 1"),
  }),
  MovePlan: object("A file that is to go to the next layer.", {
    ...PLAN,
    path_from: string(),
    layer_from: string(),
    path_to: string(),
    layer_to: string("empty where no layer follows: delete the file from the index and the disk"),
  }),
  DropPlan: object("A file that is to be removed from its layer.", { ...PLAN, layer: string(), path: string() }),
  MergeSteps: arrayOf(
    arrayOf(integer(), "timeout_sec, max_size in bytes, id"),
    "Steps of merging; the place of a step, from 1, is the iteration of the files that it merges.",
  ),
  Layer: object(
    "Where files are kept.",
    {},
    {
      name: string(),
      url: string("for those who read and write the files"),
      type: string("for those who read and write the files"),
      ttl_sec: integer("after its chunk time a file moves on; 0 for never", "s"),
      layer_to: string("where files move on to, empty for none"),
    },
    true,
  ),
  Layers: mapOf(ref("Layer"), "Layers by name."),
};
