#!/usr/bin/env node
/** The program: its commands, in the order of its help, and how it ends. */
import { Command, CommanderError } from "commander";
import { describeError, UsageError } from "../runtime/errors";
import { VERSION } from "../runtime/version";
import { declareCatalog } from "./catalog/command";
import { declareDemo } from "./demo/command";
import { declareDeploy } from "./deploy/command";
import { declareImport } from "./import/command";
import { declareIndex } from "./index/command";
import { declareMirror } from "./mirror/command";
import { declareNotify } from "./notify/command";
import { declareRun } from "./run/command";
import { declareSeries } from "./series/command";
import { declareServe } from "./serve/command";
import { declareStatus } from "./status/command";
import { declareTop } from "./top/command";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

const ENVIRONMENT = `
Environment:
  REDIS_URL      redis://[user:password@]host:port/db, rediss://…, redis+cluster://host:port,host:port,
                 redis+sentinel://host:port,host:port/master-name; takes the place of redis.url
  CONFIG_PATH    the configuration file; else config/$ENV.json, with ENV "default" unless set
  HOTPATH_DEBUG  1 shows stack traces`;

/** In the order of the help. */
const DECLARATIONS: readonly ((program: Command) => void)[] = [
  declareDeploy,
  declareStatus,
  declareTop,
  declareSeries,
  declareServe,
  declareRun,
  declareNotify,
  declareIndex,
  declareCatalog,
  declareImport,
  declareMirror,
  declareDemo,
];

function buildProgram(): Command {
  const program = new Command("hotpath")
    .description("Redis Functions for counting traffic in real time, and the host that keeps them running")
    .version(VERSION)
    .addHelpText("after", ENVIRONMENT)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });

  for (const declare of DECLARATIONS) declare(program);
  return program;
}

/** One line on stderr, and the exit code. */
function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    // Help and version end this way too.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    // Without a command, the help that was shown says it all.
    if (error.exitCode !== 0 && error.code !== "commander.help") {
      console.error(`hotpath: ${describeError(error).replace(/^error: /, "")}`);
    }
    return;
  }
  console.error(`hotpath: ${describeError(error)}`);
  if (process.env["HOTPATH_DEBUG"] && error instanceof Error) console.error(error.stack);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
}

/** A closed pipe, as after `| head`, ends the program quietly, unless the command listens for it. */
for (const output of [process.stdout, process.stderr]) {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (output.listenerCount("error") > 1) return;
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
}

try {
  await buildProgram().parseAsync();
} catch (error) {
  fail(error);
}
