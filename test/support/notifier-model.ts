/**
 * The notifier in plain TypeScript: what is waited for, given out and kept, without a thought for speed. Ids and tokens are the
 * server's to choose; the model learns them from claims.
 */
import type { Claimed } from "./notifier";

export interface Settings {
  quiet: number;
  maxwait: number;
  lease: number;
  attempts: number;
  backoff: number;
}

/** A subject that waits to be quiet. */
interface Waiting {
  subject: string;
  items: string[];
  firstMs: number;
  lastMs: number;
  dueMs: number;
}

/** A notification that was due, wherever it is now. */
export interface Notification extends Omit<Waiting, "dueMs" | "lastMs"> {
  lastMs: number;
  state: "ready" | "leased" | "dead";
  /** When it may go out, when its lease ends, or when it died. */
  atMs: number;
  attempt: number;
  /** Known once it was out. */
  id?: string;
  token?: string;
}

const HOUR_MS = 3_600_000;
/** How long the notifier waits for entries that are unread. */
const HELD_MS = 100;

export class NotifierModel {
  readonly waiting = new Map<string, Waiting>();
  notifications: Notification[] = [];
  /** Items of notifications that were acknowledged, by subject. */
  readonly delivered: { subject: string; items: string[] }[] = [];
  settings: Settings;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  scan(subject: string, item: string, atMs: number): number {
    const found = this.waiting.get(subject) ?? { subject, items: [], firstMs: atMs, lastMs: atMs, dueMs: 0 };
    this.waiting.set(subject, found);
    if (!found.items.includes(item)) found.items.push(item);
    found.firstMs = Math.min(found.firstMs, atMs);
    found.lastMs = Math.max(found.lastMs, atMs);
    const { quiet, maxwait } = this.settings;
    found.dueMs = Math.min(found.lastMs + quiet, maxwait > 0 ? found.firstMs + maxwait : Infinity);
    return found.dueMs;
  }

  /** Leases that ended come back or die. */
  takeBack(nowMs: number): void {
    for (const each of this.notifications) {
      if (each.state === "leased" && each.atMs <= nowMs) this.#giveBack(each, each.atMs, nowMs);
    }
  }

  /** Subjects that were quiet until then become notifications. */
  seal(untilMs: number, count: number): void {
    const due = [...this.waiting.values()].filter(({ dueMs }) => dueMs <= untilMs);
    due.sort((a, b) => a.dueMs - b.dueMs || (a.subject < b.subject ? -1 : 1));
    for (const { dueMs, ...each } of due.slice(0, count)) {
      this.waiting.delete(each.subject);
      this.notifications.push({ ...each, state: "ready", atMs: dueMs, attempt: 0 });
    }
  }

  /** How many go out now: those ready, in order of time; which of those of one time is the server's to choose. */
  ready(nowMs: number): Notification[] {
    return this.notifications
      .filter(({ state, atMs }) => state === "ready" && atMs <= nowMs)
      .sort((a, b) => a.atMs - b.atMs);
  }

  /** Finds what a claim has given out, and leases it; undefined if nothing like it was ready. */
  lease(claimed: Claimed, nowMs: number): Notification | undefined {
    const isIt = (each: Notification): boolean =>
      each.subject === claimed.subject &&
      each.firstMs === claimed.first_at &&
      each.lastMs === claimed.last_at &&
      (each.id ?? claimed.id) === claimed.id &&
      each.items.join() === claimed.items.join();
    const found = this.ready(nowMs).find(isIt);
    if (found === undefined) return undefined;
    Object.assign(found, {
      state: "leased",
      atMs: nowMs + this.settings.lease,
      attempt: found.attempt + 1,
      id: claimed.id,
      token: claimed.token,
    });
    return found;
  }

  acknowledge(found: Notification): void {
    this.notifications = this.notifications.filter((each) => each !== found);
    this.delivered.push({ subject: found.subject, items: found.items });
  }

  fail(found: Notification, nowMs: number): void {
    this.#giveBack(found, nowMs + Math.min(this.settings.backoff * 2 ** (found.attempt - 1), HOUR_MS), nowMs);
  }

  retry(found: Notification, nowMs: number): void {
    Object.assign(found, { state: "ready", atMs: nowMs, attempt: 0 });
  }

  #giveBack(found: Notification, readyMs: number, nowMs: number): void {
    const isLast = found.attempt >= this.settings.attempts;
    Object.assign(found, isLast ? { state: "dead", atMs: nowMs } : { state: "ready", atMs: readyMs });
  }

  /** When there is something to claim again, if it is known until then who was quiet. */
  next(untilMs: number, nowMs: number): number | null {
    const dueMs = Math.min(...[...this.waiting.values()].map((each) => each.dueMs));
    const isHeld = dueMs > untilMs && dueMs <= nowMs;
    const times = [
      ...(dueMs === Infinity ? [] : [isHeld ? nowMs + HELD_MS : dueMs]),
      ...this.notifications.filter(({ state }) => state !== "dead").map(({ atMs }) => atMs),
    ];
    return times.length === 0 ? null : Math.min(...times);
  }
}
