/** The command line. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { USERS, type UserRole } from "../deploy/acl/users";
import { describeError, UsageError } from "../runtime/errors";
import { countsCommand, historyCommand, recentCommand, syncCommand, tasksCommand, TASK_STATES } from "./catalog";
import { demoCommand, DEMOS } from "./demo";
import { deployCommand } from "./deploy";
import { importCommand } from "./import";
import {
  indexConfigureCommand,
  indexPlansCommand,
  indexQueryCommand,
  indexRebuildCommand,
  indexStatusCommand,
} from "./index-command";
import { mirrorCommand } from "./mirror";
import { deadCommand, listCommand, retryCommand, sendTestCommand } from "./notify";
import { STATES } from "./notify-tables";
import { runCommand } from "./run";
import { seriesCommand } from "./series";
import { serveCommand } from "./serve";
import { statusCommand } from "./status";
import { topCommand } from "./top";
import { TIERS } from "../tracker/config";
import { JOBS, type Job } from "../serve/run";
import { METRICS } from "./series/render";
import { DIMENSIONS, WINDOWS } from "./top/query";
import { VERSION } from "../runtime/version";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

const ENVIRONMENT = `
Environment:
  REDIS_URL      redis://[user:password@]host:port/db, rediss://…, redis+cluster://host:port,host:port,
                 redis+sentinel://host:port,host:port/master-name; takes the place of redis.url
  CONFIG_PATH    the configuration file; else config/$ENV.json, with ENV "default" unless set
  HOTPATH_DEBUG  1 shows stack traces`;

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function collectRole(value: string, previous: UserRole[] = []): UserRole[] {
  const role = USERS.find((each) => each === value);
  if (role === undefined) throw new InvalidArgumentError(`It must be one of ${USERS.join(", ")}.`);
  return [...previous, role];
}

/** Parses an option's number. */
function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

function buildProgram(): Command {
  const program = new Command("hotpath")
    .description("Redis Functions for counting traffic in real time, and the host that keeps them running")
    .version(VERSION)
    .addHelpText("after", ENVIRONMENT)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });

  program
    .command("deploy")
    .description(
      "load the libraries that differ, on every primary or on none; with --acl, users and their rights in place of libraries",
    )
    .option("--dry-run", "say what would be done, and do nothing")
    .addOption(new Option("--library <name>", "only this library; may be repeated").argParser(collect))
    .option("--acl", "print a user for each role, with the least rights that its functions need")
    .option("--apply", "with --acl: set these users on every node; passwords are in HOTPATH_ACL_<ROLE>_PASSWORD")
    .addOption(
      new Option("--role <role>", `with --acl: only this user; may be repeated: ${USERS.join(", ")}`).argParser(
        collectRole,
      ),
    )
    .option("--user-prefix <text>", "with --acl: what stands before the role in a user's name (default: hotpath-)")
    .addOption(
      new Option(
        "--keys <pattern>",
        "with --acl: keys that functions are called with and the configuration does not name; may be repeated",
      ).argParser(collect),
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples(
        "REDIS_URL=redis://10.0.0.1 hotpath deploy",
        "hotpath deploy --dry-run --library tracker",
        "hotpath deploy --acl --role reader",
        "hotpath deploy --acl --apply --keys 'orders*'",
      ),
    )
    .action(deployCommand);

  program
    .command("status")
    .description("show what is wrong, what is loaded, how far streams and tiers are, and what takes memory")
    .option("--check", "exit with 1 unless every library is in step and nothing is wrong")
    .option("--json", "print JSON")
    .addHelpText("after", examples("hotpath status", "hotpath status --check --json"))
    .action(statusCommand);

  program
    .command("top")
    .description("the most viewed, refreshed live; q quits")
    .option("--website <name>", "only this website (name or id)")
    .option("--section <name>", "only the pages of this section, as in news/national, or website/news/national")
    .addOption(
      new Option("--dimension <d>", `P pages, S sections, W websites, A audio, V video, PC podcasts`)
        .choices(DIMENSIONS)
        .default("P"),
    )
    .addOption(new Option("--window <w>", "how far back").choices(WINDOWS).default("30m"))
    .addOption(
      new Option("--count <n>", "how many to list (default: 100, or 20 with --once)").argParser(wholeNumber(1, 1_000)),
    )
    .addOption(
      new Option("--interval <s>", "seconds between two refreshes").argParser(wholeNumber(1, 3_600)).default(2),
    )
    .option("--once", "print one table and exit, as without a terminal")
    .option("--json", "print one JSON document and exit")
    .addHelpText(
      "after",
      examples(
        "hotpath top --website rtl.lu --window 1h",
        "hotpath top --dimension S --once",
        "hotpath top --json | jq -r '.rows[].url'",
      ),
    )
    .action(topCommand);

  program
    .command("series")
    .description("one page, section or website over time, as a plot")
    .argument("<what>", "an id, a url, or a name: rtl.lu, rtl.lu/news/national")
    .addOption(
      new Option(
        "--dimension <d>",
        "what is meant: P page, S section, W website, A audio, V video, PC podcast",
      ).choices(DIMENSIONS),
    )
    .addOption(new Option("--tier <t>", "length of the windows (default: by --last)").choices(TIERS))
    .option("--last <time>", "how far back: 90m, 24h, 7d", "24h")
    .addOption(new Option("--metric <m>", "pg page views, ud unique devices").choices(METRICS).default("both"))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples(
        "hotpath series rtl.lu --last 7d",
        "hotpath series https://www.rtl.lu/news/national/a/1.html --metric pg",
      ),
    )
    .action(seriesCommand);

  program
    .command("serve")
    .description(
      "ingest, rotate, fetch pages' metadata and deliver notifications until SIGTERM; several hosts may serve at once",
    )
    .option("--embedded", "without REDIS_URL, start this machine's Redis with its data in .hotpath/")
    .addHelpText("after", examples("REDIS_URL=redis://10.0.0.1 hotpath serve", "hotpath serve --embedded"))
    .action(serveCommand);

  program
    .command("run")
    .description("do one job once: everything that is due, then exit with 0 (done) or 1")
    .addArgument(program.createArgument("<job>", JOBS.join(", ")).choices(JOBS))
    .addHelpText("after", examples("hotpath run ingest", "*/5 * * * *  hotpath run rotate    # in a crontab"))
    .action((job: Job) => runCommand(job));

  addNotifyCommands(program);
  addIndexCommands(program);
  addCatalogCommands(program);

  program
    .command("import")
    .description(
      "count logs and JSON lines at their own times, each line exactly once; what was imported before goes on where it ended",
    )
    .argument("<file...>", "access logs (common, combined) or JSON lines, also .gz; - for stdin")
    .addOption(
      new Option("--format <format>", "what the files are, where it cannot be told from their content").choices([
        "log",
        "json",
      ]),
    )
    .option("--website <host>", "the host that all addresses get")
    .option("--shift-to-now", "shift all times by the same amount, so that the last line is now")
    .option("--again", "forget what was imported before, and count it anew")
    .option("--dry-run", "say what would be counted and left out, and count nothing")
    .option("--partition <name>", "in a cluster: the partition that the events belong to")
    .option("--no-rotate", "leave the merging of windows to the hosts that serve")
    .option("--json", "print the summary as JSON")
    .addHelpText(
      "after",
      examples(
        "hotpath import access.log.2.gz access.log.1 access.log",
        "hotpath import --dry-run --website www.example.org access.log.gz",
      ),
    )
    .action(importCommand);

  program
    .command("mirror")
    .description(
      "follow the event stream of another server, and count each of its entries exactly once; nothing is written there",
    )
    .argument("<url>", "the other server, as in REDIS_URL; a replica will do")
    .option("--stream <key>", "the stream there (default: ST:TRACKER::::)")
    .option(
      "--name <name>",
      "what the kept position is filed under, in place of the address: for replicas, and servers that move",
    )
    .option("--partition <name>", "in a cluster: the partition that the events belong to here")
    .option("--until-empty", "end once all that is there is counted")
    .option("--accept-gap", "go on where entries were trimmed before they were counted")
    .option("--again", "forget the kept position, and count from the first entry there is")
    .option("--json", "print a line of JSON at the end")
    .addHelpText(
      "after",
      examples("hotpath mirror redis://10.0.0.7", "hotpath mirror --until-empty redis://reader:secret@10.0.0.7/2"),
    )
    .action(mirrorCommand);

  program
    .command("demo")
    .description(
      "count a day of traffic, notify sellers for a day, index data files for three, or sync a catalogue of three vendors, and print a report; without REDIS_URL, on a server of its own in .hotpath/demo",
    )
    .addArgument(
      program
        .createArgument("[what]", `${DEMOS.join(", ")}; the options on traffic and logs are for the tracker`)
        .choices(DEMOS)
        .default("tracker"),
    )
    .option(
      "--log <file>",
      "an access log (common or combined, also .gz; - for stdin) in place of generated traffic; it is shifted to end now",
    )
    .option("--website <host>", "the host that all addresses of the log get")
    .addOption(
      new Option("--events <n>", "how many events to generate (default: 200000)").argParser(
        wholeNumber(1, 100_000_000),
      ),
    )
    .addOption(
      new Option("--seed <n>", "equal seeds give equal traffic (default: 1)").argParser(wholeNumber(0, 4_294_967_295)),
    )
    .option("--json", "print the report as JSON")
    .option("--keep", "leave the server of its own running until Ctrl-C (default: on a terminal)")
    .option("--no-keep", "end it with the report")
    .option("--force", "count into a database that holds data of the tracker already")
    .addHelpText(
      "after",
      examples(
        "hotpath demo",
        "hotpath demo notifier",
        "hotpath demo metadata",
        "hotpath demo catalog",
        "hotpath demo --log access.log.gz",
        "zcat access.log.*.gz | hotpath demo --log - --website www.example.org",
      ),
    )
    .action(demoCommand);

  return program;
}

const offsetOption = (): Option =>
  new Option("--offset <n>", "leave out the first n (default: 0)").argParser(wholeNumber(0, 1_000_000_000));
const countOption = (shown: number): Option =>
  new Option("--count <n>", `most to show (default: ${shown})`).argParser(wholeNumber(1, 10_000));

function addNotifyCommands(program: Command): void {
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
    .action(listCommand);
  notify
    .command("dead")
    .description("notifications that have failed for the last time, and why")
    .argument("<topic>")
    .addOption(offsetOption())
    .addOption(countOption(50))
    .option("--json", "print JSON")
    .action(deadCommand);
  notify
    .command("retry")
    .description(
      "give notifications out again, their attempts starting anew, and deliver again to a receiver that was disabled",
    )
    .argument("<topic>")
    .argument("[ids...]")
    .option("--all", "all that are dead")
    .option("--json", "print JSON")
    .action(retryCommand);
  notify
    .command("send-test")
    .description("send a test notification to a topic's receiver; exit with 1 if it does not arrive")
    .argument("<topic>")
    .option("--subject <text>", "its subject (default: test)")
    .addOption(new Option("--item <text>", "an item of it; may be repeated").argParser(collect))
    .option("--json", "print JSON")
    .action(sendTestCommand);
}

function addIndexCommands(program: Command): void {
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
    indexStatusCommand,
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
    .action(indexQueryCommand);
  add(
    "plans <database> <table>",
    "who plans what: plans that wait, that are out, and whether there is something to take",
  ).action(indexPlansCommand);
  add("configure <database> <table>", "how files are merged and moved, as GigAPI's clients send it")
    .requiredOption("--merge <json>", "[[timeout_sec, max_size, id], …]")
    .requiredOption("--layers <json>", "{name: {url, name, type, ttl_sec, layer_to}, …}")
    .action(indexConfigureCommand);
  add("rebuild", "enter what clients of GigAPI wrote without the functions; what was broken off goes on").action(
    indexRebuildCommand,
  );
}

function addCatalogCommands(program: Command): void {
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
    .action(syncCommand);
  catalog
    .command("counts")
    .description("how many products there are of each vendor; of one vendor, by year")
    .argument("[vendor]")
    .option("--json", "print JSON")
    .action(countsCommand);
  catalog
    .command("recent")
    .description("the products created last")
    .option("--vendor <name>", "only of this vendor")
    .addOption(countOption(5))
    .option("--json", "print JSON")
    .action(recentCommand);
  catalog
    .command("history")
    .description("what has changed in a product, and when")
    .argument("<product>", "its id, or vendor/sku")
    .option("--field <name>", "only changes of this field")
    .option("--json", "print JSON")
    .action(historyCommand);
  catalog
    .command("tasks")
    .description("all queues and how they are doing; with a queue, its tasks")
    .argument("[queue]", "a vendor's name")
    .addOption(new Option("--state <state>", "of the queue's tasks (default: waiting)").choices(TASK_STATES))
    .addOption(offsetOption())
    .addOption(countOption(50))
    .option("--json", "print JSON")
    .action(tasksCommand);
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

try {
  await buildProgram().parseAsync();
} catch (error) {
  fail(error);
}
