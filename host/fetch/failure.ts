/** Why a page could not be had. */

/** One word or two, always the same for the same cause: statistics are kept by it. */
type FailureReason =
  | "url"
  | "port"
  | "address"
  | "dns"
  | "connect"
  | "certificate"
  | "timeout"
  | "closed"
  | "protocol"
  | "redirects"
  | "robots"
  | "robots unreachable"
  | "resting"
  | "type"
  | "encoding"
  | "size"
  | "no title"
  | "attempts"
  | "internal"
  | `status ${number}`;

interface FailureOptions {
  /** Whether another try may succeed. */
  passing?: boolean;
  /** How long the site asked to be left alone, in milliseconds. */
  retryAfterMs?: number;
  /** Nothing was asked of the site: this was no try. */
  untried?: boolean;
  /** The connection did not come about, so that another way to the same page may be tried. */
  unconnected?: boolean;
  cause?: unknown;
}

export class PageFailure extends Error {
  override name = "PageFailure";
  readonly passing: boolean;
  readonly retryAfterMs: number;
  readonly untried: boolean;
  readonly unconnected: boolean;

  constructor(
    readonly reason: FailureReason,
    message: string,
    options: FailureOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.passing = options.passing ?? false;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.untried = options.untried ?? false;
    this.unconnected = options.unconnected ?? false;
  }
}
