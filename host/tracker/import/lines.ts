/** Lines with their places in bytes, so that an import can go on where another ended. */
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { counted, described, MAX_LINE_LENGTH, unpacked, type LogSource } from "./log-source";

const LINE_END = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** So many bytes before a position tell whether the file is still the one that was imported. */
const TAIL_BYTES = 256;

/** A line of a file. */
export interface PlacedLine {
  text: string;
  /** Where the next line begins: bytes of the unpacked file. */
  end: number;
  /** False for a last line without line end: it may still be being written. */
  isEnded: boolean;
}

/** Lines that were read at once. */
export interface LineGroup {
  lines: PlacedLine[];
  /** Bytes of holes before or between them. */
  holes: number;
  /** A fingerprint of the bytes before the end of one of these lines. */
  tailAt(end: number): string;
}

/** The file is not the one that was imported up to here. */
export class ChangedFileError extends Error {
  override name = "ChangedFileError";
}

/** Where to begin. */
export interface Start {
  offset: number;
  /** The fingerprint of the bytes before it. */
  tail: string;
}

export const AT_START: Start = { offset: 0, tail: fingerprint(Buffer.alloc(0)) };

/** Twelve hexadecimal digits of SHA-256. */
export function fingerprint(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 12);
}

/**
 * Reads lines from a place on. Bytes that are no UTF-8 come as percent escapes. Runs of NUL are holes, as copytruncate leaves at the
 * beginning of a log and a power failure in the middle of one: they are passed over, and end the line before them. What begins
 * as gzip does is unpacked.
 *
 * @param onBytes told of bytes of the file as it lies there, packed ones where it is packed
 * @throws AccessLogError where the source ends early or is damaged, after all that could be read was yielded;
 * ChangedFileError where it does not hold what it held up to the start
 */
export async function* readPlacedLines(
  source: LogSource,
  start: Start = AT_START,
  onBytes: (bytes: number) => void = () => undefined,
): AsyncGenerator<LineGroup, void, undefined> {
  const splitter = new Splitter();
  let lines = 0;
  try {
    for await (const chunk of seek(unpacked(counted(source.open(), onBytes), source.reopen), start, splitter)) {
      const group = splitter.push(chunk);
      lines += group.lines.length;
      if (group.lines.length > 0 || group.holes > 0) yield group;
    }
  } catch (error) {
    throw described(error, source.name, lines);
  }
  const rest = splitter.end();
  if (rest.lines.length > 0) yield rest;
}

/** Passes on what is after the start, once the bytes before it are found to be the same. */
async function* seek(chunks: AsyncIterable<Uint8Array>, start: Start, splitter: Splitter): AsyncGenerator<Buffer> {
  let offset = 0;
  let tail: Buffer = Buffer.alloc(0);
  let isFound = false;
  const check = (): void => {
    if (offset < start.offset || fingerprint(tail) !== start.tail) throw new ChangedFileError();
    splitter.begin(start.offset, tail);
    isFound = true;
  };
  for await (const bytes of chunks) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (isFound) {
      yield chunk;
      continue;
    }
    const before = chunk.subarray(0, start.offset - offset);
    tail = lastOf(Buffer.concat([tail, before]));
    offset += before.length;
    if (offset < start.offset) continue;
    check();
    if (before.length < chunk.length) yield chunk.subarray(before.length);
  }
  if (!isFound) check();
}

function lastOf(bytes: Buffer): Buffer {
  return bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES));
}

/** UTF-8 as text, and each byte that is none as a percent escape: two addresses must not become one. */
function textOf(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (!text.includes("\uFFFD") || isUtf8(bytes)) return text;
  const parts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = characterLength(bytes, at);
    parts.push(length === 0 ? `%${bytes[at]!.toString(16).toUpperCase()}` : bytes.toString("utf8", at, at + length));
    at += length === 0 ? 1 : length;
  }
  return parts.join("");
}

/** How many bytes make the character at a place; 0 where they make none. */
function characterLength(bytes: Buffer, at: number): number {
  if (bytes[at]! < 0x80) return 1;
  for (let length = 2; length <= 4; length += 1) {
    if (at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length))) return length;
  }
  return 0;
}

class Splitter {
  /** What was read last: first some bytes before the line that is under way, then what there is of it. */
  #data: Buffer = Buffer.alloc(0);
  /** Where `#data` begins in the file, and the line under way in `#data`. */
  #base = 0;
  #lineAt = 0;
  #holes = 0;
  /** The first characters of a line that is too long to be one. */
  #tooLong: string | undefined;

  begin(offset: number, tail: Buffer): void {
    this.#data = tail;
    this.#base = offset - tail.length;
    this.#lineAt = tail.length;
  }

  push(chunk: Buffer): LineGroup {
    this.#forget();
    const data = Buffer.concat([this.#data, chunk]);
    this.#data = data;
    const lines: PlacedLine[] = [];
    let hole = this.#nextHole();
    for (;;) {
      while (hole === this.#lineAt) hole = this.#skipHole(hole);
      const at = data.indexOf(LINE_END, this.#lineAt);
      if (hole < 0 && at < 0) break;
      const isCut = hole >= 0 && (at < 0 || hole < at);
      const end = isCut ? hole : at + 1;
      lines.push({ text: this.#textTo(isCut ? hole : at), end: this.#base + end, isEnded: true });
      this.#lineAt = end;
    }
    return this.#group(lines);
  }

  /** Where the next NUL is, from the line under way on; -1 where there is none. */
  #nextHole(): number {
    return this.#data.indexOf(0, this.#lineAt);
  }

  #skipHole(from: number): number {
    let end = from;
    while (this.#data[end] === 0) end += 1;
    this.#holes += end - from;
    // It has ended the line before it already.
    this.#lineAt = this.#data[end] === LINE_END ? end + 1 : end;
    return this.#nextHole();
  }

  end(): LineGroup {
    const { length } = this.#data;
    if (this.#lineAt === length && this.#tooLong === undefined) return this.#group([]);
    return this.#group([{ text: this.#textTo(length), end: this.#base + length, isEnded: false }]);
  }

  /** Lets go of what is not needed to go on, and of a line that must not fill the memory. */
  #forget(): void {
    if (this.#data.length - this.#lineAt > MAX_LINE_LENGTH) {
      this.#tooLong ??= textOf(this.#data.subarray(this.#lineAt, this.#lineAt + MAX_LINE_LENGTH));
      this.#lineAt = this.#data.length;
    }
    const from = Math.max(0, this.#lineAt - TAIL_BYTES);
    this.#data = this.#data.subarray(from);
    this.#base += from;
    this.#lineAt -= from;
  }

  #textTo(at: number): string {
    const long = this.#tooLong;
    this.#tooLong = undefined;
    if (long !== undefined) return long;
    const isCarriage = at > this.#lineAt && this.#data[at - 1] === CARRIAGE_RETURN;
    const end = Math.min(isCarriage ? at - 1 : at, this.#lineAt + MAX_LINE_LENGTH);
    return textOf(this.#data.subarray(this.#lineAt, end));
  }

  #group(lines: PlacedLine[]): LineGroup {
    const data = this.#data;
    const base = this.#base;
    const holes = this.#holes;
    this.#holes = 0;
    return { lines, holes, tailAt: (end) => fingerprint(lastOf(data.subarray(0, end - base))) };
  }
}
