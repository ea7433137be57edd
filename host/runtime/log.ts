/** Log lines: JSON, one a line, on stdout; on stderr where stdout is for notifications. */
import { destination, pino, type Logger } from "pino";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Makes the logger of a host.
 *
 * It writes synchronously: the last line before an exit is often the one that explains it. Nothing secret is logged to
 * begin with (URLs are logged without credentials); the list below is a second fence.
 *
 * @param fd where to: 1 or 2
 */
export function createLogger(level: LogLevel, fd = 1): Logger {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ["password", "*.password", "redis.url", "*.redis.url"], censor: "***" },
    },
    destination({ fd, sync: true }),
  );
}
