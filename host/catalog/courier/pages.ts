/** Fetches a vendor's pages: from its own hosts, at its own pace, and only what is new where that is asked for. */
import { hostsOf, type VendorConfig } from "../vendor-config";
import type { Resolve } from "../../fetch/addresses";
import { readBody } from "../../fetch/body";
import { decodePage } from "../../fetch/decode";
import { PageFailure } from "../../fetch/failure";
import { Fetcher } from "../../fetch/fetch";
import { ACCEPT_HTML, requireHtml } from "../../fetch/html";
import { MACHINE_CLOCK, Politeness, type Clock } from "../../fetch/politeness";
import type { Answer, RequestTiming } from "../../fetch/request";
import { Robots } from "../../fetch/robots";
import { Page } from "./dom";
import { VendorError } from "./types";
import { MINUTE_MS } from "../../runtime/time";

/** What a page said of its version. */
export interface Version {
  etag?: string | undefined;
  lastModified?: string | undefined;
}

interface Missing {
  status: 304 | 404 | 410;
}

interface Text {
  html: string;
  url: URL;
  isCut: boolean;
  version: Version;
}

export type Fetched = { status: 200; page: Page; version: Version } | Missing;

export interface PagesOptions {
  onRequest?: ((timing: RequestTiming) => void) | undefined;
  clock?: Clock | undefined;
  /** Looks names up; the system's unless given. */
  resolve?: Resolve | undefined;
}

/** A rest that is shorter is waited for; the longest crawl delay always is. */
const PATIENCE_MS = 5000;
const MISSING = [404, 410];
const MAX_URL = 2048;
/** Of a header that is kept with the link. */
const MAX_VERSION = 110;

export class VendorPages {
  readonly #site: URL;
  readonly #hosts: readonly string[];
  readonly #fetcher: Fetcher;
  readonly #robots: Robots | undefined;
  readonly #clock: Clock;
  readonly #patienceMs: number;

  constructor(
    private readonly config: VendorConfig,
    { onRequest, clock = MACHINE_CLOCK, resolve }: PagesOptions,
  ) {
    const { timeouts, contact, allow, concurrency, requestsPerSecond } = config;
    this.#site = new URL(config.site);
    this.#hosts = hostsOf(config);
    this.#clock = clock;
    const maxDelayMs = config.maxCrawlDelaySeconds * 1000;
    this.#patienceMs = maxDelayMs + PATIENCE_MS;
    const own = {
      timeouts: {
        connectMs: timeouts.connectSeconds * 1000,
        headersMs: timeouts.headersSeconds * 1000,
        bodyMs: timeouts.bodySeconds * 1000,
        totalMs: timeouts.totalSeconds * 1000,
      },
      ports: this.#hosts.flatMap(portsOf),
    };
    // All hosts together as many as one of them: they belong to one vendor.
    const politeness = {
      concurrency,
      perSite: concurrency,
      patienceMs: this.#patienceMs,
      intervalMs: 1000 / requestsPerSecond,
      clock,
    };
    this.#fetcher = new Fetcher({ ...own, allow, contact, resolve, onRequest }, new Politeness(politeness));
    this.#robots = config.robots
      ? new Robots(this.#fetcher, { keepMs: config.robotsMinutes * MINUTE_MS, maxDelayMs })
      : undefined;
  }

  /**
   * An address as it is fetched: absolute, without a fragment, and by https where the site is.
   *
   * @param base of the page on which it stands; the site unless given
   * @returns undefined for what is no address, or none of the vendor's
   */
  address(text: string, base: URL = this.#site): URL | undefined {
    // An empty one would be the page itself.
    if (text === "" || !URL.canParse(text, base.href)) return undefined;
    const url = new URL(text, base.href);
    url.hash = "";
    if (url.protocol === "http:" && this.#site.protocol === "https:" && url.port === "") url.protocol = "https:";
    return this.#isOwn(url) && url.href.length <= MAX_URL ? url : undefined;
  }

  /**
   * Fetches a page once.
   *
   * @param known version that is not wanted again
   * @throws VendorError; what the signal was aborted with
   */
  async fetch(url: URL, signal: AbortSignal, known: Version = {}): Promise<Fetched> {
    const { language } = this.config;
    const versions = {
      ...(known.etag !== undefined && { "if-none-match": known.etag }),
      ...(known.lastModified !== undefined && { "if-modified-since": known.lastModified }),
    };
    const statuses = Object.keys(versions).length > 0 ? [304, ...MISSING] : MISSING;
    const headers = { ...versions, ...(language !== undefined && { "accept-language": language }) };
    const admit = (hop: URL): Promise<void> => this.#admit(hop, signal);
    try {
      const options = { accept: ACCEPT_HTML, headers, statuses, admit, signal };
      const found = await this.#fetcher.fetch(new URL(url), options, (answer, from) => this.#read(answer, from));
      if (!("html" in found)) return found;
      return { status: 200, page: Page.parse(found.html, found.url, found.isCut), version: found.version };
    } catch (error) {
      throw error instanceof PageFailure ? asVendorError(error) : error;
    }
  }

  /** Fetches a page; where that fails in passing, again after a while, as often as is configured. */
  async fetchPatiently(url: URL, signal: AbortSignal): Promise<Fetched> {
    const { attempts, backoffSeconds } = this.config;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.fetch(url, signal);
      } catch (error) {
        if (!(error instanceof VendorError) || error.permanent || attempt >= attempts) throw error;
        // Of a rest that is asked for, the site's turn takes care; one that is too long is for the caller to wait.
        if ((error.retryAfterMs ?? 0) > this.#patienceMs) throw error;
        await this.#clock.pause(backoffSeconds * 1000 * 2 ** (attempt - 1), signal);
        signal.throwIfAborted();
      }
    }
  }

  #isOwn(url: URL): boolean {
    const isSafe = url.protocol === this.#site.protocol || url.protocol === "https:";
    return (
      isSafe &&
      /^https?:$/.test(url.protocol) &&
      this.#hosts.includes(url.host) &&
      url.username === "" &&
      url.password === ""
    );
  }

  async #admit(hop: URL, signal: AbortSignal): Promise<void> {
    if (!this.#isOwn(hop))
      throw new PageFailure("redirects", `${hop.origin} is none of ${this.config.vendor}'s: ${this.#hosts.join(", ")}`);
    await this.#robots?.check(hop, signal);
  }

  async #read(answer: Answer, url: URL): Promise<Text | Missing> {
    const { status } = answer;
    if (status === 304 || status === 404 || status === 410) return { status };
    const contentType = requireHtml(answer, url);
    const { maxBytes } = this.config;
    let bytes = 0;
    // One byte more than is wanted tells what was cut off from what just fits.
    const pieces = async function* (): AsyncGenerator<Buffer, void> {
      for await (const piece of readBody(answer, maxBytes + 1)) {
        bytes += piece.length;
        yield piece;
      }
    };
    let html: string[] = [];
    const start = (): void => void (html = []);
    await decodePage(pieces(), contentType, start, (text) => html.push(text) > 0);
    const version = { etag: short(answer.header("etag")), lastModified: short(answer.header("last-modified")) };
    return { html: html.join(""), url, isCut: bytes > maxBytes, version };
  }
}

function portsOf(host: string): number[] {
  const port = /:(\d+)$/.exec(host)?.[1];
  return port === undefined ? [80, 443] : [Number(port)];
}

function short(header: string | undefined): string | undefined {
  return header !== undefined && header.length <= MAX_VERSION ? header : undefined;
}

function asVendorError(failure: PageFailure): VendorError {
  const { reason, message, passing, retryAfterMs } = failure;
  return new VendorError(reason, message, {
    permanent: !passing,
    retryAfterMs: retryAfterMs > 0 ? retryAfterMs : undefined,
    cause: failure,
  });
}
