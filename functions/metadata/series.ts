/**
 * Entries as they come: one after the other alike but for path, times and sizes. Two that follow one another tell what varies, and a
 * template made of them reads those that come after.
 */
import { fill, newTemplate, type Template } from "../runtime/json-template";

type Decoded = Record<string, unknown>;

/**
 * To make a template takes as long as to decode three entries, and one that it reads saves a quarter of one. So templates are made on
 * credit: where entries do not fit, a call takes a few percent longer than without any.
 */
const FIRST_CREDIT = 2;
const MOST_CREDIT = 8;
/** What an entry brings in that was decoded, and one that a template read. */
const DECODED = 1 / 128;
const READ = 1 / 16;

/** The entries of a call. */
export interface Series {
  template: Template | undefined;
  /** The entry that the template reads, with the values of the last one. */
  record: Decoded;
  /** The entry before, if no template read it. */
  before: Decoded | undefined;
  /** Fields that were seen to vary. */
  varying: LuaSet<string>;
  /** How many templates may be made. */
  credit: number;
}

function setOf(names: string[]): LuaSet<string> {
  const set = new LuaSet<string>();
  for (const name of names) set.add(name);
  return set;
}

/** What is looked at of an entry and varies, and what no template leaves open. */
const READ_FIELDS = setOf(["path", "size_bytes", "str_min_time", "str_max_time", "str_chunk_time"]);
const FIXED_FIELDS = setOf(["cmd", "database", "table", "layer", "writer_id"]);

/** Nothing read yet. */
export function newSeries(): Series {
  return { template: undefined, record: {}, before: undefined, varying: new LuaSet(), credit: FIRST_CREDIT };
}

/** Notes in which fields two entries differ, for as much as a template may leave open. */
function compare({ varying }: Series, one: Decoded, other: Decoded): void {
  for (const [field, value] of pairs(one)) {
    const known = other[field];
    const kind = type(value);
    const isOpen = kind === type(known) && (kind === "string" || kind === "number") && !FIXED_FIELDS.has(field);
    if (isOpen && value !== known) varying.add(field);
  }
}

/** Makes a template of an entry that fits none, as the one before. */
function study(series: Series, text: string, decoded: Decoded, before: Decoded): void {
  const { template: stale, varying } = series;
  // It has missed twice: to try it again for each of many entries would not be free.
  series.template = undefined;
  if (series.credit < 1) return;
  series.credit -= 1;
  compare(series, decoded, before);
  if (stale !== undefined) compare(series, decoded, series.record);
  series.template = newTemplate(text, varying, READ_FIELDS);
  series.record = decoded;
}

/**
 * Decodes an entry: what cjson makes of it, but for fields that are not looked at. The answer may be the same record again and again,
 * `series.record`: who keeps it copies it.
 *
 * @returns undefined if cjson does not take the text, or it is neither object nor array
 */
export function decodeNext(series: Series, text: string): Decoded | undefined {
  const { template, record, before } = series;
  if (template !== undefined && fill(template, text, record)) {
    series.before = undefined;
    if (series.credit < MOST_CREDIT) series.credit += READ;
    return record;
  }
  const [ok, value] = pcall(cjson.decode, text);
  if (!ok || type(value) !== "table") return undefined;
  const decoded = value as Decoded;
  series.credit += DECODED;
  if (before !== undefined) study(series, text, decoded, before);
  series.before = decoded;
  return decoded;
}
