/** Which file it is, whatever its name: a log that was rotated, moved or packed is the one that was imported before. */
import type { LogSource } from "./log-source";
import { unpacked } from "./log-source";
import { fingerprint, readPlacedLines } from "./lines";

/** Enough for several lines, with times and addresses that no other log has. */
const HEAD_BYTES = 4096;

/** What the beginning of a file tells. */
export interface FileHead {
  /**
   * Names under which the file may be known, the best first. A file that is still short goes by its first line, because
   * what follows it is yet to come.
   */
  sources: string[];
  /** The first lines. */
  lines: string[];
}

/**
 * Looks at the beginning of a file.
 *
 * @returns undefined where the file is empty, or has not one whole line yet and is short
 * @throws AccessLogError where it cannot be read
 */
export async function readHead(source: LogSource): Promise<FileHead | undefined> {
  const lines: string[] = [];
  let first: string | undefined;
  for await (const group of readPlacedLines(source)) {
    for (const line of group.lines) {
      if (line.isEnded) first ??= line.text;
      lines.push(line.text);
    }
    if (lines.length >= 100) break;
  }
  if (lines.length === 0) return undefined;
  const head = await firstBytes(source);
  const byLine = `file:line:${fingerprint(Buffer.from(first ?? lines[0]!))}`;
  const sources = head.length < HEAD_BYTES ? [byLine] : [`file:${fingerprint(head)}`, byLine];
  return { sources, lines };
}

async function firstBytes(source: LogSource): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of unpacked(source.open())) {
      head = Buffer.concat([head, chunk]);
      if (head.length >= HEAD_BYTES) break;
    }
  } catch {
    // What can be read of a damaged file is its head; reading the lines tells what is wrong.
  }
  return head.subarray(0, HEAD_BYTES);
}
