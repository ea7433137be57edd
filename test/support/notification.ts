import { onTestFinished } from "vitest";
import { deliverWithin, type Courier, type Delivery, type Notification } from "../../host/notifier/couriers/courier";

/** 2026-11-20 12:00:00 UTC. */
const NOON = Date.UTC(2026, 10, 20, 12);

/** A notification as it is claimed. */
export function notification(changes: Partial<Notification> = {}): Notification {
  const subject = changes.subject ?? "10";
  return {
    id: `id-of-${subject.slice(0, 10)}`,
    token: "1",
    topic: "packages",
    subject,
    items: ["AAAAAA", "BBBBBB", "CCCCCC"],
    firstAt: NOON,
    lastAt: NOON + 90_000,
    attempt: 1,
    ...changes,
  };
}

/** Closes a courier with the test. */
export function using<T extends Courier>(courier: T): T {
  onTestFinished(() => courier.close());
  return courier;
}

/** Delivers with much time. */
export function deliver(courier: Courier, given: Notification = notification(), timeoutMs = 20_000): Promise<Delivery> {
  return deliverWithin(courier, given, timeoutMs);
}
