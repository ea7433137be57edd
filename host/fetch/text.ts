/** Text as it is to be shown: one line, no markup, of bounded length. */
import { Parser } from "htmlparser2";

/** Longest title and kicker that are kept, in bytes of UTF-8: as much as enrich_document takes, and no headline is longer. */
export const MAX_TITLE = 512;
export const MAX_KICKER = 256;

/**
 * One line of text: white space, control characters and halves of characters become single spaces, and what is longer than
 * `maxBytes` of UTF-8 ends in `…`.
 *
 * @returns undefined if nothing is left
 */
export function oneLine(text: string, maxBytes: number): string | undefined {
  // Directional marks stay, they belong to the script; the invisible rest goes.
  const line = text.replace(/[\s\p{Cc}\p{Cs}\u200B\uFEFF]+/gu, " ").trim();
  if (line === "") return undefined;
  return Buffer.byteLength(line) <= maxBytes ? line : `${cut(line, maxBytes - Buffer.byteLength("…")).trimEnd()}…`;
}

/** As many whole characters as fit. */
function cut(line: string, maxBytes: number): string {
  let bytes = 0;
  let kept = "";
  for (const character of line) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept;
}

/** Text without markup and with entities decoded: JSON-LD is often filled from fields that hold HTML. */
export function withoutMarkup(html: string): string {
  if (!/[<&]/.test(html)) return html;
  let text = "";
  const parser = new Parser({
    ontext: (part) => (text += part),
    onopentagname: (name) => (text += name === "br" ? " " : ""),
  });
  parser.end(html);
  return text;
}
