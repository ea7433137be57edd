/** The position of a file as it is kept in Redis: where reading goes on, what stood before it, and the shift of its times. */
import { UserError } from "../../runtime/errors";
import { AT_START, type Start } from "./lines";

export interface FilePosition extends Start {
  /** What was added to the times of the log; all of it must be shifted alike. */
  shiftMs: number;
  /** The file from which it was begun; undefined for a pipe. */
  inode: string | undefined;
}

/** The position before anything was imported. */
export function startOf(shiftMs: number, inode: string | undefined): FilePosition {
  return { ...AT_START, shiftMs, inode };
}

/** `52310:9f2c11aa04be:0:2xk4` */
export function formatPosition({ offset, tail, shiftMs, inode }: FilePosition): string {
  return `${offset}:${tail}:${shiftMs}${inode === undefined ? "" : `:${inode}`}`;
}

/**
 * @param source for the message
 * @throws UserError for a position that something else has written
 */
export function parsePosition(text: string, source: string): FilePosition {
  const match = /^(\d{1,15}):([\da-f]{12}):(-?\d{1,15})(?::([\da-z]{1,16}))?$/.exec(text);
  if (match === null) throw new UserError(`the kept position of ${source} is none of a file: '${text}'`);
  return { offset: Number(match[1]), tail: match[2]!, shiftMs: Number(match[3]), inode: match[4] };
}
