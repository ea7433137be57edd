/** Sleeping that others can end. */

/** Longest wait of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Wakeup {
  #count = 0;
  readonly #sleepers = new Set<() => void>();

  /** How often it has been woken so far; taken before one looks whether there is something to do. */
  get count(): number {
    return this.#count;
  }

  /** Ends all sleep that is under way, and that of those who looked before this. */
  wake(): void {
    this.#count += 1;
    for (const end of this.#sleepers) end();
  }

  /**
   * Sleeps.
   *
   * @param since what {@link count} was when the sleeper looked; if it was woken since then it does not sleep at all
   * @param ms milliseconds at most
   * @param signal ends it too
   */
  async sleep(since: number, ms: number, signal: AbortSignal): Promise<void> {
    if (since !== this.#count || signal.aborted || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#sleepers.delete(end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, MAX_TIMER_MS));
      signal.addEventListener("abort", end, { once: true });
      this.#sleepers.add(end);
    });
  }
}
