/** Declares `hotpath catalog` and its commands. */
import { Option, type Command } from "commander";
import { countOption, examples, lazily, offsetOption, wholeNumber } from "../declaring";

const TASK_STATES = ["held", "waiting", "leased", "waiting_children", "finished", "dead", "cancelled"] as const;
export type TaskState = (typeof TASK_STATES)[number];

export function declareCatalog(program: Command): void {
  const catalog = program
    .command("catalog")
    .description("sync vendors' products, and see what the catalogue holds")
    .addHelpText(
      "after",
      examples(
        "hotpath catalog sync",
        "hotpath catalog counts hallmark_ornaments_com",
        "hotpath catalog history hookedonhallmark_com/QX1234",
        "hotpath catalog tasks hookedonhallmark_com --state dead",
      ),
    );

  catalog
    .command("sync")
    .description(
      "sync the links and then the products of vendors now, together with the hosts that serve; exit with 1 unless all went well",
    )
    .argument("[vendors...]", "names in the configuration (default: all)")
    .addOption(new Option("--year <year>", "only products released in this year").argParser(wholeNumber(1, 9_999)))
    .option("--links", "only the links")
    .option("--stale", "only products at which nobody has looked for catalog.staleHours, or ever")
    .option("--enqueue", "leave the work to the hosts that serve, and print the ids of the tasks")
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).syncCommand));
  catalog
    .command("counts")
    .description("how many products there are of each vendor; of one vendor, by year")
    .argument("[vendor]")
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).countsCommand));
  catalog
    .command("recent")
    .description("the products created last")
    .option("--vendor <name>", "only of this vendor")
    .addOption(countOption(5))
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).recentCommand));
  catalog
    .command("history")
    .description("what has changed in a product, and when")
    .argument("<product>", "its id, or vendor/sku")
    .option("--field <name>", "only changes of this field")
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).historyCommand));
  catalog
    .command("tasks")
    .description("all queues and how they are doing; with a queue, its tasks")
    .argument("[queue]", "a vendor's name")
    .addOption(new Option("--state <state>", "of the queue's tasks (default: waiting)").choices(TASK_STATES))
    .addOption(offsetOption())
    .addOption(countOption(50))
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).tasksCommand));
}
