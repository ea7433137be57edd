/** The pure modules of functions/ in one library, compiled to Lua as the libraries are. */
import * as price from "../../../functions/catalog/price";
import * as nanoseconds from "../../../functions/metadata/nanoseconds";
import * as keys from "../../../functions/runtime/keys";
import * as utf8 from "../../../functions/runtime/utf8";
import * as url from "../../../functions/tracker/url";
import * as windows from "../../../functions/tracker/windows";

export { keys, nanoseconds, price, url, utf8, windows };
