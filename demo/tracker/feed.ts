/** Feeding: traffic goes in as a collector and a host would bring it in, by a simulated clock. */
import { drain } from "../../host/tracker/ingest";
import { METRICS, rotate } from "../../host/tracker/rotate";
import type { Arrival, TrafficEvent } from "../../host/tracker/import/event";
import { dueTimes, splitBySteps } from "./simulation";
import { Stopwatch, type Lap } from "./stopwatch";
import type { DemoClient } from "../client";
import { functionsAt } from "./timed";
import { routingOf } from "../../host/redis/partitions";

export interface FeedOptions {
  client: DemoClient;
  /** Arrivals in ascending order, at most 1,000 in a batch. */
  batches: AsyncIterable<Arrival[]> | Iterable<Arrival[]>;
  /** Time to which the simulation runs after the last arrival, unix milliseconds. */
  untilMs: number;
  /** Rotations due at this time or later are left to others. */
  rotateBeforeMs: number;
  /** Ends it between two calls. */
  signal: AbortSignal;
  /** Told after each step how many events were counted so far. */
  onProgress: (events: number) => void;
}

export interface FeedSummary {
  /** Events written to the stream. */
  sent: number;
  read: number;
  accepted: number;
  rejected: number;
  /** Undefined where nothing arrived. */
  lastArrivalMs: number | undefined;
  elapsedMs: number;
  laps: Lap[];
}

/** The command with which collectors hand in events. */
export const ADD = "XADD";

/**
 * Feeds all arrivals: written to the stream, ingested, and rotated whenever a window is over.
 *
 * @returns what was done; where the signal was aborted, only what was done until then
 */
export async function feed(options: FeedOptions): Promise<FeedSummary> {
  const feeder = new Feeder(options);
  return feeder.run();
}

class Feeder {
  readonly #watch = new Stopwatch();
  readonly #startedAt = performance.now();
  readonly #sum: FeedSummary = {
    sent: 0,
    read: 0,
    accepted: 0,
    rejected: 0,
    lastArrivalMs: undefined,
    elapsedMs: 0,
    laps: [],
  };

  constructor(private readonly options: FeedOptions) {}

  async run(): Promise<FeedSummary> {
    const { batches, untilMs, signal } = this.options;
    for await (const batch of batches) {
      for (const part of splitBySteps(batch)) {
        await this.#advanceTo(part[0]!.arrivalMs);
        await this.#take(part);
        if (signal.aborted) return this.#summary();
      }
    }
    await this.#advanceTo(untilMs);
    return this.#summary();
  }

  /** Rotates at each time on the way at which something is due. */
  async #advanceTo(timeMs: number): Promise<void> {
    const { client, rotateBeforeMs, signal } = this.options;
    const lastMs = this.#sum.lastArrivalMs;
    if (lastMs === undefined) return;
    for (const dueMs of dueTimes(lastMs, timeMs)) {
      if (dueMs >= rotateBeforeMs) return;
      const functions = functionsAt(client.functions, dueMs, this.#watch);
      for (const metric of METRICS) await rotate(functions, metric, undefined, {}, () => !signal.aborted);
    }
  }

  /** Writes arrivals of one step and has them counted by the clock of the last of them. */
  async #take(part: readonly Arrival[]): Promise<void> {
    const { client, signal, onProgress } = this.options;
    const nowMs = part.at(-1)!.arrivalMs;
    await this.#watch.time(ADD, () => addAll(client, part), part.length);
    this.#sum.sent += part.length;
    this.#sum.lastArrivalMs = nowMs;
    const stream = { key: client.stream, partition: client.partition };
    const counted = await drain(functionsAt(client.functions, nowMs, this.#watch), stream, signal);
    this.#sum.read += counted.read;
    this.#sum.accepted += counted.accepted;
    this.#sum.rejected += counted.rejected;
    onProgress(this.#sum.sent);
  }

  #summary(): FeedSummary {
    return { ...this.#sum, elapsedMs: performance.now() - this.#startedAt, laps: this.#watch.laps() };
  }
}

/** All in one pipeline: what is sent in one turn leaves in one write. */
async function addAll({ connection, stream, partition }: DemoClient, arrivals: readonly Arrival[]): Promise<void> {
  const routing = routingOf(partition);
  await Promise.all(arrivals.map(({ event }) => connection.send([ADD, stream, "*", ...fieldsOf(event)], routing)));
}

function fieldsOf({ url, uui, dt }: TrafficEvent): string[] {
  return ["url", url, "uui", uui, "dt", String(dt)];
}
