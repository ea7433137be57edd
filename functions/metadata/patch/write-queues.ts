/** Writes the queues that a call edited: each list once. */
import { inChunks } from "../../runtime/chunks";
import type { Configuration } from "../configuration";
import { newMergePlan, withMore, withPaths } from "../plan-json";
import { announce, notePlanner, type Queue } from "../queues";
import type { Plan, QueueEdit } from "./queue-edits";

/** Stands for a plan that goes, for as long as a call takes to write. */
const EMPTIED = "";

function pathsLeft({ parts, hasHoles }: Plan): string[] {
  if (!hasHoles) return parts;
  const left: string[] = [];
  for (const path of parts) {
    if (path !== "") left.push(path);
  }
  return left;
}

/** Writes the plans that were there before; those that were emptied go. */
function writeRead({ list, positions, read, queue }: QueueEdit): void {
  let emptied = 0;
  for (const position of positions) {
    const plan = read.get(position)!;
    const { text, hasAll, sizeBytes, count, isChanged } = plan;
    if (isChanged && count === 0) {
      redis.call("LSET", list, `${position}`, EMPTIED);
      emptied += 1;
    } else if (isChanged && queue.kind === "merge") {
      const left = pathsLeft(plan);
      redis.call(
        "LSET",
        list,
        `${position}`,
        hasAll ? withPaths(text, left, sizeBytes) : withMore(text, left, sizeBytes),
      );
    }
  }
  if (emptied > 0) redis.call("LREM", list, `${-emptied}`, EMPTIED);
}

/** The text of a move plan: the file gets a new name in the next layer. */
function moveText(
  { db, table, layer, writer }: Queue,
  { moved, timeS }: Plan,
  layerTo: string,
  newId: (this: void) => string,
): string {
  const { path, folder, iteration } = moved!;
  return cjson.encode({
    id: newId(),
    writer_id: writer,
    database: db,
    table,
    path_from: path,
    layer_from: layer,
    path_to: `${folder}/${newId()}.${iteration}.parquet`,
    layer_to: layerTo,
    time_s: timeS,
  });
}

/** Adds the plans that the call has made, and tells the index of the first of them. */
function writeMade({ queue, list, made }: QueueEdit, { layers }: Configuration, newId: (this: void) => string): void {
  const isMove = queue.kind === "move";
  const texts: string[] = [];
  let firstS = 0;
  for (const plan of made) {
    if (plan.count > 0) {
      if (texts.length === 0) firstS = plan.timeS;
      texts.push(
        isMove
          ? moveText(queue, plan, layers.get(queue.layer)!.next, newId)
          : newMergePlan(newId(), plan.timeS, plan.sizeBytes, pathsLeft(plan)),
      );
    }
  }
  if (texts.length === 0) return;
  inChunks(texts, (part) => redis.call("RPUSH", list, ...part));
  if (isMove) notePlanner(queue);
  else announce(queue, firstS);
}

/** Writes a queue as the call leaves it. */
export function writeEdit(edit: QueueEdit, configuration: Configuration, newId: (this: void) => string): void {
  writeRead(edit);
  writeMade(edit, configuration, newId);
  const { gone, goneNow } = edit;
  const put: string[] = [];
  const back: string[] = [];
  for (const [path, isGone] of goneNow) {
    if (isGone) put.push(path);
    else back.push(path);
  }
  inChunks(put, (part) => redis.call("SADD", gone, ...part));
  inChunks(back, (part) => redis.call("SREM", gone, ...part));
}
