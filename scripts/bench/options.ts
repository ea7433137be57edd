/** What the command line of the bench may say. */
import { Command } from "commander";

interface Options {
  /** Smaller data and fewer rounds: a look in a minute or two, with more noise. */
  quick: boolean;
  /** Path of a server program; undefined for the machine's own. */
  server?: string;
  /** Names of the groups to run; empty for all. */
  only: string[];
  /** Whether to write `docs/benchmarks.md`. */
  write: boolean;
}

/** Reads `npm run bench -- …`; ends the process with a message on what it does not know. */
export function readOptions(argv: readonly string[], groups: readonly string[]): Options {
  const program = new Command("npm run bench --")
    .description("Measures the functions side by side with raw pipelines and hand-written Lua")
    .option("--quick", "less data and fewer rounds", false)
    .option("--server <path>", "server program (default: the machine's redis-server or valkey-server)")
    .option("--only <names>", `groups to run, with commas: ${groups.join(", ")}`, (text) => text.split(","), [])
    .option("--write", "write docs/benchmarks.md", false);
  const options: Options = program.parse(argv, { from: "user" }).opts<Options>();
  const unknown = options.only.find((name) => !groups.includes(name));
  if (unknown !== undefined) program.error(`--only knows ${groups.join(", ")}; got '${unknown}'`);
  if (options.write && options.only.length > 0) program.error("--write needs all groups: leave --only out");
  return options;
}
