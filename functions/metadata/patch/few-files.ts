/**
 * The slim path: a few new files for one folder that we know. That is what a writer's flush sends, one file a call, so here
 * every command counts. It answers whether it was that; if not it has done nothing, and the other paths go on.
 *
 * It looks before it writes as they do, but the look is the check: each key that it writes was read by a command of its type.
 * A folder is known if its span counts as many files as `folders:` does. Then we were the last to add to it, the folder is in the
 * registries, and only its counts and times change.
 */
import { onKey } from "../../runtime/types";
import { courseOf, type MergeStep } from "../configuration";
import { keepBounds, parseBounds } from "../folders";
import { newIds } from "../ids";
import { boundsKey, filesKey, foldersKey, IDLE, spansKey } from "../names";
import { earlierNs, laterNs } from "../nanoseconds";
import { appended } from "../plan-json";
import { goneOfQueue } from "../queues";
import { keepSpan, parseSpan } from "../spans";
import { clockOf, type Call } from "./entry";
import type { Group } from "./new-files";
import { editOf, joinAll, noEdits, type QueueEdit } from "./queue-edits";
import { writeEdit } from "./write-queues";

/** Of more files, the other paths cost no more each. */
const MOST_FILES = 64;

/** The queue of a group as the call leaves it. */
interface Joined {
  /** The last plan with the files in it; undefined where they begin another. */
  text: string | undefined;
  edit: QueueEdit | undefined;
}

/** Whether none of the files is in the index. */
function areNew(files: string, { count, fields }: Group): boolean {
  if (count === 1) return onKey("HGET", files, fields[0]!) === false;
  const paths: string[] = [];
  for (const at of $range(1, count)) paths[at - 1] = fields[2 * at - 2]!;
  for (const text of onKey("HMGET", files, ...paths)) {
    if (text !== false) return false;
  }
  return true;
}

/** Puts the files into a queue in memory; undefined if paths count as taken out of it. */
function join(call: Call, { timeoutS, maxSize }: MergeStep, group: Group): Joined | undefined {
  const { queue, fields, sizes } = group;
  if (redis.call("EXISTS", goneOfQueue(queue)) === 1) return undefined;
  const open = onKey("LINDEX", queue.name + IDLE, "-1");
  const text = open === false ? undefined : appended(open, fields, sizes, maxSize);
  if (text !== undefined) return { text, edit: undefined };
  const edit = editOf(noEdits(), queue);
  joinAll(edit, fields, sizes, maxSize, clockOf(call) + timeoutS);
  return { text, edit };
}

/** Adds the files of a group, if it is all of a call and they are few, new, and of a folder that we know. */
export function addFewFiles(call: Call, group: Group): boolean {
  const { queue, folder, iteration, layer, count, fields, minNs, maxNs } = group;
  if (count > MOST_FILES) return false;
  const { configuration } = call;
  const { db, table } = queue;
  const first = folder.home.name;
  const folders = foldersKey(db, table);
  const had = onKey("HGET", folders, folder.name);
  const spans = spansKey(db, table, first);
  const span = parseSpan(onKey("HGET", spans, folder.name));
  if (span === undefined || span.count !== had) return false;
  const bounds = parseBounds(onKey("HGET", boundsKey(db, table), first));
  const files = filesKey(db, table, first);
  if (bounds === undefined || !areNew(files, group)) return false;
  const isMerged = courseOf(configuration, iteration, layer) === "merge";
  const joined = isMerged ? join(call, configuration.steps[iteration - 1]!, group) : undefined;
  if (isMerged && joined === undefined) return false;

  const has = string.format("%.0f", tonumber(had)! + count);
  redis.call("HSET", folders, folder.name, has);
  redis.call("HSET", files, ...fields);
  keepSpan(spans, folder.name, earlierNs(span.minNs, minNs), laterNs(span.maxNs, maxNs), has);
  const [fromNs, toNs] = [earlierNs(bounds.minNs, minNs), laterNs(bounds.maxNs, maxNs)];
  if (fromNs !== bounds.minNs || toNs !== bounds.maxNs)
    keepBounds(db, table, first, { minNs: fromNs, maxNs: toNs, isComplete: bounds.isComplete });
  if (joined === undefined) return true;
  const { text, edit } = joined;
  if (text !== undefined) redis.call("LSET", queue.name + IDLE, "-1", text);
  if (edit !== undefined) writeEdit(edit, configuration, newIds(db, table));
  return true;
}
