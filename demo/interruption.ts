/** Ending between two steps, as a signal asked. */
import { constants } from "node:os";
import { describeError } from "../host/runtime/errors";
import { stopOnSignals } from "../host/runtime/signals";

/** Not a failure: whoever sees it cleans up and passes it on. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

/** Throws once the signal is aborted. */
export function requireRunning(signal: AbortSignal): void {
  if (signal.aborted) throw new Interrupted();
}

/**
 * Runs a demo that a signal may end. After a signal it exits with 128 and its number, unless the work was done by then.
 *
 * @param work told the signal; throws {@link Interrupted} where it ends early
 * @param say told what failed while stopping
 */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<void>,
  say: (message: string) => void,
): Promise<void> {
  const stopped: { by?: NodeJS.Signals } = {};
  const signal = stopOnSignals((name) => (stopped.by = name as NodeJS.Signals));
  try {
    await work(signal);
  } catch (error) {
    // What was under way when the signal came may fail because of it.
    if (stopped.by === undefined) throw error;
    if (!(error instanceof Interrupted)) say(`While stopping: ${describeError(error)}`);
    process.exitCode = 128 + constants.signals[stopped.by];
  }
}
