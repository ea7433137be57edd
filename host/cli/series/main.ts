/** `hotpath series`: one record over time, as a plot in the terminal or as JSON. */
import { TIERS, type Dimension, type MadeTier } from "../../contract";
import { UserError } from "../../runtime/errors";
import { withLibrary } from "../access";
import { readSeries, type SeriesData } from "./read";
import type { SeriesMetric } from "./command";
import { renderSeries } from "./render";
import { parseLast, seriesSpan, tierFor } from "./span";
import { sourcesOf } from "../../tracker/source";
import { findTarget } from "../../tracker/targets";
import { WIDTH, colorsOf } from "../../terminal/output";

export interface SeriesOptions {
  dimension?: Dimension;
  /** Default: the finest that a plot shows well. */
  tier?: MadeTier;
  last: string;
  metric: SeriesMetric;
  json?: boolean;
}

/** Wider plots are no easier to read. */
const MAX_WIDTH = 160;

/**
 * Prints the series of a record.
 *
 * @param what an id, a url, or the name of a website or section
 * @throws UsageError, UserError and others whose message is for the person who asked
 */
export async function runSeries(what: string, options: SeriesOptions): Promise<void> {
  const lastMs = parseLast(options.last);
  await withLibrary("tracker", async (config, connection) => {
    const target = await findTarget(sourcesOf(connection, config), what, options.dimension);
    const rotatedUntil = await target.source.rotatedUntil();
    if (rotatedUntil === null)
      throw new UserError(
        "rotation has never run, and series are made by it; run: hotpath serve, or hotpath run rotate",
      );
    const data = await readSeries(target, seriesSpan(options.tier ?? tierFor(lastMs), lastMs, rotatedUntil));
    if (options.json) return void process.stdout.write(`${JSON.stringify(jsonOf(data, options.metric))}\n`);
    const style = { width: Math.min(MAX_WIDTH, WIDTH), colors: colorsOf(process.stdout, process.env) };
    process.stdout.write(`${renderSeries(data, options.metric, style).join("\n")}\n`);
  });
}

/** The document of `--json`: names of fields are stable, times are unix milliseconds. */
function jsonOf({ target, span, views, devices, devicesInAll }: SeriesData, metric: SeriesMetric): unknown {
  const { dimension, id, name, title, website } = target;
  const lengthMs = TIERS[span.tier].lengthMs;
  return {
    dimension,
    id,
    ...(dimension === "P" ? { url: name, title } : { name }),
    ...(website === null ? {} : { website }),
    tier: span.tier,
    from: span.fromMs,
    to: span.toMs,
    ...(metric === "ud" ? {} : { views: views.reduce((sum, each) => sum + each, 0) }),
    ...(metric === "pg"
      ? {}
      : {
          devices:
            devicesInAll === null
              ? null
              : { value: devicesInAll.value, from: devicesInAll.fromMs, to: devicesInAll.toMs },
        }),
    points: views.map((each, at) => ({
      from: span.fromMs + at * lengthMs,
      ...(metric === "ud" ? {} : { views: each }),
      ...(metric === "pg" ? {} : { devices: devices[at] }),
    })),
  };
}
