/**
 * JSON whose integers keep all their digits.
 *
 * The least and greatest values of a column are often 64-bit integers, of which a JavaScript number holds 53. JSON.parse
 * rounds them without a word, and JSON.stringify refuses a bigint.
 */
import { randomUUID } from "node:crypto";

/** Marks an integer that is on its way through JSON.parse or JSON.stringify as text; nobody's own text begins with it. */
const MARK = `integer ${randomUUID()} `;
/** Strings are matched too, so that digits in them are left alone. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Fewer digits are always safe. */
const LONG_INTEGER = /^-?[1-9]\d{15,}$/;
const MARKED = new RegExp(`"${MARK}(-?\\d+)"`, "g");

/** A JSON value; integers beyond ±(2^53 − 1) are bigints. */
export type ExactValue = string | number | bigint | boolean | null | ExactValue[] | { [name: string]: ExactValue };

/**
 * Reads JSON.
 *
 * @param text JSON
 * @returns as JSON.parse, but an integer that a number cannot hold exactly is a bigint. Numbers with a fraction or an exponent
 *   are numbers, as they are for everybody else who reads JSON
 * @throws SyntaxError for anything else than JSON
 */
export function parseExact(text: string): ExactValue {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as ExactValue;
  const marked = text.replace(TOKENS, (token) => (isUnsafe(token) ? `"${MARK}${token}"` : token));
  return JSON.parse(marked, (_name, value: ExactValue) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  ) as ExactValue;
}

function isUnsafe(token: string): boolean {
  return LONG_INTEGER.test(token) && !Number.isSafeInteger(Number(token));
}

/**
 * Writes JSON.
 *
 * @param value as for JSON.stringify, with bigints in it
 * @returns the JSON, bigints as integers with all their digits
 */
export function stringifyExact(value: unknown): string {
  let isMarked = false;
  const text = JSON.stringify(value, (_name, each: unknown) => {
    if (typeof each !== "bigint") return each;
    isMarked = true;
    return `${MARK}${each}`;
  });
  return isMarked ? text.replace(MARKED, "$1") : text;
}
