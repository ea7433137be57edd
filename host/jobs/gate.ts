/**
 * Whether a topic's receiver wants anything just now. What it says (429 and 503 with Retry-After, 410) holds for all hosts and
 * outlives them, so it is kept in Redis.
 */
import type { Connection } from "../redis/connection";
import { KEYS } from "../contract";
import { keyIn, routingOf } from "../redis/partitions";

export type GateState =
  | { state: "open" }
  | { state: "paused"; reason: string; untilMs: number }
  | { state: "disabled"; reason: string; sinceMs: number };

export interface Gate {
  /** The state; a pause may be over by now. */
  read(): Promise<GateState>;
  /** Nothing is to be delivered before `untilMs`. */
  pause(untilMs: number, reason: string): Promise<void>;
  /** Nothing is to be delivered until {@link open}, or until the configuration names another receiver. */
  disable(nowMs: number, reason: string): Promise<void>;
  /** Delivers again; true if it was closed. */
  open(): Promise<boolean>;
}

interface GateOptions {
  topic: string;
  partition: string | null;
  /** The receiver, as it may be shown: what another one said does not count. Without it, what any has said is read. */
  receiver?: string;
}

/** Whether the receiver wants nothing now. */
export function isClosed(state: GateState, nowMs: number): boolean {
  return state.state === "disabled" || (state.state === "paused" && state.untilMs > nowMs);
}

/** The key: a hash with `state`, `receiver`, `reason`, `at` (ms). */
export function gateKey(topic: string, partition: string | null): string {
  return keyIn(KEYS.courier, partition, topic);
}

/** The gate of a topic. */
export function gateOf(connection: Connection, { topic, partition, receiver }: GateOptions): Gate {
  const key = gateKey(topic, partition);
  const send = (...args: string[]): Promise<unknown> => connection.send(args, routingOf(partition));
  const close = (state: string, at: number, reason: string): Promise<unknown> =>
    send("HSET", key, "state", state, "at", String(at), "reason", reason, "receiver", receiver ?? "");
  return {
    read: async () => {
      const [state, at, reason, closedBy] = (await send("HMGET", key, "state", "at", "reason", "receiver")) as (
        string | null
      )[];
      if (receiver !== undefined && closedBy !== receiver) return { state: "open" };
      if (state === "disabled") return { state, reason: reason ?? "", sinceMs: Number(at) };
      if (state === "paused") return { state, reason: reason ?? "", untilMs: Number(at) };
      return { state: "open" };
    },
    pause: async (untilMs, reason) => void (await close("paused", untilMs, reason)),
    disable: async (nowMs, reason) => void (await close("disabled", nowMs, reason)),
    open: async () => (await send("DEL", key)) === 1,
  };
}
