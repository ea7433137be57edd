/** What a line of a file stands for: an event, or a reason to leave it out. */
import { deviceId, judgeLine, LEFT_OUT_REASONS, originFinder, originOfHost, type LeftOutReason } from "./access-log";
import { UserError } from "../../runtime/errors";
import { objectOf } from "./json-log";
import { detectLogFormat, logFormatOf, type LogFormat } from "./log-formats";
import { parseLogLine, type ReadLine } from "./log-line";
import { pagesBy, type PageRules } from "./page-rules";

/** What the lines of a file are: `log`, requests in a format of logs; `json`, an event as a JSON object a line. */
export type Format = { kind: "log"; name: string; read: () => ReadLine } | { kind: "json"; name: string };

/** An event on its way, as JSON. */
export interface ParsedEvent {
  json: string;
  /** Undefined where it says none that makes sense: the function will refuse it, with the reason. */
  timeMs: number | undefined;
}

export type Parsed = ParsedEvent | { leftOut: LeftOutReason };

/** Turns a line into what it stands for. */
export type ParseLine = (text: string) => Parsed;

export interface ParseOptions {
  /** Host that all addresses get. */
  website?: string | undefined;
  /** Added to all times. */
  shiftMs: number;
  /** What is a page of a log, beside what is usual. */
  pages?: PageRules | undefined;
}

/** How many of each reason there are: none yet. */
export function noneLeftOut(): Record<LeftOutReason, number> {
  return Object.fromEntries(LEFT_OUT_REASONS.map((reason) => [reason, 0])) as Record<LeftOutReason, number>;
}

/** What a person says of the files. */
export interface GivenFormat {
  format?: "log" | "json" | undefined;
  /** A name or a notation of a format of logs. */
  logFormat?: string | undefined;
}

/**
 * Tells the format from the first lines of a file, or takes what is given.
 *
 * @returns undefined where not one of them is an event or a line of a log
 * @throws UserError where the format that is given is none, or the lines are JSON of another kind: their fields must not be
 * stored as refused events
 */
export function formatOf(lines: readonly string[], given: GivenFormat, name: string): Format | undefined {
  const log = ({ name, reader }: LogFormat): Format => ({ kind: "log", name, read: () => reader(lines) });
  if (given.logFormat !== undefined) return log(logFormatOf(given.logFormat));
  const found = detectLogFormat(lines);
  if (found !== undefined && given.format !== "json") return log(found);
  if (given.format === "log") return log({ name: "log", reader: () => parseLogLine });
  const objects = lines.map(objectOf).filter((each) => each !== undefined);
  if (objects.some(isEvent)) return { kind: "json", name: "JSON lines" };
  if (objects.length === 0) return given.format === "json" ? { kind: "json", name: "JSON lines" } : undefined;
  const fields = Object.keys(objects[0]!).slice(0, 8).join(", ");
  throw new UserError(
    `${name} is JSON, but neither events (url, uui, dt) nor an access log that is known: its fields are ${fields}. ` +
      `--log-format takes the format as the server's configuration has it`,
  );
}

const EVENT_FIELDS: ReadonlySet<string> = new Set(["url", "uui", "dt", "audio", "video", "podcast", "id"]);

/** Whether an object has at least two of the fields that every event has. */
function isEvent(object: Record<string, unknown>): boolean {
  return ["url", "uui", "dt"].filter((field) => field in object).length >= 2;
}

/**
 * The parser of a format.
 *
 * @throws AccessLogError where the website is no host name
 */
export function parserOf(format: Format, options: ParseOptions): ParseLine {
  return format.kind === "log" ? logParser(format.read(), options) : jsonParser(options);
}

function logParser(read: ReadLine, { website, shiftMs, pages }: ParseOptions): ParseLine {
  const rules = pagesBy(pages);
  const originOf = originFinder(website === undefined ? {} : { website });
  return (text) => {
    const verdict = judgeLine(text, read, rules);
    if ("leftOut" in verdict) return verdict;
    const { line, path } = verdict;
    const timeMs = line.timeMs + shiftMs;
    const event = { url: originOf(line) + path, uui: deviceId(line.client, line.userAgent ?? ""), dt: timeMs };
    return { json: JSON.stringify(event), timeMs };
  };
}

function jsonParser({ website, shiftMs }: ParseOptions): ParseLine {
  const origin = website === undefined ? undefined : originOfHost("website", website);
  return (text) => {
    const event = objectOf(text);
    if (event === undefined || !Object.keys(event).some((field) => EVENT_FIELDS.has(field)))
      return { leftOut: "unparsable" };
    const writtenMs = timeOf(event["dt"]);
    const timeMs = writtenMs === undefined ? undefined : writtenMs + shiftMs;
    // Refused events are kept as they came; of fields that are no event's, nothing may be.
    const isPlain = Object.keys(event).every((field) => EVENT_FIELDS.has(field));
    if (origin === undefined && shiftMs === 0 && isPlain) return { json: text.trim(), timeMs };
    const changed = {
      ...Object.fromEntries(Object.entries(event).filter(([field]) => EVENT_FIELDS.has(field))),
      ...(timeMs !== undefined && { dt: timeMs }),
      ...(origin !== undefined && typeof event["url"] === "string" && { url: withOrigin(event["url"], origin) }),
    };
    return { json: JSON.stringify(changed), timeMs };
  };
}

function withOrigin(url: string, origin: string): string {
  return url.replace(/^https?:\/\/[^/?#]*/i, origin);
}

/** The time of an event: a whole number or its digits. */
function timeOf(dt: unknown): number | undefined {
  const ms = typeof dt === "string" && /^\d{1,14}$/.test(dt) ? Number(dt) : dt;
  return typeof ms === "number" && Number.isSafeInteger(ms) && ms >= 0 && ms < 1e14 ? ms : undefined;
}
