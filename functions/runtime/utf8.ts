/** UTF-8 in the bytes that Redis hands over. Pure, so that it runs inside Redis and in Node. */

/** How many continuation bytes follow a first byte, by RFC 3629; undefined where none may start so. */
function continuationBytes(first: number): number | undefined {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  if (first >= 0xf0 && first <= 0xf4) return 3;
  return undefined;
}

/** Whether the second byte keeps the sequence from being overlong, a surrogate, or above U+10FFFF (RFC 3629, section 4). */
function secondByteFits(first: number, second: number): boolean {
  if (first === 0xe0) return second >= 0xa0;
  if (first === 0xed) return second <= 0x9f;
  if (first === 0xf0) return second >= 0x90;
  if (first === 0xf4) return second <= 0x8f;
  return true;
}

/** Where the character that begins at `at` ends, as the position after it; undefined if none begins there. */
export function sequenceEnd(bytes: string, at: number): number | undefined {
  const first = string.byte(bytes, at);
  const count = continuationBytes(first);
  if (count === undefined) return undefined;
  for (const offset of $range(1, count)) {
    const next = string.byte(bytes, at + offset);
    if (next === undefined || next < 0x80 || next > 0xbf) return undefined;
    if (offset === 1 && !secondByteFits(first, next)) return undefined;
  }
  return at + count + 1;
}

/** Whether the bytes are UTF-8. */
export function isUtf8(bytes: string): boolean {
  // What is printable ASCII needs no closer look.
  // Anchored, because one long match costs a third of looking for a first other byte at every place.
  const [, last] = string.find(bytes, "^[ -~]*");
  if (last === bytes.length) return true;
  let at: number | undefined = last + 1;
  while (at !== undefined && at <= bytes.length) at = sequenceEnd(bytes, at);
  return at !== undefined;
}
