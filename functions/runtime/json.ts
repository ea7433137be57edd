/** JSON put together from text: cjson prints fields in no order, an empty array as an object, and slashes escaped. */

/** Text as a JSON string; cjson's escaped slashes, which JSON does not ask for and nobody wants to read, are undone. */
export function jsonText(text: string): string {
  const [unescaped] = string.gsub(cjson.encode(text), "\\/", "/");
  return unescaped;
}

/** A number from its digits, or null where there are none. */
export function jsonNumber(digits: string | false | undefined): string {
  return digits === false || digits === undefined || digits === "" ? "null" : digits;
}
