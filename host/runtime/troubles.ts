/** Failures that repeat are logged once, and again when they change. */
import { describeError } from "./errors";
import type { Logger } from "./log";

export class Troubles {
  readonly #last = new Map<string, string>();

  constructor(
    private readonly log: Logger,
    private readonly onFailure: (source: string) => void,
  ) {}

  /** Takes note of a failure of `source`, and logs it unless it is the same as before. */
  report(source: string, error: unknown): void {
    this.onFailure(source);
    this.#log("error", source, error, "failed, trying again");
  }

  /** `source` cannot work for a while, which is no failure. */
  wait(source: string, error: unknown): void {
    this.#log("warn", source, error, "has to wait, trying again");
  }

  /** `source` works; logged if it had failed. */
  clear(source: string): void {
    if (this.#last.delete(source)) this.log.info({ source }, "works again");
  }

  #log(level: "error" | "warn", source: string, error: unknown, message: string): void {
    const reason = describeError(error);
    if (this.#last.get(source) === reason) return;
    this.#last.set(source, reason);
    this.log[level]({ source, reason }, message);
  }
}
