/** Declares `hotpath deploy`. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { USERS, type UserRole } from "../../deploy/acl/users";
import { collect, examples, lazily } from "../declaring";

function collectRole(value: string, previous: UserRole[] = []): UserRole[] {
  const role = USERS.find((each) => each === value);
  if (role === undefined) throw new InvalidArgumentError(`It must be one of ${USERS.join(", ")}.`);
  return [...previous, role];
}

export function declareDeploy(program: Command): void {
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
    .action(lazily(async () => (await import("./main")).deployCommand));
}
