/** Reads the points of one record. */
import type { Tier } from "../../tracker/config";
import type { Target } from "../../tracker/targets";
import { partsOf, TIER_LENGTHS_MS, type SeriesSpan } from "./span";

export interface SeriesData {
  target: Target;
  span: SeriesSpan;
  /** One a window, oldest first; a window without traffic is 0. */
  views: number[];
  /** The same for devices; null for a window that has views, but whose devices rotation has not merged yet. */
  devices: (number | null)[];
  /** Unique devices of the whole span, with the bounds that are covered; null where nothing is left of it. */
  devicesInAll: { value: number; fromMs: number; toMs: number } | null;
}

const VIEWS_POINT_MS = TIER_LENGTHS_MS["5MINUTES"];

/** Reads views and devices of a span. */
export async function readSeries(target: Target, span: SeriesSpan): Promise<SeriesData> {
  const lengthMs = TIER_LENGTHS_MS[span.tier];
  const [views, devices] = [
    await readPoints(target, span, "rangePg", VIEWS_POINT_MS),
    await readPoints(target, span, "rangeUd", lengthMs),
  ];
  const count = (span.toMs - span.fromMs) / lengthMs;
  const starts = Array.from({ length: count }, (_, at) => span.fromMs + at * lengthMs);
  return {
    target,
    span,
    views: starts.map((startMs) => views.get(startMs) ?? 0),
    devices: starts.map((startMs) => devices.get(startMs) ?? (views.has(startMs) ? null : 0)),
    devicesInAll: await countDevices(target, span),
  };
}

async function readPoints(
  { source, dimension, id }: Target,
  span: SeriesSpan,
  name: "rangePg" | "rangeUd",
  pointMs: number,
): Promise<Map<number, number>> {
  const points = new Map<number, number>();
  const tier: Tier = span.tier;
  for (const { fromMs, toMs } of partsOf(span, pointMs)) {
    for (const [startMs, value] of await source.functions[name]({ dimension, id, tier, from: fromMs, to: toMs }))
      points.set(startMs, value);
  }
  return points;
}

async function countDevices(
  { source, dimension, id }: Target,
  { fromMs, toMs }: SeriesSpan,
): Promise<SeriesData["devicesInAll"]> {
  const counted = await source.functions.countUd({ dimension, id, from: fromMs, to: toMs });
  return counted === null ? null : { value: counted.value, fromMs: counted.from, toMs: counted.to };
}
