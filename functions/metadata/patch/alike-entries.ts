/**
 * Decodes entries faster than cjson does, because those of a call are alike: they differ in path, times and size, and
 * in nothing else. Two that follow one another tell which fields vary, and a template made of them reads those that
 * come after. It may not change a result: where an entry does not fit to the byte, cjson decodes it.
 */
import { fill, newTemplate, type Template } from "../../runtime/json-template";

type Decoded = Record<string, unknown>;

/**
 * Making a template takes as long as decoding three entries, and an entry that it reads saves a quarter of one. So a
 * call makes templates on credit: where entries do not fit, it takes a few percent longer than without any.
 */
const FIRST_CREDIT = 2;
const MOST_CREDIT = 8;
/** Credit that a call earns with an entry that cjson decoded, and with one that a template read. */
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

/** Fields that we read and that vary, and fields that no template leaves open. */
const READ_FIELDS = setOf(["path", "size_bytes", "str_min_time", "str_max_time", "str_chunk_time"]);
const FIXED_FIELDS = setOf(["cmd", "database", "table", "layer", "writer_id"]);

/** Nothing read yet. */
export function newSeries(): Series {
  return { template: undefined, record: {}, before: undefined, varying: new LuaSet(), credit: FIRST_CREDIT };
}

/** Notes the fields in which two entries differ, of those that a template may leave open. */
function compare({ varying }: Series, one: Decoded, other: Decoded): void {
  for (const [field, value] of pairs(one)) {
    const known = other[field];
    const kind = type(value);
    const isOpen = kind === type(known) && (kind === "string" || kind === "number") && !FIXED_FIELDS.has(field);
    if (isOpen && value !== known) varying.add(field);
  }
}

/** Makes a template of an entry which, like the one before it, no template has read. */
function study(series: Series, text: string, decoded: Decoded, before: Decoded): void {
  const { template: stale, varying } = series;
  // It has missed twice; trying it again on each of many entries would cost time.
  series.template = undefined;
  if (series.credit < 1) return;
  series.credit -= 1;
  compare(series, decoded, before);
  if (stale !== undefined) compare(series, decoded, series.record);
  series.template = newTemplate(text, varying, READ_FIELDS);
  series.record = decoded;
}

/**
 * Decodes an entry as cjson does, but for fields that we do not read. It may answer the same record again and again,
 * `series.record`: a caller that keeps it makes a copy.
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
