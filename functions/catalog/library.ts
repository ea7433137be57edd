/** The catalogue: what is registered, in reading order. */
import { callbacks as byName, libraryInfo } from "../runtime/library";

export const commands = [libraryInfo("catalog_library")];
export const callbacks = byName(commands);
