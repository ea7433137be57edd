/** How hard sites are asked: how many requests at once, how long between two, and when not at all. */
import { performance } from "node:perf_hooks";
import pLimit, { type LimitFunction } from "p-limit";
import { pause } from "../runtime/wait";
import { PageFailure } from "./failure";
import { DAY_MS } from "../runtime/time";

interface PolitenessOptions {
  /** Requests under way at once, to all sites together. */
  concurrency: number;
  /** Of these, to one site. */
  perSite: number;
  /** A site that rests for longer is not waited for, in milliseconds. */
  patienceMs: number;
  /** Between the starts of two requests to one site, in milliseconds; 0 unless given. */
  intervalMs?: number;
  /** By which requests are spaced; the machine's unless given. */
  clock?: Clock | undefined;
}

/** Time, for tests that do not want to wait for it. */
export interface Clock {
  /** Monotonic, in milliseconds. */
  now(): number;
  /** Ends early, without an error, when the signal is aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export const MACHINE_CLOCK: Clock = { now: () => performance.now(), pause };

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
export const MAX_REST_MS = DAY_MS;

export class Politeness {
  readonly #overall: LimitFunction;
  readonly #sites = new Map<string, Site>();
  readonly #clock: Clock;
  #waiting = 0;

  /** @param onChange told when {@link waiting} has changed */
  constructor(
    private readonly options: PolitenessOptions,
    private readonly onChange: () => void = () => undefined,
  ) {
    this.#overall = pLimit(options.concurrency);
    this.#clock = options.clock ?? MACHINE_CLOCK;
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
        // Without an await where there is nothing to wait for: until then it counts as waiting, and as room for others.
        let restMs: number;
        while ((restMs = this.#takeTurn(site, state, 0)) > 0) await this.#rest(restMs, signal);
        waits = false;
        this.#wait(-1);
        return await this.#overall(async () => {
          signal.throwIfAborted();
          // Others of the site may have started while this one waited for room.
          const intervalMs = Math.max(this.options.intervalMs ?? 0, state.spacingMs);
          while ((restMs = this.#takeTurn(site, state, intervalMs)) > 0) await this.#rest(restMs, signal);
          try {
            return await request();
          } finally {
            this.#notBefore(state, state.spacingMs);
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
    this.#notBefore(this.#site(site), Math.min(ms, MAX_REST_MS));
  }

  #notBefore(state: Site, ms: number): void {
    state.notBeforeMs = Math.max(state.notBeforeMs, this.#clock.now() + ms);
  }

  /**
   * Takes the site's turn, if it may be asked now, and has the next one wait for so long; in one step, so that no two have one
   * turn.
   *
   * @returns 0, or how long to wait before trying again, in milliseconds
   */
  #takeTurn(site: string, state: Site, intervalMs: number): number {
    this.#checkRest(site, state);
    const restMs = state.notBeforeMs - this.#clock.now();
    if (restMs > 0) return restMs;
    this.#notBefore(state, intervalMs);
    return 0;
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.pause(ms, signal);
    signal.throwIfAborted();
  }

  #checkRest(site: string, { notBeforeMs }: Site): void {
    const restMs = notBeforeMs - this.#clock.now();
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
    const now = this.#clock.now();
    for (const [name, { limit, notBeforeMs }] of this.#sites) {
      if (limit.activeCount + limit.pendingCount === 0 && notBeforeMs <= now) this.#sites.delete(name);
    }
  }
}
