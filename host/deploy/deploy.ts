/**
 * Deploying: every primary gets the libraries of this package, or none does.
 *
 * Rolling back uses the code that FUNCTION LIST WITHCODE gave before the first change, library by library, and not
 * FUNCTION DUMP with FUNCTION RESTORE: a dump holds the libraries of everybody, so restoring it with FLUSH or REPLACE would
 * undo what other people have loaded since, and with APPEND it is refused where a name exists. What is put back is the same,
 * byte by byte, and nothing else is touched.
 */
import type { Connection, Primary } from "../redis/connection";
import { withDeployLock, type DeployLock } from "./lock";
import { describeError, ReplyError, UserError } from "../runtime/errors";
import {
  askIdentity,
  checkPrimary,
  checkServer,
  listLoaded,
  type BundledLibrary,
  type LibraryIdentity,
  type LoadedLibrary,
} from "./libraries";

export interface DeployOptions {
  /** What to deploy; all or some of this package's libraries. */
  libraries: readonly BundledLibrary[];
  /** Tells what would be done, and does nothing. */
  dryRun?: boolean;
  /** Leaves libraries that are there as they are, whatever their version. */
  missingOnly?: boolean;
}

/** What a deploy does, or would do, with one library on one primary. */
export interface LibraryAction {
  library: string;
  action: "load" | "replace" | "keep";
  /** What was there before, if anything; null too if it did not answer. */
  from: LibraryIdentity | null;
  version: string;
  hash: string;
}

export interface DeployReport {
  dryRun: boolean;
  /** Whether anything was, or would be, loaded. */
  changed: boolean;
  primaries: { address: string; libraries: LibraryAction[] }[];
}

interface Step extends LibraryAction {
  bundled: BundledLibrary;
  /** The code to put back; undefined if there was none. */
  previousCode: string | undefined;
}

interface Plan {
  primary: Primary;
  steps: Step[];
}

/**
 * Loads the libraries whose content differs, and makes sure that each answers with its version and hash.
 *
 * Where nothing differs, nothing is written. Ten deploys at once end in the same state: one works at a time, and the others
 * find their work done.
 *
 * @throws UserError if a server is too old; if a library or function name is held by somebody else (then nothing is
 *   changed); if loading failed on any primary (then all is as before, or the message says what is not)
 */
export async function deploy(connection: Connection, options: DeployOptions): Promise<DeployReport> {
  const first = await makePlans(connection, options);
  if (options.dryRun || !isChange(first)) return report(first, options);
  return withDeployLock(connection, async (lock) => {
    const plans = await makePlans(connection, options);
    await carryOut(plans, lock);
    return report(plans, options);
  });
}

async function makePlans(connection: Connection, options: DeployOptions): Promise<Plan[]> {
  const primaries = await connection.primaries();
  const names = options.libraries.map(({ name }) => name);
  const plans: Plan[] = [];
  const conflicts: string[] = [];
  for (const primary of primaries) {
    await checkServer(primary);
    await checkPrimary(primary);
    const loaded = await listLoaded(primary, names);
    const steps = options.libraries.map((library) => planStep(library, loaded, options));
    conflicts.push(
      ...steps.flatMap((step) => findConflicts(step, loaded)).map((text) => `${primary.address}: ${text}`),
    );
    plans.push({ primary, steps });
  }
  if (conflicts.length > 0) throw new UserError(`nothing was deployed; ${conflicts.join("; ")}`);
  return plans;
}

function planStep(bundled: BundledLibrary, loaded: readonly LoadedLibrary[], options: DeployOptions): Step {
  const present = loaded.find(({ name }) => name === bundled.name);
  const inStep = present?.own?.code === bundled.code;
  const keep = inStep || (present !== undefined && options.missingOnly === true);
  return {
    library: bundled.name,
    action: keep ? "keep" : present ? "replace" : "load",
    from: present?.own?.identity ?? null,
    version: bundled.version,
    hash: bundled.hash,
    bundled,
    previousCode: present?.own?.code,
  };
}

/** Function names are global to a server: Redis would refuse them too, but without telling whose they are. */
function findConflicts(step: Step, loaded: readonly LoadedLibrary[]): string[] {
  if (step.action === "keep") return [];
  return loaded.flatMap((other) => {
    if (other.name === step.library) {
      return other.own
        ? []
        : [`a library '${other.name}' that is not ours is loaded (FUNCTION DELETE ${other.name} removes it)`];
    }
    const shared = other.functions.filter((name) => step.bundled.functions.includes(name));
    return shared.length === 0
      ? []
      : [`library '${other.name}' already holds ${listNames(shared)}, which '${step.library}' registers`];
  });
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  const more = names.length - shown.length;
  return `function${names.length > 1 ? "s" : ""} ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

async function carryOut(plans: readonly Plan[], lock: DeployLock): Promise<void> {
  const done: { primary: Primary; step: Step }[] = [];
  try {
    for (const { primary, steps } of plans) {
      for (const step of steps.filter(({ action }) => action !== "keep")) {
        await lock.renew();
        // Before it is sent: if the connection breaks, nobody knows whether it was loaded.
        done.push({ primary, step });
        await loadAndVerify(primary, step);
      }
    }
  } catch (error) {
    const unrestored = await rollBack(done);
    const outcome =
      unrestored.length === 0 ? "all libraries are as they were" : `not restored: ${unrestored.join("; ")}`;
    throw new UserError(`deploying failed, ${outcome}; ${describeError(error)}`, { cause: error });
  }
}

async function loadAndVerify(primary: Primary, step: Step): Promise<void> {
  const { bundled } = step;
  try {
    await primary.send(["FUNCTION", "LOAD", "REPLACE", bundled.code]);
    const identity = await askIdentity(primary, bundled.name);
    if (identity?.hash !== bundled.hash || identity.version !== bundled.version) {
      throw new Error(`loaded, but it answers ${identity ? `${identity.version} ${identity.hash}` : "nothing"}`);
    }
  } catch (error) {
    throw new Error(`${primary.address}: '${bundled.name}': ${describeError(error)}`, { cause: error });
  }
}

/** Last change first. Returns what could not be put back. */
async function rollBack(done: readonly { primary: Primary; step: Step }[]): Promise<string[]> {
  const unrestored: string[] = [];
  for (const { primary, step } of [...done].reverse()) {
    try {
      await restore(primary, step);
    } catch (error) {
      unrestored.push(`'${step.library}' on ${primary.address} (${describeError(error)})`);
    }
  }
  return unrestored;
}

async function restore(primary: Primary, step: Step): Promise<void> {
  if (step.previousCode !== undefined) {
    await primary.send(["FUNCTION", "LOAD", "REPLACE", step.previousCode]);
    return;
  }
  const loaded = await listLoaded(primary, []);
  if (loaded.some(({ name }) => name === step.library)) await primary.send(["FUNCTION", "DELETE", step.library]);
}

function isChange(plans: readonly Plan[]): boolean {
  return plans.some(({ steps }) => steps.some(({ action }) => action !== "keep"));
}

function report(plans: readonly Plan[], options: DeployOptions): DeployReport {
  return {
    dryRun: options.dryRun ?? false,
    changed: isChange(plans),
    primaries: plans.map(({ primary, steps }) => ({
      address: primary.address,
      libraries: steps.map(({ library, action, from, version, hash }) => ({ library, action, from, version, hash })),
    })),
  };
}

/**
 * Loads the libraries that one server misses, as a primary that was promoted from an empty replica, or that came back without its file.
 * It looks at no other server, which may be away. What is there is left as it is, whatever its version.
 *
 * @returns names of those that were loaded
 * @throws UserError where our user may not load them; ReplyError where another library holds the name of one of their functions
 */
export async function healPrimary(primary: Primary, bundle: readonly BundledLibrary[]): Promise<string[]> {
  const present = new Set((await listLoaded(primary, [])).map(({ name }) => name));
  const healed: string[] = [];
  for (const { name, code } of bundle.filter((library) => !present.has(library.name))) {
    try {
      await primary.send(["FUNCTION", "LOAD", code]);
      healed.push(name);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      // Another host was faster.
      if (/^Library '.*' already exists/.test(error.sentence)) continue;
      throw error.code === "NOPERM" ? mayNotLoad(name, error) : error;
    }
  }
  return healed;
}

function mayNotLoad(library: string, cause: ReplyError): UserError {
  return new UserError(
    `library '${library}' is not loaded, and this user may not load it; run hotpath deploy as one who may`,
    { cause },
  );
}
