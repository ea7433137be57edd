/** Patterns for MATCH, which leaves what is not wanted in the server's own code, where it costs least. Pure. */

/** Text as a pattern that stands for itself. */
export function literal(value: string): string {
  return string.gsub(value, "[%*%?%[%]%\\]", (character) => `\\${character}`)[0];
}

/** How many characters all names begin with alike. */
function commonLength(names: string[]): number {
  const first = names[0]!;
  let length = first.length;
  for (const name of names) {
    while (string.sub(name, 1, length) !== string.sub(first, 1, length)) length -= 1;
  }
  return length;
}

/**
 * A pattern that the paths in all of these folders match, and few others: what the names begin with, and the characters that
 * come next if they are letters or digits.
 *
 * @param names folders, at least one
 */
export function pathsIn(names: string[]): string {
  if (names.length === 1) return `${literal(names[0]!)}/*`;
  const length = commonLength(names);
  const common = literal(string.sub(names[0]!, 1, length));
  let next = "";
  for (const name of names) {
    const character = string.sub(name, length + 1, length + 1);
    const [isPlain] = string.find(character, "^%w$");
    if (isPlain === undefined) return `${common}*`;
    const [isThere] = string.find(next, character, 1, true);
    if (isThere === undefined) next += character;
  }
  return `${common}[${next}]*`;
}
