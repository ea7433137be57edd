/**
 * Units of time. A file that imports one has it as a local of its own, so it costs no more than a constant that is written
 * there.
 */
export const MINUTE_MS = 60000;
export const HOUR_MS = 3600000;
export const DAY_MS = 86400000;
