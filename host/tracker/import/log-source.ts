import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, pipeline } from "node:stream";
import { pipeline as pipelineDone } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/** A log that cannot be read, or not to its end. The message names the source and says what to do about it. */
export class AccessLogError extends Error {
  override readonly name = "AccessLogError";
}

/** Bytes that can be read, once or again and again. */
export interface LogSource {
  /** For messages. */
  readonly name: string;
  /** Undefined where it is not known. */
  readonly totalBytes: number | undefined;
  /** Begins to read. */
  open(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Where reading lines stands. */
export interface LineProgress {
  lines: number;
  bytesRead: number;
  totalBytes: number | undefined;
}

/** Servers cut a request line off at 8 kB or so; what is far longer is no line, and must not fill the memory. */
export const MAX_LINE_LENGTH = 65_536;

/**
 * Opens a source of bytes.
 *
 * @param source a path, or `-` for standard input
 * @param options `stdin`: what `-` stands for; `twice`: it will be read more than once, so standard input is copied to
 *   a file first, which `close` removes
 * @returns the source
 * @throws AccessLogError where there is no such file, or it is none
 */
export async function openLogSource(
  source: string,
  options: { stdin?: AsyncIterable<Uint8Array> | undefined; twice: boolean },
): Promise<LogSource> {
  if (source !== "-") {
    return fileSource(source, source, async () => {});
  }
  const stdin = options.stdin ?? process.stdin;
  const name = "standard input";
  if (!options.twice) {
    return { name, totalBytes: undefined, open: () => stdin, close: async () => {} };
  }
  // mkdtemp makes the directory readable by its owner only: the copy holds addresses.
  const directory = await mkdtemp(join(tmpdir(), "hotpath-log-"));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const path = join(directory, "log");
    await pipelineDone(Readable.from(stdin), createWriteStream(path));
    return await fileSource(path, name, remove);
  } catch (error) {
    await remove();
    throw described(error, name, 0);
  }
}

async function fileSource(path: string, name: string, close: () => Promise<void>): Promise<LogSource> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) {
      throw Object.assign(new Error("is a directory"), { code: "EISDIR" });
    }
    // A pipe given by path has no size.
    return { name, totalBytes: stats.isFile() ? stats.size : undefined, open: () => createReadStream(path), close };
  } catch (error) {
    throw described(error, name, 0);
  }
}

/**
 * Reads a source line by line, unpacking gzip where the content begins as gzip does.
 *
 * @param source what to read
 * @param onProgress called after each chunk
 * @returns yields the lines of each chunk, without line ends. The last one need not have one; a line of more than
 *   {@link MAX_LINE_LENGTH} characters comes as its first ones
 * @throws AccessLogError where the source ends early or is damaged
 */
export async function* readLines(
  source: LogSource,
  onProgress?: (progress: LineProgress) => void,
): AsyncGenerator<string[], void, undefined> {
  const progress: LineProgress = { lines: 0, bytesRead: 0, totalBytes: source.totalBytes };
  const splitter = new LineSplitter();
  const raw = counted(source.open(), (bytes) => (progress.bytesRead += bytes));
  try {
    for await (const chunk of unpacked(raw)) {
      const lines = splitter.push(chunk);
      progress.lines += lines.length;
      yield lines;
      onProgress?.({ ...progress });
    }
    const rest = splitter.end();
    progress.lines += rest.length;
    yield rest;
    onProgress?.({ ...progress });
  } catch (error) {
    throw described(error, source.name, progress.lines);
  }
}

/** Passes chunks on and tells the size of each. */
export async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    yield chunk;
  }
}

/** Passes bytes on, unpacked where they begin with the two bytes of gzip. */
export async function* unpacked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  for (let done = false; head.length < 2 && !done;) {
    const result = await iterator.next();
    done = result.done === true;
    head = done ? head : Buffer.concat([head, result.value as Uint8Array]);
  }
  const all = rejoined(head, { [Symbol.asyncIterator]: () => iterator });
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* all;
    return;
  }
  // An error of either end destroys both, and comes out of the loop that reads the second.
  yield* pipeline(Readable.from(all, { objectMode: false }), createGunzip(), () => {}) as AsyncIterable<Uint8Array>;
}

async function* rejoined(head: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  if (head.length > 0) {
    yield head;
  }
  yield* rest;
}

class LineSplitter {
  private readonly decoder = new TextDecoder();
  private pending = "";

  push(chunk: Uint8Array): string[] {
    const parts = this.decoder.decode(chunk, { stream: true }).split("\n");
    parts[0] = this.pending + parts[0];
    this.pending = parts.pop()!.slice(0, MAX_LINE_LENGTH);
    return parts.map(trimmed);
  }

  end(): string[] {
    const last = this.pending + this.decoder.decode();
    this.pending = "";
    return last === "" ? [] : [trimmed(last)];
  }
}

function trimmed(line: string): string {
  return (line.endsWith("\r") ? line.slice(0, -1) : line).slice(0, MAX_LINE_LENGTH);
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  Z_BUF_ERROR: "the gzip data ends early; the file is cut off, or still being written",
  Z_DATA_ERROR: "the gzip data is damaged",
};

/** What to say where reading failed; an error that is none of reading as it is. */
export function described(error: unknown, name: string, lines: number): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  // An error without a code is none of reading: a consumer's, or a mistake of ours.
  if (code === undefined || error instanceof AccessLogError) {
    return error;
  }
  const cause = CAUSES[code] ?? (error as Error).message;
  const where = lines === 0 ? "" : ` after ${lines.toLocaleString("en-US")} lines`;
  return new AccessLogError(`cannot read ${name}${where}: ${cause}`, { cause: error });
}
