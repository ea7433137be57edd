/** Files that a call deletes, and that workers are to drop from their layers later. */
import { inChunks } from "../../runtime/chunks";
import { requireType } from "../../runtime/types";
import { IDLE, plannersKey } from "../names";
import { fileQueueOf, notePlanner, type Queue } from "../queues";

/** A file is dropped so many seconds after it was deleted: a reader that has begun may finish. */
const DROP_DELAY_S = 30;

/** Files to be dropped from one layer. */
interface Drop {
  queue: Queue;
  paths: string[];
}

/** All that a call has dropped, by queue, in the order in which it met them. */
export interface Drops {
  all: Drop[];
  byName: LuaMap<string, Drop>;
}

export function noDrops(): Drops {
  return { all: [], byName: new LuaMap() };
}

/** Notes that a file is to be dropped from a layer. CONFLICT if the list of those files holds a foreign type. */
export function noteDrop(
  { all, byName }: Drops,
  db: string,
  table: string,
  layer: string,
  writer: string,
  path: string,
): void {
  const queue = fileQueueOf("drop", db, table, layer, writer);
  let drop = byName.get(queue.name);
  if (drop === undefined) {
    requireType(queue.name + IDLE, "list");
    requireType(plannersKey(db, table), "zset");
    drop = { queue, paths: [] };
    byName.set(queue.name, drop);
    all.push(drop);
  }
  drop.paths.push(path);
}

/** Queues the drops of a layer, to be carried out some time after `nowS`. */
export function writeDrop({ queue, paths }: Drop, nowS: number, newId: (this: void) => string): void {
  const { db, table, layer, writer } = queue;
  // Encodes once all that they have alike.
  const alike = cjson.encode({ writer_id: writer, layer, database: db, table, time_s: nowS + DROP_DELAY_S });
  const rest = string.sub(alike, 2);
  const texts: string[] = [];
  for (const path of paths) texts.push(`{"id":"${newId()}","path":${cjson.encode(path)},${rest}`);
  inChunks(texts, (part) => redis.call("RPUSH", queue.name + IDLE, ...part));
  notePlanner(queue);
}
