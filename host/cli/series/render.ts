/** `hotpath series` as lines. Pure. */
import pc from "picocolors";
import { formatCount, formatDuration, formatSpan, formatTime, printable, truncate } from "../../terminal/format";
import type { Target } from "../../tracker/targets";
import type { SeriesMetric } from "./command";
import { drawPlot } from "../../terminal/plot";
import type { SeriesData } from "./read";
import { TIERS } from "../../contract";

export interface SeriesStyle {
  width: number;
  colors: boolean;
}

/** Lines of the curve: one plot may be higher than each of two. */
const HEIGHT = { one: 10, each: 6 };

const KINDS: Record<Target["dimension"], string> = {
  P: "Page",
  S: "Section",
  W: "Website",
  A: "Audio",
  V: "Video",
  PC: "Podcast",
};

/** The whole output; no line is wider than `width`. */
export function renderSeries(
  data: SeriesData,
  metric: SeriesMetric,
  { width, colors: withColors }: SeriesStyle,
): string[] {
  const colors = pc.createColors(withColors);
  const { target, span } = data;
  const plots = metric === "both" ? (["pg", "ud"] as const) : [metric];
  const height = plots.length === 1 ? HEIGHT.one : HEIGHT.each;
  const heading = [
    colors.bold(truncate(printable(target.title ?? `${KINDS[target.dimension]} ${target.name}`), width)),
    ...(target.title === null ? [] : [colors.dim(truncate(printable(target.name), width, "middle"))]),
    ...(target.website === null ? [] : [colors.dim(truncate(printable(`of ${target.website.name}`), width))]),
    colors.dim(truncate(`${formatSpan(span.fromMs, span.toMs)} UTC`, width)),
  ];
  return [...heading, ...plots.flatMap((each) => ["", ...plotLines(data, each, { width, height }, colors)])];
}

function plotLines(
  data: SeriesData,
  metric: "pg" | "ud",
  size: { width: number; height: number },
  colors: ReturnType<typeof pc.createColors>,
): string[] {
  const { span } = data;
  const lengthMs = TIERS[span.tier].lengthMs;
  const values = metric === "pg" ? data.views : data.devices;
  const { lines, windowsPerColumn } = drawPlot({ values, startMs: span.fromMs, stepMs: lengthMs }, size);
  const name = metric === "pg" ? "Page views" : "Unique devices";
  const grouped = windowsPerColumn > 1 ? `, each column the highest of ${windowsPerColumn}` : "";
  const title = colors.bold(
    colors.green(truncate(`${name} in windows of ${formatDuration(lengthMs)}${grouped}`, size.width)),
  );
  const summary = metric === "pg" ? viewsSummary(data) : devicesSummary(data);
  return [title, ...lines.map((line) => paint(line, colors)), ...summary.map((line) => truncate(line, size.width))];
}

/** The curve in colour, the axis as it is. */
function paint(line: string, colors: ReturnType<typeof pc.createColors>): string {
  const axis = /^(\s*\S*\s?[┤│])(.*)$/.exec(line);
  return axis === null ? colors.dim(line) : colors.dim(axis[1]) + colors.cyan(axis[2]);
}

function viewsSummary({ views, span }: SeriesData): string[] {
  const total = views.reduce((sum, each) => sum + each, 0);
  const mean = (total / Math.max(1, views.length)).toFixed(1);
  return [`${formatCount(total)} page views; mean ${mean}; ${peakText(views, span)}`];
}

/** Devices of windows do not add up: the same one is in many. */
function devicesSummary({ devices, devicesInAll, span }: SeriesData): string[] {
  const total =
    devicesInAll === null
      ? "devices of the whole time are not kept any more"
      : `${formatCount(devicesInAll.value)} devices in ${formatSpan(devicesInAll.fromMs, devicesInAll.toMs)}`;
  const waiting = devices.includes(null) ? ["? has views, its devices are not merged yet"] : [];
  return [peakText(devices, span), total, ...waiting];
}

function peakText(values: readonly (number | null)[], { tier, fromMs }: SeriesData["span"]): string {
  const peak = Math.max(0, ...values.map((value) => value ?? 0));
  if (peak === 0) return "no peak";
  return `peak ${formatCount(peak)} from ${formatTime(fromMs + values.indexOf(peak) * TIERS[tier].lengthMs)}`;
}
