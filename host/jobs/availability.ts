/** Whether Redis can be reached: one state for each place where a host works, one log line at each change. */
import { backoffMs } from "../runtime/backoff";
import { describeError, UnavailableError } from "../runtime/errors";
import type { Logger } from "../runtime/log";
import { pause } from "../runtime/wait";

export class Availability {
  #up = false;
  #since = Date.now();
  #starting: Promise<void> | undefined;
  #returning: Promise<void> | undefined;
  #lastProblem: string | undefined;

  /**
   * @param prepare reaches Redis and makes it ready for work; throws while it is not
   * @param signal ends all waiting
   */
  constructor(
    private readonly prepare: () => Promise<void>,
    private readonly log: Logger,
    private readonly signal: AbortSignal,
  ) {}

  get isUp(): boolean {
    return this.#up;
  }

  /** When the present state began, in unix milliseconds. */
  get since(): number {
    return this.#since;
  }

  /**
   * The first attempt, the same for all callers; if Redis is away, waits as {@link whenReady}.
   *
   * @throws whatever else `prepare` throws: a mistake that is there from the start is one for a person to mend
   */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    try {
      await this.prepare();
      this.#change(true);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      this.#complain(error);
      await this.whenReady();
    }
  }

  /**
   * Waits until Redis is ready, trying again and again; all callers wait for the same attempts. Returns early, Redis ready
   * or not, when the signal is aborted.
   *
   * @param cause why it is thought to be away
   */
  async whenReady(cause?: UnavailableError): Promise<void> {
    if (this.#up && cause) this.#change(false, cause);
    if (this.#up) return;
    this.#returning ??= this.#tryUntilReady().finally(() => (this.#returning = undefined));
    return this.#returning;
  }

  async #tryUntilReady(): Promise<void> {
    for (let attempt = 0; !this.signal.aborted; attempt += 1) {
      try {
        await this.prepare();
        return this.#change(true);
      } catch (error) {
        this.#complain(error);
        await pause(backoffMs(attempt), this.signal);
      }
    }
  }

  #change(up: boolean, cause?: UnavailableError): void {
    const forMs = Date.now() - this.#since;
    this.#up = up;
    this.#since = Date.now();
    this.#lastProblem = undefined;
    if (up) this.log.info({ afterMs: forMs }, "redis is ready");
    else this.#complain(cause!);
  }

  /** Once for being away, whatever the words (they change from attempt to attempt), and once for each other problem. */
  #complain(error: unknown): void {
    const isAway = error instanceof UnavailableError;
    const problem = isAway ? "away" : describeError(error);
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    if (isAway) this.log.warn({ reason: describeError(error) }, "redis is away, trying again");
    else this.log.error({ reason: problem }, "redis is not ready for work, trying again");
  }
}
