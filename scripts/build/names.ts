/** Names on the wire as names in TypeScript. */

/** `FROM_MS` and `from_ms` as `fromMs`. */
export const camel = (name: string): string =>
  name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The property of what may come any number of times. */
export const plural = (name: string): string => camel(name).replace(/y?$/, (end) => (end === "" ? "s" : "ies"));
