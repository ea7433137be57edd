/** What a line of a file stands for: an event, or a reason to leave it out. */
import { deviceId, judgeLine, LEFT_OUT_REASONS, originFinder, originOfHost, type LeftOutReason } from "./access-log";
import { parseLogLine } from "./log-line";

/** `log`: common, combined and vhost_combined; `json`: an event as a JSON object a line. */
export const FORMATS = ["log", "json"] as const;
export type Format = (typeof FORMATS)[number];

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
}

/** How many of each reason there are: none yet. */
export function noneLeftOut(): Record<LeftOutReason, number> {
  return Object.fromEntries(LEFT_OUT_REASONS.map((reason) => [reason, 0])) as Record<LeftOutReason, number>;
}

/**
 * Tells the format from the first lines of a file.
 *
 * @returns undefined where not one of them is an event or a line of a log
 */
export function detectFormat(lines: readonly string[]): Format | undefined {
  for (const line of lines) {
    if (parseLogLine(line) !== undefined) return "log";
    if (objectOf(line) !== undefined) return "json";
  }
  return undefined;
}

/**
 * The parser of a format.
 *
 * @throws AccessLogError where the website is no host name
 */
export function parserOf(format: Format, options: ParseOptions): ParseLine {
  return format === "log" ? logParser(options) : jsonParser(options);
}

function logParser({ website, shiftMs }: ParseOptions): ParseLine {
  const originOf = originFinder(website === undefined ? {} : { website });
  return (text) => {
    const verdict = judgeLine(text);
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
    if (event === undefined) return { leftOut: "unparsable" };
    const writtenMs = timeOf(event["dt"]);
    const timeMs = writtenMs === undefined ? undefined : writtenMs + shiftMs;
    if (origin === undefined && shiftMs === 0) return { json: text.trim(), timeMs };
    const changed = {
      ...event,
      ...(timeMs !== undefined && { dt: timeMs }),
      ...(origin !== undefined && typeof event["url"] === "string" && { url: withOrigin(event["url"], origin) }),
    };
    return { json: JSON.stringify(changed), timeMs };
  };
}

function objectOf(text: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function withOrigin(url: string, origin: string): string {
  return url.replace(/^https?:\/\/[^/?#]*/i, origin);
}

/** The time of an event: a whole number or its digits. */
function timeOf(dt: unknown): number | undefined {
  const ms = typeof dt === "string" && /^\d{1,14}$/.test(dt) ? Number(dt) : dt;
  return typeof ms === "number" && Number.isSafeInteger(ms) && ms >= 0 && ms < 1e14 ? ms : undefined;
}
