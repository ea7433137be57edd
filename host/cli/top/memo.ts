/** Answers kept for a while: a span that is over changes only by late events. */

export class Memo {
  readonly #kept = new Map<string, { value: Promise<unknown>; untilMs: number }>();

  /**
   * @param nowMs monotonic milliseconds
   * @param most answers kept; beyond that the oldest go
   */
  constructor(
    private readonly nowMs: () => number = () => performance.now(),
    private readonly most = 5_000,
  ) {}

  /**
   * The answer kept under a key, or a new one. One that failed is not kept.
   *
   * @param lifeMs how long a new one is kept
   */
  get<T>(key: string, lifeMs: number, ask: () => Promise<T>): Promise<T> {
    const known = this.#kept.get(key);
    if (known !== undefined && known.untilMs > this.nowMs()) return known.value as Promise<T>;
    this.#kept.delete(key);
    const value = ask();
    this.#kept.set(key, { value, untilMs: this.nowMs() + lifeMs });
    value.catch(() => this.#forget(key, value));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.most) break;
      this.#kept.delete(oldest);
    }
    return value;
  }

  #forget(key: string, value: Promise<unknown>): void {
    if (this.#kept.get(key)?.value === value) this.#kept.delete(key);
  }
}
