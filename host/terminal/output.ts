/** The terminal that commands print to. */

const WITHOUT_TERMINAL = 120;

/** Columns; a pipe has as many as a line needs. */
export const WIDTH = process.stdout.columns ?? WITHOUT_TERMINAL;
