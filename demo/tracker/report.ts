/** The report of the tracker's demo. */
import {
  displayWidth,
  formatCount,
  formatDuration,
  formatShare,
  formatSpan,
  formatTime,
  pad,
  printable,
  shareBar,
  sparkline,
  truncate,
} from "../../host/terminal/format";
import type { Column } from "../../host/terminal/table";
import type { NamedCount } from "../../host/tracker/import/reasons";
import { checkTable, type Check } from "../checks";
import { joined, paperOf, part, table, title, type Paper, type ReportStyle } from "../paper";

/** Page views and unique devices of something. */
export interface Figures {
  pageViews: number;
  /** Estimated (HyperLogLog). Undefined where it is not known. */
  uniqueDevices?: number | undefined;
}

/** All that the report shows; plain data, in the order in which it is to be shown. */
export interface ReportData {
  /** Where the traffic came from: `generated traffic`, the name of a log. */
  source: string;
  server: { name: string; version: string };
  /** The span of time that was counted, unix milliseconds. */
  fromMs: number;
  toMs: number;
  /** Of all sites together. */
  total: Figures;
  sites: ({ name: string } & Figures)[];
  /** Most viewed pages. `url` is host and path. */
  pages: ({ url: string; title?: string | undefined } & Figures)[];
  /** Most viewed sections. */
  sections: ({ website: string; name: string } & Figures)[];
  /** Figures of all sites for spans that end with the report: `last hour`, `last 24 hours`. */
  devices: ({ span: string } & Figures)[];
  /** Page views hour by hour, oldest first, without gaps. */
  hours: { startMs: number; pageViews: number }[];
  /** What each tier holds: its windows with records, the records in them, and from when to when they reach. */
  tiers: {
    tier: string;
    windows: number;
    records: number;
    fromMs?: number | undefined;
    toMs?: number | undefined;
  }[];
  /** Events that were refused, by reason. */
  rejected: NamedCount[];
  /** Events that came after their window had been merged, and were counted all the same. */
  late: number;
  /** Lines of a log that are no page views, by reason. */
  leftOut: NamedCount[];
  /** Events handed in, and how long that and the rotations took. */
  speed: { events: number; elapsedMs: number };
  /** Counts that were known beforehand, against what the server answers. */
  checks?: Check[];
}

const BAR_WIDTH = 16;

/**
 * Renders the report. Parts without content are left out; all text from outside is made
 * printable.
 *
 * @param data what to show
 * @param style see {@link ReportStyle}
 * @returns the text, ending in a line feed; without colours no line is wider than asked
 */
export function renderReport(data: ReportData, style: ReportStyle = {}): string {
  const paper = paperOf(style);
  return joined([
    heading(data, paper),
    hoursPart(data, paper),
    sitesPart(data, paper),
    pagesPart(data, paper),
    sectionsPart(data, paper),
    devicesPart(data, paper),
    tiersPart(data, paper),
    eventsPart(data, paper),
    countsPart("Left out of the log", data.leftOut, paper),
    part("Checked against what was sent", data.checks?.length ? checkTable(data.checks, paper) : [], paper),
  ]);
}

const VIEWS: Column = { title: "page views", align: "right" };
const DEVICES: Column = { title: "devices", align: "right", dropRank: 3 };

function heading({ source, server, fromMs, toMs, total, speed }: ReportData, { width, colors }: Paper): string[] {
  const right = printable(`${server.name} ${server.version}`);
  const left = truncate(`Hotpath · ${printable(source)}`, width - displayWidth(right) - 2);
  const gap = " ".repeat(Math.max(2, width - displayWidth(left) - displayWidth(right)));
  const perSecond = speed.elapsedMs > 0 ? speed.events / (speed.elapsedMs / 1_000) : 0;
  const facts = [
    `${formatCount(total.pageViews)} page views`,
    ...(total.uniqueDevices === undefined ? [] : [`${formatCount(total.uniqueDevices)} unique devices`]),
    `${formatCount(perSecond)} events/s`,
  ];
  return [
    colors.bold(left) + gap + colors.dim(right),
    colors.dim(truncate(`${formatSpan(fromMs, toMs)} UTC, ${formatDuration(toMs - fromMs)}`, width)),
    "",
    ...flowed(facts, "   ", width).map((line) => colors.bold(line)),
  ];
}

function hoursPart({ hours }: ReportData, paper: Paper): string[] {
  const shown = hours.slice(-paper.width);
  const peak = shown.reduce((best, hour) => (hour.pageViews > best.pageViews ? hour : best), {
    startMs: 0,
    pageViews: 0,
  });
  if (peak.pageViews === 0) {
    return [];
  }
  // Two characters an hour where there is space: a wider curve is read more easily.
  const wide = shown.length * 2 <= paper.width;
  const curve = sparkline(shown.map((hour) => hour.pageViews));
  const line = wide ? curve.replace(/./g, "$&$&") : curve;
  const [first, last] = [dayAndTime(shown[0]!.startMs), dayAndTime(shown.at(-1)!.startMs)];
  return [
    title(`Last ${formatCount(shown.length)} hours, page views an hour`, paper),
    paper.colors.cyan(line),
    paper.colors.dim(first.length + last.length < line.length ? pad(first, line.length - last.length) + last : first),
    paper.colors.dim(`peak ${formatCount(peak.pageViews)} from ${dayAndTime(peak.startMs)} UTC`),
  ];
}

function sitesPart({ sites, total }: ReportData, paper: Paper): string[] {
  // Shares of what is listed where the total is not its sum would not add up to a whole.
  const whole = total.pageViews || sites.reduce((sum, site) => sum + site.pageViews, 0);
  const columns: Column[] = [
    { title: "site", flexible: "end" },
    VIEWS,
    DEVICES,
    { title: "share", align: "right", dropRank: 2 },
    { title: "", dropRank: 1 },
  ];
  const rows = sites.map((site) => {
    const share = site.pageViews / whole;
    return [printable(site.name), ...figures(site), formatShare(share), shareBar(share, BAR_WIDTH)];
  });
  return tablePart("Sites", columns, rows, paper);
}

function pagesPart({ pages }: ReportData, paper: Paper): string[] {
  const columns: Column[] = [{ title: "page", flexible: "middle" }, VIEWS, DEVICES];
  const rows = pages.map((page) => [
    printable(page.title ? `${page.title} · ${page.url}` : page.url),
    ...figures(page),
  ]);
  return tablePart("Top pages", columns, rows, paper);
}

function sectionsPart({ sections }: ReportData, paper: Paper): string[] {
  const columns: Column[] = [{ title: "section", flexible: "end" }, { title: "site", dropRank: 1 }, VIEWS, DEVICES];
  const rows = sections.map((section) => [
    printable(section.name),
    truncate(printable(section.website), 24),
    ...figures(section),
  ]);
  return tablePart("Top sections", columns, rows, paper);
}

function devicesPart({ devices }: ReportData, paper: Paper): string[] {
  const columns: Column[] = [
    { title: "span", flexible: "end" },
    VIEWS,
    DEVICES,
    { title: "views a device", align: "right", dropRank: 1 },
  ];
  const rows = devices.map((entry) => [
    printable(entry.span),
    ...figures(entry),
    entry.uniqueDevices ? (entry.pageViews / entry.uniqueDevices).toFixed(1) : "–",
  ]);
  return tablePart("Devices", columns, rows, paper);
}

function tiersPart({ tiers }: ReportData, paper: Paper): string[] {
  const columns: Column[] = [
    { title: "tier" },
    { title: "windows", align: "right", dropRank: 1 },
    { title: "records", align: "right" },
    { title: "from – to (UTC)", flexible: "end" },
  ];
  const rows = tiers.map(({ tier, windows, records, fromMs, toMs }) => [
    printable(tier),
    formatCount(windows),
    formatCount(records),
    fromMs === undefined || toMs === undefined ? "–" : `${dayAndTime(fromMs)} – ${dayAndTime(toMs)}`,
  ]);
  return tablePart("What each tier holds", columns, rows, paper);
}

function eventsPart({ speed, rejected, late }: ReportData, paper: Paper): string[] {
  const refused = sumOf(rejected);
  const facts = [
    `${formatCount(speed.events)} events in ${formatDuration(speed.elapsedMs)}`,
    ...(late > 0 ? [`${formatCount(late)} late, counted all the same`] : []),
    `${formatCount(refused)} rejected`,
  ];
  const reasons = countsPart("Rejected", rejected, paper);
  return [title("Events", paper), ...flowed(facts, ", ", paper.width), ...(reasons.length > 0 ? ["", ...reasons] : [])];
}

function countsPart(name: string, counts: readonly NamedCount[], paper: Paper): string[] {
  const columns: Column[] = [
    { title: "reason", flexible: "end" },
    { title: "count", align: "right" },
  ];
  const rows = counts
    .filter(({ count }) => count > 0)
    .map((entry) => [printable(entry.name), formatCount(entry.count)]);
  return tablePart(`${name}: ${formatCount(sumOf(counts))}`, columns, rows, paper);
}

function tablePart(
  name: string,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paper: Paper,
): string[] {
  return part(name, rows.length === 0 ? [] : table(columns, rows, paper), paper);
}

function figures({ pageViews, uniqueDevices }: Figures): string[] {
  return [formatCount(pageViews), uniqueDevices === undefined ? "–" : formatCount(uniqueDevices)];
}

function sumOf(counts: readonly NamedCount[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}

/** `11-20 10:05`; the heading says the year. */
function dayAndTime(ms: number): string {
  return formatTime(ms).slice(5);
}

/** Joins phrases to lines of at most `width` columns; a phrase is never cut in two. */
function flowed(phrases: readonly string[], separator: string, width: number): string[] {
  const lines: string[] = [];
  for (const phrase of phrases) {
    const last = lines.at(-1);
    const longer = last === undefined ? undefined : last + separator + phrase;
    if (longer === undefined || displayWidth(longer) > width) {
      lines.push(phrase);
    } else {
      lines[lines.length - 1] = longer;
    }
  }
  return lines;
}
