/** Chunks on their way: several at once, because each counts only if the one before it did. */
import type { HotpathFunctions } from "../../contract";

export type ImportFunctions = Pick<HotpathFunctions, "importEvents" | "getImport" | "forgetImport">;

/** A part of a source, from one position to another. */
export interface Chunk {
  from: string;
  to: string;
  events: string[];
  /** The clock of the call. */
  nowMs: number;
}

/** What of a source was counted by this process. */
export interface Counted {
  accepted: number;
  rejected: number;
  /** Refused events by reason, as far as replies list them. */
  reasons: Record<string, number>;
}

/** Nothing counted yet. */
export function nothingCounted(): Counted {
  return { accepted: 0, rejected: 0, reasons: {} };
}

/** Somebody else has moved the position, or it was forgotten. */
export class OvertakenError extends Error {
  override name = "OvertakenError";
}

/** Calls that wait for their replies; a call takes about 2 ms. */
const IN_FLIGHT = 8;

export class Sender<C extends Chunk> {
  readonly #waiting: Promise<void>[] = [];
  #failure: { error: unknown } | undefined;

  /**
   * @param source the name of the source
   * @param counted what replies are added to
   * @param onCounted told of each chunk that counted
   */
  constructor(
    private readonly functions: ImportFunctions,
    private readonly source: string,
    private readonly counted: Counted,
    private readonly onCounted: (chunk: C) => void,
  ) {}

  /**
   * Sends a chunk, and waits while too many are under way.
   *
   * @throws OvertakenError, UnavailableError or HotpathError of this or an earlier chunk: all after it were not counted
   */
  async send(chunk: C): Promise<void> {
    this.#throwFailure();
    this.#waiting.push(this.#call(chunk).catch((error: unknown) => void (this.#failure ??= { error })));
    if (this.#waiting.length >= IN_FLIGHT) await this.#waiting.shift();
    this.#throwFailure();
  }

  /** Waits for all replies; throws as {@link send} does. */
  async flush(): Promise<void> {
    await Promise.all(this.#waiting.splice(0));
    this.#throwFailure();
  }

  async #call(chunk: C): Promise<void> {
    const { source, counted } = this;
    const { from, to, events, nowMs } = chunk;
    const reply = await this.functions.importEvents({ source, from, to, events, now: nowMs });
    if (reply.counted === 0) throw new OvertakenError();
    this.onCounted(chunk);
    counted.accepted += reply.accepted;
    counted.rejected += reply.rejected;
    for (const [, , message] of reply.errors) add(counted.reasons, message.split(":", 1)[0]!, 1);
    const unlisted = reply.rejected - reply.errors.length;
    if (unlisted > 0) add(counted.reasons, "other", unlisted);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

function add(counts: Record<string, number>, name: string, by: number): void {
  counts[name] = (counts[name] ?? 0) + by;
}
