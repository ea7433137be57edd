/** What GigAPI's services send, and the scripts of its metadata engine, where they are on the machine: HOTPATH_GIGAPI_SCRIPTS, or .hotpath/gigapi. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER =
  process.env["HOTPATH_GIGAPI_SCRIPTS"] ?? fileURLToPath(new URL("../../.hotpath/gigapi", import.meta.url));

/** The text of a script; undefined if it is not on the machine. */
export function originalScript(name: "patch_index" | "get_merge_plan" | "end_merge"): string | undefined {
  const path = join(FOLDER, `${name}.lua`);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** A file of `default/test` in layer `l1`. */
export interface SentFile {
  path: string;
  sizeBytes: number;
  /** Unix milliseconds. */
  fromMs: number;
  toMs: number;
  chunkMs: number;
}

const nanoseconds = (ms: number): string => `${ms}000000`;

/** The entry that adds a file, as the Go client prints it. */
export function addingEntry({ path, sizeBytes, fromMs, toMs, chunkMs }: SentFile): string {
  return JSON.stringify({
    layer: "l1",
    database: "default",
    table: "test",
    path,
    size_bytes: sizeBytes,
    row_count: 0,
    chunk_time: 0,
    min: null,
    max: null,
    min_time: 0,
    max_time: 0,
    writer_id: "",
    str_min_time: nanoseconds(fromMs),
    str_max_time: nanoseconds(toMs),
    str_chunk_time: nanoseconds(chunkMs),
    cmd: "ADD",
  });
}
