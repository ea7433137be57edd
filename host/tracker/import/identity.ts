/** Which file it is, whatever its name: a log that was rotated, moved or packed is the one that was imported before. */
import type { LogSource } from "./log-source";
import { unpacked } from "./log-source";
import { fingerprint, readPlacedLines } from "./lines";
import type { FilePosition } from "./position";

/** Enough for several lines, with times and addresses that no other log has. */
const HEAD_BYTES = 4096;

/** What the beginning of a file tells. */
export interface FileHead {
  /** The first bytes without holes, by which a file is known that has so many; undefined for a short one. */
  byBytes: string | undefined;
  /** The first line, by which a short file is known, because what follows is yet to come. */
  byLine: string;
  /** The same, for a file that must not be taken for another that begins with this line. */
  own: string;
  /** Bytes of the file, unpacked; the first ones of a longer file. */
  length: number;
  /** The first lines, as far as they can be read. */
  lines: string[];
  /** Why no more can be read. */
  problem: unknown;
}

/**
 * Looks at the beginning of a file.
 *
 * @returns undefined where the file is empty
 */
export async function readHead(source: LogSource): Promise<FileHead | undefined> {
  const lines: string[] = [];
  let first: string | undefined;
  let problem: unknown;
  try {
    for await (const group of readPlacedLines(source)) {
      for (const line of group.lines) {
        if (line.isEnded) first ??= line.text;
        lines.push(line.text);
      }
      if (lines.length >= 100) break;
    }
  } catch (error) {
    problem = error;
  }
  if (lines.length === 0 && problem === undefined) return undefined;
  const { head, length } = await firstBytes(source);
  const byLine = `file:line:${fingerprint(Buffer.from(first ?? lines[0] ?? ""))}`;
  return {
    byBytes: head.length < HEAD_BYTES ? undefined : `file:${fingerprint(head)}`,
    byLine,
    own: `${byLine}:${source.inode ?? "pipe"}`,
    length,
    lines,
    problem,
  };
}

/**
 * Whether a file that begins like one that was imported under its first line may as well be another. It is the same where it is the same file on
 * the disk, where it holds no more than was imported, or where what they share is long.
 */
export function isDoubtful(head: FileHead, inode: string | undefined, kept: FilePosition): boolean {
  if (kept.offset >= HEAD_BYTES || head.length <= kept.offset) return false;
  return inode === undefined || inode !== kept.inode;
}

async function firstBytes(source: LogSource): Promise<{ head: Buffer; length: number }> {
  let head: Buffer = Buffer.alloc(0);
  let length = 0;
  try {
    for await (const chunk of unpacked(source.open(), source.reopen)) {
      length += chunk.length;
      // Holes are of one log as of another.
      head = Buffer.concat([head, chunk.includes(0) ? chunk.filter((byte) => byte !== 0) : chunk]);
      if (head.length >= HEAD_BYTES) break;
    }
  } catch {
    // What can be read of a damaged file is its head; reading the lines tells what is wrong.
  }
  return { head: head.subarray(0, HEAD_BYTES), length };
}
