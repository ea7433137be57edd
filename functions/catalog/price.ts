/** Prices as vendors print them, and as decimal strings. */

/** Up to here decimals are exact in a double: two prices differ if and only if their numbers do. */
const MAX_DIGITS = 15;

/** A currency before or after an amount: `US$`, `€`, `EUR`, with a space; a word or a sign of another meaning is no currency. */
function isCurrency(text: string): boolean {
  const [odd] = string.find(text, "[-+()%%/*:;=<>]");
  const [word] = string.find(text, "%a%a%a%a");
  return odd === undefined && word === undefined && text.length <= 8;
}

/** `1,299,000`, without its marks; undefined if they do not stand before every third digit from the right. */
function ungroup(text: string, mark: "," | "."): string | undefined {
  const head = text.length % 4;
  const [first] = string.find(string.sub(text, 1, head), "^%d+$");
  if (first === undefined) return undefined;
  const parts = [string.sub(text, 1, head)];
  for (const at of $range(head + 1, text.length, 4)) {
    const [group] = string.match(string.sub(text, at, at + 3), `^%${mark}(%d%d%d)$`);
    if (group === undefined) return undefined;
    parts.push(group);
  }
  return parts.join("");
}

/** Where a mark stands last; 0 if it is not there. */
function lastOf(text: string, mark: "," | "."): number {
  const [at] = string.find(text, `%${mark}[^%${mark}]*$`);
  return at ?? 0;
}

/** Whole part and decimals of an amount in which the last mark may group thousands or begin the decimals. */
function split(amount: string): LuaMultiReturn<[whole: string | undefined, decimals: string]> {
  const comma = lastOf(amount, ",");
  const point = lastOf(amount, ".");
  if (comma === 0 && point === 0) return $multi(amount, "");
  const last = Math.max(comma, point);
  const mark = comma > point ? "," : ".";
  const isOnly = comma === 0 || point === 0;
  const [first] = string.find(amount, mark, 1, true);
  // 1,299 is a thousand; 1.299 has three decimals; of several equal marks none begins decimals.
  if (isOnly && (first !== last || mark === ",")) {
    const whole = ungroup(amount, mark);
    if (whole !== undefined || first !== last) return $multi(whole, "");
  }
  const before = string.sub(amount, 1, last - 1);
  const decimals = string.sub(amount, last + 1);
  const isTooLong = decimals === "" || (mark === "," && isOnly && decimals.length > 2);
  if (isTooLong || (!isOnly && first !== last)) return $multi(undefined, "");
  return $multi(isOnly ? before : ungroup(before, mark === "," ? "." : ","), decimals);
}

/**
 * A printed price as a decimal string: `$3.98` is `3.98`, `1,299.00 $` is `1299.00`, `1.299,00 €` too; decimals are kept as
 * they are printed.
 *
 * @returns undefined if it is no price
 */
export function parsePrice(printed: string): string | undefined {
  // Most come as they are stored.
  const [plain] = string.find(printed, "^[1-9]%d*%.%d%d$");
  if (plain !== undefined && printed.length <= MAX_DIGITS) return printed;
  const [before, amount, after] = string.match(printed, "^([^%d.,]*)(%d[%d.,]*)([^%d.,]*)$");
  if (amount === undefined || !isCurrency(before!) || !isCurrency(after!)) return undefined;
  const [whole, decimals] = split(amount);
  if (whole === undefined) return undefined;
  const [digits] = string.match(whole, "^0*(%d+)$");
  if (digits === undefined || digits.length + decimals.length > MAX_DIGITS) return undefined;
  return decimals === "" ? digits : `${digits}.${decimals}`;
}
