/** What a library needs of the host that it works in, and how each of its parts is kept running. */
import { performance } from "node:perf_hooks";
import type { HotpathFunctions } from "../contract";
import type { Connection } from "../redis/connection";
import { backoffMs } from "../runtime/backoff";
import { SlotMovingError, UnavailableError } from "../runtime/errors";
import type { Logger } from "../runtime/log";
import type { Troubles } from "../runtime/troubles";
import { pause } from "../runtime/wait";
import type { Availability } from "./availability";
import { runSchedule, Schedule, type ScheduledJob, type ScheduleOptions, type TickOutcome } from "./scheduler";

/** Work that went on for so long had not failed at its start; what fails at its start is tried again ever more slowly. */
const STEADY_MS = 10_000;

/** How a library reaches Redis. */
export interface WorkerHost {
  /** Names this process in leads and in lists of leased work: the same in all its calls, and never that of another. */
  readonly worker: string;
  /** Open once Redis has been reached for the first time. */
  readonly connection: Connection;
  /** The functions, called in a partition. */
  functions(partition: string | null): HotpathFunctions;
}

/** A serving host, as its parts see it. */
export interface Service<Host extends WorkerHost = WorkerHost> {
  log: Logger;
  /** Aborted when the host stops. */
  signal: AbortSignal;
  host: Host;
  /** Of the server, or of the first place in a cluster; see {@link in}. */
  availability: Availability;
  /** The same service, for what is done in one place: it waits while that is away, and for no other. */
  in(place: string | null): Service<Host>;
  troubles: Troubles;
  /** Takes note of how a tick of a job ended. */
  ticked(job: string, slot: number, outcome: TickOutcome | "failed"): void;
}

/**
 * Runs `work` again whenever it fails, when Redis is back or after a while, until the host stops.
 *
 * @param source what it is called where its failures are logged and counted
 */
export async function keepRunning(
  { signal, availability, troubles }: Pick<Service, "signal" | "availability" | "troubles">,
  source: string,
  work: () => Promise<void>,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    const startedAt = performance.now();
    try {
      await work();
    } catch (error) {
      // The other slots are served meanwhile.
      if (error instanceof SlotMovingError) troubles.wait(source, error);
      else if (error instanceof UnavailableError) await availability.whenReady(error);
      else troubles.report(source, error);
    }
    if (performance.now() - startedAt > STEADY_MS) failures = 0;
    await pause(backoffMs(failures), signal);
  }
}

/**
 * Runs jobs by their schedule until the host stops; what fails is reported under the job's name, and the others go on.
 *
 * @param source what the schedule is called where it fails as a whole
 */
export async function serveSchedule(
  service: Service,
  source: string,
  jobs: readonly ScheduledJob[],
  options: ScheduleOptions,
): Promise<void> {
  const schedule = new Schedule(jobs, options);
  await keepRunning(service, source, () =>
    runSchedule(schedule, service.signal, (job, slot, outcome, error) => {
      service.ticked(job.name, slot, outcome);
      if (error instanceof SlotMovingError) service.troubles.wait(job.name, error);
      else if (outcome === "failed") service.troubles.report(job.name, error);
      else service.troubles.clear(job.name);
    }),
  );
}
