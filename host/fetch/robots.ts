/** robots.txt (RFC 9309): read once for each origin, kept for a while. */
import { performance } from "node:perf_hooks";
import robotsParser from "robots-parser";
import { readBody } from "./body";
import { PageFailure } from "./failure";
import { PRODUCT, type Fetcher } from "./fetch";
import { MINUTE_MS } from "../runtime/time";

interface RobotsOptions {
  /** How long rules are kept, in milliseconds; RFC 9309 asks for a day at most. */
  keepMs: number;
  /** The longest Crawl-delay that is obeyed, in milliseconds; a longer one is cut to it. */
  maxDelayMs: number;
}

type Rules = ReturnType<typeof robotsParser>;

interface Entry {
  /** Rejects with a PageFailure while the rules cannot be had. */
  rules: Promise<Rules | undefined>;
  endsMs: number;
}

/** RFC 9309, section 2.5, asks for at least 500 kibibytes. */
const MAX_BYTES = 512 * 1024;
/** No path that is looked up is longer, so that no rule that is longer applies to it. */
const MAX_LINE = 2048;
const MAX_ORIGINS = 1000;
/** Rules that could not be had are asked for again after so long. */
const KEEP_FAILURE_MS = MINUTE_MS;

export class Robots {
  readonly #entries = new Map<string, Entry>();

  constructor(
    private readonly fetcher: Fetcher,
    private readonly options: RobotsOptions,
  ) {}

  /**
   * Fails if the site does not want us to fetch the URL, or if its rules cannot be had just now. A site without rules
   * (any answer of 4xx but 429) allows everything.
   */
  async check(url: URL, signal: AbortSignal): Promise<void> {
    const rules = await this.#rulesOf(url, signal);
    if (!rules) return;
    const delaySeconds = Math.max(rules.getCrawlDelay(PRODUCT) ?? 0, 0);
    this.fetcher.politeness.setSpacing(url.host, Math.min(delaySeconds * 1000, this.options.maxDelayMs));
    if (rules.isDisallowed(url.href, PRODUCT) === true) {
      throw new PageFailure("robots", `${url.origin}/robots.txt does not allow ${url.pathname}`);
    }
  }

  async #rulesOf(url: URL, signal: AbortSignal): Promise<Rules | undefined> {
    for (;;) {
      try {
        return await this.#rulesOnce(url, signal);
      } catch (error) {
        // Whoever asked first for all of us gave up; that is none of our failures.
        if (error instanceof PageFailure || signal.aborted) throw error;
      }
    }
  }

  #rulesOnce(url: URL, signal: AbortSignal): Promise<Rules | undefined> {
    const { origin } = url;
    const known = this.#entries.get(origin);
    if (known && known.endsMs > performance.now()) return known.rules;
    this.#entries.delete(origin);
    const entry: Entry = { rules: this.#load(origin, signal), endsMs: performance.now() + this.options.keepMs };
    entry.rules.catch((error: unknown) => this.#shorten(origin, entry, error));
    this.#entries.set(origin, entry);
    if (this.#entries.size > MAX_ORIGINS) this.#entries.delete(this.#entries.keys().next().value!);
    return entry.rules;
  }

  /** What was not asked for at all is not remembered; what failed is, for a short while. */
  #shorten(origin: string, entry: Entry, error: unknown): void {
    const failed = error instanceof PageFailure && !error.untried && !error.unconnected;
    if (failed) entry.endsMs = performance.now() + KEEP_FAILURE_MS;
    else if (this.#entries.get(origin) === entry) this.#entries.delete(origin);
  }

  async #load(origin: string, signal: AbortSignal): Promise<Rules | undefined> {
    const url = new URL("/robots.txt", origin);
    try {
      const text = await this.fetcher.fetch(url, { accept: "text/plain, */*;q=0.1", signal }, async (answer) => {
        const pieces: Buffer[] = [];
        for await (const piece of readBody(answer, MAX_BYTES)) pieces.push(piece);
        return Buffer.concat(pieces).toString("utf8");
      });
      const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
      return robotsParser(url.href, lines.filter((line) => line.length <= MAX_LINE).join("\n"));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error instanceof PageFailure && !error.unconnected && isRobotsOwn(error)
        ? new PageFailure("robots unreachable", `${url.href}: ${error.message}`, {
            passing: true,
            retryAfterMs: error.retryAfterMs,
          })
        : error;
    }
  }
}

/** There are no rules. Redirects that lead nowhere are none either (RFC 9309, section 2.3.1.2). */
function isMissing(error: unknown): boolean {
  if (!(error instanceof PageFailure)) return false;
  return error.reason === "redirects" || (/^status 4/.test(error.reason) && !error.passing);
}

/** What would hold up the page as well is told as it is. */
function isRobotsOwn({ reason }: PageFailure): boolean {
  return !["address", "port", "dns", "certificate", "resting"].includes(reason);
}
