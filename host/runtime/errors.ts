/** The kinds of failure that the host tells apart. */

/** Something that the person at the keyboard can mend. Its message is one line, complete, and shown as it is. */
export class UserError extends Error {
  override name = "UserError";
}

/** A wrong command line. */
export class UsageError extends UserError {
  override name = "UsageError";
}

/**
 * Redis cannot be reached, or cannot serve just now. Waiting helps.
 *
 * `maybeExecuted` is true where the command was on its way: it may have run, and is never repeated for the caller.
 */
export class UnavailableError extends Error {
  override name = "UnavailableError";

  constructor(
    message: string,
    readonly maybeExecuted: boolean,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** The slot of a call is being moved to another node of the cluster, and nothing was done. The same call passes once that has ended. */
export class SlotMovingError extends UnavailableError {
  override name = "SlotMovingError";

  constructor(message: string, cause?: unknown) {
    super(message, false, cause);
  }
}

/** An error reply of Redis: its first word, and the sentence after it. */
export class ReplyError extends Error {
  override name = "ReplyError";

  constructor(
    readonly code: string,
    readonly sentence: string,
  ) {
    super(`${code} ${sentence}`.trim());
  }

  /** Takes the line of an error reply apart; `ERR` where it has no code. */
  static parse(line: string): ReplyError {
    const match = /^([A-Z][A-Z0-9_]*)(?: (.*))?$/s.exec(line);
    return match ? new ReplyError(match[1]!, match[2] ?? "") : new ReplyError("ERR", line);
  }
}

/** A function of ours answered with an error: `BADARG`, `LIMIT`, `CONFLICT` … */
export class HotpathError extends Error {
  override name = "HotpathError";

  constructor(
    /** The stable first word. */
    readonly code: string,
    /** The sentence without the code. */
    message: string,
    /** As on the wire: `track_events`. */
    readonly functionName: string,
  ) {
    super(message);
  }
}

/**
 * What an error says, in one line and for people.
 *
 * @param error anything that was thrown
 */
export function describeError(error: unknown): string {
  if (error instanceof HotpathError) return `${error.functionName}: ${error.code} ${error.message}`;
  // Connecting to a name with several addresses fails with one error for each, and no message of its own.
  if (error instanceof AggregateError && error.errors.length > 0) return describeError(error.errors[0]);
  const message = error instanceof Error ? error.message || error.name : String(error);
  return message.replace(/\s*\n\s*/g, " ");
}
