/** What an output can show. */
import type { OutputLike } from "../../demo/report";

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a screen can be drawn there; a `dumb` terminal cannot move its cursor. */
export function isInteractive(output: OutputLike, env: Environment): boolean {
  return output.isTTY === true && env["TERM"] !== "dumb";
}

/** Whether to use colours: on a terminal, unless NO_COLOR is set (no-color.org). */
export function colorsOf(output: OutputLike, env: Environment): boolean {
  return isInteractive(output, env) && !env["NO_COLOR"];
}
