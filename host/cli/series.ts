/** `hotpath series` */
import type { SeriesOptions } from "./series/main";

/** Loaded only when it is wanted. */
export async function seriesCommand(what: string, options: SeriesOptions): Promise<void> {
  const { runSeries } = await import("./series/main");
  await runSeries(what, options);
}
