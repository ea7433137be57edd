/**
 * The words of a title, as they are searched for: case and accents are folded for Latin (`Äïn` is `ain`, `Straße` is `strasse`,
 * `œuvre` is `oeuvre`), Greek and Cyrillic; letters of other scripts are taken as they are. Words are what stands between
 * punctuation, symbols and spaces; scripts that are written without spaces are not cut. Pure, so that it runs inside Redis
 * and in Node.
 */
import { BETWEEN_WORDS, DROPPED, TO_ASCII, TO_LETTER } from "./letters";

/** First and last code point, for a search by halves. */
type Span = [first: number, last: number];

interface Letters {
  folded: LuaMap<number, string>;
  dropped: Span[];
  between: Span[];
}

/** Visits the parts of a text that spaces separate. */
function forEachPart(text: string, visit: (this: void, part: string) => void): void {
  let from = 1;
  for (;;) {
    const [space] = string.find(text, " ", from, true);
    visit(string.sub(text, from, space === undefined ? -1 : space - 1));
    if (space === undefined) return;
    from = space + 1;
  }
}

function spanOf(part: string): LuaMultiReturn<[first: number, last: number]> {
  const [first, last] = string.match(part, "^(%x+)%-?(%x*)");
  const start = tonumber(first, 16)!;
  return $multi(start, last === "" ? start : tonumber(last, 16)!);
}

const CONTINUATION = 0x80;

/** A code point in UTF-8. */
function encode(codePoint: number): string {
  const low = CONTINUATION + (codePoint % 64);
  if (codePoint < 0x80) return string.char(codePoint);
  const rest = Math.floor(codePoint / 64);
  if (codePoint < 0x800) return string.char(0xc0 + rest, low);
  return string.char(0xe0 + Math.floor(rest / 64), CONTINUATION + (rest % 64), low);
}

function addShift(folded: LuaMap<number, string>, part: string): void {
  const [first, last] = spanOf(part);
  const [step] = string.match(part, "/(%d)");
  const [kind, target] = string.match(part, "([>=])(%x+)$");
  const to = tonumber(target, 16)!;
  for (const codePoint of $range(first, last, step === undefined ? 1 : 2)) {
    folded.set(codePoint, encode(kind === "=" ? to : to + codePoint - first));
  }
}

function spans(lines: readonly string[]): Span[] {
  const found: Span[] = [];
  for (const line of lines) {
    forEachPart(line, (part) => {
      const [first, last] = spanOf(part);
      found.push([first, last]);
    });
  }
  return found;
}

function readLetters(): Letters {
  const folded = new LuaMap<number, string>();
  for (const [to, from] of TO_ASCII) {
    forEachPart(from, (part) => {
      const [first, last] = spanOf(part);
      for (const codePoint of $range(first, last)) folded.set(codePoint, to);
    });
  }
  for (const line of TO_LETTER) forEachPart(line, (part) => addShift(folded, part));
  return { folded, dropped: spans([DROPPED]), between: spans(BETWEEN_WORDS) };
}

let known: Letters | undefined;

/** The tables, read at their first use: most calls of the library need none of them. */
function letters(): Letters {
  known = known ?? readLetters();
  return known;
}

function isIn(list: Span[], codePoint: number): boolean {
  let low = 0;
  let high = list.length - 1;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const [first, last] = list[middle]!;
    if (codePoint < first) high = middle - 1;
    else if (codePoint > last) low = middle + 1;
    else return true;
  }
  return false;
}

/** How many bytes a character that begins with `first` has; 1 for what can begin none. */
function lengthOf(first: number): number {
  if (first < 0xc2 || first > 0xf4) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** The code point of a character of `length` bytes; undefined if the bytes are none. */
function decode(text: string, at: number, length: number): number | undefined {
  if (length === 1) return undefined;
  let codePoint = string.byte(text, at) % 2 ** (7 - length);
  for (const offset of $range(1, length - 1)) {
    const next = string.byte(text, at + offset);
    if (next === undefined || next < CONTINUATION || next > 0xbf) return undefined;
    codePoint = codePoint * 64 + next - CONTINUATION;
  }
  return codePoint;
}

/** A character above ASCII as it is compared; empty for what is dropped, undefined for what stands between words. */
function fold(character: string, codePoint: number): string | undefined {
  const { folded, dropped, between } = letters();
  const letter = folded.get(codePoint);
  if (letter !== undefined) return letter;
  if (isIn(dropped, codePoint)) return "";
  return isIn(between, codePoint) ? undefined : character;
}

/** Parts of a word, and the words before it. */
interface Reading {
  parts: string[];
  seen: LuaSet<string>;
  found: string[];
}

function endWord(reading: Reading): void {
  const word = reading.parts.join("");
  reading.parts = [];
  if (word === "" || reading.seen.has(word)) return;
  reading.seen.add(word);
  reading.found.push(word);
}

const ASCII_END = 0x80;

/** Reads one character above ASCII; the position after it. Bytes that are no UTF-8 stand between words. */
function readCharacter(text: string, at: number, reading: Reading): number {
  const length = lengthOf(string.byte(text, at));
  const codePoint = decode(text, at, length);
  const folded = codePoint === undefined ? undefined : fold(string.sub(text, at, at + length - 1), codePoint);
  if (folded === undefined) endWord(reading);
  else reading.parts.push(folded);
  return codePoint === undefined ? at + 1 : at + length;
}

/** The distinct words of a text, folded, in the order in which they come. */
export function words(text: string): string[] {
  const reading: Reading = { parts: [], seen: new LuaSet(), found: [] };
  let at = 1;
  while (at <= text.length) {
    if (string.byte(text, at) >= ASCII_END) {
      at = readCharacter(text, at, reading);
      continue;
    }
    const [plain] = string.match(text, "^%w+", at);
    if (plain === undefined) {
      endWord(reading);
      at += 1;
    } else {
      reading.parts.push(string.lower(plain));
      at += plain.length;
    }
  }
  endWord(reading);
  return reading.found;
}
