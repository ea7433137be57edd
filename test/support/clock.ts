import { onTestFinished, vi } from "vitest";
import { MACHINE_CLOCK, type Clock } from "../../host/fetch/politeness";
import { until } from "./wait";

/** A clock that stands still until the test moves it. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<{ atMs: number; wake: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  /** Pauses that are not over. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  async pause(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const sleeper = {
        atMs: this.#nowMs + ms,
        wake: (): void => {
          this.#sleepers.delete(sleeper);
          signal.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", sleeper.wake);
    });
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const { atMs, wake } of [...this.#sleepers]) {
      if (atMs <= this.#nowMs) wake();
    }
  }

  /** Moves on to the next pause that ends; answers by how much. */
  skip(): number {
    const ms = Math.min(...[...this.#sleepers].map(({ atMs }) => atMs)) - this.#nowMs;
    this.advance(ms);
    return ms;
  }

  /** Ends each pause as soon as it comes, until something is over. */
  async during<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const end = (): void => void (isOver = true);
    work.then(end, end);
    await until(() => {
      if (!isOver && this.sleeping > 0) this.skip();
      return isOver;
    });
    return work;
  }
}

/** Has all that goes by the machine's clock go by one that stands still, until the test is over. */
export function stopMachineClock(): ManualClock {
  const clock = new ManualClock();
  const stopped = [
    vi.spyOn(MACHINE_CLOCK, "now").mockImplementation(() => clock.now()),
    vi.spyOn(MACHINE_CLOCK, "pause").mockImplementation((ms, signal) => clock.pause(ms, signal)),
  ];
  onTestFinished(() => stopped.forEach((each) => each.mockRestore()));
  return clock;
}
