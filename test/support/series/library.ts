/** The reading of entries in a library of its own, compiled to Lua as the libraries are. */
import * as series from "../../../functions/metadata/patch/alike-entries";

export { series };
