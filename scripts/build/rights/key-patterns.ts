/** From the text that a key's name may be to a pattern of the server's access control. */
import type { KeyType } from "../../../functions/runtime/keys";

export interface KeyPattern {
  /** A glob; `*` alone where users choose the whole name. */
  pattern: string;
  /** What such keys hold, where their name says it. */
  type: KeyType | undefined;
}

const OF_SCHEME = /^(ST|H|J|I|TS|B|SS|S|L|C|CMS|HLL|STR):(?:((?:[^:\\]|\\.)*):)?/;

/**
 * The pattern of a name.
 *
 * In names of the scheme `TYPE:NAME:…` what comes after NAME is data, and of other names what comes after the first part
 * that is not known. A name that ends in a colon is the beginning of one.
 *
 * @param glob what the name may be; see `Globs`
 * @returns undefined if it is no name but a part of one
 */
export function keyPattern(glob: string): KeyPattern | undefined {
  if (glob.startsWith("*")) return { pattern: "*", type: undefined };
  if (!/^[A-Za-z]/.test(glob)) return undefined;
  const [whole, type, name] = OF_SCHEME.exec(glob) ?? [];
  if (whole !== undefined)
    return { pattern: name === undefined ? `${type}:*` : `${type}:${name}:*`, type: type as KeyType };
  const known = glob.replace(/\*.*$/s, "");
  return { pattern: known === glob && !glob.endsWith(":") ? glob : `${known}*`, type: undefined };
}
