/** The words of titles in a library of their own, compiled to Lua as the tracker is. */
import * as words from "../../../functions/tracker/words";

export { words };
