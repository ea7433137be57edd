/** Real calls of functions, in an order in which each finds something to do. */
import type { Argument } from "../functions";

/** What calls have answered so far, by name of the function; the last one of each. */
export type Replies = ReadonlyMap<string, unknown>;

export interface Step {
  /** The function; or a command that a role may send by itself, as its user. */
  name: string;
  args: Argument[] | ((replies: Replies) => Argument[]);
  /** What it has to answer: proof that it has done its work. */
  reply: unknown;
  /** Passed as keys. */
  keys?: string[];
  /** For a command: whose user sends it. */
  as?: string;
}

/** A record in part: field, value, field, value, in any order. */
export interface PartOfRecord {
  fields: Record<string, unknown>;
}

export function record(fields: Record<string, unknown>): PartOfRecord {
  return { fields };
}
