/** Telling Redis how leased work ended. */
import { performance } from "node:perf_hooks";
import { backoffMs } from "../runtime/backoff";
import { HotpathError, UnavailableError } from "../runtime/errors";
import { pause } from "../runtime/wait";

export interface Settling {
  /** `settled`: Redis knows. `lost`: the lease was over, or the work is gone. `unknown`: Redis could not be told. */
  settled: "settled" | "lost" | "unknown";
  /** Why it could not be told, if that is not that Redis is away. */
  error?: unknown;
}

export interface SettleOptions {
  /** When the lease ends, by `performance.now()`: nobody listens after that. */
  leaseEndMs: number;
  /** Once it is aborted, only a few seconds more are spent. */
  signal: AbortSignal;
}

/** Once the host stops, so long is tried to tell Redis how something ended. */
const STOP_PATIENCE_MS = 3000;

/**
 * Tells Redis, again and again while it is away: what is done and not told would be done again.
 *
 * @param tell makes the call
 */
export async function settle(tell: () => Promise<unknown>, { leaseEndMs, signal }: SettleOptions): Promise<Settling> {
  let stoppedAt: number | undefined;
  for (let attempt = 0, isUncertain = false; ; attempt += 1) {
    try {
      await tell();
      return { settled: "settled" };
    } catch (error) {
      // A lost lease; or our own call, which ran although its answer did not come.
      if (error instanceof HotpathError && ["NOTFOUND", "CONFLICT"].includes(error.code)) {
        return { settled: isUncertain ? "settled" : "lost" };
      }
      if (!(error instanceof UnavailableError)) return { settled: "unknown", error };
      isUncertain ||= error.maybeExecuted;
    }
    const now = performance.now();
    if (signal.aborted) stoppedAt ??= now;
    if (now > leaseEndMs || (stoppedAt !== undefined && now - stoppedAt > STOP_PATIENCE_MS))
      return { settled: "unknown" };
    await pause(backoffMs(attempt));
  }
}
