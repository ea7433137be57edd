/** Declares `hotpath index` and its commands. */
import { Option, type Command } from "commander";
import { examples, lazily, wholeNumber } from "../declaring";

export function declareIndex(program: Command): void {
  const index = program
    .command("index")
    .description("the metadata index: which data files there are, and what is to be done with them")
    .addHelpText(
      "after",
      examples(
        "hotpath index status",
        "hotpath index query default hits --after 2026-11-20T12:00 --before 2026-11-20T13:00",
        "hotpath index plans default hits",
      ),
    );
  const add = (usage: string, description: string): Command => {
    const command = index.command(usage.split(" ", 1)[0]!).description(description);
    for (const argument of usage.split(" ").slice(1)) command.argument(argument);
    return command
      .option("--partition <name>", "in a cluster: the partition that the tables lie in")
      .option("--json", "print JSON");
  };

  add("status [database] [table]", "all tables, those of a database, or one: folders, files and plans").action(
    lazily(async () => (await import("./main")).indexStatusCommand),
  );
  add("query <database> <table>", "the files of a table; with --json, each entry as it is stored, a line each")
    .option("--folder <prefix>", "what the path begins with: date=2026-11-20/hour=12")
    .option(
      "--after <time>",
      "files with rows at this time or later: 2026-11-20, 2026-11-20T12:00 (UTC), or nanoseconds",
    )
    .option("--before <time>", "files with rows at this time or earlier")
    .addOption(new Option("--iteration <n>", "how often it was merged, from 1").argParser(wholeNumber(1, 1_000)))
    .option("--layer <name>", "only this layer")
    .addOption(
      new Option("--count <n>", "most to show (default: 50; with --json all)").argParser(wholeNumber(1, 100_000_000)),
    )
    .action(lazily(async () => (await import("./main")).indexQueryCommand));
  add(
    "plans <database> <table>",
    "who plans what: plans that wait, that are out, and whether there is something to take",
  ).action(lazily(async () => (await import("./main")).indexPlansCommand));
  add("configure <database> <table>", "how files are merged and moved, as GigAPI's clients send it")
    .requiredOption("--merge <json>", "[[timeout_sec, max_size, id], …]")
    .requiredOption("--layers <json>", "{name: {url, name, type, ttl_sec, layer_to}, …}")
    .action(lazily(async () => (await import("./main")).indexConfigureCommand));
  add("rebuild", "enter what clients of GigAPI wrote without the functions; what was broken off goes on").action(
    lazily(async () => (await import("./main")).indexRebuildCommand),
  );
}
