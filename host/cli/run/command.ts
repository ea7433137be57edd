/** Declares `hotpath run`. */
import type { Command } from "commander";
import { JOBS } from "../../serve/jobs";
import { examples, lazily } from "../declaring";

export function declareRun(program: Command): void {
  program
    .command("run")
    .description("do one job once: everything that is due, then exit with 0 (done) or 1")
    .addArgument(program.createArgument("<job>", JOBS.join(", ")).choices(JOBS))
    .addHelpText("after", examples("hotpath run ingest", "*/5 * * * *  hotpath run rotate    # in a crontab"))
    .action(lazily(async () => (await import("./main")).runCommand));
}
