/**
 * `ONCE text`: a call that is repeated is answered, not done again.
 *
 * Most clients send a command again by themselves when its reply was lost. So the reply is kept in the same call that writes, and
 * reaches replicas with it. A call that answers an error has written nothing, so nothing is kept of it: it may be made again.
 */
import { fail, quote } from "./errors";
import { asId, keep, KEEP_MS, MAX_TEXT_BYTES, requireRoom } from "./kept";
import { key } from "./keys";
import { requirePass } from "./types";

/** Of the SHA-1 of a call: enough to tell two calls apart that were given the same text by mistake. */
const SEAL_DIGITS = 20;

/** A larger reply is not kept, only that the call was made. */
const MAX_REPLY_BYTES = 1024 * 1024;

/**
 * Takes a trailing `ONCE text` off the arguments of a call, where nearly all clients put it, so that what is left is bound as fast as
 * ever.
 *
 * @param first how many arguments are positional, and so may be any text
 * @returns the text; undefined if there is none at the end
 */
export function takeText(args: string[], first: number): string | undefined {
  const at = args.length - 1;
  if (at <= first || args[at - 1] !== "ONCE") return undefined;
  const text = args[at]!;
  if (text.length < 1 || text.length > MAX_TEXT_BYTES) return undefined;
  table.remove(args);
  table.remove(args);
  return text;
}

/** What a key holds: the seal of a call, and then its reply. */
function answerOf(kept: string, seal: string, text: string): unknown {
  if (string.sub(kept, 1, SEAL_DIGITS) !== seal)
    fail("CONFLICT", `another call was made under ONCE ${quote(text)}; nothing was done`);
  if (kept.length === SEAL_DIGITS)
    fail("CONFLICT", `the call under ONCE ${quote(text)} was made before, and its reply was too large to be kept`);
  return cmsgpack.unpack(string.sub(kept, SEAL_DIGITS + 1));
}

/**
 * What tells a call from others under the same text: made before the call, which may change the list of its arguments.
 *
 * @param wire the arguments as they came, less the text
 */
export function sealOf(functionName: string, wire: string[]): string {
  const sealed = wire.length === 1 ? wire[0]! : cmsgpack.pack(wire);
  return string.sub(redis.sha1hex(functionName + sealed), 1, SEAL_DIGITS);
}

/**
 * Makes a call, or answers what it answered before.
 *
 * @param text by which it is known again
 * @param keepMs how long its reply is kept
 * @param make what makes it, from the arguments as they were bound
 *
 * Errors: CONFLICT if another call was made under its text, or if its reply was too large to be kept; LIMIT if nothing more
 * may be kept; those of the call.
 */
export function answerOnce<T>(
  seal: string,
  text: string,
  keepMs: number | undefined,
  make: (this: void, bound: T) => unknown,
  bound: T,
): unknown {
  const name = key("STR", "ONCE", "", asId(text), "", "");
  const kept = redis.pcall("GET", name);
  if (kept !== false) {
    requirePass("GET", name, kept);
    return answerOf(kept as string, seal, text);
  }
  requireRoom();
  const reply = make(bound);
  const packed = cmsgpack.pack(reply);
  keep(name, packed.length > MAX_REPLY_BYTES ? seal : seal + packed, keepMs ?? KEEP_MS);
  return reply;
}
