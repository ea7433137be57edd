/**
 * Gives a connection up when commands wait and no reply comes.
 *
 * The socket's own timeout does not: it begins anew with each write as well, so that a host that asks every few seconds would
 * wait for ever behind a proxy whose connection fell silent.
 */
export class Watchdog {
  #pending = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param silenceMs how long a command may wait while no other is replied to; longer than any blocking read
   * @param giveUp ends the connection
   */
  constructor(
    private readonly silenceMs: number,
    private readonly giveUp: () => void,
  ) {}

  /** Waits for a reply; an error is one as well. */
  async watch<T>(reply: Promise<T>): Promise<T> {
    this.#pending += 1;
    this.#timer ??= setTimeout(this.giveUp, this.silenceMs);
    try {
      return await reply;
    } finally {
      this.#pending -= 1;
      if (this.#pending > 0) {
        this.#timer?.refresh();
      } else {
        this.close();
      }
    }
  }

  /** Ends the watch over what is under way. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
