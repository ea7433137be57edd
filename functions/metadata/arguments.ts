/** Arguments that most functions of the index share. */
import { text } from "../runtime/declare";

export const DB = { name: "db", type: text(1, 256), doc: "name of the database" } as const;
export const TABLE = { name: "table", type: text(1, 256), doc: "name of the table" } as const;
