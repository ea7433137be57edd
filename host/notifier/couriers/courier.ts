/** What all couriers have in common: one notification in, one outcome out. */
import { describeError } from "../../runtime/errors";
import { formatDuration, printable } from "../../terminal/format";

/** A notification as it was claimed. */
export interface Notification {
  /** The same in every attempt, so that a receiver can drop repeats. */
  id: string;
  /** Of the present lease. */
  token: string;
  topic: string;
  subject: string;
  items: string[];
  /** Of its first scan and its last one, in unix milliseconds. */
  firstAt: number;
  lastAt: number;
  /** From 1. */
  attempt: number;
}

export interface Delivered {
  outcome: "delivered";
  /** What a person should know all the same, for example that one of several recipients was refused. */
  note?: string;
}

export interface Failed {
  outcome: "failed";
  /** One of few words, for metrics: `timeout`, `connection`, `http_500`, `smtp_450` … */
  code: string;
  /** A sentence for people, without secrets. */
  reason: string;
  /** False if the same will happen again until a person has changed something. */
  retryable: boolean;
  /** Milliseconds for which the receiver wants to hear nothing. */
  retryAfterMs?: number;
}

/** The receiver wants nothing more, ever. */
interface Disabled {
  outcome: "disabled";
  code: string;
  reason: string;
}

export type Delivery = Delivered | Failed | Disabled;

export interface Courier {
  /** Where it delivers, for logs and tables: without credentials. */
  readonly shown: string;
  /**
   * Delivers one notification. Does not throw.
   *
   * @param signal aborted when the time is up; a courier that can stop then does
   */
  deliver(notification: Notification, signal: AbortSignal): Promise<Delivery>;
  /** Closes connections; nothing is delivered afterwards. */
  close(): Promise<void>;
}

/** Reasons are stored with the notification and shown in a table: so much of a receiver's own words is enough. */
const MAX_REASON = 300;

/** A failure in words that are safe to log: one line, no control characters, bounded. */
export function failed(
  code: string,
  reason: string,
  more: Pick<Failed, "retryable"> & Partial<Failed> = { retryable: true },
): Failed {
  return { outcome: "failed", code, reason: shorten(reason), ...more };
}

/** A text from outside as one line of bounded length. */
export function shorten(text: string): string {
  const line = printable(text.replace(/\s+/g, " ").trim());
  return line.length <= MAX_REASON ? line : `${line.slice(0, MAX_REASON - 1)}…`;
}

/**
 * Delivers within a time, whatever the courier does with its signal: a lease must not end while its delivery is out.
 *
 * @param timeoutMs milliseconds; afterwards the delivery has failed
 */
export async function deliverWithin(
  courier: Courier,
  notification: Notification,
  timeoutMs: number,
): Promise<Delivery> {
  const timer = new AbortController();
  let timeout: NodeJS.Timeout | undefined;
  const tooLong = new Promise<Failed>((resolve) => {
    timeout = setTimeout(() => {
      resolve(failed("timeout", `no answer within ${formatDuration(timeoutMs)}`));
      timer.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([courier.deliver(notification, timer.signal), tooLong]);
  } catch (error) {
    return failed("internal", describeError(error));
  } finally {
    clearTimeout(timeout);
  }
}

/** What a receiver of JSON gets; the same in every attempt. */
export function contentOf({ id, topic, subject, items, firstAt, lastAt }: Notification): object {
  return { id, topic, subject, items, first_at: firstAt, last_at: lastAt };
}
