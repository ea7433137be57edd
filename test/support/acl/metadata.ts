/** The functions of the index of files, each at work. */
import { expect } from "vitest";
import { record, type Replies, type Step } from "./step";

const NOON = Date.UTC(2024, 0, 15, 12);
const HOUR = 3_600_000;
const FOLDER = "date=2024-01-15/hour=12";
const MERGES = JSON.stringify([
  [10, 1_000_000, 1],
  [20, 2_000_000, 2],
]);
const LAYERS = JSON.stringify({
  near: { url: "file:///near", name: "near", type: "fs", ttl_sec: 0, layer_to: "" },
  hot: { url: "file:///hot", name: "hot", type: "fs", ttl_sec: 5, layer_to: "near" },
});
const path = (name: string): string => `${FOLDER}/${name}.1.parquet`;
const entry = (name: string, given: object = {}): string =>
  JSON.stringify({
    ...{
      layer: "near",
      database: "d",
      table: "t",
      path: path(name),
      size_bytes: 10,
      row_count: 1,
      chunk_time: 0,
      min: null,
      max: null,
      min_time: 0,
      max_time: 0,
    },
    ...{
      writer_id: "w",
      str_min_time: `${NOON}000000`,
      str_max_time: `${NOON}000001`,
      str_chunk_time: `${NOON}000000`,
      cmd: "ADD",
      ...given,
    },
  });
const idOf = (replies: Replies, name: string): string => (JSON.parse(replies.get(name) as string) as { id: string }).id;
const rest = (name: string): Step => ({ name, args: ["d", "t", "near", "w", "NOW", NOON], reply: null });

export const METADATA_STEPS: Step[] = [
  { name: "configure_table", args: ["d", "t", "MERGE", MERGES, "LAYERS", LAYERS], reply: expect.anything() },
  {
    name: "patch_index",
    args: ["d", "t", entry("a"), entry("b"), entry("c", { layer: "hot" }), "NOW", NOON],
    reply: 3,
  },
  // Known already, another writer's now, gone.
  {
    name: "patch_index",
    args: [
      "d",
      "t",
      entry("a"),
      entry("b", { writer_id: "v" }),
      entry("a", { cmd: "DELETE" }),
      entry("e"),
      "NOW",
      NOON,
    ],
    reply: 4,
  },
  { name: "patch_index", args: [entry("g", { table: "u" }), ""], keys: [MERGES, LAYERS], reply: 1 },
  { name: "get_entry", args: ["d", "t", path("e")], reply: entry("e") },
  { name: "query_index", args: ["d", "t", "FOLDER", FOLDER], reply: expect.arrayContaining([entry("e")]) },
  {
    name: "query_index",
    args: ["d", "t", "AFTER", `${NOON}000000`, "BEFORE", `${NOON + HOUR}000000`, "ITERATION", 1, "LAYER", "near"],
    reply: expect.arrayContaining([entry("e")]),
  },
  { name: "list_databases", args: [], reply: ["d"] },
  { name: "list_tables", args: ["d"], reply: ["t", "u"] },
  { name: "list_folders", args: ["d", "t"], reply: expect.any(Array) },
  { name: "get_table_status", args: ["d", "t", "NOW", NOON + HOUR], reply: expect.any(Array) },
  {
    name: "get_merge_plan",
    args: ["d", "t", 1, "near", "w", "NOW", NOON + HOUR],
    reply: expect.stringContaining("e.1.parquet"),
  },
  { name: "end_merge", args: (replies) => ["d", "t", idOf(replies, "get_merge_plan")], reply: 1 },
  {
    name: "get_merge_plan",
    args: ["d", "t", 1, "near", "v", "NOW", NOON + HOUR],
    reply: expect.stringContaining("b.1.parquet"),
  },
  {
    name: "get_merge_plan",
    args: [""],
    keys: ["merge", "d", "u", `1:${FOLDER}`, "near", "w"],
    reply: expect.any(String),
  },
  { name: "end_merge", args: [""], keys: ["d", "u", `1:${FOLDER}`, "near", "w", "none"], reply: "" },
  {
    name: "get_drop_plan",
    args: ["d", "t", "near", "w", "NOW", NOON + HOUR],
    reply: expect.stringContaining("a.1.parquet"),
  },
  { name: "end_drop", args: (replies) => ["d", "t", idOf(replies, "get_drop_plan")], reply: 1 },
  {
    name: "get_move_plan",
    args: ["d", "t", "hot", "w", "NOW", NOON + HOUR],
    reply: expect.stringContaining("c.1.parquet"),
  },
  { name: "end_move", args: (replies) => ["d", "t", idOf(replies, "get_move_plan")], reply: 1 },
  rest("get_drop_plan"),
  { name: "rebuild_index", args: ["LIMIT", 1000], reply: record({ remaining: expect.any(Number) }) },
  { name: "rebuild_index", args: ["LIMIT", 1000], reply: record({ remaining: expect.any(Number) }) },
  { name: "metadata_library", args: [], reply: record({ library: "metadata" }) },
];
