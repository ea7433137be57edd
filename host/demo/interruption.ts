/** Ending between two steps, as a signal asked. */

/** Not a failure: whoever sees it cleans up and passes it on. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

/** Throws once the signal is aborted. */
export function requireRunning(signal: AbortSignal): void {
  if (signal.aborted) throw new Interrupted();
}
