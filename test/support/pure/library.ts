/** The pure modules of functions/ in one library, compiled to Lua as the libraries are. */
import * as match from "../../../functions/metadata/match";
import * as nanoseconds from "../../../functions/metadata/nanoseconds";
import * as keys from "../../../functions/runtime/keys";
import * as url from "../../../functions/tracker/url";
import * as windows from "../../../functions/tracker/windows";

export { keys, match, nanoseconds, url, windows };
