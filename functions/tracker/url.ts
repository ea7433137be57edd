/**
 * Web addresses taken apart, byte by byte as they came. Pure, so that it runs inside Redis and in Node.
 *
 * Redis hands over bytes: lengths and positions here are bytes, letters are ASCII.
 */
import { isUtf8, sequenceEnd } from "../runtime/utf8";

const DEFAULT_PORTS: Record<string, string> = { http: "80", https: "443" };
const MAX_PORT = 65535;

/** Levels of a document: `/` and up to four directories, as in the tracker this was made after. */
export const DIRECTORY_LEVELS = 4;

/** Sections have at most this many directories. */
export const SECTION_LEVELS = 2;

const COLON = 58;
const OPENING_BRACKET = 91;

/** Host and port as they came; the host undefined where brackets are followed by anything but a port. */
function splitPort(authority: string): LuaMultiReturn<[host: string | undefined, port: string]> {
  if (string.byte(authority) === OPENING_BRACKET) {
    const [host, rest] = string.match(authority, "^(%[[%x:.]+%])(.*)$");
    if (host === undefined || (rest !== "" && string.byte(rest!) !== COLON)) return $multi(undefined, "");
    return $multi(host, string.sub(rest!, 2));
  }
  const [colon] = string.find(authority, ":", 1, true);
  if (colon === undefined) return $multi(authority, "");
  return $multi(string.sub(authority, 1, colon - 1), string.sub(authority, colon + 1));
}

/** `:8080`; empty for none and for the scheme's own; undefined for what is no port. */
function normalPort(port: string, scheme: string): string | undefined {
  if (port === "") return "";
  const [digits] = string.match(port, "^0*(%d+)$");
  if (digits === undefined || digits.length > 5 || tonumber(digits)! > MAX_PORT) return undefined;
  return digits === DEFAULT_PORTS[scheme] ? "" : `:${digits}`;
}

function isHost(host: string | undefined): host is string {
  if (host === undefined || host === "") return false;
  if (string.byte(host) === OPENING_BRACKET) return true;
  const [bad] = string.find(host, '[%s%c<>"\\^`{|}:]');
  return bad === undefined;
}

/**
 * Host, port and path of an absolute http(s) address; the host is undefined for anything else.
 *
 * @returns host in lower case, without user name, password and port (an IPv6 address keeps its brackets); port as
 *   `:8080`, or empty for the scheme's default; path from its first `/`, repeated slashes as one, not decoded, without
 *   query and fragment
 */
export function parseAddress(url: string): LuaMultiReturn<[host: string | undefined, port: string, path: string]> {
  const [givenScheme, authority, givenPath] = string.match(url, "^(%a+)://([^/?#]*)([^?#]*)");
  if (givenScheme === undefined) return $multi(undefined, "", "");
  const scheme = string.lower(givenScheme);
  if (DEFAULT_PORTS[scheme] === undefined) return $multi(undefined, "", "");
  const [userEnd] = string.find(authority!, "@[^@]*$");
  const [host, givenPort] = splitPort(userEnd === undefined ? authority! : string.sub(authority!, userEnd + 1));
  const port = normalPort(givenPort, scheme);
  if (!isHost(host) || port === undefined) return $multi(undefined, "", "");
  let path = givenPath === "" ? "/" : givenPath!;
  const [repeated] = string.find(path, "//", 1, true);
  if (repeated !== undefined) [path] = string.gsub(path, "/+", "/");
  return $multi(string.lower(host), port, path);
}

/** The host's name without a leading `www.`. */
export function bareHost(host: string): string {
  return string.sub(host, 1, 4) === "www." && host.length > 4 ? string.sub(host, 5) : host;
}

/** Bytes that are no UTF-8 as percent escapes, everything else as it is. */
export function escapeNonUtf8(bytes: string): string {
  const parts: string[] = [];
  let at = 1;
  while (at <= bytes.length) {
    const end = sequenceEnd(bytes, at);
    parts.push(end === undefined ? string.format("%%%02x", string.byte(bytes, at)) : string.sub(bytes, at, end - 1));
    at = end ?? at + 1;
  }
  return parts.join("");
}

/** A run of escapes (`%c3%a9%ff`) decoded; those that make no UTF-8 are left as they came. */
function decodeRun(run: string): string {
  const [bytes] = string.gsub(run, "%%(%x%x)", (hex: string) => string.char(tonumber(hex, 16)!));
  if (isUtf8(bytes)) return bytes;
  const parts: string[] = [];
  let at = 1;
  while (at <= bytes.length) {
    const end = sequenceEnd(bytes, at);
    // Each byte was three characters.
    parts.push(end === undefined ? string.sub(run, 3 * at - 2, 3 * at) : string.sub(bytes, at, end - 1));
    at = end ?? at + 1;
  }
  return parts.join("");
}

/** Where a run of escapes that begins at `from` ends; `from` if there is none. */
function runEnd(part: string, from: number): number {
  let at = from;
  for (;;) {
    const [found] = string.find(part, "^%%%x%x", at);
    if (found === undefined) return at;
    at += 3;
  }
}

/** Run by run, for text that is not UTF-8 as a whole. */
function decodeRuns(part: string): string {
  const parts: string[] = [];
  let at = 1;
  while (at <= part.length) {
    const end = runEnd(part, at);
    parts.push(end > at ? decodeRun(string.sub(part, at, end - 1)) : string.sub(part, at, at));
    at = end > at ? end : at + 1;
  }
  return parts.join("");
}

/**
 * `%41` to `A`, once. An escape that is no escape, or that would make bytes that are not UTF-8, is left as it came: a
 * section's name goes into JSON.
 */
export function percentDecode(part: string): string {
  const [escape] = string.find(part, "%", 1, true);
  if (escape === undefined) return part;
  const [decoded] = string.gsub(part, "%%(%x%x)", (hex: string) => string.char(tonumber(hex, 16)!));
  return isUtf8(decoded) ? decoded : decodeRuns(part);
}

/** The first `count` directories of a path, percent-decoded; what follows the last slash is no directory. */
export function directories(path: string, count: number): string[] {
  const found: string[] = [];
  let from = 2;
  while (found.length < count) {
    const [slash] = string.find(path, "/", from, true);
    if (slash === undefined) break;
    found.push(percentDecode(string.sub(path, from, slash - 1)));
    from = slash + 1;
  }
  return found;
}

/** A path up to the end of its section's directories, with the slash. */
export function directoryPath(path: string): string {
  let end = 1;
  for (const _ of $range(1, SECTION_LEVELS)) {
    const [slash] = string.find(path, "/", end + 1, true);
    if (slash === undefined) break;
    end = slash;
  }
  return string.sub(path, 1, end);
}

/** The section of a path: its first one or two directories, or `/` where there is none. */
export function sectionName(path: string): string {
  const names = directories(path, SECTION_LEVELS);
  return names.length === 0 ? "/" : names.join("/");
}

/** The last part of a path up to its first dot, if that is all digits: `/a/1874304.html` is article `1874304`. */
export function articleId(path: string): string {
  const [digits] = string.match(path, "/(%d+)$");
  if (digits !== undefined) return digits;
  const [beforeDot] = string.match(path, "/(%d+)%.[^/]*$");
  return beforeDot ?? "";
}

/** The path of an address without scheme. */
export function pathOf(page: string): string {
  const [slash] = string.find(page, "/", 1, true);
  return slash === undefined ? "/" : string.sub(page, slash);
}

/** The article of an address without scheme, as a number is written: without leading zeros; empty where there is none. */
export function articleNumber(page: string): string {
  const [withoutZeros] = string.match(articleId(pathOf(page)), "^0*(%d+)$");
  return withoutZeros ?? "";
}
