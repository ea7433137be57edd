/** Names on the wire as names in TypeScript. */

/** `FROM_MS` and `from_ms` as `fromMs`. */
export const camel = (name: string): string =>
  name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** `FROM_MS` and `from_ms` as `FromMs`. */
export const pascal = (name: string): string => camel(name).replace(/^\w/, (letter) => letter.toUpperCase());

/** What may come any number of times, by the name of one. */
export const manyOf = (name: string): string => name.replace(/y?$/, (end) => (end === "" ? "s" : "ies"));

/** The property of what may come any number of times. */
export const plural = (name: string): string => manyOf(camel(name));
