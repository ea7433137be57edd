/** What the parts of a serving host share, and how each of them is kept running. */
import { performance } from "node:perf_hooks";
import type { Availability } from "../jobs/availability";
import { backoffMs } from "../runtime/backoff";
import type { Config } from "../config";
import { UnavailableError } from "../runtime/errors";
import type { Host } from "./host";
import type { Logger } from "../runtime/log";
import type { Metrics } from "./metrics";
import type { Troubles } from "../runtime/troubles";
import { pause } from "../runtime/wait";

/** Work that went on for so long had not failed at its start; what fails at its start is tried again ever more slowly. */
const STEADY_MS = 10_000;

export interface Service {
  config: Config;
  log: Logger;
  signal: AbortSignal;
  host: Host;
  availability: Availability;
  metrics: Metrics;
  troubles: Troubles;
}

/**
 * Runs `work` again whenever it fails, when Redis is back or after a while, until the host stops.
 *
 * @param source what it is called where its failures are logged and counted
 */
export async function keepRunning(
  { signal, availability, troubles }: Service,
  source: string,
  work: () => Promise<void>,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    const startedAt = performance.now();
    try {
      await work();
    } catch (error) {
      if (error instanceof UnavailableError) await availability.whenReady(error);
      else troubles.report(source, error);
    }
    if (performance.now() - startedAt > STEADY_MS) failures = 0;
    await pause(backoffMs(failures), signal);
  }
}
