/** Declares `hotpath demo`. */
import { Option, type Command } from "commander";
import type { Demo } from "../../../demo/main";
import { examples, lazily, wholeNumber } from "../declaring";

const DEMOS: readonly Demo[] = ["tracker", "notifier", "metadata", "catalog"];

export function declareDemo(program: Command): void {
  program
    .command("demo")
    .description(
      "count a day of traffic, notify sellers for a day, index data files for three, or sync a catalogue of three vendors, and print a report; without REDIS_URL, on a server of its own in .hotpath/demo",
    )
    .addArgument(
      program
        .createArgument("[what]", `${DEMOS.join(", ")}; the options on traffic and logs are for the tracker`)
        .choices(DEMOS)
        .default("tracker"),
    )
    .option(
      "--log <file>",
      "an access log (common or combined, also .gz; - for stdin) in place of generated traffic; it is shifted to end now",
    )
    .option("--website <host>", "the host that all addresses of the log get")
    .addOption(
      new Option("--events <n>", "how many events to generate (default: 200000)").argParser(
        wholeNumber(1, 100_000_000),
      ),
    )
    .addOption(
      new Option("--seed <n>", "equal seeds give equal traffic (default: 1)").argParser(wholeNumber(0, 4_294_967_295)),
    )
    .option("--json", "print the report as JSON")
    .option("--keep", "leave the server of its own running until Ctrl-C (default: on a terminal)")
    .option("--no-keep", "end it with the report")
    .option("--force", "count into a database that holds data of the tracker already")
    .addHelpText(
      "after",
      examples(
        "hotpath demo",
        "hotpath demo notifier",
        "hotpath demo metadata",
        "hotpath demo catalog",
        "hotpath demo --log access.log.gz",
        "zcat access.log.*.gz | hotpath demo --log - --website www.example.org",
      ),
    )
    .action(lazily(async () => (await import("../../../demo/main")).runDemo));
}
