/**
 * Enrichment: fetching the pages that are announced, and telling Redis what they are called.
 *
 * What is done, and how often it was tried, is in the consumer group alone. An entry is *due* when it has been idle for as
 * long as its number of deliveries asks for; a host that works on it keeps it from being idle. So a try that failed and a
 * host that died are the same thing: the entry comes of age, and whichever host claims it first has it.
 */
import { setMaxListeners } from "node:events";
import { performance } from "node:perf_hooks";
import type { Connection } from "../../redis/connection";
import type { Announcement, PendingEntry } from "./announcements";
import { pause } from "../../runtime/wait";
import { Wakeup } from "../../runtime/wakeup";
import { restMs, tryEntry, type EnrichContext, type Ending } from "./entry";

/** How a try ended, and how long it took. */
export interface EnrichReport extends Omit<Ending, "againInMs"> {
  url: string;
  ms: number;
}

/** Entries in hand, most of which wait for their sites. Bounds memory, and how much a host keeps from the others. */
const MAX_IN_HAND = 1000;
const BLOCK_MS = 5000;
/** Entries of one look at what is pending. */
const SLICE = 500;
/** Between two rounds through what is pending. */
const MIN_ROUND_MS = 200;
const MAX_ROUND_MS = 10_000;
const MAX_POSTPONED = 100_000;
const PAGE_ID = /^[0-9a-f]{40}$/;

export class EnrichmentWorker {
  readonly #inHand = new Map<string, Announcement>();
  readonly #pages = new Set<string>();
  readonly #tasks = new Set<Promise<void>>();
  /** Entries that failed here → when to try again, by the monotonic clock; a site may want more time than the group knows. */
  readonly #postponed = new Map<string, number>();
  readonly #room = new Wakeup();
  readonly #earlier = new Wakeup();
  #sweepAtMs = Infinity;
  #heldAtMs = 0;
  /** Aborted by the first thing that fails. */
  #failure = new AbortController();
  /** Aborted by a failure, or from outside. */
  #stopping: AbortSignal = this.#failure.signal;

  /** @param onEnd told how each try ended */
  constructor(
    private readonly context: EnrichContext,
    private readonly onEnd: (report: EnrichReport) => void,
  ) {}

  /** Entries that this host works on. */
  get inHand(): number {
    return this.#inHand.size;
  }

  /** To be called when the courier may have room again. */
  roomChanged(): void {
    this.#room.wake();
  }

  /**
   * Works until the signal is aborted; what is not done then is left to others at once.
   *
   * @param reading a connection of its own: its reads block
   * @throws UnavailableError if Redis is away; call it again when it is back
   */
  async follow(reading: Connection, signal: AbortSignal): Promise<void> {
    await this.#during(signal, async () => {
      const interrupt = (): void => reading.close();
      this.#stopping.addEventListener("abort", interrupt, { once: true });
      await Promise.all([this.#guard(this.#readNew(reading)), this.#guard(this.#sweepAlways())]);
    });
  }

  /**
   * Works off what is due now, and returns; what is to be tried again later is left.
   *
   * @returns false if it was ended before
   */
  async drain(signal: AbortSignal): Promise<boolean> {
    await this.#during(signal, async () => {
      while (await this.#hasRoom()) {
        const found = await this.context.announcements.readNew(this.#free());
        if (found.length === 0) break;
        for (const each of found) this.#take(each, 1);
      }
      await this.#sweep();
      while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    });
    return !signal.aborted;
  }

  async #during(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    if (signal.aborted) return;
    const ended = new AbortController();
    const failure = (this.#failure = new AbortController());
    this.#stopping = AbortSignal.any([signal, failure.signal, ended.signal]);
    // Each page that waits listens to it.
    setMaxListeners(0, this.#stopping);
    const holding = this.#guard(this.#holdAlways());
    try {
      await this.context.announcements.prepare();
      await this.#guard(work());
    } catch (error) {
      this.#fail(error);
    } finally {
      ended.abort();
      await Promise.allSettled([...this.#tasks, holding]);
    }
    failure.signal.throwIfAborted();
  }

  /** What fails because it is interrupted by the end, as a blocking read does, is no failure. */
  #fail(error: unknown): void {
    if (!this.#stopping.aborted) this.#failure.abort(error);
  }

  /** Whatever fails first ends everything. */
  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #free(): number {
    return Math.min(this.context.courier.room, MAX_IN_HAND - this.#inHand.size);
  }

  /** Waits until one more page could be fetched; false if it is to stop. */
  async #hasRoom(): Promise<boolean> {
    while (!this.#stopping.aborted && this.#free() <= 0)
      await this.#room.sleep(this.#room.count, Infinity, this.#stopping);
    return !this.#stopping.aborted;
  }

  async #readNew(reading: Connection): Promise<void> {
    while (await this.#hasRoom()) {
      for (const each of await this.context.announcements.readNew(this.#free(), BLOCK_MS, reading)) this.#take(each, 1);
    }
  }

  async #sweepAlways(): Promise<void> {
    while (!this.#stopping.aborted) {
      this.#sweepAtMs = Infinity;
      const startedAtMs = performance.now();
      this.#sweepBefore(Math.min(await this.#sweep(), MAX_ROUND_MS));
      for (;;) {
        const earliestMs = Math.max(this.#sweepAtMs, startedAtMs + MIN_ROUND_MS);
        const leftMs = earliestMs - performance.now();
        if (leftMs <= 0 || this.#stopping.aborted) break;
        await this.#earlier.sleep(this.#earlier.count, leftMs, this.#stopping);
      }
    }
  }

  /** Something will be due then; what others have in hand is found in rounds. */
  #sweepBefore(ms: number): void {
    const atMs = performance.now() + ms;
    if (atMs >= this.#sweepAtMs) return;
    this.#sweepAtMs = atMs;
    this.#earlier.wake();
  }

  /**
   * Goes once through what is pending and takes what is due.
   *
   * @returns after how many milliseconds something will be due
   */
  async #sweep(): Promise<number> {
    let nextMs = Infinity;
    let afterId: string | undefined;
    while (!this.#stopping.aborted) {
      const slice = await this.context.announcements.pending(afterId, SLICE);
      for (const entry of slice) {
        const dueMs = this.#dueInMs(entry);
        if (dueMs > 0) nextMs = Math.min(nextMs, dueMs);
        else if (await this.#hasRoom()) await this.#takeOver(entry);
      }
      if (slice.length < SLICE) break;
      afterId = slice.at(-1)!.entryId;
    }
    return nextMs;
  }

  /** In how many milliseconds an entry is due; 0 or less if it is. */
  #dueInMs({ entryId, idleMs, deliveries }: PendingEntry): number {
    if (this.#inHand.has(entryId)) return Infinity;
    const postponedMs = (this.#postponed.get(entryId) ?? -Infinity) - performance.now();
    return Math.max(restMs(deliveries, this.context.limits) - idleMs, postponedMs);
  }

  async #takeOver({ entryId, deliveries }: PendingEntry): Promise<void> {
    const announcement = await this.context.announcements.claim(entryId, restMs(deliveries, this.context.limits));
    if (announcement) this.#take(announcement, deliveries + 1);
  }

  #take(announcement: Announcement, attempt: number): void {
    const { entryId } = announcement;
    // Nothing to hold until now: the last time says nothing.
    if (this.#inHand.size === 0) this.#heldAtMs = performance.now();
    this.#inHand.set(entryId, announcement);
    this.#postponed.delete(entryId);
    const task = this.#guard(this.#work(announcement, attempt))
      .catch(() => undefined)
      .finally(() => {
        this.#tasks.delete(task);
        this.#inHand.delete(entryId);
        this.#room.wake();
      });
    this.#tasks.add(task);
  }

  /** Says in time, again and again, that what is in hand is worked on; gives everything up if that came too late. */
  async #holdAlways(): Promise<void> {
    const stopping = this.#stopping;
    while (!stopping.aborted) {
      await pause(this.context.limits.leaseMs / 3, stopping);
      if (stopping.aborted || this.#inHand.size === 0) continue;
      const askedAtMs = performance.now();
      if (askedAtMs - this.#heldAtMs > this.context.limits.leaseMs) {
        throw new Error("this host stood still for longer than its lease; what it had in hand is left to others");
      }
      await this.context.announcements.hold([...this.#inHand.keys()]);
      this.#heldAtMs = askedAtMs;
    }
  }

  async #work(announcement: Announcement, attempt: number): Promise<void> {
    const { entryId, url } = announcement;
    const startedAt = performance.now();
    const ending = await this.#try(announcement, attempt);
    if (!ending) return this.#leave(entryId, attempt);
    const { againInMs, ...report } = ending;
    if (againInMs !== undefined) this.#postpone(entryId, againInMs);
    this.onEnd({ ...report, url, ms: Math.round(performance.now() - startedAt) });
  }

  async #try(announcement: Announcement, attempt: number): Promise<Ending | undefined> {
    const { entryId, pageId, url } = announcement;
    if (!PAGE_ID.test(pageId) || url === "") {
      await this.context.announcements.finish(entryId);
      return { outcome: "gone", reason: "url", message: `entry ${entryId} announces no page` };
    }
    if (this.#pages.has(pageId)) {
      await this.context.announcements.finish(entryId);
      return { outcome: "twice" };
    }
    this.#pages.add(pageId);
    try {
      return await tryEntry(this.context, announcement, attempt, this.#stopping);
    } finally {
      this.#pages.delete(pageId);
    }
  }

  #postpone(entryId: string, ms: number): void {
    this.#postponed.set(entryId, performance.now() + ms);
    if (this.#postponed.size > MAX_POSTPONED) this.#postponed.delete(this.#postponed.keys().next().value!);
    this.#sweepBefore(ms);
  }

  /** This try does not count, and whoever looks next may have it; after a failure, the lease ends by itself. */
  async #leave(entryId: string, attempt: number): Promise<void> {
    if (this.#failure.signal.aborted) return;
    const { announcements, limits } = this.context;
    await announcements.putBack(entryId, attempt - 1, restMs(attempt - 1, limits));
  }
}
