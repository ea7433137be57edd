/** One entry of the index by its path. */
import { command, jsonReply, nullable, text } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { filesKey } from "./names";

export const getEntry = command(
  {
    name: "get_entry",
    summary: "The entry of a file, as it was added, or nil",
    role: "reader",
    flags: ["no-writes"],
    positional: [DB, TABLE, { name: "path", type: text(1, 4096), doc: "path of the file in its table" }],
    options: [],
    reply: nullable(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "the entry", schema: "EntryStored" },
  },
  ({ db, table, path }) => {
    const [first] = string.match(path, "^([^/]+)/");
    if (first === undefined) return fail("BADARG", `path must begin with a folder, got ${quote(path)}`);
    const found = onKey("HGET", filesKey(db, table, first), path);
    return found === false ? undefined : found;
  },
);
