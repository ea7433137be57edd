/** `hotpath deploy` */
import { loadConfig } from "../../config";
import { withConnection } from "../../redis/connection";
import { deploy, type DeployReport, type LibraryAction } from "../../deploy/deploy";
import { UsageError } from "../../runtime/errors";
import { readBundle, type BundledLibrary } from "../../deploy/libraries";
import { renderTable } from "../../terminal/table";
import { aclCommand, type AclCommandOptions } from "./acl";
import { WIDTH } from "../../terminal/output";

export interface DeployCommandOptions extends AclCommandOptions {
  library?: string[];
  /** Users and their rights, in place of libraries. */
  acl?: boolean;
}

const DONE: Record<LibraryAction["action"], string> = { load: "loaded", replace: "replaced", keep: "in step" };
const WOULD_BE: Record<LibraryAction["action"], string> = {
  load: "would be loaded",
  replace: "would be replaced",
  keep: "in step",
};

/** Deploys and prints what was done. */
export async function deployCommand(options: DeployCommandOptions): Promise<void> {
  const libraries = choose(readBundle(), options.library);
  if (options.acl) return aclCommand(libraries, options);
  const misplaced = (["apply", "role", "userPrefix", "keys"] as const).find((name) => options[name] !== undefined);
  if (misplaced) throw new UsageError(`--${misplaced === "userPrefix" ? "user-prefix" : misplaced} goes with --acl`);
  const report = await withConnection(loadConfig().redis.url, (connection) =>
    deploy(connection, { libraries, dryRun: options.dryRun ?? false }),
  );
  console.log(options.json ? JSON.stringify(report) : render(report));
}

function choose(bundle: BundledLibrary[], names: string[] | undefined): BundledLibrary[] {
  const known = bundle.map(({ name }) => name);
  for (const name of names ?? []) {
    if (!known.includes(name)) throw new UsageError(`there is no library '${name}'; there is ${known.join(", ")}`);
  }
  return names ? bundle.filter(({ name }) => names.includes(name)) : bundle;
}

function render({ dryRun, primaries }: DeployReport): string {
  const words = dryRun ? WOULD_BE : DONE;
  const rows = primaries.flatMap(({ address, libraries }) =>
    libraries.map(({ library, action, from, version, hash }) => [
      address,
      library,
      words[action],
      from && action === "replace"
        ? `${from.version} ${from.hash.slice(0, 12)} → ${version} ${hash.slice(0, 12)}`
        : `${version} ${hash.slice(0, 12)}`,
    ]),
  );
  return renderTable(
    [{ title: "server" }, { title: "library" }, { title: "state" }, { title: "version" }],
    rows,
    WIDTH,
  ).join("\n");
}
