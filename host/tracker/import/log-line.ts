/** A line of an access log, taken apart. Texts are as written, escapes included. */
import { MINUTE_MS } from "../../runtime/time";
import { readHead, type VirtualHost } from "./client";
import { withoutPrefix } from "./prefix";

export interface LogLine {
  /** Name and port of the virtual host, where the line names one (Apache's `vhost_combined`). */
  vhost: VirtualHost | undefined;
  /** Address or name of the client. */
  client: string;
  /** Time of the request, unix milliseconds. */
  timeMs: number;
  /** The request line: `GET /path HTTP/1.1`, but also `-` or whatever else a client sent. */
  request: string;
  status: number;
  /** Undefined in the common format, which does not have it. */
  userAgent: string | undefined;
  /** Of the answer, where the log has it. */
  contentType?: string | undefined;
}

/** Takes a line apart; undefined where it is none of the reader's format. */
export type ReadLine = (text: string) => LogLine | undefined;

/** A request line that makes sense, taken apart. */
export interface RequestLine {
  method: string;
  /** What was asked for, as written. */
  target: string;
}

// Of fixed length, so that a line full of brackets costs no more than any other.
const TIME = /\[(\d{2}\/[A-Za-z]{3}\/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\] "/;
// Written so that most characters are taken a run at a time.
const QUOTED = String.raw`"([^"\\]*(?:\\.[^"\\]*)*)"`;
// Servers add fields of their own at the end. After a common line they may not hold quotes: a combined line that was
// cut off within its user agent is a broken line, not a common one.
const TAIL = String.raw`(?: ${QUOTED} ${QUOTED}(?: .*)?|(?: [^"]*)?)`;
const REQUEST_AND_REST = new RegExp(String.raw`${QUOTED} (\d{3}) (?:\d+|-)${TAIL}$`, "sy");

/**
 * Parses a line in Apache's or nginx's common, combined or vhost_combined format. What syslog and containers write before it
 * is passed over, further fields at the end are ignored.
 *
 * @param line the line, without its line end
 * @returns its parts, or undefined where the line is none, its time does not exist, or its client cannot be told
 */
export function parseLogLine(line: string): LogLine | undefined {
  const text = withoutPrefix(line);
  const time = TIME.exec(text);
  const timeMs = time === null ? undefined : parseLogTime(time[1]!);
  if (time === null || timeMs === undefined) return undefined;
  REQUEST_AND_REST.lastIndex = time.index + time[0].length - 1;
  const rest = REQUEST_AND_REST.exec(text);
  const head = rest && text[time.index - 1] === " " ? readHead(text.slice(0, time.index - 1)) : undefined;
  if (rest === null || head === undefined) return undefined;
  const [, request, status, , userAgent] = rest;
  return { vhost: head.vhost, client: head.client, timeMs, request: request!, status: Number(status), userAgent };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const LOG_TIME = /^(\d{2})\/([A-Za-z]{3})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/;

/**
 * Parses the time of a log line, such as `17/May/2015:10:05:03 +0200`.
 *
 * @param text the time, without brackets
 * @returns unix milliseconds, or undefined where there is no such time (31 February, 25 o'clock)
 */
export function parseLogTime(text: string): number | undefined {
  if (text !== latestText) {
    latestText = text;
    latestMs = readLogTime(text);
  }
  return latestMs;
}

/** The time that was read last: the next line often has the same second. */
let latestText = "";
let latestMs: number | undefined;

function readLogTime(text: string): number | undefined {
  const match = LOG_TIME.exec(text);
  if (match === null) {
    return undefined;
  }
  const [day, year, hour, minute, second, offsetHours, offsetMinutes] = [1, 3, 4, 5, 6, 8, 9].map((group) =>
    Number(match[group]),
  ) as [number, number, number, number, number, number, number];
  const local = Date.UTC(year, MONTHS.indexOf(match[2]!), day, hour, minute, second);
  // 60 is a leap second, which servers do write; unix time has the next second for it.
  const exists =
    new Date(local - (second === 60 ? 1_000 : 0)).toISOString().slice(0, 16) ===
      `${match[3]}-${String(MONTHS.indexOf(match[2]!) + 1).padStart(2, "0")}-${match[1]}T${match[4]}:${match[5]}` &&
    second <= 60 &&
    offsetMinutes < 60;
  const offsetMs = (match[7] === "-" ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * MINUTE_MS;
  return exists ? local - offsetMs : undefined;
}

const REQUEST = /^([A-Z][A-Z_-]*) (\S.*?)(?: HTTP\/\d(?:\.\d)?)?$/s;

/**
 * Parses a request line. The protocol may be missing (HTTP/0.9), the target may hold spaces, as some clients send it.
 *
 * @param request the request line, as in the log
 * @returns method and target, or undefined for `-`, TLS handshakes on a plain port and other rubbish
 */
export function parseRequestLine(request: string): RequestLine | undefined {
  const match = REQUEST.exec(request);
  return match === null ? undefined : { method: match[1]!, target: match[2]! };
}

/**
 * Turns the target of a request into path and query as a browser would send them: the log's escapes (`\xc3`, `\"`) and
 * what may not stand in an address become percent escapes; of an absolute target (`GET http://host/path`) only path and
 * query remain, since a client may claim any host.
 *
 * @param target the target, as in the log
 * @returns path and query with a leading slash, or undefined where the target names no path
 */
export function pathOfTarget(target: string): string | undefined {
  const path = /^https?:\/\//i.test(target)
    ? target.replace(/^https?:\/\/[^/?#]*/i, "").replace(/^(?!\/)/, "/")
    : target;
  return path.startsWith("/") ? percentEscaped(path) : undefined;
}

const LOG_ESCAPE = /\\x([\da-fA-F]{2})|\\(.)/gs;
const NAMED_ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v" };

function percentEscaped(path: string): string {
  return path
    .replace(LOG_ESCAPE, (_, hex: string | undefined, char: string) =>
      hex === undefined ? (NAMED_ESCAPES[char] ?? char) : `%${hex.toUpperCase()}`,
    )
    .replace(
      /[\x00-\x20"\\<>^`{|}\x7f]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
}
