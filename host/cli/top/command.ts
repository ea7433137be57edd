/** Declares `hotpath top`. */
import { Option, type Command } from "commander";
import { examples, lazily, wholeNumber } from "../declaring";
import { DIMENSIONS, WINDOWS } from "./query";

export function declareTop(program: Command): void {
  program
    .command("top")
    .description("the most viewed, refreshed live; q quits")
    .option("--website <name>", "only this website (name or id)")
    .option("--section <name>", "only the pages of this section, as in news/national, or website/news/national")
    .addOption(
      new Option("--dimension <d>", `P pages, S sections, W websites, A audio, V video, PC podcasts`)
        .choices(DIMENSIONS)
        .default("P"),
    )
    .addOption(new Option("--window <w>", "how far back").choices(WINDOWS).default("30m"))
    .addOption(
      new Option("--count <n>", "how many to list (default: 100, or 20 with --once)").argParser(wholeNumber(1, 1_000)),
    )
    .addOption(
      new Option("--interval <s>", "seconds between two refreshes").argParser(wholeNumber(1, 3_600)).default(2),
    )
    .option("--once", "print one table and exit, as without a terminal")
    .option("--json", "print one JSON document and exit")
    .addHelpText(
      "after",
      examples(
        "hotpath top --website rtl.lu --window 1h",
        "hotpath top --dimension S --once",
        "hotpath top --json | jq -r '.rows[].url'",
      ),
    )
    .action(lazily(async () => (await import("./main")).runTop));
}
