/** Prices as shops write them. */

/** Groups of three, with a comma, an apostrophe or a space between them, or none at all; `.5` is meant as `0.5`. */
const AMOUNT = {
  ".": /\d{1,3}(?:[,'’ ]\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?|\.\d+/g,
  ",": /\d{1,3}(?:[.'’ ]\d{3})+(?:,\d+)?(?!\d)|\d+(?:,\d+)?|,\d+/g,
};

/**
 * Reads a price: `$3.98`, `1,299.00 $`, with a comma as the decimal mark `1.299,00 €`.
 *
 * @param decimal which mark the shop puts before the cents
 * @returns a decimal number with two decimals at least, so that 3.5 and 3.50 are one; undefined for what has no number, several, or one below 0
 */
export function parsePrice(text: string, decimal: "." | ","): string | undefined {
  // Swiss and German shops write a dash for no cents.
  const plain = text.replace(/[.,][-–—]+/g, "").trim();
  const amounts = plain.match(AMOUNT[decimal]) ?? [];
  if (amounts.length !== 1 || /[-−]\p{Sc}?[.,\d]/u.test(plain)) return undefined;
  const [amount] = amounts as [string];
  // What is left of a number is none: 3,98 where the mark is a point.
  const [before = "", after = ""] = plain.split(amount, 2);
  if (/[.,\d]$/.test(before) || /^[.,]?\d/.test(after)) return undefined;
  const [whole = "", cents = ""] = amount.split(decimal);
  const digits = whole.replace(/\D/g, "").replace(/^0+(?=\d)/, "") || "0";
  return `${digits}.${cents.padEnd(2, "0")}`;
}
