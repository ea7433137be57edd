/** What there is: databases, tables, folders. */
import { withHead } from "../runtime/chunks";
import { command, integer, integerReply, list, text, textReply, tuple } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { onKey } from "../runtime/types";
import { DB, TABLE } from "./arguments";
import { databasesKey, foldersKey, tablesKey } from "./names";

/** The most names of one reply. */
const MOST_NAMES = 10000;

const FROM_OTHERS = "What clients of GigAPI wrote without us is there once rebuild_index has passed.";

function namesIn(registry: string): string[] {
  return onKey("ZRANGE", registry, "-", "+", "BYLEX", "LIMIT", "0", `${MOST_NAMES}`);
}

export const listDatabases = command(
  {
    name: "list_databases",
    summary: "Databases that have files, by name",
    doc: `At most 10,000. ${FROM_OTHERS}`,
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [],
    reply: list(textReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "names" },
  },
  () => namesIn(databasesKey()),
);

export const listTables = command(
  {
    name: "list_tables",
    summary: "Tables of a database that have files, by name",
    doc: `At most 10,000. ${FROM_OTHERS}`,
    role: "reader",
    flags: ["no-writes"],
    positional: [DB],
    options: [],
    reply: list(textReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "names" },
  },
  ({ db }) => namesIn(tablesKey(db)),
);

export const listFolders = command(
  {
    name: "list_folders",
    summary: "Folders of a table, each with how many files are in it",
    doc:
      "In no order. Calls go on with the cursor of the last reply, `0` to begin and at the end; a reply may hold " +
      "some more than COUNT. A folder that is there from the first call to the last is answered at least once.",
    role: "reader",
    flags: ["no-writes"],
    positional: [DB, TABLE],
    options: [
      { name: "CURSOR", type: text(1, 19), default: "0", doc: "from the last reply; 0 to begin" },
      { name: "COUNT", type: integer(1, 10000), default: 1000, doc: "about how many folders to answer" },
    ],
    reply: tuple(
      [{ name: "cursor", type: textReply, doc: "to go on with; 0 at the end" }],
      tuple([
        { name: "folder", type: textReply, doc: "folder" },
        { name: "files", type: integerReply, doc: "files in it" },
      ]),
    ),
    errors: ["BADARG", "CONFLICT"],
    paging: "cursor",
  },
  ({ db, table, cursor, count }) => {
    const [digits] = string.find(cursor, "^%d+$");
    if (digits === undefined) fail("BADARG", `CURSOR must be 0 or as the last call answered it, got ${quote(cursor)}`);
    const [next, found] = onKey("HSCAN", foldersKey(db, table), cursor, "COUNT", `${count}`);
    const folders: [string, number][] = [];
    for (const at of $range(1, found.length, 2)) folders.push([found[at - 1]!, tonumber(found[at]) ?? 0]);
    return withHead(next, folders);
  },
);
