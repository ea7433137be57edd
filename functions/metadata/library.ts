/** The metadata index: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";
import { configureTable } from "./configuration";
import { getEntry } from "./entry-lookup";

export const commands = [
  getEntry,
  configureTable,
  libraryInfo("metadata_library"),
];
export const callbacks = byName(commands);
