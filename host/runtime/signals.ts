/** SIGTERM and SIGINT: the first asks to stop, the second stops at once. */
import { setMaxListeners } from "node:events";
import { constants } from "node:os";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * Starts to listen.
 *
 * @param onFirst told the name of the first signal
 * @returns aborted at the first signal
 */
export function stopOnSignals(onFirst: (name: string) => void = () => undefined): AbortSignal {
  const controller = new AbortController();
  // Each job of each partition listens for as long as it waits: many of them are no leak.
  setMaxListeners(0, controller.signal);
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
      onFirst(name);
      controller.abort();
    });
  }
  return controller.signal;
}
