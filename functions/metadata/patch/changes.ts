/** What a call changes, once it is planned. Writing comes last: nothing is written unless all of it is. */
import { newIds } from "../ids";
import { tableKey } from "../names";
import type { Queue } from "../queues";
import { writeDrop, type Drops } from "./drops";
import { clockOf, type Call } from "./entry";
import { writeFiles, type Touched } from "./files";
import type { QueueEdits } from "./queue-edits";
import { writeEdit } from "./write-queues";

/** What a call changes. */
export interface Changes {
  touched: Touched;
  edits: QueueEdits;
  drops: Drops;
  /** How many entries were applied. */
  count: number;
}

/** Writes files, queues and drops, in this order. */
export function writeChanges(call: Call, { touched, edits, drops }: Changes): void {
  writeFiles(touched);
  const byTable = new LuaMap<string, (this: void) => string>();
  const idsOf = ({ db, table }: Queue): ((this: void) => string) => {
    const name = tableKey(db, table);
    const known = byTable.get(name) ?? newIds(db, table);
    byTable.set(name, known);
    return known;
  };
  for (const edit of edits.all) writeEdit(edit, call.configuration, idsOf(edit.queue));
  for (const drop of drops.all) writeDrop(drop, clockOf(call), idsOf(drop.queue));
}
