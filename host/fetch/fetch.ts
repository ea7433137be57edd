/** Fetching with everything that a site may expect of a robot: one place for scheme, port, redirects, and politeness. */
import { VERSION } from "../runtime/version";
import { AddressPolicy, type Resolve } from "./addresses";
import { ACCEPTED_ENCODINGS } from "./body";
import { PageFailure } from "./failure";
import { MAX_REST_MS, Politeness } from "./politeness";
import { parseRetryAfter } from "./retry-after";
import { get, type Answer, type RequestTiming, type Timeouts } from "./request";

interface FetcherOptions {
  timeouts: Timeouts;
  /** Ports that may be connected to. */
  ports: readonly number[];
  /** Address ranges that may be connected to although they are not public. */
  allow: readonly string[];
  /** Where those who run a site can complain: a mail or web address. */
  contact: string | undefined;
  resolve?: Resolve | undefined;
  /** Told of each request when it is over. */
  onRequest?: ((timing: RequestTiming) => void) | undefined;
}

interface FetchOptions {
  accept: string;
  /** More headers; left out once a redirect leads elsewhere. */
  headers?: Record<string, string>;
  /** Statuses besides 2xx that `use` reads. */
  statuses?: readonly number[];
  /** Asked before each hop: throws if the URL is not to be fetched. */
  admit?: (url: URL) => Promise<void>;
  signal: AbortSignal;
}

/** The name by which robots.txt calls us. */
export const PRODUCT = "Hotpath";

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Answers that say: not now. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

export class Fetcher {
  readonly #policy: AddressPolicy;
  readonly #userAgent: string;

  constructor(
    private readonly options: FetcherOptions,
    readonly politeness: Politeness,
  ) {
    this.#policy = new AddressPolicy(options.allow, options.resolve);
    const contact = options.contact === undefined ? "" : ` (+${options.contact})`;
    this.#userAgent = `${PRODUCT}/${VERSION}${contact}`;
  }

  /**
   * Fetches a URL and follows redirects, each hop checked anew.
   *
   * @param use reads an answer with status 2xx, or one of `statuses`
   * @throws PageFailure for every other outcome
   */
  async fetch<T>(start: URL, options: FetchOptions, use: (answer: Answer, url: URL) => Promise<T>): Promise<T> {
    let url = start;
    const seen = new Set<string>();
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      url.hash = "";
      if (seen.has(url.href)) throw new PageFailure("redirects", `${start.href} leads back to ${url.href}`);
      seen.add(url.href);
      this.#check(url);
      await options.admit?.(url);
      const outcome = await this.#hop(url, start, options, use);
      if ("value" in outcome) return outcome.value;
      url = outcome.next;
    }
    throw new PageFailure("redirects", `${start.href} redirects more than ${MAX_REDIRECTS} times`);
  }

  #check(url: URL): void {
    if (url.protocol !== "https:" && url.protocol !== "http:") {
      throw new PageFailure("url", `${url.protocol} is neither https: nor http:`);
    }
    if (url.username !== "" || url.password !== "") throw new PageFailure("url", "the address carries a user name");
    const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
    if (!this.options.ports.includes(port)) {
      throw new PageFailure("port", `port ${port} of ${url.hostname} is not one of those that are fetched from`);
    }
    this.#policy.checkLiteral(url.hostname);
  }

  async #hop<T>(
    url: URL,
    start: URL,
    { accept, headers, statuses, signal }: FetchOptions,
    use: (answer: Answer, url: URL) => Promise<T>,
  ): Promise<{ value: T } | { next: URL }> {
    const request = {
      headers: {
        "user-agent": this.#userAgent,
        accept,
        "accept-encoding": ACCEPTED_ENCODINGS,
        ...(url.origin === start.origin && headers),
      },
      timeouts: this.options.timeouts,
      policy: this.#policy,
      signal,
      onEnd: this.options.onRequest,
    };
    return this.politeness.run(url.host, signal, () =>
      get(url, request, async (answer) => {
        if (REDIRECTS.has(answer.status)) return { next: followed(url, answer) };
        const isWanted = (answer.status >= 200 && answer.status < 300) || statuses?.includes(answer.status);
        if (isWanted) return { value: await use(answer, url) };
        throw this.#refusedBy(url, answer);
      }),
    );
  }

  #refusedBy(url: URL, answer: Answer): PageFailure {
    const { status } = answer;
    const passing = PASSING.has(status) || status >= 500;
    const asked = passing ? parseRetryAfter(answer.header("retry-after"), Date.now()) : undefined;
    const waitMs = Math.min(asked ?? 0, MAX_REST_MS);
    if (waitMs > 0) this.politeness.rest(url.host, waitMs);
    return new PageFailure(`status ${status}`, `${url.host} answered ${status}`, { passing, retryAfterMs: waitMs });
  }
}

function followed(url: URL, answer: Answer): URL {
  const location = answer.header("location");
  if (location === undefined || !URL.canParse(location, url.href)) {
    throw new PageFailure("redirects", `${url.host} redirects to nowhere`);
  }
  return new URL(location, url.href);
}
