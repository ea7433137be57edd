/** The metadata index: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";

export const commands = [libraryInfo("metadata_library")];
export const callbacks = byName(commands);
