/** Declares `hotpath series`. */
import { Option, type Command } from "commander";
import { MADE_TIERS } from "../../contract";
import { examples, lazily } from "../declaring";
import { DIMENSIONS } from "../top/query";

const METRICS = ["pg", "ud", "both"] as const;
export type SeriesMetric = (typeof METRICS)[number];

export function declareSeries(program: Command): void {
  program
    .command("series")
    .description("one page, section or website over time, as a plot")
    .argument("<what>", "an id, a url, or a name: rtl.lu, rtl.lu/news/national")
    .addOption(
      new Option(
        "--dimension <d>",
        "what is meant: P page, S section, W website, A audio, V video, PC podcast",
      ).choices(DIMENSIONS),
    )
    .addOption(new Option("--tier <t>", "length of the windows (default: by --last)").choices(MADE_TIERS))
    .option("--last <time>", "how far back: 90m, 24h, 7d", "24h")
    .addOption(new Option("--metric <m>", "pg page views, ud unique devices").choices(METRICS).default("both"))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples(
        "hotpath series rtl.lu --last 7d",
        "hotpath series https://www.rtl.lu/news/national/a/1.html --metric pg",
      ),
    )
    .action(lazily(async () => (await import("./main")).runSeries));
}
