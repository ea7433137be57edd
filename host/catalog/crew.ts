/** A host's hands: one worker for each vendor. */
import { workUntilStopped, type TaskQueue, type TaskReport } from "../jobs/work";
import { Wakeup } from "../runtime/wakeup";
import type { Catalog, Vendor } from "./catalog";
import type { ProductOutcome } from "./metrics";
import { workingOf } from "./working";

export interface CrewOptions {
  vendors: readonly Vendor[];
  /** Ends it; what is being done is given back after the catalogue's patience. */
  signal: AbortSignal;
  onProduct: (vendor: string, outcome: ProductOutcome) => void;
  onReport: (vendor: string, report: TaskReport) => void;
  /** What stands between the workers and the queue. */
  through?: (queue: TaskQueue) => TaskQueue;
}

export interface Crew {
  /** To be called when something was enqueued. */
  wake(): void;
  /** Settles when all have stopped; rejects if Redis is away. */
  ended: Promise<void>;
}

/** Works off the queues of vendors until the signal is aborted. */
export function startCrew(
  catalog: Catalog,
  { vendors, signal, onProduct, onReport, through = (queue) => queue }: CrewOptions,
): Crew {
  const wakeup = new Wakeup();
  const workers = vendors.map((vendor) => {
    const working = workingOf(catalog, vendor, wakeup, (outcome) => onProduct(vendor.name, outcome));
    return workUntilStopped({
      ...working,
      queue: through(working.queue),
      signal,
      onReport: (report) => onReport(vendor.name, report),
    });
  });
  const ended = Promise.all(workers).then(() => undefined);
  // Whoever waits for it is told; until then, nobody is.
  ended.catch(() => undefined);
  return { wake: () => wakeup.wake(), ended };
}
