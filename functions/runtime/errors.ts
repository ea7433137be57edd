/** Error codes of all libraries, and the one way to raise and to answer them. */

export type ErrorCode = "BADARG" | "BADEVENT" | "BADCONFIG" | "NOTFOUND" | "CONFLICT" | "LIMIT" | "TRYAGAIN";

/** Offending values are quoted in messages up to this many bytes: an error line must stay readable. */
const QUOTED_BYTES = 64;

/**
 * A value as it is shown in a message: quoted, cut, and without control characters (a reply line cannot hold CR or LF).
 */
export function quote(value: string): string {
  const [shown] = string.gsub(string.sub(value, 1, QUOTED_BYTES), "%c", "?");
  return value.length > QUOTED_BYTES ? `'${shown}...'` : `'${shown}'`;
}

/**
 * Ends the function with an error reply `CODE message`. Raised as a table with `err`: a plain Lua error would lose its
 * code, and a thrown JavaScript Error would kill the server.
 */
export function fail(code: ErrorCode, message: string): never {
  return error({ err: `${code} ${message}` });
}

/** A foreign type that no check foresaw is the same conflict to a caller. */
function withCode(message: string): string {
  return string.sub(message, 1, 10) === "WRONGTYPE " ? `CONFLICT ${string.sub(message, 11)}` : message;
}

/**
 * What a failed function answers. Errors of ours and of Redis commands pass as they are, without the script position that
 * Redis would add; anything else is a defect of the library: the position goes to the server's log, not to the client.
 */
export function toErrorReply(functionName: string, raised: unknown): RedisError {
  if (type(raised) === "table") {
    const message = (raised as RedisError).err;
    if (message !== undefined) return { err: withCode(message) };
  }
  redis.log(redis.LOG_WARNING, `${functionName}: ${tostring(raised)}`);
  return { err: `ERR internal error in ${functionName}, see the log of the server` };
}

/**
 * For xpcall: hands an error on as it was raised. pcall, as Redis has it, would flatten `{err}` to its text.
 */
export function asRaised(raised: unknown): unknown {
  return raised;
}
