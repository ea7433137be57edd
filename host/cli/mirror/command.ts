/** Declares `hotpath mirror`. */
import type { Command } from "commander";
import { KEYS } from "../../contract";
import { examples, lazily } from "../declaring";
import { ANY_PARTITION } from "../partition";

export function declareMirror(program: Command): void {
  program
    .command("mirror")
    .description(
      "follow the event stream of another server, and count each of its entries exactly once; nothing is written there",
    )
    .argument("<url>", "the other server, as in REDIS_URL; a replica will do")
    .option("--stream <key>", `the stream there (default: ${KEYS.events})`)
    .option(
      "--name <name>",
      "what the kept position is filed under, in place of the address: for replicas, and servers that move",
    )
    .option("--partition <name>", "in a cluster: the partition that the events belong to here")
    .option(...ANY_PARTITION)
    .option("--until-empty", "end once all that is there is counted")
    .option("--accept-gap", "go on where entries were trimmed before they were counted")
    .option("--again", "forget the kept position, and count from the first entry there is")
    .option("--json", "print a line of JSON at the end")
    .addHelpText(
      "after",
      examples("hotpath mirror redis://10.0.0.7", "hotpath mirror --until-empty redis://reader:secret@10.0.0.7/2"),
    )
    .action(lazily(async () => (await import("./main")).mirrorCommand));
}
