import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
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
  /** Tells a file from others while it is there; undefined for what is none. */
  readonly inode?: string;
  /** Begins to read. */
  open(): AsyncIterable<Uint8Array>;
  /** The same, where it can be read more than once. */
  readonly reopen?: () => AsyncIterable<Uint8Array>;
  close(): Promise<void>;
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
    const { inode: _ofCopy, ...copy } = await fileSource(path, name, remove);
    return copy;
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
    const open = (): AsyncIterable<Uint8Array> => createReadStream(path);
    return stats.isFile()
      ? { name, totalBytes: stats.size, inode: stats.ino.toString(36), open, reopen: open, close }
      : { name, totalBytes: undefined, open, close };
  } catch (error) {
    throw described(error, name, 0);
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

/**
 * Passes bytes on, unpacked where they begin with the two bytes of gzip.
 *
 * @param chunks the bytes as they lie there
 * @param reopen reads them once more; where gzip data breaks off, this saves what was unpacked right before
 * @throws what zlib throws, after all that could be unpacked was passed on
 */
export async function* unpacked(
  chunks: AsyncIterable<Uint8Array>,
  reopen?: () => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
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
  let packed = 0;
  let passedOn = 0;
  try {
    for await (const { bytes, read } of gunzipped(all, Infinity)) {
      packed = read;
      passedOn += bytes.length;
      yield bytes;
    }
  } catch (error) {
    if (reopen !== undefined) yield* beforeDamage(reopen(), packed, passedOn);
    throw error;
  }
}

/** What was unpacked of the slice that failed: zlib drops it with the error. Byte by byte there is nothing to drop. */
async function* beforeDamage(chunks: AsyncIterable<Uint8Array>, packed: number, passedOn: number) {
  let skipped = 0;
  try {
    for await (const { bytes } of gunzipped(chunks, packed)) {
      const from = Math.min(bytes.length, passedOn - skipped);
      skipped += from;
      if (from < bytes.length) yield bytes.subarray(from);
    }
  } catch {
    // The damage that is known already.
  }
}

/** Bytes given to gunzip at once: what it made of them is held before it is passed on. */
const SLICE_BYTES = 16_384;

/**
 * Unpacks gzip, by hand: a stream that fails throws away what it has unpacked and nobody has read yet.
 *
 * @param bytewiseFrom from this packed byte on, each byte is given by itself
 * @returns yields what a slice became, with the packed bytes read up to its end
 */
async function* gunzipped(chunks: AsyncIterable<Uint8Array>, bytewiseFrom: number) {
  const gunzip = createGunzip();
  let made: Uint8Array[] = [];
  let failure: Error | undefined;
  gunzip.on("data", (bytes: Uint8Array) => made.push(bytes));
  const ended = new Promise<void>((resolve) => {
    gunzip.once("end", resolve).once("error", (error) => {
      failure = error;
      resolve();
    });
  });
  const take = (): { bytes: Uint8Array; read: number } => {
    const bytes = made.length === 1 ? made[0]! : Buffer.concat(made);
    made = [];
    return { bytes, read };
  };
  let read = 0;
  try {
    for await (const chunk of chunks) {
      for (let from = 0; from < chunk.length && failure === undefined;) {
        const slice = chunk.subarray(
          from,
          from + (read < bytewiseFrom ? Math.min(SLICE_BYTES, bytewiseFrom - read) : 1),
        );
        await Promise.race([new Promise<void>((resolve) => gunzip.write(slice, () => resolve())), ended]);
        from += slice.length;
        if (failure === undefined) read += slice.length;
        yield take();
      }
      if (failure !== undefined) break;
    }
    if (failure === undefined) gunzip.end();
    await ended;
    yield take();
  } finally {
    gunzip.destroy();
  }
  if (failure !== undefined) throw failure;
}

async function* rejoined(head: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  if (head.length > 0) {
    yield head;
  }
  yield* rest;
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
