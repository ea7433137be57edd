/** Declares `hotpath import`. */
import { Option, type Command } from "commander";
import { examples, lazily } from "../declaring";
import { ANY_PARTITION } from "../partition";

const listed = (text: string): string[] =>
  text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");

export function declareImport(program: Command): void {
  program
    .command("import")
    .description(
      "count logs and JSON lines at their own times, each line exactly once; what was imported before goes on where it ended",
    )
    .argument("<file...>", "access logs or JSON lines, also .gz; - for stdin")
    .addOption(
      new Option("--format <format>", "what the files are, where it cannot be told from their content").choices([
        "log",
        "json",
      ]),
    )
    .option(
      "--log-format <format>",
      "the format of the logs as nginx or Apache have it ('$remote_addr …', '%h …'), or a name: COMBINED, CADDY, W3C …",
    )
    .option("--website <host>", "the host that all addresses get")
    .option("--static <extensions>", "further extensions of static files, with commas between them", listed)
    .option("--pages <list>", "extensions, or beginnings of paths such as /wiki/, of pages", listed)
    .option(
      "--session-parameters <names>",
      "parameters behind a path (;jsessionid=…) that are no part of a page",
      listed,
    )
    .option("--shift-to-now", "shift all times by the same amount, so that the last line is now")
    .option("--again", "forget what was imported before, and count it anew")
    .option(
      "--continue",
      "take a log that begins like a short one that was imported for that log, grown and packed since",
    )
    .option("--dry-run", "say what would be counted and left out, and count nothing")
    .option("--partition <name>", "in a cluster: the partition that the events belong to")
    .option(...ANY_PARTITION)
    .option("--no-rotate", "leave the merging of windows to the hosts that serve")
    .option("--json", "print the summary as JSON")
    .addHelpText(
      "after",
      examples(
        "hotpath import access.log.2.gz access.log.1 access.log",
        "hotpath import --dry-run --website www.example.org access.log.gz",
      ),
    )
    .action(lazily(async () => (await import("./main")).importCommand));
}
