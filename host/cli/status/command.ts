/** Declares `hotpath status`. */
import type { Command } from "commander";
import { examples, lazily } from "../declaring";

export function declareStatus(program: Command): void {
  program
    .command("status")
    .description("show what is wrong, what is loaded, how far streams and tiers are, and what takes memory")
    .option("--check", "exit with 1 unless every library is in step and nothing is wrong")
    .option("--json", "print JSON")
    .addHelpText("after", examples("hotpath status", "hotpath status --check --json"))
    .action(lazily(async () => (await import("./main")).statusCommand));
}
