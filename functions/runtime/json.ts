/**
 * JSON beside cjson. Put together from text: cjson prints fields in no order, an empty array as an object, and slashes escaped.
 * Checked where it is handed on as it came: it must be what every reader of JSON takes, and cjson lets more pass.
 */

/** Slashes searched for one by one. */
const FEW_SLASHES = 20;

/** Text as a JSON string; cjson's escaped slashes, which JSON does not ask for and nobody wants to read, are undone. */
export function jsonText(text: string): string {
  const encoded = cjson.encode(text);
  const parts: string[] = [];
  let from = 1;
  // A plain search is many times as fast as a pattern, as long as it finds little.
  for (const _ of $range(1, FEW_SLASHES)) {
    const [at] = string.find(encoded, "\\/", from, true);
    if (at === undefined) {
      if (from === 1) return encoded;
      parts.push(string.sub(encoded, from));
      return table.concat(parts);
    }
    parts.push(string.sub(encoded, from, at - 1));
    from = at + 1;
  }
  const [rest] = string.gsub(string.sub(encoded, from), "\\/", "/");
  parts.push(rest);
  return table.concat(parts);
}

/** A number from its digits, or null where there are none. */
export function jsonNumber(digits: string | false | undefined): string {
  return digits === false || digits === undefined || digits === "" ? "null" : digits;
}

/** A number by the grammar of RFC 8259, section 6. */
function isNumber(token: string): boolean {
  const [whole, rest] = string.match(token, "^%-?(%d+)(.*)$");
  if (whole === undefined || (whole.length > 1 && string.sub(whole, 1, 1) === "0")) return false;
  const [exponent] = string.gsub(rest!, "^%.%d+", "");
  const [end] = string.gsub(exponent, "^[eE][+-]?%d+$", "");
  return end === "";
}

/** What stands between strings and punctuation: cjson takes `nan`, `-Infinity`, `0x10` and `007` as well. */
function areStandard(text: string): boolean {
  const [unescaped] = string.gsub(text, "\\.", "");
  const [bare] = string.gsub(unescaped, '"[^"]*"', "");
  for (const [token] of string.gmatch(bare, "[^%s,:%[%]{}]+")) {
    if (token !== "true" && token !== "false" && token !== "null" && !isNumber(token!)) return false;
  }
  return true;
}

/** A JSON object; undefined if the text is none. */
export function decodeObject(text: string): Record<string, unknown> | undefined {
  const [ok, decoded] = pcall(cjson.decode, text);
  return ok && type(decoded) === "table" && areStandard(text) ? (decoded as Record<string, unknown>) : undefined;
}
