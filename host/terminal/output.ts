/** What commands print to, and what it can show. */

const WITHOUT_TERMINAL = 120;

/** Columns; a pipe has as many as a line needs. */
export const WIDTH = process.stdout.columns ?? WITHOUT_TERMINAL;

/** What of an output stream decides about the style. */
export interface OutputLike {
  isTTY?: boolean;
  columns?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a screen can be drawn there; a `dumb` terminal cannot move its cursor. */
export function isInteractive(output: OutputLike, env: Environment): boolean {
  return output.isTTY === true && env["TERM"] !== "dumb";
}

/** Whether to use colours: on a terminal, unless NO_COLOR is set (no-color.org). */
export function colorsOf(output: OutputLike, env: Environment): boolean {
  return isInteractive(output, env) && !env["NO_COLOR"];
}
