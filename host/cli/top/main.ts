/** `hotpath top`: the most viewed, live on a terminal, or once for scripts. */
import { constants } from "node:os";
import { readClock } from "../../redis/clock";
import { UsageError } from "../../runtime/errors";
import { colorsOf, isInteractive, WIDTH } from "../../terminal/output";
import { stopOnSignals } from "../../runtime/signals";
import { sourcesOf, type Source } from "../../tracker/source";
import { Screen } from "../../terminal/screen";
import type { TopData } from "./data";
import { withLibrary } from "../access";
import { findFilter } from "./filter";
import { LiveTop } from "./live";
import type { Dimension } from "../../contract";
import { canFilter, DIMENSION_NAMES, type Query, type WindowName } from "./query";
import { TopReader } from "./read";
import { renderTop } from "./render";

export interface TopOptions {
  website?: string;
  section?: string;
  dimension: Dimension;
  window: WindowName;
  count?: number;
  /** Seconds between two refreshes. */
  interval: number;
  once?: boolean;
  json?: boolean;
}

/** Rows listed without `--count`: live they can be scrolled through. */
const COUNT = { live: 100, once: 20 };

/**
 * Shows the most viewed.
 *
 * @throws UsageError for options that make no sense together; UserError, UnavailableError and others for people
 */
export async function runTop(options: TopOptions): Promise<void> {
  checkOptions(options);
  const isLive = !options.once && !options.json && isInteractive(process.stdout, process.env);
  await withLibrary("tracker", async (config, connection) => {
    const sources = sourcesOf(connection, config);
    const filter = await findFilter(sources, options);
    const query: Query = {
      dimension: options.dimension,
      window: options.window,
      filter,
      count: options.count ?? (isLive ? COUNT.live : COUNT.once),
    };
    const reader = new TopReader(sources, () => readClock(connection));
    if (isLive) await showLive(reader, sources, query, options.interval);
    else await showOnce(reader, query, options.json ?? false);
  });
}

function checkOptions({ dimension, website, section }: TopOptions): void {
  if (section !== undefined && dimension !== "P")
    throw new UsageError(`--section shows the pages of a section; it does not go with --dimension ${dimension}`);
  if (website !== undefined && !canFilter(dimension)) {
    throw new UsageError(
      `--website goes with pages, sections and websites; ${DIMENSION_NAMES[dimension]} are ranked over all websites`,
    );
  }
}

async function showOnce(reader: TopReader, query: Query, asJson: boolean): Promise<void> {
  const data = await reader.read(query, { first: 0, count: query.count });
  if (asJson) return void process.stdout.write(`${JSON.stringify(jsonOf(data))}\n`);
  const screen = {
    query,
    data,
    selected: 0,
    first: 0,
    paused: false,
    prompt: undefined,
    problem: undefined,
    waitingMs: undefined,
  };
  process.stdout.write(
    `${renderTop(screen, { width: WIDTH, colors: colorsOf(process.stdout, process.env) }).join("\n")}\n`,
  );
}

async function showLive(
  reader: TopReader,
  sources: readonly Source[],
  query: Query,
  intervalSeconds: number,
): Promise<void> {
  const stopped: { by?: NodeJS.Signals } = {};
  const hungUp = new AbortController();
  const signal = AbortSignal.any([stopOnSignals((name) => (stopped.by = name as NodeJS.Signals)), hungUp.signal]);
  // Sent when the terminal is closed; by itself it would end the process without giving anything back.
  process.once("SIGHUP", (name) => {
    stopped.by = name;
    hungUp.abort();
  });
  const live = new LiveTop({
    query,
    intervalMs: intervalSeconds * 1_000,
    colors: colorsOf(process.stdout, process.env),
    signal,
    read: (asked, visible) => reader.read(asked, visible),
    findWebsite: (website) => findFilter(sources, { website }),
    openScreen: (events) => new Screen(process.stdout, process.stdin, events),
  });
  await live.run();
  if (stopped.by !== undefined) process.exitCode = 128 + constants.signals[stopped.by];
}

/** The document of `--json`: names of fields are stable, times are unix milliseconds. */
function jsonOf({
  query,
  away,
  nowMs,
  span,
  before,
  rankedBefore,
  exact,
  totalViews,
  runningViews,
  seriesSpan,
  rotatedUntilMs,
  rows,
}: TopData): unknown {
  const { dimension, window, filter } = query;
  return {
    dimension,
    window,
    website: filter === undefined ? null : { id: filter.websiteId, name: filter.website },
    section: filter?.sectionId === undefined ? null : { id: filter.sectionId, name: filter.section },
    now: nowMs,
    from: span.fromMs,
    to: span.toMs,
    before: { from: before.fromMs, to: before.toMs },
    ranksBefore: rankedBefore === undefined ? null : { from: rankedBefore.fromMs, to: rankedBefore.toMs },
    exact,
    away,
    views: totalViews,
    viewsOfRunningMinute: runningViews,
    rotatedUntil: rotatedUntilMs,
    series: { tier: "5MINUTES", from: seriesSpan.fromMs, to: seriesSpan.toMs },
    rows: rows.map(({ rank, rankBefore, id, title, name, website, views, viewsBefore, devices, series }) => ({
      rank,
      rankBefore: rankBefore ?? null,
      id,
      ...(dimension === "P" ? { url: name, title } : { name }),
      ...(website === null ? {} : { website }),
      views,
      viewsBefore,
      devices,
      series,
    })),
  };
}
