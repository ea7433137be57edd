/** What the demo feeds: made-up traffic, or that of an access log. */
import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import { UserError } from "../../host/runtime/errors";
import { startProgress } from "../../host/terminal/progress";
import type { NamedCount } from "../../host/tracker/import/reasons";
import { openAccessLog, type AccessLog, type AccessLogProgress } from "../../host/tracker/import/access-log";
import type { Arrival } from "../../host/tracker/import/event";
import { generateTraffic, type GroundTruth, type PageTruth } from "./generate";
import { requireRunning } from "../interruption";
import type { DemoOptions } from "../options";

const DEFAULT_EVENTS = 200_000;

/** The site of a log that names none. */
export const NAMELESS_SITE = "access-log";

/** Traffic that ends now. */
export interface DemoTraffic {
  /** For the heading. */
  source: string;
  startMs: number;
  endMs: number;
  /** How far the progress bar goes, and what it counts. */
  total: number;
  unit: string;
  batches(): AsyncIterable<Arrival[]> | Iterable<Arrival[]>;
  /** How far it is, after so many events. */
  progress(events: number): number;
  /** Lines of a log that were no page views, by reason; nothing for generated traffic. */
  leftOut(): NamedCount[];
  /** Lines read in all; undefined for generated traffic. */
  lines(): number | undefined;
  /** What was sent, as the generator knows it; undefined for a log. */
  truth(): GroundTruth | undefined;
  topPages(count: number): PageTruth[];
  close(): Promise<void>;
}

/**
 * Makes or opens what is to be fed.
 *
 * @param signal ends the reading of standard input
 * @throws AccessLogError where a log cannot be read; UserError where it is none
 */
export async function openTraffic(options: DemoOptions, nowMs: number, signal: AbortSignal): Promise<DemoTraffic> {
  return options.log === undefined ? generated(options, nowMs) : fromLog(options.log, options.website, nowMs, signal);
}

function generated({ events = DEFAULT_EVENTS, seed }: DemoOptions, nowMs: number): DemoTraffic {
  const traffic = generateTraffic({ endMs: nowMs, events, ...(seed !== undefined && { seed }) });
  return {
    source: "generated traffic",
    startMs: traffic.startMs,
    endMs: traffic.endMs,
    total: traffic.events,
    unit: "events",
    batches: () => traffic.batches(),
    progress: (done) => done,
    leftOut: () => [],
    lines: () => undefined,
    truth: () => traffic.truth(),
    topPages: (count) => traffic.topPages(count),
    close: () => Promise.resolve(),
  };
}

async function fromLog(
  path: string,
  website: string | undefined,
  nowMs: number,
  signal: AbortSignal,
): Promise<DemoTraffic> {
  const name = path === "-" ? "standard input" : basename(path);
  const { log, lines } = await scanned(path, website, nowMs, signal);
  if (log.span === undefined) {
    await log.close();
    throw new UserError(`${name} has no line of an access log in common or combined format (${lines} lines were read)`);
  }
  return {
    source: name,
    startMs: log.span.firstMs,
    endMs: log.span.lastMs,
    total: lines,
    unit: "lines",
    batches: () => log.batches(),
    progress: () => log.summary.lines,
    leftOut: () => Object.entries(log.summary.leftOut).map(([reason, count]) => ({ name: reason, count })),
    lines: () => log.summary.lines,
    truth: () => undefined,
    topPages: () => [],
    close: () => log.close(),
  };
}

/** Opens a log, which reads it once for its times, and counts its lines meanwhile. */
async function scanned(
  path: string,
  website: string | undefined,
  nowMs: number,
  signal: AbortSignal,
): Promise<{ log: AccessLog; lines: number }> {
  let lines = 0;
  const bar = scanProgress();
  // Else it would be waited for to its end.
  const endInput = (): void => void process.stdin.destroy();
  if (path === "-") signal.addEventListener("abort", endInput, { once: true });
  try {
    const log = await openAccessLog(path, {
      ...(website !== undefined && { website }),
      defaultHost: NAMELESS_SITE,
      shiftToEndAt: nowMs,
      // Random, and gone with this process: nobody can find the clients' addresses behind the device ids.
      salt: randomUUID(),
      onProgress: (progress) => {
        requireRunning(signal);
        if (progress.phase !== "scan") return;
        lines = progress.lines;
        bar.update(progress);
      },
    });
    return { log, lines };
  } catch (error) {
    requireRunning(signal);
    throw error;
  } finally {
    signal.removeEventListener("abort", endInput);
    bar.stop();
  }
}

/** A long log is read for a while before anything is counted; of a short one, a bar would only flash. */
const PATIENCE_MS = 500;

function scanProgress(): { update(progress: AccessLogProgress): void; stop(): void } {
  const startedAt = performance.now();
  let bar: ReturnType<typeof startProgress> | undefined;
  return {
    update({ bytesRead, totalBytes }) {
      if (performance.now() - startedAt < PATIENCE_MS) return;
      bar ??= startProgress({ label: "Reading", total: totalBytes, unit: "bytes" });
      bar.update(bytesRead);
    },
    stop: () => bar?.stop(),
  };
}
