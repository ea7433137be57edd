import { createHash } from "node:crypto";
import { isbot } from "isbot";
import type { Arrival, TrafficEvent } from "./event";
import { parseLogLine, parseRequestLine, pathOfTarget, type LogLine, type ReadLine } from "./log-line";
import { anyLogReader } from "./log-formats";
import { AT_START, readPlacedLines, type PlacedLine } from "./lines";
import { pagesBy, type Pages } from "./page-rules";
import { AccessLogError, openLogSource, type LogSource } from "./log-source";

export { AccessLogError } from "./log-source";

/**
 * Why a line is no page view. A line counts for the first reason that holds, in this order:
 * - `unparsable`: not a log line, a time that does not exist, or a request line without method and path
 * - `method`: not GET
 * - `failed`: neither a success (2xx) nor "not modified" (304, a view that the browser's cache served)
 * - `static`: by the Content-Type of the answer where the log has it, else by the path: see
 *   page-rules.ts
 * - `bot`: the user agent is a program's, by the list of the package isbot. A common log has no user agent, so its
 *   bots cannot be told
 */
export const LEFT_OUT_REASONS = ["unparsable", "method", "failed", "static", "bot"] as const;

/** One of {@link LEFT_OUT_REASONS}. */
export type LeftOutReason = (typeof LEFT_OUT_REASONS)[number];

/** Where reading stands. */
export interface AccessLogProgress {
  /** `scan` looks for the times of the log, before a shift; `read` yields its events. */
  phase: "scan" | "read";
  lines: number;
  /** Bytes of the file as it lies there, compressed ones where it is compressed. */
  bytesRead: number;
  /** Undefined where the size is not known: standard input. */
  totalBytes: number | undefined;
}

/** How to read a log. */
export interface AccessLogOptions {
  /** Host (and port) that all addresses get, whatever the log says. */
  website?: string;
  /** Host for lines that name no virtual host. Default `access-log`. */
  defaultHost?: string;
  /** Shifts all times by the same amount, so that the last line is at this time, unix milliseconds. */
  shiftToEndAt?: number;
  /**
   * Goes into the device ids. Without one, somebody who has an id can find the client's address by trying all; with a
   * secret one they cannot. Equal salts give equal ids.
   */
  salt?: string;
  /** Arrivals in a batch, at most. Default 1,000, the most one call of a function takes. */
  batchSize?: number;
  /** Called after each chunk of the source, some 64 kB. */
  onProgress?: (progress: AccessLogProgress) => void;
  /** What `-` stands for. Default: standard input. */
  stdin?: AsyncIterable<Uint8Array>;
}

/** What was read so far. `lines` is `kept` and all `leftOut` together. */
export interface AccessLogSummary {
  lines: number;
  kept: number;
  leftOut: Record<LeftOutReason, number>;
}

/** An access log that is open for reading. */
export interface AccessLog {
  /** First and last time of its lines, shifted, unix milliseconds. Known only where a shift asked for a scan. */
  readonly span: { firstMs: number; lastMs: number } | undefined;
  /** Counts of the present or last reading. */
  readonly summary: Readonly<AccessLogSummary>;
  /**
   * Yields the page views in the order of the log. A view that stands a little behind a later one keeps its own time,
   * and arrives with the later one.
   *
   * @throws AccessLogError where the source cannot be read to its end, after all that could be read was yielded
   */
  batches(): AsyncGenerator<Arrival[], void, undefined>;
  /** Removes what reading left behind: a copy of standard input, where a shift needed one. */
  close(): Promise<void>;
}

/**
 * Opens an access log, plain or gzip, in any of the formats that are found out from the content.
 *
 * @param source a path, or `-` for standard input
 * @param options see {@link AccessLogOptions}
 * @returns the log; with `shiftToEndAt` it has been read once already, for its last time
 * @throws AccessLogError where the source cannot be read or an option names no host
 */
export async function openAccessLog(source: string, options: AccessLogOptions = {}): Promise<AccessLog> {
  const originOf = originFinder(options);
  const shifts = options.shiftToEndAt !== undefined;
  const input = await openLogSource(source, { stdin: options.stdin, twice: shifts });
  try {
    const found = shifts ? await scanTimes(input, options) : undefined;
    const shiftMs = found === undefined ? 0 : options.shiftToEndAt! - found.lastMs;
    const summary = emptySummary();
    return {
      span: found && { firstMs: found.firstMs + shiftMs, lastMs: found.lastMs + shiftMs },
      summary,
      batches: () => readBatches(input, { ...options, originOf, shiftMs, summary }),
      close: () => input.close(),
    };
  } catch (error) {
    await input.close();
    throw error;
  }
}

/** Whether and why a line is left out, else the page view it stands for. */
export type LineVerdict = { leftOut: LeftOutReason } | { line: LogLine; path: string };

const USUAL = pagesBy();

/**
 * Judges a line by the rules of {@link LEFT_OUT_REASONS}.
 *
 * @param text the line, without its line end
 * @param read takes it apart; default: common, combined and vhost_combined
 * @param pages tells pages from static files
 * @returns the reason to leave it out, or its parts and the path and query it asked for
 */
export function judgeLine(text: string, read: ReadLine = parseLogLine, pages: Pages = USUAL): LineVerdict {
  const line = read(text);
  const request = line && parseRequestLine(line.request);
  if (line === undefined) {
    return { leftOut: "unparsable" };
  }
  if (request !== undefined && request.method !== "GET") {
    return { leftOut: "method" };
  }
  const asked = request && pathOfTarget(request.target);
  const path = asked === undefined ? undefined : pages.withoutSession(asked);
  if (path === undefined) {
    return { leftOut: "unparsable" };
  }
  if (!isServed(line.status)) {
    return { leftOut: "failed" };
  }
  if (line.contentType === undefined ? pages.isStatic(path) : !isPageType(line.contentType)) {
    return { leftOut: "static" };
  }
  return isbot(line.userAgent) ? { leftOut: "bot" } : { line, path };
}

/**
 * Derives a device id from what a log knows of a device. The address itself is stored nowhere.
 *
 * @param client address or name of the client
 * @param userAgent its user agent, empty where the log has none
 * @param salt see {@link AccessLogOptions.salt}
 * @returns 32 hexadecimal digits of a SHA-256
 */
export function deviceId(client: string, userAgent: string, salt = ""): string {
  return createHash("sha256").update(`${salt}\n${client}\n${userAgent}`).digest("hex").slice(0, 32);
}

function isServed(status: number): boolean {
  return (status >= 200 && status < 300) || status === 304;
}

const isPageType = (contentType: string): boolean => /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(contentType);

interface Reading extends AccessLogOptions {
  originOf: (line: LogLine) => string;
  shiftMs: number;
  summary: AccessLogSummary;
}

async function* readBatches(input: LogSource, reading: Reading): AsyncGenerator<Arrival[], void, undefined> {
  const { summary, batchSize = 1_000 } = reading;
  Object.assign(summary, emptySummary());
  const read = anyLogReader();
  let latestMs = -Infinity;
  let batch: Arrival[] = [];
  let failure: { error: unknown } | undefined;
  try {
    for await (const lines of readLines(input, "read", reading)) {
      for (const { text } of lines) {
        const event = countedEvent(text, read, reading);
        if (event === undefined) {
          continue;
        }
        latestMs = Math.max(latestMs, Number(event.dt));
        batch.push({ arrivalMs: latestMs, event });
        if (batch.length >= batchSize) {
          yield batch;
          batch = [];
        }
      }
    }
  } catch (error) {
    // Not thrown at once: what the summary counts as kept must have been yielded.
    failure = { error };
  }
  if (batch.length > 0) {
    yield batch;
  }
  if (failure !== undefined) {
    throw failure.error;
  }
}

/** Judges and counts a line; answers its event, or undefined where it is left out. */
function countedEvent(text: string, read: ReadLine, reading: Reading): TrafficEvent | undefined {
  const { summary } = reading;
  const verdict = judgeLine(text, read);
  summary.lines++;
  if ("leftOut" in verdict) {
    summary.leftOut[verdict.leftOut]++;
    return undefined;
  }
  summary.kept++;
  return eventOf(verdict.line, verdict.path, reading);
}

function eventOf(line: LogLine, path: string, reading: Reading): TrafficEvent {
  return {
    url: reading.originOf(line) + path,
    uui: deviceId(line.client, line.userAgent ?? "", reading.salt),
    dt: line.timeMs + reading.shiftMs,
  };
}

/** First and last time of the lines that can be read; undefined where there is none. */
async function scanTimes(
  input: LogSource,
  options: AccessLogOptions,
): Promise<{ firstMs: number; lastMs: number } | undefined> {
  const read = anyLogReader();
  let firstMs = Infinity;
  let lastMs = -Infinity;
  for await (const lines of readLines(input, "scan", options)) {
    for (const { text } of lines) {
      const timeMs = read(text)?.timeMs;
      if (timeMs !== undefined) {
        firstMs = Math.min(firstMs, timeMs);
        lastMs = Math.max(lastMs, timeMs);
      }
    }
  }
  return lastMs === -Infinity ? undefined : { firstMs, lastMs };
}

async function* readLines(
  input: LogSource,
  phase: AccessLogProgress["phase"],
  { onProgress }: AccessLogOptions,
): AsyncGenerator<PlacedLine[], void, undefined> {
  const progress: AccessLogProgress = { phase, lines: 0, bytesRead: 0, totalBytes: input.totalBytes };
  for await (const { lines } of readPlacedLines(input, AT_START, (bytes) => (progress.bytesRead += bytes))) {
    progress.lines += lines.length;
    yield lines;
    onProgress?.({ ...progress });
  }
  onProgress?.({ ...progress });
}

/** Answers the function that names scheme, host and port of a line. */
export function originFinder({ website, defaultHost = "access-log" }: AccessLogOptions): (line: LogLine) => string {
  if (website !== undefined) {
    const origin = originOfHost("website", website);
    return () => origin;
  }
  const fallback = originOfHost("default host", defaultHost);
  return ({ vhost }) => {
    if (vhost === undefined) {
      return fallback;
    }
    const plain = vhost.port === undefined || vhost.port === 80 || vhost.port === 443;
    return `${vhost.port === 443 ? "https" : "http"}://${vhost.name}${plain ? "" : `:${vhost.port}`}`;
  };
}

/** The origin of a host name as an option gives it; AccessLogError where it is none. */
export function originOfHost(option: string, host: string): string {
  const text = /^https?:\/\//i.test(host) ? host : `http://${host}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.pathname !== "/" || url.search + url.hash + url.username + url.password !== "") {
    throw new AccessLogError(`${option} must be a host name such as www.example.org, got '${host}'`);
  }
  return url.origin;
}

function emptySummary(): AccessLogSummary {
  const leftOut = Object.fromEntries(LEFT_OUT_REASONS.map((reason) => [reason, 0])) as AccessLogSummary["leftOut"];
  return { lines: 0, kept: 0, leftOut };
}
