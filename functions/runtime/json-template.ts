/**
 * Templates of JSON objects. Objects that come in series are alike to the letter but for a few values: one that fits the template of
 * another is read by comparing text, at half the price of decoding it.
 *
 * A template is text that cjson took, with values cut out: strings, and whole numbers without a sign. It holds neither a backslash nor a
 * zero byte, so that every quote in it begins or ends a string, and whatever of the kind stands in place of a value, cjson takes the
 * text in the same way: all else that it decodes to is the same. What a template does not take may be sound nonetheless.
 */

/** More values, or longer text, would cost more than a template saves. */
const MOST_VALUES = 16;
const MOST_BYTES = 4096;

const ZERO = 48;

export interface Template {
  /** What stands before each value, and after the last. */
  literals: string[];
  /** Which values are strings; the others are numbers. */
  areTexts: boolean[];
  /** The field of each value; empty if nobody reads it. */
  fields: string[];
}

/** A value in a text: its field, the place of its first byte, and the place after its last. */
interface Value {
  field: string;
  isText: boolean;
  from: number;
  end: number;
}

function hasEscapesOrZeros(text: string): boolean {
  const [backslash] = string.find(text, "\\", 1, true);
  if (backslash !== undefined) return true;
  const [zero] = string.find(text, "\0", 1, true);
  return zero !== undefined;
}

/** The value of a field, if it is one that can be cut out. */
function valueAt(text: string, field: string, at: number): Value | undefined {
  const [quoted] = string.match(text, '^"[^"]*()', at);
  if (quoted !== undefined) return { field, isText: true, from: at + 1, end: quoted as unknown as number };
  const [whole] = string.match(text, "^[1-9]%d*()[%s,}%]]", at);
  if (whole !== undefined) return { field, isText: false, from: at, end: whole as unknown as number };
  const [zero] = string.find(text, "^0[%s,}%]]", at);
  return zero === undefined ? undefined : { field, isText: false, from: at, end: at + 1 };
}

/** The values of fields that vary, at any depth, in the order of the text. */
function findValues(text: string, varying: LuaSet<string>): Value[] {
  const found: Value[] = [];
  // String by string, so that none is taken for a field that is a value, or what stands between two.
  for (const [name, colon, at] of string.gmatch(text, '"([^"]*)"%s*(:?)%s*()')) {
    if (colon === ":" && varying.has(name!)) {
      const value = valueAt(text, name!, at as unknown as number);
      if (value !== undefined) found.push(value);
    }
  }
  return found;
}

/** What stands for a value while it is found out whose it is: in no text without escapes can such a string be. */
function markOf(place: number): string {
  return `\\${place}`;
}

/** Cuts the values out of a text. */
function cut(text: string, values: Value[]): Template {
  const template: Template = { literals: [], areTexts: [], fields: [] };
  let at = 1;
  for (const { field, isText, from, end } of values) {
    template.literals.push(string.sub(text, at, from - 1));
    template.areTexts.push(isText);
    template.fields.push(field);
    at = end;
  }
  template.literals.push(string.sub(text, at));
  return template;
}

/** Decodes a template with marks for its values. */
function decodeMarked({ literals, areTexts }: Template): Record<string, unknown> {
  const parts: string[] = [];
  for (const at of $range(1, areTexts.length)) {
    parts.push(literals[at - 1]!);
    const escaped = `\\${markOf(at)}`;
    parts.push(areTexts[at - 1] ? escaped : `"${escaped}"`);
  }
  parts.push(literals[areTexts.length]!);
  return cjson.decode(parts.join("")) as Record<string, unknown>;
}

/**
 * Makes a template of an object.
 *
 * @param text the object; cjson takes it
 * @param varying names of fields whose values are cut out
 * @param read the ones of these whose values `fill` hands out
 *
 * @returns undefined if there is nothing to be cut out, or the text is too long or has escapes
 */
export function newTemplate(text: string, varying: LuaSet<string>, read: LuaSet<string>): Template | undefined {
  if (text.length > MOST_BYTES || hasEscapesOrZeros(text)) return undefined;
  const values = findValues(text, varying);
  if (values.length === 0 || values.length > MOST_VALUES) return undefined;
  const template = cut(text, values);
  const marked = decodeMarked(template);
  for (const at of $range(1, values.length)) {
    // A name may be there several times, and in objects within the object.
    const { field } = values[at - 1]!;
    template.fields[at - 1] = read.has(field) && marked[field] === markOf(at) ? field : "";
  }
  return template;
}

/** The place after a whole number that begins at one; undefined if none does. */
function numberEnd(text: string, at: number): number | undefined {
  const [, last] = string.find(text, "^[1-9]%d*", at);
  if (last !== undefined) return last + 1;
  return string.byte(text, at) === ZERO ? at + 1 : undefined;
}

/**
 * Reads an object by a template.
 *
 * @param record takes the values of the fields that are read; some of them also where the answer is no
 *
 * @returns whether the text fits the template; if not, that says nothing about it
 */
export function fill({ literals, areTexts, fields }: Template, text: string, record: Record<string, unknown>): boolean {
  if (hasEscapesOrZeros(text)) return false;
  let at = 1;
  const count = fields.length;
  for (const place of $range(1, count)) {
    const [from, to] = string.find(text, literals[place - 1]!, at, true);
    if (from !== at) return false;
    at = to + 1;
    const isText = areTexts[place - 1]!;
    let end: number | undefined;
    if (isText) [end] = string.find(text, '"', at, true);
    else end = numberEnd(text, at);
    if (end === undefined) return false;
    const field = fields[place - 1]!;
    if (field !== "") {
      const value = string.sub(text, at, end - 1);
      record[field] = isText ? value : tonumber(value);
    }
    at = end;
  }
  const [from, to] = string.find(text, literals[count]!, at, true);
  return from === at && to === text.length;
}
