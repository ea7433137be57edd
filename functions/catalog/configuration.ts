/** What an operator can set, where it is kept, and the two functions for it. */
import { choice, command, integer, integerReply, jsonReply, pair, record, text } from "../runtime/declare";
import { fail, quote } from "../runtime/errors";
import { fields, requireType } from "../runtime/types";
import * as names from "./names";

/** Records whose changes are kept. */
export const MODELS = ["product"] as const;

/** Fields of a product of which changes can be kept. */
const AUDITABLE = "name,price,availability,brand,release_year,link";

/** get_history looks at all that is kept of a record: 5,000 entries take it 2 to 3 ms. */
const MAX_KEPT = 5000;

const DEFAULTS = { audit: "price,availability", maxlen: 1000, days: 0, removedDays: 90 };

/** Which changes are kept, how many, and how long. */
export interface Auditing {
  fields: LuaSet<string>;
  /** Of one record. */
  maxlen: number;
  /** 0: of any age. */
  days: number;
  /** After the record was removed. */
  removedDays: number;
}

type Stored = (string | false)[];

let latestStored: Stored = [];
let latestAuditing: Auditing;

function numberOr(stored: string | false | undefined, otherwise: number): number {
  return stored === false || stored === undefined ? otherwise : tonumber(stored)!;
}

/** The names in `price,availability`. */
function split(commaSeparated: string): string[] {
  const found: string[] = [];
  for (const [name] of string.gmatch(commaSeparated, "[^,%s]+")) found.push(name!);
  return found;
}

function auditOf(stored: string | false | undefined): string {
  return stored === false || stored === undefined ? DEFAULTS.audit : stored;
}

function parse(stored: Stored): Auditing {
  const [audit, maxlen, days, removedDays] = stored;
  const audited = new LuaSet<string>();
  for (const name of split(auditOf(audit))) audited.add(name);
  return {
    fields: audited,
    maxlen: numberOr(maxlen, DEFAULTS.maxlen),
    days: numberOr(days, DEFAULTS.days),
    removedDays: numberOr(removedDays, DEFAULTS.removedDays),
  };
}

function readStored(): Stored {
  return fields(names.state(), [
    "config:audit:product",
    "config:audit_maxlen",
    "config:audit_days",
    "config:removed_days",
  ]);
}

function isLatest(stored: Stored): boolean {
  for (const at of $range(0, stored.length - 1)) if (stored[at] !== latestStored[at]) return false;
  return latestStored.length > 0;
}

/** The options of auditing, in one read; CONFLICT if the state hash is no hash. Equal options are parsed once. */
export function readAuditing(): Auditing {
  const stored = readStored();
  if (!isLatest(stored)) {
    latestStored = stored;
    latestAuditing = parse(stored);
  }
  return latestAuditing;
}

/** The names of fields as they are stored; BADCONFIG if there is no such field. */
function parseFields(given: string): string {
  const found: string[] = [];
  for (const name of split(given)) {
    const [at] = string.find(`,${AUDITABLE},`, `,${name},`, 1, true);
    if (at === undefined)
      fail("BADCONFIG", `AUDIT: a product has no field ${quote(name)} to audit; there are ${AUDITABLE}`);
    found.push(name);
  }
  return found.join(",");
}

export const configureCatalog = command(
  {
    name: "configure_catalog",
    summary: "Sets options of the catalogue; those not named stay as they are",
    doc:
      "Every option applies from the next change on. What was recorded of a field stays when it is no longer " +
      "audited.",
    role: "admin",
    flags: [],
    positional: [],
    options: [
      {
        name: "AUDIT",
        type: pair({ name: "model", type: choice(MODELS) }, { name: "fields", type: text(0, 256) }),
        doc:
          "which fields of a model are audited, with commas between them, in place of those before: of `product` " +
          "any of `name`, `price`, `availability`, `brand`, `release_year`, `link`; empty for none. Default: " +
          "`price,availability`",
      },
      {
        name: "AUDIT_MAXLEN",
        type: integer(1, MAX_KEPT),
        doc:
          "how many changes are kept of a record, and how many values of each of its fields; the oldest go first. " +
          "Default 1000",
      },
      {
        name: "AUDIT_DAYS",
        type: integer(0, 36500),
        unit: "days",
        doc: "days after which a change is dropped at the next one of the same record; 0, the default, for never",
      },
      {
        name: "REMOVED_DAYS",
        type: integer(0, 36500),
        unit: "days",
        doc: "days that the changes of a removed record are kept. Default 90",
      },
    ],
    reply: integerReply,
    errors: ["BADARG", "BADCONFIG", "CONFLICT"],
    answer: { doc: "1", always: 1 },
    repeat: "same",
  },
  (args) => {
    const changes: string[] = [];
    const set = (name: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      changes.push(`config:${name}`);
      changes.push(`${value}`);
    };
    if (args.audit !== undefined) set("audit:product", parseFields(args.audit[1]));
    set("audit_maxlen", args.audit_maxlen);
    set("audit_days", args.audit_days);
    set("removed_days", args.removed_days);
    requireType(names.state(), "hash");
    if (changes.length > 0) redis.call("HSET", names.state(), ...changes);
    return 1;
  },
);

export const getCatalogConfig = command(
  {
    name: "get_catalog_config",
    summary: "The options of the catalogue that are in force, defaults included",
    role: "reader",
    flags: ["no-writes"],
    positional: [],
    options: [],
    reply: record([
      {
        name: "audit",
        type: jsonReply,
        schema: "Audit",
        doc: 'audited fields of each model: `{"product":["price","availability"]}`',
      },
      { name: "audit_maxlen", type: integerReply, doc: "how many changes are kept of a record" },
      {
        name: "audit_days",
        type: integerReply,
        unit: "days",
        doc: "days after which a change is dropped, 0 for never",
      },
      {
        name: "removed_days",
        type: integerReply,
        unit: "days",
        doc: "days that the changes of a removed record are kept",
      },
    ]),
    errors: ["BADARG", "CONFLICT"],
  },
  () => {
    const { maxlen, days, removedDays } = readAuditing();
    const [audit] = readStored();
    const [quoted] = string.gsub(auditOf(audit), "[^,]+", '"%0"');
    return { audit: `{"product":[${quoted}]}`, audit_maxlen: maxlen, audit_days: days, removed_days: removedDays };
  },
);
