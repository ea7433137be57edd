/** Waiting for a change that somebody else tells of. */
export class Wakeup {
  readonly #waiting = new Set<() => void>();

  /** Ends all waiting. */
  wake(): void {
    for (const resolve of [...this.#waiting]) resolve();
  }

  /**
   * Until the next {@link wake}, until the signal is aborted, or until the time is up.
   *
   * @param timeoutMs no limit if undefined
   */
  async wait(signal: AbortSignal, timeoutMs?: number): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(), timeoutMs);
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#waiting.delete(end);
        resolve();
      };
      signal.addEventListener("abort", end, { once: true });
      this.#waiting.add(end);
    });
  }
}
