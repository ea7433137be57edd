/** The screen of `hotpath top` as lines. Pure: what is shown follows from what is given. */
import pc from "picocolors";
import {
  displayWidth,
  formatCount,
  formatDuration,
  formatSpan,
  formatTime,
  pad,
  printable,
  shortCount,
  sparkline,
  truncate,
} from "../../terminal/format";
import { renderTable, type Column } from "../../terminal/table";
import type { TopData, TopRow } from "./data";
import { movement, shortChange, shortRatio } from "./figures";
import { DIMENSION_NAMES, type Query, type WindowName } from "./query";
import { MINUTE_MS } from "../../runtime/time";

/** What goes on beside the figures. */
export interface TopScreen {
  /** What is asked for; the figures may still be those of the query before. */
  query: Query;
  /** Undefined until the first answer. */
  data: TopData | undefined;
  /** Row under the cursor, and the first one that is visible; from 0. */
  selected: number;
  first: number;
  paused: boolean;
  /** What is typed for a website, while it is. */
  prompt: string | undefined;
  /** In a sentence, for as long as it lasts. */
  problem: string | undefined;
  /** How long the answer has been out, where that is worth saying. */
  waitingMs: number | undefined;
}

export interface TopStyle {
  width: number;
  /** Lines; undefined for as many as it takes, without cursor and keys, as in a pipe. */
  height?: number | undefined;
  colors: boolean;
}

type Colors = ReturnType<typeof pc.createColors>;

const WINDOW_TITLES: Record<WindowName, string> = {
  "5m": "last 5 minutes",
  "30m": "last 30 minutes",
  "1h": "last hour",
  "24h": "last 24 hours",
  "7d": "last 7 days",
};

/** A sparkline of two hours where there is space for it, else of one. */
const SPARK = { wideFrom: 110, wide: 24, narrow: 12 };

const FOOTER_LINES = 2;

/** Less holds nothing but the cursor. */
const LEAST_WIDTH = 4;

/** The lines of a screen; none is wider than `width`, and there are no more than `height`. */
export function renderTop(screen: TopScreen, style: TopStyle): string[] {
  const colors = pc.createColors(style.colors);
  const head = headLines(screen, style, colors);
  const body =
    screen.data === undefined
      ? []
      : tableLines(screen, screen.data, style, colors, rowsThatFit(head.length, style.height));
  if (style.height === undefined) return [...head, ...body];
  const space = Math.max(0, style.height - head.length - FOOTER_LINES);
  const middle = body.slice(0, space);
  const filler = new Array<string>(space - middle.length).fill("");
  return [...head, ...middle, ...filler, "", footLine(screen, style.width, colors)].slice(0, style.height);
}

/** How many rows of the ranking a screen of this height shows. */
export function visibleRows(screen: TopScreen, style: TopStyle): number {
  return rowsThatFit(headLines(screen, style, pc.createColors(false)).length, style.height);
}

function rowsThatFit(headLength: number, height: number | undefined): number {
  // The titles of the table take a line.
  return height === undefined ? Infinity : Math.max(1, height - headLength - FOOTER_LINES - 1);
}

function headLines(screen: TopScreen, { width, height }: TopStyle, colors: Colors): string[] {
  const { query, data } = screen;
  const subject = `${DIMENSION_NAMES[query.dimension]}${filterText(query)}, ${WINDOW_TITLES[query.window]}`;
  const state = height === undefined ? "" : stateText(screen);
  const lines = [colors.bold(sides(printable(capital(subject)), state, width))];
  if (data !== undefined) {
    const notes = [spanText(data), totalText(data), ...noteTexts(data)];
    for (const note of notes) for (const line of wrapped(note, width)) lines.push(colors.dim(line));
  }
  if (screen.problem !== undefined) {
    for (const line of wrapped(printable(screen.problem), width)) lines.push(colors.red(line));
  }
  if (screen.data === undefined && screen.problem === undefined) lines.push(colors.dim(truncate("Reading…", width)));
  return [...lines, ""];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function filterText({ filter }: Query): string {
  if (filter === undefined) return "";
  return ` of ${filter.website}${filter.section === undefined ? "" : `, section ${filter.section}`}`;
}

function stateText({ data, paused, waitingMs }: TopScreen): string {
  const clock = data === undefined ? "" : `${new Date(data.nowMs).toISOString().slice(11, 19)} UTC`;
  const state = waitingMs !== undefined ? `no answer for ${formatDuration(waitingMs)}` : paused ? "paused" : "live";
  return [state, clock].filter(Boolean).join("  ");
}

/** Left and right end of a line; the left one gives way. */
function sides(left: string, right: string, width: number): string {
  const space = width - displayWidth(right) - 2;
  if (right === "" || space < 10) return truncate(left, width);
  return pad(truncate(left, space), space + 2) + right;
}

function spanText({ span, before }: TopData): string {
  const minutes = (span.toMs - span.fromMs) / MINUTE_MS;
  return `${formatSpan(span.fromMs, span.toMs)} UTC (${formatDuration(minutes * MINUTE_MS)}), change against ${formatSpan(before.fromMs, before.toMs)}`;
}

function totalText({ totalViews, runningViews, nowMs, query }: TopData): string {
  const whose = query.filter === undefined ? " of all websites" : "";
  const total = totalViews === null ? "" : `${formatCount(totalViews)} page views${whose}; `;
  return `${total}${formatCount(runningViews)} in the running minute since ${formatTime(nowMs - (nowMs % MINUTE_MS)).slice(11)}`;
}

/** What is not as one would expect. */
function noteTexts({ away, exact, rankedBefore, before, rotatedUntilMs, nowMs, query }: TopData): string[] {
  const notes = away.map(({ partition, reason }) => `Without ${partition ?? "the server"}: ${printable(reason)}`);
  if (rankedBefore !== undefined && (rankedBefore.fromMs !== before.fromMs || rankedBefore.toMs !== before.toMs)) {
    notes.push(`Moves (▲▼) against the places of ${formatSpan(rankedBefore.fromMs, rankedBefore.toMs)}`);
  }
  if (rankedBefore === undefined && query.window !== "7d")
    notes.push("Nothing is kept of the places before, so no moves (▲▼) are shown");
  if (!exact) notes.push("More records than can be searched: the leaders of each window are added up");
  if (rotatedUntilMs === null)
    notes.push("Rotation has never run: no curves, and no change for windows of an hour and more");
  else if (nowMs - rotatedUntilMs > LATE_ROTATION_MS)
    notes.push(`Rotation has not run since ${formatTime(rotatedUntilMs)}: curves end there`);
  return notes;
}

const LATE_ROTATION_MS = 15 * MINUTE_MS;

function tableLines(screen: TopScreen, data: TopData, style: TopStyle, colors: Colors, fit: number): string[] {
  const rows = data.rows.slice(screen.first, screen.first + fit);
  if (data.rows.length === 0) return [colors.dim(truncate("No page views in this time.", style.width))];
  const isLive = style.height !== undefined;
  if (style.width < LEAST_WIDTH) return [];
  const points = style.width >= SPARK.wideFrom ? SPARK.wide : SPARK.narrow;
  const [titles, ...lines] = renderTable(
    columnsFor(data, rows, points, colors),
    rows.map((row) => cellsOf(row, data, points)),
    style.width - (isLive ? 2 : 0),
  );
  if (!isLive) return [colors.dim(titles), ...lines];
  return [
    `  ${colors.dim(titles)}`,
    ...lines.map((line, at) =>
      at + screen.first === screen.selected ? `${colors.cyan("›")} ${colors.bold(line)}` : `  ${line}`,
    ),
  ];
}

function columnsFor({ query, seriesSpan }: TopData, rows: readonly TopRow[], points: number, colors: Colors): Column[] {
  const isSection = query.dimension === "S" && query.filter === undefined;
  return [
    { title: "#", align: "right" },
    {
      title: "",
      dropRank: 5,
      paint: (cell) => paintChange(cell, cell.includes("▲") || cell.includes("new"), cell.includes("▼"), colors),
    },
    {
      title: DIMENSION_NAMES[query.dimension].replace(/s$/, ""),
      flexible: "end",
      cut: (row) => (rows[row]!.title === null && query.dimension === "P" ? "middle" : "end"),
    },
    ...(isSection ? [{ title: "website", dropRank: 2 }] : []),
    { title: "views", align: "right" },
    {
      title: "change",
      align: "right",
      dropRank: 4,
      paint: (cell) => paintChange(cell, cell.includes("+"), cell.includes("−"), colors),
    },
    {
      title: "%",
      align: "right",
      dropRank: 6,
      paint: (cell) => paintChange(cell, /[+×n]/.test(cell), cell.includes("−"), colors),
    },
    { title: "devices", align: "right", dropRank: 3 },
    { title: seriesTitle(seriesSpan, points), dropRank: 1, paint: (cell) => colors.cyan(cell) },
  ];
}

function paintChange(cell: string, isUp: boolean, isDown: boolean, colors: Colors): string {
  return isUp ? colors.green(cell) : isDown ? colors.red(cell) : cell;
}

function seriesTitle({ fromMs, toMs }: TopData["seriesSpan"], points: number): string {
  if (fromMs >= toMs) return "";
  return `${formatTime(toMs - points * 5 * MINUTE_MS).slice(11)}–${formatTime(toMs).slice(11)}`;
}

function cellsOf(row: TopRow, { query }: TopData, points: number): string[] {
  const { isRead, rank, rankBefore, title, name, website, views, viewsBefore, devices, series } = row;
  const isSection = query.dimension === "S" && query.filter === undefined;
  return [
    String(rank),
    movement(rank, rankBefore),
    isRead ? printable(title ?? name) : "…",
    ...(isSection ? [truncate(printable(website ?? ""), 20)] : []),
    shortCount(views),
    viewsBefore === null ? (isRead ? "–" : "") : shortChange(views, viewsBefore),
    viewsBefore === null ? "" : shortRatio(views, viewsBefore),
    devices === null ? (isRead ? "–" : "") : shortCount(devices),
    sparkline(series, points),
  ];
}

const KEYS: { keys: string; does: string; brief: string }[] = [
  { keys: "q", does: "quit", brief: "quit" },
  { keys: "p s w", does: "pages, sections, websites", brief: "what" },
  { keys: "1-5", does: "5m 30m 1h 24h 7d", brief: "window" },
  { keys: "↑↓", does: "move", brief: "move" },
  { keys: "enter", does: "look into", brief: "into" },
  { keys: "f", does: "website", brief: "website" },
  { keys: "esc", does: "all", brief: "all" },
  { keys: "space", does: "pause", brief: "pause" },
  { keys: "a v c", does: "audio, video, podcasts", brief: "media" },
];

function footLine({ prompt, data, selected, first }: TopScreen, width: number, colors: Colors): string {
  if (prompt !== undefined) return truncate(`Website (enter: show it, esc: leave): ${printable(prompt)}_`, width);
  const place =
    data === undefined || data.rows.length === 0
      ? ""
      : `${Math.min(selected + 1, data.rows.length)}/${data.rows.length}${first > 0 ? " ↑" : ""}`;
  const full = KEYS.map(({ keys, does }) => `${keys} ${does}`).join("  ");
  const brief = fitting(
    KEYS.map(({ keys, brief }) => `${keys} ${brief}`),
    width - displayWidth(place) - 2,
  );
  return colors.dim(sides(displayWidth(full) + displayWidth(place) + 2 <= width ? full : brief, place, width));
}

/** As many phrases as there is space for: half a key says nothing. */
function fitting(phrases: readonly string[], width: number): string {
  let line = "";
  for (const phrase of phrases) {
    const longer = line === "" ? phrase : `${line}  ${phrase}`;
    if (displayWidth(longer) > width) break;
    line = longer;
  }
  return line;
}

/** Words in lines; a word that is too long is cut. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length === 0) lines.push(word);
    else if (displayWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((line) => truncate(line, width));
}
