/** Bytes of a page as text: which charset they are in, and reading them piece by piece. */
import { TextDecoder } from "node:util";
import sniffHtmlEncoding from "html-encoding-sniffer";

/** As many bytes as the HTML standard looks at for a declaration. */
const SNIFFED_BYTES = 1024;

/** The charset that a Content-Type names. */
export function charsetOf(contentType: string | undefined): string | undefined {
  return /;\s*charset\s*=\s*("?)([^\s;"]+)\1/i.exec(contentType ?? "")?.[2];
}

/**
 * Decodes a page by its byte order mark, its Content-Type, or its <meta>, in this order, as browsers do. A page that says
 * nothing is read as UTF-8, and as windows-1252 if it turns out not to be; the text then starts again.
 *
 * @param pieces of the page
 * @param contentType header of the answer
 * @param start told that the text begins, or begins again
 * @param write told each piece of text; answers whether more is wanted
 */
export async function decodePage(
  pieces: AsyncIterable<Buffer>,
  contentType: string | undefined,
  start: () => void,
  write: (text: string) => boolean,
): Promise<void> {
  const held: Buffer[] = [];
  let heldBytes = 0;
  let decoder: PageDecoder | undefined;
  start();
  for await (const piece of pieces) {
    held.push(piece);
    heldBytes += piece.length;
    if (!decoder && heldBytes < SNIFFED_BYTES) continue;
    const next = decoder ? piece : Buffer.concat(held);
    decoder ??= new PageDecoder(next, charsetOf(contentType));
    const text = decoder.decode(next) ?? decoder.again(Buffer.concat(held), start);
    // What is sure needs no second reading.
    if (decoder.isSure) held.length = 0;
    if (!write(text)) return;
  }
  const rest = Buffer.concat(held);
  if (decoder) {
    const text = decoder.end() ?? decoder.again(rest, start);
    write(text);
  } else {
    decoder = new PageDecoder(rest, charsetOf(contentType));
    write(decoder.decode(rest) ?? decoder.again(rest, start));
  }
}

class PageDecoder {
  #decoder: TextDecoder;
  /** Whether the page said what it is. */
  isSure: boolean;

  constructor(beginning: Buffer, transportLayerEncodingLabel: string | undefined) {
    const declared = sniffHtmlEncoding(beginning, {
      ...(transportLayerEncodingLabel !== undefined && { transportLayerEncodingLabel }),
      // No page can declare it: it stands for one that declares nothing.
      defaultEncoding: UNDECLARED,
    });
    const known = declared === UNDECLARED ? undefined : openDecoder(declared);
    this.isSure = known !== undefined;
    this.#decoder = known ?? new TextDecoder("utf-8", { fatal: true });
  }

  /** Undefined if the bytes are not what they were taken for. */
  decode(bytes: Buffer): string | undefined {
    return this.#attempt(() => this.#decoder.decode(bytes, { stream: true }));
  }

  /** A character that is cut in half at the end is left out: the page was cut off there, by us. */
  end(): string | undefined {
    return this.isSure ? this.#decoder.decode() : "";
  }

  /** Reads everything anew as windows-1252, in which every byte means something. */
  again(all: Buffer, start: () => void): string {
    this.#decoder = new TextDecoder("windows-1252");
    this.isSure = true;
    start();
    return this.#decoder.decode(all, { stream: true });
  }

  #attempt(decode: () => string): string | undefined {
    try {
      return decode();
    } catch (error) {
      if (error instanceof TypeError && !this.isSure) return undefined;
      throw error;
    }
  }
}

const UNDECLARED = "replacement";

/** Undefined for a charset that Node does not know. */
function openDecoder(name: string): TextDecoder | undefined {
  try {
    return new TextDecoder(name);
  } catch {
    return undefined;
  }
}
