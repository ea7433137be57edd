/** The body of an answer, decompressed piece by piece, and never more of it than is wanted. */
import { pipeline, type Readable, type Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from "node:zlib";
import { describeError } from "../runtime/errors";
import { PageFailure } from "./failure";
import type { Answer } from "./request";

/** What we can undo, for the header Accept-Encoding. */
export const ACCEPTED_ENCODINGS = "gzip, deflate, br";

/**
 * Reads the body. Both what comes over the wire and what it unfolds to are limited: a small file may hold gigabytes
 * of nothing, and an endless one may unfold to nothing at all.
 *
 * @param maxBytes where it ends, without an error
 * @throws PageFailure for an encoding that was not asked for, or one that is broken
 */
export async function* readBody(answer: Answer, maxBytes: number): AsyncGenerator<Buffer, void> {
  const encoding = (answer.header("content-encoding") ?? "identity").trim().toLowerCase();
  const wire = upTo(answer.body, maxBytes);
  if (encoding === "identity" || encoding === "") return yield* wire;
  try {
    yield* upTo(unfold(wire, encoding), maxBytes);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!code.startsWith("Z_") && !code.startsWith("ERR__ERROR_") && !code.startsWith("ERR_BROTLI")) throw error;
    throw new PageFailure("encoding", `broken ${encoding}: ${describeError(error)}`, { passing: true });
  }
}

async function* upTo(pieces: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer, void> {
  let left = maxBytes;
  for await (const piece of pieces) {
    yield piece.length > left ? piece.subarray(0, left) : piece;
    left -= piece.length;
    if (left <= 0) return;
  }
}

async function* unfold(wire: AsyncGenerator<Buffer, void>, encoding: string): AsyncGenerator<Buffer, void> {
  const first = await wire.next();
  if (first.done) return;
  const decoder = decoderFor(encoding, first.value);
  const source = async function* (): AsyncGenerator<Buffer, void> {
    yield first.value;
    yield* wire;
  };
  // The iterator tells of errors too.
  pipeline(source, decoder, () => undefined);
  try {
    yield* decoder as Readable as AsyncIterable<Buffer>;
  } finally {
    decoder.destroy();
  }
}

/** What was cut off, by us or by the server, is worth as much as what came of it. */
const TOLERANT = { finishFlush: constants.Z_SYNC_FLUSH };

function decoderFor(encoding: string, first: Buffer): Transform {
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return createGunzip(TOLERANT);
    case "br":
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
    case "deflate":
      // By RFC 9110 in zlib's envelope, which some servers leave out; its first four bits are an 8.
      return (first[0]! & 0x0f) === 8 ? createInflate(TOLERANT) : createInflateRaw(TOLERANT);
    default:
      throw new PageFailure("encoding", `content encoding '${encoding.slice(0, 40)}' was not asked for`);
  }
}
