/**
 * Calls of a writer are alike, as entries of a call are: one new file each, of the same table, layer, writer and folder. What the
 * call before has shown is kept: the template of its entries, and the merge queue that its file went to. A call that fits is read
 * without a decoder, and without taking its path apart; whatever does not fit to the byte is read the long way.
 */
import { fill } from "../../runtime/json-template";
import { currentPartition } from "../../runtime/keys";
import type { Configuration } from "../configuration";
import { compareNs, isNs } from "../nanoseconds";
import type { Queue } from "../queues";
import { newSeries, type Series } from "./alike-entries";
import { MOST_FILES, type FewFiles } from "./few-files";
import type { Call, Entry } from "./entry";

/** What the calls of a writer have in common. */
export interface Flow {
  /** Whose names were checked: those of the configuration, in the place of the call. */
  configuration: Configuration;
  partition: string;
  db: string | undefined;
  table: string | undefined;
  series: Series;
  /** Where its last file went; see `isOfSame`. */
  stretch: Stretch | undefined;
}

/** Paths of one folder and iteration. */
export interface Stretch {
  queue: Queue;
  iteration: number;
  layer: string;
  /** How paths begin, up to the last slash, and end, from the dot before the iteration. */
  prefix: string;
  suffix: string;
}

/** By the beginning of their entries, which names the table in most. */
const MOST_FLOWS = 256;
let flows = new LuaMap<string, Flow>();
let flowCount = 0;

/** Up to its path an entry of a writer is the same, as a rule. */
const PATH = '"path"';

/**
 * Whether a path is of a stretch: what stands between prefix and suffix must be a name. Cheaper than taking the path apart, and
 * the same.
 */
export function isOfSame({ prefix, suffix }: Stretch, path: string): boolean {
  const [, slash] = string.find(path, prefix, 1, true);
  const [dot] = string.find(path, suffix, -suffix.length, true);
  if (slash !== prefix.length || dot === undefined || dot <= slash + 1) return false;
  const [another] = string.find(path, "/", slash + 1, true);
  return another === undefined;
}

/** The flow that a call belongs to, by its first entry; undefined if it cannot be of one. */
export function flowOf({ configuration, given, place }: Call): Flow | undefined {
  const first = given[0];
  if (first === undefined) return undefined;
  const [at] = string.find(first, PATH, 1, true);
  if (at === undefined) return undefined;
  const start = string.sub(first, 1, at);
  const known = flows.get(start);
  const [db, table, partition] = [place?.db, place?.table, currentPartition()];
  if (
    known !== undefined &&
    known.configuration === configuration &&
    known.partition === partition &&
    known.db === db &&
    known.table === table
  )
    return known;
  if (known === undefined) {
    if (flowCount === MOST_FLOWS) {
      flows = new LuaMap();
      flowCount = 0;
    }
    flowCount += 1;
  }
  const flow: Flow = { configuration, partition, db, table, series: newSeries(), stretch: undefined };
  flows.set(start, flow);
  return flow;
}

/** What a call that was not read so may teach the flow; nothing where it begins with a deletion, as a merge may end. */
export function learnerOf(flow: Flow | undefined, { given }: Call): Flow | undefined {
  const [deletion] = string.find(given[0] ?? "", '"DELETE"', 1, true);
  return deletion === undefined ? flow : undefined;
}

/** Whether a time needs no second look. */
function isTime(value: unknown): value is string {
  return type(value) === "string" && isNs(value as string);
}

/** Reads a call of a few new files that are of the flow's stretch; undefined if it is anything else. */
export function readAlike({ series, stretch }: Flow, { given }: Call): FewFiles | undefined {
  const { template, record } = series;
  const count = given.length;
  if (template === undefined || stretch === undefined || count > MOST_FILES) return undefined;
  const entry = record as unknown as Entry;
  const { queue, iteration, layer } = stretch;
  const isOfQueue =
    entry.layer === queue.layer &&
    entry.writer_id === queue.writer &&
    entry.table === queue.table &&
    entry.database === queue.db;
  if (!isOfQueue || entry.cmd === "DELETE") return undefined;
  const paths = count > 1 ? new LuaSet<string>() : undefined;
  const [sizes, fields]: [number[], string[]] = [[], []];
  let [earliest, latest, chunk]: (string | undefined)[] = [undefined, undefined, undefined];
  for (const at of $range(1, count)) {
    const text = given[at - 1]!;
    if (!fill(template, text, record) || !isOfSame(stretch, entry.path)) return undefined;
    const { path, size_bytes: size, str_min_time: minNs, str_max_time: maxNs, str_chunk_time: chunkNs } = entry;
    if (type(size) !== "number" || !(size >= 0) || size === math.huge) return undefined;
    if (minNs !== latest && !isTime(minNs)) return undefined;
    if (maxNs !== minNs && maxNs !== latest && !isTime(maxNs)) return undefined;
    if (chunkNs !== minNs && chunkNs !== maxNs && chunkNs !== chunk && !isTime(chunkNs)) return undefined;
    chunk = chunkNs;
    if (paths !== undefined) {
      if (paths.has(path)) return undefined;
      paths.add(path);
    }
    sizes[at - 1] = size;
    fields[2 * at - 2] = path;
    fields[2 * at - 1] = text;
    if (earliest === undefined || compareNs(minNs!, earliest) < 0) earliest = minNs;
    if (latest === undefined || compareNs(maxNs!, latest) > 0) latest = maxNs;
  }
  return { queue, iteration, layer, count, sizes, fields, minNs: earliest!, maxNs: latest! };
}
