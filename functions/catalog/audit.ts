/** What changed in a record and when: for each audited field its values by time, and for the record an ordered history. */
import { choice, command, integer, jsonReply, list, recordId, text, unixMs } from "../runtime/declare";
import { jsonText } from "../runtime/json";
import { DAY_MS } from "../runtime/time";
import { onKey, requireType } from "../runtime/types";
import { MODELS, type Auditing } from "./configuration";
import * as names from "./names";

/** How many entries that are too old go with one change: as many as come, and more. */
const DROPPED = 10;

/** A field with its values before and after, each undefined for none; numbers are those of `release_year`. */
export interface Change {
  field: string;
  old: string | undefined;
  new: string | undefined;
}

type Model = (typeof MODELS)[number];

/** Those of the changes that are kept. */
export function audited(changes: Change[], { fields }: Auditing): Change[] {
  const kept: Change[] = [];
  for (const change of changes) if (fields.has(change.field)) kept.push(change);
  return kept;
}

/** Before the first write: CONFLICT if a key of the changes is foreign. */
export function requireAudit(model: Model, id: string, changes: Change[]): void {
  if (changes.length === 0) return;
  requireType(names.history(model, id), "list");
  for (const { field } of changes) requireType(names.audit(model, id, field), "zset");
}

/** Before the first write of a removal: CONFLICT if a key of any of the fields is foreign. */
export function requireLetGo(model: Model, id: string, fields: readonly string[]): void {
  requireType(names.history(model, id), "list");
  for (const field of fields) requireType(names.audit(model, id, field), "zset");
}

function valueJson(field: string, value: string | undefined): string {
  if (value === undefined) return "null";
  return field === "release_year" ? value : jsonText(value);
}

/** Time and field stand first, so that a reader finds them without decoding. */
function entryOf({ field, old, new: after }: Change, atMs: number): string {
  return `{"at":${atMs},"field":"${field}","old":${valueJson(field, old)},"new":${valueJson(field, after)}}`;
}

function parseEntry(entry: string): LuaMultiReturn<[atMs: number, field: string]> {
  const [at, field] = string.match(entry, '^{"at":(%d+),"field":"([^"]*)"');
  return $multi(tonumber(at)!, field!);
}

/** Drops what is too old from the head of a history. */
function dropOld(history: string, beforeMs: number): void {
  const oldest = redis.call("LRANGE", history, "0", `${DROPPED - 1}`);
  let dropped = 0;
  for (const entry of oldest) {
    const [atMs] = parseEntry(entry);
    if (atMs >= beforeMs) break;
    dropped += 1;
  }
  if (dropped > 0) redis.call("LTRIM", history, `${dropped}`, "-1");
}

function keepValue(name: string, value: string, atMs: number, { maxlen, days }: Auditing): void {
  const isNew = redis.call("ZADD", name, `${Math.floor(atMs / 1000)}`, value) === 1;
  if (days > 0) redis.call("ZREMRANGEBYSCORE", name, "-inf", `(${Math.floor((atMs - days * DAY_MS) / 1000)}`);
  if (isNew && redis.call("ZCARD", name) > maxlen) redis.call("ZREMRANGEBYRANK", name, "0", `${-maxlen - 1}`);
}

/** Keeps changes. Their keys were checked by `requireAudit`. */
export function keepChanges(model: Model, id: string, changes: Change[], atMs: number, auditing: Auditing): void {
  if (changes.length === 0) return;
  const entries: string[] = [];
  for (const change of changes) {
    entries.push(entryOf(change, atMs));
    if (change.new !== undefined) keepValue(names.audit(model, id, change.field), change.new, atMs, auditing);
  }
  const history = names.history(model, id);
  const length = redis.call("RPUSH", history, ...entries);
  if (length > auditing.maxlen) redis.call("LTRIM", history, `${-auditing.maxlen}`, "-1");
  if (auditing.days > 0) dropOld(history, atMs - auditing.days * DAY_MS);
}

/** Lets all that is kept of a removed record go after a while: of each field, audited now or once. */
export function letGo(model: Model, id: string, fields: readonly string[], { removedDays }: Auditing): void {
  const leftMs = `${removedDays * DAY_MS}`;
  redis.call("PEXPIRE", names.history(model, id), leftMs);
  for (const field of fields) redis.call("PEXPIRE", names.audit(model, id, field), leftMs);
}

/** Keeps what `letGo` would have let go: the record is there again. */
export function keepOn(model: Model, id: string, fields: readonly string[]): void {
  if (redis.call("PERSIST", names.history(model, id)) === 0) return;
  for (const field of fields) redis.call("PERSIST", names.audit(model, id, field));
}

export const getHistory = command(
  {
    name: "get_history",
    summary: "What changed in a record, in the order in which it happened",
    doc:
      "Each JSON has `at` (unix ms: the clock of the call that changed it), `field`, `old` and `new` (null for " +
      "none). The first values of a new record are changes from null; those of a removed record are changes to " +
      "null, and are kept for REMOVED_DAYS of configure_catalog. A record of which nothing is kept has an empty " +
      "history.",
    role: "reader",
    flags: ["no-writes"],
    positional: [
      { name: "model", type: choice(MODELS), doc: "what kind of record" },
      { name: "id", type: recordId, doc: "id of the record" },
    ],
    options: [
      { name: "FIELD", type: text(1, 64), doc: "only changes of this field" },
      { name: "FROM", type: unixMs, doc: "only changes at this time or later" },
      { name: "TO", type: unixMs, doc: "only changes before this time" },
      { name: "OFFSET", type: integer(0, 1000000), default: 0, doc: "how many to pass over" },
      { name: "COUNT", type: integer(1, 10000), default: 1000, doc: "how many to answer at most" },
    ],
    reply: list(jsonReply),
    errors: ["BADARG", "CONFLICT"],
    answer: { doc: "changes", schema: "Change" },
    paging: "offset",
  },
  ({ model, id, field, from, to, offset, count }) => {
    const found: string[] = [];
    let passed = 0;
    for (const entry of onKey("LRANGE", names.history(model, id), "0", "-1")) {
      const [atMs, changed] = parseEntry(entry);
      const isMeant =
        (field === undefined || changed === field) &&
        (from === undefined || atMs >= from) &&
        (to === undefined || atMs < to);
      if (isMeant) passed += 1;
      if (isMeant && passed > offset && found.length < count) found.push(entry);
    }
    return found;
  },
);
