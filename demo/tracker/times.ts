/** Where the time went. */
import pc from "picocolors";
import { formatCount, formatDuration, formatShare } from "../../host/terminal/format";
import type { ReportStyle } from "../paper";
import { renderTable, type Column } from "../../host/terminal/table";
import { ADD, type FeedSummary } from "./feed";
import type { Lap } from "./stopwatch";

/** What the feeding took, for scripts. */
export interface Times {
  events: number;
  elapsedMs: number;
  /** Of the time in `ingest_events` alone. */
  ingestEventsPerSecond: number;
  /** Writing to the stream, rotating and making the traffic included. */
  eventsPerSecond: number;
  laps: Lap[];
}

/** Sums up what the feeding took. */
export function timesOf({ sent, elapsedMs, laps }: FeedSummary): Times {
  const ingestMs = laps.find(({ name }) => name === "ingest_events")?.elapsedMs ?? 0;
  return {
    events: sent,
    elapsedMs,
    ingestEventsPerSecond: perSecond(sent, ingestMs),
    eventsPerSecond: perSecond(sent, elapsedMs),
    laps,
  };
}

function perSecond(events: number, ms: number): number {
  return ms > 0 ? Math.round(events / (ms / 1_000)) : 0;
}

const COLUMNS: Column[] = [
  { title: "step", flexible: "end" },
  { title: "time", align: "right" },
  { title: "share", align: "right", dropRank: 2 },
  { title: "calls", align: "right", dropRank: 3 },
  { title: "longest call", align: "right", dropRank: 1 },
];

/** Renders the times as a part of the report. */
export function renderTimes(
  { elapsedMs, laps, ...rates }: Times,
  own: string,
  { width = 80, colors = false }: ReportStyle,
): string {
  const color = pc.createColors(colors);
  const rest = elapsedMs - laps.reduce((sum, lap) => sum + lap.elapsedMs, 0);
  const rows = [
    ...laps.map((lap) => lapRow(lap, elapsedMs)),
    [own, formatDuration(rest), formatShare(rest / elapsedMs), "", ""],
  ];
  const [titles, ...lines] = renderTable(COLUMNS, rows, width);
  return [
    color.bold(color.green("Where the time went")),
    `${formatCount(rates.ingestEventsPerSecond)} events/s in ingest_events alone, ${formatCount(rates.eventsPerSecond)} events/s in all`,
    "",
    color.dim(titles),
    ...lines,
    "",
  ].join("\n");
}

/** What leaves in a pipeline has no time of its own. */
function lapRow({ name, elapsedMs, calls, longestMs }: Lap, wholeMs: number): string[] {
  const longest = name === ADD ? "–" : `${longestMs.toFixed(1)} ms`;
  return [name, formatDuration(elapsedMs), formatShare(elapsedMs / wholeMs), formatCount(calls), longest];
}
