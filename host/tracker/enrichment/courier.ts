/** From the address of a page to its metadata: item API or page, https or http. */
import { performance } from "node:perf_hooks";
import { readBody } from "../../fetch/body";
import type { Resolve } from "../../fetch/addresses";
import { decodePage } from "../../fetch/decode";
import { Extraction } from "./extract";
import { PageFailure } from "../../fetch/failure";
import { Fetcher } from "../../fetch/fetch";
import { ACCEPT_HTML, requireHtml } from "../../fetch/html";
import { fetchItem } from "./items";
import type { Metadata } from "./metadata";
import { Politeness } from "../../fetch/politeness";
import type { Answer } from "../../fetch/request";
import { Robots } from "../../fetch/robots";
import type { EnrichmentConfig } from "./settings";
import { HOUR_MS, MINUTE_MS } from "../../runtime/time";

/** What is known of a page before it is fetched. */
export interface PageAddress {
  /** Without a scheme: `www.rtl.lu/news/a/1.html`, `localhost:8080/`. */
  url: string;
  /** Digits, or empty. */
  articleId: string;
}

export interface CourierHooks {
  /** Told when {@link PageCourier.room} may have changed. */
  onChange?: () => void;
  resolve?: Resolve;
}

/** How long a site that had no https is asked for http at once. */
const REMEMBER_HTTP_MS = HOUR_MS;
const MAX_REMEMBERED = 10_000;
/** A rest that is shorter is waited for; the longest crawl delay always is. */
const PATIENCE_MS = 5000;

export class PageCourier {
  readonly #fetcher: Fetcher;
  readonly #robots: Robots | undefined;
  /** Host and port → when https is tried again, by the monotonic clock. */
  readonly #withoutHttps = new Map<string, number>();
  readonly #onChange: () => void;
  #collecting = 0;

  constructor(
    private readonly config: EnrichmentConfig,
    hooks: CourierHooks = {},
  ) {
    this.#onChange = hooks.onChange ?? (() => undefined);
    const { timeouts, ports, allow, contact, concurrency, perHost } = config;
    const maxDelayMs = config.maxCrawlDelaySeconds * 1000;
    this.#fetcher = new Fetcher(
      {
        timeouts: {
          connectMs: timeouts.connectSeconds * 1000,
          headersMs: timeouts.headersSeconds * 1000,
          bodyMs: timeouts.bodySeconds * 1000,
          totalMs: timeouts.totalSeconds * 1000,
        },
        ports,
        allow,
        contact,
        resolve: hooks.resolve,
      },
      new Politeness({ concurrency, perSite: perHost, patienceMs: maxDelayMs + PATIENCE_MS }, this.#onChange),
    );
    this.#robots = config.robots
      ? new Robots(this.#fetcher, { keepMs: config.robotsMinutes * MINUTE_MS, maxDelayMs })
      : undefined;
  }

  /**
   * How many more pages could be fetched at once. Those that wait for their site's turn take no room: a site with many
   * pages must not keep the others waiting.
   */
  get room(): number {
    return this.config.concurrency - (this.#collecting - this.#fetcher.politeness.waiting);
  }

  /**
   * Has the metadata of a page.
   *
   * @param signal ends it; its reason is thrown
   * @returns with a title
   * @throws PageFailure that says why it cannot be had, and whether another try may succeed
   */
  async collect(address: PageAddress, signal: AbortSignal): Promise<Metadata> {
    this.#collecting += 1;
    try {
      return await this.#collect(address, signal);
    } finally {
      this.#collecting -= 1;
      this.#onChange();
    }
  }

  async #collect(address: PageAddress, signal: AbortSignal): Promise<Metadata> {
    const url = parseUrl(address.url);
    const { maxBytes, timeZone } = this.config;
    const source = this.config.items[url.host] ?? this.config.items[url.hostname];
    if (source && address.articleId !== "") {
      const item = await fetchItem(this.#fetcher, source, address.articleId, { maxBytes, timeZone }, signal);
      if (item) return item;
    }
    const metadata = await this.#fetchEitherWay(url, signal);
    if (metadata.title === undefined) throw new PageFailure("no title", `${url.host}${url.pathname} has no title`);
    return metadata;
  }

  /** By https; by http where no connection with https comes about. A bad certificate is no reason to do without. */
  async #fetchEitherWay(url: URL, signal: AbortSignal): Promise<Metadata> {
    if (this.#isWithoutHttps(url.host)) return this.#fetchPage(asHttp(url), signal);
    try {
      return await this.#fetchPage(url, signal);
    } catch (error) {
      if (!(error instanceof PageFailure) || !error.unconnected) throw error;
      return await this.#fetchWithoutHttps(url, error, signal);
    }
  }

  async #fetchWithoutHttps(url: URL, httpsFailure: PageFailure, signal: AbortSignal): Promise<Metadata> {
    try {
      const metadata = await this.#fetchPage(asHttp(url), signal);
      this.#rememberHttp(url.host);
      return metadata;
    } catch (error) {
      if (!(error instanceof PageFailure)) throw error;
      if (error.unconnected) throw httpsFailure;
      this.#rememberHttp(url.host);
      throw error;
    }
  }

  #isWithoutHttps(host: string): boolean {
    const untilMs = this.#withoutHttps.get(host);
    return untilMs !== undefined && untilMs > performance.now();
  }

  #rememberHttp(host: string): void {
    this.#withoutHttps.delete(host);
    this.#withoutHttps.set(host, performance.now() + REMEMBER_HTTP_MS);
    if (this.#withoutHttps.size > MAX_REMEMBERED) {
      this.#withoutHttps.delete(this.#withoutHttps.keys().next().value!);
    }
  }

  async #fetchPage(url: URL, signal: AbortSignal): Promise<Metadata> {
    const robots = this.#robots;
    const admit = robots && ((hop: URL) => robots.check(hop, signal));
    return this.#fetcher.fetch(url, { accept: ACCEPT_HTML, signal, ...(admit && { admit }) }, (answer, from) =>
      this.#readPage(answer, from),
    );
  }

  async #readPage(answer: Answer, url: URL): Promise<Metadata> {
    const contentType = requireHtml(answer, url);
    let extraction = new Extraction(this.config.timeZone, Date.now());
    const start = (): void => {
      extraction = new Extraction(this.config.timeZone, Date.now());
    };
    await decodePage(readBody(answer, this.config.maxBytes), contentType, start, (text) => {
      extraction.write(text);
      return !extraction.isComplete;
    });
    extraction.end();
    return extraction.result();
  }
}

function parseUrl(url: string): URL {
  if (!URL.canParse(`https://${url}`)) throw new PageFailure("url", `'${url.slice(0, 200)}' is no address of a page`);
  return new URL(`https://${url}`);
}

function asHttp(url: URL): URL {
  const http = new URL(url);
  http.protocol = "http:";
  return http;
}
