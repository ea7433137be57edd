/** The tracker by a clock of the demo's own, each call timed. */
import type { HotpathFunctions } from "../../host/contract";
import type { IngestFunctions } from "../../host/tracker/ingest";
import type { RotateFunctions } from "../../host/tracker/rotate";
import type { Stopwatch } from "./stopwatch";

/**
 * Ingest and rotation by a clock of our own, each call timed under the function's name.
 *
 * @param nowMs the clock, unix milliseconds
 */
export function functionsAt(
  functions: HotpathFunctions,
  nowMs: number,
  watch: Stopwatch,
): IngestFunctions & RotateFunctions {
  return {
    ingestEvents: (args) => watch.time("ingest_events", () => functions.ingestEvents({ ...args, now: nowMs })),
    rotatePg: (args) => watch.time("rotate_pg", () => functions.rotatePg({ ...args, now: nowMs })),
    rotateUd: (args) => watch.time("rotate_ud", () => functions.rotateUd({ ...args, now: nowMs })),
  };
}
