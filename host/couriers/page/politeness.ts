/** How hard sites are asked: how many requests at once, how long between two, and when not at all. */
import { performance } from "node:perf_hooks";
import pLimit, { type LimitFunction } from "p-limit";
import { pause } from "../../wait";
import { PageFailure } from "./failure";

export interface PolitenessOptions {
  /** Requests under way at once, to all sites together. */
  concurrency: number;
  /** Of these, to one site. */
  perSite: number;
  /** A site that rests for longer is not waited for, in milliseconds. */
  patienceMs: number;
}

interface Site {
  limit: LimitFunction;
  /** Between two requests, in milliseconds. */
  spacingMs: number;
  /** Not before this, by the monotonic clock. */
  notBeforeMs: number;
}

/** Sites that are remembered; the oldest that are idle go first. */
const MAX_SITES = 10_000;
/** The longest rest that a site is granted. */
const MAX_REST_MS = 24 * 3_600_000;

export class Politeness {
  readonly #overall: LimitFunction;
  readonly #sites = new Map<string, Site>();
  #waiting = 0;

  /** @param onChange told when {@link waiting} has changed */
  constructor(
    private readonly options: PolitenessOptions,
    private readonly onChange: () => void = () => undefined,
  ) {
    this.#overall = pLimit(options.concurrency);
  }

  /** Requests that wait for their site, and would not be helped by more room for all. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs one request when its site may be asked. Never call it from within another one: two sites that wait for each other
   * would wait for ever.
   *
   * @param site host and port
   * @param signal ends the waiting
   * @throws PageFailure if the site rests for too long to wait
   */
  async run<T>(site: string, signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    const state = this.#site(site);
    this.#checkRest(site, state);
    this.#wait(1);
    let waits = true;
    try {
      return await state.limit(async () => {
        this.#checkRest(site, state);
        const restMs = state.notBeforeMs - performance.now();
        if (restMs > 0) await pause(restMs, signal);
        waits = false;
        this.#wait(-1);
        return await this.#overall(async () => {
          signal.throwIfAborted();
          try {
            return await request();
          } finally {
            state.notBeforeMs = Math.max(state.notBeforeMs, performance.now() + state.spacingMs);
          }
        });
      });
    } finally {
      if (waits) this.#wait(-1);
    }
  }

  /** How long a site wants between two requests. */
  setSpacing(site: string, spacingMs: number): void {
    this.#site(site).spacingMs = spacingMs;
  }

  /** A site asked to be left alone. */
  rest(site: string, ms: number): void {
    const state = this.#site(site);
    state.notBeforeMs = Math.max(state.notBeforeMs, performance.now() + Math.min(ms, MAX_REST_MS));
  }

  #checkRest(site: string, { notBeforeMs }: Site): void {
    const restMs = notBeforeMs - performance.now();
    if (restMs <= this.options.patienceMs) return;
    throw new PageFailure("resting", `${site} asked to be left alone for ${Math.ceil(restMs / 1000)} s more`, {
      passing: true,
      untried: true,
      retryAfterMs: restMs,
    });
  }

  #wait(change: number): void {
    this.#waiting += change;
    this.onChange();
  }

  #site(name: string): Site {
    let site = this.#sites.get(name);
    if (!site) {
      if (this.#sites.size >= MAX_SITES) this.#forgetIdle();
      site = { limit: pLimit(this.options.perSite), spacingMs: 0, notBeforeMs: -Infinity };
      this.#sites.set(name, site);
    }
    return site;
  }

  #forgetIdle(): void {
    const now = performance.now();
    for (const [name, { limit, notBeforeMs }] of this.#sites) {
      if (limit.activeCount + limit.pendingCount === 0 && notBeforeMs <= now) this.#sites.delete(name);
    }
  }
}

/**
 * Reads a Retry-After header: seconds, or a date.
 *
 * @returns milliseconds, 0 if it says nothing
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number {
  const text = header?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = /\d{4}/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs);
}
