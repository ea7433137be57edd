/** Declares `hotpath notify` and its commands. */
import { Option, type Command } from "commander";
import { collect, countOption, examples, lazily, offsetOption } from "../declaring";

const STATES = ["waiting", "leased", "dead"] as const;
/** Of a notification. */
export type State = (typeof STATES)[number];

export function declareNotify(program: Command): void {
  const notify = program
    .command("notify")
    .description("see and mend notifications")
    .addHelpText(
      "after",
      examples(
        "hotpath notify list",
        "hotpath notify dead packages",
        "hotpath notify retry packages --all",
        "hotpath notify send-test packages",
      ),
    );

  notify
    .command("list")
    .description("all topics and how they are doing; with a topic, its notifications")
    .argument("[topic]")
    .addOption(new Option("--state <state>", "of the topic's notifications (default: waiting)").choices(STATES))
    .addOption(offsetOption())
    .addOption(countOption(50))
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).listCommand));
  notify
    .command("dead")
    .description("notifications that have failed for the last time, and why")
    .argument("<topic>")
    .addOption(offsetOption())
    .addOption(countOption(50))
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).deadCommand));
  notify
    .command("retry")
    .description(
      "give notifications out again, their attempts starting anew, and deliver again to a receiver that was disabled",
    )
    .argument("<topic>")
    .argument("[ids...]")
    .option("--all", "all that are dead")
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).retryCommand));
  notify
    .command("send-test")
    .description("send a test notification to a topic's receiver; exit with 1 if it does not arrive")
    .argument("<topic>")
    .option("--subject <text>", "its subject (default: test)")
    .addOption(new Option("--item <text>", "an item of it; may be repeated").argParser(collect))
    .option("--json", "print JSON")
    .action(lazily(async () => (await import("./main")).sendTestCommand));
}
