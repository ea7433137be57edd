/** Where the time goes. */

/** What a kind of work took. */
export interface Lap {
  name: string;
  elapsedMs: number;
  calls: number;
  /** As the caller sees it, way there and back included; of a pipeline, the whole. */
  longestMs: number;
}

export class Stopwatch {
  readonly #laps = new Map<string, Lap>();

  /** Runs a piece of work, of one call or a pipeline of several, and adds its time to what goes by this name. */
  async time<T>(name: string, work: () => Promise<T>, calls = 1): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#add(name, performance.now() - startedAt, calls);
    }
  }

  /** In the order in which they first came. */
  laps(): Lap[] {
    return [...this.#laps.values()];
  }

  #add(name: string, elapsedMs: number, calls: number): void {
    const lap = this.#laps.get(name) ?? { name, elapsedMs: 0, calls: 0, longestMs: 0 };
    lap.elapsedMs += elapsedMs;
    lap.calls += calls;
    lap.longestMs = Math.max(lap.longestMs, elapsedMs);
    this.#laps.set(name, lap);
  }
}
