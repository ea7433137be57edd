/** The metadata index: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";
import { configureTable } from "./configuration";
import { getEntry } from "./entry-lookup";
import { listDatabases, listFolders, listTables } from "./listing";
import { refusingOldForm } from "./patch/old-form";
import { patchIndex } from "./patch/patch-index";
import { endDrop, endMerge, endMove, getDropPlan, getMergePlan, getMovePlan } from "./plans";
import { queryIndex } from "./query";
import { rebuildIndex } from "./rebuild";
import { getTableStatus } from "./status";

export const commands = [
  patchIndex,
  getMergePlan,
  endMerge,
  getMovePlan,
  endMove,
  getDropPlan,
  endDrop,
  queryIndex,
  getEntry,
  listDatabases,
  listTables,
  listFolders,
  getTableStatus,
  configureTable,
  rebuildIndex,
  libraryInfo("metadata_library"),
];
export const callbacks = byName(commands);
callbacks["patch_index"] = refusingOldForm(callbacks["patch_index"]!);
