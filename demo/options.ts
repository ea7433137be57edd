/** What the command line may ask of the demo. */
import { UsageError } from "../host/runtime/errors";

export interface DemoOptions {
  /** Path of an access log (`-` for standard input), in place of generated traffic. */
  log?: string;
  /** Host that all addresses of the log get. */
  website?: string;
  /** How many events to generate. */
  events?: number;
  /** Equal seeds give equal traffic. */
  seed?: number;
  /** Prints the figures as JSON. */
  json?: boolean;
  /** Leaves the server running until Ctrl-C. Default: whether a person is looking on. */
  keep?: boolean;
  /** Counts into a database that holds data of the tracker already. */
  force?: boolean;
}

/**
 * Refuses what makes no sense together.
 *
 * @throws UsageError that names both options
 */
export function checkOptions({ log, website, events, seed }: DemoOptions): void {
  if (log === undefined && website !== undefined)
    throw new UsageError("--website names the site of a log; it needs --log");
  if (log !== undefined && events !== undefined)
    throw new UsageError("--events is for generated traffic; --log takes all that the log holds");
  if (log !== undefined && seed !== undefined)
    throw new UsageError("--seed is for generated traffic; a log is as it is");
}

/**
 * Refuses what the demos of the other libraries do not know.
 *
 * @param what the library, as people call it
 * @throws UsageError that names the option
 */
export function checkPlainOptions({ log, website, events, keep, force }: DemoOptions, what: string): void {
  const foreign = Object.entries({ log, website, events, keep, force }).find(
    ([, value]) => value !== undefined && value !== false,
  );
  if (foreign)
    throw new UsageError(`--${foreign[0]} is for the demo of the tracker; that of the ${what} takes --seed and --json`);
}
