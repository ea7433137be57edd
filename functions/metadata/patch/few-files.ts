/**
 * The slim path: a few new files for one folder that we know. That is what a writer's flush sends, one file a call, so here
 * every command and every text counts. It answers whether it was that; if not it has done nothing, and the other paths go on.
 *
 * It looks before it writes as they do, but the look is the check: each key that it writes was read by a command of its type, or
 * the write itself tells that something is otherwise, and is taken back.
 * A folder is known if its span counts as many files as `folders:` does. Then we were the last to add to it, the folder is in the
 * registries, and only its counts and times change.
 */
import { onKey } from "../../runtime/types";
import { courseOf, type MergeStep } from "../configuration";
import { firstFolderOf, keepBounds, parseBounds } from "../folders";
import { newIds } from "../ids";
import { boundsKey, filesKey, foldersKey, IDLE, spansKey } from "../names";
import { compareNs, earlierNs, laterNs } from "../nanoseconds";
import { appended } from "../plan-json";
import { goneOfQueue, type Queue } from "../queues";
import { parseSpan, spanText, type Span } from "../spans";
import { clockOf, type Call } from "./entry";
import { editOf, joinAll, noEdits, type QueueEdit } from "./queue-edits";
import { writeEdit } from "./write-queues";

/** Of more files, the other paths cost no more each. */
export const MOST_FILES = 64;

/** New files of one merge queue. */
export interface FewFiles {
  queue: Queue;
  iteration: number;
  layer: string;
  count: number;
  sizes: number[];
  /** Path and entry of each in turn, as they are stored. */
  fields: string[];
  /** The earliest and the latest time of theirs. */
  minNs: string;
  maxNs: string;
}

/** What is known of the folder of a queue from the call before: names of keys, and the span as it was left. */
interface Ground {
  first: string;
  files: string;
  folders: string;
  spans: string;
  text: string;
  span: Span;
}

/** The queue of a group as the call leaves it. */
interface Joined {
  /** The last plan with the files in it; undefined where they begin another. */
  text: string | undefined;
  edit: QueueEdit | undefined;
}

/** The folder of a queue; undefined if it has no span. */
function groundOf(queue: Queue): Ground | undefined {
  const { db, table, folder } = queue;
  const known = queue.ground as Ground | undefined;
  const spans = known?.spans ?? spansKey(db, table, firstFolderOf(folder));
  const text = onKey("HGET", spans, folder);
  if (known !== undefined && known.text === text) return known;
  const span = parseSpan(text);
  if (span === undefined) return undefined;
  const first = firstFolderOf(folder);
  const [files, folders] = [filesKey(db, table, first), foldersKey(db, table)];
  const ground: Ground = { first, files, folders, spans, text: text as string, span };
  queue.ground = ground;
  return ground;
}

/** Whether none of several files is in the index. */
function areNew(files: string, { count, fields }: FewFiles): boolean {
  const paths: string[] = [];
  for (const at of $range(1, count)) paths[at - 1] = fields[2 * at - 2]!;
  for (const text of onKey("HMGET", files, ...paths)) {
    if (text !== false) return false;
  }
  return true;
}

/** Puts the files into a queue in memory; undefined if paths count as taken out of it. */
function join(call: Call, { timeoutS, maxSize }: MergeStep, group: FewFiles): Joined | undefined {
  const { queue, fields, sizes } = group;
  if (redis.call("EXISTS", goneOfQueue(queue)) === 1) return undefined;
  const open = onKey("LINDEX", queue.name + IDLE, "-1");
  const text = open === false ? undefined : appended(open, fields, sizes, maxSize);
  if (text !== undefined) return { text, edit: undefined };
  const edit = editOf(noEdits(), queue);
  joinAll(edit, fields, sizes, maxSize, clockOf(call) + timeoutS);
  return { text, edit };
}

/**
 * Counts and stores the files.
 *
 * @returns how many the folder has now; undefined, and nothing is changed, if it had not as many as we know of, or has the file
 */
function store({ files, folders, span }: Ground, { queue, count, fields }: FewFiles): number | undefined {
  const { folder } = queue;
  const has = redis.pcall("HINCRBY", folders, folder, `${count}`);
  if (type(has) !== "number") return undefined;
  if (has === tonumber(span.count)! + count) {
    // Of several it is known that they are new.
    if (count > 1) redis.call("HSET", files, ...fields);
    if (count > 1 || redis.pcall("HSETNX", files, fields[0]!, fields[1]!) === 1) return has;
  }
  if (redis.call("HINCRBY", folders, folder, `${-count}`) === 0) redis.call("HDEL", folders, folder);
  return undefined;
}

/** Adds the files, if they are few, new, and of a folder that we know. */
export function addFewFiles(call: Call, group: FewFiles): boolean {
  const { queue, iteration, layer, count, minNs, maxNs } = group;
  if (count > MOST_FILES) return false;
  const ground = groundOf(queue);
  if (ground === undefined) return false;
  const { configuration } = call;
  const { db, table, folder } = queue;
  const { first, spans, span } = ground;
  const isWider = compareNs(minNs, span.minNs) < 0 || compareNs(maxNs, span.maxNs) > 0;
  const bounds = isWider ? parseBounds(onKey("HGET", boundsKey(db, table), first)) : undefined;
  if (isWider && bounds === undefined) return false;
  if (count > 1 && !areNew(ground.files, group)) return false;
  const isMerged = courseOf(configuration, iteration, layer) === "merge";
  const joined = isMerged ? join(call, configuration.steps[iteration - 1]!, group) : undefined;
  if (isMerged && joined === undefined) return false;

  const has = store(ground, group);
  if (has === undefined) return false;
  if (bounds !== undefined) {
    span.minNs = earlierNs(span.minNs, minNs);
    span.maxNs = laterNs(span.maxNs, maxNs);
    const [fromNs, toNs] = [earlierNs(bounds.minNs, minNs), laterNs(bounds.maxNs, maxNs)];
    if (fromNs !== bounds.minNs || toNs !== bounds.maxNs)
      keepBounds(db, table, first, { minNs: fromNs, maxNs: toNs, isComplete: bounds.isComplete });
  }
  span.count = string.format("%d", has);
  ground.text = spanText(span);
  redis.call("HSET", spans, folder, ground.text);
  if (joined === undefined) return true;
  const { text, edit } = joined;
  if (text !== undefined) redis.call("LSET", queue.name + IDLE, "-1", text);
  if (edit !== undefined) writeEdit(edit, configuration, newIds(db, table));
  return true;
}
