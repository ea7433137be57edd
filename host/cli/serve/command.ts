/** Declares `hotpath serve`. */
import type { Command } from "commander";
import { examples, lazily } from "../declaring";

export function declareServe(program: Command): void {
  program
    .command("serve")
    .description(
      "ingest, rotate, fetch pages' metadata and deliver notifications until SIGTERM; several hosts may serve at once",
    )
    .option("--embedded", "without REDIS_URL, start this machine's Redis with its data in .hotpath/")
    .addHelpText("after", examples("REDIS_URL=redis://10.0.0.1 hotpath serve", "hotpath serve --embedded"))
    .action(lazily(async () => (await import("./main")).serveCommand));
}
