/** Who asked and which host was asked, as the words before the time of a log line say it. Strict: what is unclear is no answer. */
import { isIP } from "node:net";

/** The virtual host of a line. */
export interface VirtualHost {
  name: string;
  port: number | undefined;
}

/** What stands before the time of a line. */
export interface LineHead {
  /** Undefined where the line names none: `_`, `-`, an address or nothing. */
  vhost: VirtualHost | undefined;
  client: string;
}

const LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?";
// A last label of digits would be an address: `203.0.113` and `10.0.0.300` are neither.
const NAME = new RegExp(String.raw`^(?=.{1,253}$)(?:${LABEL}\.)*(?!\d+\.?$)${LABEL}\.?$`);
const BRACKETED = /^\[([^\]]*:[^\]]*)\](?::(\d{1,5}))?$/;
const WITH_PORT = /^([^:]*):(\d{1,5})$/;
const MAX_PORT = 65_535;

/** Ports of web servers. Behind an address, any other one is a client's as well as a server's. */
const SERVER_PORTS: ReadonlySet<number> = new Set([80, 443, 8080, 8443]);

/**
 * The client that a word names.
 *
 * @param text an address or a host name, also with a port, a zone (`fe80::1%eth0`) or in brackets; of a forwarded list
 *   (`203.0.113.5, 10.0.0.1`) the first entry counts
 * @returns the address or the name alone; undefined where it is neither
 */
export function clientOf(text: string): string | undefined {
  if (isIP(text) === 4) return text;
  const comma = text.indexOf(",");
  if (comma >= 0) return clientOf(text.slice(0, comma).trim());
  const found = split(text);
  return found && (addressOf(found.host) ?? (NAME.test(found.host) ? found.host : undefined));
}

/** The address that a word is; undefined for a name. */
function addressOf(text: string): string | undefined {
  const zone = text.indexOf("%");
  const plain = zone < 0 ? text : text.slice(0, zone);
  const version = isIP(plain);
  if (version === 0 || (version === 4 && zone >= 0)) return undefined;
  // What a socket for both families calls an IPv4 client.
  return version === 6 ? plain.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "") : plain;
}

/** Host and port of a word; undefined where the port is none. */
function split(text: string): { host: string; port: number | undefined } | undefined {
  const match = BRACKETED.exec(text) ?? (isIP(text) === 6 ? null : WITH_PORT.exec(text));
  if (match === null) return { host: text, port: undefined };
  const port = match[2] === undefined ? undefined : Number(match[2]);
  return port === undefined || port <= MAX_PORT ? { host: match[1]!, port } : undefined;
}

/**
 * The virtual host that a field names.
 *
 * @returns undefined where it names none; an address is no website, and `_` or `-` stand for no name
 */
export function virtualHostOf(text: string): VirtualHost | undefined {
  const found = split(text);
  return found === undefined || found.host === "_" || addressOf(found.host) !== undefined || !NAME.test(found.host)
    ? undefined
    : { name: found.host, port: found.port };
}

/** Whether a word can stand where a virtual host stands. Two addresses in a row do not say which of them asked. */
function isHostField(text: string): boolean {
  const found = split(text);
  if (found === undefined) return false;
  if (addressOf(found.host) !== undefined) return found.port !== undefined && SERVER_PORTS.has(found.port);
  return NAME.test(found.host);
}

const isAddress = (word: string): boolean => {
  const found = split(word.split(",", 1)[0]!);
  return found !== undefined && addressOf(found.host) !== undefined;
};

/** RFC 1413 allows nearly anything; here it may not be what could be a host. */
const isIdent = (word: string): boolean => /^[\w$@+-]{1,64}$/.test(word);

/** A user name may have spaces, but no word that looks as if it belonged before it. */
function isUser(words: readonly string[]): boolean {
  return words.length === 1 ? !isAddress(words[0]!) : !words.some((word) => word === "-" || isAddress(word));
}

const isIdentAndUser = (words: readonly string[]): boolean =>
  words.length === 1 ? isUser(words) : words.length > 1 && isIdent(words[0]!) && isUser(words.slice(1));

/**
 * Reads the words before the time of a line: `[host[:port]] client[:port] ident user`.
 *
 * @returns undefined where it cannot be told which of them is the client
 */
export function readHead(text: string): LineHead | undefined {
  // By far the most common ones, and not to be split for that.
  if (text.endsWith(" - -")) {
    const client = text.slice(0, -4);
    if (isIP(client) === 4) return { vhost: undefined, client };
  }
  const words = joinLists(text.split(" "));
  const [first, second, third] = words;
  if (words.length < 3) return undefined;
  const rest = words.slice(2);
  const named = (client: string): LineHead | undefined =>
    isHostField(first!) ? { vhost: virtualHostOf(first!), client } : undefined;
  if (isAddress(second!)) return isIdentAndUser(rest) ? named(clientOf(second!)!) : undefined;
  const client = clientOf(first!);
  if (second === "-" || (words.length === 3 && isIdent(second!))) {
    return client !== undefined && isUser(rest) ? { vhost: undefined, client } : undefined;
  }
  // `host client - user`, where the server looks up the names of its clients.
  const looked = third === "-" && words.length > 3 && second!.includes(".") ? clientOf(second!) : undefined;
  return looked !== undefined && !isAddress(first!) && isUser(words.slice(3)) ? named(looked) : undefined;
}

/** `203.0.113.5, 10.0.0.1` is one word. */
function joinLists(words: string[]): string[] {
  if (!words.some((word) => word.endsWith(","))) return words;
  const joined: string[] = [];
  for (const word of words) {
    if (joined.at(-1)?.endsWith(",")) joined[joined.length - 1] += word;
    else joined.push(word);
  }
  return joined;
}
